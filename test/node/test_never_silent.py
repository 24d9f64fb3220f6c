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


"""Never silent: what keeps images from being answered is named, with who and with the remedy."""

from collections.abc import Callable
from pathlib import Path
import time
from typing import Any

import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
qos = pytest.importorskip('rclpy.qos')
CompressedImage = pytest.importorskip('sensor_msgs.msg').CompressedImage
LaserScan = pytest.importorskip('sensor_msgs.msg').LaserScan

from grin_ros.messages import image_to_msg  # noqa: E402
from grin_ros.node.scale_notes import UNSEEN  # noqa: E402


def warned(robot: 'robots.Robot', about: str, *words: str) -> None:
    """Wait for a warning in diagnostics that has all words."""
    robot.wait(lambda: has_warned(robot, about, *words), f'a warning about {about} with {words}')


def has_warned(robot: 'robots.Robot', about: str, *words: str) -> bool:
    """Tell whether diagnostics have such a warning."""
    texts = [value for key, value in robot.diagnostics.items()
             if key.startswith(f'warning_{about}')]
    return any(all(word in text for word in words) for text in texts)


def test_publishers_and_subscribers_whose_qos_does_not_fit_are_named(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    node = start_node('picky', bundle=tiny_bundle, max_age=30, **{
        f'qos_overrides.{robots.IMAGE}.subscription.reliability': 'reliable',
        'qos_overrides./picky/depth.publisher.reliability': 'best_effort'})
    robot = make_robot('picky', reliable=False, outputs=('depth', 'points'))
    warned(robot, 'qos', '/robot_picky', robots.IMAGE, 'eliab', 'qos_overrides.')
    warned(robot, 'qos', '/robot_picky', '/picky/depth', 'qos_overrides./picky/depth.publisher')
    # Not at once: the first line may come before DDS has told the name of the robot's node.
    node.wait_for_log(f'/robot_picky on {robots.IMAGE} cannot be heard')


def test_a_topic_of_another_type_is_named(start_node: Callable, tiny_bundle: Path,
                                          make_robot: Callable) -> None:
    topic = '/typed/image/compressed'
    start_node('typed', bundle=tiny_bundle, image=topic)
    robot = make_robot('typed', image='/typed/other', outputs=('depth',))
    robot.node.create_publisher(CompressedImage, topic, 10)
    warned(robot, 'qos', '/robot_typed', 'sensor_msgs/msg/CompressedImage', topic,
           'image_transport')
    robot.diagnosed('last_problem', f'no image on {topic}')  # and in the level of an error
    assert 'publishers: /robot_typed' in robot.diagnostics['last_problem']


def test_where_images_come_is_named(start_node: Callable, tiny_bundle: Path,
                                    make_robot: Callable) -> None:
    """A camera that publishes JPEG alone, and a topic that is misspelt, looked alike: nothing."""
    start_node('astray', bundle=tiny_bundle, image='/astray/color', info='/astray/info')
    robot = make_robot('astray', image='/astray/other', info='/astray/other_info',
                       outputs=('depth',))
    for name in ('color', 'other'):
        robot.node.create_publisher(CompressedImage, f'/astray/{name}/compressed', 10)
    robot.diagnosed('last_problem', 'no image on /astray/color')
    problem = robot.diagnostics['last_problem']
    assert 'no publisher; start the camera, or set image_topic to one that others' in problem
    assert '/astray/color (image_transport: compressed)' in problem
    assert '/astray/other (image_transport: raw or compressed)' in problem
    assert 'set camera_info_topic to one that others publish: ' in problem
    assert '/astray/other_info' in problem and '/astray/depth' not in problem


def test_a_subscriber_of_another_type_is_named(start_node: Callable, tiny_bundle: Path,
                                               make_robot: Callable) -> None:
    """A source of Nav2 whose data_type is forgotten takes a cloud for a LaserScan."""
    start_node('wanted', bundle=tiny_bundle)
    robot = make_robot('wanted', outputs=())
    robot.node.create_subscription(LaserScan, '/wanted/points', lambda msg: None, 10)
    warned(robot, 'qos', '/robot_wanted listens for sensor_msgs/msg/LaserScan', '/wanted/points',
           'which is sensor_msgs/msg/PointCloud2', 'data_type')
    robot.diagnosed('message', '/wanted/points')


@pytest.fixture(scope='module')
def node(start_node: Callable, tiny_bundle: Path) -> 'robots.NodeProcess':
    """Start a node that takes the system's time."""
    return start_node('timely', bundle=tiny_bundle, max_age=0.0)


def test_a_node_that_was_started_twice_is_named(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """The old one, left in another terminal, answers with the old parameters."""
    topics = {'image': '/twice/image', 'info': '/twice/info'}
    start_node('twice', bundle=tiny_bundle, **topics)
    robot = make_robot('twice', outputs=('depth',), **topics)
    robot.wait_until_heard()
    robot.settled()
    assert not has_warned(robot, 'qos')
    second = start_node('twice', bundle=tiny_bundle, **topics)
    warned(robot, 'qos_depth', '/twice/depth', '2 publishers', '/twice/grin_depth', 'twice')
    assert second.stop() == 0


def test_stamps_of_the_future_and_stamps_that_go_back_are_answered_and_named(
        node: 'robots.NodeProcess', make_robot: Callable) -> None:
    robot = make_robot('timely', outputs=('depth',))
    robot.wait_until_heard()

    def ask_until_warned(ahead: float, about: str, *words: str) -> None:
        # More than once: DDS may tell the name of the robot's node later than all else.
        for turn in range(10):
            robot.ask(robots.picture(), robots.pinhole_info(), ahead=ahead - 3 * turn)
            robot.spin(1.5)
            if has_warned(robot, about, robots.IMAGE, '/robot_timely', *words):
                return
        raise AssertionError(f'no warning about {about} with {words}: {robot.diagnostics}')

    ask_until_warned(50.0, 'future', 's in the future', 'use_sim_time')
    ask_until_warned(-20.0, 'stamps_go_back')
    assert robot.level == b'\x01'


def test_a_floor_that_is_never_seen_is_named(node: 'robots.NodeProcess',
                                             make_robot: Callable) -> None:
    """A camera said to be 90 m above the floor, whose depth is metres, sees none."""
    robot = make_robot('timely', outputs=('depth',))
    robot.wait_until_heard()
    assert robot.set_parameter('camera_height', 90.0).successful
    for _ in range(UNSEEN):
        robot.ask(robots.picture(), robots.pinhole_info())
    warned(robot, 'floor', 'no floor 90.0 m below', 'camera_height', 'camera_pitch_deg')
    robot.diagnosed('floor', 'not seen in')
    assert robot.set_parameter('camera_height', 0.0).successful


def test_depth_that_is_unknown_all_over_is_named(node: 'robots.NodeProcess',
                                                 make_robot: Callable) -> None:
    """A limit of sigma that leaves nothing, or a mask the wrong way round."""
    robot = make_robot('timely', outputs=('depth',))
    robot.wait_until_heard()
    assert robot.set_parameter('max_sigma', 1e-6).successful
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    assert np.isnan(np.frombuffer(robot.answers['depth'][stamp].data, np.float32)).all()
    warned(robot, 'unknown', robots.IMAGE, 'max_sigma', 'body_mask')
    robot.diagnosed('depth_known', '0%')
    assert robot.set_parameter('max_sigma', 0.0).successful
    robot.ask(robots.picture(), robots.pinhole_info())
    robot.wait(lambda: robot.diagnostics.get('depth_known') not in (None, '0%'), 'depth is known')


def test_a_clock_that_goes_back_is_a_new_beginning(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    clock_msgs = pytest.importorskip('rosgraph_msgs.msg', reason='rosgraph_msgs is missing')
    node = start_node('simulated', bundle=tiny_bundle, use_sim_time=True)
    robot = make_robot('simulated', outputs=('depth',))
    robot.wait_until_heard()

    def ask_at(seconds: float) -> Any:
        return robot.ask(robots.picture(), robots.pinhole_info(), ahead=seconds - time.time())

    ask_at(50.0)
    warned(robot, 'no_clock', '/clock', 'use_sim_time')
    clocks = robot.node.create_publisher(clock_msgs.Clock, '/clock', 10)

    def clock(seconds: int) -> None:
        msg = clock_msgs.Clock()
        msg.clock.sec = seconds
        clocks.publish(msg)

    robot.wait(clocks.get_subscription_count, 'the node listens to /clock')
    words = 'clock', 'went back by 1.00 s', 'use_sim_time'
    for _ in range(10):  # as a bag that is played in a loop; /clock is best effort, so one may go
        for seconds in (100, 101):
            clock(seconds)
            robot.spin(0.5)
            ask_at(float(seconds))
        if has_warned(robot, *words):
            break
    warned(robot, *words)
    assert 'Traceback' not in node.log and node.stop() == 0


def test_images_that_leave_high_bits_empty_are_named(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """Twelve bits in the low ones of sixteen are a very dark picture."""
    topics = {'image': '/bits/image', 'info': '/bits/camera_info'}
    start_node('dark', bundle=tiny_bundle, max_age=30, **topics)
    robot = make_robot('dark', outputs=('depth',), **topics)
    robot.wait_until_heard()
    levels = (robots.picture().astype(np.uint16) << 4)[..., 0]

    def shown() -> bool:
        robot.send(image_to_msg(levels, 'mono16', robot.header()), robots.pinhole_info())
        robot.spin(0.05)
        return has_warned(robot, 'bits', '/bits/image', str(levels.max()), 'shift')
    robot.wait(shown, 'a warning about the bits')
    assert int(robot.settled()['dropped_no_contrast']) > 0  # it is too dark to show anything


def test_raw_images_whose_calibration_is_of_rectified_ones_are_named(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """K is used where P may be right: depth would be off by their ratio, and nobody knew."""
    topics = {'image': '/stereo/left/image', 'info': '/stereo/left/camera_info'}
    node = start_node('stereo', bundle=tiny_bundle, max_age=30, **topics)
    robot = make_robot('stereo', outputs=('depth',), **topics)
    robot.wait_until_heard()
    p = [450.0, 0.0, 320.0, 0.0, 0.0, 450.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    for _ in range(2):
        robot.ask(robots.picture(), robots.pinhole_info(p=p))
    warned(robot, 'rectified', topics['image'], 'no distortion', 'rectified: true')
    assert node.log.count('rectified: true') == 1


@pytest.mark.parametrize('in_simulation', [False, True])
def test_a_camera_that_sends_one_image_for_ever_is_named(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable,
        in_simulation: bool) -> None:
    """Stamps are new and images are not; in a simulation that is as it should be."""
    name = f'frozen_{in_simulation}'.lower()
    topics = {'image': f'/{name}_camera/image', 'info': f'/{name}_camera/info'}
    start_node(name, bundle=tiny_bundle, max_age=0.0, use_sim_time=in_simulation, **topics)
    robot = make_robot(name, outputs=('depth',), **topics)
    robot.wait_until_heard()
    # One after the other: a busy machine would take the last alone of many.
    for seconds in (0.0, 5.0):
        robot.ask(robots.picture(), robots.pinhole_info(), ahead=seconds)
    robot.settled()
    robot.spin(2.0)  # diagnostics come once a second
    if in_simulation:
        assert not has_warned(robot, 'frozen')
    else:
        warned(robot, 'frozen', topics['image'], 'driver')


def test_neither_a_covered_lens_nor_a_late_simulation_is_frozen(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """Black is black to the last bit, and gives no depth; use_sim_time counts when it is set."""
    topics = {'image': '/thawed/image', 'info': '/thawed/info'}
    start_node('thawed', bundle=tiny_bundle, max_age=0.0, **topics)
    robot = make_robot('thawed', outputs=('depth',), **topics)
    robot.wait_until_heard()
    for count in (1, 2):
        robot.send(np.zeros((480, 640, 3), np.uint8), robots.pinhole_info(), ahead=5.0 * count)
        robot.diagnosed('dropped_no_contrast', str(count))
    assert not has_warned(robot, 'frozen')
    assert robot.set_parameter('use_sim_time', True).successful
    for seconds in (0.0, 5.0):
        robot.ask(robots.picture(), robots.pinhole_info(), ahead=seconds)
    robot.settled()
    robot.spin(2.0)
    assert not has_warned(robot, 'frozen')
