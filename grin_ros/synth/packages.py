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

"""Packages: a place in; boxes, cans, bottles and bowls of shop sizes out, also heaped in bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.synth import materials
from grin_ros.synth.fitments import Bench
from grin_ros.synth.furniture import few
from grin_ros.synth.lathe import lathe
from grin_ros.synth.scene import rotation_y, SceneBuilder

KINDS = ('carton', 'can', 'bottle', 'bowl', 'cup', 'plate')
REACH = 0.187  # m from the middle of a thing to its end, at most
WALL = 0.008  # m, of a bin


def outline_of(rng: np.random.Generator, kind: str) -> list[tuple[float, float]]:
    """Draw the outline (radius, height) [m] of a can, bottle, bowl, cup or plate."""
    if kind == 'can':
        r, h = rng.uniform(0.03, 0.055), rng.uniform(0.04, 0.17)
        return [(0, 0), (r, 0), (r, h), (0, h)]
    if kind == 'bottle':
        r, h = rng.uniform(0.028, 0.05), rng.uniform(0.17, 0.33)
        neck, shoulder = r * rng.uniform(0.3, 0.6), h * rng.uniform(0.5, 0.75)
        return [(0, 0), (r, 0), (r, shoulder), (neck, shoulder + 0.15 * h), (neck, h), (0, h)]
    if kind == 'cup':
        r, h = rng.uniform(0.033, 0.05), rng.uniform(0.07, 0.13)
        return [(0, 0.004), (r * rng.uniform(0.7, 1), 0.004), (r, h)]
    r = rng.uniform(0.06, 0.13)
    h = rng.uniform(0.04, 0.09) if kind == 'bowl' else rng.uniform(0.012, 0.03)
    return [(0, 0.004), (0.5 * r, 0.004), (0.85 * r, 0.5 * h), (r, h)]


def put_package(builder: SceneBuilder, spot: ArrayLike, lying: bool = False) -> None:
    """Put one thing on a spot (x, y, z) [m], turned at random; or let it lie on its side."""
    rng = builder.rng
    kind, yaw = str(rng.choice(KINDS, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])), rng.uniform(0, 6.283)
    printed = rng.random() < (0.75 if kind in ('carton', 'can', 'bottle') else 0.1)
    if printed:
        image = materials.label(rng) if rng.random() < 0.6 else materials.picture(rng)
    else:
        image = materials.color(rng, (0.1, 1), (0, 0.9))
    look = builder.material(image, gloss=rng.uniform(0, 0.3) if rng.random() < 0.3 else 0.0)
    if kind == 'carton':
        size = np.array([rng.uniform(0.05, 0.22), rng.uniform(0.06, 0.3), rng.uniform(0.03, 0.1)])
        size = size[[0, 2, 1]] if lying else size
        builder.box(np.asarray(spot) + (0, size[1] / 2, 0), size, look, float(size.max()), yaw)
        return
    outline = outline_of(rng, kind)
    triangles, uvs = lathe(outline)
    if lying and kind in ('can', 'bottle'):
        radius, length = np.max(outline, 0)
        triangles = triangles[..., [1, 0, 2]] + (-length / 2, radius, 0)
    builder.add(triangles @ rotation_y(yaw).T + np.asarray(spot), uvs, look)


def lay_packages(bench: Bench, width: float, depth: float, count: int) -> None:
    """Stand things apart from each other about the middle of a surface of that size [m]."""
    rng, half = bench.builder.rng, np.array([width, depth]) / 2
    stand: list[NDArray] = []
    for _ in range(count):
        at = rng.normal(0, 0.22, 2)
        if (np.abs(at) > half - REACH).any() or any(
                np.hypot(*(at - other)) < 0.13 for other in stand):
            continue
        stand.append(at)
        put_package(bench.builder, bench.point(at[0], 0, at[1]), lying=rng.random() < 0.3)


def put_bin(bench: Bench) -> None:
    """Put an open box with things heaped in it."""
    builder, rng = bench.builder, bench.builder.rng
    width, height, depth = rng.uniform(0.25, 0.7), rng.uniform(0.1, 0.4), rng.uniform(0.25, 0.5)
    look = builder.material(materials.color(rng, (0.1, 0.95), (0, 0.9)))
    bench.box((0, WALL / 2, 0), (width, WALL, depth), look)
    for side in (-0.5, 0.5):
        bench.box((side * width, height / 2, 0), (WALL, height, depth), look)
        bench.box((0, height / 2, side * depth), (width, height, WALL), look)
    for _ in range(few(rng, 20) - 1):
        a, b = rng.uniform(-0.5, 0.5, 2) * (width - 0.2, depth - 0.2)
        put_package(builder, bench.point(a, WALL + rng.uniform(0, 0.4) * height, b),
                    lying=rng.random() < 0.8)
