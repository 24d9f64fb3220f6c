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

"""Windows: a place on a wall in; panes, bars, sill, curtains, a radiator and daylight out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grin_ros.synth import materials
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.tables import Light

FOLD_M = 0.06  # depth of the folds of curtains
LEAVES_M = 0.9  # no pane is wider than about this


def add_window(builder: SceneBuilder, origin: NDArray, along: NDArray, inward: NDArray,
               size: tuple[float, float], daylight: float) -> None:
    """
    Set a window into a wall.

    :param origin: its lower corner on the wall [m]; along and inward: unit vectors.
    :param size: width and height [m].
    :param daylight: radiance of a white thing outside; a room's own light is about 1.
    """
    rng = builder.rng
    width, tall = size
    up = np.array([0.0, 1.0, 0.0])

    def box(a: float, y: float, out: float, extent: tuple[float, float, float], look: int) -> None:
        """Add a box by its middle and its extent along the wall, upwards and inwards."""
        axes = np.abs(np.stack([along, up, inward]))
        builder.box(origin + along * a + up * y + inward * out, np.array(extent) @ axes, look)

    view = builder.material(materials.landscape(rng, rng.random() < 0.8), emission=daylight,
                            gloss=0.3 if daylight < 0.2 else 0.0)
    builder.quad(origin + inward * 0.012, along * width, up * tall, view)
    frame = builder.material(materials.color(rng, (0.3, 1), (0, 0.3)))
    bar, deep = rng.uniform(0.03, 0.08), rng.uniform(0.02, 0.07)
    for a, y, wide, high in ((width / 2, 0, width + bar, bar), (width / 2, tall, width + bar, bar),
                             (0, tall / 2, bar, tall), (width, tall / 2, bar, tall)):
        box(a, y, deep / 2, (wide, high, deep), frame)
    leaves = max(1, round(width / (LEAVES_M * rng.uniform(0.6, 1.4))))
    for leaf in range(1, leaves):
        box(width * leaf / leaves, tall / 2, deep / 2, (bar, tall, deep), frame)
    if rng.random() < 0.2:  # a transom
        box(width / 2, tall * rng.uniform(0.4, 0.8), deep / 2, (width, bar * 0.7, deep), frame)
    if origin[1] > 0.3 and rng.random() < 0.6:
        reach = rng.uniform(0.08, 0.28)
        box(width / 2, -bar / 2, reach / 2, (width + 0.1, 0.03, reach), frame)
    if origin[1] > 0.45 and rng.random() < 0.4:
        _radiator(builder, origin + along * (width / 2), along, inward,
                  (width * rng.uniform(0.6, 1.0), origin[1] - rng.uniform(0.12, 0.3)))
    choice = rng.random()
    if choice < 0.3:
        _curtains(builder, origin, along, inward, size)
    elif choice < 0.42:  # a blind hides the upper part
        drop = tall * rng.uniform(0.15, 0.95)
        look = builder.material(materials.color(rng, (0.4, 1.0), (0, 0.3)),
                                emission=0.1 * daylight)
        box(width / 2, tall - drop / 2, deep + 0.02, (width, drop, 0.01), look)
    if daylight > 0.3:
        # What is seen outside is grey on average; the light shines where the cross product
        # of its edges points.
        first, second = along * width, up * tall
        if np.cross(first, second) @ inward < 0:
            first, second = second, first
        power = np.array([0.9, 0.97, 1.1]) * 0.4 * daylight * width * tall / np.pi
        middle = builder.origin + origin + along * (width / 2) + up * (tall / 2) + inward * 0.1
        builder.lights.append(Light(middle, first.tolist(), second.tolist(), power))


def _radiator(builder: SceneBuilder, middle: NDArray, along: NDArray, inward: NDArray,
              size: tuple[float, float]) -> None:
    """Put a radiator of (width, top) [m] under a window: panels with ribs."""
    rng = builder.rng
    width, top = size
    foot = rng.uniform(0.08, 0.16)
    if top - foot < 0.2:
        return
    depth = rng.uniform(0.06, 0.14)
    look = np.ones((8, 64, 3)) * rng.uniform(0.7, 0.95)
    look[:, ::4] *= rng.uniform(0.6, 0.9)
    center = np.array([middle[0], (foot + top) / 2, middle[2]]) + inward * (0.03 + depth / 2)
    builder.box(center, np.abs(along) * width + np.abs(inward) * depth + (0, top - foot, 0),
                builder.material(look), 16 * rng.uniform(0.04, 0.07))


def _curtains(builder: SceneBuilder, origin: NDArray, along: NDArray, inward: NDArray,
              size: tuple[float, float]) -> None:
    """Hang curtains with folds at both sides of a window, down to the floor or the sill."""
    rng = builder.rng
    width, tall = size
    cloth = materials.color(rng, (0.3, 1.0), (0, 0.5)) if rng.random() < 0.7 else \
        materials.texture(rng, str(rng.choice(['stripe', 'camouflage', 'clouds'])), 0.5)
    look = builder.material(cloth)
    top = tall + rng.uniform(0.05, 0.2)
    bottom = 0.03 - origin[1] if rng.random() < 0.6 else -rng.uniform(0.05, 0.2)
    covers = min(rng.uniform(0.15, 0.5), 0.45 * width)
    for begin, end in ((-0.08, covers), (width - covers, width + 0.08)):
        folds = max(4, round((end - begin) / rng.uniform(0.03, 0.06)))
        edges = np.linspace(begin, end, folds + 1)
        out = 0.09 + FOLD_M * np.where(np.arange(folds + 1) % 2, 0.5, -0.5) \
            * rng.uniform(0.4, 1.0, folds + 1)
        for i in range(folds):
            foot = origin + along * edges[i] + inward * out[i] + (0, bottom, 0)
            step = along * (edges[i + 1] - edges[i]) + inward * (out[i + 1] - out[i])
            builder.quad(foot, step, (0, top - bottom, 0), look, (0.1, 2.0))
