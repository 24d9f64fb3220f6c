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

from grin_ros.errors import GrinError, problem_of, require

ROOT = Path(__file__).parents[2]
# A Python in which some libraries are not installed.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {missing!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}')
sys.path.insert(0, {root!r})
sys.meta_path.insert(0, Missing())
"""
CLI = 'from grin_ros.cli import main; sys.exit(main({arguments!r}))'
NODE = 'from grin_ros.node.__main__ import main; sys.exit(main())'
CUDA = 'from grin_ros.engine.cuda_python import CudaPythonDevice; CudaPythonDevice()'
PHOTO = str(ROOT / 'grin_ros/demo/frames/room_1.jpg')


def run_without(missing: str, code: str, folder: Path) -> 'subprocess.CompletedProcess[str]':
    """Run code in a Python in which a library is not installed."""
    code = WITHOUT.format(missing=[missing], root=str(ROOT)) + code
    return subprocess.run([sys.executable, '-c', code], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize('missing, extra, arguments', [
    ('onnxruntime', 'cpu', ['predict', PHOTO, '--hfov', '70', '--output', '.']),
    ('torch', 'train', ['predict', PHOTO, '--hfov', '70', '--output', '.', '--backend', 'torch']),
    ('torch', 'train', ['train', '--config', str(ROOT / 'config/train/small.yaml')]),
    ('torch', 'train', ['export', 'last.safetensors', '--output', '.']),
    ('rclpy', 'ros', ['demo', '--output', '.']),
])
def test_a_missing_library_is_named_with_its_extra(missing: str, extra: str, arguments: list,
                                                   tmp_path: Path) -> None:
    run = run_without(missing, CLI.format(arguments=arguments), tmp_path)
    assert run.returncode == 2, run.stderr
    assert f'{missing} cannot be imported' in run.stderr
    assert f'pip install "grin_ros[{extra}]"' in run.stderr and 'Traceback' not in run.stderr


def test_the_node_without_ros_says_where_it_comes_from(tmp_path: Path) -> None:
    """It ended in a traceback for whoever had forgotten to source ROS."""
    run = run_without('rclpy', NODE, tmp_path)
    assert run.returncode == 1 and 'Traceback' not in run.stderr, run.stderr
    assert run.stderr.startswith('depth_node: rclpy cannot be imported')
    assert 'source a ROS 2 distribution, or pip install "grin_ros[ros]"' in run.stderr


def test_cuda_python_is_not_said_to_come_with_an_extra(tmp_path: Path) -> None:
    """No extra brings it: after `pip install "grin_ros[tensorrt]"` it was missing still."""
    run = run_without('cuda', CUDA, tmp_path)
    assert 'pip install "cuda-python>=13"' in run.stderr and 'grin_ros[' not in run.stderr


BROKEN = {
    'missing_so': "raise OSError('libnvinfer.so.10: cannot open shared object file')",
    'other_abi': "raise RuntimeError('compiled against ABI 1\\nand much more')",
    'other_protobuf': "raise TypeError('Descriptors cannot be created')",
    'half_there': "raise ImportError('cannot import name x')",
    'silent': 'raise ValueError',
}


@pytest.mark.parametrize('name, said', [
    ('missing_so', 'OSError: libnvinfer.so.10: cannot open shared object file'),
    ('other_abi', 'RuntimeError: compiled against ABI 1'),
    ('other_protobuf', 'TypeError: Descriptors cannot be created'),
    ('half_there', 'ImportError: cannot import name x'), ('silent', 'ValueError')])
def test_a_broken_library_is_named_with_its_extra(
        name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f'{name}.py').write_text(BROKEN[name], encoding='utf-8')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GrinError) as error:
        require(name, 'tensorrt')
    text = str(error.value)
    assert text.startswith(f'{name} is installed but cannot be imported ({said}): ')
    assert 'pip install "grin_ros[tensorrt]"' in text and '\n' not in text
    assert problem_of(error.value) == text.partition('): ')[0] + ')'


def test_a_folder_with_the_name_of_a_library_is_none(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'stray_folder').mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GrinError, match=r'stray_folder is a folder without Python code\): '):
        require('stray_folder', 'tensorrt')
    sys.modules.pop('stray_folder')


def test_a_library_whose_own_needs_are_missing_is_repaired_by_its_extra(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'needy.py').write_text('import no_such_need', encoding='utf-8')
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GrinError, match=r"^needy cannot be imported \(No module named 'no_such_"
                                        r"need'\): pip install \"grin_ros\[cpu\]\""):
        require('needy', 'cpu')


@pytest.mark.parametrize('text, problem', [
    ('no device: buy one', 'no device'),
    ('no device (init: error (999)): is there a driver? see: docs', 'no device (init: error '
                                                                    '(999))'),
    ('no device', 'no device'), ('a) odd: text', 'a) odd'), ('at 10:30 it was: so', 'at 10:30 it '
                                                                                    'was')])
def test_a_problem_is_told_from_its_remedy(text: str, problem: str) -> None:
    assert problem_of(GrinError(text)) == problem
