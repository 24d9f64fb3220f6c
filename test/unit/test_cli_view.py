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
"""The verb view: a cloud that turns, in a film or a window."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.cli import main
from grin_ros.cli.view import FILM_VIEWS, HEIGHT, scene
from grin_ros.visualise import cloud_view

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')


def view(tiny_bundle: Path, folder: Path, *arguments: str) -> int:
    picture = np.full((48, 64, 3), (140, 200, 220), np.uint8)
    cv2.imwrite(str(folder / 'photo.png'), picture)
    return main(['view', str(folder / 'photo.png'), '--hfov', '70', '--bundle', str(tiny_bundle),
                 '--threads', '1', *arguments])


def test_the_film_turns_the_cloud(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / 'cloud.mp4'
    assert view(tiny_bundle, tmp_path, '--save', str(out)) == 0
    capture, seen = cv2.VideoCapture(str(out)), []
    while (read := capture.read())[0]:
        seen.append(read[1])
    assert len(seen) == FILM_VIEWS and seen[0].shape[0] == HEIGHT
    left = seen[0].shape[1] - 2 * HEIGHT  # photo and depth stand still beside it
    # A film blurs a little: what is drawn elsewhere changes by more.
    changed = np.abs(seen[0].astype(int) - seen[FILM_VIEWS // 4]).max(-1) > 80
    assert changed[:, left:].sum() > 10 * max(1, changed[:, :left].sum())


def test_near_things_move_against_far_ones() -> None:
    """From one side they lie apart, from the other they lie closer together."""
    camera = Camera.from_hfov(70, 64, 48)
    image = np.full((48, 64, 3), (200, 0, 0), np.uint8)
    image[:, 32:] = (0, 0, 200)
    depth = np.where(np.arange(64) < 32, 2.0, 3.0) * np.ones((48, 1))
    draw = scene(image, camera, depth.astype(np.float32))

    def middle(picture: np.ndarray, channel: int) -> float:
        cloud = picture[:, -2 * HEIGHT:]
        return float(np.nonzero(cloud[..., channel] > 150)[1].mean())

    gaps = [middle(each, 2) - middle(each, 0) for each in (draw(-40, 0), draw(0, 0), draw(40, 0))]
    assert gaps[1] > 0 and abs(gaps[2] - gaps[0]) > 50


def test_a_photo_of_a_few_columns_has_a_view() -> None:
    draw = scene(np.zeros((8000, 8, 3), np.uint8), Camera.from_hfov(1, 8, 8000),
                 np.ones((8000, 8), np.float32))
    assert draw(0, 0).shape == (HEIGHT, 1 + 2 * HEIGHT, 3)


def test_problems_of_the_user_end_with_one_sentence(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert view(tiny_bundle, tmp_path, '--save', str(tmp_path / 'no' / 'cloud.mp4')) == 2
    assert 'cannot be written' in capsys.readouterr().err
    assert view(tiny_bundle, tmp_path, '--save', str(tmp_path / 'photo.png')) == 2
    assert '.mp4' in capsys.readouterr().err
    assert cv2.imread(str(tmp_path / 'photo.png')).shape == (48, 64, 3)  # still there


def test_figures_are_not_offered(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        view(tiny_bundle, tmp_path, '--json', str(tmp_path / 'figures.json'))


def test_an_earlier_film_is_replaced_only_by_a_whole_one(
        tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, drawn = tmp_path / 'cloud.mp4', 0
    out.write_text('another film')

    def until_ctrl_c(*arguments: object) -> np.ndarray:
        nonlocal drawn
        drawn += 1
        if drawn > 3:
            raise KeyboardInterrupt
        return cloud_view(*arguments)
    monkeypatch.setattr('grin_ros.cli.view.cloud_view', until_ctrl_c)
    assert view(tiny_bundle, tmp_path, '--save', str(out)) == 130
    assert out.read_text() == 'another film'


def test_an_opencv_without_windows_is_named(tiny_bundle: Path, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    if 'GUI:                           NONE' not in cv2.getBuildInformation():
        pytest.skip('this OpenCV opens windows, and nobody is here to close one')
    assert view(tiny_bundle, tmp_path) == 2
    assert '--save' in capsys.readouterr().err
