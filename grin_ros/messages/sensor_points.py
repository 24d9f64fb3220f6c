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

"""Points of a sensor that measures ranges: LaserScan, PointCloud2 or Range in, (N, 3) [m] out."""

from __future__ import annotations

from collections.abc import Callable
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError

FLOATS = {7: 'f4', 8: 'f8'}  # PointField's FLOAT32 and FLOAT64


def points_from_scan(msg: Any) -> NDArray[np.float64]:
    """Return the (N, 3) points [m] of a sensor_msgs/LaserScan that hit something, in its frame."""
    ranges = np.asarray(msg.ranges, np.float64)
    angles = msg.angle_min + msg.angle_increment * np.arange(len(ranges))
    # REP-117: what is beyond is +Inf, what is not known is NaN, neither is a point. Older drivers
    # send range_max itself where nothing is.
    hit = (ranges >= max(msg.range_min, 1e-3)) & (ranges < msg.range_max) & np.isfinite(ranges)
    ranges, angles = ranges[hit], angles[hit]
    return np.stack([ranges * np.cos(angles), ranges * np.sin(angles), np.zeros_like(ranges)], -1)


def points_from_cloud(msg: Any) -> NDArray[np.floating]:
    """
    Return the (N, 3) points [m] of a sensor_msgs/PointCloud2, in its frame; NaN for some.

    :raises GrinError: when it has no x, y and z of floats, or is shorter than it says.
    """
    fields = {field.name: field for field in msg.fields}
    missing = [name for name in 'xyz' if name not in fields
               or fields[name].datatype not in FLOATS]
    if missing:
        raise GrinError(f'the cloud has no {", ".join(missing)} of FLOAT32 or FLOAT64 (it has '
                        f'{", ".join(fields) or "no fields"})')
    order = '>' if msg.is_bigendian else '<'
    kinds = [np.dtype(order + FLOATS[fields[name].datatype]) for name in 'xyz']
    ends = [fields[name].offset + kind.itemsize for name, kind in zip('xyz', kinds, strict=True)]
    count, rows = msg.width, msg.height
    if rows * count == 0:
        return np.zeros((0, 3))
    needed = (rows - 1) * msg.row_step + (count - 1) * msg.point_step + max(ends)
    if (max(ends) > msg.point_step or msg.row_step < count * msg.point_step
            or len(msg.data) < needed):
        raise GrinError(f'the cloud of {count}x{rows} points of {msg.point_step} bytes, rows of '
                        f'{msg.row_step}, needs {needed} bytes and has {len(msg.data)}: it was '
                        'truncated, or the driver fills it wrongly')
    data = memoryview(msg.data)
    columns = [np.ndarray((rows, count), kind, data, fields[name].offset,
                          (msg.row_step, msg.point_step)).ravel()
               for name, kind in zip('xyz', kinds, strict=True)]
    points = np.stack(columns, -1).astype(kinds[0].newbyteorder('='), copy=False)
    # What a beam did not hit many drivers put at the origin, where the sensor itself is: a camera
    # behind a lidar would see a thing there.
    x, y, z = columns
    points[(x == 0) & (y == 0) & (z == 0)] = np.nan
    return points


def points_from_range(msg: Any) -> NDArray[np.float64]:
    """Return the (1, 3) point [m] on the axis of a sensor_msgs/Range, in its frame, or (0, 3)."""
    # REP-117: +Inf is nothing in reach, -Inf is too near. Some drivers send a limit for either.
    hit = max(msg.min_range, 1e-3) <= msg.range < msg.max_range and np.isfinite(msg.range)
    return np.array([[msg.range, 0, 0]] if hit else np.zeros((0, 3)), np.float64)


def beam_sigma(field_of_view: float) -> float:
    """
    Return the relative sigma of a range that a beam of some width [rad] measured.

    What is nearest in it counts: on a surface at 45 deg to the axis that is nearer than what the
    axis hits, and half of the difference is a standard deviation.
    """
    half = min(max(0.0, field_of_view) / 2, math.pi / 4)  # NaN becomes 0
    return (1 - 1 / (math.cos(half) + math.sin(half))) / 2


READERS: dict[str, Callable[[Any], NDArray[np.floating]]] = {
    'scan': points_from_scan, 'cloud': points_from_cloud, 'range': points_from_range}
