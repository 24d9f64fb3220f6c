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
from grin_ros.postprocess.body_mask import BodyMask

if TYPE_CHECKING:
    from grin_ros.params import DepthParams

SHORTEST = 0.1  # [m] between two views
BEST = 0.3  # [m] if there is a choice: longer, and near things look too different
LONGEST = 0.6  # [m]
WIDEST = 0.5  # [rad] that the camera may have turned
APART, TURNED = 0.05, 0.2  # [m] or [rad] between views that are kept
KEPT = 16  # views
OLDEST = 30.0  # [s] of a view: odometry drifts, and things are moved
FEWEST = 8  # points
AHEAD = 0.1  # [s] that a pose is told beyond the latest message
# What is faster between two messages is a jump: of a position that was corrected, or of a robot
# that was carried.
SPEED, TURNING = 5.0, 5.0  # [m/s], [rad/s] where a message tells no velocity
LEAP, WHIRL = 0.05, 0.1  # [m], [rad] more than twice the velocity that messages tell


def make_ranges(kind: str, topic: str, body_mask: str = '') -> Ranges:
    """
    Return what listens to a sensor of a kind of params.RANGES_TYPES.

    :param body_mask: picture of what the camera sees of its robot, which does not move with it.
    :raises GrinError: when the picture is none.
    """
    if kind == 'odometry':
        return OdometryRanges(kind, topic, body_mask)
    return Ranges(kind, topic)


class OdometryRanges(Ranges):
    """Ranges of points that are followed from where the camera was, by nav_msgs/Odometry."""

    def __init__(self, kind: str, topic: str, body_mask: str = '') -> None:
        """Start without messages and views; read the picture of the robot's own body."""
        super().__init__(kind, topic)
        self._body_mask = BodyMask(body_mask) if body_mask else None
        self._views: deque[View] = deque(maxlen=KEPT)
        self._camera_pose: tuple[float, ...] = ()  # that views were made with
        self._jumped = 0  # times

    def put(self, msg: Any) -> None:
        """Take a message; after a jump of its pose or its time, forget what was before."""
        with self._lock:
            last = self._messages[-1] if self._messages else None
        if last is not None and _jumps(last[1], msg, nanoseconds(msg.header.stamp) - last[0]):
            self.forget()
            self._jumped += 1
        super().put(msg)

    def forget(self) -> None:
        """Drop all messages and views: time went back, or nobody listened."""
        super().forget()  # first: whoever finds later messages finds other views, too
        self._views = deque(maxlen=KEPT)

    def of_image(self, image: NDArray[np.uint8], stamp: Any, camera: Camera, params: DepthParams
                 ) -> NDArray[np.float64]:
        """Return the known ranges of an image, see known_ranges(); all NaN with a problem."""
        prompts = np.full((NUM_RANGES, 4), np.nan)
        if self._camera_pose != tuple(params.ranges_camera_pose):
            self._camera_pose = tuple(params.ranges_camera_pose)
            if not params.ranges_from_tf:  # it was corrected; TF tells of a camera that turns
                self._views = deque(maxlen=KEPT)
        views, moment = self._views, nanoseconds(stamp)
        try:
            self.check_one_frame()  # else the way from one to the other would be driven
            pose = self.pose_at(moment, params.ranges_max_age)
            if views is not self._views:  # messages come in another thread
                raise GrinError('it began anew just now')
            view = View.of(image, camera, pose @ transform(self._camera_pose), moment,
                           self._body_mask)
            while views and abs(moment - views[0].moment) > OLDEST * 1e9:
                views.popleft()
            candidates = list(views)
            _, moved, turned = view.moved_from(views[-1]) if views else (None, np.inf, 0.0)
            if moved > APART or turned > TURNED:
                views.append(view)
            rows = ranges_from_motion(view, self._choose(view, candidates), params.ranges_sigma)
            if len(rows) < FEWEST:
                raise GrinError(f'only {len(rows)} points can be followed and lie near enough '
                                'to tell their ranges')
        except GrinError as error:
            jumps = f'; its pose jumped {self._jumped} times' if self._jumped else ''
            self.problem = f'{self.topic}: {error}{jumps}'
            return prompts
        self.problem = ''
        rows = rows[np.argsort(rows[:, 3], kind='stable')][:NUM_RANGES]
        scale = camera.width / view.camera.width, camera.height / view.camera.height
        rows[:, :2] = (rows[:, :2] + 0.5) * scale - 0.5
        prompts[:len(rows)] = rows
        return prompts

    def _frame_of(self, msg: Any) -> str:
        return str(msg.child_frame_id)  # the frame that moves

    def pose_at(self, moment: int, max_age: float) -> NDArray[np.float64]:
        """
        Return the (4, 4) pose of the robot at a time [ns], between two messages or beyond them.

        :param max_age: how far the nearer message may be from it [s].
        :raises GrinError: when there is none, or it is no pose.
        """
        with self._lock:
            messages = list(self._messages)
        if not messages:
            raise GrinError('nothing came: check ranges_topic and ranges_type')
        if not moment:
            raise GrinError('images have no stamps, so nobody knows where the camera was: have '
                            'their driver stamp them')
        times = np.array([time for time, _ in messages])
        nearest = np.abs(times - moment).min() / 1e9
        if nearest > max_age:
            raise GrinError(f'the nearest message is {nearest:.2f} s from the image: raise '
                            'ranges_max_age, or check that both clocks agree')
        outside = max(moment - times[-1], times[0] - moment) / 1e9
        if outside > AHEAD:
            raise GrinError(f'it comes {outside:.2f} s later than the image, which moves on '
                            'meanwhile: publish it more often, or sooner')
        after = int(np.clip(np.searchsorted(times, moment), min(1, len(times) - 1),
                            len(times) - 1))
        first = max(after - 1, 0)
        if moment > times[-1]:  # the message after it is not there yet: as it moved, it goes on
            first = min(first, int(np.searchsorted(times, times[-1] - round(AHEAD * 1e9))))
        before, later = messages[first], messages[after]
        share = (moment - before[0]) / (later[0] - before[0]) if later[0] > before[0] else 0.0
        (start, turn), (end, other) = (_pose_of(msg) for _, msg in (before, later))
        if turn @ other < 0:  # a quaternion and its negative are one rotation
            other = -other
        pose = np.eye(4)
        share = float(np.clip(share, 0, 2))
        pose[:3, 3] = start + share * (end - start)
        pose[:3, :3] = rotation_of(turn + share * (other - turn))
        if not np.isfinite(pose).all():
            raise GrinError('it holds no pose: its numbers are not finite, or its orientation '
                            'is zero')
        return pose

    def _choose(self, view: View, views: list[View]) -> View:
        """
        Return the earlier view to compare with.

        :raises GrinError: when there is none that fits.
        """
        best: tuple[float, View] | None = None
        farthest = 0.0
        alike = [earlier for earlier in views if earlier.camera.same_lens(view.camera)]
        if views and not alike:
            raise GrinError('the camera or the size of its images has changed')
        for earlier in alike:
            _, distance, angle = view.moved_from(earlier)
            farthest = max(farthest, distance)
            if SHORTEST <= distance <= LONGEST and angle < WIDEST:
                error = abs(distance - BEST)
                if best is None or error <= best[0]:
                    best = error, earlier
        if best is None:
            raise GrinError(f'the camera has not moved by {SHORTEST} m yet' if farthest < SHORTEST
                            else f'the camera moved by more than {LONGEST} m, or turned away, '
                            'from image to image')
        return best[1]


