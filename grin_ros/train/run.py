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

"""Run: the weights of a training run and their files; it begins, goes back, and is saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from grin_ros.bundle import find_bundle, WEIGHTS
from grin_ros.errors import GrinError
from grin_ros.model.encoder import load_imagenet_weights
from grin_ros.model.grin import Grin
from grin_ros.train import checkpoint as checkpoints
from grin_ros.train.checkpoint import Checkpoint
from grin_ros.train.config import TrainConfig
from grin_ros.train.guard import SpikeGuard
from grin_ros.train.optimizer import make_optimizer, warm_average
from grin_ros.train.validate import worlds_id

UNKNOWN = float('inf')
MOST_RETURNS = 3  # to one checkpoint, without a good loss in between


class Run:
    """
    What a training run carries from step to step.

    :ivar average: of the weights, which is evaluated and shipped.
    :ivar step: optimiser steps done.
    :ivar guard: sees the loss of each step.
    :ivar chosen: the checkpoint to export: the best on held-out worlds, or the last.
    """

    def __init__(self, config: TrainConfig) -> None:
        """Make a network; begin() gives it weights."""
        self.config = config
        self.model = Grin(config.model).to(
            memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.model, avg_fn=warm_average(config.ema_decay))
        self.optimizer: Optimizer = make_optimizer(self.model, config)
        self.step, self.guard, self._best_abs_rel = 0, SpikeGuard(), UNKNOWN
        self._last = Path(config.output) / checkpoints.LAST
        self._best = Path(config.output) / checkpoints.BEST
        self.chosen = self._last
        self._worlds = worlds_id(Path(config.val), config.val_frames, config.input_size)
        self._names = {parameter: name for name, parameter in self.model.named_parameters()}

    def begin(self, resume: bool) -> None:
        """
        Continue from the last checkpoint when there is one, or start anew.

        :raises GrinError: when it holds another model, or there is nothing to start from.
        """
        if resume and self._last.exists():
            saved = checkpoints.load(self._last)
            if saved.config != self.config.model:
                raise GrinError(f'{self._last} holds another model than the config: set another '
                                'output, or start anew with --resume none')
            if not saved.model:
                raise GrinError(f'{self._last} holds averaged weights only, as {self._best.name} '
                                'does, and nothing to go on from: move it away and start from it '
                                'with --set init=FILE')
            self._restore(saved)
            self.step = saved.step
            self.guard = SpikeGuard(mean=float(saved.guard.get('mean', 0.0)),
                                    seen=int(saved.guard.get('seen', 0)))
            # On other worlds, or without its weights, there is nothing to compare with.
            if self._best.exists() and _same_worlds(saved.metrics, self._worlds, self.config.val):
                self._best_abs_rel = float(saved.metrics.get('best_abs_rel', UNKNOWN))
        else:
            initialise(self.model, self.config)
            self._last.unlink(missing_ok=True)  # of another run: no spike may go back to it
            self.average.module.load_state_dict(self.model.state_dict())
        if self._best_abs_rel < UNKNOWN:  # a best checkpoint of another run may lie there, too
            self.chosen = self._best

    def go_back(self) -> None:
        """
        Return to the weights of the last checkpoint after a spike of the loss.

        :raises GrinError: when there is none yet, or its weights are no better.
        """
        if not self._last.exists():
            raise GrinError('the loss rose without bound before the first checkpoint: set a '
                            'smaller learning_rate, or a longer warmup_steps')
        saved = checkpoints.load(self._last)
        if self.guard.returns > MOST_RETURNS:
            raise GrinError(f'the loss stays astray with the weights of step {saved.step} '
                            f'({self._last}): start anew in another output, with init: '
                            f'{self._best} where there is one, or a smaller learning_rate')
        self._restore(saved)
        tqdm.write(f'the loss went astray: back to the weights of step {saved.step}')

    def is_sound(self) -> bool:
        """Return whether weights may be kept: they are finite, and their loss was no spike."""
        return self.guard.spikes == self.guard.returns == 0 and all(
            bool(parameter.isfinite().all()) for parameter in self.model.parameters())

    def save(self) -> None:
        """Write all that is needed to go on."""
        best = {'best_abs_rel': self._best_abs_rel} if self._best_abs_rel < UNKNOWN else {}
        checkpoints.save(self._last, Checkpoint(
            self.config.model, self.average.module.state_dict(), self.model.state_dict(),
            checkpoints.optimizer_tensors(self.optimizer, self._names), self.step,
            {'val': Path(self.config.val).name, 'worlds': self._worlds} | best,
            int(self.average.n_averaged), {'mean': self.guard.mean, 'seen': self.guard.seen}))

    def regret(self) -> None:
        """
        Say that the run ended in a burst of the loss, with what is kept from before it.

        :raises GrinError: when nothing is.
        """
        if not self._last.exists():
            raise GrinError('the loss went astray before the first checkpoint: set a smaller '
                            'learning_rate, or a longer warmup_steps')
        tqdm.write(f'the loss was astray at the end: {self._last} stays as it was before')

    def judge(self, figures: Mapping[str, float]) -> None:
        """Keep the averaged weights if these figures of held-out worlds are the best so far."""
        if figures['abs_rel'] < self._best_abs_rel:
            self._best_abs_rel, self.chosen = figures['abs_rel'], self._best
            checkpoints.save(self._best, Checkpoint(
                self.config.model, self.average.module.state_dict(), {}, {}, self.step,
                dict(figures)))

    def _restore(self, saved: Checkpoint) -> None:
        """Take the weights and moments of a checkpoint."""
        checkpoints.restore(saved, self.model, self.average, self.optimizer, self._names)


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


def _same_worlds(metrics: dict[str, Any], worlds: str, val: str) -> bool:
    """Return whether figures of a checkpoint are of these worlds; older ones have but a name."""
    if 'worlds' in metrics:
        return bool(metrics['worlds'] == worlds)
    return bool(metrics.get('val') == Path(val).name)
