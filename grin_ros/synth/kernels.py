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

"""Compiled loops of the renderer: cast rays, look up textures, gather light, smooth it."""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
import numpy as np

GAMMA = np.power(np.arange(256) / 255.0, 2.2).astype(np.float32)  # sRGB byte -> linear
LIFT_M = 2e-3  # secondary rays start this far above the surface
NOTHING = 0xFFFFFFFF


@intrinsic
def call_c(typing_context, function, first, second, third):
    """Call the C function at an address with three pointers; an address can be cached."""
    def generate(context, builder, signature, arguments):
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word] * 3)
        pointer = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(pointer, arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


@njit(cache=True)
def surface(face, u, v, footprint_m, tables):
    """Return linear RGB and opacity at barycentric (u, v) of a face, bilinear in one mip level."""
    material = tables.face_materials[face]
    uv = tables.uvs[face]
    w = 1 - u - v
    x = uv[0, 0] * w + uv[1, 0] * u + uv[2, 0] * v
    y = uv[0, 1] * w + uv[1, 1] * u + uv[2, 1] * v
    texels = footprint_m * tables.density[face]
    level = int(np.log2(texels) + 0.5) if texels > 1 else 0
    level = min(level, tables.texel_offsets.shape[1] - 1)
    width = tables.texture_sizes[material, level, 0]
    height = tables.texture_sizes[material, level, 1]
    offset = tables.texel_offsets[material, level]
    x = (x - np.floor(x)) * width - 0.5
    y = (1 - (y - np.floor(y))) * height - 0.5
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0
    red = green = blue = alpha = 0.0
    for dy in range(2):
        for dx in range(2):
            weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy)
            texel = tables.texels[offset + (y0 + dy) % height * width + (x0 + dx) % width]
            red += weight * GAMMA[texel[0]]
            green += weight * GAMMA[texel[1]]
            blue += weight * GAMMA[texel[2]]
            alpha += weight * texel[3]
    tint = tables.tints[material]
    return (red * tint[0], green * tint[1], blue * tint[2],
            alpha / 255 * tables.opacities[material])


@njit(cache=True)
def cast(origin, toward, reach_m, spread, passes, tables, embree, ray_hit, result):
    """
    Cast one ray through up to passes - 1 cut-outs or panes of glass.

    :param spread: growth of the ray's footprint [rad].
    :param embree: addresses of rtcIntersect1, the scene and ray_hit.
    :param ray_hit: the RTCRayHit as (float32, uint32) views of the same bytes.
    :param result: (3,) float32, written: linear RGB of the surface.
    :returns: face (-1 for none) and distance [m] (Inf for none).
    """
    function, scene, address = embree
    numbers, flags = ray_hit
    travelled = 0.0
    for remaining in range(passes - 1, -1, -1):
        for k in range(3):
            numbers[k] = origin[k]
            numbers[4 + k] = toward[k]
        numbers[3], numbers[7], numbers[8] = travelled, 0, reach_m
        flags[9], flags[10], flags[11] = NOTHING, 0, 0
        flags[17], flags[18], flags[19] = NOTHING, NOTHING, NOTHING
        call_c(function, scene, address, 0)
        if flags[17] == NOTHING:
            return -1, np.inf
        face, distance = np.int64(flags[17]), numbers[8]
        normal = tables.normals[face]
        cosine = abs(normal[0] * toward[0] + normal[1] * toward[1] + normal[2] * toward[2])
        # Grazing views see more texels per pixel along one axis: meet in the middle.
        footprint = distance * spread / np.sqrt(max(cosine, 0.05))
        red, green, blue, alpha = surface(face, numbers[15], numbers[16], footprint, tables)
        if alpha > 0.5 or not remaining:
            result[0], result[1], result[2] = red, green, blue
            return face, distance
        travelled = distance + LIFT_M
    return -1, np.inf


@njit(cache=True)
def sky_color(toward, sky, result):
    """
    Write the linear RGB of the sky in a direction.

    :param sky: (zenith (3,), horizon (3,), clouds (n, n), cloudiness).
    """
    zenith, horizon, clouds, cloudiness = sky
    up = min(max(toward[1], 0.0), 1.0)
    # Clouds lie on a plane above: near the horizon they are small and fade.
    n = len(clouds)
    column = int(np.floor(toward[0] / (up + 0.15) * n / 6)) % n
    row = int(np.floor(toward[2] / (up + 0.15) * n / 6)) % n
    cover = min(max(clouds[row, column], 0.0), 1.0) * cloudiness * min(up * 4, 1.0)
    share = np.sqrt(up)
    for k in range(3):
        clear = horizon[k] + (zenith[k] - horizon[k]) * share
        result[k] = clear + (max(horizon[k], 0.9) - clear) * cover


@njit(cache=True)
def incoming(origin, toward, spread, gain, ambient, sky, tables, embree, ray_hit, result):
    """Write the light that arrives at origin from a direction, without a further bounce."""
    face, _ = cast(origin, toward, np.inf, spread, 1, tables, embree, ray_hit, result)
    if face < 0:
        sky_color(toward, sky, result)
        return
    emission = tables.emissions[tables.face_materials[face]]
    for k in range(3):
        result[k] = result[k] * ambient[k] * gain + emission


