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

"""TrainConfig: what a training run is, read from YAML; unknown keys are errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, MISSING
import difflib
import math
from pathlib import Path
import sys
from typing import Any

import yaml

from grin_ros.bundle import INPUT_SIZE
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import COARSEST_STRIDE
from grin_ros.model.config import GrinConfig

# What each setting may be; seeds, counts and rates have no limit by their type alone.
LIMITS: dict[str, tuple[float, float]] = {
    'seed': (0, 2 ** 32 - 1),
    **dict.fromkeys(('threads', 'num_workers', 'warmup_steps', 'decay_steps',
                     'max_prompts', 'encoder_rate', 'weight_decay'), (0, math.inf)),
    **dict.fromkeys(('learning_rate', 'clip_norm'), (sys.float_info.min, math.inf)),
    **dict.fromkeys(('val_frames', 'log_every', 'save_every', 'eval_every'), (1, math.inf)),
    **dict.fromkeys(('encoder_pull', 'ema_decay', 'prompt_rate', 'no_intrinsics_rate',
                     'restyle_rate'), (0, 1))}
CHOICES = {'mixed_precision': ('auto', 'bf16', 'no'), 'objective': ('diffusion', 'regression')}


@dataclass(frozen=True)
class Stage:
    """
    One part of the multi-size schedule.

    :param until: last step of the stage, exclusive.
    :param sizes: network sizes (width, height) drawn at random, multiples of 32.
    :param batch_size: images per process and step.
    :param num_tokens: labelled pixels per image.
    """

    until: int
    sizes: tuple[tuple[int, int], ...]
    batch_size: int
    num_tokens: int


@dataclass(frozen=True)
class TrainConfig:
    """
    A training run.

    :param data: folders of shards; several are mixed by their number of frames, unless YAML
        gives each its share: ``data: {work/train: 2, work/train_indoors: 1}``.
    :param val: folder of held-out shards; the best checkpoint is chosen on it.
    :param data_shares: how often a frame comes from each folder, relative to the others; empty
        for their numbers of frames.
    :param output: folder of checkpoints and TensorBoard files.
    :param init: 'imagenet', 'none', 'shipped' to start from the shipped bundle's weights, or
        the path of a checkpoint to start from its averaged weights.
    :param decay_steps: the learning rate falls to zero over the last decay_steps steps.
    :param objective: 'diffusion', or 'regression' to teach only the first answer, the one that
        pure noise and no prompts give: a plain regression of the same network.
    :param encoder_rate: learning rate of the pretrained trunk relative to the rest.
    :param encoder_pull: share of the way back to ImageNet that the trunk goes after each step,
        while the learning rate is at its highest; it falls with it.
    :param prompt_rate: share of samples with prompts.
    :param no_intrinsics_rate: share of samples that see the default pinhole (GRIN 5.4).
    :param restyle_rate: share of images that are blended with a random convolution of themselves.
    :param input_size: (width, height) that the network is trained for; validation gives each
        frame a network size of this area.
    :param mixed_precision: 'bf16', 'no', or 'auto' for bf16 where the hardware multiplies it.
    :param threads: torch threads per process; 0 leaves it to torch.
    """

    data: tuple[str, ...]
    val: str
    output: str
    stages: tuple[Stage, ...]
    data_shares: tuple[float, ...] = ()
    model: GrinConfig = field(default_factory=GrinConfig)
    init: str = 'imagenet'
    objective: str = 'diffusion'
    learning_rate: float = 1e-3
    encoder_rate: float = 0.3
    encoder_pull: float = 0.0
    weight_decay: float = 1e-2
    warmup_steps: int = 300
    decay_steps: int = 2000
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    max_prompts: int = 1000
    prompt_rate: float = 0.5
    no_intrinsics_rate: float = 0.1
    restyle_rate: float = 0.2
    seed: int = 0
    mixed_precision: str = 'auto'
    threads: int = 1
    num_workers: int = 0
    input_size: tuple[int, int] = INPUT_SIZE
    val_frames: int = 128
    log_every: int = 20
    save_every: int = 200
    eval_every: int = 500

    @property
    def steps(self) -> int:
        """Return the length of the run in optimiser steps."""
        return self.stages[-1].until

    def stage_at(self, step: int) -> Stage:
        """Return the stage that a step belongs to (the last one beyond the end)."""
        return next((stage for stage in self.stages if step < stage.until), self.stages[-1])

    def rate_at(self, step: int) -> float:
        """Return the learning rate: linear warm-up, constant, linear decay at the end."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        cool = min(1.0, max(0.0, (self.steps - step) / max(1, self.decay_steps)))
        return self.learning_rate * warm * cool


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """
    Read a YAML file and apply ``key=value`` overrides (values in YAML syntax).

    :raises GrinError: when the file or a value cannot be read, or a key is unknown.
    """
    try:
        values = yaml.safe_load(Path(path).read_text('utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise GrinError(f'--config {path} cannot be read: {error}') from error
    if not isinstance(values, dict):
        raise GrinError(f'--config {path} holds no settings')
    for override in overrides:
        key, separator, value = override.partition('=')
        if not separator:
            raise GrinError(f'--set {override}: write key=value')
        try:
            values[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise GrinError(f'--set {override}: the value is no YAML '
                            f'({" ".join(str(error).split())})') from error
    return config_from_dict(values)


def config_from_dict(values: dict[str, Any]) -> TrainConfig:
    """Build a TrainConfig from plain values."""
    known = [item.name for item in fields(TrainConfig)]
    for key in sorted(values.keys() - set(known), key=str):
        near = difflib.get_close_matches(str(key), known, 1)
        hint = f'; did you mean {near[0]}?' if near else ''
        raise GrinError(f'unknown training setting "{key}"{hint} (known: {", ".join(known)})')
    values = dict(values)
    if isinstance(values.get('data'), dict):
        values['data_shares'] = list(values['data'].values())
    if values.get('mixed_precision') is False:  # as YAML reads a bare no
        values['mixed_precision'] = 'no'
    for item in fields(TrainConfig):
        if item.name in values:
            values[item.name] = _read(item.name, str(item.type), values[item.name])
        elif item.default is item.default_factory is MISSING:
            raise GrinError(f'{item.name} is missing: see the training configs in config/train')
    config = TrainConfig(**values)
    for name, choices in CHOICES.items():
        if (chosen := getattr(config, name)) not in choices:
            raise GrinError(f'{name} must be {" or ".join(choices)}, not "{chosen}"')
    for name, (low, high) in LIMITS.items():
        value = getattr(config, name)
        if not low <= value <= high or value == math.inf:
            least = f'at least {low}' if low in (0, 1) else 'above 0'
            most = f' and at most {high}' if high < math.inf else ''
            raise GrinError(f'{name} must be {least}{most}, not {value}')
    if not config.data or not all(isinstance(name, str) for name in config.data):
        raise GrinError('data must name at least one folder of shards')
    if config.data_shares and (len(config.data_shares) != len(config.data) or not all(
            0 < share < math.inf for share in config.data_shares)):
        raise GrinError('data_shares must be one number above 0 for each folder of data, not '
                        f'{config.data_shares}')
    for name in ('val', 'output', 'init'):
        if not isinstance(getattr(config, name), str):
            raise GrinError(f'{name} must be text, not {getattr(config, name)}')
    if min(config.input_size) < COARSEST_STRIDE:
        raise GrinError(f'input_size must be at least {COARSEST_STRIDE} in both directions')
    _check_stages(config.stages)
    return config


def _read(name: str, kind: str, value: Any) -> Any:
    """Return the value of a setting as TrainConfig has it, or say which form it has in YAML."""
    read, form = FORMS.get(name, (float, 'a number') if kind == 'float' else (None, ''))
    if kind == 'int' and not isinstance(value, int):
        raise GrinError(f'{name} must be a whole number, not {value}')
    try:
        return read(value) if read else value
    except (KeyError, TypeError, ValueError) as error:
        raise GrinError(f'{name} must be {form}, not {value} ({error})') from error


def _size(value: Any) -> tuple[int, int]:
    width, height = value
    return int(width), int(height)


# Settings that are not a text or a number: what reads them, and what they look like.
FORMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    'data': (lambda value: tuple([value] if isinstance(value, str) else value),
             'a folder of shards, a list of folders, or {folder: share, ...}'),
    'data_shares': (lambda value: tuple(map(float, value)), 'numbers, one for each folder'),
    'stages': (lambda value: tuple(
        Stage(**{**stage, 'sizes': tuple(map(_size, stage['sizes']))}) for stage in value),
        'a list of {until, sizes: [[width, height], ...], batch_size, num_tokens}'),
    'model': (lambda value: GrinConfig.from_dict(value or {}), 'settings of GrinConfig'),
    'input_size': (_size, '[width, height]')}


def _check_stages(stages: tuple[Stage, ...]) -> None:
    """Refuse a schedule that cannot be run."""
    if not stages:
        raise GrinError('stages must hold at least one stage')
    done = 0
    for stage in stages:
        if type(stage.until) is not int or stage.until <= done:
            raise GrinError(f'stages: until must be a step after {done}, not {stage.until}')
        for name in ('batch_size', 'num_tokens'):
            if type(value := getattr(stage, name)) is not int or value < 1:
                raise GrinError(f'stages: {name} must be at least 1, not {value}')
        if not stage.sizes:
            raise GrinError('stages: sizes must hold at least one [width, height]')
        for width, height in stage.sizes:
            if min(width, height) < 1 or width % COARSEST_STRIDE or height % COARSEST_STRIDE:
                raise GrinError(f'stages: size {width}x{height} must be multiples of '
                                f'{COARSEST_STRIDE}')
        done = stage.until
