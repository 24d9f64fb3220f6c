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

"""Smoothing: noisy light on surfaces in, the same light smoothed over each surface out."""

# mypy: ignore-errors

from __future__ import annotations

from numba import njit
import numpy as np


@njit(cache=True, error_model='numpy')
def denoise(light, normals, points, step):
    """
    Smooth (H, W, 3) light over one surface: an a-trous step with 3x3 taps, step pixels apart.

    :param normals: (H, W, 3); zero where nothing was hit.
    :param points: (H, W, 3) from the eye [m], not finite where nothing was hit; taps off the
        plane of a pixel, or with another normal, do not count.
    """
    height, width = points.shape[:2]
    out = np.zeros_like(light)
    for y in range(height):
        for x in range(width):
            here = points[y, x]
            distance = np.sqrt(here[0] * here[0] + here[1] * here[1] + here[2] * here[2])
            if not np.isfinite(distance):
                continue
            tolerance = 0.01 * distance + 0.005
            red = green = blue = count = np.float32(0)
            for j in range(y - step, y + step + 1, step):
                for i in range(x - step, x + step + 1, step):
                    if j < 0 or i < 0 or j >= height or i >= width:
                        continue
                    off = normals[y, x, 0] * (points[j, i, 0] - here[0]) \
                        + normals[y, x, 1] * (points[j, i, 1] - here[1]) \
                        + normals[y, x, 2] * (points[j, i, 2] - here[2])
                    if not abs(off) <= tolerance:
                        continue
                    dot = normals[y, x, 0] * normals[j, i, 0] \
                        + normals[y, x, 1] * normals[j, i, 1] \
                        + normals[y, x, 2] * normals[j, i, 2]
                    if dot < 0.9 and (i != x or j != y):
                        continue
                    # Weights 1 2 1: equal ones would leave a pattern of two pixels.
                    weight = np.float32((2 if i == x else 1) * (2 if j == y else 1))
                    red += weight * light[j, i, 0]
                    green += weight * light[j, i, 1]
                    blue += weight * light[j, i, 2]
                    count += weight
            out[y, x, 0] = red / count
            out[y, x, 1] = green / count
            out[y, x, 2] = blue / count
    return out
