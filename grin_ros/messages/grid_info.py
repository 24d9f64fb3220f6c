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

"""CameraInfo of an output grid: the input's, moved with the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from grin_ros.camera import Camera
from grin_ros.camera.region import region_of
from grin_ros.errors import require


class GridInfo:
    """The CameraInfo of a grid, of which only the header changes until the camera does."""

    def __init__(self) -> None:
        """Start without any."""
        self._of: tuple[Any | None, Camera, bool] | None = None
        self._last: Any = None

    def to_msg(self, source: Any | None, camera: Camera, rectified: bool, header: Any) -> Any:
        """Return a CameraInfo, valid until the next; see camera_info_fields()."""
        known = self._of
        # By identity: intake keeps one message per calibration.
        if known is None or known[0] is not source or known[1:] != (camera, rectified):
            fields = camera_info_fields(source, camera, rectified)
            self._last = require('sensor_msgs.msg', 'ros').CameraInfo(**fields)
            self._of = source, camera, rectified
        self._last.header = header
        return self._last


def camera_info_fields(source: Any | None, camera: Camera, rectified: bool) -> dict[str, Any]:
    """
    Return the fields of the CameraInfo of an output grid but its header, binning and roi.

    K and P are moved with the pixels, P is never zero.

    :param source: CameraInfo of the input, None without one.
    :param camera: camera of the grid, from ``source`` by its region, binning and scaling.
    :param rectified: True when the grid is rectified: K is then the 3x3 of P, D zero and R the
        identity, as the pixels need no turning any more.
    """
    k = camera.intrinsics
    projection = np.hstack([k, np.zeros((3, 1))])
    rotation = np.eye(3)
    model, distortion = 'plumb_bob', [0.0] * 5
    if source is not None:
        given = np.asarray(source.p, np.float64).reshape(3, 4)
        if given[0, 0] != 0 and given[1, 1] != 0:
            x, y, width, height, *_ = region_of(source)
            sx, sy = camera.width / width, camera.height / height
            # Pixel centres are integers: u' = (u - x + 0.5) s - 0.5.
            move = np.array([[sx, 0, (0.5 - x) * sx - 0.5], [0, sy, (0.5 - y) * sy - 0.5],
                             [0, 0, 1]])
            projection = move @ given
        if not rectified:
            model, distortion = source.distortion_model or model, list(source.d)
            if any(source.r):
                rotation = np.asarray(source.r, np.float64).reshape(3, 3)
    return {'height': camera.height, 'width': camera.width, 'distortion_model': model,
            'd': list(distortion), 'k': k.ravel(), 'r': rotation.ravel(),
            'p': projection.ravel()}
