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

"""Noise: a standard normal number per (seed, pixel), the same whichever pixels are asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_SAMPLES = 16  # draws per frame
PIXEL_FRACTION = 16  # pixels closer than 1/16 px share their noise


def noise_at(pixels: ArrayLike, seed: int) -> NDArray[np.float32]:
    """
    Return x_T of pixels: a hash of (seed, u, v), so order, count and machine do not matter.

    :param pixels: (N, 2) network pixel coordinates (u, v).
    :param seed: any integer.
    :returns: (N,) float32, standard normal over pixels and over seeds.
    """
    pixels = np.asarray(pixels, np.float64).reshape(-1, 2)
    steps = np.floor(pixels * PIXEL_FRACTION + 0.5).astype(np.int64)
    packed = ((steps[:, 0] << 32) ^ (steps[:, 1] & 0xFFFFFFFF)).view(np.uint64)
    key = _mix(np.array([seed % 2**64], np.uint64))
    bits = _mix(packed ^ key)
    # Box-Muller: one hash gives two uniform numbers in (0, 1).
    high = ((bits >> np.uint64(32)).astype(np.float64) + 0.5) / 2**32
    low = ((bits & np.uint64(0xFFFFFFFF)).astype(np.float64) + 0.5) / 2**32
    return (np.sqrt(-2 * np.log(high)) * np.cos(2 * np.pi * low)).astype(np.float32)


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit counters (the finaliser of SplitMix64); arrays wrap around silently."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
