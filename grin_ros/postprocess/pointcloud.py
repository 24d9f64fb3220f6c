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

"""Point cloud: gated depth, image and the camera of the grid in; PointCloud2 out."""

from __future__ import annotations

from dataclasses import dataclass, field
import functools
import math
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.camera.dense import dense_slopes
from grin_ros.errors import require
from grin_ros.messages import set_data

FIELD_NAMES = ('x', 'y', 'z', 'rgb', 'sigma')  # all FLOAT32, without gaps


@dataclass(frozen=True)
class CloudLimits:
    """
    Which points are kept.

    :param min_range: nearest distance from the camera [m].
    :param max_range: farthest distance from the camera [m].
    :param min_height: lowest height above the camera [m], along the image's vertical (-y).
    :param max_height: highest one.
    """

    min_range: float = 0.0
    max_range: float = math.inf
    min_height: float = -math.inf
    max_height: float = math.inf

    @property
    def has_range(self) -> bool:
        """Return whether the distance matters."""
        return self.min_range > 0 or math.isfinite(self.max_range)

    @property
    def has_height(self) -> bool:
        """Return whether height matters."""
        return math.isfinite(self.min_height) or math.isfinite(self.max_height)


EVERYTHING = CloudLimits()


@dataclass
class CloudGrid:
    """
    The rays of every ``stride``-th pixel of a camera, computed once; read only.

    :param camera: camera of the depth image.
    :param stride: distance of the points in rows and columns [px].
    """

    camera: Camera
    stride: int
    slope_x: NDArray[np.float32] = field(init=False)  # (h, w) x/z; NaN where there is no ray
    slope_y: NDArray[np.float32] = field(init=False)  # (h, w) y/z
    no_ray: NDArray[np.bool_] | None = field(init=False)  # (h, w); None when each has one

    def __post_init__(self) -> None:
        """Compute the rays; one that does not point forward counts as none."""
        self.slope_x, self.slope_y = dense_slopes(self.camera, self.stride)
        no_ray = None if self.camera.is_pinhole else np.isnan(self.slope_x)
        self.no_ray = no_ray if no_ray is not None and no_ray.any() else None

    @functools.cached_property
    def stretch(self) -> NDArray[np.float32]:
        """Return (h, w) range/z; few clouds need it."""
        square = self.slope_x * self.slope_x
        square += self.slope_y * self.slope_y
        square += 1
        return np.asarray(np.sqrt(square, out=square))

    def points(self, depth: NDArray[np.float32], image: NDArray[np.uint8],
               sigma: NDArray[np.float32] | None = None, limits: CloudLimits = EVERYTHING,
               organized: bool = True) -> NDArray[np.float32]:
        """
        Return (h, w, 4 or 5) organised or (N, 4 or 5) existing points: x y z rgb (sigma).

        :param depth: (H, W) z [m] on the camera's grid; not finite where there is no point.
        :param image: (H', W', 3) uint8 RGB, H' and W' about a multiple of H and W.
        :param sigma: (H, W) [m]; None leaves the field out.
        """
        z = depth[::self.stride, ::self.stride].copy()
        np.copyto(z, np.nan, where=np.isinf(z))
        if self.no_ray is not None:
            np.copyto(z, np.nan, where=self.no_ray)
        if limits.has_range:
            distance = z * self.stretch
            inside = (distance >= limits.min_range) & (distance <= limits.max_range)
            np.copyto(z, np.nan, where=~inside)
        if limits.has_height:
            height = -self.slope_y * z
            inside = (height >= limits.min_height) & (height <= limits.max_height)
            np.copyto(z, np.nan, where=~inside)
        planes = [self.slope_x * z, self.slope_y * z, z, self._colours(image, depth.shape)]
        if sigma is not None:
            planes.append(np.ascontiguousarray(sigma[::self.stride, ::self.stride]))
        points = np.asarray(cv2.merge(planes), np.float32)
        if organized:
            return points
        return points.reshape(-1, len(planes))[np.flatnonzero(~np.isnan(z))]

    def _colours(self, image: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return colours as the 0x00RRGGBB that rviz, PCL and Nav2 read from a float."""
        scale = round(image.shape[0] / shape[0])
        height, width = shape[0] * scale, shape[1] * scale
        if image.shape[:2] != (height, width):  # rare: a size that output_scale does not divide
            image = np.asarray(cv2.resize(image, (width, height)), np.uint8)
        step, shape = scale * self.stride, self.slope_x.shape
        # The word that begins at a pixel holds its three bytes and one of the next pixel.
        first = (scale // 2) * (3 * width + 3)
        strides = (step * 3 * width, step * 3)
        if first + (shape[0] - 1) * strides[0] + (shape[1] - 1) * strides[1] + 4 > image.nbytes:
            image = np.vstack([image, image[-1:]])  # there must be a next one
        words: NDArray = np.ndarray(shape, '<u4', np.ascontiguousarray(image), first, strides)
        pixels = words.copy().view(np.uint8).reshape(*shape, 4)
        words = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA)).view('<u4')[..., 0]
        words &= np.uint32(0xffffff)
        return words.astype(np.uint32, copy=False).view(np.float32)


def cloud_to_msg(points: NDArray[np.float32], header: Any) -> Any:
    """Return a PointCloud2 of (h, w, C) organised or (N, C) points, C fields of FIELD_NAMES."""
    msgs = require('sensor_msgs.msg', 'ros')
    count = points.shape[-1]
    height, width = points.shape[:2] if points.ndim == 3 else (1, points.shape[0])
    msg = msgs.PointCloud2(
        header=header, height=height, width=width, fields=_fields(count), point_step=4 * count,
        row_step=4 * count * width, is_bigendian=sys.byteorder == 'big',
        is_dense=points.ndim == 2)
    set_data(msg, points)
    return msg


@functools.cache
def _fields(count: int) -> list[Any]:
    """Return the PointFields of points of so many numbers."""
    msgs = require('sensor_msgs.msg', 'ros')
    return [msgs.PointField(name=name, offset=4 * i, datatype=msgs.PointField.FLOAT32, count=1)
            for i, name in enumerate(FIELD_NAMES[:count])]
