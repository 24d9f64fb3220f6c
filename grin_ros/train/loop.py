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
from contextlib import nullcontext
from pathlib import Path
import signal

from accelerate import Accelerator
from accelerate.utils import set_seed
import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel, SDPBackend
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import ConcatDataset, DataLoader
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from grin_ros.bundle import find_bundle, WEIGHTS
from grin_ros.data.shards import ShardDataset
from grin_ros.errors import GrinError
from grin_ros.model.encoder import load_imagenet_weights
from grin_ros.model.grin import Grin
from grin_ros.train import checkpoint as checkpoints
from grin_ros.train.anchor import Anchor
from grin_ros.train.batches import StepBatches
from grin_ros.train.checkpoint import Checkpoint
from grin_ros.train.config import TrainConfig
from grin_ros.train.guard import SpikeGuard
from grin_ros.train.loss import DiffusionLoss
from grin_ros.train.optimizer import make_optimizer, warm_average
from grin_ros.train.validate import picture, validate

CPU_BF16 = ('amx_bf16', 'avx512_bf16')


def train(config: TrainConfig, resume: bool = True, stop: Callable[[], bool] = lambda: False
          ) -> Path:
    """
    Train until the last step of the schedule, or until told to stop.

    :param resume: continue from the last checkpoint in config.output when there is one.
    :param stop: asked after each step; True ends with a checkpoint.
    :returns: the checkpoint to export: the best on held-out worlds, or the last.
    :raises GrinError: when there is no data.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    accelerator = Accelerator(mixed_precision=mixed_precision_of(config))
    set_seed(config.seed)
    samples, held_out = open_shards(config.data), open_shards((config.val,))
    output = Path(config.output)
    last, worlds = output / checkpoints.LAST, Path(config.val).name
    model = Grin(config.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(model, avg_fn=warm_average(config.ema_decay))
    names = {parameter: name for name, parameter in model.named_parameters()}
    optimizer = make_optimizer(model, config)
    step, best, norm = 0, float('inf'), torch.zeros(())
    if resume and last.exists():
        saved = checkpoints.load(last)
        if saved.config != config.model:
            raise GrinError(f'{last} holds another model than the config: set another output, '
                            'or start anew with --resume none')
        checkpoints.restore(saved, model, average, optimizer, names)
        step = saved.step
        # On other worlds there is nothing to compare with.
        if saved.metrics.get('val', worlds) == worlds:
            best = float(saved.metrics.get('best_abs_rel', best))
    else:
        initialise(model, config)
        last.unlink(missing_ok=True)  # of another run: no spike may go back to it
        average.module.load_state_dict(model.state_dict())
    # A best checkpoint of another run may lie there, too.
    chosen = output / checkpoints.BEST
    if best == float('inf') or not chosen.exists():
        chosen = last
    objective, optimizer = accelerator.prepare(DiffusionLoss(model, config.objective), optimizer)
    # After prepare, which moves the model to its device.
    anchor = Anchor(model.encoder.trunk, config.encoder_pull) if config.encoder_pull else None
    batches = DataLoader(StepBatches(samples, config, accelerator.process_index), batch_size=None,
                         sampler=range(step, config.steps), num_workers=config.num_workers,
                         worker_init_fn=leave_signals)
    writer = SummaryWriter(output / 'tensorboard') if accelerator.is_main_process else None
    progress = tqdm(total=config.steps, initial=step, desc='train', unit='step',
                    disable=writer is None)
    guard = SpikeGuard()

    def save() -> None:
        if writer is not None and all(p.isfinite().all() for p in model.parameters()):
            checkpoints.save(last, Checkpoint(
                config.model, average.module.state_dict(), model.state_dict(),
                checkpoints.optimizer_tensors(optimizer, names), step,
                {'val': worlds} | ({'best_abs_rel': best} if best < float('inf') else {})))

    for batch in batches:
        rate = config.rate_at(step)
        for group in optimizer.param_groups:
            group['lr'] = rate * group['relative_rate']
        model.train()
        batch = {name: value.to(accelerator.device) for name, value in batch.items()}
        seed = int(np.random.SeedSequence(
            (config.seed, accelerator.process_index, step)).generate_state(1)[0])
        with sdpa_kernel(SDPBackend.MATH) if accelerator.device.type == 'cpu' else nullcontext():
            parts = objective(batch, seed)  # a CPU's flash attention is slow to differentiate
        optimizer.zero_grad()
        if guard.is_astray(accelerator.reduce(parts['loss'].detach(), 'mean').item()):
            # Every process sees the same mean, so all go back together; the data goes on.
            go_back(last, model, average, optimizer, names)
        else:
            accelerator.backward(parts['loss'])
            norm = accelerator.clip_grad_norm_(model.parameters(), config.clip_norm)
            optimizer.step()
            if anchor:
                anchor.draw(rate / config.learning_rate)
            average.update_parameters(model)
        step += 1
        progress.update()
        size = tuple(batch['image'].shape[2:0:-1])
        if writer is not None and step % config.log_every == 0:
            write_scalars(writer, parts | {'grad_norm': norm, 'rate': torch.tensor(rate)}, step)
            progress.set_postfix(l1=f'{parts["l1_first"].item():.3f}', size='{}x{}'.format(*size))
        # All processes end as soon as one is told to.
        told = torch.tensor(float(stop()), device=accelerator.device)
        finished = step == config.steps or accelerator.reduce(told, 'sum').item() > 0
        if writer is not None and (step % config.eval_every == 0 or step == config.steps):
            figures = validate(average.module, held_out, config.input_size, config.val_frames)
            for name, value in figures.items():
                writer.add_scalar(f'val/{name}', value, step)
            writer.add_image('val/photo_predicted_true', picture(
                average.module, held_out[step % len(held_out)], config.input_size), step,
                dataformats='HWC')
            tqdm.write(f'step {step} ' + ' '.join(
                f'{name} {value:.3f}' for name, value in figures.items()))
            if figures['abs_rel'] < best:
                best = figures['abs_rel']
                chosen = output / checkpoints.BEST
                checkpoints.save(chosen, Checkpoint(
                    config.model, average.module.state_dict(), {}, {}, step, figures))
        if step % config.save_every == 0 or finished:
            save()
        if finished:
            break
    progress.close()
    if writer is not None:
        writer.close()
    return chosen


def leave_signals(worker: int) -> None:
    """Leave Ctrl-C to the process that trains: it needs its workers for one more step."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def go_back(last: Path, model: Grin, average: AveragedModel, optimizer: Optimizer,
            names: dict[Tensor, str]) -> None:
    """
    Return to the last checkpoint after a spike of the loss.

    :raises GrinError: when there is none yet.
    """
    if not last.exists():
        raise GrinError('the loss rose without bound before the first checkpoint: set a smaller '
                        'learning_rate, or a longer warmup_steps')
    saved = checkpoints.load(last)
    checkpoints.restore(saved, model, average, optimizer, names)
    tqdm.write(f'the loss went astray: back to the weights of step {saved.step}')


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


def initialise(model: Grin, config: TrainConfig) -> None:
    """Start from ImageNet features, the averaged weights of a checkpoint, or from nothing."""
    if config.init == 'imagenet':
        load_imagenet_weights(model.encoder.trunk)
    elif config.init != 'none':
        source = (find_bundle() / WEIGHTS if config.init == 'shipped'
                  else Path(config.init))
        if source.suffix != '.safetensors':
            raise GrinError('init must be imagenet, shipped, none or a checkpoint '
                            f'(*.safetensors), not "{config.init}"')
        saved = checkpoints.load(source)
        if saved.config != config.model:
            raise GrinError(f'init: {source} holds another model than the config: set the same '
                            'model, or init: imagenet')
        model.load_state_dict(saved.ema)


def write_scalars(writer: SummaryWriter, parts: dict[str, Tensor], step: int) -> None:
    """Log the parts of the loss."""
    for name, value in parts.items():
        writer.add_scalar(f'train/{name}', value.item(), step)
