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

"""Known ranges in the node: what a sensor measures gives depth its scale, or it says why not."""

from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from textured_wall import wall

from grin_ros.camera import Camera
from grin_ros.demo.frames import shipped

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')

IN_PLACE = '[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]'


def as_cloud(points: np.ndarray) -> object:
    """Return (N, 3) points as a PointCloud2."""
    fields = [msgs.PointField(name=name, offset=4 * i, datatype=7, count=1)
              for i, name in enumerate('xyz')]
    msg = msgs.PointCloud2(height=1, width=len(points), fields=fields, point_step=12,
                           row_step=12 * len(points))
    msg.data.frombytes(points.astype(np.float32).tobytes())
    return msg


def test_depth_goes_through_a_cloud(start_node: Callable, make_robot: Callable) -> None:
    """The same picture, beside a sensor that says everything is 1.6 times as far."""
    if not (Path(str(resources.files('grin_ros'))) / 'bundles/grin_small/grin.json').is_file():
        pytest.skip('this source tree has no shipped bundle')
    frame = next(each for each in shipped() if each.name == 'table_2')
    k, (height, width) = frame.camera.intrinsics, frame.depth.shape
    info = robots.pinhole_info(width, height, k=k.ravel().tolist(),
                               p=np.column_stack([k, np.zeros(3)]).ravel().tolist())
    start_node('tof', max_age=30, ranges_type='cloud', ranges_topic='/flash/points',
               ranges_max_age=1000.0, ranges_camera_pose=IN_PLACE)
    robot = make_robot('tof', outputs=('depth', 'sigma'))
    sensor = robot.node.create_publisher(msgs.PointCloud2, '/flash/points', 10)
    robot.wait_until_heard()

    def answer() -> tuple[np.ndarray, float]:
        stamp = robot.ask(frame.image, info)
        depth, sigma = (np.frombuffer(robot.answers[name][stamp].data, np.float32)
                        for name in ('depth', 'sigma'))
        known = np.isfinite(depth)
        return depth.reshape(height, width), float(np.median(sigma[known] / depth[known]))

    alone, doubt = answer()
    robot.diagnosed('ranges', 'nothing came on /flash/points')
    robot.diagnosed('warning_ranges', 'ranges_topic and ranges_type')
    robot.wait(sensor.get_subscription_count, 'the node listens to the sensor')
    truth = np.isfinite(frame.depth)
    points = frame.camera.unproject(frame.depth)[truth][::97]
    results = []
    for factor in (1.0, 1.6):
        msg = as_cloud(points * factor)
        msg.header = robot.header('tof')
        del robot.sent[robots.stamp_of(msg)]
        sensor.publish(msg)
        robot.spin(0.5)
        results.append(answer())
        robot.diagnosed('ranges', '64 pixels known from /flash/points')
    (depth, sure), (farther, _) = results

    def abs_rel(found: np.ndarray, scale: float) -> float:
        both = np.isfinite(found) & truth
        return float(np.abs(found[both] / (scale * frame.depth[both]) - 1).mean())

    assert abs_rel(depth, 1.0) < min(0.12, 0.9 * abs_rel(alone, 1.0))
    assert abs_rel(farther, 1.6) < 0.15 and abs_rel(depth, 1.6) > 0.3
    assert sure < 0.8 * doubt
    assert robot.set_parameter('max_sigma', 0.05).successful
    answer_has_none = robot.ask(frame.image, info)
    assert not np.isfinite(np.frombuffer(robot.answers['depth'][answer_has_none].data,
                                         np.float32)).any()
    robot.diagnosed('warning_max_sigma', 'sigma of 0.10')  # known ranges, too, have their doubt


def test_a_scan_is_seen_by_its_camera(start_node: Callable, make_robot: Callable,
                                      tiny_bundle: Path) -> None:
    """A lidar that looks along the camera is seen; of one that looks back it is said."""
    start_node('lidar', bundle=tiny_bundle, max_age=30, ranges_type='scan', ranges_topic='/scan',
               ranges_max_age=1000.0, camera_height=1.0)
    robot = make_robot('lidar', outputs=('depth',))
    sensor = robot.node.create_publisher(msgs.LaserScan, '/scan', 10)
    robot.wait_until_heard()
    robot.wait(sensor.get_subscription_count, 'the node listens to the sensor')
    msg = msgs.LaserScan(angle_min=-1.0, angle_increment=0.01, range_min=0.1, range_max=30.0,
                         ranges=[2.0] * 200)
    msg.header = robot.header('laser')
    # Again and again: the first get lost while the node follows the publisher's reliability.
    robot.node.create_timer(0.1, lambda: sensor.publish(msg))
    robot.spin(1.0)
    robot.ask(robots.picture(), robots.pinhole_info())
    robot.diagnosed('ranges', ' pixels known from /scan')
    assert 'floor' not in robot.settled()  # the scan tells the scale, not the height
    back = [0.0, 0.0, 0.0, -1.5708, 0.0, 1.5708]
    assert robot.set_parameter('ranges_camera_pose', back).successful
    robot.ask(robots.picture(), robots.pinhole_info())
    robot.diagnosed('warning_ranges', 'frame "laser"')
    robot.diagnosed('floor', 'frames')
    assert 'must be 6 numbers' in robot.set_parameter('ranges_camera_pose', [1.0, 2.0]).reason


