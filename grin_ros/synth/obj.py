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

"""Wavefront models: an OBJ file in, triangles with texture coordinates and materials out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

TEXTURE_SIZE = 384  # px; smaller ones blur close by, and what is learnt then hangs on the blur


@dataclass(eq=False)
class ModelMaterial:
    """Look of a part: sRGB colour, opacity, shininess and perhaps an RGBA texture."""

    color: tuple[float, float, float] = (0.6, 0.6, 0.6)
    opacity: float = 1.0
    shininess: float = 0.0
    texture: NDArray[np.uint8] | None = None


@dataclass(eq=False)
class Mesh:
    """
    A triangle soup.

    :param triangles: (n, 3, 3) float32 corners.
    :param uvs: (n, 3, 2) float32 texture coordinates, v upwards.
    :param face_materials: (n,) int16 index into materials.
    :param materials: the looks.
    """

    triangles: NDArray[np.float32]
    uvs: NDArray[np.float32]
    face_materials: NDArray[np.int16]
    materials: list[ModelMaterial]


def read_texture(path: Path) -> NDArray[np.uint8] | None:
    """Read an image as RGBA of at most TEXTURE_SIZE px; None where there is no readable image."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if image is None:
        return None
    if image.dtype != np.uint8:
        image = (image / 257).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    scale = TEXTURE_SIZE / max(image.shape[:2])
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return cv2.cvtColor(image, code).astype(np.uint8)


def read_mtl(path: Path) -> dict[str, ModelMaterial]:
    """Read the materials of an MTL file by name."""
    materials: dict[str, ModelMaterial] = {}
    current = ModelMaterial()
    for line in path.read_text('latin1').splitlines():
        words = line.split()
        if not words:
            continue
        key = words[0].lower()
        if key == 'newmtl':
            current = materials[line.split(None, 1)[1].strip()] = ModelMaterial()
        elif key == 'kd':
            red, green, blue = (float(word) for word in words[1:4])
            current.color = (red, green, blue)
        elif key == 'd':
            current.opacity = float(words[1])
        elif key == 'tr':
            current.opacity = 1 - float(words[1])
        elif key == 'ns':
            current.shininess = float(words[1])
        elif key == 'map_kd':
            # The name may hold spaces, or options may stand in front of it.
            whole = read_texture(path.parent / line.split(None, 1)[1].strip())
            current.texture = read_texture(path.parent / words[-1]) if whole is None else whole
    return materials


def read_obj(path: Path) -> Mesh | None:
    """Read an OBJ file with its MTL files; None when it holds no face."""
    corners: list[list[str]] = []
    texture_corners: list[list[str]] = []
    faces: list[tuple[int, int, int]] = []
    texture_faces: list[tuple[int, int, int]] = []
    face_materials: list[int] = []
    library: dict[str, ModelMaterial] = {}
    names: dict[str, int] = {}
    current = 0
    for line in path.read_text('latin1').splitlines():
        if line.startswith('v '):
            corners.append(line.split()[1:4])
        elif line.startswith('vt'):
            texture_corners.append(line.split()[1:3])
        elif line.startswith('f '):
            parts = [word.split('/') for word in line.split()[1:]]
            # OBJ counts from 1, or backwards from the end; 0 stands here for "no texture".
            vertex = [_index(part[0], len(corners)) for part in parts]
            texture = [_index(part[1], len(texture_corners)) if len(part) > 1 and part[1] else -1
                       for part in parts]
            for i in range(1, len(parts) - 1):
                faces.append((vertex[0], vertex[i], vertex[i + 1]))
                texture_faces.append((texture[0], texture[i], texture[i + 1]))
                face_materials.append(current)
        elif line.startswith('usemtl'):
            words = line.split(None, 1)
            current = names.setdefault(words[1].strip() if len(words) > 1 else '', len(names))
        elif line.startswith('mtllib'):
            mtl = path.parent / line.split(None, 1)[1].strip()
            if mtl.is_file():
                library.update(read_mtl(mtl))
    if not faces:
        return None
    names = names or {'': 0}
    texture_index = np.array(texture_faces)
    texture_xy = np.array(texture_corners or [['0', '0']], np.float32)
    uvs = texture_xy[np.clip(texture_index, 0, len(texture_xy) - 1)]
    uvs[texture_index < 0] = 0
    return Mesh(triangles=np.array(corners, np.float32)[np.array(faces)], uvs=uvs,
                face_materials=np.array(face_materials, np.int16),
                materials=[library.get(name, ModelMaterial()) for name in names])


def _index(word: str, count: int) -> int:
    """Turn an OBJ index (from 1, or negative from the end) into one from 0."""
    index = int(word)
    return index - 1 if index > 0 else count + index
