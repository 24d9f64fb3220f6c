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

"""
Grain: the detail that surfaces keep however close one looks, as tiles of noise.

Textures have texels of millimetres to centimetres: without grain things blur close by, and what
is learnt from them takes whatever is sharp for far.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grin_ros.synth.materials import noises

SIZE = 512  # texels of the finest level of a tile, each way
LEVELS = 10  # down to one texel
# How fast the noise falls with frequency, and how far it is drawn out: plaster to wood.
NOISES = ((0.3, 1.0), (0.7, 1.0), (1.0, 1.0), (1.4, 1.0), (0.8, 8.0), (1.1, 8.0), (0.6, 30.0))
LOWEST = 12.0  # cycles per tile: real walls and floors are even, but for the light on them
UNIT = 40.0  # of int8 to one standard deviation


@cache
def tiles() -> NDArray[np.int8]:
    """Return (layers, texels) of noise: mip levels SIZE to 1 of each layer, one after another."""
    rng = np.random.default_rng(7)
    layers = []
    for exponent, stretch in NOISES:
        level = noises(rng, 1, SIZE, exponent, stretch, LOWEST)[0].clip(-127 / UNIT, 127 / UNIT)
        levels = []
        for _ in range(LEVELS):
            levels.append((level * UNIT).round().astype(np.int8).ravel())
            if level.size > 1:
                level = level.reshape(len(level) // 2, 2, -1, 2).mean((1, 3))
        layers.append(np.concatenate(levels))
    return np.array(layers)


class Grain(NamedTuple):
    """
    How a material looks close by.

    :param amount: standard deviation of the factor on its colour; 0 for plastic and lacquer.
    :param layer: which of NOISES.
    :param texels_per_m: how fine it is; negative when the noise is turned by 90 deg.
    """

    amount: float
    layer: int
    texels_per_m: float

    @classmethod
    def draw(cls, rng: np.random.Generator, strongest: float = 0.08) -> Grain:
        """Draw the grain of some material, none (20 %) or up to the strongest amount."""
        amount = strongest * float(20 ** -rng.random()) if rng.random() < 0.8 else 0.0
        texels_per_m = float(np.exp(rng.normal(np.log(1000), 0.6)))
        return cls(amount, int(rng.integers(len(NOISES))),
                   float(rng.choice([-1, 1])) * texels_per_m)
