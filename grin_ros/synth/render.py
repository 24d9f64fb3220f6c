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
from grin_ros.synth.tables import Sky

PASSES = 8  # surfaces that a camera ray may meet until one is not transparent


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
    finer = camera.scaled(camera.width * supersample, camera.height * supersample)
    image, range_m = shade(scene, position, finer.rays() @ rotation.T, rng,
                           soft_edges=supersample == 1)
    if supersample > 1:
        size = (camera.width, camera.height)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if supersample % 2:
        centre = supersample // 2
        return image, np.ascontiguousarray(range_m[centre::supersample, centre::supersample])
    # With an even number of samples none is at the centre: the label has its own rays.
    return image, shade(scene, position, camera.rays() @ rotation.T, rng)[1]


def shade(scene: Scene, position: NDArray, rays: NDArray, rng: np.random.Generator,
          soft_edges: bool = False) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return linear RGB (H, W, 3) and range (H, W) [m] of (H, W, 3) world rays."""
    kernels = require('grin_ros.synth.kernels', 'train')
    embree = require('grin_ros.synth.embree', 'train')
    smoothing = require('grin_ros.synth.smoothing', 'train')
    height, width = rays.shape[:2]
    count = height * width
    open_sky = scene.sky or Sky(scene.ambient, scene.ambient, np.zeros((1, 1)), 0.0)
    sky = (*(np.asarray(part, np.float32) for part in open_sky[:3]), open_sky.cloudiness)
    ray_hit = embree.ray_hit_buffer()

    # 1. Trace: surfaces and the light that falls on them, with one sample of each kind.
    faces, distances = np.empty(count, np.int64), np.empty(count, np.float32)
    albedo, lamplight, bounced, normals, mirrored = np.zeros((5, count, 3), np.float32)
    mirror_share = np.zeros(count, np.float32)
    # Cameras draw more or less sharply.
    spread = _spread(rays) * float(rng.uniform(0.6, 1.2))
    tracing = (np.asarray(position, np.float32), spread, PASSES)
    casting = (scene.tables,
               (embree.intersect_address(), scene.tree.handle, ray_hit.ctypes.data),
               ray_hit.view(np.float32), ray_hit.view(np.uint32))
    kernels.trace(
        np.ascontiguousarray(rays.reshape(-1, 3), np.float32), *tracing, scene.ambient,
        sky, _randoms(rng, height, width), *casting,
        faces, distances, albedo, lamplight, bounced, normals, mirrored, mirror_share)

    # 2. Smooth the light and reflections, not the surfaces.
    range_m = distances.reshape(height, width)
    normals = normals.reshape(height, width, 3)
    points = (rays * range_m[..., None]).astype(np.float32)

    def smooth(noisy: NDArray[np.float32], share: int) -> NDArray[np.float32]:
        """Smooth light in steps of 1, 2, 4... pixels, up to a share of the width."""
        smoothed = noisy.reshape(height, width, 3)
        for power in range((width // share).bit_length()):
            smoothed = smoothing.denoise(smoothed, normals, points, 1 << power)
        return smoothed

    # Shadows of lamps have edges; light that has bounced has none, but leaves clouds on walls.
    light = smooth(lamplight, 64) + smooth(bounced, 32)
    if mirror_share.any():
        mirrored = smooth(mirrored, 128).reshape(-1, 3)

    # 3. Colours: surface times light, glow, mirrored light, haze.
    hit = faces >= 0
    glow = np.zeros(count, np.float32)
    glow[hit] = scene.tables.emissions[scene.tables.face_materials[faces[hit]]]
    color = albedo * (light.reshape(-1, 3) + glow[:, None])
    color += (mirrored - color) * mirror_share[:, None]
    if scene.haze_m:
        clear = np.exp(-np.where(hit, distances, 0) / scene.haze_m)[:, None]
        color = color * clear + open_sky.horizon * (1 - clear)
    image = np.where(hit[:, None], color, albedo)  # without a hit, albedo holds the sky
    image = image.reshape(height, width, 3).astype(np.float32)

    # 4. Smooth edges, where no finer picture will be averaged anyway.
    if soft_edges:
        edges = require('grin_ros.synth.edges', 'train')
        edges.soften_edges(
            np.ascontiguousarray(rays, np.float32), *tracing, sky, float(scene.haze_m), *casting,
            faces.reshape(height, width), range_m, normals, light,
            mirrored.reshape(height, width, 3), mirror_share.reshape(height, width), image)
    return image, range_m


def _randoms(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """
    Return (H * W, 7) uniform numbers, spread evenly over each 4x4 pixels.

    Of the lamp, of the bounce and of the mirror two each: 16 neighbours see 16 parts of a lamp,
    so that smoothing leaves no clouds.
    """
    randoms = rng.random((height * width, 7), np.float32)
    row, column = np.mgrid[:height, :width] % 4
    for first in (0, 2, 4):
        cell = rng.permutation(16)[4 * row + column].ravel()
        randoms[:, first] = (randoms[:, first] + cell % 4) / 4
        randoms[:, first + 1] = (randoms[:, first + 1] + cell // 4) / 4
    return randoms


def _spread(rays: NDArray) -> float:
    """Return the angle between the rays of neighbouring pixels near the centre [rad]."""
    row, column = rays.shape[0] // 2, max(1, rays.shape[1] // 2)
    step = float(np.linalg.norm(rays[row, column] - rays[row, column - 1]))
    return step if np.isfinite(step) else 0.01
