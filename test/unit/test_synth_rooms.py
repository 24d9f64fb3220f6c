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

"""Rooms have walls without gaps, doorways to look through, and fitments where they say."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.synth import fitments
from grin_ros.synth.cameras import look
from grin_ros.synth.furniture import Furniture
from grin_ros.synth.places import footprint
from grin_ros.synth.render import render
from grin_ros.synth.rooms import build_room
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.table_tops import _papers
from grin_ros.synth.tables import Light
from grin_ros.synth.walls import build_shell, Doorway

pytest.importorskip('numba', reason='worlds need numba: pip install "grin_ros[train]"')
pytest.importorskip('embreex', reason='worlds need embreex: pip install "grin_ros[train]"')

BARE = Furniture([])
ROOM = (4.0, 2.5, 5.0)


def test_a_doorway_is_open_and_the_wall_around_it_is_not() -> None:
    """Rays through the opening leave the room; those beside and above it end on the wall."""
    builder = SceneBuilder(np.random.default_rng(3))
    builder.lights.append(Light((2, 2.4, 2), (1, 0, 0), (0, 0, 1), np.full(3, 20.0)))
    door = Doorway(start=1.0, width=0.9, height=2.0, depth=0.2)
    build_shell(builder, ROOM, far_door=door)
    camera = Camera.from_hfov(70, 160, 120)
    eye = np.array([1.45, 1.5, 1.0])
    _, range_m = render(builder.build(), camera, eye, look(0, 0), np.random.default_rng(0))
    rays = camera.rays()
    hit = eye + range_m[..., None] * rays * (-1, -1, 1)  # yaw 0: right is -x, down is -y
    at_wall = eye + rays / rays[..., 2:] * (-1, -1, 1) * (ROOM[2] - eye[2])
    inside = np.all(at_wall[..., :2] > (0.1, 0.2), -1) & np.all(at_wall[..., :2] < (3.9, 2.4), -1)
    beyond_sides = np.abs(at_wall[..., 0] - 1.45) - 0.45
    through = (beyond_sides < -0.05) & (at_wall[..., 1] < 1.95) & (at_wall[..., 1] > 0.1)
    around = inside & ((beyond_sides > 0.05) | (at_wall[..., 1] > 2.05))
    assert through.sum() > 500 and around.sum() > 2000
    assert not np.isfinite(range_m[through]).any()
    assert np.abs(hit[around][:, 2] - ROOM[2]).max() < 0.05  # what hangs there is thin


@pytest.mark.parametrize('corridor', [False, True])
def test_no_ray_leaves_a_house(corridor: bool) -> None:
    """From the middle of a room, with or without a doorway, every ray ends somewhere."""
    camera = Camera.from_hfov(100, 80, 60)
    opened = 0
    for seed in range(12):
        place = build_room(np.random.default_rng(seed), BARE, corridor)
        eye = np.array([place.size[0] / 2, 1.2, place.size[2] / 2])
        for yaw in (0.0, np.pi / 2, np.pi, -np.pi / 2):
            _, range_m = render(place.scene, camera, eye, look(yaw, 0), np.random.default_rng(0))
            assert np.isfinite(range_m).all(), (seed, yaw)
            opened += yaw == 0 and (range_m * camera.rays()[..., 2]).max() > eye[2] + 0.3
    assert opened >= 2


@pytest.mark.parametrize('kind', ['shelf', 'desk', 'kitchen'])
@pytest.mark.parametrize('yaw', [0.0, np.pi / 2, np.pi])
def test_fitments_keep_to_their_footprint(kind: str, yaw: float) -> None:
    """A camera is kept out of footprints, so nothing may stand out of them; feet are at 0."""
    size = {'shelf': (1.2, 1.8, 0.3), 'desk': (1.6, 0.75, 0.8), 'kitchen': (2.4, 2.2, 0.62)}[kind]
    for seed in range(6):
        builder = SceneBuilder(np.random.default_rng(seed))
        bench = fitments.Bench(builder, np.array([2.0, 0.0, 3.0]), yaw)
        if kind == 'shelf':
            fitments.shelf(bench, BARE, size)
        elif kind == 'desk':
            fitments.desk(bench, size)
        else:
            assert 0.85 <= fitments.kitchen(bench, BARE, size[0]) <= 0.95
        corners = np.concatenate(builder._triangles).reshape(-1, 3)
        taken = footprint(size, 2.0, 3.0, yaw)
        low, high = corners.min(0), corners.max(0)
        assert abs(low[1]) < 0.06
        assert taken.x - taken.half_x - 0.05 < low[0] and high[0] < taken.x + taken.half_x + 0.05
        assert taken.z - taken.half_z - 0.05 < low[2] and high[2] < taken.z + taken.half_z + 0.05


@pytest.mark.parametrize('size', [(0.3, 0.7, 0.3), (1.6, 0.75, 0.8)])
def test_what_lies_on_a_table_stays_on_it(size: tuple[float, float, float]) -> None:
    """Papers and piles of books rise from the top and do not stand out of the footprint."""
    taken, laid = footprint(size, 2.0, 3.0, 0.7), 0
    for seed in range(20):
        builder = SceneBuilder(np.random.default_rng(seed))
        _papers(fitments.Bench(builder, np.array([2.0, size[1], 3.0]), 0.7), (size[0], size[2]))
        for corners in builder._triangles:
            assert size[1] - 1e-9 <= corners[..., 1].min() <= corners[..., 1].max() < size[1] + 0.3
            flat = corners.reshape(-1, 3)[:, ::2]
            assert (np.abs(flat - (2.0, 3.0)) < (taken.half_x + 0.02, taken.half_z + 0.02)).all()
            laid += 1
    assert laid > 50
