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

"""Compiled loops of the renderer: cast rays, gather light."""

# numba infers these types when it compiles; mypy cannot follow it.
# mypy: ignore-errors

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
import numpy as np

from grin_ros.synth.texels import compiled, grain, surface

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


@compiled
def cast(origin, toward, reach_m, spread, passes, tables, embree, numbers, flags):
    """
    Cast one ray through up to passes - 1 cut-outs or panes of glass.

    :param origin: (x, y, z) [m]; toward: unit vector.
    :param spread: growth of the ray's footprint [rad].
    :param embree: addresses of rtcIntersect1, the scene and the RTCRayHit.
    :param numbers: the RTCRayHit as float32; flags: the same bytes as uint32.
    :returns: face (-1 for none), distance [m] (Inf for none) and linear RGB of the surface.
    """
    function, scene, address = embree
    travelled = 0.0
    for remaining in range(passes - 1, -1, -1):
        numbers[0], numbers[1], numbers[2] = origin
        numbers[4], numbers[5], numbers[6] = toward
        numbers[3], numbers[7], numbers[8] = travelled, 0, reach_m
        flags[9], flags[10], flags[11] = NOTHING, 0, 0
        flags[17], flags[18], flags[19] = NOTHING, NOTHING, NOTHING
        call_c(function, scene, address, 0)
        if flags[17] == NOTHING:
            break
        face, distance = np.int64(flags[17]), np.float64(numbers[8])
        cosine = abs(tables.normals[face, 0] * toward[0] + tables.normals[face, 1] * toward[1]
                     + tables.normals[face, 2] * toward[2])
        # Grazing views see more texels per pixel along one axis: meet in the middle.
        footprint = distance * spread / np.sqrt(max(cosine, 0.05))
        red, green, blue, alpha = surface(face, numbers[15], numbers[16], footprint, tables)
        if alpha > 0.5 or not remaining:
            point = (origin[0] + toward[0] * distance, origin[1] + toward[1] * distance,
                     origin[2] + toward[2] * distance)
            detail = grain(point, face, footprint, tables)
            return face, distance, (red * detail, green * detail, blue * detail)
        travelled = distance + LIFT_M
    return np.int64(-1), np.inf, (0.0, 0.0, 0.0)


@compiled
def sky_color(toward, sky):
    """
    Return the linear RGB of the sky in a direction.

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
    red = horizon[0] + (zenith[0] - horizon[0]) * share
    green = horizon[1] + (zenith[1] - horizon[1]) * share
    blue = horizon[2] + (zenith[2] - horizon[2]) * share
    return (red + (max(horizon[0], 0.9) - red) * cover,
            green + (max(horizon[1], 0.9) - green) * cover,
            blue + (max(horizon[2], 0.9) - blue) * cover)


@compiled
def incoming(origin, toward, spread, gain, dim_m2, glows, ambient, sky, tables, embree, numbers,
             flags):
    """
    Return the light that arrives at origin from a direction, without a further bounce.

    :param dim_m2: square of the distance at which half of a surface's light arrives, as it is
        dark in tight places; 0 for the light that a surface in the open sends.
    :param glows: 1 to see lamps themselves; 0 where their light is counted already.
    """
    face, distance, color = cast(origin, toward, np.inf, spread, 1, tables, embree, numbers, flags)
    if face < 0:
        return sky_color(toward, sky)
    gain *= distance * distance / (distance * distance + dim_m2)
    glow = tables.emissions[tables.face_materials[face]] * glows
    return (color[0] * (ambient[0] * gain + glow), color[1] * (ambient[1] * gain + glow),
            color[2] * (ambient[2] * gain + glow))


@compiled
def lamp_light(light, point, normal, random_a, random_b, tables, embree, numbers, flags):
    """Return the strength of one lamp's light on a surface, 0 in its shadow."""
    position, edges = tables.light_positions, tables.light_edges
    a, b = random_a - 0.5, random_b - 0.5
    x = position[light, 0] + edges[light, 0, 0] * a + edges[light, 1, 0] * b
    y = position[light, 1] + edges[light, 0, 1] * a + edges[light, 1, 1] * b
    z = position[light, 2] + edges[light, 0, 2] * a + edges[light, 1, 2] * b
    is_sun = tables.light_is_sun[light]
    if not is_sun:
        x, y, z = x - point[0], y - point[1], z - point[2]
    length = np.sqrt(x * x + y * y + z * z)
    toward = (x / length, y / length, z / length)
    cosine = toward[0] * normal[0] + toward[1] * normal[1] + toward[2] * normal[2]
    reach = np.inf if is_sun else length * 0.98
    if cosine < 1e-4 or cast(point, toward, reach, 0.02, 4, tables, embree, numbers,
                             flags)[0] >= 0:
        return 0.0
    if is_sun:
        return cosine
    # A lamp has one side, and lights no ceiling that it hangs from; drawn at random, spots of it
    # would be clouds there.
    return cosine * facing(edges[light, 0], edges[light, 1], toward) / max(length, 0.3) ** 2


