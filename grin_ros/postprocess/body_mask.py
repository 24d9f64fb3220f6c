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

"""Body mask: a picture of what a camera sees of its own robot in; pixels that are it out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError

ASPECT_ERROR = 0.02  # of another picture's aspect, that a pixel more or less comes on top of


class BodyMask:
    """
    What a camera sees of its own robot: a bumper, an arm at rest, the rim of its housing.

    :param path: picture of the camera's view: dark is the robot, bright is the world.
    :raises GrinError: when it cannot be read, or shows no world.
    """

    def __init__(self, path: str) -> None:
        """Read the picture once."""
        self.path = Path(path).expanduser()
        picture = cv2.imread(str(self.path), cv2.IMREAD_GRAYSCALE) if self.path.is_file() else None
        if picture is None:
            raise GrinError(f'parameter body_mask: {self.path} is no picture that can be read: '
                            "give a PNG of the image's size, black where the robot is")
        self._body = (picture < 128).astype(np.uint8)
        if self._body.all():
            raise GrinError(f'parameter body_mask: {self.path} is dark all over: bright is what '
                            'is not the robot')
        self._fitted = self._body.view(np.bool_)

    def on(self, height: int, width: int) -> NDArray[np.bool_]:
        """
        Return the pixels of a grid of the same view that show some of the robot.

        :raises GrinError: when the picture is of another view.
        """
        if self._fitted.shape != (height, width):
            rows, columns = self._body.shape
            error = abs(np.log(columns * height / (rows * width)))
            if error > ASPECT_ERROR + 1 / min(height, width):
                raise GrinError(f'parameter body_mask: {self.path} is {columns}x{rows} and depth '
                                f"{width}x{height}: give a picture of the image's size")
            # Whatever part of a pixel is the robot; a coarser picture is taken as it is.
            how = cv2.INTER_AREA if width < columns else cv2.INTER_NEAREST_EXACT
            fitted = cv2.resize(self._body * np.uint8(255), (width, height), interpolation=how)
            self._fitted = fitted > 0
        return self._fitted
