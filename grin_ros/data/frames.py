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

"""Frames on disk: what the readers of datasets share; files in, Samples out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

Item = TypeVar('Item')
IMAGES = ('.png', '.jpg', '.jpeg', '.ppm', '.bmp')


class Frames(Generic[Item]):
    """
    A dataset: a list of what names a frame, and how one is read.

    :param items: one per frame, in order.
    :param read: returns the Sample of an item; called when it is asked for.
    """

    def __init__(self, items: Sequence[Item], read: Callable[[Item], Sample]) -> None:
        """Keep the list; nothing is read yet."""
        self.items, self._read = items, read

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.items)

    def __getitem__(self, index: int) -> Sample:
        """Read one frame."""
        return self._read(self.items[index])

    def __iter__(self) -> Iterator[Sample]:
        """Read the frames in turn."""
        return map(self._read, self.items)


def need_frames(items: Sequence[Item], folder: Path, layout: str) -> Sequence[Item]:
    """Return items, or refuse a folder that holds none, naming the layout that is read."""
    if not items:
        raise GrinError(f'there are no frames in {folder}: expected {layout}')
    return items


def visible(folder: Path, pattern: str = '*') -> list[Path]:
    """Return what matches in a folder, in order; hidden files, as macOS leaves them, are none."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith('.'))


def read_image(path: Path, upright: bool = False) -> NDArray[np.uint8]:
    """
    Read an image file as (H, W, 3) uint8 RGB.

    :param upright: turn it as its EXIF says; intrinsics of the sensor know nothing of that.
    """
    flags = cv2.IMREAD_COLOR | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    return np.asarray(cv2.cvtColor(_decode(path, flags), cv2.COLOR_BGR2RGB), np.uint8)


def read_depth(path: Path, units_per_metre: float) -> NDArray[np.float32]:
    """
    Read depth as (H, W) metres, NaN where the file says 0.

    :param path: a 16-bit PNG, or .npy of metres, whose values are then divided by 1.
    :param units_per_metre: what 1 m is in a PNG.
    """
    if path.suffix == '.npy':
        try:
            depth = metres(np.load(path, allow_pickle=False), path)
        except (OSError, EOFError, ValueError) as error:
            raise GrinError(f'{path} is no array of depth: {error}') from error
        units_per_metre = 1.0
    else:
        depth = _decode(path, cv2.IMREAD_UNCHANGED)
        if depth.dtype != np.uint16:
            raise GrinError(f'{path} must be a 16-bit PNG, not {depth.dtype}: 8 bits are too few '
                            'for depth')
        depth = depth.astype(np.float32)
    if depth.ndim == 3 and depth.shape[2] == 1:
        depth = depth[..., 0]
    if depth.ndim != 2:
        raise GrinError(f'{path} must hold depth (H, W), not {depth.shape}')
    return np.where(depth > 0, depth / np.float32(units_per_metre), np.float32(np.nan))


def metres(depth: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """Return depth [m] of an array; whole numbers are refused, as cameras give millimetres so."""
    if depth.dtype.kind != 'f':
        raise GrinError(f'{path}: depth must be metres, as float32, not {depth.dtype}: divide '
                        'millimetres by 1000, or save them as a 16-bit PNG')
    return depth.astype(np.float32)


def depth_sample(image: NDArray[np.uint8], depth: NDArray[np.float32], camera: Camera,
                 name: str, kind: str, source: str) -> Sample:
    """
    Return the sample of an image and its depth along z.

    :param depth: (H, W) z [m]; NaN unknown, +Inf sky.
    :param kind: indoor or driving.
    :raises GrinError: when image, depth and camera are not of one size.
    """
    if depth.shape != image.shape[:2]:
        raise GrinError(f'{source} {name}: depth is {depth.shape[1]}x{depth.shape[0]}, the image '
                        f'{image.shape[1]}x{image.shape[0]}: register depth to the image')
    if (camera.height, camera.width) != image.shape[:2]:
        raise GrinError(f'{source} {name}: the image is {image.shape[1]}x{image.shape[0]}, its '
                        f'camera {camera.width}x{camera.height}: give the calibration of the '
                        'image')
    range_m = np.where(depth > 0, depth, np.float32(np.nan)) / camera.rays()[..., 2]
    return Sample(image, range_m.astype(np.float32), camera,
                  {'name': name, 'source': source, 'kind': kind})


def _decode(path: Path, flags: int) -> NDArray[Any]:
    # imread would fail silently.
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise GrinError(f'{path} cannot be read: {error.strerror}') from error
    try:
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error as error:
        raise GrinError(f'{path} cannot be decoded: it is damaged or too large '
                        f'({str(error).strip()})') from error
    if image is None:
        raise GrinError(f'{path} is no image that OpenCV can decode')
    return np.asarray(image)
