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

"""Checkpoints: weights, moving average, optimiser and configs in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any

from safetensors import safe_open, SafetensorError
from safetensors.torch import save_file
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from grin_ros.errors import GrinError
from grin_ros.model.config import GrinConfig
from grin_ros.model.grin import Grin

LAST, BEST = 'last.safetensors', 'best.safetensors'


@dataclass(frozen=True)
class Checkpoint:
    """
    What a file holds.

    :param ema: weights to evaluate and ship.
    :param model: weights to continue from; empty in a best checkpoint.
    :param optimizer: moments of the optimiser, named ``key/parameter``; may be empty.
    :param step: optimiser steps done.
    :param n_averaged: updates of the average, fewer than steps where a spike went back; older
        files do not say.
    :param guard: mean and seen of the SpikeGuard; empty in older files.
    """

    config: GrinConfig
    ema: dict[str, Tensor]
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    step: int
    metrics: dict[str, Any]
    n_averaged: int | None = None
    guard: dict[str, float] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint) -> None:
    """
    Write atomically: a killed run or a full disk leaves the previous checkpoint whole.

    :raises GrinError: when it cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for part in ('ema', 'model', 'optimizer'):
        for name, value in getattr(checkpoint, part).items():
            tensors[f'{part}.{name}'] = value.detach().cpu().contiguous()
    header = {'config': checkpoint.config.to_dict(), 'step': checkpoint.step,
              'metrics': checkpoint.metrics}
    if checkpoint.model:  # else nothing goes on from here
        header |= {'n_averaged': checkpoint.n_averaged, 'guard': checkpoint.guard}
    partial = path.with_name(path.name + '.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # safetensors refuses tensors that share storage; contiguous copies never do here.
        save_file(tensors, partial, metadata={'grin_ros': json.dumps(header)})
        # safetensors writes for the owner alone; a bundle installed by root must serve everybody.
        partial.chmod(0o644)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink()  # a full disk has better use for the room
        raise GrinError(f'{path} cannot be written ({error}): make room there, or choose another '
                        'output; what was there before still is') from error


def load(path: Path) -> Checkpoint:
    """
    Read a checkpoint; nothing in it is executed.

    :raises GrinError: when the file is missing, damaged or not ours.
    """
    try:
        with safe_open(path, framework='pt') as file:
            header = json.loads((file.metadata() or {})['grin_ros'])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        parts: dict[str, dict[str, Tensor]] = {'ema': {}, 'model': {}, 'optimizer': {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition('.')
            parts[part][rest] = tensor
        return Checkpoint(
            GrinConfig.from_dict(header['config']), step=int(header['step']),
            metrics=dict(header['metrics']), n_averaged=header.get('n_averaged'),
            guard=dict(header.get('guard', {})), **parts)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise GrinError(f'{path} is not a usable checkpoint ({error!r}): '
                        'give another one, or train again') from error


def restore(saved: Checkpoint, model: Grin, average: AveragedModel,
            optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> None:
    """Put a run back to where it was when it saved a checkpoint."""
    model.load_state_dict(saved.model)
    average.module.load_state_dict(saved.ema)
    average.n_averaged.fill_(saved.step if saved.n_averaged is None else saved.n_averaged)
    restore_optimizer(optimizer, saved.optimizer, names)


def optimizer_tensors(optimizer: torch.optim.Optimizer,
                      names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """Flatten the state of an optimiser to named tensors."""
    return {f'{key}/{names[parameter]}': torch.as_tensor(value)
            for parameter, state in optimizer.state.items() for key, value in state.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor],
                      names: Mapping[Tensor, str]) -> None:
    """Put back what optimizer_tensors took."""
    parameters = {name: parameter for parameter, name in names.items()}
    for entry, value in tensors.items():
        key, _, name = entry.partition('/')
        parameter = parameters[name]
        if key == 'step':
            optimizer.state[parameter][key] = value.to(parameter.device, copy=True)
        else:  # fused optimisers read moments in the memory layout of their parameter
            optimizer.state[parameter][key] = torch.empty_like(parameter).copy_(value)
