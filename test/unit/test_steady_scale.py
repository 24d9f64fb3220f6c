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

"""Tests of the steady scale: it flickers less, follows, and lets go where it should."""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
import pytest

from grin_ros.camera import Camera
from grin_ros.estimator import DepthEstimate
from grin_ros.messages.intake import Frame
from grin_ros.messages.ranges import NUM_RANGES
from grin_ros.params import DepthParams
from grin_ros.postprocess.carried_scale import LIMIT
from grin_ros.postprocess.result import Results
from grin_ros.postprocess.steady_scale import SteadyScale

CAMERA = Camera.from_hfov(80, 160, 120)
SECOND = 1_000_000_000  # [ns]
SHAPE = np.random.default_rng(3).uniform(1, 4, (120, 160)).astype(np.float32)


def after(steady: SteadyScale, depth: NDArray[np.float32], moment_s: float, **changes: object
          ) -> float:
    """Return the factor of the next depth."""
    values = {'camera': CAMERA, 'smoothing_s': 0.2, **changes}
    return steady.factor(depth, moment_ns=round(moment_s * SECOND), **values)


def test_flicker_is_halved_and_the_mean_stays() -> None:
    """Scales of one view that differ by chance, at 10 Hz."""
    steady, rng = SteadyScale(), np.random.default_rng(0)
    own = rng.normal(0.1, 0.05, 400)
    factors = [after(steady, SHAPE * np.float32(np.exp(each)), 1 + i / 10)
               for i, each in enumerate(own)]
    published = own + np.log(factors)
    assert np.std(np.diff(published)) < 0.4 * np.std(np.diff(own))
    assert np.mean(published) == pytest.approx(np.mean(own), abs=0.01)


def test_a_step_is_followed_within_the_time_constant() -> None:
    """Whatever the rate of images, a new scale is there but for 1/e after 0.2 s."""
    for rate in (5, 10, 50):
        steady = SteadyScale()
        after(steady, SHAPE, 1)
        count = round(0.2 * rate)
        for i in range(count):
            factor = after(steady, SHAPE * np.float32(1.2), 1 + (i + 1) / rate)
        assert 1 - np.log(1.2 * factor) / np.log(1.2) == pytest.approx(np.exp(-1), abs=1e-3)


def test_an_approach_lags_by_no_more_than_the_time_constant() -> None:
    """At 1 m/s towards a wall depth is that of at most 0.2 s before."""
    steady = SteadyScale()
    for i in range(60):
        true = 8 - 0.05 * i
        factor = after(steady, np.full((120, 160), true, np.float32), 1 + i / 20)
        assert 0 <= true * factor - true < 0.2 * 1.0


@pytest.mark.parametrize('changes', [
    {'smoothing_s': 0.0}, {'told_by': 'the floor'}, {'camera': Camera.from_hfov(60, 160, 120)},
    {'moment_s': 1.0}, {'moment_s': 0.5}, {'moment_s': 9.0}],
    ids=['off', 'another scale', 'another lens', 'the same time', 'a bag begins anew', 'a pause'])
def test_an_image_that_counts_alone(changes: dict) -> None:
    """It is as it would be without an image before, to a millionth."""
    steady = SteadyScale()
    after(steady, SHAPE, 1)
    moment_s = changes.pop('moment_s', 1.1)
    factor = after(steady, SHAPE * np.float32(1.3), moment_s, **changes)
    assert factor == pytest.approx(1, abs=1e-6)


def test_another_place_is_not_held() -> None:
    """Of a cut, a turn by half, another size, or depth that is missing, nothing is one factor."""
    other = SHAPE[::-1, ::-1].copy()
    for depth in (other, SHAPE[:60], np.full_like(SHAPE, np.nan), np.full_like(SHAPE, np.inf)):
        steady = SteadyScale()
        after(steady, SHAPE, 1)
        assert after(steady, depth, 1.1) == 1


def test_a_place_whose_depth_is_alike_is_another() -> None:
    """Photos one after the other, as a demonstration plays them, must not pull at each other."""
    steady = SteadyScale()
    after(steady, SHAPE, 1)
    wobble = np.random.default_rng(5).normal(0, 0.2, SHAPE.shape)  # half within 0.27
    assert after(steady, (1.5 * SHAPE * np.exp(wobble)).astype(np.float32), 1.07) == 1


def test_what_comes_near_is_not_moved_far_away() -> None:
    """Of a wall that is there at once at a fifth of the distance, by a third at most."""
    steady = SteadyScale()
    after(steady, SHAPE, 1)
    assert after(steady, SHAPE / 5, 1.1) < np.exp(LIMIT)


def test_results_are_steady_and_known_ranges_are_not_held() -> None:
    """Only what nobody measured is smoothed, and depth_scale counts at once."""
    results = Results()

    def published(scale: float, i: int, num_ranges: int = 0, **changes: float) -> float:
        prompts = np.full((NUM_RANGES, 4), np.nan)
        prompts[:num_ranges] = 1
        stamp = SimpleNamespace(sec=1, nanosec=i * SECOND // 10)
        frame = Frame(SimpleNamespace(stamp=stamp), np.zeros((120, 160, 3), np.uint8), CAMERA,
                      None, prompts=prompts if num_ranges else None)
        estimate = DepthEstimate(SHAPE * np.float32(scale), np.ones_like(SHAPE),
                                 lambda: np.zeros_like(SHAPE), 0.3, True, {})
        params = DepthParams(edge_gate=False, **changes)
        return float(np.median(results.make(frame, estimate, params).depth / SHAPE))

    assert published(1.0, 0) == pytest.approx(1)
    held = np.exp(-0.1 / DepthParams().scale_smoothing)
    assert published(1.2, 1) == pytest.approx(1.2 ** (1 - held), rel=1e-3)
    assert published(1.2, 2, scale_smoothing=0.0) == pytest.approx(1.2)
    assert published(1.2, 3, depth_scale=2.0) == pytest.approx(2.4)
    assert published(1.2, 4, camera_height=1.0) == pytest.approx(1.2)  # no floor is seen
    assert published(0.9, 5, num_ranges=8) == pytest.approx(0.9)
    assert published(1.1, 6, num_ranges=8) == pytest.approx(1.1)
