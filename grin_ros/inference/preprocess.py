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

"""Preprocess: image and camera in; network image, rays and the grid of asked pixels out."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.camera import Camera
from grin_ros.camera.dense import dense_rays
from grin_ros.diffusion.depth_codec import angular_pitch
from grin_ros.errors import GrinError

STRIDES = (1, 2, 4, 8)  # distances of the asked pixels [px]
COARSEST_STRIDE = 32  # of the encoder: widths and heights are multiples of it


@dataclass(frozen=True)
class View:
    """
    How one camera looks through the network: all that does not change from frame to frame.

    :param camera: camera of the images.
    :param network: the same camera at the network's input size.
    :param rays: (h, w, 3) float32 unit rays of the network's pixels; zeros where there is none.
    :param alpha: angular pitch [rad] of a network pixel at the centre.
    :param stride: spacing [px] of the query grid.
    :param grid_size: (width, height) of the query grid.
    :param grid: (N, 2) float32 network pixels of the query grid, row by row.
    :param grid_mask: (N,) True where the grid pixel has a ray.
    """

    camera: Camera
    network: Camera
    rays: NDArray[np.float32]
    alpha: float
    stride: int
    grid_size: tuple[int, int]
    grid: NDArray[np.float32]
    grid_mask: NDArray[np.bool_]

    @classmethod
    def of(cls, camera: Camera, input_size: tuple[int, int], stride: int) -> View:
        """Prepare a camera for a network trained at input_size, asked every stride pixels."""
        network = camera.scaled(*network_size(camera.width, camera.height, input_size))
        rays = np.nan_to_num(dense_rays(network), nan=0.0)
        # Of the exact rays, as it is a small difference of large numbers.
        u, v = network.width // 2, network.height // 2
        centre = network.rays_at([(u - 1, v - 1), (u, v - 1), (u - 1, v), (u, v)])
        alpha = float(angular_pitch(centre.reshape(2, 2, 3)))
        if not alpha > 0:  # nor is NaN, where one of them has no ray
            raise GrinError('the centre of the image has no viewing ray: the distortion D or the '
                            'region of interest in camera_info is wrong')
        grid_size = network.width // stride, network.height // stride
        grid = query_grid(grid_size, stride)
        mask = has_ray(rays, grid)
        return cls(camera, network, rays, alpha, stride, grid_size, grid, mask)

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize an image of this camera to the network's input."""
        size = self.network.width, self.network.height
        # Area averaging keeps thin things and does not alias. Up to a factor of two bilinear
        # taps see every pixel too, five times faster.
        shrinks = max(self.camera.width / size[0], self.camera.height / size[1]) > 2
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)

    def to_network(self, pixels: ArrayLike) -> NDArray[np.float32]:
        """Map (N, 2) image pixels to network pixels: u' = (u + 0.5) s - 0.5."""
        scale = np.array([self.network.width / self.camera.width,
                          self.network.height / self.camera.height])
        return ((np.asarray(pixels, np.float64) + 0.5) * scale - 0.5).astype(np.float32)


def network_size(width: int, height: int, input_size: tuple[int, int]) -> tuple[int, int]:
    """
    Choose the network's input for an image: its aspect, at least the area of input_size.

    :param input_size: (width, height) [px] the network was trained for.
    :returns: (width, height), multiples of COARSEST_STRIDE.
    """
    step = COARSEST_STRIDE
    area, aspect = input_size[0] * input_size[1], width / height
    # Wider or taller than 8:1 is squeezed: no network saw such images.
    aspect = min(max(aspect, 1 / 8), 8.0)
    candidates = []
    for h in range(step, 3 * int(math.sqrt(area / aspect)) + 2 * step, step):
        for w in {math.floor(aspect * h / step) * step, math.ceil(aspect * h / step) * step}:
            if w >= step and w * h >= area:
                stretch = abs(math.log(w / h / aspect))
                candidates.append((2 * stretch + math.log(w * h / area), w, h))
    _, w, h = min(candidates)
    return w, h


def query_grid(grid_size: tuple[int, int], stride: int) -> NDArray[np.float32]:
    """Return (N, 2) pixels (i + 0.5) stride - 0.5: the centres of stride x stride blocks."""
    width, height = grid_size
    v, u = np.mgrid[:height, :width]
    return ((np.stack([u.ravel(), v.ravel()], -1) + 0.5) * stride - 0.5).astype(np.float32)


def has_ray(rays: NDArray[np.float32], pixels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return (N,) True where all four network pixels around a pixel have a ray."""
    known = (rays != 0).any(-1)
    height, width = known.shape
    u0, v0 = np.floor(pixels).astype(np.int64).T
    u0, u1 = np.clip(u0, 0, width - 1), np.clip(u0 + 1, 0, width - 1)
    v0, v1 = np.clip(v0, 0, height - 1), np.clip(v0 + 1, 0, height - 1)
    return known[v0, u0] & known[v0, u1] & known[v1, u0] & known[v1, u1]
