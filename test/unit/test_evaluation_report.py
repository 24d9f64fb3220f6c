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

"""Evaluation report: the worst frames stay, whatever their size, and the file is a PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate
from grin_ros.evaluation.evaluate import mean_rows, score, Scored, true_depth
from grin_ros.evaluation.protocol import Protocol
from grin_ros.evaluation.report import frame_picture, HEIGHT, WorstFrames
from grin_ros.visualise import NO_ANSWER


def run(factors: list[float], size: tuple[int, int] = (64, 48), known: float = 1.0,
        ) -> tuple[list[Scored], list[dict]]:
    """Score frames whose answers are wrong by the factors."""
    camera, rng = Camera.from_hfov(70, *size), np.random.default_rng(0)

    def frame(factor: float) -> Sample:
        depth = rng.uniform(1, 5, size[::-1])
        depth[rng.random(depth.shape) > known] = np.nan
        return Sample(np.full((*size[::-1], 3), 128, np.uint8),
                      (depth / camera.rays()[..., 2]).astype(np.float32), camera,
                      {'factor': factor, 'kind': 'indoor', 'name': f'times {factor}'})

    def estimate(sample: Sample) -> DepthEstimate:
        depth = sample.meta['factor'] * true_depth(sample)
        return DepthEstimate(depth, depth, lambda: np.zeros_like(depth), 0.1, True, {'total': 1.0})

    seen: list[Scored] = []
    rows = score(estimate, map(frame, factors), Protocol(edges=False), watch=seen.append)
    return seen, mean_rows(rows)


def test_the_sheet_holds_the_worst(tmp_path: Path) -> None:
    path = tmp_path / 'report.png'
    heights = []
    for count in (1, 2, 9):
        worst = WorstFrames(count)
        seen, means = run([1.1, 3.0, 2.0])
        for scored in seen:
            worst.add(scored)
        worst.write(path, 'title\nand more', means)
        sheet = cv2.imread(str(path))
        heights.append(sheet.shape[0])
        assert [row[0] for row in worst._rows] == pytest.approx([-2, -1, -0.1][:count], rel=1e-3)
    assert heights[1] - heights[0] == heights[2] - heights[1] == HEIGHT + 2


@pytest.mark.parametrize('size', [(64, 48), (1242, 375), (48, 200)])
def test_pictures_have_one_height(size: tuple[int, int]) -> None:
    (scored,), _ = run([1.5], size)
    assert frame_picture(scored).shape[0] == HEIGHT


def test_sparse_truth_can_be_seen() -> None:
    (scored,), _ = run([1.5], (1242, 375), known=0.02)
    picture = frame_picture(scored)
    error = picture[20:100, -400:]  # the last one
    assert np.mean((error != NO_ANSWER).any(-1)) > 0.2


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(GrinError, match='nowhere'):
        WorstFrames().write(tmp_path / 'nowhere' / 'report.png', 'title', [])
