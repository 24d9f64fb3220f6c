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

"""Errors: a library that is missing is named together with the extra that brings it."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]
# A Python in which some libraries are not installed.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {missing!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}')
sys.meta_path.insert(0, Missing())
from grin_ros.cli import main
sys.exit(main({arguments!r}))
"""
PHOTO = str(ROOT / 'grin_ros/demo/frames/room_1.jpg')


@pytest.mark.parametrize('missing, extra, arguments', [
    ('onnxruntime', 'cpu', ['predict', PHOTO, '--hfov', '70', '--output', '.']),
    ('torch', 'train', ['predict', PHOTO, '--hfov', '70', '--output', '.', '--backend', 'torch']),
    ('torch', 'train', ['train', '--config', str(ROOT / 'config/train/small.yaml')]),
    ('torch', 'train', ['export', 'last.safetensors', '--output', '.']),
    ('rclpy', 'ros', ['demo', '--output', '.']),
])
def test_a_missing_library_is_named_with_its_extra(missing: str, extra: str, arguments: list,
                                                   tmp_path: Path) -> None:
    code = WITHOUT.format(missing=[missing], arguments=arguments)
    run = subprocess.run([sys.executable, '-c', f'import sys; sys.path.insert(0, {str(ROOT)!r})\n'
                          + code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2, run.stderr
    assert f'{missing} cannot be imported' in run.stderr
    assert f'pip install "grin_ros[{extra}]"' in run.stderr and 'Traceback' not in run.stderr
