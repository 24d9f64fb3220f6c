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
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
import math
import threading
from typing import Any, TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.inference.prompts import SIGMA_LIMITS
from grin_ros.messages.sensor_points import beam_sigma, READERS

if TYPE_CHECKING:
    from grin_ros.messages.intake import Frame
    from grin_ros.params import DepthParams

STEP_BACK = 1_000_000_000  # [ns]
# Messages are kept as long as an image may need them; where they have no stamps, that many.
LONGEST_WAIT = 5.0  # [s] where images may be of any age
MOST = {'cloud': 32}
MOST_OF_OTHERS = 4000  # a beam that is sent 1000 times a second
NUM_RANGES = 64  # prompts of a frame: more bring nothing, and a fixed number is one engine
# A sensor beside the camera sees behind what the camera sees: of the points in a cell of an
# image's 40th the nearest counts.
CELLS = 40
PROJECTED = 8192  # points, drawn among those before the camera: several in each cell


@lru_cache(16)
def transform(pose: tuple[float, ...]) -> NDArray[np.float64]:
    """
    Return the (4, 4) transform of a pose: from the camera's optical frame to the sensor's.

    :param pose: x, y, z [m], roll, pitch, yaw [rad] of the optical frame in the sensor's, as
        tf2_echo prints it: turned about the fixed axes x, y, z, in this order (REP-103).
    """
    about_x, about_y, about_z = (cv2.Rodrigues(axis * angle)[0] for axis, angle in zip(
        np.eye(3), pose[3:], strict=True))
    result = np.eye(4)
    result[:3, :3] = about_z @ about_y @ about_x
    result[:3, 3] = pose[:3]
    return result


