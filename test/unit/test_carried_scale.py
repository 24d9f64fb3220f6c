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

"""Tests of carried scale: when ranges stop, depth glides back to the network's own scale."""

from types import SimpleNamespace

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.estimator import DepthEstimate
from grin_ros.messages.intake import Frame
from grin_ros.messages.ranges import NUM_RANGES
from grin_ros.params import DepthParams
from grin_ros.postprocess.carried_scale import CarriedScale, FADE_S
from grin_ros.postprocess.result import Results

CAMERA = Camera.from_hfov(80, 160, 120)
OWN = np.random.default_rng(0).uniform(1, 3, (120, 160)).astype(np.float32)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def estimate_of(depth: np.ndarray) -> DepthEstimate:
    """Return an estimate of such depth."""
    return DepthEstimate(depth, np.ones_like(depth),
                         lambda scale=0.3: np.full(depth.shape, scale, np.float32), True, {})


def told(factor: float) -> CarriedScale:
    """Return the memory of an image whose ranges said that all is so much farther."""
    carried = CarriedScale()
    carried.keep(estimate_of(factor * OWN), CAMERA, START)
    return carried


def later(carried: CarriedScale, seconds: float, depth: np.ndarray = OWN,
          camera: Camera = CAMERA) -> float:
    """Return what the depth of a later image is multiplied by."""
    result = carried.apply(estimate_of(depth), camera, START + round(seconds * SECOND))
    known = np.isfinite(depth)
    assert np.ptp(result.depth[known] / depth[known]) < 1e-5
    assert carried.factor == pytest.approx(float(np.median(result.depth[known] / depth[known])))
    assert np.all(result.spread() == np.float32(0.3))  # nobody tells the scale of this one
    return carried.factor


@pytest.mark.parametrize('factor', [0.5, 1.7])
def test_depth_glides_back(factor: float) -> None:
    """It does not jump, comes back by a third in two seconds, and is the network's own then."""
    carried = told(factor)
    shares = [np.log(later(carried, seconds)) / np.log(factor)
              for seconds in (0.05, 0.4 * FADE_S, FADE_S, 2 * FADE_S, 5 * FADE_S, 0.1)]
    assert shares == pytest.approx([0.99, 0.67, 0.37, 0.135, 0, 0], abs=0.005)


def test_what_the_network_errs_then_counts_not_what_it_erred_before() -> None:
    """The first image without ranges is compared, be it estimated nearer than the last one."""
    assert later(told(1.2), 0.01, OWN / 2) == pytest.approx(2.4, rel=0.01)


def test_new_ranges_tell_anew() -> None:
    carried = told(1.7)
    later(carried, 0.1)
    carried.keep(estimate_of(0.8 * OWN), CAMERA, START + SECOND)
    assert carried.factor == 1
    assert later(carried, 1.1) == pytest.approx(0.8, rel=0.01)


@pytest.mark.parametrize('seconds, camera', [
    (-1.0, CAMERA), (0.0, CAMERA), (0.6, CAMERA), (0.1, Camera.from_hfov(70, 160, 120))],
    ids=['time goes back', 'without stamps', 'a gap', 'another lens'])
def test_nothing_is_carried_where_nothing_compares(seconds: float, camera: Camera) -> None:
    carried = told(1.7)
    assert later(carried, seconds, camera=camera) == 1
    assert later(carried, max(seconds, 0) + 0.1, camera=camera) == 1


def test_sky_tells_nothing() -> None:
    sky = np.full_like(OWN, np.inf)
    sky[:20] = OWN[:20]
    assert later(told(1.7), 0.1, sky) == 1
    sky[:40] = OWN[:40]
    assert later(told(1.7), 0.1, sky) == pytest.approx(1.7, rel=0.03)


def frame_of(seconds: float, prompts: np.ndarray | None) -> Frame:
    """Return an image with or without known ranges, or without a sensor of them."""
    total = START + round(seconds * SECOND)
    stamp = SimpleNamespace(sec=total // SECOND, nanosec=total % SECOND)
    return Frame(SimpleNamespace(stamp=stamp), np.zeros((120, 160, 3), np.uint8), CAMERA, None,
                 prompts)


@pytest.mark.parametrize('depth_scale', [1.0, 1.5])
def test_results_carry_the_scale(depth_scale: float) -> None:
    """Towards depth_scale, while the sensor is silent; without a sensor there is none."""
    params, results = DepthParams(edge_gate=False, depth_scale=depth_scale), Results()
    silent = np.full((NUM_RANGES, 4), np.nan)
    ranges = silent.copy()
    ranges[0] = 80, 60, 2.0, 0.02

    def published(frame: Frame) -> float:
        return float(np.median(results.make(frame, estimate_of(OWN), params).depth / OWN))

    assert published(frame_of(0, ranges)) == pytest.approx(1)
    assert published(frame_of(0.1, silent)) == pytest.approx(1, rel=0.01)
    assert published(frame_of(FADE_S, silent)) == pytest.approx(depth_scale ** 0.632, rel=0.01)
    assert published(frame_of(FADE_S, None)) == pytest.approx(depth_scale)
    assert published(frame_of(9 * FADE_S, silent)) == pytest.approx(depth_scale)
    results.make(frame_of(100, ranges), estimate_of(2 * OWN), params)
    assert published(frame_of(100.1, silent)) == pytest.approx(2, rel=0.02)