@njit(cache=True)
def lamp_light(pixel, width, point, normal, randoms, tables, embree, ray_hit, toward, result):
    """Add the light of one lamp, shadowed, to result; neighbouring pixels take different lamps."""
    lights = len(tables.light_positions)
    row, column = pixel // width, pixel % width
    light = (column % 2 + 2 * (row % 2) + column // 2 + row // 2) % lights
    edges, is_sun = tables.light_edges[light], tables.light_is_sun[light]
    length = 0.0
    for k in range(3):
        toward[k] = tables.light_positions[light, k] + edges[0, k] * (randoms[0] - 0.5) \
            + edges[1, k] * (randoms[1] - 0.5) - (0 if is_sun else point[k])
        length += toward[k] ** 2
    length = np.sqrt(length)
    cosine = 0.0
    for k in range(3):
        toward[k] /= length
        cosine += toward[k] * normal[k]
    if cosine < 1e-4:
        return
    reach = np.inf if is_sun else length * 0.98
    scratch = np.empty(3, np.float32)
    if cast(point, toward, reach, 0.02, 4, tables, embree, ray_hit, scratch)[0] >= 0:
        return
    strength = cosine * lights * (1.0 if is_sun else 1 / max(length, 0.3) ** 2)
    for k in range(3):
        result[k] += strength * tables.light_powers[light, k]


@njit(cache=True)
def trace(rays, width, position, spread, passes, ambient, sky, randoms, tables, embree, ray_hit,
          faces, distances, albedo, light, normals, mirrored, mirror_share):
    """
    Trace (n, 3) world rays: the hit, one soft shadow, one diffuse bounce, a mirrored ray.

    :param randoms: (n, 7) uniform numbers.
    :param faces: (n,) written: -1 nothing, -2 no ray. All further arrays are written, too:
        distances (n,), albedo, light, normals, mirrored (n, 3), mirror_share (n,).
    """
    point, toward, color = (np.empty(3, np.float32), np.empty(3, np.float32),
                            np.empty(3, np.float32))
    for i in range(len(rays)):
        ray = rays[i]
        if not np.isfinite(ray[0]):
            faces[i], distances[i] = -2, np.nan
            continue
        face, distance = cast(position, ray, np.inf, spread, passes, tables, embree, ray_hit,
                              albedo[i])
        faces[i], distances[i] = face, distance
        if face < 0:
            sky_color(ray, sky, albedo[i])
            continue
        normal = normals[i]
        cosine = 0.0
        for k in range(3):
            normal[k] = tables.normals[face, k]
            cosine += normal[k] * ray[k]
        for k in range(3):
            normal[k] = -normal[k] if cosine > 0 else normal[k]
            point[k] = position[k] + ray[k] * distance + normal[k] * LIFT_M
        # Diffuse bounce with cosine density: a point of the unit sphere round the normal's tip.
        z = 2 * randoms[i, 2] - 1
        angle, radius = 2 * np.pi * randoms[i, 3], np.sqrt(max(0.0, 1 - z * z))
        toward[0] = normal[0] + radius * np.cos(angle)
        toward[1] = normal[1] + radius * np.sin(angle)
        toward[2] = normal[2] + z
        toward /= np.sqrt((toward * toward).sum()) + np.float32(1e-6)
        incoming(point, toward, 0.05, 1.6, ambient, sky, tables, embree, ray_hit, light[i])
        if len(tables.light_positions):
            lamp_light(i, width, point, normal, randoms[i], tables, embree, ray_hit, toward,
                       light[i])
        gloss = tables.glosses[tables.face_materials[face]]
        if gloss > 0:
            for k in range(3):
                toward[k] = ray[k] - 2 * (-abs(cosine)) * normal[k] \
                    + 0.07 * (randoms[i, 4 + k] - 0.5)
            toward /= np.sqrt((toward * toward).sum())
            incoming(point, toward, 0.01, 2.2, ambient, sky, tables, embree, ray_hit, color)
            mirrored[i] = color
            # Schlick's Fresnel term with an exponent that suits rough floors.
            mirror_share[i] = gloss * (0.15 + 0.85 * (1 - abs(cosine)) ** 4)


@njit(cache=True)
def denoise(light, normals, distances, step):
    """
    Smooth (H, W, 3) light over one surface: an a-trous step with 3x3 taps, step pixels apart.

    :param normals: (H, W, 3); zero where nothing was hit.
    :param distances: (H, W) [m]; taps at another distance or with another normal do not count.
    """
    height, width = distances.shape
    out = np.zeros_like(light)
    for y in range(height):
        for x in range(width):
            here = distances[y, x]
            if not np.isfinite(here):
                continue
            tolerance = 0.03 * here + 0.01
            red = green = blue = count = np.float32(0)
            for j in range(y - step, y + step + 1, step):
                for i in range(x - step, x + step + 1, step):
                    if j < 0 or i < 0 or j >= height or i >= width:
                        continue
                    if not abs(distances[j, i] - here) <= tolerance:
                        continue
                    dot = normals[y, x, 0] * normals[j, i, 0] \
                        + normals[y, x, 1] * normals[j, i, 1] \
                        + normals[y, x, 2] * normals[j, i, 2]
                    if dot < 0.9 and (i != x or j != y):
                        continue
                    red += light[j, i, 0]
                    green += light[j, i, 1]
                    blue += light[j, i, 2]
                    count += 1
            out[y, x, 0] = red / count
            out[y, x, 1] = green / count
            out[y, x, 2] = blue / count
    return out
