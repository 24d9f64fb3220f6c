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

"""Distortion: distorted normalised coordinates in; where the ideal lens would see them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError

Array = NDArray[np.float64]

DISTORTION_MODELS = {  # name in sensor_msgs/CameraInfo -> numbers of D that OpenCV accepts
    'plumb_bob': (0, 4, 5),
    'rational_polynomial': (8, 12, 14),
    'equidistant': (4,),
}
# Parts of the names of lenses that bend rays without any D, too; all others are pinholes then.
FISHEYES = 'equidistant', 'fisheye', 'kannala'

BLOCK = 1 << 15  # points at a time: the temporaries stay in the cache
MAX_RADIUS = 20.0  # tan of the widest angle a perspective lens can have, 87 deg
TOLERANCE = 1e-8  # normalised; 1e-5 px at a focal length of 1000 px


def checked_model(model: str, distortion: Sequence[float]) -> tuple[str, tuple[float, ...]]:
    """
    Return a distortion model and its D; plumb_bob without numbers for an ideal pinhole.

    :raises GrinError: for a model that is not known, or numbers that it does not have.
    """
    distortion = tuple(float(value) for value in distortion)
    if not np.isfinite(distortion).all():
        raise GrinError(f'distortion D must be finite: {list(distortion)}')
    if not any(distortion) and not any(part in model.lower() for part in FISHEYES):
        return 'plumb_bob', ()  # drivers call it none, pinhole, perspective ...
    allowed, count = DISTORTION_MODELS.get(model), len(distortion)
    if allowed is None:
        raise GrinError(f'unknown distortion model "{model}": '
                        f'use one of {", ".join(DISTORTION_MODELS)}, or rectify the image')
    if count not in allowed:
        # Which of the two is wrong only its owner knows: a guess would bend every ray.
        others = [name for name, counts in DISTORTION_MODELS.items() if count and count in counts]
        remedy = (f'{" or ".join(others)} has so many, so correct distortion_model, or D'
                  if others else 'calibrate the camera, or rectify the image')
        raise GrinError(f'{model} needs {" or ".join(map(str, allowed))} numbers in D, not '
                        f'{count}: {remedy}')
    return model, distortion


def undistort(x: Array, y: Array, coefficients: tuple[float, ...]) -> tuple[Array, Array]:
    """
    Invert OpenCV's plumb_bob and rational polynomial models by Newton's method.

    :param x: (N,) distorted x/z of pixels.
    :param y: (N,) distorted y/z of pixels.
    :param coefficients: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tau_x tau_y]]]].
    :returns: undistorted x and y; NaN where no point is seen there, or where the polynomial has
        folded over and is no lens any more.
    """
    padded = np.zeros(14)
    padded[:len(coefficients)] = coefficients
    if padded[12:].any():
        x, y = _untilt(x, y, padded[12], padded[13])
    table = radius_table(lambda radius: radius * _factor(radius * radius, padded)[0], MAX_RADIUS)
    out_x, out_y = np.empty_like(x), np.empty_like(y)
    for start in range(0, len(x), BLOCK):
        block = slice(start, start + BLOCK)
        out_x[block], out_y[block] = _newton(x[block], y[block], padded, table)
    return out_x, out_y


def radius_table(forward: Callable[[Array], Array], limit: float) -> tuple[Array, Array]:
    """Return (distorted, ideal) radii from 0 to where the lens function stops rising."""
    ideal = limit * np.linspace(0, 1, 8192) ** 2  # finer near the axis, where most pixels are
    distorted = forward(ideal)
    falls = np.flatnonzero(np.diff(distorted) <= 0)
    end = falls[0] + 1 if falls.size else len(ideal)
    return distorted[:end], ideal[:end]


def _newton(x: Array, y: Array, d: Array, table: tuple[Array, Array]) -> tuple[Array, Array]:
    """Solve distort(u, v) = (x, y), starting from the inverse of the radial part."""
    radius = np.hypot(x, y)
    # Nothing is seen well beyond the fold; zeros there let the others converge early.
    outside = radius > 1.05 * table[0][-1] + 0.02
    x, y = np.where(outside, 0.0, x), np.where(outside, 0.0, y)
    scale = np.interp(radius, *table) / np.maximum(radius, 1e-12)
    u, v = x * scale, y * scale
    _, _, p1, p2, _, _, _, _, s1, s2, s3, s4, _, _ = d
    for iteration in range(8):
        r2, uv = u * u + v * v, 2 * u * v
        factor, slope = _factor(r2, d)
        error_x = u * factor + p1 * uv + p2 * (r2 + 2 * u * u) + r2 * (s1 + s2 * r2) - x
        error_y = v * factor + p1 * (r2 + 2 * v * v) + p2 * uv + r2 * (s3 + s4 * r2) - y
        cross = uv * slope + 2 * (p1 * u + p2 * v)
        prism_x, prism_y = 2 * (s1 + 2 * s2 * r2), 2 * (s3 + 2 * s4 * r2)
        x_u = factor + 2 * u * u * slope + 2 * p1 * v + 6 * p2 * u + prism_x * u
        x_v, y_u = cross + prism_x * v, cross + prism_y * u
        y_v = factor + 2 * v * v * slope + 6 * p1 * v + 2 * p2 * u + prism_y * v
        determinant = x_u * y_v - x_v * y_u
        error = np.maximum(np.abs(error_x), np.abs(error_y))
        if iteration == 7 or not (error > TOLERANCE / 100).any():
            break
        safe = np.where(np.abs(determinant) < 1e-6, np.inf, determinant)
        u = u - (y_v * error_x - x_v * error_y) / safe
        v = v - (x_u * error_y - y_u * error_x) / safe
    # Past the fold the image runs backwards: a solution there is none of this lens.
    lost = ~((error < TOLERANCE) & (determinant > 0))
    lost |= outside | (u * u + v * v > (1.05 * table[1][-1] + 0.05) ** 2)
    u[lost] = v[lost] = np.nan
    return u, v


def _factor(r2: Array, d: Array) -> tuple[Array, Array]:
    """Return the radial factor of a squared radius and its derivative."""
    k1, k2, _, _, k3, k4, k5, k6 = d[:8]
    below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    factor = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / below
    slope = k1 + r2 * (2 * k2 + r2 * 3 * k3) - factor * (k4 + r2 * (2 * k5 + r2 * 3 * k6))
    return factor, slope / below


def _untilt(x: Array, y: Array, tau_x: float, tau_y: float) -> tuple[Array, Array]:
    """Undo the projection onto a tilted sensor (OpenCV's Scheimpflug model)."""
    about_x = np.array([[1, 0, 0], [0, np.cos(tau_x), np.sin(tau_x)],
                        [0, -np.sin(tau_x), np.cos(tau_x)]])
    about_y = np.array([[np.cos(tau_y), 0, -np.sin(tau_y)], [0, 1, 0],
                        [np.sin(tau_y), 0, np.cos(tau_y)]])
    turn = about_y @ about_x
    project = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    straight = np.linalg.inv(project @ turn) @ np.stack([x, y, np.ones_like(x)])
    return straight[0] / straight[2], straight[1] / straight[2]
