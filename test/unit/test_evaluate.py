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

from collections.abc import Callable

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.estimator import DepthEstimate
from grin_ros.evaluation.evaluate import mean_rows, score, Scored, true_depth
from grin_ros.evaluation.protocol import Protocol

CAMERA = Camera.from_hfov(70, 32, 24)


def sample(depth_m: float, **meta: str) -> Sample:
    range_m = (depth_m / CAMERA.rays()[..., 2]).astype(np.float32)
    range_m[0, 0], range_m[0, 1] = np.nan, np.inf
    return Sample(np.zeros((24, 32, 3), np.uint8), range_m, CAMERA, meta)


def times(factor: float, sigma: float = 0.1) -> Callable[[Sample], DepthEstimate]:
    def estimate(sample: Sample) -> DepthEstimate:
        depth = factor * true_depth(sample)
        return DepthEstimate(depth, depth, lambda: np.zeros_like(depth), sigma, True,
                             {'total': 1.0})
    return estimate


double = times(2)


def test_rows_and_means() -> None:
    rows = score(double, [sample(2, name='a', kind='indoor'), sample(4, name='b', kind='indoor'),
                          sample(30, name='c', kind='driving')])
    assert {row['name'] for row in rows} == {'a', 'b', 'c'}
    assert [row['n'] for row in rows] == [24 * 32 - 2] * 3
    means = {row['name']: row for row in mean_rows(rows)}
    assert set(means) == {'mean indoor', 'mean driving', 'mean all'}
    assert means['mean indoor']['abs_rel'] == pytest.approx(1.0, rel=1e-4)
    assert means['mean indoor']['rmse'] == pytest.approx(3.0, rel=1e-4)
    assert means['mean all']['frames'] == 3 and means['mean all']['scale'] == pytest.approx(2)


def test_the_worst_frame_comes_first_and_one_without_truth_last() -> None:
    frames = [sample(300, name='empty'), sample(2, name='good'), sample(3, name='bad')]
    factors = {'empty': 9.0, 'good': 1.0, 'bad': 2.0}
    rows = score(lambda each: times(factors[each.meta['name']])(each), frames)
    assert [row['name'] for row in rows] == ['bad', 'good', 'empty']


def test_rendered_frames_are_called_by_what_renders_them_again() -> None:
    (row,) = score(double, [sample(2, kind='room', seed='7', index='3')])
    assert row['name'] == 'room_7_3'


def test_truth_beyond_the_limit_of_its_kind_is_not_scored() -> None:
    far = sample(30, name='far', kind='indoor')
    assert score(double, [far])[0]['n'] == 0
    assert score(double, [far], Protocol(max_depth=40))[0]['n'] > 0
    assert mean_rows(score(double, [far])) == []


def test_alignment_reaches_the_metrics() -> None:
    (row,) = score(double, [sample(2)], alignment='median')
    assert row['abs_rel'] == pytest.approx(0)
    assert row['within_1_sigma'] == 1


def test_clamping_reaches_the_metrics() -> None:
    clamped = Protocol(max_depth=30, clamp=True)
    assert score(double, [sample(30)], clamped)[0]['abs_rel'] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize('sigma, share', [(0.4, 0), (0.6, 1)])
def test_sigma_is_a_share_of_the_answer(sigma: float, share: float) -> None:
    (row,) = score(times(2, sigma), [sample(2)])  # truth lies half the answer away
    assert row['within_1_sigma'] == share and row['within_2_sigma'] == 1


def box(unknown: float = 0) -> Sample:
    depth = np.full((24, 32), 4, np.float32)
    depth[8:16, 10:20] = 1
    depth[:round(24 * unknown)] = np.nan
    return Sample(np.zeros((24, 32, 3), np.uint8), depth / CAMERA.rays()[..., 2], CAMERA)


def test_edges_are_scored_where_truth_is_dense() -> None:
    def grid(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        return 1.5 * true_depth(sample), 3 * true_depth(sample)
    (row,) = score(times(1.25), [box()], grid=grid)
    assert row['edge_abs_rel'] == pytest.approx(0.25, rel=1e-4) and row['flying'] == 0
    assert row['edge_abs_rel_grid'] == pytest.approx(0.5, rel=1e-4)
    assert row['edge_abs_rel_linear'] == pytest.approx(2, rel=1e-4)
    assert row['edge_ratio'] == pytest.approx(0.5, rel=1e-4)
    for sparse, protocol in ((box(0.25), Protocol()), (box(), Protocol(edges=False))):
        assert np.isnan(score(double, [sparse], protocol)[0]['edge_abs_rel'])


def test_means_leave_out_what_a_frame_lacks() -> None:
    (mean,) = mean_rows(score(times(1.25), [box(), sample(2)]))
    assert mean['frames'] == 2 and mean['edge_abs_rel'] == pytest.approx(0.25, rel=1e-4)


def test_a_watcher_sees_what_was_scored() -> None:
    seen: list[Scored] = []
    score(double, [sample(2)], alignment='median', watch=seen.append)
    (scored,) = seen
    assert np.nanmedian(scored.answer) == pytest.approx(4, rel=1e-4)
    assert np.nanmax(np.abs(scored.depth - 2)) < 1e-4 and np.isnan(scored.depth[0, 1])
    kind, error, doubt = scored.errors()
    assert kind == scored.row['kind'] and error.shape == doubt.shape == (scored.row['n'],)
    assert error.mean() == pytest.approx(scored.row['abs_rel'])
