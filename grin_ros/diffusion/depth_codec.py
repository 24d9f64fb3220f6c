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

"""Depth codec: range along the ray [m] <-> P in [-1, 1], the log-scaled variable diffused."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import Any

import numpy as np

# Raw P varies so little that noise drowns it; 2.5 P has about unit variance.
X_SCALE = 2.5
ALPHA_0 = math.radians(0.25)  # reference angular pitch of a network pixel [rad]


def angular_pitch(rays: Any) -> Any:
    """
    Return alpha [rad], the angular pitch of a pixel at the frame's centre.

    :param rays: (..., H, W, 3) unit rays, numpy or torch.
    :returns: (...) mean of the horizontal and the vertical pitch.
    """
    i, j = rays.shape[-3] // 2, rays.shape[-2] // 2
    centre = rays[..., i, j, :]
    right = ((centre - rays[..., i, j - 1, :]) ** 2).sum(-1) ** 0.5
    down = ((centre - rays[..., i - 1, j, :]) ** 2).sum(-1) ** 0.5
    return (right + down) / 2


@dataclass(frozen=True)
class DepthCodec:
    """
    Log range, in metres or in units of the angular pixel size (GRIN 4.4, MVGD).

    :param scale: 'metric' codes r; 'canonical' codes r alpha / ALPHA_0, so that scale follows
        the focal length.
    :param range_min: range [m] coded as -1.
    :param range_max: range [m] coded as +1; sky is taught as this.
    """

    scale: str = 'metric'
    range_min: float = 0.1
    range_max: float = 200.0

    def __post_init__(self) -> None:
        """Refuse what cannot be inverted."""
        if self.scale not in ('metric', 'canonical'):
            raise ValueError(f'codec must be metric or canonical, not "{self.scale}"')
        if not 0 < self.range_min < self.range_max:
            raise ValueError('codec needs 0 < range_min < range_max')

    @property
    def nats_per_unit(self) -> float:
        """Return d(log r)/dP, 3.80 for 0.1-200 m: an error of 0.01 in P is 3.9 % of range."""
        return math.log(self.range_max / self.range_min) / 2

    @property
    def p_limit(self) -> float:
        """Return the largest |P| a depth can have: 1, or more where the lens moves the scale."""
        return 2.0 if self.scale == 'canonical' else 1.0

    def encode(self, range_m: Any, alpha: Any) -> Any:
        """Return P of ranges [m] clipped to the codec's limits; alpha [rad] broadcasts."""
        r = range_m.clip(self.range_min, self.range_max)
        if self.scale == 'canonical':
            r = r * (alpha / ALPHA_0)
        log_r = np.log(r) if isinstance(r, (np.ndarray, np.generic)) else r.log()
        return (log_r - math.log(self.range_min)) / self.nats_per_unit - 1

    def decode(self, p: Any, alpha: Any) -> Any:
        """Return the range [m] that encode maps to p."""
        log_r = (p + 1) * self.nats_per_unit + math.log(self.range_min)
        r = np.exp(log_r) if isinstance(log_r, (np.ndarray, np.generic)) else log_r.exp()
        return r * (ALPHA_0 / alpha) if self.scale == 'canonical' else r
