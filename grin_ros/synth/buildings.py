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

"""Buildings: blocks of flats and shops, houses with gables, and a skyline behind them."""

from __future__ import annotations

import numpy as np

from grin_ros.synth import materials, outdoors
from grin_ros.synth.scene import SceneBuilder


def add_building(builder: SceneBuilder, side: int, front: float, z: float, length: float,
                 house: bool) -> None:
    """
    Add a building whose front faces the road.

    :param side: +1 or -1, the sign of x.
    :param front: distance of its front from the middle of the road [m].
    :param z: where it begins; length: how far it runs along the road [m].
    """
    rng = builder.rng
    storey_m = rng.uniform(2.7, 3.4)
    storeys = int(rng.integers(1, 3)) if house else int(rng.integers(1, 7))
    depth = rng.uniform(6, 11) if house else rng.uniform(8, 18)
    ground_m = rng.uniform(3.2, 4.5) if not house and rng.random() < 0.6 else 0.0
    height = ground_m + storeys * storey_m
    bays = max(1, round(length / rng.uniform(2.2, 4.5)))
    windows = builder.material(outdoors.facade(rng))
    plain = builder.material(outdoors.wall(rng))
    near, far = side * front, side * (front + depth)
    # The front, in whole windows: one texture holds 2 x 2 of them.
    builder.quad((near, ground_m, z), (0, 0, length), (0, storeys * storey_m, 0), windows,
                 (bays / 2, storeys / 2))
    if ground_m:
        builder.quad((near, 0, z), (0, 0, length), (0, ground_m, 0),
                     builder.material(outdoors.shopfront(rng)), (max(1, round(length / 5)), 1))
    side_look = windows if rng.random() < 0.5 else plain
    side_bays = max(1, round(depth / 3.5)) / 2 if side_look == windows else depth / 6
    rows = storeys / 2 if side_look == windows else height / 6
    for at in (z, z + length):
        builder.quad((near, 0, at), (far - near, 0, 0), (0, height, 0), side_look,
                     (side_bays, rows))
    builder.quad((far, 0, z), (0, 0, length), (0, height, 0), plain, (length / 6, height / 6))
    if house:
        _gable(builder, near, far, z, length, height, plain)
    else:
        builder.quad((near, height, z), (far - near, 0, 0), (0, 0, length), plain,
                     (depth / 6, length / 6))
        ledge = builder.material(materials.color(rng, (0.3, 0.9), (0, 0.3)))
        builder.box((near, height, z + length / 2), (0.5, 0.4, length), ledge)
        if rng.random() < 0.3 and storeys > 1:
            _balconies(builder, side, near, z, length, bays, ground_m, storey_m, storeys)
    if house and abs(z) < 120:  # a front door with its step
        at = z + rng.uniform(0.15, 0.8) * length
        leaf = builder.material(materials.color(rng, (0.15, 0.8), (0.1, 0.8)))
        builder.quad((near - side * 0.03, 0, at), (0, 0, 1.0), (0, 2.1, 0), leaf)
        builder.box((near - side * 0.5, 0.08, at + 0.5), (1, 0.16, 1.6), plain, 6)


def _gable(builder: SceneBuilder, near: float, far: float, z: float, length: float,
           height: float, wall: int) -> None:
    """Put a pitched roof with eaves and a chimney on a house."""
    rng = builder.rng
    tiles = builder.material(outdoors.roof(rng))
    middle, depth = (near + far) / 2, abs(far - near)
    rise = depth / 2 * np.tan(rng.uniform(0.4, 0.85))
    out = 1.08  # eaves
    for edge in (near, far):
        foot = middle + (edge - middle) * out
        drop = height - rise * (out - 1)
        builder.quad((foot, drop, z - 0.3), (0, 0, length + 0.6),
                     (middle - foot, height + rise - drop, 0), tiles, (length / 5, depth / 7))
    for at in (z, z + length):
        builder.add([[(near, height, at), (far, height, at), (middle, height + rise, at)]],
                    [[(0, 0), (depth / 6, 0), (depth / 12, rise / 6)]], wall)
    if rng.random() < 0.6:
        at = z + rng.uniform(0.2, 0.8) * length
        builder.box((middle + rng.uniform(-1, 1), height + rise, at), (0.6, 1.8, 0.8), wall, 6)


def _balconies(builder: SceneBuilder, side: int, near: float, z: float, length: float, bays: int,
               ground_m: float, storey_m: float, storeys: int) -> None:
    """Hang balconies on every second bay."""
    look = builder.material(materials.color(builder.rng, (0.3, 0.95), (0, 0.3)))
    for storey in range(1, storeys):
        for bay in range(0, bays, 2):
            at = z + (bay + 0.5) * length / bays
            y = ground_m + storey * storey_m
            builder.box((near - side * 0.6, y, at), (1.2, 0.15, 2), look)
            builder.box((near - side * 1.2, y + 0.5, at), (0.06, 1.0, 2), look)


def add_skyline(builder: SceneBuilder, border: float, reach: float) -> None:
    """Add far buildings beside and ahead of the street, and hills on the horizon."""
    rng = builder.rng
    looks = [builder.material(outdoors.facade(rng)) for _ in range(4)]
    for _ in range(rng.integers(0, 40)):
        x = rng.choice([-1, 1]) * (border + 25 + rng.exponential(50))
        z = rng.uniform(-reach, reach)
        size = np.array([rng.uniform(8, 25), rng.uniform(4, 14) * rng.choice([1, 1, 2.5]),
                         rng.uniform(8, 25)])
        builder.box((x, size[1] / 2, z), size, looks[rng.integers(4)], rng.uniform(5, 7))
    for end in (-1, 1):  # the street ends somewhere: a cross block, or open land with hills
        if rng.random() < 0.4:
            wide, tall = rng.uniform(20, 80), rng.uniform(5, 20)
            builder.box((rng.normal(0, 10), tall / 2, end * rng.uniform(90, reach)),
                        (wide, tall, 12), looks[rng.integers(4)], 6)
    if rng.random() < 0.6:
        land = builder.material(outdoors.grass(rng) * rng.uniform(0.5, 0.9))
        angle = np.linspace(0, 2 * np.pi, 49)
        peak = rng.uniform(5, 50) * np.exp(0.5 * materials.fbm(rng, exponent=2.0)[0, :49])
        peak[-1] = peak[0]
        foot = np.stack([300 * np.cos(angle), 0 * angle, 300 * np.sin(angle)], -1)
        crest = foot * 1.4 + np.stack([0 * peak, peak, 0 * peak], -1)
        for i in range(48):
            p = np.stack([foot[i], foot[i + 1], crest[i + 1], crest[i]])
            uv = np.array([(0, 0), (8, 0), (8, 8), (0, 8)])
            corners = [[0, 1, 2], [0, 2, 3]]
            builder.add(p[corners], uv[corners], land)
