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

"""Packages stand on what they are put on, and keep to it; bins hold theirs."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.synth.fitments import Bench
from grin_ros.synth.packages import (
    KINDS,
    lay_packages,
    outline_of,
    put_bin,
    put_package,
    REACH,
)
from grin_ros.synth.scene import SceneBuilder


def triangles_of(builder: SceneBuilder) -> np.ndarray:
    """Return all that was added, without the tree of rays that build() makes."""
    return np.concatenate(builder._triangles)


@pytest.mark.parametrize('lying', [False, True])
def test_things_stand_on_their_spot(lying: bool) -> None:
    """The lowest point is on the surface, and nothing reaches farther than REACH."""
    spot = np.array([1.0, 0.7, -2.0])
    for seed in range(60):
        builder = SceneBuilder(np.random.default_rng(seed))
        put_package(builder, spot, lying)
        points = triangles_of(builder).reshape(-1, 3) - spot
        assert -1e-6 <= points[:, 1].min() < 0.005
        assert np.abs(points[:, [0, 2]]).max() < REACH
        assert 0.01 < points[:, 1].max() < 0.34


def test_all_kinds_are_drawn() -> None:
    """Sizes are those of things in a shop: from a plate of 1 cm to a bottle of a third of 1 m."""
    rng = np.random.default_rng(0)
    for kind in KINDS[1:]:
        radius, height = np.max([outline_of(rng, kind) for _ in range(100)][0], 0)
        assert 0.02 < radius < 0.14 and 0.01 < height < 0.34


def test_what_is_laid_on_a_table_stays_on_it() -> None:
    """However many things are asked for, none hangs over the edge, whatever the table's turn."""
    for seed in range(20):
        builder = SceneBuilder(np.random.default_rng(seed))
        lay_packages(Bench(builder, np.array([0, 0.75, 0]), 0.0), 1.2, 0.6, 20)
        points = triangles_of(builder).reshape(-1, 3)
        assert np.abs(points[:, 0]).max() < 0.6 and np.abs(points[:, 2]).max() < 0.3


def test_a_bin_holds_its_things() -> None:
    """All of it is within the size of a large bin, and its rim is open."""
    for seed in range(20):
        builder = SceneBuilder(np.random.default_rng(seed))
        put_bin(Bench(builder, np.zeros(3), 0.0))
        points = triangles_of(builder).reshape(-1, 3)
        assert points[:, 1].min() > -1e-6 and points[:, 1].max() < 0.8
        assert np.abs(points[:, 0]).max() < 0.65 / 2 + 0.1
        assert np.abs(points[:, 2]).max() < 0.45 / 2 + 0.1
