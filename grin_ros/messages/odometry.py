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

"""Odometry of a robot in, ranges of what its camera sees out: a motion has a scale."""

from __future__ import annotations

from collections import deque
from typing import Any, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.camera.motion import ranges_from_motion, View
from grin_ros.errors import GrinError
from grin_ros.messages.ranges import nanoseconds, NUM_RANGES, Ranges, transform

if TYPE_CHECKING:
    from grin_ros.params import DepthParams

SHORTEST = 0.1  # [m] between two views
BEST = 0.3  # [m] if there is a choice: longer, and near things look too different
LONGEST = 0.6  # [m]
WIDEST = 0.5  # [rad] that the camera may have turned
APART, TURNED = 0.05, 0.2  # [m] or [rad] between views that are kept
KEPT = 16  # views
FEWEST = 8  # points


def make_ranges(kind: str, topic: str) -> Ranges:
    """Return what listens to a sensor of a kind of params.RANGES_TYPES."""
    return OdometryRanges(kind, topic) if kind == 'odometry' else Ranges(kind, topic)


class OdometryRanges(Ranges):
    """Ranges of points that are followed from where the camera was, by nav_msgs/Odometry."""

    remembered = 400  # messages: seconds at any usual rate

    def __init__(self, kind: str, topic: str) -> None:
        """Start without messages and views."""
        super().__init__(kind, topic)
        self._views: deque[View] = deque(maxlen=KEPT)

    def forget(self) -> None:
        """Drop all messages and views: time went back."""
        super().forget()
        self._views = deque(maxlen=KEPT)

    def of_image(self, image: NDArray[np.uint8], stamp: Any, camera: Camera, params: DepthParams
                 ) -> NDArray[np.float64]:
        """Return the known ranges of an image, see known_ranges(); all NaN with a problem."""
        prompts = np.full((NUM_RANGES, 4), np.nan)
        try:
            pose = self.pose_at(nanoseconds(stamp), params.ranges_max_age)
        except GrinError as error:
            self.problem = str(error)
            return prompts
        view = View.of(image, camera, pose @ transform(params.ranges_camera_pose))
        views = self._views
        earlier = _choose(view, views)
        _, moved, turned = view.moved_from(views[-1]) if views else (None, np.inf, 0.0)
        if moved > APART or turned > TURNED:
            views.append(view)
        if earlier is None:
            self.problem = (f'by {self.topic} the camera has not moved by {SHORTEST} m without '
                            'turning away: drive, or check ranges_topic')
            return prompts
        rows = ranges_from_motion(view, earlier, params.ranges_sigma)
        if len(rows) < FEWEST:
            self.problem = (f'only {len(rows)} points could be followed that agree with '
                            f'{self.topic}: check ranges_camera_pose, the pose of the optical '
                            'frame of the camera in the frame that the odometry is of')
            return prompts
        self.problem = ''
        rows = rows[np.argsort(rows[:, 3], kind='stable')][:NUM_RANGES]
        scale = camera.width / view.camera.width, camera.height / view.camera.height
        rows[:, :2] = (rows[:, :2] + 0.5) * scale - 0.5
        prompts[:len(rows)] = rows
        return prompts

    def pose_at(self, moment: int, max_age: float) -> NDArray[np.float64]:
        """
        Return the (4, 4) pose of the robot at a time [ns], between two messages or beyond them.

        :param max_age: how far the nearer message may be from it [s].
        :raises GrinError: when there is none, or it is no pose.
        """
        with self._lock:
            messages = list(self._messages)
        if not messages:
            raise GrinError(f'nothing came on {self.topic}: check ranges_topic and ranges_type')
        times = np.array([time for time, _ in messages])
        nearest = np.abs(times - moment).min() / 1e9
        if nearest > max_age:
            raise GrinError(f'the nearest message on {self.topic} is {nearest:.2f} s from the '
                            'image: raise ranges_max_age, or check that both clocks agree')
        # The message after an image may not be there yet: as it moved, it goes on.
        after = int(np.clip(np.searchsorted(times, moment), min(1, len(times) - 1),
                            len(times) - 1))
        before, later = messages[max(after - 1, 0)], messages[after]
        share = (moment - before[0]) / (later[0] - before[0]) if later[0] > before[0] else 0.0
        (start, turn), (end, other) = (_pose_of(msg) for _, msg in (before, later))
        if turn @ other < 0:  # a quaternion and its negative are one rotation
            other = -other
        pose = np.eye(4)
        share = float(np.clip(share, 0, 2))
        pose[:3, 3] = start + share * (end - start)
        pose[:3, :3] = _rotation(turn + share * (other - turn))
        if not np.isfinite(pose).all():
            raise GrinError(f'{self.topic} holds no pose: its numbers are not finite, or its '
                            'orientation is zero')
        return pose


def _choose(view: View, views: deque[View]) -> View | None:
    """Return the earlier view to compare with, None without a good one."""
    best: tuple[float, View] | None = None
    for earlier in views:
        if earlier.grey.shape != view.grey.shape or earlier.camera != view.camera:
            continue
        _, distance, angle = view.moved_from(earlier)
        if SHORTEST <= distance <= LONGEST and angle < WIDEST:
            error = abs(distance - BEST)
            if best is None or error <= best[0]:
                best = error, earlier
    return best[1] if best else None


def _pose_of(msg: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the position [m] and the quaternion x, y, z, w of a nav_msgs/Odometry."""
    at, turn = msg.pose.pose.position, msg.pose.pose.orientation
    return np.array([at.x, at.y, at.z]), np.array([turn.x, turn.y, turn.z, turn.w])


def _rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) rotation of a quaternion x, y, z, w of any length but zero."""
    with np.errstate(divide='ignore', invalid='ignore'):
        x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
