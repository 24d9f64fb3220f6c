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

"""Control: parameters at run time, services, lifecycle, signals, and input that never comes."""

from collections.abc import Callable
from pathlib import Path
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
lifecycle_msgs = pytest.importorskip('lifecycle_msgs.msg')
ChangeState = pytest.importorskip('lifecycle_msgs.srv').ChangeState
std_srvs = pytest.importorskip('std_srvs.srv')
Transition = lifecycle_msgs.Transition


@pytest.fixture(scope='module')
def node(start_node: Callable, tiny_bundle: Path) -> 'robots.NodeProcess':
    """Start a node with a tiny network, not configured."""
    return start_node('control', bundle=tiny_bundle, max_age=30, autostart=False)


@pytest.fixture(scope='module')
def robot(node: 'robots.NodeProcess', keep_robot: Callable) -> 'robots.Robot':
    """Return a camera and recorder."""
    return keep_robot('control', outputs=('depth', 'points'))


def change(robot: 'robots.Robot', transition: int) -> bool:
    """Ask for a lifecycle transition and return whether it was made."""
    request = ChangeState.Request(transition=Transition(id=transition))
    return robot.call(ChangeState, 'change_state', request).success


def depth_of(robot: 'robots.Robot') -> np.ndarray:
    """Return the depth of a fixed picture."""
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    msg = robot.answers['depth'][stamp]
    return np.frombuffer(msg.data, np.float32).reshape(msg.height, msg.width)


def test_transitions_do_what_they_say(node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    robot.diagnosed('state', 'unconfigured')
    assert not robot.node.count_subscribers(robots.IMAGE)
    # rclpy of Jazzy would end the node here.
    assert not change(robot, Transition.TRANSITION_ACTIVATE)
    assert 'no transition 3 in state unconfigured: ask for one of 1 (configure)' in node.log
    label = ChangeState.Request(transition=Transition(label='activate'))
    assert not robot.call(ChangeState, 'change_state', label).success
    assert change(robot, Transition.TRANSITION_CONFIGURE)
    assert not robot.node.count_subscribers(robots.IMAGE)
    assert change(robot, Transition.TRANSITION_ACTIVATE)
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())

    assert change(robot, Transition.TRANSITION_DEACTIVATE)
    robot.diagnosed('state', 'inactive')
    robot.wait(lambda: not robot.node.count_subscribers(robots.IMAGE), 'it stops to listen')
    assert change(robot, Transition.TRANSITION_CLEANUP)
    robot.wait(lambda: not robot.node.count_publishers('/control/depth'), 'outputs are gone')
    assert change(robot, Transition.TRANSITION_CONFIGURE)
    assert change(robot, Transition.TRANSITION_ACTIVATE)
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())
    accounts = robot.settled()
    assert int(accounts['received']) == int(accounts['answered']) + int(accounts['dropped'])


