# Copyright 2026 The grin_ros Authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
#
# SPDX-License-Identifier: Apache-2.0

"""The training loop: shards in, checkpoints out; one command from a CPU to many machines."""

from __future__ import annotations

from collections.abc import Callable
import multiprocessing
from pathlib import Path
import signal

from accelerate import Accelerator
from accelerate.utils import set_seed
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from grin_ros.data.shards import ShardDataset
from grin_ros.errors import GrinError
from grin_ros.train.anchor import Anchor
from grin_ros.train.batches import plainly, StepBatches
from grin_ros.train.config import TrainConfig
from grin_ros.train.loss import DiffusionLoss
from grin_ros.train.run import Run
from grin_ros.train.validate import need_labels, picture, validate

CPU_BF16 = ('amx_bf16', 'avx512_bf16')


def train(config: TrainConfig, resume: bool = True, stop: Callable[[], bool] = lambda: False
          ) -> Path:
    """
    Train until the last step of the schedule, or until told to stop.

    :param resume: continue from the last checkpoint in config.output when there is one.
    :param stop: asked after each step; True ends with a checkpoint.
    :returns: the checkpoint to export: the best on held-out worlds, or the last.
    :raises GrinError: when there is no data, or no checkpoint came of it.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    accelerator = Accelerator(mixed_precision=mixed_precision_of(config))
    set_seed(config.seed)
    samples, held_out = open_shards(config.data), open_shards((config.val,))
    need_labels(held_out, config.val_frames, config.val)
    run = Run(config)
    run.begin(resume)
    learner = Learner(run, accelerator)
    diary = Diary(run, held_out) if accelerator.is_main_process else None
    try:
        _steps(run, learner, diary, samples, stop, accelerator)
    except BaseException:
        end_workers()
        raise
    return run.chosen


def _steps(run: Run, learner: Learner, diary: Diary | None, samples: ConcatDataset,
           stop: Callable[[], bool], accelerator: Accelerator) -> None:
    """Learn until the last step, or until told to stop; judge and save now and then."""
    config = run.config
    due: set[str] = set()
    for batch in plainly(DataLoader(
            StepBatches(samples, config, accelerator.process_index), batch_size=None,
            sampler=range(run.step, config.steps), num_workers=config.num_workers,
            worker_init_fn=leave_signals)):
        scalars = learner.learn(batch)
        run.step += 1
        # All processes end as soon as one is told to.
        told = torch.tensor(float(stop()), device=accelerator.device)
        finished = run.step == config.steps or accelerator.reduce(told, 'sum').item() > 0
        if run.step % config.eval_every == 0 or run.step == config.steps:
            due.add('judge')
        if run.step % config.save_every == 0 or finished:
            due.add('save')
        if diary is not None:
            figures = {}
            # A burst of the loss may end in going back: what it left must not be gone back to.
            sound = bool(due) and run.is_sound()
            # The end has its figures, and no later step would, were its batch only a bad one.
            if 'judge' in due and (sound or run.step == config.steps):
                run.judge(figures := diary.validate())
            if sound:
                if 'save' in due:
                    run.save()
                due.clear()
            diary.note(scalars, batch['image'].shape[2:0:-1], figures)
        if finished:
            break
    if diary is not None:
        diary.close()
        if due:
            run.regret()


class Learner:
    """Takes the steps of a run, on every process alike."""

    def __init__(self, run: Run, accelerator: Accelerator) -> None:
        """Move the network to its device."""
        self._run, self._config, self._accelerator = run, run.config, accelerator
        self._objective, run.optimizer = accelerator.prepare(
            DiffusionLoss(run.model, run.config.objective), run.optimizer)
        # After prepare, which moves the model to its device.
        self._anchor = (Anchor(run.model.encoder.trunk, run.config.encoder_pull)
                        if run.config.encoder_pull else None)
        self._norm = torch.zeros(())

    def learn(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take one step, or go back when the loss is astray; return the parts of the loss."""
        run, config, accelerator = self._run, self._config, self._accelerator
        rate = config.rate_at(run.step)
        for group in run.optimizer.param_groups:
            group['lr'] = rate * group['relative_rate']
        run.model.train()
        batch = {name: value.to(accelerator.device) for name, value in batch.items()}
        seed = int(np.random.SeedSequence(
            (config.seed, accelerator.process_index, run.step)).generate_state(1)[0])
        parts = self._objective(batch, seed)
        run.optimizer.zero_grad()
        if run.guard.is_astray(accelerator.reduce(parts['loss'].detach(), 'mean').item()):
            # Every process sees the same mean, so all go back together; the data goes on.
            run.go_back()
        else:
            accelerator.backward(parts['loss'])
            self._norm = accelerator.clip_grad_norm_(run.model.parameters(), config.clip_norm)
            run.optimizer.step()
            if self._anchor:
                self._anchor.draw(rate / config.learning_rate)
            run.average.update_parameters(run.model)
        return parts | {'grad_norm': self._norm, 'rate': torch.tensor(rate)}


