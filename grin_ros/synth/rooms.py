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

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grin_ros.synth import materials
from grin_ros.synth.assets import Model
from grin_ros.synth.scene import Light, Scene, SceneBuilder

INDOORS = ('Living room', 'Bedroom', 'Kitchen', 'Bathroom', 'Office', 'Miscellaneous')


@dataclass
class Footprint:
    """Floor area taken by a thing: centre, half sizes and height [m]."""

    x: float
    z: float
    half_x: float
    half_z: float
    height: float

    def overlaps(self, other: Footprint) -> bool:
        """Return True when both take some of the same floor."""
        return (abs(self.x - other.x) < self.half_x + other.half_x
                and abs(self.z - other.z) < self.half_z + other.half_z)

    def holds(self, x: float, y: float, z: float, margin: float) -> bool:
        """Return True when a point is inside the thing or nearer than margin [m]."""
        return (abs(x - self.x) < self.half_x + margin and abs(z - self.z) < self.half_z + margin
                and y < self.height + margin)


@dataclass
class Place:
    """
    A scene and what a camera must know to stand in it.

    :param size: of the room (x, y, z) [m]; of a street: road width, 0, length.
    :param taken: where things stand.
    :param table_tops: (x, y, z, narrow side) of surfaces worth a close look [m].
    """

    scene: Scene
    size: tuple[float, float, float]
    taken: list[Footprint] = field(default_factory=list)
    table_tops: list[tuple[float, float, float, float]] = field(default_factory=list)


class Furniture:
    """The library sorted by what a room needs."""

    def __init__(self, library: list[Model]) -> None:
        """Sort the library once; worlds share the result."""
        self.by_category: dict[str, list[Model]] = {}
        for model in library:
            self.by_category.setdefault(model.category, []).append(model)
        self.small = [m for m in library if m.longest < 0.5 and not m.door_or_window]
        self.floor = [m for m in library
                      if m.category in INDOORS and 0.4 <= m.longest < 3.2 and m.size[1] < 2.3
                      and m.elevation < 0.3 and not m.door_or_window]
        self.tables = [m for m in self.floor if m.size[1] < 1.1
                       and any(word in m.name.lower() for word in ('table', 'desk'))]
        self.people = self.by_category.get('Characters', [])

    def draw(self, rng: np.random.Generator) -> Model | None:
        """Return a piece for the floor, a table more often than chance would."""
        if rng.random() < 0.03 and self.people:
            return _pick(rng, self.people)
        if rng.random() < 0.25 and self.tables:
            return _pick(rng, self.tables)
        return _pick(rng, self.floor) if self.floor else None


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
    table_tops = _furnish(builder, furniture, room, taken, corridor)
    _clutter(builder, furniture, room, taken)
    _lamps(builder, room, corridor)
    return Place(builder.build(), room, taken, table_tops)


def surface(builder: SceneBuilder, kind: str) -> int:
    """Add a material for a floor, ceiling or wall."""
    rng = builder.rng
    if kind == 'wall':
        image = materials.paint(rng) if rng.random() < 0.68 else materials.texture(rng)
    elif kind == 'ceiling':
        image = materials.paint(rng) if rng.random() < 0.9 else materials.texture(rng)
    else:
        floors = ('plank', 'tile', 'carpet', 'clouds', 'check', 'brick', 'speckle')
        chances = (0.26, 0.22, 0.17, 0.14, 0.05, 0.04, 0.12)
        image = materials.texture(rng, str(rng.choice(floors, p=chances)))
    glossy = kind == 'floor' and rng.random() < 0.5
    return builder.material(image, gloss=rng.uniform(0, 0.5) if glossy else 0.0)


def _shell(builder: SceneBuilder, room: tuple[float, float, float]) -> int:
    """Add floor, ceiling and walls with pictures, doors and windows; return the wall's look."""
    rng = builder.rng
    size_x, height, size_z = room
    for kind, y in (('floor', 0.0), ('ceiling', height)):
        texture_m = rng.uniform(0.6, 3)
        builder.quad((0, y, 0), (size_x, 0, 0), (0, 0, size_z), surface(builder, kind),
                     (size_x / texture_m, size_z / texture_m), turned=rng.random() < 0.5)
    first = surface(builder, 'wall')
    skirting = builder.material(materials.color(rng, (0.3, 1), (0, 0.3)))
    corners = np.array([(0, 0, 0), (size_x, 0, 0), (size_x, 0, size_z), (0, 0, size_z)], float)
    for number, corner in enumerate(corners):
        along = corners[(number + 1) % 4] - corner
        length = float(np.linalg.norm(along))
        inward = np.cross(along / length, (0, 1, 0))
        inward *= np.sign(inward @ (np.array([size_x / 2, 0, size_z / 2]) - corner))
        look = first if number == 0 or rng.random() < 0.7 else surface(builder, 'wall')
        texture_m = rng.uniform(0.6, 3)
        builder.quad(corner, along, (0, height, 0), look, (length / texture_m, height / texture_m))
        if rng.random() < 0.7:
            builder.quad(corner + inward * 0.012, along, (0, rng.uniform(0.05, 0.15), 0), skirting)
        hung: list[tuple[float, float]] = []
        for _ in range(rng.integers(0, 2 + int(length / 1.5))):
            _hang(builder, corner, along / length, inward, length, height, hung)
    return first


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


