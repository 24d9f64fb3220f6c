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

from dataclasses import replace

import numpy as np

from grin_ros.synth import fitments, materials
from grin_ros.synth.fitments import Bench
from grin_ros.synth.furniture import few, Furniture, pick
from grin_ros.synth.packages import lay_packages, put_bin
from grin_ros.synth.places import Footprint, footprint, take
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.seats import seat
from grin_ros.synth.table_tops import lay_table


def furnish(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
            taken: list[Footprint], corridor: bool) -> list[tuple[float, float, float]]:
    """Stand furniture along the walls and in the room; return the middles of table tops."""
    rng = builder.rng
    size_x, _, size_z = room
    fullness = 1.2 * 24 ** -rng.random()  # from a piece in a room to hardly a way through it
    table_tops = _fit_out(builder, furniture, room, taken, fullness)
    wanted = len(taken) + min(int(fullness * size_x * size_z / 1.5) + 1, 34)
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
        if not take(taken, footprint(model.size, x, z, yaw), room):
            continue
        builder.model(model, (x, max(model.elevation, 0), z), yaw)
        if model in furniture.flat:
            lay_table(builder, furniture, model.size, (x, z, yaw))
            table_tops.append((x, model.size[1], z))
        if model in furniture.tables:
            seat(builder, furniture, model.size, (x, z, yaw), room, taken)
    return table_tops


def _against_wall(rng: np.random.Generator, room: tuple[float, float, float],
                  depth: float) -> tuple[float, float, float]:
    """Return x, z and yaw of a thing with its back to one of the walls."""
    size_x, _, size_z = room
    x, z, gap = rng.uniform(0, size_x), rng.uniform(0, size_z), depth / 2 + 0.04
    return ((x, gap, 0.0), (x, size_z - gap, np.pi), (gap, z, np.pi / 2),
            (size_x - gap, z, -np.pi / 2))[rng.integers(4)]


def _fit_out(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
             taken: list[Footprint], fullness: float) -> list[tuple[float, float, float]]:
    """Build shelves, cabinets, desks, a kitchen row; return what is worth a close look."""
    rng, tops = builder.rng, []

    def bench(size: tuple[float, float, float], against_wall: bool = True) -> Bench | None:
        for _ in range(3):
            x, z, yaw = _against_wall(rng, room, size[2])
            if not against_wall:
                x, z = rng.uniform(0, room[0]), rng.uniform(0, room[2])
            if take(taken, footprint(size, x, z, yaw), room):
                return Bench(builder, np.array([x, 0.0, z]), yaw, 0.3 * 7 ** rng.random())
        return None

    for _ in range(rng.binomial(2, min(fullness + 0.1, 0.5))):
        size = rng.uniform(0.6, 1.6), rng.uniform(0.9, 2.1), rng.uniform(0.22, 0.45)
        if place := bench(size):
            fitments.shelf(place, furniture, size)
            for side in (-0.3, 0.3):
                x, y, z = place.point(side * size[0], rng.uniform(0.2, 0.9) * size[1], size[2] / 2)
                tops.append((x, y, z))
    for _ in range(rng.binomial(2, 0.35)):
        low = rng.random() < 0.7
        size = (rng.uniform(0.4, 1.6), rng.uniform(0.5, 1.1) if low else rng.uniform(1.6, 2.2),
                rng.uniform(0.35, 0.8))
        if place := bench(size, rng.random() < 0.7):
            fitments.cabinet(place, size)
            if low:
                lay_table(builder, furniture, size, (place.foot[0], place.foot[2], place.yaw))
                tops.append((place.foot[0], size[1], place.foot[2]))
    desks = 0.7 if furniture.room == 'Office' else 0.2
    for _ in range(rng.integers(0, 4) if rng.random() < desks else 0):
        size = rng.uniform(1.0, 2.0), rng.uniform(0.68, 0.78), rng.uniform(0.55, 0.9)
        if place := bench(size, rng.random() < 0.5):
            fitments.desk(place, size)
            x, _, z = place.foot
            lay_table(builder, furniture, size, (x, z, place.yaw))
            tops.append((x, size[1], z))
            seat(builder, furniture, size, (x, z, place.yaw), room, taken)
    if rng.random() < (0.8 if furniture.room == 'Kitchen' else 0.08):
        # No higher than its worktop: an arm's camera looks along it, below the wall units.
        size = rng.uniform(1.0, 3.2), 0.95, 0.62
        if place := bench(size):
            height = fitments.kitchen(place, furniture, size[0])
            if rng.random() < 0.5:
                middle = place.point(rng.uniform(-0.3, 0.3) * size[0], height + 0.007, 0)
                lay_packages(replace(place, foot=middle), size[0], size[2], few(rng, 19))
            for at in np.arange(0.25, size[0], 0.5) - size[0] / 2:
                x, y, z = place.point(at, height, rng.uniform(-0.2, 0.25))
                tops.append((x, y, z))
    return tops


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
                     builder.material(image), tuple(size / (0.3 * 6 ** rng.random())))
    for _ in range(few(rng, 7) - 1):
        x, z = rng.uniform(0.2, room[0] - 0.2), rng.uniform(0.2, room[2] - 0.2)
        if any(place.holds((x, 0, z), 0.2) for place in taken):
            continue
        spots.append((x, 0.0, z))
        choice = rng.random()
        if choice < 0.15:
            put_bin(Bench(builder, np.array([x, 0, z]), rng.uniform(0, 2 * np.pi)))
        elif choice < 0.55 or not furniture.small:
            printed = rng.random() < 0.4  # as what is sold in shops is; cardboard is like wood
            size = rng.uniform(0.05, 0.3 if printed else 0.6, 3)
            image = (materials.label if printed else
                     (materials.wood, materials.color)[rng.integers(2)])(rng)
            builder.box((x, size[1] / 2, z), size, builder.material(image), float(size.max()),
                        rng.uniform(0, 2 * np.pi))
        else:
            for _ in range(rng.integers(1, 5)):  # seldom does a thing lie quite alone
                a, b = rng.normal(0, 0.25, 2)
                builder.model(pick(rng, furniture.small), (x + a, 0, z + b),
                              rng.uniform(0, 2 * np.pi))
    return spots
