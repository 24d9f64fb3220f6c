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

"""Metrics: hand-computed values, and no answer that escapes the score."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.errors import GrinError
from grin_ros.metrics import depth_metrics

TRUTH = np.array([[1.0, 2.0, 4.0], [np.nan, 0.0, np.inf]])


def test_a_perfect_answer_scores_zero_and_one() -> None:
    scores = depth_metrics(TRUTH, TRUTH)
    assert scores['n'] == 3 and scores['coverage'] == 1
    for name in ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'silog', 'log10'):
        assert scores[name] == 0
    assert scores['delta1'] == scores['delta2'] == scores['delta3'] == 1


def test_values_by_hand() -> None:
    scores = depth_metrics(np.array([2.0, 3.0]), np.array([1.0, 3.0]))
    assert scores['abs_rel'] == 0.5 and scores['sq_rel'] == 0.5
    assert scores['rmse'] == pytest.approx(np.sqrt(0.5))
    assert scores['rmse_log'] == pytest.approx(np.log(2) / np.sqrt(2))
    assert scores['silog'] == pytest.approx(100 * np.log(2) / 2)
    assert scores['log10'] == pytest.approx(np.log10(2) / 2)
    assert [scores[f'delta{i}'] for i in (1, 2, 3)] == [0.5, 0.5, 0.5]


def test_no_answer_counts_as_a_wrong_one() -> None:
    pred = np.array([1.0, np.inf, np.nan, -np.inf, 0.0])
    scores = depth_metrics(pred, np.full(5, 1.0))
    assert scores['n'] == 5 and scores['coverage'] == 0.4  # 1.0 and 0.0 are finite
    assert scores['abs_rel'] == pytest.approx((199 + 3 * 0.95) / 5)


@pytest.mark.parametrize('mode, pred', [
    ('median', np.array([1.0, 2, 3, 4]) * 3.7),
    ('scale_shift', 1 / (0.3 / np.array([1.0, 2, 3, 4]) + 0.02))])
def test_alignment_takes_out_just_what_it_says(mode: str, pred: np.ndarray) -> None:
    truth = np.array([1.0, 2, 3, 4])
    assert depth_metrics(pred, truth, alignment=mode)['abs_rel'] == pytest.approx(0, abs=1e-6)
    assert depth_metrics(pred, truth)['abs_rel'] > 0.1


def test_silog_ignores_scale() -> None:
    assert depth_metrics(TRUTH * 3, TRUTH)['silog'] == pytest.approx(0, abs=1e-5)


def test_a_frame_without_truth_has_no_score() -> None:
    scores = depth_metrics(np.ones(3), np.full(3, np.nan))
    assert scores['n'] == 0 and np.isnan(scores['abs_rel'])


def test_an_unknown_alignment_is_refused() -> None:
    with pytest.raises(GrinError, match='none, median, scale_shift'):
        depth_metrics(np.ones(3), np.ones(3), alignment='scale')


def test_answers_are_clamped_after_the_alignment() -> None:
    truth, pred = np.array([1.0, 2.0, 80.0]), np.array([0.5, 1.0, 400.0])
    assert depth_metrics(pred, truth, clamp=(1e-3, 80))['abs_rel'] == pytest.approx(1 / 3)
    aligned = depth_metrics(pred, truth, alignment='median', clamp=(1e-3, 80))
    assert aligned['abs_rel'] == 0


def test_figures_agree_with_scikit_learn() -> None:
    metrics = pytest.importorskip('sklearn.metrics', reason='scikit-learn is not installed')
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.5, 60, 2000)
    pred = truth * np.exp(0.3 * rng.standard_normal(2000))
    scores = depth_metrics(pred, truth)
    assert scores['abs_rel'] == pytest.approx(metrics.mean_absolute_percentage_error(truth, pred))
    assert scores['rmse'] == pytest.approx(metrics.root_mean_squared_error(truth, pred))
    logs = np.log(truth), np.log(pred)
    assert scores['rmse_log'] == pytest.approx(metrics.root_mean_squared_error(*logs))
    assert scores['log10'] == pytest.approx(
        metrics.mean_absolute_error(np.log10(truth), np.log10(pred)))
    assert scores['silog'] == pytest.approx(100 * np.sqrt(
        metrics.mean_squared_error(*logs) - np.mean(logs[1] - logs[0]) ** 2))
    assert scores['delta1'] == pytest.approx(metrics.accuracy_score(
        np.ones(2000), np.maximum(pred / truth, truth / pred) < 1.25))