@compiled
def facing(first, second, toward):
    """Return the cosine between the normal of two edges and the way back, 0 behind them."""
    x = first[1] * second[2] - first[2] * second[1]
    y = first[2] * second[0] - first[0] * second[2]
    z = first[0] * second[1] - first[1] * second[0]
    along = -(x * toward[0] + y * toward[1] + z * toward[2])
    return max(along, 0.0) / (np.sqrt(x * x + y * y + z * z) + 1e-9)


@compiled
def trace(rays, position, spread, passes, ambient, sky, randoms, tables, embree, numbers,
          flags, faces, distances, albedo, lamplight, bounced, normals, mirrored, mirror_share):
    """
    Trace (n, 3) world rays: the hit, soft shadows, one diffuse bounce, a mirrored ray.

    :param randoms: (n, 7) uniform numbers.
    :param faces: (n,) written: -1 nothing, -2 no ray. All further arrays are written, too:
        distances (n,), albedo, lamplight, bounced, normals, mirrored (n, 3), mirror_share (n,).
    """
    lights = len(tables.light_positions)
    eye = (position[0], position[1], position[2])
    for i in range(len(rays)):
        ray = (rays[i, 0], rays[i, 1], rays[i, 2])
        if not np.isfinite(ray[0]):
            faces[i], distances[i] = -2, np.nan
            continue
        face, distance, color = cast(eye, ray, np.inf, spread, passes, tables, embree, numbers,
                                     flags)
        faces[i], distances[i] = face, distance
        if face < 0:
            color = sky_color(ray, sky)
        albedo[i, 0], albedo[i, 1], albedo[i, 2] = color
        if face < 0:
            continue
        x, y, z = tables.normals[face, 0], tables.normals[face, 1], tables.normals[face, 2]
        cosine = x * ray[0] + y * ray[1] + z * ray[2]
        flip = -1.0 if cosine > 0 else 1.0
        normal = (x * flip, y * flip, z * flip)
        normals[i, 0], normals[i, 1], normals[i, 2] = normal
        point = (eye[0] + ray[0] * distance + normal[0] * LIFT_M,
                 eye[1] + ray[1] * distance + normal[1] * LIFT_M,
                 eye[2] + ray[2] * distance + normal[2] * LIFT_M)
        # Diffuse bounce with cosine density: a point of the unit sphere round the normal's tip.
        z = 2 * randoms[i, 2] - 1
        angle, radius = 2 * np.pi * randoms[i, 3], np.sqrt(max(0.0, 1 - z * z))
        toward = unit(normal[0] + radius * np.cos(angle), normal[1] + radius * np.sin(angle),
                      normal[2] + z)
        arriving = incoming(point, toward, 0.05, 1.6, 0.5, 0.0, ambient, sky, tables, embree,
                            numbers, flags)
        bounced[i, 0], bounced[i, 1], bounced[i, 2] = arriving
        for lamp in range(lights):
            strength = lamp_light(lamp, point, normal, randoms[i, 0], randoms[i, 1], tables,
                                  embree, numbers, flags)
            for k in range(3):
                lamplight[i, k] += strength * tables.light_powers[lamp, k]
        gloss = tables.glosses[tables.face_materials[face]]
        if gloss > 0:
            twice = 2 * abs(cosine)
            toward = unit(ray[0] + twice * normal[0] + 0.05 * (randoms[i, 4] - 0.5),
                          ray[1] + twice * normal[1] + 0.05 * (randoms[i, 5] - 0.5),
                          ray[2] + twice * normal[2] + 0.05 * (randoms[i, 6] - 0.5))
            arriving = incoming(point, toward, 0.01, 2.2, 0.0, 1.0, ambient, sky, tables, embree,
                                numbers, flags)
            mirrored[i, 0], mirrored[i, 1], mirrored[i, 2] = arriving
            # Schlick's Fresnel term with an exponent that suits rough floors.
            mirror_share[i] = gloss * (0.15 + 0.85 * (1 - abs(cosine)) ** 4)


@compiled
def unit(x, y, z):
    """Return (x, y, z) at unit length."""
    length = np.sqrt(x * x + y * y + z * z) + 1e-9
    return x / length, y / length, z / length
