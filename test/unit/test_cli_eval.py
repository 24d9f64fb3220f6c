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

"""The verb eval: rows for all frames, means, and JSON without NaN."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.cli import main
from grin_ros.cli.eval import mount_of
from grin_ros.data.sample import Sample
from grin_ros.postprocess.floor import Mount

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / 'frames'
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ('desk', 'kitti_1', 'empty'):
        depth = np.full((60, 80), np.nan if name == 'empty' else 3.0, np.float32)
        np.savez(folder / f'{name}.npz', depth=depth, source=name,
                 rgb=rng.integers(0, 255, (60, 80, 3)).astype(np.uint8),
                 K=np.array([[70.0, 0, 39.5], [0, 70, 29.5], [0, 0, 1]]))
    return folder


@pytest.mark.parametrize('align', ['none', 'median', 'scale_shift'])
def test_frames_and_groups_are_scored(tiny_bundle: Path, frames: Path, tmp_path: Path, align: str,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / 'scores.json', tmp_path / 'report.png'
    assert main(['eval', '--data', str(frames), '--dataset', 'npz', '--align', align, '--bundle',
                 str(tiny_bundle), '--threads', '1', '--json', str(out), '--report',
                 str(report)]) == 0
    scores = json.loads(out.read_text(encoding='utf-8'))
    rows = {row['name']: row for row in scores['frames']}
    assert set(rows) == {'desk', 'empty', 'kitti_1'} and scores['frames'][-1]['name'] == 'empty'
    assert scores['frames'][0]['abs_rel'] >= scores['frames'][1]['abs_rel']
    assert rows['desk']['n'] == 60 * 80 and rows['empty']['abs_rel'] is None
    assert [row['name'] for row in scores['means']] == [
        'mean driving', 'mean indoor', 'mean all']
    assert scores['means'][-1]['frames'] == 2
    assert [row['name'] for row in scores['by_range']] == ['2-4 m']
    assert scores['by_fov'][0]['frames'] == 2
    assert 0 <= scores['means'][-1]['within_1_sigma'] <= 1
    assert scores['protocol']['crop'] == 'none'
    assert 'mean indoor' in capsys.readouterr().out
    assert report.read_bytes()[1:4] == b'PNG'


def test_figures_without_intrinsics_say_so(tiny_bundle: Path, frames: Path, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    ask = ['eval', '--data', str(frames), '--dataset', 'npz', '--bundle', str(tiny_bundle),
           '--threads', '1', '--json', str(tmp_path / 'eval.json')]
    for options in ([], ['--no-intrinsics']):
        assert main([*ask, *options]) == 0
        scores = json.loads((tmp_path / 'eval.json').read_text(encoding='utf-8'))
        assert scores['no_intrinsics'] is bool(options)
        assert ('without intrinsics' in capsys.readouterr().out) is bool(options)


def test_known_ranges_are_given_to_the_network(
        tiny_bundle: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
        ) -> None:
    ask = ['eval', '--data', str(frames), '--dataset', 'npz', '--bundle', str(tiny_bundle),
           '--threads', '1', '--json', str(tmp_path / 'eval.json')]
    errors = []
    for ranges in ('0', '16'):
        assert main([*ask, '--ranges', ranges]) == 0
        scores = json.loads((tmp_path / 'eval.json').read_text(encoding='utf-8'))
        assert scores['ranges'] == int(ranges)
        errors.append(scores['means'][-1]['abs_rel'])
    assert errors[0] != errors[1] and '16 ranges known' in capsys.readouterr().out
    assert main([*ask, '--ranges', '-3']) == 2
    capsys.readouterr()
    for other in ('--floor', '--no-intrinsics'):
        assert main([*ask, '--ranges', '16', other]) == 2
        assert 'leave out' in capsys.readouterr().err


def test_floor_needs_frames_that_know_how_their_camera_stands(
        tiny_bundle: Path, frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['eval', '--data', str(frames), '--dataset', 'npz', '--floor', '--bundle',
                 str(tiny_bundle), '--threads', '1']) == 2
    assert 'grin scenes' in capsys.readouterr().err
    assert main(['eval', '--data', str(frames), '--dataset', 'npz', '--floor',
                 '--no-intrinsics']) == 2
    assert '--no-intrinsics' in capsys.readouterr().err


def test_mounts_look_down_where_renders_look_up() -> None:
    """The pitch of a rendered frame is upwards, that of a mount downwards (REP-103)."""
    meta = {'height_m': 1.2, 'pitch_deg': -30.0}
    sample = Sample(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32),
                    Camera.from_hfov(60, 8, 8), meta)
    assert mount_of(sample) == Mount(1.2, 30.0)


def test_the_command_line_changes_the_protocol(tiny_bundle: Path, frames: Path, tmp_path: Path,
                                               ) -> None:
    out = tmp_path / 'scores.json'
    assert main(['eval', '--data', str(frames), '--dataset', 'npz', '--bundle', str(tiny_bundle),
                 '--threads', '1', '--frames', '1', '--crop', 'garg', '--max-depth', '2.5',
                 '--json', str(out)]) == 2
    assert main(['eval', '--data', str(frames), '--dataset', 'npz', '--bundle', str(tiny_bundle),
                 '--threads', '1', '--frames', '1', '--crop', 'garg', '--clamp',
                 '--json', str(out)]) == 0
    scores = json.loads(out.read_text(encoding='utf-8'))
    assert scores['protocol']['clamp'] and scores['protocol']['crop'] == 'garg'
    assert len(scores['frames']) == 1 and 0 < scores['frames'][0]['n'] < 60 * 80


def test_a_folder_without_frames_is_refused(tiny_bundle: Path, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['eval', '--data', str(tmp_path), '--dataset', 'npz',
                 '--bundle', str(tiny_bundle)]) == 2
    assert 'there are no frames in' in capsys.readouterr().err


def test_what_cannot_be_written_is_refused_before_the_work(
        tiny_bundle: Path, frames: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (('--report', tmp_path / 'no' / 'report.png'), ('--json', tmp_path),
                          ('--report-frames', 0)):
        assert main(['eval', '--data', str(frames), '--dataset', 'npz', option, str(value),
                     '--bundle', str(tiny_bundle), '--threads', '1']) == 2
        out, err = capsys.readouterr()
        assert option in err and 'abs_rel' not in out
