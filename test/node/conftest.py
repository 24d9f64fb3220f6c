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

"""Fixtures of the node tests: a network of its own, and nodes that end with the test."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import sys

import pytest

sys.path.insert(0, str(Path(__file__).parent))
collect_ignore_glob = []
try:
    import rclpy
except ImportError:
    rclpy = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip out loud where ROS 2 is missing."""
    if rclpy is None:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(
                    reason='ROS 2 is not installed: pip install "grin_ros[ros]"'))


@pytest.fixture(scope='session', autouse=True)
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the messages of this run to itself, and give this process our DDS profile."""
    from robot import PROFILE, PROFILE_VARIABLES
    os.environ.update(
        RMW_IMPLEMENTATION='rmw_fastrtps_cpp', ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST',
        # Two runs that start together must not meet, as random numbers sometimes do.
        ROS_DOMAIN_ID=str(os.getpid() % 100 + 1),
        ROS_LOG_DIR=str(tmp_path_factory.mktemp('ros_log')))
    os.environ.update(dict.fromkeys(PROFILE_VARIABLES, str(PROFILE)))
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture(scope='module')
def start_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """Return a function that starts a node which ends with the module."""
    from robot import NodeProcess
    started = []

    def start(name: str, **options: object) -> NodeProcess:
        started.append(NodeProcess(tmp_path_factory.mktemp(name), name, **options))
        return started[-1]

    yield start
    for node in started:
        node.stop()


def robot_factory() -> Iterator[Callable]:
    """Yield a function that makes robots, and take them back at the end."""
    from robot import Robot
    made = []

    def make(*arguments: object, **options: object) -> Robot:
        made.append(Robot(*arguments, **options))
        return made[-1]

    yield make
    for robot in made:
        robot.close()


@pytest.fixture
def make_robot() -> Iterator[Callable]:
    """Return a function that makes a robot which ends with the test."""
    yield from robot_factory()


@pytest.fixture(scope='module')
def keep_robot() -> Iterator[Callable]:
    """Return a function that makes a robot which ends with the module: discovery takes time."""
    yield from robot_factory()
