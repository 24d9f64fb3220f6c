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

"""Region: which pixels of the sensor a camera_info speaks of."""

from __future__ import annotations

from typing import Any

from grin_ros.errors import GrinError


def region_of(msg: Any) -> tuple[int, int, int, int, int, int]:
    """
    Return which pixels of the sensor the images of a sensor_msgs/CameraInfo show.

    :returns: x, y, width and height of the region [px of the sensor], without the odd last row
        or column that binning leaves out, and the binning in x and y.
    :raises GrinError: for a sensor without a size, or a region beyond it.
    """
    if not (msg.width > 0 and msg.height > 0):
        raise GrinError(f'camera_info says a size of {msg.width}x{msg.height}, which must be '
                        'positive: let its publisher fill in width and height of the images that '
                        'were calibrated')
    roi = msg.roi
    x, y, width, height = (
        (roi.x_offset, roi.y_offset, roi.width, roi.height) if roi.width and roi.height
        else (0, 0, msg.width, msg.height))
    if x + width > msg.width or y + height > msg.height:
        # As of a camera that was calibrated in its region: K would be moved there once more.
        raise GrinError(f'camera_info is of {msg.width}x{msg.height} pixels, and its roi of '
                        f'{width}x{height} at ({x}, {y}) reaches beyond them: calibrate the whole '
                        'sensor, or have the driver leave roi at zero')
    binning_x, binning_y = max(1, msg.binning_x), max(1, msg.binning_y)
    return (x, y, width // binning_x * binning_x, height // binning_y * binning_y,
            binning_x, binning_y)
