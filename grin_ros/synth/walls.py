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

"""Walls: floor, ceiling and four walls with all that hangs on them, and doorways through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grin_ros.synth import materials
from grin_ros.synth.grain import Grain
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.windows import add_window

# Chances of floors and of wall coverings, and the real size of the textures [m].
FLOORS = {'plank': 0.27, 'tile': 0.27, 'carpet': 0.18, 'clouds': 0.12, 'check': 0.04,
          'brick': 0.02, 'speckle': 0.10}
WALLS = {'tile': 0.3, 'clouds': 0.25, 'brick': 0.1, 'stripe': 0.1, 'plank': 0.1, 'check': 0.05,
         'camouflage': 0.05, 'speckle': 0.05}
# Tiles are 15 to 120 cm wide, and 2 or 4 to a texture.
REAL_SIZES_M = {'plank': (0.6, 1.6), 'tile': (0.6, 2.4), 'carpet': (0.3, 1.0), 'brick': (0.7, 1.6),
                'speckle': (0.3, 1.0), 'stripe': (0.5, 2.0)}


@dataclass(frozen=True)
class Doorway:
    """
    An opening in the wall at the far end of a room, or at the near end of the next [m].

    :param start: x of its left side.
    :param depth: of the wall between the rooms.
    """

    start: float
    width: float
    height: float
    depth: float

    @classmethod
    def draw(cls, rng: np.random.Generator, size_x: float, other: Doorway | None = None
             ) -> Doorway:
        """Draw a doorway in a wall of length size_x; or the other end of one."""
        if other is None:
            wide = rng.random() < 0.3 and size_x > 2.4
            other = cls(0, rng.uniform(1.3, 2.0) if wide else rng.uniform(0.7, 0.95),
                        rng.uniform(1.97, 2.12), rng.uniform(0.1, 0.3))
        start = rng.uniform(0.08, max(0.08, size_x - other.width - 0.08))
        return cls(start, other.width, other.height, other.depth)


def surface(builder: SceneBuilder, kind: str) -> tuple[int, float]:
    """Add a material for a floor, ceiling or wall; return it and its texture's real size [m]."""
    rng = builder.rng
    plain = {'wall': 0.85, 'ceiling': 0.9, 'floor': 0.04}[kind]
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
    grain = Grain.draw(rng, {'paint': 0.02, 'carpet': 0.25}.get(look, 0.08))
    return builder.material(image, gloss=rng.uniform(0, 0.7) if glossy else 0.0,
                            grain=grain), size_m


def build_shell(builder: SceneBuilder, room: tuple[float, float, float],
                near_door: Doorway | None = None, far_door: Doorway | None = None) -> int:
    """
    Add floor, ceiling and walls with pictures, doors and windows; return the walls' look.

    :param near_door: opening in the wall at z = 0; far_door in the one at the other end.
    """
    rng = builder.rng
    size_x, height, size_z = room
    for kind, y in (('floor', 0.0), ('ceiling', height)):
        look, texture_m = surface(builder, kind)
        builder.quad((0, y, 0), (size_x, 0, 0), (0, 0, size_z), look,
                     (size_x / texture_m, size_z / texture_m), turned=rng.random() < 0.5)
    first = surface(builder, 'wall')
    skirting = builder.material(materials.color(rng, (0.3, 1), (0, 0.3)))
    has_skirting, tall = rng.random() < 0.7, rng.uniform(0.05, 0.15)
    # Windows are far brighter than the room by day, and dark at night.
    daylight = 0.5 * 24 ** rng.random() if rng.random() < 0.8 else 0.05
    corners = np.array([(0, 0, 0), (size_x, 0, 0), (size_x, 0, size_z), (0, 0, size_z)], float)
    for number, corner in enumerate(corners):
        along = corners[(number + 1) % 4] - corner
        length = float(np.linalg.norm(along))
        along /= length
        inward = np.cross(along, (0, 1, 0))
        inward *= np.sign(inward @ (np.array([size_x / 2, 0, size_z / 2]) - corner))
        same = number == 0 or rng.random() < 0.7
        look, texture_m = first if same else surface(builder, 'wall')
        hung: list[tuple[float, float]] = []  # what takes the wall, from where to where [m]
        door = {0: near_door, 2: far_door}.get(number)
        if door:  # the far wall runs against x
            start = door.start if number == 0 else length - door.start - door.width
            hung.append((start, start + door.width))
            lintel = corner + along * start + np.array([0, door.height, 0])
            builder.quad(lintel, along * door.width, (0, height - door.height, 0), look,
                         (door.width / texture_m, (height - door.height) / texture_m))
        pieces = [(0.0, hung[0][0]), (hung[0][1], length)] if door else [(0.0, length)]
        for begin, end in pieces:
            piece = along * (end - begin)
            builder.quad(corner + along * begin, piece, (0, height, 0), look,
                         ((end - begin) / texture_m, height / texture_m))
            if has_skirting:
                builder.quad(corner + along * begin + inward * 0.012, piece, (0, tall, 0),
                             skirting)
        for _ in range(rng.integers(0, 2 + int(length / 1.5))):
            _hang(builder, corner, along, inward, (length, height), hung, daylight)
        _switches(builder, corner, along, inward, pieces)
    return first[0]


