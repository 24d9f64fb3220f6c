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
from numpy.typing import NDArray

from grin_ros.synth import materials
from grin_ros.synth.furnishing import clutter, furnish
from grin_ros.synth.furniture import Furniture
from grin_ros.synth.places import Footprint, Place
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.tables import Light

# Chances of floors and of wall coverings, and the real size of the textures [m].
FLOORS = {'plank': 0.27, 'tile': 0.27, 'carpet': 0.18, 'clouds': 0.12, 'check': 0.04,
          'brick': 0.02, 'speckle': 0.10}
WALLS = {'tile': 0.3, 'clouds': 0.25, 'brick': 0.1, 'stripe': 0.1, 'plank': 0.1, 'check': 0.05,
         'camouflage': 0.05, 'speckle': 0.05}
# Tiles are 15 to 90 cm wide, and 2 or 4 to a texture.
REAL_SIZES_M = {'plank': (0.6, 1.6), 'tile': (0.6, 1.8), 'carpet': (0.3, 1.0), 'brick': (0.7, 1.6),
                'speckle': (0.3, 1.0), 'stripe': (0.5, 2.0)}


def build_room(rng: np.random.Generator, furniture: Furniture, corridor: bool = False) -> Place:
    """Build a furnished room, or a long narrow one with little in it."""
    builder = SceneBuilder(rng)
    if corridor:
        size_x, size_z = rng.uniform(1.2, 3.2), rng.uniform(6, 24)
    else:
        size_x, size_z = rng.uniform(2.3, 7.5), rng.uniform(2.5, 9)
        if rng.random() < 0.12:
            size_x, size_z = 2 * size_x, 2 * size_z
    height = rng.uniform(2.3, 3.2) if size_x < 10 else rng.uniform(3, 6)
    room = (size_x, height, size_z)
    wall_material = _shell(builder, room)
    taken: list[Footprint] = []
    if rng.random() < 0.25 and not corridor:  # a pillar or a piece of wall
        width = rng.uniform(0.15, size_x * 0.5)
        depth = 0.15 if width > 0.5 else width
        x, z = rng.uniform(width / 2, size_x - width / 2), rng.uniform(1, size_z - 1)
        builder.box((x, height / 2, z), (width, height, depth), wall_material,
                    rng.uniform(0.6, 3))
        taken.append(Footprint(x, z, width / 2, depth / 2, height))
    table_tops = furnish(builder, furniture, room, taken, corridor)
    floor_spots = clutter(builder, furniture, room, taken)
    _lamps(builder, room, corridor)
    return Place(builder.build(), room, taken, table_tops + floor_spots)


def surface(builder: SceneBuilder, kind: str) -> tuple[int, float]:
    """Add a material for a floor, ceiling or wall; return it and its texture's real size [m]."""
    rng = builder.rng
    plain = {'wall': 0.75, 'ceiling': 0.9, 'floor': 0.04}[kind]
    if rng.random() < plain:
        look, size_m = 'paint', rng.uniform(0.6, 3)
        image = materials.paint(rng)
    else:
        chances = FLOORS if kind == 'floor' else WALLS
        look = str(rng.choice(list(chances), p=list(chances.values())))
        # Most real rooms are grey, beige and white.
        image = materials.texture(rng, look, 0.12 if rng.random() < 0.6 else 0.6)
        size_m = float(np.exp(rng.uniform(*np.log(REAL_SIZES_M.get(look, (0.6, 3))))))
    glossy = kind == 'floor' and rng.random() < 0.5
    return builder.material(image, gloss=rng.uniform(0, 0.7) if glossy else 0.0), size_m


def _shell(builder: SceneBuilder, room: tuple[float, float, float]) -> int:
    """Add floor, ceiling and walls with pictures, doors and windows; return the wall's look."""
    rng = builder.rng
    size_x, height, size_z = room
    for kind, y in (('floor', 0.0), ('ceiling', height)):
        look, texture_m = surface(builder, kind)
        builder.quad((0, y, 0), (size_x, 0, 0), (0, 0, size_z), look,
                     (size_x / texture_m, size_z / texture_m), turned=rng.random() < 0.5)
    first = surface(builder, 'wall')
    skirting = builder.material(materials.color(rng, (0.3, 1), (0, 0.3)))
    corners = np.array([(0, 0, 0), (size_x, 0, 0), (size_x, 0, size_z), (0, 0, size_z)], float)
    for number, corner in enumerate(corners):
        along = corners[(number + 1) % 4] - corner
        length = float(np.linalg.norm(along))
        inward = np.cross(along / length, (0, 1, 0))
        inward *= np.sign(inward @ (np.array([size_x / 2, 0, size_z / 2]) - corner))
        same = number == 0 or rng.random() < 0.7
        look, texture_m = first if same else surface(builder, 'wall')
        builder.quad(corner, along, (0, height, 0), look, (length / texture_m, height / texture_m))
        if rng.random() < 0.7:
            builder.quad(corner + inward * 0.012, along, (0, rng.uniform(0.05, 0.15), 0), skirting)
        hung: list[tuple[float, float]] = []
        for _ in range(rng.integers(0, 2 + int(length / 1.5))):
            _hang(builder, corner, along / length, inward, length, height, hung)
        _switches(builder, corner, along, inward)
    return first[0]


