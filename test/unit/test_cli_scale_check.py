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


"""The verb scale-check: its factor makes estimates agree with what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from grin_ros.cli import main

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
PIXELS = ((10, 10), (40, 50), (70, 30))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / 'photo.png'), image)
    return tmp_path / 'photo.png'


def check(tiny_bundle: Path, photo: Path, out: Path, *metres: float) -> dict:
    points = [text for (u, v), far in zip(PIXELS, metres)
              for text in ('--at', str(u), str(v), str(far))]
    assert main(['scale-check', str(photo), '--hfov', '70', *points, '--bundle', str(tiny_bundle),
                 '--threads', '1', '--json', str(out)]) == 0
    return json.loads(out.read_text())


def test_the_factor_is_that_between_measured_and_estimated(
        tiny_bundle: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
        ) -> None:
    first = check(tiny_bundle, photo, tmp_path / 'a.json', 1.0, 1.0, 1.0)
    wrong = check(tiny_bundle, photo, tmp_path / 'b.json',
                  *(2.5 * far for far in first['range_m'][:2]), 9 * first['range_m'][2])
    assert wrong['depth_scale'] == pytest.approx(2.5, rel=1e-4)  # one outlier does not matter
    assert 'depth_scale: 2.500' in capsys.readouterr().out


@pytest.mark.parametrize('point', [('90', '10', '1'), ('10', '10', '-1'), ('nan', '10', '1'),
                                   ('10', '10', 'nan'), ('10', '10', 'inf')])
def test_a_point_that_cannot_be_is_refused(tiny_bundle: Path, photo: Path, point: tuple,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['scale-check', str(photo), '--hfov', '70', '--at', *point,
                 '--bundle', str(tiny_bundle)]) == 2
    assert '80x60' in capsys.readouterr().err
