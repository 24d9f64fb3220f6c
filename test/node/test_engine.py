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


"""
The node on a fake device: builds in the background, failures of the device, and the way back.

The device is numpy and ONNX Runtime (fake_gpu.py): what is tested is the node, not the GPU.
"""

from collections.abc import Callable
import itertools
from pathlib import Path
import signal

import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
onnx = pytest.importorskip('onnx', reason='no onnx: pip install "grin_ros[tensorrt]"')
from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402, I100, RUF100
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402


@pytest.fixture
def start(start_node: Callable, tiny_bundle: Path, tmp_path: Path) -> Callable:
    """Return a function that starts a node on a fake device, with a cache of its own."""

    def start(name: str, device: str = '', **parameters: object) -> 'robots.NodeProcess':
        before = (f'import os; os.environ["GRIN_ENGINE_CACHE"] = {str(tmp_path / "engines")!r}\n'
                  f'import fake_gpu; fake_gpu.install({device})\n')
        return start_node(name, before=before, bundle=tiny_bundle, max_age=30,
                          **{'backend': 'tensorrt', **parameters})

    return start


def change(robot: 'robots.Robot', transition: int) -> bool:
    """Ask for a lifecycle transition and return whether it was made."""
    request = ChangeState.Request(transition=Transition(id=transition))
    return robot.call(ChangeState, 'change_state', request).success


def test_engines_are_built_in_the_background(start: Callable, make_robot: Callable) -> None:
    """The node is active before they are there, says what it does, then answers."""
    node = start('building', 'build_seconds=1.5')
    robot = make_robot('building', outputs=('depth',))
    robot.wait_until_heard()
    robot.diagnosed('state', 'active')
    robot.diagnosed('backend', 'Fake GPU')

    seeds = itertools.count()  # one picture for ever would be a camera that is frozen

    def after_a_picture() -> str:
        robot.send(robots.picture(seed=next(seeds)), robots.pinhole_info())
        robot.spin(0.2)
        return robot.diagnostics.get('engine', '')

    robot.wait(lambda: after_a_picture().startswith('building'), 'it builds')
    assert robot.level == DiagnosticStatus.WARN and 'building' in robot.diagnostics['message']
    assert not robot.answers['depth']
    robot.wait(lambda: 'self-test' in after_a_picture(), 'it has built')
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    assert robot.answers['depth'][stamp].encoding == '32FC1'
    accounts = robot.settled()
    assert int(accounts['received']) == int(accounts['answered']) + int(accounts['dropped'])
    assert int(accounts['dropped_engine_building']) >= 1
    robot.wait(lambda: after_a_picture() and robot.level == DiagnosticStatus.OK, 'all is well')
    assert 'building frame' in node.log and 'built denoiser' in node.log
    assert node.stop(signal.SIGINT) == 0 and not node.has_torch()


def test_a_build_ends_with_cleanup_and_with_signals(start: Callable, make_robot: Callable) -> None:
    node = start('endless', 'build_seconds=3600')
    robot = make_robot('endless', outputs=('depth',))
    robot.wait_until_heard()
    for _ in range(2):
        robot.send(robots.picture(), robots.pinhole_info())
        robot.diagnosed('engine', 'building')
        assert change(robot, Transition.TRANSITION_DEACTIVATE)
        assert change(robot, Transition.TRANSITION_CLEANUP)
        robot.diagnosed('state', 'unconfigured')
        assert change(robot, Transition.TRANSITION_CONFIGURE)
        assert change(robot, Transition.TRANSITION_ACTIVATE)
        robot.wait_until_heard()
    robot.send(robots.picture(), robots.pinhole_info())
    robot.diagnosed('engine', 'building')
    assert node.stop(signal.SIGTERM) == 0
    assert 'Traceback' not in node.log


def test_a_lost_device_leads_to_error_and_back(start: Callable, make_robot: Callable,
                                               tmp_path: Path) -> None:
    lost = tmp_path / 'lost'
    node = start('lost', f'lost={str(lost)!r}')
    robot = make_robot('lost', outputs=('depth',))
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())
    lost.touch()
    robot.send(robots.picture(), robots.pinhole_info())
    robot.diagnosed('state', 'unconfigured')
    robot.diagnosed('last_problem', 'the device is lost')
    robot.wait(lambda: not robot.node.count_publishers('/lost/depth'), 'outputs are gone')
    assert int(robot.diagnostics['dropped_device_failed']) >= 1
    lost.unlink()
    assert change(robot, Transition.TRANSITION_CONFIGURE)
    assert change(robot, Transition.TRANSITION_ACTIVATE)
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())
    accounts = robot.settled()
    assert int(accounts['received']) == int(accounts['answered']) + int(accounts['dropped'])
    assert node.stop() == 0 and 'Traceback' not in node.log


def test_two_cameras_go_through_one_engine_together(
        start: Callable, make_robot: Callable) -> None:
    """Each gets the depth of its own picture, as it would alone."""
    topics = {camera: {'image': f'/eyes/{camera}/image', 'info': f'/eyes/{camera}/camera_info'}
              for camera in ('left', 'right')}
    node = start('pair', max_batch=2, cameras=str(list(topics)), **{
        f'{camera}.{name}_topic': topic for camera, names in topics.items()
        for name, topic in (('image', names['image']), ('camera_info', names['info']))})
    left, right = (make_robot('pair', camera=camera, outputs=('depth',), **names)
                   for camera, names in topics.items())
    depth: dict[str, bytes] = {}
    for robot, seed in ((left, 1), (right, 2)):
        robot.wait_until_heard()
        stamp = robot.ask(robots.picture(seed=seed), robots.pinhole_info())
        depth[robot.camera] = bytes(robot.answers['depth'][stamp].data)
    left.diagnosed('engine', '_2f')
    for _ in range(5):
        stamps = [robot.send(robots.picture(seed=seed), robots.pinhole_info())
                  for robot, seed in ((left, 1), (right, 2))]
        for robot, stamp in zip((left, right), stamps, strict=True):
            robot.wait(lambda: stamp in robot.answers['depth'], 'an answer')  # noqa: B023
            assert bytes(robot.answers['depth'][stamp].data) == depth[robot.camera]
    assert depth['left'] != depth['right']
    assert node.stop() == 0 and 'Traceback' not in node.log


def test_a_missing_engine_that_must_not_be_built_is_said(
        start: Callable, make_robot: Callable) -> None:
    node = start('never', engine_build='never')
    robot = make_robot('never', outputs=('depth',))
    robot.wait_until_heard()
    for count in range(1, 4):
        robot.send(robots.picture(), robots.pinhole_info())
        robot.diagnosed('last_problem', 'grin engine build --input-size')
        robot.diagnosed('dropped_not_estimated', str(count))
    robot.diagnosed('state', 'active')
    assert node.log.count('engine: testing') == 1, 'a line with each image'


def test_a_device_that_fails_at_once_fails_configure(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """Without TensorRT a named backend does not fall back: one sentence, no trace."""
    node = start_node('absent', bundle=tiny_bundle, backend='tensorrt', before=(
        'import sys; sys.modules["tensorrt"] = None\n'))
    robot = make_robot('absent', outputs=())
    robot.diagnosed('state', 'unconfigured')
    robot.diagnosed('last_problem', 'tensorrt cannot be imported')
    assert 'Traceback' not in node.log