def test_one_beam_tells_the_scale(start_node: Callable, make_robot: Callable) -> None:
    """A time-of-flight sensor of one pixel beside the camera: what is seen moves with it."""
    if not (Path(str(resources.files('grin_ros'))) / 'bundles/grin_small/grin.json').is_file():
        pytest.skip('this source tree has no shipped bundle')
    frame = next(each for each in shipped() if each.name == 'table_1')
    k, (height, width) = frame.camera.intrinsics, frame.depth.shape
    info = robots.pinhole_info(width, height, k=k.ravel().tolist(),
                               p=np.column_stack([k, np.zeros(3)]).ravel().tolist())
    start_node('beam', max_age=30, ranges_type='range', ranges_topic='/tof/range',
               ranges_max_age=1000.0)
    robot = make_robot('beam', outputs=('depth',))
    sensor = robot.node.create_publisher(msgs.Range, '/tof/range', 10)
    robot.wait_until_heard()
    robot.wait(sensor.get_subscription_count, 'the node listens to the sensor')
    u, v = (round(value) for value in k[:2, 2])
    truth = float(frame.depth[v, u])  # on the axis, where z is the range
    medians = []
    msg = msgs.Range(min_range=0.05, max_range=20.0, field_of_view=0.03)
    robot.node.create_timer(0.1, lambda: sensor.publish(msg))
    for factor in (1.0, 1.5):
        msg.range = factor * truth
        msg.header = robot.header('tof')
        del robot.sent[robots.stamp_of(msg)]
        robot.spin(1.0)
        answer = robot.answers['depth'][robot.ask(frame.image, info)]
        depth = np.frombuffer(answer.data, np.float32).reshape(height, width)
        around = depth[v - 8:v + 9, u - 8:u + 9]
        medians.append(float(np.nanmedian(around)))
        robot.diagnosed('ranges', '1 pixels known from /tof/range')
    assert abs(medians[0] / truth - 1) < 0.15
    assert abs(medians[1] / medians[0] / 1.5 - 1) < 0.1


def test_a_robot_that_moves_knows_ranges(start_node: Callable, make_robot: Callable,
                                         tiny_bundle: Path) -> None:
    """Odometry of a camera that moves along a wall."""
    nav = pytest.importorskip('nav_msgs.msg')
    camera = Camera.from_hfov(70.0, 640, 480)
    k = camera.intrinsics
    info = robots.pinhole_info(640, 480, k=k.ravel().tolist(),
                               p=np.column_stack([k, np.zeros(3)]).ravel().tolist())
    start_node('rover', bundle=tiny_bundle, max_age=30, ranges_type='odometry',
               ranges_topic='/odom', ranges_camera_pose=IN_PLACE)
    robot = make_robot('rover', outputs=('depth',))
    sensor = robot.node.create_publisher(nav.Odometry, '/odom', 10)
    robot.wait_until_heard()
    robot.wait(sensor.get_subscription_count, 'the node listens to the odometry')
    msg = nav.Odometry()
    msg.pose.pose.orientation.w = 1.0
    msg.twist.twist.linear.x = 10.0  # a step of 0.3 m is then no jump

    def tell() -> None:
        msg.header.stamp = robot.node.get_clock().now().to_msg()
        sensor.publish(msg)
    robot.node.create_timer(0.02, tell)

    def said(seen: np.ndarray, told: str) -> bool:
        """Ask, and ask again: the first odometry may come after the first image."""
        robot.ask(seen, info)
        return told in robot.settled().get('ranges', '')
    for x, told in ((0.0, 'has not moved by 0.1 m'), (0.3, ' pixels known from /odom')):
        pose = np.eye(4)
        pose[0, 3] = msg.pose.pose.position.x = x
        robot.spin(0.5)
        robot.wait(partial(said, wall(camera, pose, 2.0), told),
                   f'ranges in diagnostics with "{told}"')