def test_parameters_apply_at_once(node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    depth = depth_of(robot)
    middle = float(np.median(depth[np.isfinite(depth)]))
    assert robot.set_parameter('max_depth', middle).successful
    assert np.isposinf(depth_of(robot)).mean() > 0.3
    assert robot.set_parameter('max_depth', 1000).successful  # an integer is kindly taken
    assert robot.set_parameter('min_depth', middle).successful
    assert np.isneginf(depth_of(robot)).mean() > 0.3
    assert robot.set_parameter('min_depth', 0.0).successful
    assert robot.set_parameter('max_sigma', 1e-6).successful
    assert not np.isfinite(depth_of(robot)).any()
    assert robot.set_parameter('max_sigma', 0.0).successful
    assert robot.set_parameter('depth_scale', 2.0).successful
    doubled = depth_of(robot)
    both = np.isfinite(depth) & np.isfinite(doubled)
    assert both.mean() > 0.3
    np.testing.assert_allclose(doubled[both], 2 * depth[both], rtol=1e-5)
    assert robot.set_parameter('depth_scale', 1.0).successful
    assert robot.set_parameter('points_stride', 5).successful
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    assert robot.answers['points'][stamp].width == 128
    assert robot.set_parameter('points_organized', False).successful
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    assert robot.answers['points'][stamp].is_dense
    assert robot.set_parameter('num_inference_steps', 2).successful
    robot.ask(robots.picture(), robots.pinhole_info())
    robot.diagnosed('num_inference_steps', '2')


def test_the_seed_decides_the_noise(node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    first = depth_of(robot)
    assert np.array_equal(first, depth_of(robot), equal_nan=True)
    assert robot.set_parameter('seed', 5).successful
    assert not np.array_equal(first, depth_of(robot), equal_nan=True)


@pytest.mark.parametrize('name, value, words', [
    ('max_depth', -1.0, ['out of range', 'max_depth']),
    ('max_depth', 0.01, ['min_depth']),
    ('max_sigma', 'much', ['max_sigma', 'double']),
    ('bundle', '/elsewhere', ['bundle cannot change at run time: give it when']),
    ('output_scale', 2, ['output_scale cannot change at run time: give it when']),
    ('max_dept', 3.0, ['max_dept', 'did you mean max_depth?']),
    ('hfov', 70.0, ['no parameter hfov: did you mean hfov_deg?']),
    ('colour_of_the_robot', 'red', ['no parameter colour_of_the_robot']),
])
def test_parameters_that_cannot_apply_are_rejected_with_a_reason(
        node: 'robots.NodeProcess', robot: 'robots.Robot', name: str, value: object,
        words: list[str]) -> None:
    if name == 'max_depth' and value == 0.01:
        assert robot.set_parameter('min_depth', 0.1).successful
    result = robot.set_parameter(name, value)
    assert not result.successful
    assert all(word in result.reason for word in words), result.reason


def test_max_rate_drops_what_is_too_much(
        node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    robot.ask(robots.picture(), robots.pinhole_info())
    assert robot.set_parameter('max_rate', 0.001).successful
    before = robot.settled()
    for _ in range(10):
        robot.send(robots.picture(), robots.pinhole_info())
        robot.spin(0.1)
    after = robot.settled()
    assert int(after['answered']) - int(before['answered']) <= 1
    assert int(after['dropped_max_rate']) >= 5
    assert robot.set_parameter('max_rate', 0.0).successful
    robot.ask(robots.picture(), robots.pinhole_info())


def test_old_images_are_dropped_and_the_remedy_is_named(
        node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    robot.ask(robots.picture(), robots.pinhole_info())
    assert robot.set_parameter('max_age', 1e-6).successful
    robot.send(robots.picture(), robots.pinhole_info())
    robot.diagnosed('dropped_too_old', '1')
    robot.diagnosed('last_problem', 'max_age (0 is off) if this computer is slow, synchronise')
    assert robot.set_parameter('max_age', 30.0).successful
    robot.ask(robots.picture(), robots.pinhole_info())


def test_services_disable_and_reset(node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    SetBool = std_srvs.SetBool
    assert robot.call(SetBool, 'enable', SetBool.Request(data=False)).success
    robot.wait(lambda: not robot.node.count_subscribers(robots.IMAGE), 'it stops to listen')
    robot.diagnosed('state', 'disabled')
    assert robot.call(SetBool, 'enable', SetBool.Request(data=True)).success
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())
    reset = robot.call(std_srvs.Trigger, 'reset', std_srvs.Trigger.Request())
    assert reset.success and 'forgotten' in reset.message
    robot.ask(robots.picture(), robots.pinhole_info())


def test_sigint_ends_with_zero_while_frames_come(
        node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    robot.ask(robots.picture(), robots.pinhole_info())
    for _ in range(5):
        robot.send(robots.picture(), robots.pinhole_info())
    assert node.stop(signal.SIGINT) == 0, node.log
    assert 'Traceback' not in node.log and 'Warning' not in node.log and not node.has_torch()


# A signal in the moment between taking a callback and running it, which is rare by itself.
UNLUCKY = """
import itertools, os, rclpy.task, signal, time
run, calls = rclpy.task.Task.__call__, itertools.count()
def call(task):
    if next(calls) == 8:
        os.kill(os.getpid(), signal.SIG{})
        time.sleep(0.1)
        run(task)
        print('the callback ended', flush=True)
    else:
        run(task)
rclpy.task.Task.__call__ = call
"""


@pytest.mark.parametrize('name', ['INT', 'TERM'])
def test_a_signal_lets_the_callback_end(start_node: Callable, tiny_bundle: Path, name: str
                                        ) -> None:
    node = start_node(f'unlucky{name}', bundle=tiny_bundle, before=UNLUCKY.format(name))
    assert node.process.wait(robots.PATIENCE) == 0, node.log
    assert 'the callback ended' in node.log
    assert 'Traceback' not in node.log and 'Warning' not in node.log and not node.has_torch()


# A signal that comes before there is a context that it could end.
EARLY = """
import os, rclpy, signal
init = rclpy.init
def early(**options):
    os.kill(os.getpid(), signal.SIGINT)
    init(**options)
rclpy.init = early
"""


def test_a_signal_before_the_context_counts(start_node: Callable, tiny_bundle: Path) -> None:
    node = start_node('early', bundle=tiny_bundle, before=EARLY)
    assert node.process.wait(robots.PATIENCE) == 0, node.log
    assert 'Traceback' not in node.log and not node.has_torch()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['sigint', 'sigterm'])
def test_signals_end_with_zero_while_the_model_loads(
        start_node: Callable, tiny_bundle: Path, number: int, make_robot: Callable) -> None:
    node = start_node(f'early{number}', bundle=tiny_bundle)
    robot = make_robot(f'early{number}', outputs=())
    robot.wait(lambda: ('grin_depth', f'/early{number}')
               in robot.node.get_node_names_and_namespaces(), 'the node exists')
    assert node.stop(number) == 0, node.log
    assert 'Traceback' not in node.log


def test_more_signals_while_it_ends_change_nothing(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """Ctrl-C twice, or once from a terminal and once from ros2 launch, as where it runs in CI."""
    node = start_node('impatient', bundle=tiny_bundle)
    robot = make_robot('impatient', outputs=())
    robot.wait(lambda: ('grin_depth', '/impatient')
               in robot.node.get_node_names_and_namespaces(), 'the node exists')
    while node.process.poll() is None:
        node.process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert node.process.returncode == 0, node.log


def test_without_camera_info_it_says_what_is_missing(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """One node waits for camera_info, the other goes on without metric scale."""
    topics = {'image': '/lonely/image', 'info': '/lonely/camera_info'}
    start_node('waiting', bundle=tiny_bundle, max_age=30, **topics)
    start_node('guessing', bundle=tiny_bundle, max_age=30, require_camera_info=False, **topics)
    start_node('told', bundle=tiny_bundle, max_age=30, hfov_deg=60.0, **topics)
    waiting = make_robot('waiting', outputs=('depth',), **topics)
    guessing = make_robot('guessing', outputs=('depth', 'camera_info'), **topics)
    told = make_robot('told', outputs=('depth', 'camera_info'), **topics)
    for robot in (waiting, guessing, told):
        robot.wait_until_heard()
    stamp = guessing.ask(robots.picture(), None)
    guessing.diagnosed('scale', 'not metric')
    k = guessing.answers['camera_info'][stamp].k
    assert (k[0], k[4]) == (320.0, 240.0)  # the paper's default pinhole

    stamp = told.ask(robots.picture(), None)
    told.diagnosed('scale', 'metric')
    told.diagnosed('camera', 'from the parameter hfov_deg')
    assert told.answers['camera_info'][stamp].k[0] == pytest.approx(320 / np.tan(np.pi / 6))

    waiting.send(robots.picture(), None)
    waiting.diagnosed('dropped_no_camera_info', '')
    waiting.diagnosed('last_problem', 'require_camera_info: false')
    assert '/lonely/camera_info' in waiting.diagnostics['last_problem']
    waiting.ask(robots.picture(), robots.pinhole_info())
    guessing.send(robots.picture(), robots.pinhole_info())
    guessing.diagnosed('camera', 'from /lonely/camera_info')
    told.ask(robots.picture(), robots.pinhole_info(width=320, height=240))
    told.diagnosed('warning_camera_info', '/lonely/camera_info is not used (it describes 320x240')
    told.diagnosed('camera', 'from the parameter hfov_deg')


def test_a_driver_without_calibration_is_no_fault_where_hfov_deg_is_set(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """As usb_cam: the documents say to set hfov_deg, and its diagnostics warned for ever."""
    topics = {'image': '/usb/image', 'info': '/usb/camera_info'}
    start_node('blank', bundle=tiny_bundle, max_age=30, hfov_deg=60.0, **topics)
    start_node('blind', bundle=tiny_bundle, max_age=30, require_camera_info=False, **topics)
    told, guessing = (make_robot(name, outputs=('depth',), **topics)
                      for name in ('blank', 'blind'))
    for robot in (told, guessing):
        robot.wait_until_heard()
        info = robots.pinhole_info()
        info.k, info.p = np.zeros(9), np.zeros(12)
        robot.ask(robots.picture(), info)
    guessing.diagnosed('warning_camera_info', 'the camera is not calibrated), and the default '
                       'pinhole is: calibrate the camera, set hfov_deg')
    told.ask(robots.picture(), info)
    told.diagnosed('camera', 'from the parameter hfov_deg')
    assert 'warning_camera_info' not in told.settled()


def test_its_own_camera_info_is_no_input(start_node: Callable, tiny_bundle: Path,
                                         make_robot: Callable) -> None:
    node = start_node('loop', bundle=tiny_bundle, info='/loop/camera_info')
    robot = make_robot('loop', outputs=())
    robot.diagnosed('message', 'camera_info_topic')
    assert 'cannot configure: the camera_info input would be /loop/camera_info' in node.log


def test_what_the_camera_sees_of_its_robot_is_no_depth(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable, tmp_path: Path) -> None:
    """The masked pixels are NaN in depth and in no cloud; a mask that is none is named."""
    mask = np.full((480, 640), 255, np.uint8)
    mask[400:] = 0
    cv2.imwrite(str(tmp_path / 'body.png'), mask)
    start_node('masked', bundle=tiny_bundle, max_age=30, edge_gate=False, max_depth=1000.0,
               body_mask=str(tmp_path / 'body.png'), points_stride=4)
    robot = make_robot('masked', outputs=('depth', 'points'))
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    depth = np.frombuffer(robot.answers['depth'][stamp].data, np.float32).reshape(480, 640)
    assert np.isnan(depth[400:]).all() and not np.isnan(depth[:400]).any()
    robot.wait(lambda: stamp in robot.answers['points'], 'points are answered')
    cloud = robot.answers['points'][stamp]
    points = np.frombuffer(cloud.data, np.float32).reshape(120, 160, -1)
    assert np.isnan(points[100:, :, 0]).all() and np.isfinite(points[:100, :, 0]).any()

    node = start_node('unmasked', bundle=tiny_bundle, body_mask='/nowhere/body.png')
    make_robot('unmasked', outputs=()).diagnosed('message', 'body_mask')
    assert 'cannot configure: parameter body_mask: /nowhere/body.png is no picture' in node.log


# Says when the node's libraries begin to load.
LOADING = """
import sys
from grin_ros.node.__main__ import main
class Tell:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == 'grin_ros.depth_node':
            print('loading', flush=True)
sys.meta_path.insert(0, Tell)
sys.exit(main())
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['sigint', 'sigterm'])
@pytest.mark.parametrize('after', [0.0, 0.15])
def test_a_signal_while_libraries_load_ends_it_quietly(number: int, after: float) -> None:
    """As when somebody starts the wrong launch file and takes it back."""
    process = subprocess.Popen([sys.executable, '-c', LOADING], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == 'loading\n'
    time.sleep(after)
    process.send_signal(number)
    _, said = process.communicate(timeout=robots.PATIENCE)
    assert process.returncode == 0 and 'Traceback' not in said
