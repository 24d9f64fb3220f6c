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

"""Ranges: what a lidar measures and where it is mounted in; known ranges of image pixels out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
import threading
from typing import Any, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

if TYPE_CHECKING:
    from grin_ros.intake import Frame
    from grin_ros.params import DepthParams

COUNT = 64  # prompts of a frame: more bring nothing, and a fixed number is one engine
DRAWN = 4096  # points of a cloud that are looked at: a spinning lidar sends a hundred thousand
REMEMBERED = 16  # messages, to find the one nearest to the image in time
# A sensor beside the camera sees behind what the camera sees: of the points in a cell of an
# image's 40th the nearest counts.
CELLS = 40
FLOATS = {7: 'f4', 8: 'f8'}  # PointField's FLOAT32 and FLOAT64


def points_from_scan(msg: Any) -> NDArray[np.float64]:
    """Return the (N, 3) points [m] of a sensor_msgs/LaserScan that hit something, in its frame."""
    ranges = np.asarray(msg.ranges, np.float64)
    angles = msg.angle_min + msg.angle_increment * np.arange(len(ranges))
    # REP-117: what is beyond is +Inf, what is not known is NaN, neither is a point.
    hit = (ranges >= max(msg.range_min, 1e-3)) & (ranges <= msg.range_max) & np.isfinite(ranges)
    ranges, angles = ranges[hit], angles[hit]
    return np.stack([ranges * np.cos(angles), ranges * np.sin(angles), np.zeros_like(ranges)], -1)


def points_from_cloud(msg: Any) -> NDArray[np.float64]:
    """
    Return the finite (N, 3) points [m] of a sensor_msgs/PointCloud2, in its frame.

    Of more than DRAWN points so many are drawn, always the same.

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
    chosen = np.arange(rows * count) if rows * count <= DRAWN else (
        np.random.default_rng(0).integers(0, rows * count, DRAWN))
    columns = [np.ndarray((rows, count), kind, data, fields[name].offset,
                          (msg.row_step, msg.point_step))[chosen // count, chosen % count]
               for name, kind in zip('xyz', kinds, strict=True)]
    points = np.stack(columns, -1).astype(np.float64)
    return points[np.isfinite(points).all(-1)]


READERS: dict[str, Callable[[Any], NDArray[np.float64]]] = {
    'scan': points_from_scan, 'cloud': points_from_cloud}


@lru_cache(16)
def transform(pose: tuple[float, ...]) -> NDArray[np.float64]:
    """
    Return the (4, 4) transform of a pose: from the camera's optical frame to the sensor's.

    :param pose: x, y, z [m], roll, pitch, yaw [rad] of the optical frame in the sensor's, as
        tf2_echo prints it: turned about the fixed axes x, y, z, in this order (REP-103).
    """
    result = np.eye(4)
    for axis, angle in enumerate(pose[3:]):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(4)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
        result = turn @ result
    result[:3, 3] = pose[:3]
    return result


def known_ranges(points: NDArray[np.float64], camera: Camera, pose: Sequence[float],
                 sigma: float) -> NDArray[np.float64]:
    """
    Return (COUNT, 4) prompts u, v, range [m], relative sigma; rows without a point are NaN.

    :param points: (N, 3) [m] in the frame of the sensor.
    :param pose: of the camera, see transform().
    :param sigma: relative error of the points.
    """
    prompts = np.full((COUNT, 4), np.nan)
    matrix = transform(tuple(pose))
    points = (points - matrix[:3, 3]) @ matrix[:3, :3]
    range_m = np.linalg.norm(points, axis=-1)
    # Behind the camera, and farther to the side than any lens sees, nothing is to be projected.
    seen = (range_m > 1e-3) & (points[:, 2] > 0.02 * range_m)
    points, range_m = points[seen], range_m[seen]
    pixels = camera.project(points) if len(points) else np.zeros((0, 2))
    size = (camera.width, camera.height)
    inside = ((pixels > -0.5) & (pixels < np.array(size) - 0.5)).all(-1)
    pixels, range_m = pixels[inside], range_m[inside]
    # A distorted lens folds far outside of its image back into it.
    same = np.einsum('ij,ij->i', camera.rays_at(pixels),
                     points[inside] / range_m[:, None]) > 0.9999 if len(pixels) else []
    pixels, range_m = pixels[same], range_m[same]
    cells = (pixels + 0.5) // (max(size) / CELLS)
    order = np.argsort(range_m, kind='stable')
    _, first = np.unique(cells[order], axis=0, return_index=True)
    chosen = order[first]
    if len(chosen) > COUNT:  # spread, and the same for the same frame
        chosen = np.random.default_rng(0).choice(chosen, COUNT, replace=False)
    prompts[:len(chosen)] = np.column_stack(
        [pixels[chosen], range_m[chosen], np.full(len(chosen), sigma)])
    return prompts


class Ranges:
    """
    The latest messages of a sensor of one camera.

    :param kind: scan or cloud, a key of READERS.
    :param topic: full name, for sentences.
    """

    def __init__(self, kind: str, topic: str) -> None:
        """Start without messages."""
        self.kind, self.topic = kind, topic
        self._messages: deque[tuple[int, Any]] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        self.problem = ''  # why the latest frame has no known ranges

    def put(self, msg: Any) -> None:
        """Take a message."""
        with self._lock:
            self._messages.append((nanoseconds(msg.header.stamp), msg))

    def forget(self) -> None:
        """Drop all messages: time went back."""
        with self._lock:
            self._messages.clear()

    def attach(self, frame: Frame, params: DepthParams) -> Frame:
        """Return a frame with what is known of it; as it is when its camera is unknown."""
        if frame.camera is None:
            return frame
        return replace(frame, prompts=self.prompts(
            frame.header.stamp, frame.camera, params.ranges_camera_pose, params.ranges_sigma,
            params.ranges_max_age))

    def prompts(self, stamp: Any, camera: Camera, pose: Sequence[float], sigma: float,
                max_age: float) -> NDArray[np.float64]:
        """
        Return the known ranges of an image, see known_ranges(); all NaN with a problem.

        :param stamp: of the image.
        :param max_age: how far a message may be from the image in time [s].
        """
        moment = nanoseconds(stamp)
        with self._lock:
            found = min(self._messages, key=lambda item: abs(item[0] - moment), default=None)
        nothing = np.full((COUNT, 4), np.nan)
        if found is None:
            self.problem = f'nothing came on {self.topic}: check ranges_topic'
            return nothing
        apart = abs(found[0] - moment) / 1e9
        if apart > max_age:
            self.problem = (f'the nearest message on {self.topic} is {apart:.2f} s from the '
                            'image: raise ranges_max_age, or check that both clocks agree')
            return nothing
        try:
            result = known_ranges(READERS[self.kind](found[1]), camera, pose, sigma)
        except GrinError as error:
            self.problem = f'{self.topic}: {error}'
            return nothing
        self.problem = '' if np.isfinite(result).any() else (
            f'no point on {self.topic} falls into the image: check ranges_camera_pose, the pose '
            f'of the optical frame of the camera in frame "{found[1].header.frame_id}"')
        return result


def nanoseconds(stamp: Any) -> int:
    """Return a builtin_interfaces/Time in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
