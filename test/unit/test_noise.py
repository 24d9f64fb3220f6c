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

"""Noise: a pixel's number depends on the pixel and the seed, nothing else."""

from __future__ import annotations

import numpy as np

from grin_ros.diffusion.noise import noise_at

V, U = np.mgrid[:120, :160]
PIXELS = np.stack([U.ravel(), V.ravel()], -1) * 4 + 1.5


def test_noise_does_not_depend_on_which_pixels_are_asked() -> None:
    noise = noise_at(PIXELS, 3)
    some = np.random.default_rng(0).permutation(len(PIXELS))[:100]
    assert np.array_equal(noise_at(PIXELS[some], 3), noise[some])
    assert np.array_equal(noise_at(PIXELS[7], 3), noise[7:8])


def test_noise_is_standard_normal_and_white() -> None:
    noise = noise_at(PIXELS, 0).astype(np.float64)
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 1) < 0.02
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.01
    grid = noise.reshape(120, 160)
    for shifted in (grid[:, 1:] * grid[:, :-1], grid[1:] * grid[:-1]):
        assert abs(shifted.mean()) < 0.03


def test_seeds_are_independent() -> None:
    noise = noise_at(PIXELS, 0)
    for seed in (1, -1, 2 ** 40):
        other = noise_at(PIXELS, seed)
        assert noise.dtype == np.float32
        assert abs(np.corrcoef(noise, other)[0, 1]) < 0.03


def test_noise_is_the_same_on_every_machine() -> None:
    known = noise_at([[0, 0], [1.5, 1.5], [-0.5, 319.25]], 7)
    assert np.allclose(known, [-0.807545, 0.8124536, -0.8131587], atol=1e-6)