def _hang(builder: SceneBuilder, corner: NDArray, along: NDArray, inward: NDArray,
          length: float, height: float, hung: list[tuple[float, float]]) -> None:
    """Put a picture, door, window or board on a wall where nothing hangs yet."""
    rng = builder.rng
    choice, glow = rng.random(), 0.0
    if choice < 0.35:
        width, tall, bottom = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.9), rng.uniform(1.1, 1.6)
        image = materials.picture(rng)
    elif choice < 0.6:  # a door
        width, tall, bottom = rng.uniform(0.7, 1.1), rng.uniform(1.95, 2.1), 0.0
        image = door(rng)
    elif choice < 0.85:  # a window: it is brighter than the wall
        width, tall, bottom = rng.uniform(0.6, 2.2), rng.uniform(0.7, 1.5), rng.uniform(0.4, 1.1)
        image, glow = materials.landscape(rng), rng.uniform(0.3, 2.5)
    else:
        width, tall, bottom = rng.uniform(0.3, 1.5), rng.uniform(0.3, 1.5), rng.uniform(0, 1.2)
        image = materials.texture(rng)
    start = rng.uniform(0, max(length - width, 0))
    clear = all(start + width + 0.1 < a or start > b + 0.1 for a, b in hung)
    if not clear or width > 0.9 * length or bottom + tall > height:
        return
    hung.append((start, start + width))
    origin = corner + along * start + np.array([0, bottom, 0])
    frame = builder.material(materials.color(rng, (0.1, 1), (0, 0.6)))
    below = 0.05 if bottom > 0 else 0.0
    builder.quad(origin + inward * 0.02 - along * 0.05 - np.array([0, below, 0]),
                 along * (width + 0.1), (0, tall + 0.05 + below, 0), frame)
    builder.quad(origin + inward * 0.03, along * width, (0, tall, 0),
                 builder.material(image, tint=(1 + glow,) * 3))


def _switches(builder: SceneBuilder, corner: NDArray, along: NDArray, inward: NDArray) -> None:
    """Screw sockets and switches of the usual 8 cm to a wall, at their usual heights."""
    rng = builder.rng
    plate = builder.material(materials.color(rng, (0.7, 1.0), (0, 0.1)))
    dark = builder.material(materials.color(rng, (0.1, 0.7), (0, 0.2)))
    for _ in range(rng.integers(0, 4)):
        middle = corner + along * rng.uniform(0.05, 0.95) + inward * 0.01
        middle[1] = rng.uniform(0.25, 0.35) if rng.random() < 0.6 else rng.uniform(1.0, 1.2)
        for size_m, look in ((0.08, plate), (0.045, dark)):
            builder.box(middle, np.abs(inward) * 0.02 + np.abs(along / np.linalg.norm(along))
                        * size_m + (0, size_m, 0) + (0.08 - size_m) / 10 * np.abs(inward), look)


def door(rng: np.random.Generator) -> NDArray:
    """Return a door leaf with panels and a handle."""
    leaf = np.ones((128, 64, 3)) * materials.color(rng, (0.2, 0.95), (0, 0.6))
    for _ in range(rng.integers(0, 3)):
        top, bottom = sorted(int(value) for value in rng.integers(6, 122, 2))
        leaf[top:bottom, 8:56] *= rng.uniform(0.75, 1.1)
    leaf[66:69, 54:61] = materials.color(rng, (0.1, 0.9), (0, 0.3))
    return np.clip(leaf, 0, 1)


def _lamps(builder: SceneBuilder, room: tuple[float, float, float], corridor: bool) -> None:
    """Add ceiling lamps, sometimes a low lamp, sometimes light from a window."""
    rng = builder.rng
    size_x, height, size_z = room
    count = max(1, int(size_z / 5)) if corridor else int(rng.integers(1, 4))
    tone = np.array([1, rng.uniform(0.75, 1), rng.uniform(0.5, 1.05)])
    power = rng.uniform(0.6, 1.6) * size_x * size_z / count / 2.5
    for number in range(count):
        x, z = rng.uniform(0.15, 0.85) * size_x, rng.uniform(0.15, 0.85) * size_z
        if corridor:
            x, z = size_x / 2, size_z * (number + 0.5) / count
        width, length = rng.uniform(0.1, 1.2), rng.uniform(0.1, 1.2)
        y = rng.uniform(0.5, 1.8) if rng.random() < 0.15 else height - 0.03
        builder.lights.append(Light((x, y, z), (width, 0, 0), (0, 0, length), tone * power))
        if y > height - 0.1:
            builder.quad((x - width / 2, height - 0.01, z - length / 2), (width, 0, 0),
                         (0, 0, length), builder.material(np.ones(3), emission=4.0))
    if rng.random() < 0.35:
        daylight = np.array([0.9, 0.95, 1.1]) * power * rng.uniform(0.5, 2)
        builder.lights.append(Light((0.05, rng.uniform(1, 2), rng.uniform(0, size_z)),
                                    (0, 1.2, 0), (0, 0, 1.5), daylight))
    builder.ambient = tone * rng.uniform(0.35, 0.9)
