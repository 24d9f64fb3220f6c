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

"""Renderer: a scene, a camera and its pose in, a linear image and the range along each ray out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.errors import require
from grin_ros.synth.scene import Scene

LIFT_M = 2e-3  # secondary rays start this far above the surface
PASSES = 6  # transparent layers that a ray may cross


def render(scene: Scene, camera: Camera, position: NDArray, rotation: NDArray,
           rng: np.random.Generator, supersample: int = 1
           ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Render one frame.

    :param position: (3,) of the camera in the world [m].
    :param rotation: (3, 3) from the optical frame (x right, y down, z forward) to the world.
    :param supersample: rays per pixel and axis for the colours.
    :returns: (H, W, 3) linear RGB and (H, W) range along the ray of the pixel centre [m]: +Inf
        sky, NaN where the camera has no ray. Pixels without a ray are black.
    """
    colored = camera.scaled(camera.width * supersample, camera.height * supersample)
    rays = colored.rays() @ rotation.T.astype(np.float32)
    image, range_m = shade(scene, np.asarray(position, np.float32), rays, rng)
    if supersample > 1:
        image = cv2.resize(image, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    if supersample % 2:
        centre = supersample // 2
        return image, np.ascontiguousarray(range_m[centre::supersample, centre::supersample])
    # With an even number of samples no sample is at the centre: the label has its own rays.
    rays = camera.rays() @ rotation.T.astype(np.float32)
    return image, cast_range(scene, np.asarray(position, np.float32), rays)


def cast_range(scene: Scene, position: NDArray, rays: NDArray) -> NDArray[np.float32]:
    """Return the range along (H, W, 3) world rays [m]: +Inf sky, NaN where a ray is NaN."""
    flat = rays.reshape(-1, 3)
    known = np.flatnonzero(np.isfinite(flat[:, 0]))
    range_m = np.full(len(flat), np.nan, np.float32)
    origins = np.broadcast_to(position, (len(known), 3)).astype(np.float32)
    range_m[known] = _cast(scene, origins, flat[known], _spread(rays), PASSES)[1]
    return range_m.reshape(rays.shape[:2])


def shade(scene: Scene, position: NDArray, rays: NDArray, rng: np.random.Generator
          ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Trace (H, W, 3) world rays: primary hit, one soft shadow, one diffuse bounce, gloss."""
    kernels = require('grin_ros.synth.kernels', 'train')
    tables = scene.tables
    height, width = rays.shape[:2]
    flat = np.ascontiguousarray(rays.reshape(-1, 3))
    known = np.flatnonzero(np.isfinite(flat[:, 0]))
    directions = flat[known]
    origins = np.broadcast_to(position, directions.shape).astype(np.float32)
    faces, distances, albedo = _cast(scene, origins, directions, _spread(rays), PASSES)

    # 1. Geometry of the hits, normals towards the viewer.
    hit = np.flatnonzero(faces >= 0)
    faces, pixels, toward = faces[hit], known[hit], directions[hit]
    normals = tables.normals[faces]
    normals = normals * -np.sign(np.einsum('ij,ij->i', normals, toward) + 1e-12)[:, None]
    points = origins[hit] + toward * distances[hit, None] + normals * np.float32(LIFT_M)

    # 2. Light: one shadow ray and one bounce per pixel, then smoothed over each surface.
    n = len(hit)
    shadow, bounce, weights = (np.zeros((n, 3), np.float32) for _ in range(3))
    reach = np.zeros(n, np.float32)
    kernels.light_samples(points, normals, pixels, width, rng.random((n, 4), np.float32), tables,
                          shadow, reach, weights, bounce)
    lit = np.flatnonzero(weights.max(1, initial=0) > 1e-5)
    free = _cast(scene, points[lit], shadow[lit], 0.02, 3)[1] > reach[lit]
    weights[lit[~free]] = 0
    weights[np.setdiff1d(np.arange(n), lit, assume_unique=True)] = 0
    light = np.zeros((height * width, 3), np.float32)
    light[pixels] = weights + _incoming(scene, points, bounce, 0.05, 1.6)
    light = light.reshape(height, width, 3)
    normal_map = np.zeros((height * width, 3), np.float32)
    normal_map[pixels] = normals
    range_m = np.full(height * width, np.nan, np.float32)
    range_m[known] = distances
    far = np.where(np.isfinite(range_m), range_m, 0).reshape(height, width).astype(np.float32)
    for step in (1, 2, 4):
        light = kernels.denoise(light, normal_map.reshape(height, width, 3), far, step)

    # 3. Colours: surface times light, gloss, haze, sky.
    look = tables.face_materials[faces]
    color = albedo[hit] * light.reshape(-1, 3)[pixels] + tables.emissions[look][:, None]
    shiny = np.flatnonzero(tables.glosses[look] > 0)
    if len(shiny):
        cosine = np.einsum('ij,ij->i', toward[shiny], normals[shiny])
        mirror = toward[shiny] - 2 * cosine[:, None] * normals[shiny]
        mirror += rng.normal(0, 0.02, mirror.shape).astype(np.float32)
        mirrored = _incoming(scene, points[shiny], mirror, 0.01, 2.2)
        # Schlick's Fresnel term with an exponent that suits rough floors.
        share = tables.glosses[look[shiny]] * (0.15 + 0.85 * (1 - np.abs(cosine)) ** 4)
        color[shiny] += (mirrored - color[shiny]) * share[:, None]
    if scene.haze_m and scene.sky is not None:
        clear = np.exp(-distances[hit] / scene.haze_m)[:, None]
        color = color * clear + scene.sky.horizon.astype(np.float32) * (1 - clear)
    image = np.zeros((height * width, 3), np.float32)
    image[known] = sky_color(scene, directions)
    image[pixels] = color
    return image.reshape(height, width, 3), range_m.reshape(height, width)


def sky_color(scene: Scene, directions: NDArray) -> NDArray[np.float32]:
    """Return the linear RGB seen in (n, 3) directions that hit nothing."""
    if scene.sky is None:
        return np.broadcast_to(scene.ambient, directions.shape).astype(np.float32)
    sky = scene.sky
    up = np.clip(directions[:, 1], 0, 1)
    color = sky.horizon + (sky.zenith - sky.horizon) * np.sqrt(up)[:, None]
    # Clouds lie on a plane above: near the horizon they are small and fade.
    n = len(sky.clouds)
    plane = directions[:, [0, 2]] / (up[:, None] + 0.15) * n / 6
    column, row = np.nan_to_num(plane).astype(np.int64).T % n
    cover = np.clip(sky.clouds[row, column], 0, 1) * sky.cloudiness * np.minimum(up * 4, 1)
    color = color + (np.maximum(sky.horizon, 0.9) - color) * cover[:, None]
    return color.astype(np.float32)


def _incoming(scene: Scene, points: NDArray, directions: NDArray, spread: float,
              gain: float) -> NDArray[np.float32]:
    """Return the light that arrives at points from directions, without a further bounce."""
    faces, _, albedo = _cast(scene, points, directions, spread, 1)
    light = sky_color(scene, directions)
    hit = faces >= 0
    emission = scene.tables.emissions[scene.tables.face_materials[faces[hit]]]
    light[hit] = albedo[hit] * scene.ambient * np.float32(gain) + emission[:, None]
    return light


def _spread(rays: NDArray) -> float:
    """Return the angle between the rays of neighbouring pixels near the centre [rad]."""
    row, column = rays.shape[0] // 2, max(1, rays.shape[1] // 2)
    step = np.linalg.norm(rays[row, column] - rays[row, column - 1])
    return float(step) if np.isfinite(step) else 0.01


def _cast(scene: Scene, origins: NDArray, directions: NDArray, spread: float, passes: int
          ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """
    Cast rays through cut-outs and glass.

    :returns: face (-1 for none), distance (+Inf for none), linear colour of the surface.
    """
    kernels = require('grin_ros.synth.kernels', 'train')
    n = len(origins)
    faces = np.full(n, -1, np.int32)
    distances = np.full(n, np.inf, np.float32)
    colors = np.zeros((n, 3), np.float32)
    travelled = np.zeros(n, np.float32)
    active = np.arange(n)
    for remaining in range(passes - 1, -1, -1):
        if not len(active):
            break
        toward = np.ascontiguousarray(directions[active], np.float32)
        start = origins[active] + toward * travelled[active, None]
        hits = scene.embree.run(np.ascontiguousarray(start, np.float32), toward, output=1)
        found = np.flatnonzero(hits['primID'] >= 0)
        face = hits['primID'][found]
        rays = active[found]
        distance = hits['tfar'][found] + travelled[rays]
        cosines = np.abs(np.einsum('ij,ij->i', scene.tables.normals[face], toward[found]))
        color, alpha = np.empty((len(rays), 3), np.float32), np.empty(len(rays), np.float32)
        kernels.surface_colors(face, hits['u'][found], hits['v'][found], distance, cosines,
                               np.float32(spread), scene.tables, color, alpha)
        solid = alpha > 0.5 if remaining else np.ones(len(rays), bool)
        faces[rays[solid]] = face[solid]
        distances[rays[solid]] = distance[solid]
        colors[rays[solid]] = color[solid]
        active = rays[~solid]
        travelled[active] = distance[~solid] + np.float32(LIFT_M)
    return faces, distances, colors
