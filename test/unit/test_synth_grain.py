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


"""Surfaces keep their detail close by, and lose it with distance as real ones do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.synth.cameras import look
from grin_ros.synth.grain import Grain, NOISES, SIZE, tiles, UNIT
from grin_ros.synth.render import render
from grin_ros.synth.scene import SceneBuilder

pytest.importorskip('numba', reason='worlds need numba: pip install "grin_ros[train]"')
pytest.importorskip('embreex', reason='worlds need embreex: pip install "grin_ros[train]"')


def detail(distance_m: float, grain: Grain, normal: int = 2) -> float:
    """Return the contrast from pixel to pixel of a wall with a coarse texture, so far away."""
    builder = SceneBuilder(np.random.default_rng(3))
    coarse = 0.5 + 0.1 * np.random.default_rng(5).random((8, 8, 3))
    look_of_it = builder.material(cv2.resize(coarse, (64, 64)), grain=grain)
    size = np.full(3, 20.0)
    size[normal] = 0.1
    center = np.zeros(3)
    center[normal] = distance_m + 0.05
    builder.box(center, size, look_of_it, 2.0)
    yaw, pitch = {0: (np.pi / 2, 0), 1: (0, np.pi / 2), 2: (0, 0)}[normal]
    image, range_m = render(builder.build(), Camera.from_hfov(60, 160, 120), np.zeros(3),
                            look(yaw, pitch), np.random.default_rng(1))
    assert range_m[60, 80] == pytest.approx(distance_m, rel=1e-2)
    grey = np.log(image.mean(-1))
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 1.5)).std())


@pytest.mark.parametrize('normal', [0, 1, 2])
def test_surfaces_are_as_sharp_close_by_as_further_away(normal):
    """
    With grain whose detail is the same at each scale a wall looks alike from 0.3 m and 1.2 m.

    A texture alone blurs close by; what was learnt from such worlds took sharp tables for floors.
    """
    bare = Grain(0.0, 2, 1000.0)
    grained = Grain(0.1, NOISES.index((1.0, 1.0)), 1000.0)
    assert detail(0.3, bare, normal) < 0.5 * detail(1.2, bare, normal)
    near, far = detail(0.3, grained, normal), detail(1.2, grained, normal)
    assert near > 5 * detail(0.3, bare, normal)
    assert 0.5 < near / far < 2


def test_fine_grain_is_not_seen_from_afar():
    """Nearly white noise of 1 mm fades as it is averaged, as it does on a sensor."""
    bare, grained = Grain(0.0, 0, 1000.0), Grain(0.1, 0, 1000.0)
    near, far = (np.sqrt(detail(d, grained) ** 2 - detail(d, bare) ** 2) for d in (0.5, 8.0))
    assert far < 0.35 * near


def test_tiles_are_noise_of_one_standard_deviation_at_all_levels_alike():
    """Each layer begins with its finest level, and coarser ones are averages of it."""
    layers = tiles()
    assert layers.dtype == np.int8 and layers.shape[0] == len(NOISES)
    finest = layers[:, :SIZE * SIZE].reshape(-1, SIZE, SIZE) / UNIT
    np.testing.assert_allclose(finest.std((1, 2)), 1, atol=0.05)
    second = layers[:, SIZE * SIZE:][:, :SIZE * SIZE // 4].reshape(-1, SIZE // 2, SIZE // 2) / UNIT
    mean = finest.reshape(-1, SIZE // 2, 2, SIZE // 2, 2).mean((2, 4))
    assert np.abs(second - mean).max() < 1.5 / UNIT


def test_grains_are_drawn_from_none_to_the_strongest():
    """Some materials have none; each noise, both directions and many sizes occur."""
    drawn = [Grain.draw(np.random.default_rng(seed)) for seed in range(300)]
    amounts = np.array([grain.amount for grain in drawn])
    assert 0.1 < (amounts == 0).mean() < 0.4 and amounts.max() <= 0.08
    assert all(Grain.draw(np.random.default_rng(seed), 0.02).amount <= 0.02 for seed in range(99))
    assert {grain.layer for grain in drawn} == set(range(len(NOISES)))
    texels = np.array([grain.texels_per_m for grain in drawn])
    assert 0.3 < (texels < 0).mean() < 0.7 and 500 < np.median(np.abs(texels)) < 2000


def test_grain_leaves_walls_even_from_afar():
    """Over a sixth of a tile, some 9 cm, it averages out: floors and walls were like clouds."""
    finest = tiles()[:, :SIZE * SIZE].reshape(-1, SIZE, SIZE) / UNIT
    block = SIZE // 8 // 2 * 2
    coarse = finest.reshape(-1, SIZE // block, block, SIZE // block, block).mean((2, 4))
    assert (coarse.std((1, 2)) < 0.3).all() and (finest.std((1, 2)) > 0.9).all()
