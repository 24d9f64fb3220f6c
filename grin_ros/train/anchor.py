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

"""Anchor: keeps the pretrained trunk near the ImageNet weights that real photos gave it."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from grin_ros.model.encoder import load_imagenet_weights, Trunk


class Anchor:
    """
    Draws the trunk back towards ImageNet a little after each step.

    Renders pull features away from what carries over to photos. This is the L2-SP penalty of Li,
    Grandvalet and Davoine (2018), decoupled from the gradient as AdamW decouples weight decay.
    """

    def __init__(self, trunk: Trunk, share: float) -> None:
        """Load what the trunk started from; share of the way back that one step takes."""
        start = deepcopy(trunk)
        load_imagenet_weights(start)
        pairs = [(now, then.detach()) for now, then in
                 zip(trunk.parameters(), start.parameters(), strict=True) if now.requires_grad]
        self._share = share
        self._now: list[Tensor] = [now for now, _ in pairs]
        self._then: list[Tensor] = [then for _, then in pairs]

    @torch.no_grad()
    def draw(self, rate: float) -> None:
        """Go the share of the way back, times the learning rate's share of its highest."""
        torch._foreach_lerp_(self._now, self._then, self._share * rate)