def known_ranges(points: NDArray[np.floating], camera: Camera, pose: Sequence[float],
                 sigma: float) -> NDArray[np.float64]:
    """
    Return (NUM_RANGES, 4) prompts u, v, range [m], relative sigma; rows without a point are NaN.

    :param points: (N, 3) [m] in the frame of the sensor; what is not finite is no point.
    :param pose: of the camera, see transform().
    :param sigma: relative error of the points.
    """
    prompts = np.full((NUM_RANGES, 4), np.nan)
    matrix = transform(tuple(pose)).astype(points.dtype)
    # A spinning lidar sends a hundred thousand points: cheaply those first that may be seen.
    with np.errstate(invalid='ignore', over='ignore'):
        points = (points - matrix[:3, 3]) @ matrix[:3, :3]
        squared = np.einsum('ij,ij->i', points, points)
        seen = (points[:, 2] > 0) & (points[:, 2] ** 2 >= least_z(camera) ** 2 * squared) & (
            squared > 1e-6) & (squared < 1e12)
    rng = np.random.default_rng(0)  # the same for the same frame
    drawn = np.flatnonzero(seen)
    if len(drawn) > PROJECTED:
        drawn = rng.choice(drawn, PROJECTED, replace=False)
    points, range_m = points[drawn], np.sqrt(squared[drawn])
    pixels = camera.project(points) if len(points) else np.zeros((0, 2))
    size = np.array([camera.width, camera.height])
    inside = np.flatnonzero(((pixels > -0.5) & (pixels < size - 0.5)).all(-1))

    def nearest_of_cells(candidates: NDArray[np.intp]) -> NDArray[np.intp]:
        ordered = candidates[np.argsort(range_m[candidates], kind='stable')]
        columns, rows = ((pixels[ordered] + 0.5) // (size.max() / CELLS)).astype(int).T
        _, first = np.unique(rows * CELLS + columns, return_index=True)
        return rng.permutation(ordered[first])[:NUM_RANGES]

    def is_seen(candidates: NDArray[np.intp]) -> NDArray[np.bool_]:
        directions = points[candidates] / range_m[candidates, None]
        return np.einsum('ij,ij->i', camera.rays_at(pixels[candidates]), directions) > 0.9999

    chosen = nearest_of_cells(inside)
    # A distorted lens folds what it does not see back into its image. To look at all points
    # takes milliseconds, so that is done only where there are such.
    if camera.distortion and not is_seen(chosen).all():
        chosen = nearest_of_cells(inside[is_seen(inside)])
    prompts[:len(chosen)] = np.column_stack(
        [pixels[chosen], range_m[chosen], np.full(len(chosen), sigma)])
    return prompts


def least_z(camera: Camera) -> float:
    """Return a bound of z of the unit rays of an image from below, by those of its border."""
    u, v = np.linspace(0, camera.width - 1, 9), np.linspace(0, camera.height - 1, 9)
    z = camera.rays_at([(x, y) for x in u for y in v if x in u[[0, -1]] or y in v[[0, -1]]])[:, 2]
    return max(0.0, float(z.min()) - 0.02) if np.isfinite(z).all() else 0.0


class Ranges:
    """
    The latest messages of a sensor of one camera, and what they tell of an image.

    :param kind: a key of READERS.
    :param topic: full name, for sentences.
    """

    def __init__(self, kind: str, topic: str) -> None:
        """Start without messages."""
        self.kind, self.topic = kind, topic
        self._messages: deque[tuple[int, Any]] = deque(maxlen=MOST.get(kind, MOST_OF_OTHERS))
        self._kept_ns = round(LONGEST_WAIT * 1e9)
        self._lock = threading.Lock()
        self.problem = ''  # why the latest frame has no known ranges

    def put(self, msg: Any) -> None:
        """Take a message; forget what is too old, and all after a step back, as a bag makes."""
        moment = nanoseconds(msg.header.stamp)
        with self._lock:
            if self._messages and self._messages[-1][0] - moment > STEP_BACK:
                self._messages.clear()
            self._messages.append((moment, msg))
            while moment - self._messages[0][0] > self._kept_ns:
                self._messages.popleft()

    def forget(self) -> None:
        """Drop all messages: time went back, or nobody listened."""
        with self._lock:
            self._messages.clear()

    @property
    def frame_id(self) -> str | None:
        """
        Return the frame of what came last, None before the first message.

        :raises GrinError: when that names none.
        """
        with self._lock:
            frame = self._frame_of(self._messages[-1][1]) if self._messages else None
        if frame == '':
            raise GrinError(f'messages on {self.topic} name no frame (header.frame_id, of '
                            'odometry child_frame_id), which ranges_from_tf needs')
        return frame

    def _frame_of(self, msg: Any) -> str:
        return str(msg.header.frame_id)

    def check_one_frame(self) -> None:
        """
        Refuse messages of several sensors.

        :raises GrinError: when they are in several frames; names them.
        """
        with self._lock:
            # Of odometry from one to the other, of a sensor one and the same.
            pairs = {(msg.header.frame_id, self._frame_of(msg)) for _, msg in self._messages}
        if len(pairs) > 1:
            frames = ', '.join(' to '.join(dict.fromkeys(pair)) for pair in sorted(pairs))
            raise GrinError(f'its messages are in several frames ({frames}), and '
                            'ranges_camera_pose is the pose in one: give ranges_topic a topic of '
                            'one sensor alone')

    def without(self, frame: Frame, problem: str) -> Frame:
        """Return a frame of which nothing is known, and keep why."""
        self.problem = problem
        return replace(frame, prompts=np.full((NUM_RANGES, 4), np.nan))

    def attach(self, frame: Frame, params: DepthParams) -> Frame:
        """Return a frame with what is known of it; as it is when its camera is unknown."""
        if frame.camera is None:
            self.problem = 'they need a calibration of the camera, or hfov_deg'
            return frame
        self._kept_ns = round(1e9 * ((params.max_age or LONGEST_WAIT) + params.ranges_max_age))
        return replace(frame, prompts=self.of_image(frame.image, frame.header.stamp, frame.camera,
                                                    params))

    def of_image(self, image: NDArray[np.uint8], stamp: Any, camera: Camera, params: DepthParams
                 ) -> NDArray[np.float64]:
        """Return the known ranges of an image, see known_ranges(); all NaN with a problem."""
        return self.prompts(stamp, camera, params.ranges_camera_pose, params.ranges_sigma,
                            params.ranges_max_age)

    def prompts(self, stamp: Any, camera: Camera, pose: Sequence[float], sigma: float,
                max_age: float) -> NDArray[np.float64]:
        """
        Return the known ranges of an image, see known_ranges(); all NaN with a problem.

        :param stamp: of the image.
        :param max_age: how far a message may be from the image in time [s].
        """
        moment = nanoseconds(stamp)
        with self._lock:
            # Of those without a stamp, the newest.
            found = min(reversed(self._messages), key=lambda item: abs(item[0] - moment),
                        default=None)
        nothing = np.full((NUM_RANGES, 4), np.nan)
        if found is None:
            self.problem = f'nothing came on {self.topic}: check ranges_topic and ranges_type'
            return nothing
        apart = abs(found[0] - moment) / 1e9
        if apart > max_age:
            self.problem = (f'the nearest message on {self.topic} is {apart:.2f} s from the '
                            'image: raise ranges_max_age, or check that both clocks agree')
            return nothing
        try:
            self.check_one_frame()
            points = READERS[self.kind](found[1])
            if self.kind == 'range':
                sigma = min(SIGMA_LIMITS[1], math.hypot(sigma, beam_sigma(found[1].field_of_view)))
            result = known_ranges(points, camera, pose, sigma)
        except GrinError as error:
            self.problem = f'{self.topic}: {error}'
            return nothing
        if not np.isfinite(points).all(-1).any():
            self.problem = f'{self.topic} has no points: nothing is within the reach of its sensor'
            return nothing
        self.problem = '' if np.isfinite(result).any() else (
            f'no point on {self.topic} falls into the image: check ranges_camera_pose, the pose '
            f'of the optical frame of the camera in frame "{found[1].header.frame_id}"')
        return result


def nanoseconds(stamp: Any) -> int:
    """Return a builtin_interfaces/Time in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
