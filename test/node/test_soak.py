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


"""Soak: transitions in any order, and cameras faster than the node, leave nothing behind."""

from collections.abc import Callable
import os
from pathlib import Path
import random
import time

import psutil
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
Transition = pytest.importorskip('lifecycle_msgs.msg').Transition
ChangeState = pytest.importorskip('lifecycle_msgs.srv').ChangeState

LOAD_SECONDS = float(os.environ.get('SOAK_LOAD_SECONDS', '600'))
IDLE_SECONDS = 30.0
IMAGES_HZ = 30
NEXT = {'unconfigured': {'inactive': Transition.TRANSITION_CONFIGURE},
        'inactive': {'active': Transition.TRANSITION_ACTIVATE,
                     'unconfigured': Transition.TRANSITION_CLEANUP},
        'active': {'inactive': Transition.TRANSITION_DEACTIVATE}}


class Lifecycle:
    """Asks for transitions while images come in."""

    def __init__(self, robot: 'robots.Robot') -> None:
        """Find the service."""
        self.robot, self.state = robot, 'unconfigured'
        self.seconds: list[float] = []
        self._client = robot.node.create_client(
            ChangeState, f'/{robot.namespace}/grin_depth/change_state')
        robot.wait(self._client.service_is_ready, 'service change_state')

    def change(self, transition: int) -> bool:
        """Make a transition and return whether the node has made it."""
        request = ChangeState.Request(transition=Transition(id=transition))
        # Some in flight, one on its way.
        for _ in range(2):
            self.robot.send(robots.picture(320, 240), robots.pinhole_info(320, 240))
        start = time.monotonic()
        future = self._client.call_async(request)
        self.robot.wait(future.done, f'response to transition {transition}')
        self.seconds.append(time.monotonic() - start)
        return future.result().success

    def step(self, choice: random.Random) -> None:
        """Make a transition that exists, now and then one that does not."""
        if choice.random() < 0.1:
            wrong = {'unconfigured': Transition.TRANSITION_ACTIVATE,
                     'inactive': Transition.TRANSITION_CONFIGURE,
                     'active': Transition.TRANSITION_CLEANUP}[self.state]
            assert not self.change(wrong)
        state, transition = choice.choice(list(NEXT[self.state].items()))
        assert self.change(transition), f'{self.state} -> {state}'
        self.state = state


@pytest.mark.parametrize('transitions', [
    10, pytest.param(200, marks=pytest.mark.soak)])
