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

"""Edges: a picture with stairs along its edges in, the same with smooth edges out."""

# numba infers these types when it compiles; mypy cannot follow it.
# mypy: ignore-errors

from __future__ import annotations

import numpy as np

from grin_ros.synth.kernels import cast, sky_color
from grin_ros.synth.texels import compiled

# Three more samples per pixel, with the centre a rotated grid.
OFFSETS = np.array([[-0.375, 0.125], [0.125, -0.375], [0.3, 0.3]], np.float32)


@compiled
def soften_edges(rays, position, spread, passes, sky, haze_m, tables, embree, numbers, flags,
                 faces, distances, normals, light, mirrored, mirror_share, image):
    """
    Average the colours of pixels at edges with three more samples each; labels stay.

    A sample is lit like the pixel of the same surface next to it, so it needs one ray only.

    :param rays: (H, W, 3) world rays; faces, distances, mirror_share (H, W) and normals, light,
        mirrored (H, W, 3) as traced through the pixel centres.
    :param image: (H, W, 3) linear RGB, changed in place.
    """
    height, width = distances.shape
    eye = (position[0], position[1], position[2])
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            if faces[y, x] == -2 or not is_edge(x, y, faces, distances, normals, tables):
                continue
            red, green, blue = image[y, x, 0], image[y, x, 1], image[y, x, 2]
            for s in range(len(OFFSETS)):
                a, b = OFFSETS[s, 0] / 2, OFFSETS[s, 1] / 2
                ray = (rays[y, x, 0] + a * (rays[y, x + 1, 0] - rays[y, x - 1, 0])
                       + b * (rays[y + 1, x, 0] - rays[y - 1, x, 0]),
                       rays[y, x, 1] + a * (rays[y, x + 1, 1] - rays[y, x - 1, 1])
                       + b * (rays[y + 1, x, 1] - rays[y - 1, x, 1]),
                       rays[y, x, 2] + a * (rays[y, x + 1, 2] - rays[y, x - 1, 2])
                       + b * (rays[y + 1, x, 2] - rays[y - 1, x, 2]))
                if not np.isfinite(ray[0]):
                    ray = (rays[y, x, 0], rays[y, x, 1], rays[y, x, 2])
                face, distance, color = cast(eye, ray, np.inf, spread, passes, tables, embree,
                                             numbers, flags)
                if face < 0:
                    color = sky_color(ray, sky)
                else:
                    j, i = same_surface(x, y, face, distance, distances, normals, tables)
                    glow = tables.emissions[tables.face_materials[face]]
                    share = mirror_share[j, i]
                    clear = np.exp(-distance / haze_m) if haze_m else 1.0
                    horizon = sky[1]
                    c = color[0] * (light[j, i, 0] + glow)
                    r = (c + (mirrored[j, i, 0] - c) * share) * clear + horizon[0] * (1 - clear)
                    c = color[1] * (light[j, i, 1] + glow)
                    g = (c + (mirrored[j, i, 1] - c) * share) * clear + horizon[1] * (1 - clear)
                    c = color[2] * (light[j, i, 2] + glow)
                    b_ = (c + (mirrored[j, i, 2] - c) * share) * clear + horizon[2] * (1 - clear)
                    color = (r, g, b_)
                red, green, blue = red + color[0], green + color[1], blue + color[2]
            count = len(OFFSETS) + 1
            image[y, x, 0], image[y, x, 1], image[y, x, 2] = red / count, green / count, \
                blue / count


@compiled
def is_edge(x, y, faces, distances, normals, tables):
    """Return True where a neighbour shows another material, a step or a crease."""
    face, here = faces[y, x], distances[y, x]
    for j, i in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
        other = faces[j, i]
        if other == face or other == -2:
            continue
        if face < 0 or other < 0:
            return True
        if tables.face_materials[face] != tables.face_materials[other]:
            return True
        if abs(distances[j, i] - here) > 0.05 * here:
            return True
        if normals[y, x, 0] * normals[j, i, 0] + normals[y, x, 1] * normals[j, i, 1] \
                + normals[y, x, 2] * normals[j, i, 2] < 0.9:
            return True
    return False


@compiled
def same_surface(x, y, face, distance, distances, normals, tables):
    """Return row and column of the pixel nearby that lies most nearly on the plane of a hit."""
    best, row, column = np.inf, y, x
    for j in range(y - 1, y + 2):
        for i in range(x - 1, x + 2):
            if not np.isfinite(distances[j, i]):
                continue
            dot = tables.normals[face, 0] * normals[j, i, 0] \
                + tables.normals[face, 1] * normals[j, i, 1] \
                + tables.normals[face, 2] * normals[j, i, 2]
            cost = abs(distances[j, i] - distance) / distance + 1 - abs(dot)
            if cost < best:
                best, row, column = cost, j, i
    return row, column
