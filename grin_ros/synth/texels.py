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

"""Texels: a face and where it was hit in, its colour from a texture and its grain out."""

# numba infers these types when it compiles; mypy cannot follow it.
# mypy: ignore-errors

from __future__ import annotations

import hashlib
from pathlib import Path

from numba import njit
import numpy as np

from grin_ros.synth.grain import LEVELS, SIZE, UNIT

GAMMA = np.power(np.arange(256) / 255.0, 2.2).astype(np.float32)  # sRGB byte -> linear

SOURCES = ('edges', 'grain', 'kernels', 'tables', 'texels')  # what compiled code is made of
VERSION = hashlib.sha256(b''.join(
    Path(__file__).with_name(f'{name}.py').read_bytes() for name in SOURCES)).hexdigest()[:12]


def compiled(function):
    """Compile a function, once for these SOURCES: numba looks for changes in its own file only."""
    function.__qualname__ += f'_{VERSION}'  # it names the file of what was compiled
    # Nothing is allocated in these loops; counting references to 15 arrays at every call doubled
    # their time, so the counting is off.
    return njit(cache=True, error_model='numpy', _nrt=False)(function)


@compiled
def around(x, y, width, height):
    """Return (texel, weight) of the four texels next to (x, y), of a picture that repeats."""
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    left, right = x0 % width, (x0 + 1) % width
    upper, lower = y0 % height * width, (y0 + 1) % height * width
    return ((upper + left, (1 - fx) * (1 - fy)), (upper + right, fx * (1 - fy)),
            (lower + left, (1 - fx) * fy), (lower + right, fx * fy))


@compiled
def surface(face, u, v, footprint_m, tables):
    """Return linear RGB and opacity at barycentric (u, v) of a face, bilinear in one mip level."""
    material, uv = tables.face_materials[face], tables.uvs
    w = 1 - u - v
    x = uv[face, 0, 0] * w + uv[face, 1, 0] * u + uv[face, 2, 0] * v
    y = uv[face, 0, 1] * w + uv[face, 1, 1] * u + uv[face, 2, 1] * v
    texels = footprint_m * tables.density[face]
    level = int(np.log2(texels) + 0.5) if texels > 1 else 0
    level = min(level, tables.texel_offsets.shape[1] - 1)
    width = tables.texture_sizes[material, level, 0]
    height = tables.texture_sizes[material, level, 1]
    offset = tables.texel_offsets[material, level]
    red = green = blue = alpha = 0.0
    for texel, weight in around((x - np.floor(x)) * width - 0.5,
                                (1 - (y - np.floor(y))) * height - 0.5, width, height):
        texel += offset
        red += weight * GAMMA[tables.texels[texel, 0]]
        green += weight * GAMMA[tables.texels[texel, 1]]
        blue += weight * GAMMA[tables.texels[texel, 2]]
        alpha += weight * tables.texels[texel, 3]
    return (red * tables.tints[material, 0], green * tables.tints[material, 1],
            blue * tables.tints[material, 2], alpha / 255 * tables.opacities[material])


@compiled
def grain(point, face, footprint_m, tables):
    """Return the factor that a surface's grain puts on its colour at a point (x, y, z) [m]."""
    amount, layer, texels_per_m = tables.grains[tables.face_materials[face]]
    texels = footprint_m * abs(texels_per_m)
    level = int(np.log2(texels) + 0.5) if texels > 1 else 0
    if amount == 0 or level >= LEVELS:
        return 1.0
    # The noise lies in the plane of two axes of the world that the surface faces most.
    a, b, c = (abs(tables.normals[face, 0]), abs(tables.normals[face, 1]),
               abs(tables.normals[face, 2]))
    x, y = point[0], point[1]
    if a >= max(b, c):
        x = point[2]
    elif b >= c:
        y = point[2]
    if texels_per_m < 0:
        x, y = y, x
    size = SIZE >> level
    first = (SIZE * SIZE - size * size) * 4 // 3  # how many texels finer levels have
    value = 0.0
    for texel, weight in around(x * abs(texels_per_m) / 2 ** level - 0.5,
                                y * abs(texels_per_m) / 2 ** level - 0.5, size, size):
        value += weight * tables.grain_tiles[int(layer), first + texel]
    return max(0.1, 1 + amount * value / UNIT)
