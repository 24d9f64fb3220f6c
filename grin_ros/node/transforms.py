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

"""Transforms: TF in; how a camera is mounted, and where the sensor of its ranges is, out."""

from __future__ import annotations

from dataclasses import replace
import importlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time

from grin_ros.errors import GrinError
from grin_ros.messages.odometry import rotation_of
from grin_ros.messages.ranges import nanoseconds, STEP_BACK
from grin_ros.params import DepthParams, FIELDS
from grin_ros.postprocess.floor import Mount

LATEST = 1.0  # [s] that a transform may be from the image when there is none of its time
MOST_LEAN_DEG = 5.0  # the floor is looked for below a camera that does not roll
MOST_UP_DEG = 60.0  # the z axis of a frame that is not optical often points up
MOST_HIGH_M = FIELDS['camera_height'].metadata['high']


class Transforms:
    """
    What TF knows; one for all cameras of a node.

    :raises GrinError: when tf2_ros is missing.
    """

    def __init__(self, node: Node) -> None:
        """Listen to /tf and /tf_static."""
        try:
            self._tf2: Any = importlib.import_module('tf2_ros')
        except ImportError as error:
            raise GrinError(f'floor_frame and ranges_from_tf need tf2_ros ({error}): sudo apt '
                            'install ros-$ROS_DISTRO-tf2-ros-py, or set camera_height, '
                            'camera_pitch_deg and ranges_camera_pose instead') from error
        self._buffer = self._tf2.Buffer()
        self._asked: dict[str, int] = {}  # when each frame's pose was asked for last [ns]
        self._listener = self._tf2.TransformListener(self._buffer, node)

    def close(self) -> None:
        """Listen no more."""
        self._listener.unregister()

    def forget(self) -> None:
        """Forget what moves, as time went back; what is static stays."""
        self._asked.clear()
        self._buffer.clear()

    def pose(self, frame: str, of: str, stamp: Any) -> NDArray[np.float64]:
        """
        Return the (4, 4) pose of a frame in another at a time, or the latest there is.

        :param frame: the frame that the pose is in.
        :param of: the frame whose pose it is.
        :param stamp: builtin_interfaces/Time of an image.
        :raises GrinError: when TF does not know it, or only of long ago.
        """
        asked = max(0, nanoseconds(stamp))
        # Of each camera by itself: that the clock of one is ahead is no step back of another.
        if asked and self._asked.get(of, 0) - asked > STEP_BACK:
            self.forget()  # a bag that begins again: its transforms would count as old
        self._asked[of] = asked
        try:
            try:
                found = self._buffer.lookup_transform(frame, of, Time(nanoseconds=asked))
            except self._tf2.ExtrapolationException:  # TF lags behind images, as it may
                found = self._buffer.lookup_transform(frame, of, Time())
        except self._tf2.TransformException as error:
            raise GrinError(f'TF does not know "{of}" in "{frame}": {error}') from error
        when = nanoseconds(found.header.stamp)
        if when and asked and abs(when - asked) > LATEST * 1e9:
            raise GrinError(f'TF knows "{of}" in "{frame}" only {abs(when - asked) / 1e9:.1f} s '
                            'from the image: check that it is still published, and that both '
                            'clocks agree')
        at, turn = found.transform.translation, found.transform.rotation
        pose = np.eye(4)
        pose[:3, 3] = at.x, at.y, at.z
        pose[:3, :3] = rotation_of(np.array([turn.x, turn.y, turn.z, turn.w]))
        return pose

    def with_mount(self, params: DepthParams, camera: str, stamp: Any) -> DepthParams:
        """
        Return parameters whose camera_height and camera_pitch_deg are those in floor_frame.

        :param camera: optical frame.
        :raises GrinError: when TF does not know them, or no camera stands like that.
        """
        pose = self.pose(params.floor_frame, camera, stamp)
        try:
            mount = mount_of(pose)
        except GrinError as error:
            raise GrinError(f'floor_frame: in "{params.floor_frame}" the camera "{camera}" '
                            f'{error}') from error
        return replace(params, camera_height=mount.height_m, camera_pitch_deg=mount.pitch_deg)

    def with_ranges(self, params: DepthParams, camera: str, sensor: str, stamp: Any
                    ) -> DepthParams:
        """
        Return parameters whose ranges_camera_pose is that of the camera in a sensor's frame.

        :param camera: optical frame.
        :raises GrinError: when TF does not know it.
        """
        pose = self.pose(sensor, camera, stamp)
        numbers = (*pose[:3, 3], *roll_pitch_yaw(pose[:3, :3]))
        return replace(params, ranges_camera_pose=tuple(round(float(x), 6) for x in numbers))


def mount_of(pose: NDArray[np.float64]) -> Mount:
    """
    Return how a camera is mounted above the plane z = 0.

    :param pose: (4, 4) of its optical frame: x right, y down, z forward.
    :raises GrinError: what keeps a floor from being seen by it; the camera is the subject.
    """
    (right, down, forward, height_m) = pose[2]
    pitch_deg, lean_deg = np.degrees(np.arcsin(np.clip([-forward, abs(right)], -1, 1)))
    if not 0 < height_m <= MOST_HIGH_M:
        raise GrinError(f'is at a height of {height_m:.2f} m: give a frame on the floor with z '
                        'up, such as base_footprint')
    if pitch_deg < -MOST_UP_DEG:
        raise GrinError(f'looks {-pitch_deg:.0f} deg up, where no floor is: if that is not its '
                        'optical frame, set frame_id')
    if lean_deg > MOST_LEAN_DEG or down > math.sin(math.radians(MOST_LEAN_DEG)):
        raise GrinError(f'leans by {lean_deg:.0f} deg, or is upside down, and a floor is found '
                        'only where rows of the image are level: if that is not its optical '
                        'frame, set frame_id')
    return Mount(float(height_m), float(pitch_deg))


def roll_pitch_yaw(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the turns [rad] about the fixed axes x, y, z, in this order, of a (3, 3) rotation."""
    level = math.hypot(rotation[0, 0], rotation[1, 0])
    pitch = math.atan2(-rotation[2, 0], level)
    if level < 1e-9:  # x points up or down: roll and yaw are one turn
        return math.atan2(-rotation[1, 2], rotation[1, 1]), pitch, 0.0
    return (math.atan2(rotation[2, 1], rotation[2, 2]), pitch,
            math.atan2(rotation[1, 0], rotation[0, 0]))
