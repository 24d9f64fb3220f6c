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


"""Rectify: depth on the grid of a distorted camera in; depth on the grid of a pinhole out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.camera.dense import interpolated

Array = NDArray[np.float32]

SMOOTH = 1.1  # four neighbours whose depths differ by less lie on one surface
SAME_RAY = 1e-3  # [rad]
EXACT = 1e-4  # [px] what float32 has left at the end of a row
OUTSIDE = -10.0  # [px] no pixel of any image


def rectified_camera(info: Any | None, camera: Camera) -> Camera:
    """
    Return the pinhole for the rectified grid: of P, or of K where P is zero; no distortion.

    It looks where the camera looks (R is the identity), so that depth stays depth and the points
    of both grids are the same points in the same frame.

    :param info: the CameraInfo of ``camera``; None without.
    """
    if info is None or camera.is_pinhole:
        return camera
    return Camera.from_camera_info(info, rectified=True)


class Rectifier:
    """
    Where each pixel of a pinhole looks in a distorted image, computed once.

    :param source: camera of the pictures that come in.
    :param target: pinhole of those that go out; it has the same frame, hence the same depth.
    """

    def __init__(self, source: Camera, target: Camera) -> None:
        """Follow each ray of the target into the source."""
        self.source, self.target = source, target
        pixels = interpolated(self._seen_at, target.width, target.height, EXACT)
        size = np.array([source.width, source.height], np.float32)[:, None, None]
        seen = np.all((pixels > -0.5) & (pixels < size - 0.5), axis=0)  # False for NaN
        pixels[:, ~seen] = OUTSIDE
        corner = np.floor(pixels)
        corner[:, ~np.all((corner >= 0) & (corner < size - 1), axis=0)] = OUTSIDE
        self._pixels, self._corner = pixels, corner  # (2, H, W) u and v

    def _seen_at(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where (N, 2) pixels of the target lie in the source; NaN where nowhere."""
        x, y = self.target.normalised(*pixels.T)
        points = np.stack([x, y, np.ones_like(x)], -1)
        found = self.source.project(points)
        # Beyond the fold of its polynomial a lens model sends rays back into the image.
        rays = points / np.linalg.norm(points, axis=-1, keepdims=True)
        back = np.linalg.norm(self.source.rays_at(found) - rays, axis=-1)
        found[~(back < SAME_RAY)] = np.nan
        return found

    def depth(self, depth: Array) -> Array:
        """
        Return depth [m] of the target; NaN where the source does not look.

        Inverse depth is linear on planes and is interpolated where the four pixels around lie on
        one surface; at edges and beside NaN and Inf the nearest pixel is taken as it is.
        """
        inverse = np.full_like(depth, -1)
        np.divide(1, depth, out=inverse, where=(depth > 0) & (depth < np.inf))
        four = np.ones((2, 2), np.uint8)
        near = cv2.dilate(inverse, four, anchor=(0, 0))
        far = cv2.erode(inverse, four, anchor=(0, 0))
        smooth = ((far > 0) & (near < np.float32(SMOOTH) * far)).view(np.uint8)
        smooth = cv2.remap(smooth, *self._corner, cv2.INTER_NEAREST).view(np.bool_)
        result = self.nearest(depth)
        linear = cv2.remap(inverse, *self._pixels, cv2.INTER_LINEAR)
        return np.asarray(np.divide(1, linear, out=result, where=smooth))

    def nearest(self, picture: Array) -> Array:
        """Return what the nearest pixels have; NaN where the source does not look."""
        return np.asarray(cv2.remap(picture, *self._pixels, cv2.INTER_NEAREST,
                                    borderMode=cv2.BORDER_CONSTANT, borderValue=(np.nan,) * 4))

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return an RGB image, black where the source does not look."""
        return np.asarray(cv2.remap(image, *self._pixels, cv2.INTER_LINEAR))
