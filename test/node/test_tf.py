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

"""TF in the node: mounts and poses of sensors are what it says, or the node says what is amiss."""

from __future__ import annotations

from collections.abc import Callable
import importlib.util
from pathlib import Path

import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
geometry = pytest.importorskip('geometry_msgs.msg', reason='ROS 2 is not installed')

TF2 = importlib.util.find_spec('tf2_ros') is not None
needs_tf2 = pytest.mark.skipif(not TF2, reason='tf2_ros is not installed (PyPI has no wheel)')


def at(parent: str, child: str, position: tuple[float, float, float],
       turn: tuple[float, float, float, float]) -> object:
    """Return a transform; the quaternion is x, y, z, w."""
    msg = geometry.TransformStamped(child_frame_id=child)
    msg.header.frame_id = parent
    for name, value in zip('xyz', position, strict=True):
        setattr(msg.transform.translation, name, value)
    for name, value in zip('xyzw', turn, strict=True):
        setattr(msg.transform.rotation, name, value)
    return msg


@needs_tf2
def test_mount_and_sensor_are_where_tf_says(start_node: Callable, make_robot: Callable,
                                            tiny_bundle: Path) -> None:
    """Before TF knows, the node says what is missing and answers at the network's scale."""
    import tf2_ros
    start_node('tf', bundle=tiny_bundle, max_age=30, ranges_type='scan', ranges_topic='/scan',
               ranges_max_age=1000.0, ranges_from_tf=True, floor_frame='base_footprint')
    robot = make_robot('tf', outputs=('depth',))
    sensor = robot.node.create_publisher(msgs.LaserScan, '/scan', 10)
    robot.wait_until_heard()

    def ask_until(key: str, value: str) -> None:
        def told() -> bool:
            robot.ask(robots.picture(), robots.pinhole_info())
            return value in robot.diagnostics.get(key, '')
        robot.wait(told, f'{key} with "{value}"')

    robot.ask(robots.picture(), robots.pinhole_info())
    robot.diagnosed('warning_tf', 'TF does not know "camera_optical" in "base_footprint"')
    robot.wait(sensor.get_subscription_count, 'the node listens to the sensor')
    scan = msgs.LaserScan(angle_min=-1.0, angle_increment=0.01, range_min=0.1, range_max=30.0,
                          ranges=[2.0] * 200)
    robot.node.create_timer(0.1, lambda: sensor.publish(scan))
    ask_until('ranges', '/scan name no frame')  # and not where the parameter's default is
    scan.header = robot.header('laser')
    ask_until('ranges', 'TF does not know "camera_optical" in "laser"')
    tf = tf2_ros.StaticTransformBroadcaster(robot.node)
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    tf.sendTransform([
        at('base_footprint', 'laser', (0.1, 0.0, 0.7), (0.0, 0.0, 0.0, 1.0)),
        at('base_footprint', 'camera', (0.15, 0.0, 0.9), (0.0, s, 0.0, c)),  # 20 deg down
        at('camera', 'camera_optical', (0.0, 0.0, 0.0), (-0.5, 0.5, -0.5, 0.5))])
    ask_until('ranges', ' pixels known from /scan')
    ask_until('mount', '0.900 m above base_footprint, looks 20.0 deg down')


@needs_tf2
def test_a_camera_that_turns_is_where_it_is_by_now(start_node: Callable, make_robot: Callable,
                                                   tiny_bundle: Path) -> None:
    """A tilt that is published with each image counts; one of long ago does not."""
    import tf2_ros
    start_node('tilt', bundle=tiny_bundle, max_age=0.0, floor_frame='floor')
    robot = make_robot('tilt', outputs=('depth',))
    robot.wait_until_heard()
    tf = tf2_ros.TransformBroadcaster(robot.node)

    def tilt(pitch_deg: float, ahead: float = 0.0) -> None:
        half = np.radians(-90 - pitch_deg) / 2  # about x of the robot, which looks along y
        msg = at('floor', 'camera_optical', (0.0, 0.0, 1.5),
                 (float(np.sin(half)), 0.0, 0.0, float(np.cos(half))))
        msg.header.stamp = robot.header('floor', ahead).stamp
        tf.sendTransform(msg)
        robot.spin(0.5)

    for pitch_deg in (15.0, 40.0):
        tilt(pitch_deg)
        robot.ask(robots.picture(), robots.pinhole_info())
        robot.diagnosed('mount', f'looks {pitch_deg:.1f} deg down')
    robot.ask(robots.picture(), robots.pinhole_info(), ahead=20.0)
    robot.diagnosed('warning_tf', 's from the image')
    robot.ask(robots.picture(), robots.pinhole_info(), ahead=-50.0)  # a bag begins again
    tilt(25.0, ahead=-50.0)
    robot.ask(robots.picture(), robots.pinhole_info(), ahead=-50.0)
    robot.diagnosed('mount', 'looks 25.0 deg down')


@pytest.mark.skipif(TF2, reason='tf2_ros is installed')
def test_without_tf2_ros_it_says_what_to_install(start_node: Callable, make_robot: Callable,
                                                 tiny_bundle: Path) -> None:
    """Configuring fails with the package and the parameters that need none."""
    node = start_node('bare', bundle=tiny_bundle, floor_frame='base_footprint')
    robot = make_robot('bare', outputs=())
    robot.diagnosed('message', 'floor_frame and ranges_from_tf need tf2_ros')
    assert 'camera_pitch_deg' in node.log
