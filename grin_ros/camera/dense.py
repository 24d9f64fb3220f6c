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
"""Dense: a camera in; what each of its pixels sees out, of a distorted lens from a few of them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera

Array = NDArray[np.float64]
Planes = NDArray[np.float32]

NODES = 80  # cells along the longer side: what a lens does between their corners is smooth
TAPS = 6  # nodes in a row that a cell is interpolated from: a polynomial of fifth degree
SMALL = 64  # [px] sides up to it have no pixels to spare
TOLERANCE = 1e-6  # of rays, relative to their z; float32 has 1e-7


def dense_rays(camera: Camera) -> Planes:
    """Return what Camera.rays does, (H, W, 3)."""
    if camera.is_pinhole:
        return camera.rays()
    planes = interpolated(camera.rays_at, camera.width, camera.height, TOLERANCE, relative=True)
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def dense_ray_z(camera: Camera) -> Planes:
    """Return the z of Camera.rays, (H, W)."""
    if not camera.is_pinhole:
        return interpolated(lambda pixels: camera.rays_at(pixels)[:, 2:], camera.width,
                            camera.height, TOLERANCE, relative=True)[0]
    x, y = camera.normalised(np.arange(float(camera.width)),
                             np.arange(float(camera.height))[:, None])
    z = (x * x).astype(np.float32) + (y * y + 1).astype(np.float32)
    return np.reciprocal(np.sqrt(z, out=z), out=z)


def dense_slopes(camera: Camera, stride: int) -> tuple[Planes, Planes]:
    """
    Return x/z and y/z of the rays of every ``stride``-th pixel, (h, w); NaN where none is ahead.

    Those of a pinhole without skew are read-only views of one row and one column.
    """
    size = -(-camera.width // stride), -(-camera.height // stride)
    if camera.is_pinhole:
        u, v = (stride * np.arange(count, dtype=np.float64) for count in size)
        x, y = (np.broadcast_to(plane.astype(np.float32), size[::-1])
                for plane in camera.normalised(u, v[:, None]))
        return x, y
    x, y, z = interpolated(lambda pixels: camera.rays_at(stride * pixels), *size, TOLERANCE,
                           relative=True)
    z[~(z > 0)] = np.nan
    return np.divide(x, z, out=x), np.divide(y, z, out=y)


def interpolated(function: Callable[[Array], NDArray], width: int, height: int, tolerance: float,
                 relative: bool = False) -> Planes:
    """
    Return the values of a function at each pixel of an image, most of them interpolated.

    The image is cut into cells. Where the polynomial through the corners around one misses the
    function in its middle, or meets the end of what it is defined for, the function is asked.

    :param function: from (N, 2) pixels to (N, C) values, NaN where it has none.
    :param tolerance: largest error that is let pass in the middle of a cell.
    :param relative: whether the error is measured in the last of the values.
    :returns: (C, H, W).
    """
    if min(width, height) <= SMALL:
        return _asked(function, np.arange(float(height)), np.arange(float(width))
                      ).astype(np.float32)
    step = max(width, height) / NODES
    nodes = [np.linspace(0, size - 1, max(TAPS, round(size / step) + 1))
             for size in (height, width)]
    corners = _asked(function, *nodes)
    at = [_in_cells(np.arange(float(size)), each) for size, each in zip((height, width), nodes)]
    planes = _polynomial(corners, *at)
    doubt = _doubtful(function, corners, nodes, tolerance, relative)
    rows, columns = (np.minimum(each.astype(np.intp), len(known) - 2)
                     for each, known in zip(at, nodes))
    v, u = np.nonzero(doubt[rows][:, columns])
    if len(v):
        planes[:, v, u] = function(np.stack([u, v], -1).astype(np.float64)).T
    return planes


def _asked(function: Callable[[Array], NDArray], v: Array, u: Array) -> Array:
    """Return the values (C, len(v), len(u)) of a grid of pixels."""
    pixels = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
    values = np.asarray(function(pixels), np.float64)
    return np.ascontiguousarray(values.T).reshape(-1, len(v), len(u))


def _doubtful(function: Callable[[Array], NDArray], corners: Array, nodes: list[Array],
              tolerance: float, relative: bool) -> NDArray[np.bool_]:
    """Return for each cell whether what is interpolated there may be wrong."""
    middles = _asked(function, *map(_middles, nodes))
    found = _polynomial(corners, *(_in_cells(_middles(each), each) for each in nodes))
    allowed = tolerance * np.abs(middles[-1]) if relative else tolerance
    right = np.abs(middles - found).max(0) <= allowed  # False for NaN
    # A middle may be right by chance where those beside it are not.
    doubt = cv2.dilate((~right).view(np.uint8), np.ones((3, 3), np.uint8)).view(np.bool_)
    # Where neither a middle nor what is around it has a value there is none.
    return doubt & (_around(np.isfinite(corners[0])) | np.isfinite(middles[0]))


def _middles(nodes: Array) -> Array:
    """Return what lies half-way between neighbours."""
    return (nodes[1:] + nodes[:-1]) / 2


def _in_cells(pixels: Array, nodes: Array) -> Array:
    """Return coordinates that count nodes, which are evenly spaced from pixel 0 on."""
    return pixels * ((len(nodes) - 1) / nodes[-1])


def _around(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return for each cell whether any of the nodes around it is known."""
    wide = np.pad(known, TAPS // 2 - 1)
    for axis in (0, 1):
        count = known.shape[axis] - 1
        wide = np.any([wide.take(range(k, k + count), axis) for k in range(TAPS)], axis=0)
    return wide


def _polynomial(corners: Array, v: Array, u: Array) -> Planes:
    """Return (C, len(v), len(u)) values of the polynomial through the nodes around each."""
    first, weights = _lagrange(u, corners.shape[2])
    across = sum(weights[k] * corners[..., first + k] for k in range(TAPS))
    first, weights = _lagrange(v, corners.shape[1])
    planes = np.empty((len(corners), len(v), len(u)), np.float32)
    for start in np.unique(first):
        rows = slice(*np.searchsorted(first, [start, start + 1]))
        planes[:, rows] = weights[:, rows].T @ across[:, start:start + TAPS]
    return planes


def _lagrange(at: Array, count: int) -> tuple[NDArray[np.intp], Array]:
    """Return the first of the nodes around each coordinate, and the weights of all (TAPS, n)."""
    first = np.clip(at.astype(np.intp) - (TAPS // 2 - 1), 0, count - TAPS)
    beyond = at - first - np.arange(TAPS)[:, None]  # the nodes
    return first, np.stack([
        np.prod([beyond[other] / (node - other) for other in range(TAPS) if other != node], axis=0)
        for node in range(TAPS)])
