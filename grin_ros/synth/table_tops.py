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

"""Table tops: a bare table in; one with the things of a meal, of work or of every day out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grin_ros.synth import materials
from grin_ros.synth.fitments import Bench, PATTERN_M, PATTERNS
from grin_ros.synth.furniture import few, Furniture, pick
from grin_ros.synth.packages import lay_packages, put_bin
from grin_ros.synth.scene import rotation_y, SceneBuilder


def lay_table(builder: SceneBuilder, furniture: Furniture, size: tuple[float, float, float],
              pose: tuple[float, float, float]) -> None:
    """
    Put small things on a table, and screen and keyboard on some that are large enough.

    :param size: of the table (width, height, depth) [m].
    :param pose: x, z [m] and yaw [rad] of the table.
    """
    rng = builder.rng
    x, z, yaw = pose
    top, turn = np.array([x, size[1] + 0.002, z]), rotation_y(yaw)
    bench = Bench(builder, top, yaw)
    things = furniture.small
    if size[0] > 0.9 and size[2] > 0.5 and rng.random() < 0.4:
        _workplace(bench, size[2])
        things = furniture.office
    elif rng.random() < 0.2:
        _mat(bench, (size[0], size[2]))
    if rng.random() < 0.45:
        _papers(bench, (size[0], size[2]))
    if rng.random() < 0.45:
        lay_packages(bench, size[0], size[2], few(rng, 19))
    elif min(size[0], size[2]) > 0.6 and rng.random() < 0.3:
        put_bin(bench)
    if furniture.counter and size[0] > 0.7 and rng.random() < 0.25:
        builder.model(pick(rng, furniture.counter),
                      top + turn @ np.array([rng.uniform(-0.3, 0.3) * size[0], 0, 0]), yaw)
    for _ in range(few(rng, 14) - 1 if things else 0):
        a, b = rng.uniform(-0.45, 0.45, 2) * (size[0], size[2])
        builder.model(pick(rng, things), top + turn @ np.array([a, 0, b]),
                      rng.uniform(0, 2 * np.pi))


def _mat(bench: Bench, size: tuple[float, float]) -> None:
    """Lay a mat on a table of that size (x, z) [m]: not all that is checked is a floor."""
    builder, rng = bench.builder, bench.builder.rng
    x, z = np.array(size) * rng.uniform(0.3, 0.7)  # it lies on round tables, too
    look = builder.material(materials.texture(rng, str(rng.choice(PATTERNS)), 0.8))
    texture_m = PATTERN_M * 12 ** rng.random()
    bench.sheet((-x / 2, 0.0, z / 2), (x, 0, 0), (0, 0, -z), look,
                (x / texture_m, z / texture_m))


def _papers(bench: Bench, size: tuple[float, float]) -> None:
    """Leave sheets of A6 to A3, books and piles of them on a table of that size (x, z) [m]."""
    builder, rng = bench.builder, bench.builder.rng
    looks = [builder.material(materials.page(rng)), builder.material(materials.picture(rng)),
             builder.material(materials.color(rng, (0.1, 0.98), (0, 0.8)))]
    for _ in range(few(rng, 15)):
        width = 0.105 * np.sqrt(2) ** rng.integers(0, 4)
        length = width * np.sqrt(2)
        reach = np.hypot(width, length) / 2  # however it is turned, it lies on the table
        room = np.array(size) / 2 - reach
        if room.min() < 0:
            continue
        a, b = rng.uniform(-1, 1, 2) * room
        angle = bench.yaw + rng.integers(4) * np.pi / 2 + rng.normal(0, 0.2)
        pile = Bench(builder, bench.point(a, 0, b), angle)
        for _ in range(rng.integers(1, 7) if rng.random() < 0.35 else 0):
            thick = rng.uniform(0.006, 0.04)
            replace(pile, yaw=angle + rng.normal(0, 0.08)).box(
                (0, thick / 2, 0), (width, thick, length), looks[rng.integers(3)], 0.3)
            pile = replace(pile, foot=pile.foot + (0, thick, 0))
        pile.sheet((-width / 2, 0.0005, length / 2), (width, 0, 0), (0, 0, -length),
                   looks[rng.integers(3)])


def _workplace(bench: Bench, depth: float) -> None:
    """Put a screen, a keyboard and a mouse on a table, of the sizes that such things have."""
    builder, rng = bench.builder, bench.builder.rng
    dark = builder.material(materials.color(rng, (0.03, 0.25), (0, 0.1)))
    case = builder.material(materials.color(rng, (0.03, 0.9), (0, 0.1)))
    if rng.random() < 0.5:  # the front of a model is not known
        bench = replace(bench, yaw=bench.yaw + np.pi)
    at = rng.uniform(-0.2, 0.2)
    width = rng.uniform(0.38, 0.62)
    height, foot, back = width / rng.uniform(1.3, 1.78), rng.uniform(0.06, 0.16), 0.12 - depth / 2
    bench.box((at, foot + height / 2, back), (width, height, 0.03), case)
    bench.box((at, foot / 2, back - 0.02), (0.05, foot, 0.03), case)
    bench.box((at, 0.008, back), (0.24, 0.016, 0.18), case)
    glows = rng.random() < 0.5
    screen = builder.material(materials.picture(rng), tint=(1.5,) * 3) if glows else dark
    bench.sheet((at - width / 2 + 0.015, foot + 0.015, back + 0.016), (width - 0.03, 0, 0),
                (0, height - 0.03, 0), screen)
    near = min(back + rng.uniform(0.25, 0.5), depth / 2 - 0.08)
    bench.box((at, 0.01, near), (rng.uniform(0.38, 0.46), 0.02, rng.uniform(0.12, 0.16)), case)
    bench.sheet((at - 0.18, 0.0205, near + 0.05), (0.36, 0, 0), (0, 0, -0.1),
                builder.material(_keys(rng)))
    bench.box((at + rng.uniform(0.28, 0.36), 0.015, near), (0.06, 0.03, 0.1), case)


def _keys(rng: np.random.Generator) -> np.ndarray:
    """Return the look of 6 rows of 16 keys."""
    row, column = np.mgrid[:48, :128]
    gap = (row % 8 < 2) | (column % 8 < 2)
    look = np.where(gap[..., None], materials.color(rng, (0.02, 0.3), (0, 0.1)),
                    materials.color(rng, (0.05, 0.95), (0, 0.1)))
    return np.clip(look * rng.normal(1, 0.03, (48, 128, 1)), 0, 1)
