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

"""Compiled loops of the renderer: texture look-up, light samples and a denoiser, per pixel."""

from __future__ import annotations

from numba import njit
import numpy as np

GAMMA = np.power(np.arange(256) / 255.0, 2.2).astype(np.float32)  # sRGB byte -> linear


@njit(cache=True)
def surface_colors(faces, us, vs, distances, cosines, spread, tables, colors, alphas):
    """
    Look up linear colour and opacity of hits, bilinear in the mip level that fits.

    :param faces: (n,) hit faces, with barycentric us and vs, distances [m] and |cos| to the ray.
    :param spread: size of a pixel at 1 m [m].
    :param tables: scene.Tables.
    :param colors: (n, 3) float32, written; alphas (n,) too.
    """
    levels = tables.texel_offsets.shape[1]
    for i in range(len(faces)):
        face = faces[i]
        material = tables.face_materials[face]
        u, v = us[i], vs[i]
        w = np.float32(1) - u - v
        uv = tables.uvs[face]
        x = uv[0, 0] * w + uv[1, 0] * u + uv[2, 0] * v
        y = uv[0, 1] * w + uv[1, 1] * u + uv[2, 1] * v
        # Grazing views see more texels per pixel along one axis: meet in the middle.
        footprint = distances[i] * spread * tables.density[face]
        footprint /= np.sqrt(max(cosines[i], np.float32(0.05)))
        level = int(np.log2(footprint) + 0.5) if footprint > 1 else 0
        level = min(level, levels - 1)
        width = tables.texture_sizes[material, level, 0]
        height = tables.texture_sizes[material, level, 1]
        offset = tables.texel_offsets[material, level]
        x = (x - np.floor(x)) * width - 0.5
        y = (1 - (y - np.floor(y))) * height - 0.5
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - x0, y - y0
        red = green = blue = alpha = np.float32(0)
        for dy in range(2):
            for dx in range(2):
                weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy)
                texel = tables.texels[offset + (y0 + dy) % height * width + (x0 + dx) % width]
                red += weight * GAMMA[texel[0]]
                green += weight * GAMMA[texel[1]]
                blue += weight * GAMMA[texel[2]]
                alpha += weight * texel[3]
        colors[i, 0] = red * tables.tints[material, 0]
        colors[i, 1] = green * tables.tints[material, 1]
        colors[i, 2] = blue * tables.tints[material, 2]
        alphas[i] = alpha / np.float32(255) * tables.opacities[material]


@njit(cache=True)
def light_samples(points, normals, pixels, width, randoms, tables,
                  directions, distances, weights, bounces):
    """
    Choose one shadow ray and one bounce per point; neighbours take different lights.

    :param points: (n, 3) with normals (n, 3) towards the viewer; pixels (n,) their index.
    :param randoms: (n, 4) uniform numbers.
    :param directions: (n, 3) written: towards the light; distances (n,); weights (n, 3) RGB.
    :param bounces: (n, 3) written: a direction with cosine density about the normal.
    """
    lights = len(tables.light_positions)
    for i in range(len(points)):
        n = normals[i]
        if lights:
            row, column = pixels[i] // width, pixels[i] % width
            light = (column % 2 + 2 * (row % 2) + column // 2 + row // 2) % lights
            edges = tables.light_edges[light]
            a, b = randoms[i, 0] - 0.5, randoms[i, 1] - 0.5
            length = np.float32(0)
            for k in range(3):
                target = tables.light_positions[light, k] + edges[0, k] * a + edges[1, k] * b
                if not tables.light_is_sun[light]:
                    target -= points[i, k]
                directions[i, k] = target
                length += target * target
            length = np.sqrt(length)
            cosine = np.float32(0)
            for k in range(3):
                directions[i, k] /= length
                cosine += directions[i, k] * n[k]
            if tables.light_is_sun[light]:
                distances[i] = 1e4
                falloff = np.float32(1)
            else:
                distances[i] = length * 0.98
                falloff = 1 / max(length, np.float32(0.3)) ** 2
            for k in range(3):
                weights[i, k] = max(cosine, np.float32(0)) * falloff * lights \
                    * tables.light_powers[light, k]
        # Cosine-weighted direction: a point of the unit sphere around the normal's tip.
        z = 2 * randoms[i, 2] - 1
        angle = 2 * np.pi * randoms[i, 3]
        radius = np.sqrt(max(0.0, 1 - z * z))
        x, y, z = n[0] + radius * np.cos(angle), n[1] + radius * np.sin(angle), n[2] + z
        length = np.sqrt(x * x + y * y + z * z) + 1e-6
        bounces[i, 0], bounces[i, 1], bounces[i, 2] = x / length, y / length, z / length


@njit(cache=True)
def denoise(light, normals, distances, step):
    """
    Smooth (H, W, 3) light over one surface: an a-trous step with 3x3 taps, step pixels apart.

    :param normals: (H, W, 3); zero where nothing was hit.
    :param distances: (H, W) [m]; taps at another distance or with another normal do not count.
    """
    height, width = distances.shape
    out = np.empty_like(light)
    for y in range(height):
        for x in range(width):
            here, tolerance = distances[y, x], 0.03 * distances[y, x] + 0.01
            red = green = blue = count = np.float32(0)
            for dy in range(-step, step + 1, step):
                for dx in range(-step, step + 1, step):
                    j, i = y + dy, x + dx
                    if j < 0 or i < 0 or j >= height or i >= width:
                        continue
                    if abs(distances[j, i] - here) > tolerance:
                        continue
                    dot = normals[y, x, 0] * normals[j, i, 0] \
                        + normals[y, x, 1] * normals[j, i, 1] \
                        + normals[y, x, 2] * normals[j, i, 2]
                    if dot < 0.9 and (dx or dy):
                        continue
                    red += light[j, i, 0]
                    green += light[j, i, 1]
                    blue += light[j, i, 2]
                    count += 1
            out[y, x, 0] = red / count
            out[y, x, 1] = green / count
            out[y, x, 2] = blue / count
    return out
