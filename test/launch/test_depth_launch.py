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

"""`ros2 launch grin_ros ...`, for real, where ros2 launch and a build of us exist."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import signal
import subprocess
import time

import pytest

pytest.importorskip('launch_ros', reason='launch_ros is not installed (it is not on PyPI): the '
                    'launch file was only read, by test_package.py')
if shutil.which('ros2') is None:
    pytest.skip('no ros2 command: the launch file was not run', allow_module_level=True)
PACKAGES = pytest.importorskip('ament_index_python.packages')


ONE = ['depth.launch.py', 'image_topic:=/eye/image_rect', 'camera_info_topic:=/eye/camera_info',
       'backend:=onnxruntime', 'namespace:=front']
TWO = ['multi_camera.launch.py', 'cameras:=left right', 'image_topic:=/eyes/{camera}/image_rect',
       'camera_info_topic:=/eyes/{camera}/camera_info', 'namespace:=front']


@pytest.mark.parametrize('arguments, images', [
    (ONE, ['/eye/image_rect']), (TWO, ['/eyes/left/image_rect', '/eyes/right/image_rect'])],
    ids=['one', 'two'])
def test_node_starts_takes_arguments_and_ends_on_ctrl_c(
        tmp_path: Path, arguments: list[str], images: list[str]) -> None:
    try:
        PACKAGES.get_package_prefix('grin_ros')
    except PACKAGES.PackageNotFoundError:
        pytest.skip('grin_ros is not built: colcon build, then source install/setup.bash')
    command = ['ros2', 'launch', 'grin_ros', *arguments]
    log = tmp_path / 'launch.log'
    with log.open('w') as output:
        # A group of its own: Ctrl-C reaches ros2 launch and the node together.
        run = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                               start_new_session=True, env={**os.environ, 'PYTHONUNBUFFERED': '1'})
    try:
        deadline = time.monotonic() + 60
        while not all(f'images on {image} are rectified' in log.read_text()
                      for image in images):
            assert run.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        os.killpg(run.pid, signal.SIGINT)
        code = run.wait(30)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    text = log.read_text()
    assert code == 0, text
    assert '[front.grin_depth]' in text
    assert 'process has finished cleanly' in text


def test_rviz_that_is_not_there_leaves_no_node_behind() -> None:
    """Launch ends at what it cannot find, and does not stop what it has started by then."""
    try:
        PACKAGES.get_package_prefix('grin_ros')
    except PACKAGES.PackageNotFoundError:
        pytest.skip('grin_ros is not built: colcon build, then source install/setup.bash')
    if 'rviz2' in PACKAGES.get_packages_with_prefixes():
        pytest.skip('rviz2 is installed')
    run = subprocess.run(['ros2', 'launch', 'grin_ros', 'depth.launch.py', 'rviz:=true'],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode and 'rviz2' in run.stdout + run.stderr
    assert 'process started' not in run.stdout + run.stderr
