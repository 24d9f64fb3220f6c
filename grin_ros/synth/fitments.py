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

"""Fitments: shelves, desks and kitchen rows, made to measure of boxes of the usual sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grin_ros.synth import materials
from grin_ros.synth.furniture import Furniture, pick
from grin_ros.synth.scene import rotation_y, SceneBuilder
from grin_ros.synth.tables import Light

Size = tuple[float, float, float]

PATTERNS = ('check', 'stripe', 'tile', 'clouds', 'camouflage')  # on tables
PATTERN_M = 0.06  # of the smallest texture of them, which has two to ten checks


@dataclass(frozen=True)
class Bench:
    """
    Where a fitment is built: x to its right, y up and z out of its front, feet at the origin.

    :param yaw: of the fitment about the vertical [rad].
    :param board_m: real size of the texture of its boards [m].
    """

    builder: SceneBuilder
    foot: NDArray[np.float64]
    yaw: float
    board_m: float = 0.5

    def point(self, x: float, y: float, z: float) -> NDArray[np.float64]:
        """Return the place in the room of a point of the fitment."""
        return self.foot + rotation_y(self.yaw) @ np.array([x, y, z])

    def box(self, center: Size, size: Size, look: int, texture_m: float | None = None) -> None:
        """Add a box."""
        self.builder.box(self.point(*center), size, look, texture_m or self.board_m, self.yaw)

    def sheet(self, corner: Size, edge: Size, other: Size, look: int,
              repeat: tuple[float, float] = (1.0, 1.0)) -> None:
        """Add a parallelogram."""
        turn = rotation_y(self.yaw)
        self.builder.quad(self.point(*corner), turn @ np.array(edge), turn @ np.array(other), look,
                          repeat)


def wood_or_color(builder: SceneBuilder, value: tuple[float, float] = (0.2, 1.0)) -> int:
    """Add the look of boards: wood, grained along their length, or paint."""
    rng = builder.rng
    if rng.random() < 0.5:
        return builder.material(materials.color(rng, value, (0, 0.3)),
                                gloss=0.2 if rng.random() < 0.2 else 0.0)
    grain = 1 + 0.06 * materials.fbm(rng, exponent=1.2, stretch=8)[..., None]
    return builder.material(np.clip(materials.wood(rng) * grain, 0, 1))


def shelf(bench: Bench, furniture: Furniture, size: Size) -> None:
    """Build a shelf of (width, height, depth) and fill it with books, boxes and small things."""
    builder, rng = bench.builder, bench.builder.rng
    width, height, depth = size
    frame = builder.material(
        materials.wood(rng) if rng.random() < 0.6 else materials.color(rng, (0.2, 1), (0, 0.3)))
    inks = [builder.material(materials.color(rng, (0.1, 0.95), (0, 0.9))) for _ in range(5)]
    inks += [builder.material(materials.picture(rng)) for _ in range(2)]
    for side in (-0.5, 0.5):
        bench.box((side * width, height / 2, 0), (0.03, height, depth), frame)
    if rng.random() < 0.6:
        bench.box((0, height / 2, -depth / 2), (width, height, 0.01), frame)
    pitch = rng.uniform(0.25, 0.45)
    for y in np.arange(0.05, height, pitch).tolist():
        bench.box((0, y, 0), (width, 0.025, depth), frame)
        at = -width / 2 + 0.03
        while at < width / 2 - 0.1 and y + 0.3 < height:
            choice = rng.random()
            if choice < 0.75:  # a book, or a box
                thick = rng.uniform(0.015, 0.06) if choice < 0.6 else rng.uniform(0.08, 0.3)
                thick = min(thick, width / 2 - 0.03 - at)
                tall = rng.uniform(0.5, 0.9) * pitch
                bench.box((at + thick / 2, y + 0.0125 + tall / 2, 0),
                          (thick, tall, depth * rng.uniform(0.5, 0.9)),
                          inks[rng.integers(len(inks))])
                at += thick + 0.002
            else:
                thing = pick(rng, furniture.small) if furniture.small else None
                if thing and thing.longest < min(pitch * 0.9, depth):
                    builder.model(thing, bench.point(at + thing.longest / 2, y + 0.0125, 0),
                                  rng.uniform(0, 2 * np.pi))
                at += rng.uniform(0.1, 0.3)


def desk(bench: Bench, size: Size) -> None:
    """Build a plain desk or table of (width, height, depth): a board on legs or on two sides."""
    builder, rng = bench.builder, bench.builder.rng
    width, height, depth = size
    board, thick = wood_or_color(builder, (0.5, 1.0)), rng.uniform(0.018, 0.045)
    texture_m: float | None = None
    if rng.random() < 0.12:
        board = builder.material(materials.texture(rng, str(rng.choice(PATTERNS)), 0.8))
        texture_m = PATTERN_M * 12 ** rng.random()
    bench.box((0, height - thick / 2, 0), (width, thick, depth), board, texture_m)
    legs = builder.material(materials.color(rng, (0.05, 0.9), (0, 0.15)))
    if rng.random() < 0.25:
        for side in (-1, 1):
            bench.box((side * (width / 2 - 0.02), (height - thick) / 2, 0),
                      (0.025, height - thick, depth * 0.95), board)
    else:
        leg = rng.uniform(0.025, 0.07)
        for side in (-1, 1):
            for end in (-1, 1):
                bench.box((side * (width / 2 - leg), (height - thick) / 2,
                           end * (depth / 2 - leg)), (leg, height - thick, leg), legs)
    if rng.random() < 0.4:  # drawers under it
        tall, wide = rng.uniform(0.45, 0.6), rng.uniform(0.36, 0.45)
        x = rng.choice([-1, 1]) * (width / 2 - wide / 2 - 0.08)
        bench.box((x, tall / 2, 0), (wide, tall, depth * 0.8), board)
        for row in range(3):
            bench.box((x, tall * (row + 0.7) / 3, depth * 0.4), (0.12, 0.012, 0.03), legs)


def cabinet(bench: Bench, size: Size) -> None:
    """Build a chest of drawers, a cabinet or a wardrobe of (width, height, depth)."""
    builder, rng = bench.builder, bench.builder.rng
    front = wood_or_color(builder)
    body = front if rng.random() < 0.5 else wood_or_color(builder)
    handle = builder.material(materials.color(rng, (0.05, 0.9), (0, 0.1)))
    _units(bench, front, body, handle, (size[0], 0.0, size[1]), size[2])


def kitchen(bench: Bench, furniture: Furniture, width: float) -> float:
    """
    Build a row of kitchen units: cupboards, worktop, tiles behind it, wall units above.

    :param width: of the row [m].
    :returns: height of the worktop [m].
    """
    builder, rng = bench.builder, bench.builder.rng
    height, depth = rng.uniform(0.85, 0.95), 0.6
    darkest = 0.3 if rng.random() < 0.7 else 0.03
    front = wood_or_color(builder, (darkest, 1.0))
    body = builder.material(materials.color(rng, (darkest, 1.0), (0, 0.1)))
    steel = builder.material(materials.color(rng, (0.4, 0.9), (0, 0.05)), gloss=0.3)
    stone = materials.color(rng, (0.02, 0.95), (0, 0.1)) if rng.random() < 0.3 else \
        materials.texture(rng, str(rng.choice(['speckle', 'clouds', 'plank'])), 0.2)
    worktop = builder.material(stone, gloss=rng.uniform(0, 0.9) ** 2)
    bench.box((0, 0.05, -0.03), (width, 0.1, depth - 0.1), steel)
    _units(bench, front, body, steel, (width, 0.1, height - 0.04), depth)
    bench.box((0, height - 0.02, 0.01), (width + 0.02, 0.04, depth + 0.02), worktop,
              0.3 * 3 ** rng.random())  # its staves are narrower than a floor's planks
    tall = rng.uniform(0.45, 0.6)
    behind = materials.paint(rng) if rng.random() < 0.4 else materials.texture(rng, 'tile', 0.3)
    tiles = builder.material(behind, gloss=rng.uniform(0, 0.3))
    tile_m = rng.uniform(0.2, 0.6)  # 2 or 4 tiles to a texture
    bench.sheet((-width / 2, height, 0.012 - depth / 2), (width, 0, 0), (0, tall, 0), tiles,
                (width / tile_m, tall / tile_m))
    if rng.random() < 0.75:  # wall units
        top = height + tall + rng.uniform(0.5, 0.8)
        wall = replace(bench, foot=bench.point(0, 0, -(depth - 0.35) / 2))
        _units(wall, front, body, steel, (width * rng.uniform(0.5, 1), height + tall, top), 0.35)
        if rng.random() < 0.4:  # a strip of light under them
            turn = rotation_y(bench.yaw)
            builder.lights.append(Light(
                builder.origin + bench.point(0, height + tall - 0.03, 0.05 - depth / 2),
                turn @ np.array([0.8 * width, 0, 0]), turn @ np.array([0, 0, 0.03]),
                np.array([1, 0.9, 0.75]) * rng.uniform(0.1, 0.6) * width))
            bench.sheet((-0.4 * width, height + tall - 0.002, 0.05 - depth / 2),
                        (0.8 * width, 0, 0), (0, 0, 0.02),
                        builder.material(np.ones(3), emission=4.0))
    if width > 1.2:  # a sink with its tap, and a hob
        dark = builder.material(materials.color(rng, (0.02, 0.1), (0, 0.05)), gloss=0.3)
        x = rng.uniform(0.3, width / 2 - 0.3)
        bench.sheet((x - 0.25, height + 0.002, 0.2), (0.5, 0, 0), (0, 0, -0.4), steel)
        bench.box((x, height + 0.12, -0.22), (0.03, 0.24, 0.03), steel)
        bench.box((x, height + 0.24, -0.14), (0.03, 0.03, 0.18), steel)
        bench.box((-x, height + 0.003, 0), (0.58, 0.006, 0.5), dark)
    for _ in range(rng.integers(0, 1 + round(width)) if furniture.counter else 0):
        builder.model(pick(rng, furniture.counter),
                      bench.point(rng.uniform(-0.4, 0.4) * width, height, -0.1),
                      bench.yaw + rng.normal(0, 0.2))
    for _ in range(int(10 * width * rng.random() ** 2) if furniture.small else 0):
        builder.model(pick(rng, furniture.small),
                      bench.point(rng.uniform(-0.47, 0.47) * width, height,
                                  rng.uniform(-0.22, 0.2)), rng.uniform(0, 2 * np.pi))
    return height


def _units(bench: Bench, front: int, body: int, handle: int, span: Size, depth: float) -> None:
    """Build cupboards over span (width, bottom, top), each with a door or drawers and handles."""
    rng = bench.builder.rng
    width, bottom, top = span
    bench.box((0, (bottom + top) / 2, -0.01), (width, top - bottom, depth - 0.02), body)
    count = max(1, round(width / rng.uniform(0.4, 0.6)))
    pitch = width / count
    for number in range(count):
        x = (number + 0.5) * pitch - width / 2
        drawers = int(rng.choice([1, 1, 2, 3, 4])) if bottom < 0.5 else 1
        tall = (top - bottom) / drawers
        for row in range(drawers):
            middle = bottom + (row + 0.5) * tall
            bench.box((x, middle, depth / 2 - 0.01), (pitch - 0.006, tall - 0.006, 0.018), front)
            if drawers == 1:
                at = x + rng.choice([-1, 1]) * (pitch / 2 - 0.05)
                bench.box((at, middle + (0.2 if bottom < 0.5 else -0.2) * tall,
                           depth / 2 + 0.012), (0.012, 0.14, 0.02), handle)
            else:
                bench.box((x, middle + 0.3 * tall, depth / 2 + 0.012),
                          (pitch * 0.4, 0.012, 0.02), handle)
