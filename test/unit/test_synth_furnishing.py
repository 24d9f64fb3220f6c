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

"""A room has what goes together, and chairs stand at their tables and face them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import pytest

from grin_ros.synth.assets import Model
from grin_ros.synth.fitments import Bench, cabinet
from grin_ros.synth.furnishing import furnish
from grin_ros.synth.furniture import few, Furniture, ROOMS
from grin_ros.synth.obj import Mesh, ModelMaterial
from grin_ros.synth.places import Footprint, footprint, take
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.seats import seat
from grin_ros.synth.table_tops import lay_table

ROOM = (6.0, 2.5, 6.0)
CORNERS = np.array([[(-0.5, 0, -0.5), (0.5, 0, -0.5), (0.0, 1, 0.5)]], np.float32)


def model(name: str, category: str, size: tuple[float, float, float]) -> Model:
    """Return a triangle of that size which points to its front (+z)."""
    mesh = Mesh(CORNERS * np.array(size, np.float32), np.zeros((1, 3, 2), np.float32),
                np.zeros(1, np.int16), [ModelMaterial()])
    return Model(name, category, 'test', size, 0.0, False, mesh)


LIBRARY = [model(f'{name} {number}', room, size) for room in ROOMS if room for number in range(40)
           for name, size in (('Chair', (0.45, 0.9, 0.5)), ('Sofa', (1.8, 0.8, 0.8)),
                              ('Table', (1.6, 0.74, 0.9)), ('Cup', (0.1, 0.1, 0.1)))]


def test_a_room_has_mostly_what_it_is_for() -> None:
    """Most of its furniture is of its category; some rooms have a bit of everything."""
    whole, seen = Furniture(LIBRARY), set()
    for seed in range(60):
        room = whole.of_a_room(np.random.default_rng(seed))
        seen.add(room.room)
        own = np.mean([m.category == room.room for m in room.floor])
        assert own > 0.45 if room.room else own == 0
        assert 0 < len(room.chairs) <= 2 and room.small and room.sofas
        assert all(any(m is there for there in room.floor) for m in room.tables)
        assert len(room.floor) < 0.35 * len(whole.floor)
    assert seen == set(ROOMS)


def test_a_library_without_furniture_makes_bare_rooms() -> None:
    """What is missing is left out: worlds of other assets still render."""
    room = Furniture([]).of_a_room(np.random.default_rng(0))
    assert room.draw(np.random.default_rng(0)) is None and not room.chairs and not room.small


def test_few_are_as_likely_as_many() -> None:
    """Every number up to the most occurs, and the logarithm of it is drawn evenly."""
    rng = np.random.default_rng(0)
    drawn = np.array([few(rng, 15) for _ in range(4000)])
    assert set(drawn) == set(range(1, 16))
    assert 0.45 < (drawn < 4).mean() < 0.55


def test_rooms_and_tables_are_full_or_nearly_empty() -> None:
    """How many things are there tells nothing of how far they are: it varies."""
    things, tops = [], []
    for seed in range(60):
        builder, taken = SceneBuilder(np.random.default_rng(seed)), []
        furnish(builder, Furniture(LIBRARY).of_a_room(builder.rng), ROOM, taken, corridor=False)
        things.append(len(taken))
        builder = SceneBuilder(np.random.default_rng(seed))
        lay_table(builder, Furniture(LIBRARY), (1.6, 0.74, 0.9), (3, 3, 0))
        tops.append(len(builder._triangles))
    for counts in (things, tops):
        ordered = np.sort(counts)
        fewest, most = ordered[:6].mean(), ordered[-6:].mean()  # the tenth at either end
        assert most > 6 * max(fewest, 1), counts


@pytest.mark.parametrize('size', [(0.4, 0.6, 0.8), (1.6, 2.1, 0.6)])
def test_a_cabinet_has_its_size(size: tuple[float, float, float]) -> None:
    """Fronts are flush with it, and only handles stand out."""
    builder = SceneBuilder(np.random.default_rng(1))
    cabinet(Bench(builder, np.zeros(3), 0.0), size)
    corners = np.concatenate(builder._triangles).reshape(-1, 3)
    assert np.ptp(corners, 0) == pytest.approx(size, abs=0.035)
    assert corners[:, 1].min() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('height', [0.74, 0.45])
@pytest.mark.parametrize('yaw', [0.0, np.pi / 2, 0.7])
def test_seats_face_their_table(height: float, yaw: float) -> None:
    """Chairs are drawn up to a table, sofas stand off a low one; both look at it."""
    placed = 0
    for seed in range(20):
        builder = SceneBuilder(np.random.default_rng(seed))
        size, taken = (1.6, height, 0.9), [footprint((1.6, height, 0.9), 3.0, 3.0, yaw)]
        seat(builder, Furniture(LIBRARY), size, (3.0, 3.0, yaw), ROOM, taken)
        assert len(builder._triangles) == len(taken) - 1
        if len(taken) > 1:
            assert len(set(np.concatenate(builder._face_materials))) == 1  # a set
        for corners in builder._triangles:
            back, front = corners[0, :2].mean(0), corners[0, 2]
            middle = (back + front) / 2
            ahead, to_table = front - back, _nearest(middle, size, yaw) - middle
            assert abs(corners[..., 1].min()) < 1e-6
            reach = np.linalg.norm(to_table[::2])
            if height < 0.6:
                assert 0.5 < reach < 1.1
            else:
                assert reach < 0.4
            if reach > 0.1:  # not under the table already
                cosine = ahead[::2] @ to_table[::2] / np.linalg.norm(ahead[::2]) / reach
                assert cosine > 0.6
            placed += 1
    assert placed > 30


def test_an_arm_may_look_along_a_worktop() -> None:
    """It is worth a look all along, and the air above it is free up to the wall units."""
    seen = 0
    for seed in range(80):
        builder, taken = SceneBuilder(np.random.default_rng(seed)), []
        furniture = Furniture(LIBRARY).of_a_room(builder.rng)
        spots = np.array(furnish(builder, furniture, ROOM, taken, corridor=False))
        if furniture.room == 'Kitchen':
            worktops = spots[(spots[:, 1] >= 0.85) & (spots[:, 1] <= 0.95)]
            free = [not any(thing.holds(spot + (0, 0.3, 0), 0.1) for thing in taken)
                    for spot in worktops]
            seen += sum(free) >= 2
    assert seen >= 4


def _nearest(point: NDArray, size: tuple[float, float, float], yaw: float) -> NDArray:
    """Return the point of a table at (3, 3) that is nearest to another, on the floor."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    half = np.array([size[0] / 2, 0, size[2] / 2])
    center = np.array([3.0, 0, 3.0])
    return center + turn @ np.clip(turn.T @ (point - center), -half, half)


