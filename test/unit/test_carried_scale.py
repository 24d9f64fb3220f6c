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

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.estimator import DepthEstimate
from grin_ros.messages.intake import Frame
from grin_ros.messages.ranges import NUM_RANGES
from grin_ros.params import DepthParams
from grin_ros.postprocess.carried_scale import CarriedScale, FADE_S, LIMIT
from grin_ros.postprocess.result import Results

CAMERA = Camera.from_hfov(80, 160, 120)
OWN = np.random.default_rng(0).uniform(1, 3, (120, 160)).astype(np.float32)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def told(factor: float) -> CarriedScale:
    """Return the memory of two images whose ranges said that all is so much farther."""
    carried = CarriedScale()
    for moment in (START - SECOND // 10, START):
        carried.keep(factor * OWN, CAMERA, moment)
    return carried


def later(carried: CarriedScale, seconds: float, depth: np.ndarray = OWN,
          camera: Camera = CAMERA) -> float:
    """Return what the depth of a later image is multiplied by; 1 when nothing tells it."""
    factor = carried.blend(depth, camera, START + round(seconds * SECOND))
    assert factor == (carried.factor or 1)
    return factor


@pytest.mark.parametrize('factor', [0.7, 1.4])
def test_depth_glides_back(factor: float) -> None:
    """It does not jump, comes back by a third in two seconds, and is the network's own then."""
    carried = told(factor)
    shares = [np.log(later(carried, seconds)) / np.log(factor)
              for seconds in (0.05, 0.4 * FADE_S, FADE_S, 2 * FADE_S, 5 * FADE_S, 0.1)]
    assert shares == pytest.approx([0.99, 0.67, 0.37, 0.135, 0, 0], abs=0.005)


def test_what_the_network_errs_then_counts_not_what_it_erred_before() -> None:
    """The first image without ranges is compared, be it estimated nearer than the last one."""
    assert later(told(1.1), 0.01, OWN / 1.2) == pytest.approx(1.32, rel=0.01)


def test_new_ranges_tell_anew() -> None:
    carried = told(1.4)
    later(carried, 0.1)
    for seconds in (1, 1.1):
        carried.keep(0.8 * OWN, CAMERA, START + round(seconds * SECOND))
    assert carried.factor is None
    assert later(carried, 1.2) == pytest.approx(0.8, rel=0.01)


def test_one_image_with_ranges_between_others_tells_nothing() -> None:
    """A beam out of reach that hears an echo now and then spoils that image, not seconds."""
    carried = CarriedScale()
    for second in range(3):
        carried.keep(0.7 * OWN, CAMERA, START + second * SECOND)
        assert later(carried, second + 0.1) == later(carried, second + 0.2) == 1


def test_every_other_image_with_ranges_is_enough() -> None:
    """Odometry that has nothing to follow now and then."""
    carried = told(1.4)
    assert later(carried, 0.1) == pytest.approx(1.4, rel=0.01)
    carried.keep(0.8 * OWN, CAMERA, START + SECOND // 5)
    assert later(carried, 0.3) == pytest.approx(0.8, rel=0.01)


def test_what_came_near_is_not_moved_away() -> None:
    """An obstacle before a lidar that does not see it: by a half at most, though all is near."""
    assert later(told(1.0), 0.1, OWN / 10) == pytest.approx(np.exp(LIMIT * np.exp(-0.1 / FADE_S)))


def test_another_view_tells_nothing() -> None:
    """A robot that turns: what was told was told of other things."""
    turned = np.roll(OWN * np.linspace(0.3, 3, 160, dtype=np.float32), 80, axis=1)
    assert later(told(1.0), 0.1, turned) == 1


@pytest.mark.parametrize('seconds, camera', [
    (-1.0, CAMERA), (0.6, CAMERA), (0.1, Camera.from_hfov(60, 160, 120)),
    (0.1, Camera.from_hfov(80, 80, 60))],
    ids=['time goes back', 'a gap', 'another lens', 'another size'])
def test_nothing_is_carried_where_nothing_compares(seconds: float, camera: Camera) -> None:
    carried = told(1.4)
    depth = OWN[:camera.height, :camera.width]
    assert later(carried, seconds, depth, camera) == 1
    assert later(carried, max(seconds, 0) + 0.1) == 1


def test_lenses_may_focus_and_images_come_out_of_order() -> None:
    carried = told(1.4)
    assert later(carried, -0.005) == later(carried, 0.0) == 1
    assert later(carried, 0.1, camera=Camera.from_hfov(80.5, 160, 120)) > 1.35
    assert later(carried, 0.2) > 1.35


def test_sky_tells_nothing() -> None:
    sky = np.full_like(OWN, np.inf)
    sky[:20] = OWN[:20]
    assert later(told(1.4), 0.1, sky) == 1
    sky[:40] = OWN[:40]
    assert later(told(1.4), 0.1, sky) == pytest.approx(1.4, rel=0.03)


def estimate_of(depth: np.ndarray) -> DepthEstimate:
    """Return an estimate of such depth, whose scale nobody knows."""
    return DepthEstimate(depth, np.ones_like(depth),
                         lambda: np.zeros_like(depth), 0.3, True, {})


def frame_of(seconds: float, prompts: np.ndarray | None) -> Frame:
    """Return an image with or without known ranges, or without a sensor of them."""
    total = START + round(seconds * SECOND)
    stamp = SimpleNamespace(sec=total // SECOND, nanosec=total % SECOND)
    return Frame(SimpleNamespace(stamp=stamp), np.zeros((120, 160, 3), np.uint8), CAMERA, None,
                 prompts)


@pytest.mark.parametrize('depth_scale', [1.0, 1.3])
def test_results_carry_the_scale(depth_scale: float) -> None:
    """Towards depth_scale, while the sensor is silent; without a sensor there is none."""
    params, results = DepthParams(edge_gate=False, depth_scale=depth_scale), Results()
    silent = np.full((NUM_RANGES, 4), np.nan)
    ranges = silent.copy()
    ranges[0] = 80, 60, 2.0, 0.02

    def published(frame: Frame, depth: np.ndarray = OWN, **changes: float) -> float:
        result = results.make(frame, estimate_of(depth), replace(params, **changes))
        assert np.nanmax(result.spread) == np.float32(0.3)
        return float(np.median(result.depth / OWN))

    assert published(frame_of(-0.1, ranges)) == published(frame_of(0, ranges)) == 1
    assert published(frame_of(0.1, silent)) == pytest.approx(1, rel=0.01)
    assert published(frame_of(FADE_S, silent)) == pytest.approx(depth_scale ** 0.632, rel=0.01)
    assert published(frame_of(FADE_S, silent), depth_scale=1.0) == pytest.approx(1)
    assert published(frame_of(FADE_S, None)) == pytest.approx(depth_scale)
    assert results.carried.factor is None
    assert published(frame_of(9 * FADE_S, silent)) == pytest.approx(depth_scale)
    for seconds in (100, 100.1):
        published(frame_of(seconds, ranges), np.float32(1.4) * OWN)
    assert published(frame_of(100.2, silent)) == pytest.approx(1.4, rel=0.01)
