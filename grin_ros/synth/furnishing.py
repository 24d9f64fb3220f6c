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

"""Furnishing: a bare room and the furniture library in, a lived-in room out."""

from __future__ import annotations

import numpy as np

from grin_ros.synth import materials
from grin_ros.synth.furniture import Furniture, pick
from grin_ros.synth.places import Footprint, footprint
from grin_ros.synth.scene import rotation_y, SceneBuilder
from grin_ros.synth.table_tops import lay_table


def furnish(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
            taken: list[Footprint], corridor: bool) -> list[tuple[float, float, float]]:
    """Stand furniture along the walls and in the room; return the middles of table tops."""
    rng = builder.rng
    size_x, _, size_z = room
    table_tops = []
    for _ in range(rng.integers(0, 3)):
        _shelf(builder, furniture, room, taken)
    wanted = len(taken) + min(int(rng.uniform(0.4, 1.2) * size_x * size_z / 1.5) + 2, 34)
    for _ in range(wanted * 3):
        model = furniture.draw(rng)
        if model is None or len(taken) >= wanted:
            break
        if corridor and min(model.size[0], model.size[2]) > 0.6:
            continue
        if rng.random() < 0.65:
            x, z, yaw = _against_wall(rng, room, model.size[2])
        else:
            x, z = rng.uniform(0, size_x), rng.uniform(0, size_z)
            yaw = rng.integers(4) * np.pi / 2 if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
        if not _take(taken, footprint(model.size, x, z, yaw), room):
            continue
        builder.model(model, (x, max(model.elevation, 0), z), yaw)
        if model in furniture.tables or (model.size[1] < 1.2 and rng.random() < 0.4):
            lay_table(builder, furniture, model, (x, z, yaw))
            table_tops.append((x, model.size[1], z))
    return table_tops


def _against_wall(rng: np.random.Generator, room: tuple[float, float, float],
                  depth: float) -> tuple[float, float, float]:
    """Return x, z and yaw of a thing with its back to one of the walls."""
    size_x, _, size_z = room
    x, z, gap = rng.uniform(0, size_x), rng.uniform(0, size_z), depth / 2 + 0.04
    return ((x, gap, 0.0), (x, size_z - gap, np.pi), (gap, z, np.pi / 2),
            (size_x - gap, z, -np.pi / 2))[rng.integers(4)]


def _take(taken: list[Footprint], place: Footprint, room: tuple[float, float, float]) -> bool:
    """Take the floor for a thing if it is inside the room and free."""
    free = (place.half_x + 0.02 < place.x < room[0] - place.half_x - 0.02
            and place.half_z + 0.02 < place.z < room[2] - place.half_z - 0.02
            and not any(place.overlaps(other) for other in taken))
    if free:
        taken.append(place)
    return free


def _shelf(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
           taken: list[Footprint]) -> None:
    """Stand a shelf against a wall and fill it with books, boxes and small things."""
    rng = builder.rng
    width, height, depth = rng.uniform(0.6, 1.6), rng.uniform(0.9, 2.1), rng.uniform(0.22, 0.45)
    x, z, yaw = _against_wall(rng, room, depth)
    if not _take(taken, footprint((width, height, depth), x, z, yaw), room):
        return
    turn, foot = rotation_y(yaw), np.array([x, 0, z])

    def box(center: tuple[float, float, float], size: tuple[float, float, float],
            look: int) -> None:
        builder.box(foot + turn @ np.array(center), size, look, 0.5, yaw)

    frame = builder.material(
        materials.wood(rng) if rng.random() < 0.6 else materials.color(rng, (0.2, 1), (0, 0.3)))
    inks = [builder.material(materials.color(rng, (0.1, 0.95), (0, 0.9))) for _ in range(5)]
    inks += [builder.material(materials.picture(rng)) for _ in range(2)]
    for side in (-0.5, 0.5):
        box((side * width, height / 2, 0), (0.03, height, depth), frame)
    if rng.random() < 0.6:
        box((0, height / 2, -depth / 2), (width, height, 0.01), frame)
    pitch = rng.uniform(0.25, 0.45)
    for y in np.arange(0.05, height, pitch).tolist():
        box((0, y, 0), (width, 0.025, depth), frame)
        at = -width / 2 + 0.03
        while at < width / 2 - 0.1 and y + 0.3 < height:
            choice = rng.random()
            if choice < 0.75:  # a book, or a box
                thick = rng.uniform(0.015, 0.06) if choice < 0.6 else rng.uniform(0.08, 0.3)
                thick = min(thick, width / 2 - 0.03 - at)
                tall = rng.uniform(0.5, 0.9) * pitch
                box((at + thick / 2, y + 0.0125 + tall / 2, 0),
                    (thick, tall, depth * rng.uniform(0.5, 0.9)), inks[rng.integers(len(inks))])
                at += thick + 0.002
            else:
                thing = pick(rng, furniture.small) if furniture.small else None
                if thing and thing.longest < min(pitch * 0.9, depth):
                    builder.model(thing, foot + turn @ np.array(
                        [at + thing.longest / 2, y + 0.0125, 0]), rng.uniform(0, 2 * np.pi))
                at += rng.uniform(0.1, 0.3)


def clutter(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
            taken: list[Footprint]) -> list[tuple[float, float, float]]:
    """Lay a rug; leave boxes and small things on the floor; return where they are."""
    rng, spots = builder.rng, []
    if rng.random() < 0.4:
        size = rng.uniform(0.3, 0.8, 2) * (room[0], room[2])
        corner = rng.uniform(0, 1, 2) * ((room[0], room[2]) - size)
        kind = rng.choice(['carpet', 'stripe', 'camouflage', 'check'])
        image = materials.texture(rng, str(kind))
        builder.quad((corner[0], 0.006, corner[1]), (size[0], 0, 0), (0, 0, size[1]),
                     builder.material(image), tuple(size))
    for _ in range(rng.integers(0, 6)):
        x, z = rng.uniform(0.2, room[0] - 0.2), rng.uniform(0.2, room[2] - 0.2)
        if any(place.holds((x, 0, z), 0.2) for place in taken):
            continue
        spots.append((x, 0.0, z))
        if rng.random() < 0.5 or not furniture.small:
            size = rng.uniform(0.05, 0.5, 3)
            image = materials.texture(rng) if rng.random() < 0.5 else materials.picture(rng)
            builder.box((x, size[1] / 2, z), size, builder.material(image), rng.uniform(0.2, 1),
                        rng.uniform(0, 2 * np.pi))
        else:
            for _ in range(rng.integers(1, 5)):  # seldom does a thing lie quite alone
                a, b = rng.normal(0, 0.25, 2)
                builder.model(pick(rng, furniture.small), (x + a, 0, z + b),
                              rng.uniform(0, 2 * np.pi))
    return spots