class Diary:
    """Shows and logs a run, and looks at held-out worlds, on the main process."""

    def __init__(self, run: Run, held_out: ConcatDataset) -> None:
        """Open the log beside the checkpoints."""
        self._run, self._config, self._held_out = run, run.config, held_out
        self._writer = SummaryWriter(Path(run.config.output) / 'tensorboard')
        self._progress = tqdm(total=run.config.steps, initial=run.step, desc='train', unit='step')

    def note(self, scalars: dict[str, Tensor], size: tuple[int, ...],
             figures: dict[str, float]) -> None:
        """Count a step of images (width, height), log it now and then, and figures if any."""
        step = self._run.step
        self._progress.update()
        if step % self._config.log_every == 0:
            for name, value in scalars.items():
                self._writer.add_scalar(f'train/{name}', value.item(), step)
            self._progress.set_postfix(l1=f'{scalars["l1_first"].item():.3f}',
                                       size='{}x{}'.format(*size))
        if figures:
            tqdm.write(f'step {step} ' + ' '.join(
                f'{name} {value:.3f}' for name, value in figures.items()))

    def validate(self) -> dict[str, float]:
        """Return the figures of the averaged weights on held-out worlds."""
        step, network = self._run.step, self._run.average.module
        figures = validate(network, self._held_out, self._config.input_size,
                           self._config.val_frames)
        for name, value in figures.items():
            self._writer.add_scalar(f'val/{name}', value, step)
        self._writer.add_image('val/photo_predicted_true', picture(
            network, self._held_out[step % len(self._held_out)], self._config.input_size), step,
            dataformats='HWC')
        return figures

    def close(self) -> None:
        """Close the log."""
        self._progress.close()
        self._writer.close()


def end_workers() -> None:
    """Kill those that are left: they ignore SIGTERM, with which Python would wait for them."""
    if workers := multiprocessing.active_children():
        # At the death of one torch raises in the midst of whatever comes next.
        handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for worker in workers:
            worker.kill()
            worker.join()
        signal.signal(signal.SIGCHLD, handler or signal.SIG_DFL)


def leave_signals(worker: int) -> None:
    """
    Leave signals to the process that trains: it needs its workers for one more step.

    A terminal sends SIGINT, and timeout, Slurm and systemd SIGTERM, to workers, too. Those end
    when the process that trains lets them go, or is gone.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def mixed_precision_of(config: TrainConfig) -> str:
    """
    Return 'bf16' or 'no': what config.mixed_precision means on this machine.

    auto is bf16 where the hardware multiplies it: a GPU, or a CPU with AMX or AVX512-BF16.
    """
    if config.mixed_precision != 'auto':
        return config.mixed_precision
    if torch.cuda.is_available():
        return 'bf16' if torch.cuda.is_bf16_supported() else 'no'
    capabilities = torch.cpu.get_capabilities()
    return 'bf16' if any(capabilities.get(name) for name in CPU_BF16) else 'no'


def open_shards(folders: tuple[str, ...]) -> ConcatDataset:
    """
    Open the shards of several folders as one dataset.

    :raises GrinError: when a folder has none; names the command that renders them.
    """
    datasets = []
    for folder in folders:
        dataset = ShardDataset(folder)
        if len(dataset) == 0:
            raise GrinError(f'{folder} holds no finished shards: render those of config/train '
                            f'with `make worlds`, or grin scenes --out {folder} --frames 1000')
        datasets.append(dataset)
    return ConcatDataset(datasets)