def test_transitions_in_any_order_leave_nothing_behind(
        start_node: Callable, make_robot: Callable, tiny_bundle: Path, transitions: int) -> None:
    name = f'cycled{transitions}'
    node = start_node(name, bundle=tiny_bundle, max_age=30, autostart=False, cpu_threads=1)
    robot = make_robot(name, outputs=('depth',))
    robot.diagnosed('state', 'unconfigured')  # the start of the process is no transition
    lifecycle, choice = Lifecycle(robot), random.Random(0)

    def rest() -> tuple[int, int, float]:
        """Go back to the start and return threads, file handles and memory [MB]."""
        while lifecycle.state != 'unconfigured':
            target = 'inactive' if lifecycle.state == 'active' else 'unconfigured'
            assert lifecycle.change(NEXT[lifecycle.state][target])
            lifecycle.state = target
        robot.spin(1.0)
        process = psutil.Process(node.process.pid)
        return process.num_threads(), process.num_fds(), process.memory_info().rss / 1e6

    warm_up = max(4, transitions // 5)
    for _ in range(warm_up):
        lifecycle.step(choice)
    threads, handles, memory = rest()
    for _ in range(transitions - warm_up):
        lifecycle.step(choice)
    after = rest()
    print(f'{transitions} transitions: slowest {max(lifecycle.seconds):.2f} s, threads {threads} '
          f'-> {after[0]}, handles {handles} -> {after[1]}, memory {memory:.0f} -> '
          f'{after[2]:.0f} MB')
    assert after[0] <= threads + 1 and after[1] <= handles + 4
    if transitions == 200:
        assert max(lifecycle.seconds) < 1.0 and after[2] < memory + 10
    accounts = robot.settled()
    assert int(accounts['received']) == int(accounts['answered']) + int(accounts['dropped'])
    assert 'Traceback' not in node.log and node.stop() == 0


@pytest.mark.soak
def test_three_cameras_that_are_faster_than_the_node(
        start_node: Callable, make_robot: Callable) -> None:
    """The shipped model: newest frames only, no backlog, no growth, fair, every image counted."""
    topics = {camera: {'image': f'/eyes/{camera}/image', 'info': f'/eyes/{camera}/camera_info'}
              for camera in ('front', 'left', 'right')}
    node = start_node('loaded', max_age=0.0, cameras=str(list(topics)), **{
        f'{camera}.{name}_topic': topic for camera, names in topics.items()
        for name, topic in (('image', names['image']), ('camera_info', names['info']))})
    node.wait_for_log('bundle')
    trio = [make_robot('loaded', camera=camera, outputs=('depth', 'points'), **names)
            for camera, names in topics.items()]
    for robot in trio:
        robot.wait_until_heard()
    process = psutil.Process(node.process.pid)
    picture, info = robots.picture(), robots.pinhole_info()
    start, memory, sent = time.monotonic(), 0.0, 0
    while (now := time.monotonic() - start) < LOAD_SECONDS:
        for robot in trio:
            robot.send(picture, info)
            robot.spin(max(0.0, sent / IMAGES_HZ - now) / len(trio))
            for answers in robot.answers.values():
                answers.clear()
            robot.sent.clear()
        sent += 1
        if not memory and now > 0.2 * LOAD_SECONDS:
            memory = process.memory_info().rss / 1e6
    growth = process.memory_info().rss / 1e6 - memory
    print(f'{LOAD_SECONDS:.0f} s, {len(trio)} cameras, memory {memory:.0f} MB {growth:+.1f} MB')
    counts = []
    for robot in trio:
        accounts = robot.settled()
        received, answered, dropped, lost = (int(accounts[key]) for key in (
            'received', 'answered', 'dropped', 'lost_in_dds'))
        work = float(accounts['latency_total_ms'].split('p50 ')[1].split(',')[0])
        age = float(accounts['latency_since_stamp_ms'].split('p99 ')[1])
        print(f'{robot.camera}: {sent} sent, {received} received, {answered} answered, '
              f'{dropped} dropped, {lost} lost; one answer {work:.0f} ms, age p99 {age:.0f} ms')
        assert received == answered + dropped and received + lost <= sent
        assert age <= 2.5 * work
        counts.append(answered)
    assert min(counts) > 0.8 * max(counts)
    # On any machine: it answered most of the time, and did not wait.
    assert sum(counts) * work / 1e3 > 0.7 * LOAD_SECONDS
    assert growth < 5


@pytest.mark.soak
def test_a_node_that_nobody_listens_to_is_idle(start_node: Callable, make_robot: Callable) -> None:
    """The shipped model, three cameras of 30 Hz: below 2 % of a core."""
    cameras = ('front', 'left', 'right')
    node = start_node('bored', cameras=str(list(cameras)), **{
        f'{camera}.{name}': f'/eyes/{camera}/{name}'
        for camera in cameras for name in ('image_topic', 'camera_info_topic')})
    trio = [make_robot('bored', camera=camera, outputs=(), image=f'/eyes/{camera}/image_topic',
                       info=f'/eyes/{camera}/camera_info_topic') for camera in cameras]
    for robot in trio:
        robot.diagnosed('message', 'idle')
    process = psutil.Process(node.process.pid)
    picture, info = robots.picture(), robots.pinhole_info()
    start, before, sent = time.monotonic(), sum(process.cpu_times()[:2]), 0
    while (now := time.monotonic() - start) < IDLE_SECONDS:
        for robot in trio:
            robot.send(picture, info)
            robot.spin(max(0.0, sent / IMAGES_HZ - now) / len(trio))
        sent += 1
    share = (sum(process.cpu_times()[:2]) - before) / IDLE_SECONDS
    print(f'{IDLE_SECONDS:.0f} s, {sent} images of each of three cameras: {share:.1%} of a core')
    assert share < 0.02
    assert all(robot.settled()['received'] == '0' for robot in trio)
