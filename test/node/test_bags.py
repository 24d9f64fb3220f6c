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

"""Bags: what the node publishes is read back without ROS, and a recorded run is answered again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
serialization = pytest.importorskip('rclpy.serialization')
sensor_msgs = pytest.importorskip('sensor_msgs.msg')
rosbag2 = pytest.importorskip('rosbags.rosbag2', reason='no rosbags: pip install "grin_ros[bag]"')
typesys = pytest.importorskip('rosbags.typesys')

FRAMES = 4
LENS = {'d': [-0.1, 0.01, 0.001, -0.001, 0.0]}


def record(path: Path, messages: dict[str, list[Any]]) -> None:
    """Write messages, by topic, to a bag as `ros2 bag record` does."""
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    with rosbag2.Writer(path, version=9) as bag:
        for topic, recorded in messages.items():
            kind = f'sensor_msgs/msg/{type(recorded[0]).__name__}'
            connection = bag.add_connection(topic, kind, typestore=store)
            for msg in recorded:
                stamp = msg.header.stamp
                bag.write(connection, stamp.sec * 10**9 + stamp.nanosec,
                          serialization.serialize_message(msg))


@pytest.fixture(scope='module')
def bag(start_node: Callable, tiny_bundle: Path, keep_robot: Callable,
        tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record a run of the node: what it was given and what it said."""
    node = start_node('recorded', bundle=tiny_bundle, max_age=0.0, cpu_threads=1,
                      publish_sigma_field=True)
    robot = keep_robot('recorded')
    robot.wait_until_heard()
    messages: dict[str, list[Any]] = {}
    for seed in range(FRAMES):
        info = robots.pinhole_info(**LENS)
        image = robots.image_to_msg(robots.picture(seed=seed), 'rgb8', robot.header())
        stamp = robot.ask(image, info)
        for topic, msg in ((robots.IMAGE, image), (robots.INFO, info), *(
                (f'/grin/{name}', answers[stamp]) for name, answers in robot.answers.items())):
            assert robots.stamp_of(msg) == stamp
            messages.setdefault(topic, []).append(msg)
    assert node.stop() == 0
    path = tmp_path_factory.mktemp('bags') / 'run'
    record(path, messages)
    return path


def test_a_bag_of_outputs_is_read_without_ros(bag: Path) -> None:
    """Rosbags has a reader of its own: it agrees about shapes, fields, stamps and geometry."""
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    read: dict[str, list[Any]] = {}
    with rosbag2.Reader(bag) as reader:
        for connection, _, data in reader.messages():
            read.setdefault(connection.topic, []).append(
                store.deserialize_cdr(data, connection.msgtype))
    assert {topic: len(found) for topic, found in read.items()} == dict.fromkeys(
        [robots.IMAGE, robots.INFO, '/grin/depth', '/grin/camera_info', '/grin/points'], FRAMES)
    for image, depth, info, cloud in zip(read[robots.IMAGE], read['/grin/depth'],
                                         read['/grin/camera_info'], read['/grin/points'],
                                         strict=True):
        assert depth.header == info.header == cloud.header == image.header
        assert (depth.encoding, depth.height, depth.width) == ('32FC1', 480, 640)
        assert info.distortion_model == 'plumb_bob' and info.d.tolist() == LENS['d']
        assert [each.name for each in cloud.fields] == ['x', 'y', 'z', 'rgb', 'sigma']
        z = depth.data.view(np.float32).reshape(480, 640)[::2, ::2]
        points = cloud.data.view(np.float32).reshape(cloud.height, cloud.width, 5)
        there = np.isfinite(points[..., 2])
        assert there.any() and np.array_equal(points[..., 2][there], z[there])


def test_a_recorded_run_is_answered_again_with_the_same_depth(
        bag: Path, start_node: Callable, tiny_bundle: Path, keep_robot: Callable) -> None:
    kinds = {'sensor_msgs/msg/Image': sensor_msgs.Image,
             'sensor_msgs/msg/CameraInfo': sensor_msgs.CameraInfo}
    with rosbag2.Reader(bag) as reader:
        recorded = [(connection.topic, serialization.deserialize_message(
            bytes(data), kinds[connection.msgtype])) for connection, _, data in reader.messages()
            if connection.msgtype in kinds]
    by_topic: dict[str, dict[tuple[int, int], Any]] = {}
    for topic, msg in recorded:
        by_topic.setdefault(topic, {})[robots.stamp_of(msg)] = msg
    node = start_node('replayed', bundle=tiny_bundle, max_age=0.0, cpu_threads=1)
    robot = keep_robot('replayed', outputs=('depth', 'camera_info'))
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())  # both ways of the topics are open
    for stamp, image in by_topic[robots.IMAGE].items():
        robot.replay(image, by_topic[robots.INFO][stamp])
        robot.wait(lambda: all(stamp in robot.answers[name]  # noqa: B023
                               for name in ('depth', 'camera_info')), 'an answer')
        for name in ('depth', 'camera_info'):
            assert robot.answers[name][stamp] == by_topic[f'/grin/{name}'][stamp]
    assert node.stop() == 0
