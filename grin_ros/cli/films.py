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

"""Films: the pictures of one in turn, and a new one that appears when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.cli.files import finished
from grin_ros.errors import GrinError

MAX_PX = 8191  # MPEG-4 has 13 bits for each side
MIN_HZ = 0.01  # what two digits can say


@contextmanager
def new_film(path: Path, rate: float, size: tuple[int, int]
             ) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """
    Give what takes the pictures of a film, (H, W, 3) RGB; under path it appears when it is whole.

    :param rate: pictures per second.
    :param size: (W, H) of each picture; what MPEG-4 cannot hold is scaled down.
    :raises GrinError: when it cannot be written.
    """
    scale = min(1.0, MAX_PX / max(size))
    fitting = int(size[0] * scale), int(size[1] * scale)
    count = 0
    with finished(path) as partial:
        # Other rates, as 29.97 / 7, may need a finer clock than MPEG-4 has.
        writer = cv2.VideoWriter(str(partial), cv2.VideoWriter_fourcc(*'mp4v'),
                                 max(round(rate, 2), MIN_HZ), fitting)
        # A .png it would open, too, and take one picture.
        if cv2.haveImageWriter(str(path)) or not writer.isOpened():
            raise GrinError(f'{path} cannot be written: give a name that ends with .mp4')

        def write(picture: NDArray[np.uint8]) -> None:
            nonlocal count
            if fitting != size:
                picture = cv2.resize(picture, fitting, interpolation=cv2.INTER_AREA)
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            count += 1
        try:
            yield write
        finally:
            writer.release()
        # OpenCV does not say when a disk is full.
        written = cv2.VideoCapture(str(partial))
        if not written.isOpened() or written.get(cv2.CAP_PROP_FRAME_COUNT) < count:
            raise GrinError(f'{path} was not written whole: make room on the disk, or give '
                            'another place')


class Film:
    """
    The pictures of a video in turn, (H, W, 3) uint8 RGB.

    :param every: take each of so many.
    :param upright: turn them as the file says; intrinsics of the sensor know nothing of that.
    :raises GrinError: when OpenCV cannot open the file.
    """

    def __init__(self, path: Path, every: int = 1, upright: bool = True) -> None:
        """Open the file."""
        self._capture, self._every = cv2.VideoCapture(str(path)), every
        if not path.is_file() or not self._capture.isOpened():
            raise GrinError(f'{path} is no video that OpenCV can open')
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, float(upright))

        def read(what: int) -> float:
            return self._capture.get(what)
        self.width = int(read(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(read(cv2.CAP_PROP_FRAME_HEIGHT))
        self.rate = (read(cv2.CAP_PROP_FPS) or 30.0) / every
        self._count = max(0, int(read(cv2.CAP_PROP_FRAME_COUNT)))

    def __len__(self) -> int:
        """Return the number of pictures that the file says it has."""
        return -(-self._count // self._every)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Decode."""
        number = 0
        while self._capture.grab():
            if number % self._every == 0:
                there, picture = self._capture.retrieve()
                if there:
                    yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            number += 1