def line_doorway(builder: SceneBuilder, door: Doorway, z: float) -> None:
    """Line the doorway through the wall beyond z with a frame, and perhaps an open leaf."""
    rng = builder.rng
    frame = builder.material(materials.color(rng, (0.2, 1), (0, 0.4)))
    left, right, top = door.start, door.start + door.width, door.height
    through = (0, 0, door.depth)
    for x in (left, right):
        builder.quad((x, 0, z), through, (0, top, 0), frame)
    builder.quad((left, top, z), (door.width, 0, 0), through, frame)
    builder.quad((left, 0, z), (door.width, 0, 0), through, frame)
    trim, before = rng.uniform(0.04, 0.1), z - 0.012
    for x in (left - trim, right):
        builder.quad((x, 0, before), (trim, 0, 0), (0, top + trim, 0), frame)
    builder.quad((left, top, before), (door.width, 0, 0), (0, trim, 0), frame)
    if door.width < 1 and rng.random() < 0.6:  # the leaf stands open, on either side of the wall
        angle, hinge = rng.uniform(0.2, 2.0), rng.choice([left, right])
        away = rng.choice([-1, 1])
        edge = np.array([np.cos(angle) * (1 if hinge == left else -1), 0, away * np.sin(angle)])
        foot = np.array([hinge, 0.01, z if away < 0 else z + door.depth])
        look = builder.material(leaf(rng))
        for gap in (0.0, 0.04):  # both faces
            face = foot + gap * np.cross(edge, (0, 1, 0))
            builder.quad(face, edge * (door.width - 0.01), (0, top - 0.02, 0), look)


def _hang(builder: SceneBuilder, corner: NDArray, along: NDArray, inward: NDArray,
          wall: tuple[float, float], hung: list[tuple[float, float]], daylight: float) -> None:
    """Put a picture, door, window or board on a wall where nothing hangs yet."""
    rng = builder.rng
    length, height = wall
    choice = rng.random()
    if choice < 0.35:
        width, tall, bottom = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.9), rng.uniform(1.1, 1.6)
        image = materials.picture(rng)
    elif choice < 0.6:  # a door, some of two leaves
        width, tall, bottom = rng.uniform(0.7, 1.05), rng.uniform(1.95, 2.15), 0.0
        image = leaf(rng)
        if rng.random() < 0.2:
            width, image = 1.7 * width, np.hstack([image, image[:, ::-1]])
    elif choice < 0.85:  # a window, some down to the floor
        width, tall, bottom = rng.uniform(0.6, 2.2), rng.uniform(0.7, 1.5), rng.uniform(0.4, 1.1)
        if rng.random() < 0.2:
            tall, bottom = rng.uniform(1.95, 2.15), 0.05
        image = None
    else:
        width, tall, bottom = rng.uniform(0.3, 1.5), rng.uniform(0.3, 1.5), rng.uniform(0, 1.2)
        image = materials.texture(rng)
    start = rng.uniform(0, max(length - width, 0))
    clear = all(start + width + 0.1 < a or start > b + 0.1 for a, b in hung)
    if not clear or width > 0.9 * length or bottom + tall > height:
        return
    hung.append((start, start + width))
    origin = corner + along * start + np.array([0, bottom, 0])
    if image is None:
        add_window(builder, origin, along, inward, (width, tall), daylight)
        return
    frame = builder.material(materials.color(rng, (0.1, 1), (0, 0.6)))
    trim = 0.008 * 15 ** rng.random()
    below = trim if bottom > 0 else 0.0
    builder.quad(origin + inward * 0.02 - along * trim - np.array([0, below, 0]),
                 along * (width + 2 * trim), (0, tall + trim + below, 0), frame)
    builder.quad(origin + inward * 0.03, along * width, (0, tall, 0), builder.material(image))


def _switches(builder: SceneBuilder, corner: NDArray, along: NDArray, inward: NDArray,
              pieces: list[tuple[float, float]]) -> None:
    """Screw sockets and switches of the usual 8 cm to a wall, at their usual heights."""
    rng = builder.rng
    plate = builder.material(materials.color(rng, (0.7, 1.0), (0, 0.1)))
    dark = builder.material(materials.color(rng, (0.1, 0.7), (0, 0.2)))
    for _ in range(rng.integers(0, 4)):
        begin, end = pieces[rng.integers(len(pieces))]
        middle = corner + along * rng.uniform(begin, end) + inward * 0.01
        middle[1] = rng.uniform(0.25, 0.35) if rng.random() < 0.6 else rng.uniform(1.0, 1.2)
        for size_m, look in ((0.08, plate), (0.045, dark)):
            builder.box(middle, np.abs(inward) * 0.02 + np.abs(along) * size_m
                        + (0, size_m, 0) + (0.08 - size_m) / 10 * np.abs(inward), look)


def leaf(rng: np.random.Generator) -> NDArray:
    """Return a door leaf with panels and a handle."""
    look = np.ones((128, 64, 3)) * materials.color(rng, (0.2, 0.95), (0, 0.6))
    for _ in range(rng.integers(0, 3)):
        top, bottom = sorted(int(value) for value in rng.integers(6, 122, 2))
        look[top:bottom, 8:56] *= rng.uniform(0.75, 1.1)
    look[66:69, 54:61] = materials.color(rng, (0.1, 0.9), (0, 0.3))
    return np.clip(look, 0, 1)
