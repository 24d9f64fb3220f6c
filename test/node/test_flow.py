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

"""Two processes: every image is answered with its own stamp, or counted with the cause."""

from collections.abc import Callable
import os
from pathlib import Path
import re
import subprocess
import sys

import numpy as np
import pytest

from grin_ros import visualise

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')

IMAGES = 25
# A camera without our DDS profile must be a process of its own: DDS reads it only once.
CAMERA = """
import sys
sys.path.insert(0, {folder!r})
import json, rclpy
from robot import Robot, picture, pinhole_info
rclpy.init()
robot = Robot('{namespace}', reliable={reliable}, outputs=())
robot.wait_until_heard()
for i in range({count}):
    robot.send(picture(seed=i), pinhole_info(), f'eye_{{i}}')
    robot.spin(0.1)
robot.spin(1.0)
print(json.dumps([[*stamp, frame_id] for stamp, frame_id in robot.sent.items()]))
"""


@pytest.fixture(scope='module')
def node(start_node: Callable, tiny_bundle: Path) -> 'robots.NodeProcess':
    """Start a node with a tiny network."""
    return start_node('flow', bundle=tiny_bundle, max_age=30, cpu_threads=1)


def check_accounts(robot: 'robots.Robot', before: dict[str, str], sent: dict) -> int:
    """Compare what was sent, counted and heard; return how many were received."""
    after = robot.settled()
    received, answered, dropped = (int(after[key]) - int(before[key])
                                   for key in ('received', 'answered', 'dropped'))
    assert received == answered + dropped <= len(sent)
    for name, answers in robot.answers.items():
        assert len(answers) == answered, name
        for stamp, msg in answers.items():
            assert msg.header.frame_id == sent[stamp]
    causes = {key: value for key, value in after.items() if key.startswith('dropped_')}
    assert sum(map(int, causes.values())) == int(after['dropped'])
    return received


@pytest.mark.parametrize('reliable', [True, False], ids=['reliable', 'best_effort'])
def test_images_are_answered_with_their_own_stamp_or_counted(
        node: 'robots.NodeProcess', make_robot: Callable, reliable: bool) -> None:
    robot = make_robot('flow', reliable=reliable)
    robot.wait_until_heard()
    before = robot.settled()
    for i in range(IMAGES):
        robot.send(robots.picture(seed=i), robots.pinhole_info(), f'eye_{i}')
        robot.spin(0.1)
    # With our profile nothing gets lost, not even best effort.
    assert check_accounts(robot, before, robot.sent) == IMAGES
    assert len(robot.answers['depth']) > IMAGES // 5


@pytest.mark.parametrize('reliable', [True, False], ids=['reliable', 'best_effort'])
def test_a_camera_without_our_profile_is_served_too(
        node: 'robots.NodeProcess', make_robot: Callable, reliable: bool) -> None:
    recorder = make_robot('flow', image='/unused/image', info='/unused/info')
    before = recorder.settled()
    environment = {key: value for key, value in os.environ.items()
                   if key not in robots.PROFILE_VARIABLES}
    environment['PYTHONPATH'] = os.pathsep.join(
        [str(robots.ROOT), *filter(None, [os.environ.get('PYTHONPATH')])])
    code = CAMERA.format(folder=str(Path(__file__).parent), namespace='flow', reliable=reliable,
                         count=IMAGES)
    with subprocess.Popen([sys.executable, '-c', code], env=environment, text=True,
                          stdout=subprocess.PIPE) as camera:
        recorder.wait(lambda: camera.poll() is not None, 'the camera ends')
        output = camera.stdout.read()
    assert camera.returncode == 0
    sent = {(sec, nanosec): frame_id
            for sec, nanosec, frame_id in robots.json.loads(output.splitlines()[-1])}
    received = check_accounts(recorder, before, sent)
    # Best effort without the profile loses most images before they reach the node.
    assert received == IMAGES if reliable else received <= IMAGES
    if int(recorder.diagnostics['lost_in_dds']) > int(before['lost_in_dds']):
        assert f'images on {robots.IMAGE} were lost in DDS' in node.log
        assert 'fastdds_shm.xml' in node.log
        told = [int(count) for count in re.findall(r'(\d+) images on \S+ were lost', node.log)]
        # All of them, for one a second would be nothing; and what the camera can still do.
        assert told == sorted(set(told))
        assert reliable or 'let it publish reliably or set image_transport' in node.log


