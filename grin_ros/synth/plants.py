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

"""Plants: trees, bushes and hedges out of low-poly bodies and cards with leaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grin_ros.synth import outdoors
from grin_ros.synth.lathe import lathe
from grin_ros.synth.scene import rotation_y, SceneBuilder

CARD_UVS = np.array([[(0, 0), (1, 0), (1, 1)], [(0, 0), (1, 1), (0, 1)]], np.float32)


class Plant:
    """One grown plant that can be placed many times, turned and scaled."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.triangles: list[NDArray] = []
        self.uvs: list[NDArray] = []
        self.face_materials: list[NDArray] = []

    def add(self, triangles: NDArray, uvs: NDArray, material: int) -> None:
        """Add a part."""
        self.triangles.append(triangles)
        self.uvs.append(uvs)
        self.face_materials.append(np.full(len(triangles), material))

    def place(self, builder: SceneBuilder, x: float, z: float, scale: float, yaw: float) -> None:
        """Put a copy on the ground."""
        triangles = np.concatenate(self.triangles) * scale @ rotation_y(yaw).T
        builder.add(triangles + np.array([x, 0.0, z]), np.concatenate(self.uvs),
                    np.concatenate(self.face_materials))


def grow_tree(builder: SceneBuilder) -> Plant:
    """Grow a broad-leaved or conical tree 1 m high (to be scaled), with trunk and crown."""
    rng, tree = builder.rng, Plant()
    bark = builder.material(outdoors.bark(rng))
    conical = rng.random() < 0.3
    clear = rng.uniform(0.08, 0.2) if conical else rng.uniform(0.2, 0.42)
    radius = rng.uniform(0.12, 0.22) if conical else rng.uniform(0.22, 0.42)
    trunk, uvs = lathe([(rng.uniform(0.012, 0.03), 0), (0.006, 0.9 if conical else 0.7)], sides=7)
    tree.add(trunk, uvs * (2, 3), bark)
    tone = outdoors.leaves(rng)
    crown, body = builder.material(tone), builder.material(tone[..., :3] * 0.5 / 255)
    height = np.sort(rng.random(rng.integers(90, 190)))
    profile = (1 - height) ** 0.8 if conical else np.sqrt(np.clip(1 - (2 * height - 1) ** 2, 0, 1))
    around = rng.uniform(0, 2 * np.pi, len(height))
    reach = radius * profile * rng.uniform(0.55, 1.0, len(height))
    centers = np.stack([reach * np.cos(around), clear + height * (1 - clear),
                        reach * np.sin(around)], -1)
    tree.add(*_cards(rng, centers, rng.uniform(0.1, 0.2) * (0.7 if conical else 1)), crown)
    if not conical:  # a dark body, so that the sky does not shine through everywhere
        triangles, uvs = _ball(rng, 0.25)
        tree.add(triangles * (radius * 0.6, (1 - clear) * 0.3, radius * 0.6)
                 + (0, (1 + clear) / 2, 0), uvs, body)
    return tree


def grow_bush(builder: SceneBuilder) -> Plant:
    """Grow a bush 1 m wide (to be scaled)."""
    rng, bush = builder.rng, Plant()
    tone = outdoors.leaves(rng)
    tall = rng.uniform(0.5, 1.1)
    triangles, uvs = _ball(rng, 0.2)
    bush.add(triangles * (0.36, tall * 0.4, 0.36) + (0, tall * 0.4, 0), uvs,
             builder.material(tone[..., :3] * 0.6 / 255))
    directions = rng.normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centers = directions * (0.4, tall * 0.45, 0.4) + (0, tall * 0.45, 0)
    bush.add(*_cards(rng, centers, 0.35), builder.material(tone))
    return bush


def plant_hedge(builder: SceneBuilder, start: NDArray, end: NDArray, width: float,
                height: float) -> None:
    """Plant a clipped hedge between two points on the ground: a box with ragged leaves."""
    rng = builder.rng
    tone = outdoors.leaves(rng)
    along = end - start
    length = float(np.linalg.norm(along))
    yaw = float(np.arctan2(along[0], along[2]))
    middle = (start + end) / 2
    # The body is the leaf texture without its gaps.
    body = builder.material(tone[..., :3] * rng.uniform(0.7, 1.0) / 255)
    builder.box(middle + (0, height / 2, 0), (width, height, length), body, 0.6, yaw)
    count = min(int(length * height * 8), 600)
    local = rng.uniform(-0.5, 0.5, (count, 3)) * (width, height, length)
    face = rng.random(count) < 0.3
    local[face, 1] = height / 2
    local[~face, 0] = np.sign(local[~face, 0]) * width / 2
    centers = local @ rotation_y(yaw).T + middle + (0, height / 2, 0)
    builder.add(*_cards(rng, centers, 0.4), builder.material(tone))


def _cards(rng: np.random.Generator, centers: NDArray, size: float) -> tuple[NDArray, NDArray]:
    """Return square cards with random directions at centers."""
    a, b = rng.normal(size=(2, len(centers), 3))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b -= a * np.einsum('ij,ij->i', a, b)[:, None]
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    half = size / 2 * rng.uniform(0.7, 1.3, (len(centers), 1))
    a, b = a * half, b * half
    p = np.stack([centers - a - b, centers + a - b, centers + a + b, centers - a + b], 1)
    triangles = p[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3)
    return triangles, np.tile(CARD_UVS, (len(centers), 1, 1))


def _ball(rng: np.random.Generator, roughness: float) -> tuple[NDArray, NDArray]:
    """Return a lumpy unit ball."""
    rows, columns = 6, 9
    theta = np.linspace(0, np.pi, rows + 1)[:, None]
    phi = np.linspace(0, 2 * np.pi, columns + 1)[None]
    bumps = 1 + roughness * rng.uniform(-1, 1, (rows + 1, columns + 1))
    bumps[:, -1], bumps[0], bumps[-1] = bumps[:, 0], 1, 1
    grid = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta) + 0 * phi,
                     np.sin(theta) * np.sin(phi)], -1) * bumps[..., None]
    p = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], 2).reshape(-1, 4, 3)
    triangles = p[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3)
    return triangles, np.tile(CARD_UVS, (len(p), 1, 1))
