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

"""Fisheye: the equidistant model, from angles to where they are seen and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera.distortion import radius_table, TOLERANCE

Array = NDArray[np.float64]
Coefficients = tuple[float, ...]


def bend(theta: Array, coefficients: Coefficients) -> Array:
    """
    Return the radius at which an angle is seen, theta (1 + k1 theta^2 + ...) (OpenCV fisheye).

    :param theta: angle to the axis [rad].
    :param coefficients: k1 k2 k3 k4, or nothing.
    """
    k1, k2, k3, k4 = coefficients or (0.0, 0.0, 0.0, 0.0)
    t2 = theta * theta
    return theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))


def project(points: Array, coefficients: Coefficients) -> tuple[Array, Array]:
    """Return where (N, 3) points are seen, in normalised coordinates x and y, (N,) each."""
    radius = np.hypot(points[:, 0], points[:, 1])
    seen = bend(np.arctan2(radius, points[:, 2]), coefficients)
    scale = np.where(radius > 1e-12, seen / np.maximum(radius, 1e-12), 1.0)
    return points[:, 0] * scale, points[:, 1] * scale


def rays_of(x: Array, y: Array, coefficients: Coefficients) -> Array:
    """
    Invert project() by Newton's method.

    :param x: (N,) normalised coordinate of pixels.
    :param y: (N,) the other one.
    :returns: (N, 3) unit rays; NaN beyond what the lens sees.
    """
    k1, k2, k3, k4 = coefficients or (0.0, 0.0, 0.0, 0.0)
    radius = np.hypot(x, y)
    table = radius_table(lambda theta: bend(theta, coefficients), np.pi)
    theta = np.interp(radius, *table)
    for _ in range(4):
        t2 = theta * theta
        slope = 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))
        step = (bend(theta, coefficients) - radius) / np.where(slope > 1e-6, slope, np.inf)
        theta = np.clip(theta - step, 0, table[1][-1])
    scale = np.where(radius > 1e-12, np.sin(theta) / np.maximum(radius, 1e-12), 1.0)
    rays = np.stack([x * scale, y * scale, np.cos(theta)], -1)
    rays[~(np.abs(bend(theta, coefficients) - radius) < TOLERANCE)] = np.nan
    return rays
