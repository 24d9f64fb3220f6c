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

"""Rooms and corridors: a random generator and furniture in, a furnished Scene out."""

from __future__ import annotations

import numpy as np

from grin_ros.synth.furnishing import clutter, furnish
from grin_ros.synth.furniture import Furniture
from grin_ros.synth.places import Footprint, Place
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.tables import Light
from grin_ros.synth.walls import build_shell, Doorway, line_doorway

Size = tuple[float, float, float]


def build_room(rng: np.random.Generator, furniture: Furniture, corridor: bool = False) -> Place:
    """Build a furnished room, or a long narrow one with little in it; some open into another."""
    builder = SceneBuilder(rng)
    room = _draw_size(rng, corridor)
    doorway = Doorway.draw(rng, room[0]) if rng.random() < 0.35 else None
    taken, spots = _fill(builder, furniture, room, corridor, far_door=doorway)
    if doorway:
        ambient = builder.ambient
        line_doorway(builder, doorway, room[2])
        size_x, height, size_z = _draw_size(rng, corridor=rng.random() < 0.25)
        other = max(size_x, doorway.width + 0.2), height, size_z
        beyond = Doorway.draw(rng, other[0], doorway)
        builder.origin = np.array([doorway.start - beyond.start, 0, room[2] + doorway.depth])
        _fill(builder, furniture, other, False, near_door=beyond)
        builder.ambient = ambient
    return Place(builder.build(), room, taken, spots)


def _draw_size(rng: np.random.Generator, corridor: bool) -> Size:
    """Draw the size (x, y, z) of a room [m]: of homes and offices, some of halls."""
    if corridor:
        size_x, size_z = np.exp(rng.uniform(np.log(1.1), np.log(4.5))), rng.uniform(6, 24)
    else:
        size_x, size_z = rng.uniform(2.3, 7.5), rng.uniform(2.5, 9)
        if rng.random() < 0.16:
            size_x, size_z = 2 * size_x, 2 * size_z
    return size_x, rng.uniform(2.3, 3.2) if size_x < 10 else rng.uniform(3, 6), size_z


def _fill(builder: SceneBuilder, furniture: Furniture, room: Size, corridor: bool,
          near_door: Doorway | None = None, far_door: Doorway | None = None,
          ) -> tuple[list[Footprint], list[Size]]:
    """Build a room with all that is in it; return where things stand, and spots worth a look."""
    rng = builder.rng
    size_x, height, size_z = room
    wall_material = build_shell(builder, room, near_door, far_door)
    # Nothing stands in the way of a door; and doors are looked at as things are.
    taken = [Footprint(door.start + door.width / 2, z, door.width / 2, 0.3, door.height)
             for door, z in ((near_door, 0.0), (far_door, size_z)) if door]
    if rng.random() < 0.25 and not corridor:  # a pillar or a piece of wall
        width = rng.uniform(0.15, size_x * 0.5)
        depth = 0.15 if width > 0.5 else width
        x, z = rng.uniform(width / 2, size_x - width / 2), rng.uniform(1, size_z - 1)
        builder.box((x, height / 2, z), (width, height, depth), wall_material,
                    rng.uniform(0.6, 3))
        taken.append(Footprint(x, z, width / 2, depth / 2, height))
    furniture = furniture.of_a_room(rng)
    table_tops = furnish(builder, furniture, room, taken, corridor)
    floor_spots = clutter(builder, furniture, room, taken)
    _lamps(builder, room, corridor)
    return taken, table_tops + floor_spots


def _lamps(builder: SceneBuilder, room: Size, corridor: bool) -> None:
    """Add ceiling lamps, and sometimes a low lamp."""
    rng = builder.rng
    size_x, height, size_z = room
    count = int(rng.integers(1, 4))
    if corridor:
        count = int(np.clip(size_z / (1.5 * 5 ** rng.random()), 1, 8))
    tone = np.array([1, rng.uniform(0.75, 1), rng.uniform(0.5, 1.05)])
    power = rng.uniform(0.6, 1.6) * size_x * size_z / count / 2.5
    for number in range(count):
        x, z = rng.uniform(0.15, 0.85) * size_x, rng.uniform(0.15, 0.85) * size_z
        if corridor:
            x, z = size_x / 2, size_z * (number + 0.5) / count
        width, length = rng.uniform(0.1, 1.2), rng.uniform(0.1, 1.2)
        y = rng.uniform(0.5, 1.8) if rng.random() < 0.15 else height - 0.03
        across, along = (width, 0.0, 0.0), (0.0, 0.0, length)  # it shines down
        if y < height - 0.1 and rng.random() < 0.5:
            across, along = along, across
        builder.lights.append(Light(builder.origin + (x, y, z), across, along, tone * power))
        if y > height - 0.1:
            builder.quad((x - width / 2, height - 0.01, z - length / 2), (width, 0, 0),
                         (0, 0, length), builder.material(np.ones(3), emission=4.0))
    builder.ambient = tone * rng.uniform(0.35, 0.9)
