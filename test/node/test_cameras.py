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

"""Several cameras, one node: each is answered on its own topics, in turn, with its own rules."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
SIZES = {'front': (640, 480), 'rear': (320, 240)}


def topics(camera: str) -> dict[str, str]:
    """Return where a camera publishes."""
    return {'image': f'/eyes/{camera}/image_raw', 'info': f'/eyes/{camera}/camera_info'}


def parameters(*cameras: str) -> dict[str, str]:
    """Return the parameters that tell a node about cameras."""
    result = {'cameras': str(list(cameras))}
    for camera in cameras:
        result |= {f'{camera}.image_topic': topics(camera)['image'],
                   f'{camera}.camera_info_topic': topics(camera)['info']}
    return result


@pytest.fixture(scope='module')
def node(start_node: Callable, tiny_bundle: Path) -> 'robots.NodeProcess':
    """Start a node with two cameras, one of them with half the cloud."""
    return start_node('car', bundle=tiny_bundle, max_age=30, cpu_threads=1,
                      **parameters('front', 'rear'), **{'rear.points_stride': 4})


@pytest.fixture
def pair(node: 'robots.NodeProcess', make_robot: Callable) -> list['robots.Robot']:
    """Two cameras with who listens to them."""
    both = [make_robot('car', camera=camera, **topics(camera)) for camera in SIZES]
    for robot in both:
        robot.wait_until_heard()
    return both


def test_each_camera_is_answered_on_its_own_topics(pair: list['robots.Robot']) -> None:
    for robot in pair:
        width, height = SIZES[robot.camera]
        picture, info = robots.picture(width, height), robots.pinhole_info(width, height)
        stamp = robot.ask(picture, info)
        depth, cloud = (robot.answers[name][stamp] for name in ('depth', 'points'))
        assert (depth.width, depth.height) == SIZES[robot.camera]
        stride = {'front': 2, 'rear': 4}[robot.camera]
        assert (cloud.width, cloud.height) == (width // stride, height // stride)
        robot.diagnosed('camera', f'{width}x{height}')
    front, rear = pair
    assert not set(front.sent) & set(rear.answers['depth'])


def test_a_fast_camera_starves_none(pair: list['robots.Robot']) -> None:
    """The front sends as fast as it can, the rear four a second: that one is always answered."""
    front, rear = pair
    before = {robot: robot.settled() for robot in pair}
    pictures = {robot: robots.picture(*SIZES[robot.camera]) for robot in pair}
    infos = {robot: robots.pinhole_info(*SIZES[robot.camera]) for robot in pair}
    slow = []
    for turn in range(60):
        front.send(pictures[front], infos[front])
        if turn % 10 == 0:
            slow.append(rear.send(pictures[rear], infos[rear]))
        front.spin(0.02)
        rear.spin(0.005)
    rear.wait(lambda: set(slow) <= set(rear.answers['depth']), 'each rear image is answered')
    for robot in pair:
        after = robot.settled()
        received, answered, dropped = (int(after[key]) - int(before[robot][key])
                                       for key in ('received', 'answered', 'dropped'))
        assert received == answered + dropped == {'front': 60, 'rear': 6}[robot.camera]
        assert set(robot.answers['depth']) <= set(robot.sent)


def test_a_parameter_of_one_camera_is_set_while_the_node_runs(
        pair: list['robots.Robot']) -> None:
    front, rear = pair
    assert front.set_parameter('front.max_depth', 0.11).successful
    stamp = front.ask(robots.picture(), robots.pinhole_info())
    depth = np.frombuffer(front.answers['depth'][stamp].data, np.float32)
    assert not (np.isfinite(depth) & (depth > 0.11)).any()
    stamp = rear.ask(robots.picture(320, 240), robots.pinhole_info(320, 240))
    assert (np.frombuffer(rear.answers['depth'][stamp].data, np.float32) > 0.11).any()
    refused = front.set_parameter('front.max_depth', -1.0)
    assert not refused.successful and 'front.max_depth' in refused.reason
    for name, words in (('front.max_dept', 'did you mean front.max_depth'),
                        ('left.max_depth', 'there is no parameter left.max_depth'),
                        ('rear.backend', 'all cameras share backend'),
                        ('rear.output', 'cannot change at run time')):
        refused = front.set_parameter(name, 'rectified')
        assert not refused.successful and words in refused.reason
    # For the camera that has a value of its own, what all cameras have does not count.
    assert front.set_parameter('max_depth', 50.0).successful
    stamp = front.ask(robots.picture(), robots.pinhole_info())
    depth = np.frombuffer(front.answers['depth'][stamp].data, np.float32)
    assert not (np.isfinite(depth) & (depth > 0.11)).any()


def test_a_camera_without_listeners_is_idle_and_the_other_is_not(
        node: 'robots.NodeProcess', make_robot: Callable) -> None:
    front = make_robot('car', camera='front', **topics('front'))
    rear = make_robot('car', camera='rear', outputs=(), **topics('rear'))
    front.wait_until_heard()
    front.diagnosed('message', 'active')  # until the silence of its camera is named
    rear.diagnosed('message', 'idle')
    assert rear.node.count_subscribers(topics('rear')['image']) == 0


def test_a_camera_whose_calibration_is_the_nodes_own_output_is_named(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    node = start_node('ring', bundle=tiny_bundle, cameras='[left]')
    robot = make_robot('ring', camera='left', outputs=())
    robot.diagnosed('message', 'set left.camera_info_topic')
    assert 'the camera_info input would be /ring/left/camera_info' in node.log
    assert node.stop() == 0


def test_two_cameras_with_one_image_are_refused(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    node = start_node('twins', bundle=tiny_bundle, cameras='[left, right]', **{
        f'{camera}.{name}_topic': f'/eyes/one/{name}'
        for camera in ('left', 'right') for name in ('image', 'camera_info')})
    robot = make_robot('twins', camera='right', outputs=())
    robot.diagnosed('message', 'left and right both listen to /eyes/one/image')
    robot.diagnosed('message', 'set right.image_topic')
    assert node.stop() == 0


def test_a_file_of_parameters_that_is_none_ends_the_node_with_one_sentence(
        start_node: Callable, tmp_path: Path) -> None:
    path = tmp_path / 'fragment.yaml'
    path.write_text("cameras: ['front']\n", encoding='utf-8')
    node = start_node('fragment', arguments=['--params-file', str(path)])
    assert node.process.wait(robots.PATIENCE) == 1
    assert 'look at params_file' in node.log and 'Traceback' not in node.log


def test_the_node_ends_with_zero(node: 'robots.NodeProcess') -> None:
    assert 'Traceback' not in node.log and node.stop() == 0
