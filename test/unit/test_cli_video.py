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


"""The verb video: as many pictures as there were, and each beside its own depth."""

from __future__ import annotations

import json
from pathlib import Path
import struct

import cv2
import numpy as np
import pytest

from grin_ros.cli import main
from grin_ros.cli.films import Film
from grin_ros.estimator import DepthEstimator

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')

LEVEL, TURNED = (struct.pack('>9i', *matrix) for matrix in (
    (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Film a wall that gets brighter, 6 pictures of 96x64."""
    path = tmp_path / 'film.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no mp4')
    for level in range(6):
        writer.write(np.full((64, 96, 3), 40 * level, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize('every, count', [(1, 6), (4, 2)])
def test_the_film_has_its_pictures_and_depth(tiny_bundle: Path, film: Path, tmp_path: Path,
                                             every: int, count: int) -> None:
    out, figures = tmp_path / 'out.mp4', tmp_path / 'figures.json'
    assert main(['video', str(film), str(out), '--hfov', '70', '--every', str(every),
                 '--bundle', str(tiny_bundle), '--threads', '1', '--json', str(figures)]) == 0
    assert json.loads(figures.read_text())['pictures'] == count
    capture, seen = cv2.VideoCapture(str(out)), []
    while (read := capture.read())[0]:
        seen.append(read[1])
    assert len(seen) == count and seen[0].shape == (64, 96 * 2 + 64, 3)
    levels = [int(picture[:, :80].mean()) for picture in seen]
    assert np.abs(np.array(levels) - 40 * every * np.arange(count)).max() < 12
    assert seen[0][:, 104:184].std() > 0  # coloured depth, not a picture of one grey


def test_a_film_is_turned_as_it_says_unless_intrinsics_are_those_of_the_sensor(
        tiny_bundle: Path, film: Path, tmp_path: Path) -> None:
    """As of a phone held upright: the sensor's pictures, and a matrix that turns them."""
    data, out = film.read_bytes(), tmp_path / 'out.mp4'
    track = data.index(b'tkhd')
    film.write_bytes(data[:track] + data[track:].replace(LEVEL, TURNED, 1))
    for camera, (width, height) in (
            (('--hfov', '60'), (64, 96)), (('--no-intrinsics',), (64, 96)),
            (('--intrinsics', '70', '70', '47.5', '31.5'), (96, 64))):
        assert main(['video', str(film), str(out), *camera, '--every', '6', '--bundle',
                     str(tiny_bundle), '--threads', '1']) == 0
        made = Film(out)
        assert (made.width, made.height) == (2 * width + 64, height)


def test_problems_of_the_user_end_with_one_sentence(
        tiny_bundle: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / 'notes.txt'
    notes.write_text('no film')
    out = str(tmp_path / 'out.mp4')
    for arguments, words in (([str(notes), out], 'no video that'),
                             ([str(film), str(tmp_path / 'no' / 'out.mp4')], 'cannot be written'),
                             ([str(film), str(film)], 'is the film itself'),
                             ([str(tmp_path / 'none.mp4'), str(film)], 'no video that'),
                             ([str(film), out, '--rectified'], '--rectified goes with'),
                             ([str(film), out, '--near', '9', '--far', '3'], '--near must be'),
                             ([str(film), out, '--far', 'inf'], '--near must be')):
        assert main(['video', *arguments, '--hfov', '70', '--bundle', str(tiny_bundle)]) == 2
        assert words in capsys.readouterr().err


def test_a_lens_unlike_those_of_training_is_named(tiny_bundle: Path, film: Path, tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['video', str(film), str(tmp_path / 'out.mp4'), '--hfov', '150', '--every', '6',
                 '--bundle', str(tiny_bundle), '--threads', '1']) == 0
    assert 'film.mp4: the field of view across is 150 deg' in capsys.readouterr().err


def test_a_floor_that_is_not_seen_is_named(tiny_bundle: Path, film: Path, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    medians = []
    for extra in ((), ('--camera-height', '50')):
        figures = tmp_path / 'figures.json'
        assert main(['video', str(film), str(tmp_path / 'out.mp4'), '--hfov', '70', *extra,
                     '--bundle', str(tiny_bundle), '--threads', '1', '--json',
                     str(figures)]) == 0
        medians.append(json.loads(figures.read_text())['depth_median_m'])
        assert ('no floor was seen' in capsys.readouterr().out) is bool(extra)
    assert medians[0] == medians[1]


def test_a_film_is_replaced_only_by_a_whole_one(
        tiny_bundle: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'out.mp4'
    out.write_text('another film')
    assert main(['video', str(film), str(out), '--hfov', '70', '--steps', '99', '--bundle',
                 str(tiny_bundle), '--threads', '1']) == 2
    assert 'steps' in capsys.readouterr().err
    assert out.read_text() == 'another film'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['film.mp4', 'out.mp4']
    assert main(['video', str(film), str(tmp_path), '--hfov', '70']) == 2
    assert 'OUT.mp4' in capsys.readouterr().err


def test_nothing_filmed_replaces_nothing(
        tiny_bundle: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / 'out.mp4'
    out.write_text('another film')

    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt
    monkeypatch.setattr(DepthEstimator, 'estimate', ctrl_c)
    assert main(['video', str(film), str(out), '--hfov', '70', '--bundle', str(tiny_bundle),
                 '--threads', '1']) == 130
    assert out.read_text() == 'another film'


def test_what_was_filmed_before_the_end_is_kept(
        tiny_bundle: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, estimate, count = tmp_path / 'out.mp4', DepthEstimator.estimate, 0

    def until_ctrl_c(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count > 2:
            raise KeyboardInterrupt
        return estimate(*arguments)
    monkeypatch.setattr(DepthEstimator, 'estimate', until_ctrl_c)
    assert main(['video', str(film), str(out), '--hfov', '70', '--bundle', str(tiny_bundle),
                 '--threads', '1']) == 130
    assert cv2.VideoCapture(str(out)).get(cv2.CAP_PROP_FRAME_COUNT) == 2


def test_the_scale_of_a_film_does_not_flicker(tiny_bundle: Path, tmp_path: Path) -> None:
    """Of one picture with the noise of a camera, whose depth differs from picture to picture."""
    path, figures = tmp_path / 'noisy.mp4', tmp_path / 'figures.json'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 30, (96, 64))
    if not writer.isOpened():
        pytest.skip('this OpenCV writes no mp4')
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.integers(0, 256, (8, 12, 3), np.uint8), (96, 64))
    for _ in range(24):
        light = rng.uniform(0.9, 1.1)
        writer.write(np.clip(picture * light, 0, 255).astype(np.uint8))
    writer.release()

    def flicker(*options: str) -> float:
        assert main(['video', str(path), str(tmp_path / 'out.mp4'), '--hfov', '70', '--bundle',
                     str(tiny_bundle), '--threads', '1', '--json', str(figures), *options]) == 0
        medians = json.loads(figures.read_text())['depth_median_m']
        return float(np.std(np.diff(np.log(medians))))

    assert 0 < flicker() < 0.7 * flicker('--scale-smoothing', '0')
    assert main(['video', str(path), str(tmp_path / 'out.mp4'), '--hfov', '70',
                 '--scale-smoothing', '-1']) == 2
