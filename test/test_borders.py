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

"""The deployed half needs neither torch nor, away from the rim, ROS."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
LEARNING = ('grin_ros/model', 'grin_ros/train', 'grin_ros/backends/torch.py')
RIM = ('grin_ros/depth_node.py', 'grin_ros/node/',
       'grin_ros/demo/camera_process.py', 'grin_ros/demo/recorder_process.py')
BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in BLOCKED:
            raise ImportError(f'{name} must not be imported here')
sys.meta_path.insert(0, Blocked())
"""


def modules() -> list[str]:
    """List the modules of the deployed half that must import without ROS and torch."""
    paths = [str(path.relative_to(ROOT)) for path in sorted((ROOT / 'grin_ros').rglob('*.py'))]
    return [path[:-3].replace('/', '.').removesuffix('.__init__') for path in paths
            if not path.startswith(LEARNING + RIM) and not path.endswith('__main__.py')]


def test_deployed_half_imports_without_torch_and_ros() -> None:
    code = f'BLOCKED = {{"torch", "rclpy"}}\n{BLOCK}\n' + '\n'.join(
        f'import {module}' for module in modules())
    run = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_learning_half_imports_without_ros() -> None:
    pytest.importorskip('torch', reason='torch is not installed: pip install "grin_ros[train]"')
    code = f'BLOCKED = {{"rclpy"}}\n{BLOCK}\nimport grin_ros.train.export, grin_ros.train.loop'
    run = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_node_does_not_import_torch() -> None:
    pytest.importorskip('rclpy', reason='ROS 2 is not installed: pip install "grin_ros[ros]"')
    code = 'import sys, grin_ros.depth_node; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


@pytest.mark.parametrize('path, line, rule', [
    ('grin_ros/estimator.py', 'import rclpy', 'TID251'),
    ('grin_ros/estimator.py', 'import torch', 'TID253'),
    ('grin_ros/depth_node.py', 'import torch', 'TID253'),
    ('grin_ros/train/loop.py', 'import rclpy', 'TID251'),
    ('grin_ros/depth_node.py', 'import rclpy', None),
    ('grin_ros/model/grin.py', 'import torch', None),
])
def test_ruff_guards_the_borders(path: str, line: str, rule: str | None) -> None:
    pytest.importorskip('ruff', reason='ruff is not installed')
    run = subprocess.run(
        [sys.executable, '-m', 'ruff', 'check', '--select', 'TID', '--stdin-filename', path, '-'],
        cwd=ROOT, input=f'{line}\n', capture_output=True, text=True)
    assert (rule in run.stdout) if rule else run.returncode == 0, run.stdout