def test_newest_image_wins_when_the_camera_is_faster(
        node: 'robots.NodeProcess', make_robot: Callable) -> None:
    robot = make_robot('flow')
    robot.wait_until_heard()
    before = robot.settled()
    for i in range(IMAGES):
        last = robot.send(robots.picture(seed=i), robots.pinhole_info(), f'eye_{i}')
        robot.spin(0.005)
    robot.wait(lambda: last in robot.answers['points'], 'the newest image is answered')
    assert check_accounts(robot, before, robot.sent) == IMAGES
    assert int(robot.diagnostics['dropped_newer_frame']) > 0


def test_nothing_is_received_while_nobody_wants_depth(
        node: 'robots.NodeProcess', make_robot: Callable) -> None:
    robot = make_robot('flow', outputs=())
    robot.diagnosed('message', 'idle')
    assert robot.level == b'\x00', 'it is all right that nobody subscribes'
    assert robot.node.count_subscribers(robots.IMAGE) == 0
    before = robot.settled()
    for _ in range(5):
        robot.send(robots.picture(), robots.pinhole_info())
        robot.spin(0.1)
    assert robot.settled()['received'] == before['received']
    listener = make_robot('flow', outputs=('depth',))
    listener.wait_until_heard()
    # Images keep coming: a warning of the first, on a busy machine, goes, and there is no silence.
    robot.wait(lambda: listener.ask(robots.picture(), robots.pinhole_info())
               and 'active' in robot.diagnostics['message'], 'the node says that it is active')


def test_only_what_is_wanted_is_published(node: 'robots.NodeProcess', make_robot: Callable
                                          ) -> None:
    robot = make_robot('flow', outputs=('sigma', 'depth_color'))
    robot.wait_until_heard()
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    sigma, colour = (robot.answers[name][stamp] for name in ('sigma', 'depth_color'))
    assert (sigma.encoding, sigma.width, sigma.height) == ('32FC1', 640, 480)
    assert (colour.encoding, colour.step) == ('rgb8', 3 * 640)


def test_colours_follow_depth(node: 'robots.NodeProcess', make_robot: Callable) -> None:
    robot = make_robot('flow', outputs=('depth', 'depth_color'))
    robot.wait_until_heard()
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    depth = np.frombuffer(robot.answers['depth'][stamp].data, np.float32).reshape(480, 640)
    colour = np.frombuffer(robot.answers['depth_color'][stamp].data, np.uint8).reshape(480, 640, 3)
    known = np.isfinite(depth)
    assert known.mean() > 0.3
    assert ((colour == visualise.NO_ANSWER).all(-1) == np.isnan(depth)).all()
    assert ((colour == visualise.SKY).all(-1) == (depth == np.inf)).all()
    # Red is near and blue is far, whatever a frame holds; turbo is no ramp in each channel.
    one_value = [np.ptp(colour[known & (np.abs(depth / at - 1) < 1e-3)].astype(int), axis=0)
                 for at in np.percentile(depth[known], (5, 50, 95))]
    assert np.max(one_value) <= 6
    near, far = (colour[known][order].astype(int) for order in (
        depth[known].argmin(), depth[known].argmax()))
    assert near[0] - near[2] > far[0] - far[2]


def test_the_node_has_no_torch(node: 'robots.NodeProcess') -> None:
    assert node.stop() == 0
    assert not node.has_torch()
