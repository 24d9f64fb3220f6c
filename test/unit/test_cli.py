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

"""The program grin: what goes wrong outside of it ends with one line, or quietly."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

from grin_ros.cli import main

ROOT = Path(__file__).parents[2]
CAMERA = '{width: 64, height: 48, k: [50, 0, 32, 0, 50, 24, 0, 0, 1]}'


def grin(*words: object, **output: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, '-m', 'grin_ros', *map(str, words)], cwd=ROOT,
                          stderr=subprocess.PIPE, text=True, **output)


def costmap(folder: Path, **output: object) -> subprocess.CompletedProcess[str]:
    (folder / 'camera.yaml').write_text(CAMERA)
    return grin('costmap', '--camera-info', folder / 'camera.yaml', **output)


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    command = subprocess.Popen(['true'], stdin=subprocess.PIPE)
    command.wait()
    with command.stdin as pipe:
        run = costmap(tmp_path, stdout=pipe)
    assert (run.returncode, run.stderr) == (141, '')


def test_names_that_the_terminal_cannot_say_are_printed_all_the_same(tmp_path: Path) -> None:
    run = grin('engine', 'info', '--cache', tmp_path / 'grün', stdout=subprocess.PIPE,
               env={**os.environ, 'PYTHONIOENCODING': 'ascii'})
    assert run.returncode == 0 and run.stdout.endswith(r'gr\xfcn' + '\n')


def test_what_memory_cannot_hold_is_one_line(tiny_bundle: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['bench', '--image-size', '10000000', '10000000',
                 '--bundle', str(tiny_bundle)]) == 2
    assert 'give smaller images' in capsys.readouterr().err


@pytest.mark.parametrize('option', [('--rate', '0'), ('--rate', 'nan'), ('--repeat', '0')])
def test_a_demo_that_shows_nothing_is_refused(option: tuple[str, str],
                                              capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['demo', *option]) == 2
    assert option[0] in capsys.readouterr().err


@pytest.mark.parametrize('minutes', ['nan', '0', '-5'])
def test_a_training_that_would_never_end_is_refused(minutes: str,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['train', '--config', 'none.yaml', f'--minutes={minutes}']) == 2
    assert f'--minutes {minutes}' in capsys.readouterr().err


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='this system has no /dev/full')
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with open('/dev/full', 'w') as full:
        run = costmap(tmp_path, stdout=full)
    assert run.returncode == 2 and run.stderr.count('\n') == 1
    assert run.stderr.startswith('grin costmap: ') and 'No space left' in run.stderr


@pytest.mark.parametrize('option, message', [
    (('--input-size', '16', '16'), 'give at least 32 32'),
    (('--fov-range', '110', '25'), 'give the least and the largest'),
    (('--fov-range', 'nan', '25'), 'give the least and the largest'),
    (('--provenance', 'novalue'), 'write KEY=VALUE'), (('--provenance', '=x'), 'write KEY=VALUE')])
def test_export_refuses_options_before_the_work(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple, message: str) -> None:
    """Even before it looks for the checkpoint, which is not there."""
    assert main(['export', str(tmp_path / 'no.safetensors'), '--output', str(tmp_path / 'bundle'),
                 *option]) == 2
    said = capsys.readouterr().err
    assert f'{option[0]} {option[1]}' in said and message in said
    assert not (tmp_path / 'bundle').exists()


def test_a_place_that_cannot_be_written_is_one_line(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'file').touch()
    (tmp_path / 'data').mkdir()
    assert main(['shards', '--data', str(tmp_path / 'data'), '--dataset', 'folder', '--out',
                 str(tmp_path / 'file' / 'shards')]) == 2
    said = capsys.readouterr().err
    assert said.startswith('grin shards: ') and said.count('\n') == 1