def door(rng: np.random.Generator) -> NDArray:
    """Return a door leaf with panels and a handle."""
    leaf = np.ones((128, 64, 3)) * materials.color(rng, (0.2, 0.95), (0, 0.6))
    for _ in range(rng.integers(0, 3)):
        top, bottom = sorted(int(value) for value in rng.integers(6, 122, 2))
        leaf[top:bottom, 8:56] *= rng.uniform(0.75, 1.1)
    leaf[66:69, 54:61] = materials.color(rng, (0.1, 0.9), (0, 0.3))
    return np.clip(leaf, 0, 1)


def _furnish(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
             taken: list[Footprint], corridor: bool) -> list[tuple[float, float, float, float]]:
    """Stand furniture along the walls and in the room; return the table tops."""
    rng = builder.rng
    size_x, _, size_z = room
    table_tops = []
    wanted = min(int(rng.uniform(0.3, 1.1) * size_x * size_z / 1.5) + 2, 32)
    for _ in range(wanted * 3):
        model = furniture.draw(rng)
        if model is None or len(taken) >= wanted:
            break
        if corridor and min(model.size[0], model.size[2]) > 0.6:
            continue
        x, z = rng.uniform(0, size_x), rng.uniform(0, size_z)
        gap = model.size[2] / 2 + 0.04
        if rng.random() < 0.65:  # its back to a wall
            x, z, yaw = ((x, gap, 0.0), (x, size_z - gap, np.pi), (gap, z, np.pi / 2),
                         (size_x - gap, z, -np.pi / 2))[rng.integers(4)]
        else:
            yaw = rng.integers(4) * np.pi / 2 if rng.random() < 0.5 else rng.uniform(0, 2 * np.pi)
        place = footprint(model, x, z, yaw)
        inside = (place.half_x + 0.02 < x < size_x - place.half_x - 0.02
                  and place.half_z + 0.02 < z < size_z - place.half_z - 0.02)
        if not inside or any(place.overlaps(other) for other in taken):
            continue
        taken.append(place)
        builder.model(model, (x, max(model.elevation, 0), z), yaw)
        if model in furniture.tables or (model.size[1] < 1.2 and rng.random() < 0.2):
            _lay_table(builder, furniture, model, x, z, yaw)
            table_tops.append((x, model.size[1], z, min(model.size[0], model.size[2])))
    return table_tops


def footprint(model: Model, x: float, z: float, yaw: float) -> Footprint:
    """Return the floor area of a model turned by yaw."""
    c, s = abs(np.cos(yaw)), abs(np.sin(yaw))
    return Footprint(x, z, (model.size[0] * c + model.size[2] * s) / 2,
                     (model.size[0] * s + model.size[2] * c) / 2, model.size[1])


def _lay_table(builder: SceneBuilder, furniture: Furniture, table: Model, x: float, z: float,
               yaw: float) -> None:
    """Put small things on top of a table."""
    rng = builder.rng
    c, s = np.cos(yaw), np.sin(yaw)
    for _ in range(rng.integers(0, 7) if furniture.small else 0):
        a, b = rng.uniform(-0.4, 0.4, 2) * (table.size[0], table.size[2])
        builder.model(_pick(rng, furniture.small),
                      (x + c * a + s * b, table.size[1] + 0.002, z - s * a + c * b),
                      rng.uniform(0, 2 * np.pi))


def _clutter(builder: SceneBuilder, furniture: Furniture, room: tuple[float, float, float],
             taken: list[Footprint]) -> None:
    """Leave boxes and small things on the floor."""
    rng = builder.rng
    for _ in range(rng.integers(0, 6)):
        x, z = rng.uniform(0.2, room[0] - 0.2), rng.uniform(0.2, room[2] - 0.2)
        if any(place.holds(x, 0, z, 0.2) for place in taken):
            continue
        if rng.random() < 0.5 or not furniture.small:
            size = rng.uniform(0.05, 0.5, 3)
            image = materials.texture(rng) if rng.random() < 0.5 else materials.picture(rng)
            builder.box((x, size[1] / 2, z), size, builder.material(image), rng.uniform(0.2, 1),
                        rng.uniform(0, 2 * np.pi))
        else:
            builder.model(_pick(rng, furniture.small), (x, 0, z), rng.uniform(0, 2 * np.pi))


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
    builder.ambient = tone * rng.uniform(0.25, 0.7)


def _pick(rng: np.random.Generator, models: list[Model]) -> Model:
    """Return one of the models."""
    return models[rng.integers(len(models))]