def test_what_stands_under_a_table_may_overlap_it_alone() -> None:
    """A chair takes floor of its table, but not of another thing, nor of the wall."""
    table, shelf = Footprint(3, 3, 0.8, 0.45, 0.74), Footprint(3, 4.2, 0.8, 0.2, 1.8)
    taken = [shelf, table]
    chair = Footprint(3, 3.5, 0.25, 0.25, 0.9)
    assert not take(list(taken), chair, ROOM)
    assert take(list(taken), chair, ROOM, table)
    assert not take(list(taken), Footprint(3, 3.9, 0.25, 0.25, 0.9), ROOM, table)
    assert not take(list(taken), Footprint(0.2, 3, 0.25, 0.25, 0.9), ROOM, table)


def test_things_lie_on_what_has_a_top_alone() -> None:
    """A pool table, or a table fan, is no place to lay things; nor is the floor for an oven."""
    quad = np.array([[(-0.5, 1, -0.5), (0.5, 1, -0.5), (0.5, 1, 0.5)],
                     [(-0.5, 1, -0.5), (0.5, 1, 0.5), (-0.5, 1, 0.5)]], np.float32)
    size = (1.6, 0.74, 0.9)
    mesh = Mesh(quad * np.array(size, np.float32), np.zeros((2, 3, 2), np.float32),
                np.zeros(2, np.int16), [ModelMaterial()])
    flat = Model('Table', 'Kitchen', 'test', size, 0.0, False, mesh)
    furniture = Furniture([flat, model('Pool table', 'Kitchen', size),
                           model('Oven', 'Kitchen', (0.5, 0.3, 0.4)),
                           model('Hob', 'Kitchen', (0.6, 0.05, 0.5))])
    assert furniture.flat == [flat] and len(furniture.tables) == 2
    assert [m.name for m in furniture.counter] == ['Oven']
    assert [m.name for m in furniture.floor] == ['Table', 'Pool table']
