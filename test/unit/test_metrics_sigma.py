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

"""Sigma metrics: coverage of known distributions, and AUSE by a second formula."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.metrics.sigma import ause, POOLED, PooledRisk, risk_curve, sigma_metrics

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(1, 10, 20_000)


def test_a_true_sigma_covers_what_a_normal_distribution_does() -> None:
    relative = RNG.uniform(0.01, 0.1, TRUTH.size)
    depth = TRUTH / (1 + relative * RNG.standard_normal(TRUTH.size))
    figures = sigma_metrics(depth, TRUTH, relative)
    assert figures['within_1_sigma'] == pytest.approx(0.683, abs=0.01)
    assert figures['within_2_sigma'] == pytest.approx(0.954, abs=0.01)
    assert figures['abs_rel_kept_70'] < 0.8 * np.mean(np.abs(depth - TRUTH) / TRUTH)


def test_an_answer_that_is_none_is_never_within_sigma() -> None:
    one = np.ones(4)
    figures = sigma_metrics(one, one, np.array([1, 1, np.nan, np.inf]),
                            np.array([True, False, True, True]))
    assert figures['within_1_sigma'] == 0.25


def test_the_most_doubtful_pixels_go_first() -> None:
    truth = np.ones(10)
    depth = 1 + np.arange(10) / 10
    assert sigma_metrics(depth, truth, depth)['abs_rel_kept_70'] == pytest.approx(0.3)
    assert sigma_metrics(depth, truth, -depth)['abs_rel_kept_70'] == pytest.approx(0.6)
    unknown = np.where(depth > 1.65, np.nan, 0.1)
    assert sigma_metrics(depth, truth, unknown)['abs_rel_kept_70'] == pytest.approx(0.3)


def test_sigma_in_metres_drops_what_is_far() -> None:
    truth = np.arange(1.0, 11)
    depth = truth * np.where(truth > 7, 2, 1.1)
    figures = sigma_metrics(depth, truth, np.where(truth > 7, 0.1, 0.11))
    assert figures['abs_rel_kept_70_m'] == pytest.approx(0.1)
    assert figures['abs_rel_kept_70'] > 0.4


def test_ause_is_zero_for_the_oracle_and_largest_for_its_reverse() -> None:
    error = RNG.exponential(0.1, 500)
    assert ause(error, error) == 0
    shuffled = ause(error, RNG.permutation(error))
    assert 0 < shuffled < ause(error, -error)


def test_ause_agrees_with_dropping_pixels_in_a_hundred_bins() -> None:
    error = RNG.exponential(0.1, TRUTH.size)
    doubt = error * np.exp(0.7 * RNG.standard_normal(error.size))

    def remaining(key: np.ndarray, dropped: float) -> float:
        kept = key <= np.quantile(key, 1 - dropped)
        return float(error[kept].mean())

    drops = (np.arange(100) + 0.5) / 100
    area = np.mean([remaining(doubt, drop) - remaining(error, drop) for drop in drops])
    assert ause(error, doubt) == pytest.approx(area, rel=0.02)


def test_the_risk_of_all_pixels_is_their_mean() -> None:
    error = RNG.random(50)
    assert risk_curve(error, RNG.random(50))[-1] == pytest.approx(error.mean())


def test_no_pixels_no_figures() -> None:
    assert np.isnan(list(sigma_metrics(np.zeros(0), np.zeros(0), np.zeros(0)).values())).all()


def test_one_bound_for_all_frames_drops_a_frame_that_knows_it_is_wrong() -> None:
    risk = PooledRisk()
    for kind, error, doubt in (('room', 0.1, 0.2), ('room', 0.1, 0.2), ('room', 0.3, 0.2),
                               ('table', 1.5, 0.9)):
        risk.add(kind, np.full(10, error), np.full(10, doubt))
    assert risk.kept() == pytest.approx(0.5 / 3, rel=0.1)
    assert risk.kept('room') == pytest.approx((20 * 0.1 + 0.3) / 21)  # ties: as they came
    assert risk.kept('table') == pytest.approx(1.5)
    assert np.isnan(risk.kept('street'))


def test_frames_weigh_alike_however_many_pixels_they_have() -> None:
    risk = PooledRisk()
    risk.add('a', np.full(3 * POOLED, 0.1), np.full(3 * POOLED, 0.1))
    risk.add('a', np.full(100, 0.8), np.linspace(0.2, 0.3, 100))
    risk.add('a', np.zeros(0), np.zeros(0))
    assert risk.kept() == pytest.approx((0.5 * 0.1 + 0.2 * 0.8) / 0.7, rel=1e-3)


def test_of_one_frame_it_is_what_that_frame_keeps() -> None:
    truth = RNG.uniform(1, 10, POOLED)
    depth, sigma = truth * RNG.uniform(0.7, 1.4, POOLED), RNG.random(POOLED)
    sigma[:100] = np.nan
    risk = PooledRisk()
    risk.add('a', np.abs(depth - truth) / truth, sigma)
    expected = sigma_metrics(depth, truth, sigma)['abs_rel_kept_70']
    assert risk.kept() == pytest.approx(expected, rel=1e-9)
