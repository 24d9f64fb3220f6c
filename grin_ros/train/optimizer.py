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

"""How weights follow gradients: AdamW in groups, and the average that is evaluated and shipped."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from grin_ros.model.grin import Grin
from grin_ros.train.config import TrainConfig


def make_optimizer(model: Grin, config: TrainConfig) -> torch.optim.AdamW:
    """Build AdamW: weight decay on matrices only, a slower rate for the pretrained trunk."""
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = (name.startswith('encoder.trunk.'), parameter.ndim > 1 and name != 'latents')
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW([
        {'params': parameters, 'relative_rate': config.encoder_rate if in_trunk else 1.0,
         'weight_decay': config.weight_decay if is_matrix else 0.0}
        for (in_trunk, is_matrix), parameters in groups.items()],
        lr=config.learning_rate, betas=(0.9, 0.98), fused=True)


def warm_average(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return an averaging rule whose memory grows with the run, up to the given decay."""
    def update(averaged: Tensor, current: Tensor, count: Tensor) -> Tensor:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        return averaged.lerp(current, 1 - kept)
    return update
