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

"""Evaluate: every frame a row, groups have means, limits of truth hold."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.estimator import DepthEstimate
from grin_ros.evaluate import mean_rows, score, table, true_depth

CAMERA = Camera.from_hfov(70, 32, 24)


def sample(depth_m: float, **meta: str) -> Sample:
    range_m = (depth_m / CAMERA.rays()[..., 2]).astype(np.float32)
    range_m[0, 0], range_m[0, 1] = np.nan, np.inf
    return Sample(np.zeros((24, 32, 3), np.uint8), range_m, CAMERA, meta)


def double(sample: Sample) -> DepthEstimate:
    depth = 2 * true_depth(sample)
    return DepthEstimate(depth, depth, lambda: depth, True, {'total': 1.0})


def test_rows_and_means() -> None:
    rows = score(double, [sample(2, name='a', kind='indoor'), sample(4, name='b', kind='indoor'),
                          sample(30, name='c', kind='driving')])
    assert [row['name'] for row in rows] == ['a', 'b', 'c']
    assert [row['n'] for row in rows] == [24 * 32 - 2] * 3
    means = {row['name']: row for row in mean_rows(rows)}
    assert set(means) == {'mean indoor', 'mean driving', 'mean all'}
    assert means['mean indoor']['abs_rel'] == pytest.approx(1.0, rel=1e-4)
    assert means['mean indoor']['rmse'] == pytest.approx(3.0, rel=1e-4)
    assert means['mean all']['frames'] == 3
    assert len(table([*rows, *means.values()]).splitlines()) == 7


def test_truth_beyond_the_limit_of_its_kind_is_not_scored() -> None:
    far = sample(30, name='far', kind='indoor')
    assert score(double, [far])[0]['n'] == 0
    assert score(double, [far], max_depth=40)[0]['n'] > 0
    assert mean_rows(score(double, [far])) == []


def test_alignment_reaches_the_metrics() -> None:
    assert score(double, [sample(2)], alignment='median')[0]['abs_rel'] == pytest.approx(0)
