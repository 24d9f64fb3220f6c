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

"""Calibrating sigma: the scale of a frame and the errors within it are told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny import tiny_grin

torch = pytest.importorskip('torch', reason='calibrating needs torch')

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.data.sample import Sample  # noqa: E402
from grin_ros.train.calibrate import calibrate, FEWEST, strange  # noqa: E402

SIZE = (64, 32)


def samples(count: int = FEWEST, kind: str = 'room') -> list[Sample]:
    """Return frames of noise at 1 to 4 m."""
    rng = np.random.default_rng(3)
    camera = Camera.from_hfov(80, *SIZE)
    return [Sample(rng.integers(0, 255, (*SIZE[::-1], 3), np.uint8),
                   rng.uniform(1, 4, SIZE[::-1]).astype(np.float32), camera, {'kind': kind})
            for _ in range(count)]


def scaled(frames: list[Sample], *factors: float) -> list[Sample]:
    """Return frames with their true ranges multiplied, factor by factor in turn."""
    return [replace(frame, range_m=frame.range_m * factors[i % len(factors)])
            for i, frame in enumerate(frames)]


def test_the_scale_of_frames_does_not_change_the_part_of_the_pixels() -> None:
    model, frames = tiny_grin(), samples()
    one, other = (calibrate(model, each, SIZE, (1, 2)) for each in (
        frames, scaled(frames, 2.0, 0.5)))
    assert one['sigma_calibration'].keys() == {'1', '2'}
    for steps, factor in one['sigma_calibration'].items():
        assert other['sigma_calibration'][steps] == pytest.approx(factor, rel=1e-3)


def test_the_part_of_the_frame_is_the_spread_of_scale() -> None:
    """With m the median log error of a frame, (m - a)^2 + (m + a)^2 = 2 (m^2 + a^2)."""
    model, frame = tiny_grin(), samples(1)
    plain, near, far = (
        calibrate(model, scaled(frame * FEWEST, factor), SIZE, (1,))['sigma_frame']
        for factor in (1.0, 0.5, 2.0))
    # The seed of a frame's noise is its number: the frames are alike, not the same.
    assert near ** 2 + far ** 2 == pytest.approx(2 * (plain ** 2 + np.log(2) ** 2), rel=1e-3)


def test_kinds_of_worlds_count_alike() -> None:
    """However many frames there are of each; the seed of a frame is its number."""
    model, rooms = tiny_grin(), samples()
    streets = scaled(samples(2 * FEWEST, 'street'), 30.0)
    one, other, both = (calibrate(model, each, SIZE, (1,))['sigma_frame'] for each in (
        rooms, streets, rooms + streets))
    assert other > one
    assert both ** 2 == pytest.approx((one ** 2 + other ** 2) / 2, rel=0.02)


def test_the_scale_of_frames_is_judged_in_looks_that_are_new(monkeypatch: pytest.MonkeyPatch
                                                             ) -> None:
    picture = samples(1)[0].image
    assert np.abs(strange(picture, 0).astype(int) - picture).mean() > 10
    assert not np.array_equal(strange(picture, 0), strange(picture, 1))
    np.testing.assert_array_equal(strange(picture, 0), strange(picture, 0))
    grey = np.full_like(picture, 90)
    assert np.ptp(strange(grey, 0)) == 0
    model, frames = tiny_grin(), samples()
    judged = calibrate(model, frames, SIZE, (1,))
    monkeypatch.setattr('grin_ros.train.calibrate.strange', lambda image, seed: image)
    as_they_look = calibrate(model, frames, SIZE, (1,))
    assert judged['sigma_frame'] != pytest.approx(as_they_look['sigma_frame'], rel=1e-6)
    assert judged['sigma_calibration'] == as_they_look['sigma_calibration']


def test_few_frames_tell_nothing_about_a_kind() -> None:
    assert calibrate(tiny_grin(), samples(FEWEST - 1), SIZE, (1,))['sigma_frame'] == 0.0
    assert calibrate(tiny_grin(), [], SIZE, (1, 4)) == {
        'sigma_calibration': {'1': 1.0, '4': 1.0}, 'sigma_frame': 0.0}
