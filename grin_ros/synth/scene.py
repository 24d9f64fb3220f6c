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

"""Scene: quads, boxes and models with materials and lights in, ray-castable arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.errors import require
from grin_ros.synth import materials
from grin_ros.synth.assets import Model
from grin_ros.synth.grain import Grain, tiles
from grin_ros.synth.tables import Light, Sky, Tables

MIP_LEVELS = 8


@dataclass(frozen=True)
class Scene:
    """
    A world that rays can be cast into; y up, right-handed, metres.

    :param tree: embree.RayTree over the faces of the tables.
    :param ambient: linear RGB of the light that has bounced many times.
    :param haze_m: distance at which air has swallowed 63 % of a colour; 0 for no haze.
    """

    tables: Tables
    tree: Any
    ambient: NDArray[np.float32]
    sky: Sky | None
    haze_m: float


def _unit_cube() -> tuple[NDArray, NDArray, NDArray]:
    """Return (12, 3, 3) triangles, their (12, 3, 2) uvs and the (12, 2) axes u and v run along."""
    triangles, uvs, edges = [], [], []
    square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
    for axis, u_axis, v_axis in ((0, 2, 1), (1, 0, 2), (2, 0, 1)):  # v runs upwards on walls
        for side in (-0.5, 0.5):
            corners = np.zeros((4, 3))
            corners[:, axis] = side
            corners[:, [u_axis, v_axis]] = square - 0.5
            for half in ([0, 1, 2], [0, 2, 3]):
                triangles.append(corners[half])
                uvs.append(square[half])
                edges.append((u_axis, v_axis))
    return np.array(triangles), np.array(uvs), np.array(edges)


CUBE, CUBE_UVS, CUBE_EDGES = _unit_cube()


class SceneBuilder:
    """Collects triangles, materials and lights; build() makes the Scene."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start empty; rng varies the looks of models."""
        self.rng = rng
        self.lights: list[Light] = []
        self.ambient = np.full(3, 0.3)
        self.sky: Sky | None = None
        self.haze_m = 0.0
        self.origin = np.zeros(3)  # of what is added next [m]
        self._triangles: list[NDArray] = []
        self._uvs: list[NDArray] = []
        self._face_materials: list[NDArray] = []
        self._offsets: list[list[int]] = []
        self._sizes: list[list[tuple[int, int]]] = []
        self._texels: list[NDArray] = []
        self._texel_count = self._face_count = 0
        self._looks: list[tuple[float, float, float]] = []
        self._tints: list[ArrayLike] = []
        self._grains: list[Grain] = []

    def material(self, texture: ArrayLike, opacity: float = 1.0, emission: float = 0.0,
                 gloss: float = 0.0, tint: ArrayLike = (1, 1, 1),
                 grain: Grain | None = None) -> int:
        """
        Add a material and return its number.

        :param texture: one sRGB colour (3,), an image (H, W, 3 or 4) in 0..1, or uint8.
        :param opacity: below 0.5 rays pass through (a texture's alpha multiplies it).
        :param emission: light that the surface sends out, in its own colour.
        :param gloss: share of mirror reflection seen head-on.
        :param tint: factor on the linear colour.
        :param grain: the detail close by; None draws one.
        """
        image = np.asarray(texture)
        image = image.reshape(1, 1, 3) if image.ndim == 1 else image
        if image.dtype != np.uint8:
            image = (np.clip(image, 0, 1) * 255).astype(np.uint8)
        if image.shape[2] == 3:
            image = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
        offsets: list[int] = []
        sizes: list[tuple[int, int]] = []
        for _ in range(MIP_LEVELS):
            height, width = image.shape[:2]
            if not sizes or sizes[-1] != (width, height):
                self._texels.append(image.reshape(-1, 4))
                self._texel_count += height * width
            offsets.append(self._texel_count - height * width)
            sizes.append((width, height))
            if height * width > 1:
                half = (max(1, width // 2), max(1, height // 2))
                image = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
        self._offsets.append(offsets)
        self._sizes.append(sizes)
        self._looks.append((opacity, emission, gloss))
        self._tints.append(tint)
        self._grains.append(Grain.draw(self.rng) if grain is None else grain)
        return len(self._offsets) - 1

    def add(self, triangles: ArrayLike, uvs: ArrayLike, face_materials: ArrayLike) -> None:
        """Add (n, 3, 3) triangles with (n, 3, 2) uvs and one material or n of them."""
        triangles = (np.asarray(triangles) + self.origin).astype(np.float32)
        self._triangles.append(triangles)
        self._face_count += len(triangles)
        self._uvs.append(np.asarray(uvs, np.float32))
        self._face_materials.append(
            np.broadcast_to(np.asarray(face_materials, np.int32), len(triangles)))

    def quad(self, origin: ArrayLike, edge_a: ArrayLike, edge_b: ArrayLike, material: int,
             repeat: tuple[float, float] = (1.0, 1.0), turned: bool = False) -> None:
        """Add a parallelogram; its texture runs repeat times along the two edges."""
        o, a, b = (np.asarray(x, np.float64) for x in (origin, edge_a, edge_b))
        p = np.stack([o, o + a, o + a + b, o + b])
        uv = np.array([(0, 0), (repeat[0], 0), repeat, (0, repeat[1])])
        uv = uv[:, ::-1] if turned else uv
        corners = [[0, 1, 2], [0, 2, 3]]
        self.add(p[corners], uv[corners], material)

    def box(self, center: ArrayLike, size: ArrayLike, material: int, texture_m: float = 1.0,
            yaw: float = 0.0) -> None:
        """Add a box turned about the vertical; texture_m is the real size of the texture [m]."""
        size = np.asarray(size, np.float64)
        corners = (CUBE * size) @ rotation_y(yaw).T + np.asarray(center)
        self.add(corners, CUBE_UVS * (size[CUBE_EDGES] / texture_m)[:, None], material)

    def model(self, model: Model, position: ArrayLike, yaw: float, recolor: float = 0.4,
              looks: list[int] | None = None) -> list[int]:
        """
        Place a model with its foot at position; the chance recolor gives it new colours.

        :param looks: the materials of another of the same model, when they are a set.
        :returns: its materials.
        """
        looks = self._looks_of(model, recolor) if looks is None else looks
        triangles = model.mesh.triangles @ rotation_y(yaw).T
        self.add(triangles + np.asarray(position), model.mesh.uvs,
                 np.array(looks)[model.mesh.face_materials])
        return looks

    def _looks_of(self, model: Model, recolor: float) -> list[int]:
        """Add the materials of a model, some with new colours."""
        rng = self.rng
        new_colors = rng.random() < recolor
        numbers = []
        for look in model.mesh.materials:
            opacity = min(1.0, look.opacity)
            if look.texture is not None:
                tint = rng.uniform(0.6, 1.2, 3) if new_colors else (1, 1, 1)
                numbers.append(self.material(look.texture, opacity, tint=tint))
                continue
            gloss = 0.25 if look.shininess > 60 and rng.random() < 0.3 else 0.0
            if new_colors and rng.random() < 0.15:
                texture = materials.texture(rng)
            elif new_colors and rng.random() < 0.7:
                texture = materials.color(rng)
            else:
                texture = np.clip(look.color, 0.03, 1)
            numbers.append(self.material(texture, opacity, gloss=gloss))
        return numbers

    @property
    def face_count(self) -> int:
        """Return the number of triangles so far."""
        return self._face_count

    def build(self) -> Scene:
        """Make the arrays and the ray-casting tree."""
        triangles = np.concatenate(self._triangles)
        normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
        area = np.linalg.norm(normals, axis=1)
        keep = area > 1e-10
        triangles, area = triangles[keep], area[keep]
        uvs = np.concatenate(self._uvs)[keep]
        face_materials = np.concatenate(self._face_materials)[keep]
        sizes = np.array(self._sizes, np.int32)
        e, f = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
        texels = np.abs(e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]) * sizes[face_materials, 0].prod(1)
        looks = np.array(self._looks, np.float32)
        tables = Tables(
            uvs=uvs, normals=(normals[keep] / area[:, None]).astype(np.float32),
            density=np.sqrt(np.maximum(texels, 1e-9) / area).astype(np.float32),
            face_materials=np.ascontiguousarray(face_materials),
            texel_offsets=np.array(self._offsets, np.int64), texture_sizes=sizes,
            texels=np.concatenate(self._texels), tints=np.array(self._tints, np.float32),
            opacities=looks[:, 0].copy(), emissions=looks[:, 1].copy(), glosses=looks[:, 2].copy(),
            grains=np.array(self._grains, np.float32), grain_tiles=tiles(),
            light_positions=_rows([light.position for light in self.lights]),
            light_edges=_rows([(light.edge_a, light.edge_b) for light in self.lights], 2),
            light_powers=_rows([light.power for light in self.lights]),
            light_is_sun=np.array([light.is_sun for light in self.lights], bool))
        tree = require('grin_ros.synth.embree', 'train').RayTree(triangles)
        return Scene(tables, tree, np.asarray(self.ambient, np.float32), self.sky,
                     self.haze_m)


def rotation_y(yaw: float) -> NDArray[np.float32]:
    """Return the rotation about the vertical that turns +z towards +x by yaw [rad]."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def _rows(values: Sequence[Any], *shape: int) -> NDArray[np.float32]:
    """Stack vectors to (n, ..., 3), also when there are none."""
    return np.array(values, np.float32).reshape(len(values), *shape, 3)
