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

"""Visualise: depth, sigma and points in; pictures for people and PLY files out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.errors import GrinError

Image = NDArray[np.uint8]

NO_ANSWER = (40, 40, 40)  # grey of NaN and -Inf
SKY = (255, 255, 255)  # of +Inf
BACKGROUND = (24, 24, 24)
SIGMA_SCALES = (0.25, 0.5, 1.0, 2.0)  # relative sigma at the end of a sigma picture's scale
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200)  # [m]


def limits(*depths: NDArray) -> tuple[float, float]:
    """Return (near, far) [m] that hold 98 % of the finite depth of some images."""
    finite = np.concatenate([depth[np.isfinite(depth) & (depth > 0)] for depth in depths])
    if not finite.size:
        return 0.5, 10.0
    near, far = np.percentile(finite, (1, 99))
    return float(near), float(max(far, near * 1.5))


def colour_depth(depth: NDArray, near: float, far: float) -> Image:
    """Colour (H, W) depth [m] on a log scale, near is red: (H, W, 3) RGB."""
    with np.errstate(divide='ignore', invalid='ignore'):
        level = np.log(far / np.where(depth > 0, depth, np.nan)) / np.log(far / near)
    picture = _turbo(level)
    picture[~(depth > 0)] = NO_ANSWER
    picture[depth == np.inf] = SKY
    return picture


def sigma_scale(relative: NDArray) -> float:
    """Return the least of SIGMA_SCALES that holds 98 % of the finite relative sigmas."""
    finite = relative[np.isfinite(relative)]
    top = np.percentile(finite, 98) if finite.size else 0.0
    return next((scale for scale in SIGMA_SCALES if scale >= top), SIGMA_SCALES[-1])


def colour_sigma(relative: NDArray, top: float) -> Image:
    """Colour sigma over depth: blue for certain, red for top and more, grey for no depth."""
    picture = _turbo(relative / top)
    picture[np.isnan(relative)] = NO_ANSWER
    return picture


def scale_bar(near: float, far: float, height: int, width: int = 64) -> Image:
    """Draw the colours of colour_depth with labels in metres, near at the bottom."""
    rows = np.arange(height)
    depth = far * (near / far) ** (rows / max(height - 1, 1))
    bar = np.full((height, width, 3), BACKGROUND, np.uint8)
    bar[:, 4:20] = colour_depth(depth[:, None], near, far)
    for metres in (tick for tick in TICKS if near <= tick <= far):
        row = round(np.log(far / metres) / np.log(far / near) * (height - 1))
        cv2.line(bar, (20, row), (24, row), (255, 255, 255), 1)
        put_text(bar, f'{metres:g} m', (26, min(max(row + 4, 10), height - 2)))
    return bar


def depth_picture(depth: NDArray) -> Image:
    """Colour depth and put its scale bar beside it."""
    near, far = limits(depth)
    return np.hstack([colour_depth(depth, near, far), scale_bar(near, far, depth.shape[0])])


def cloud_view(points: ArrayLike, colours: NDArray[np.uint8], size: tuple[int, int],
               yaw_deg: float = 25.0, pitch_deg: float = 20.0) -> Image:
    """
    Look at a cloud from the side: orbit its middle, project, nearest point wins.

    :param points: (..., 3) optical frame [m]; points with NaN or Inf are left out.
    :param colours: (..., 3) uint8 RGB, one per point.
    :param size: (width, height) of the picture [px].
    :param yaw_deg: to the right around the vertical.
    :param pitch_deg: upwards.
    """
    width, height = size
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    cloud = np.asarray(points, np.float64).reshape(-1, 3)
    colours = np.asarray(colours, np.uint8).reshape(-1, 3)
    known = np.isfinite(cloud).all(1) & (cloud[:, 2] > 0)
    cloud, colours = cloud[known], colours[known]
    if not len(cloud):
        return picture
    # Far outliers would shrink the rest to a dot.
    near_enough = cloud[:, 2] < 3 * np.median(cloud[:, 2])
    cloud, colours = cloud[near_enough], colours[near_enough]
    middle = np.median(cloud, axis=0)
    turn, _ = cv2.Rodrigues(np.array([0.0, np.deg2rad(yaw_deg), 0.0]))
    tilt, _ = cv2.Rodrigues(np.array([-np.deg2rad(pitch_deg), 0.0, 0.0]))
    turned = (cloud - middle) @ (tilt @ turn).T
    reach = max(np.percentile(np.linalg.norm(turned, axis=1), 95), 1e-6)  # 0 of a single point
    turned[:, 2] += 2.2 * reach
    in_front = turned[:, 2] > 0.3 * reach
    turned, colours = turned[in_front], colours[in_front]
    flat = turned[:, :2] / turned[:, 2:]
    low, high = np.percentile(flat, (1, 99), axis=0)
    focal = 0.9 * np.min(np.array(size) / np.maximum(high - low, 1e-6))
    u, v = np.round((flat - (low + high) / 2) * focal + np.array(size) / 2).astype(int).T
    order = np.argsort(-turned[:, 2], kind='stable')  # painter's algorithm
    u, v, colours = u[order], v[order], colours[order]
    # Each point is 2 x 2 pixels; repeating keeps the order from far to near.
    u = (u[:, None] + (0, 1, 0, 1)).ravel()
    v = (v[:, None] + (0, 0, 1, 1)).ravel()
    colours = np.repeat(colours, 4, axis=0)
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    picture[v[inside], u[inside]] = colours[inside]
    return picture


def panel(photo: Image, depth: NDArray, sigma: NDArray | None, points: ArrayLike,
          colours: NDArray[np.uint8] | None = None, height: int = 360, title: str = '') -> Image:
    """
    Put photo, depth with scale bar, sigma and a view of the cloud side by side.

    :param photo: (H, W, 3) uint8 RGB.
    :param depth: (h, w) z [m], of any size.
    :param sigma: (h, w) [m] along z; None leaves its picture out.
    :param points: (..., 3) optical frame [m], may hold NaN.
    :param colours: (..., 3) uint8 RGB of the points; None colours them by depth.
    :param height: of the picture [px]; the width follows the photo's aspect.
    :returns: (height, ..., 3) uint8 RGB.
    """
    near, far = limits(depth)
    size = round(height * photo.shape[1] / photo.shape[0]), height
    pictures = [np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8),
                _resize(colour_depth(depth, near, far), size), scale_bar(near, far, height)]
    labels = [title or 'image', 'depth', '']
    if sigma is not None:
        with np.errstate(divide='ignore', invalid='ignore'):
            relative = sigma / depth  # NaN in the sky and where there is no depth
        top = sigma_scale(relative)
        pictures.append(_resize(colour_sigma(relative, top), size))
        labels.append(f'sigma / depth, 0 to {top:.0%}')
    if colours is None:
        colours = colour_depth(np.asarray(points)[..., 2].reshape(1, -1), near, far)
    pictures.append(cloud_view(points, colours, size))
    labels.append('points')
    for picture, label in zip(pictures, labels):
        put_text(picture, label, (8, 18))
    return np.hstack(pictures)


def write_picture(path: Path, picture: Image) -> None:
    """
    Write an (H, W, 3) RGB picture; the name's ending says how, .png or .jpg.

    :raises GrinError: naming the path, where such a file cannot hold the picture (a JPEG has 65500
        rows at most), or the place or the disk's space is missing.
    """
    try:
        fits, encoded = cv2.imencode(path.suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    except cv2.error:  # what one OpenCV raises, another returns
        fits = False
    if not fits:
        raise GrinError(f'{path} cannot hold a picture of {picture.shape[1]}x{picture.shape[0]}: '
                        'give a name that ends with .png')
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:  # of a full disk it does not name the file
        raise GrinError(f'{path} cannot be written: {error.strerror}') from error


def write_ply(path: Path, points: ArrayLike, colours: NDArray[np.uint8]) -> int:
    """
    Write a binary little-endian PLY of x y z red green blue; returns the number of points.

    :param points: (..., 3) [m]; points with NaN or Inf are left out.
    :param colours: (..., 3) uint8 RGB, one per point.
    """
    points = np.asarray(points, np.float32).reshape(-1, 3)
    known = np.isfinite(points).all(1)
    vertices = np.empty(int(known.sum()), [('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    vertices['xyz'] = points[known]
    vertices['rgb'] = np.asarray(colours, np.uint8).reshape(-1, 3)[known]
    header = ['ply', 'format binary_little_endian 1.0', f'element vertex {len(vertices)}',
              *(f'property float {axis}' for axis in 'xyz'),
              *(f'property uchar {channel}' for channel in ('red', 'green', 'blue')),
              'end_header', '']
    Path(path).write_bytes('\n'.join(header).encode() + vertices.tobytes())
    return len(vertices)


def _turbo(level: NDArray) -> Image:
    """Map [0, 1] to the Turbo colours, RGB; NaN to 0."""
    grey = np.round(np.clip(np.nan_to_num(level, posinf=1, neginf=0), 0, 1) * 255)
    coloured = cv2.applyColorMap(grey.astype(np.uint8), cv2.COLORMAP_TURBO)
    return np.ascontiguousarray(coloured.reshape(*level.shape, 3)[..., ::-1], np.uint8)


def _resize(picture: Image, size: tuple[int, int]) -> Image:
    """Resize without inventing colours between two depths."""
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def put_text(picture: Image, text: str, at: tuple[int, int]) -> None:
    """Write white text with a dark shadow, readable on anything."""
    for colour, shift in ((0, 0, 0), 1), ((255, 255, 255), 0):
        cv2.putText(picture, text, (at[0] + shift, at[1] + shift), cv2.FONT_HERSHEY_SIMPLEX, 0.42,
                    colour, 1, cv2.LINE_AA)