def _jumps(before: Any, after: Any, elapsed_ns: int) -> bool:
    """Tell whether a pose differs from the one before by more than a robot moves."""
    if elapsed_ns < 0:
        return True
    (start, turn), (end, other) = _pose_of(before), _pose_of(after)
    # The faster of both: messages in between may be lost while a robot brakes.
    seconds, twists = elapsed_ns / 1e9, [msg.twist.twist for msg in (before, after)]
    speed = max(np.linalg.norm([v.x, v.y, v.z]) for v in (twist.linear for twist in twists))
    turning = max(np.linalg.norm([v.x, v.y, v.z]) for v in (twist.angular for twist in twists))
    farthest = LEAP + seconds * (2 * speed if speed > 0 or turning > 0 else SPEED)
    widest = WHIRL + seconds * (2 * turning if speed > 0 or turning > 0 else TURNING)
    with np.errstate(invalid='ignore', divide='ignore', over='ignore'):
        cosine = abs(turn @ other) / (np.linalg.norm(turn) * np.linalg.norm(other))
        angle = 2 * np.arccos(min(1.0, cosine))
    # Not a number is no jump; it is named when its pose is asked for.
    return bool(np.linalg.norm(end - start) > farthest or angle > widest)


def _pose_of(msg: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the position [m] and the quaternion x, y, z, w of a nav_msgs/Odometry."""
    at, turn = msg.pose.pose.position, msg.pose.pose.orientation
    return np.array([at.x, at.y, at.z]), np.array([turn.x, turn.y, turn.z, turn.w])


def rotation_of(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (3, 3) rotation of a quaternion x, y, z, w of any length but zero."""
    with np.errstate(divide='ignore', invalid='ignore'):
        x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
