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


"""What a camera makes of light is as photos are."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.synth.sensor import contrast, expose


@pytest.mark.parametrize('mean', [0.2, 0.5, 0.7])
@pytest.mark.parametrize('slope', [0.8, 1.0, 2.5])
def test_contrast_turns_about_the_mean(mean: float, slope: float) -> None:
    """Black, white and the mean stay; there tones part by the slope; order stays."""
    tones = np.linspace(0, 1, 1001, dtype=np.float32)
    image = np.concatenate([tones, np.full(100_000, mean, np.float32)])
    image[-1] = mean - 0.01
    bent = contrast(image, slope)
    assert bent[0] == 0 and bent[1000] == pytest.approx(1, abs=1e-6)
    assert (np.diff(bent[:1001]) >= 0).all()
    assert bent[-2] == pytest.approx(mean, abs=5e-3)
    assert (bent[-2] - bent[-1]) / 0.01 == pytest.approx(slope, rel=0.05)


def test_cameras_balance_colours() -> None:
    """Under an orange lamp a grey wall comes out less orange than it is lit, though not grey."""
    rng = np.random.default_rng(3)
    lamp = np.array([1.0, 0.7, 0.35])
    light = np.exp(rng.normal(0, 0.5, (24, 32, 1))) * lamp
    blue_to_red = []
    for _ in range(60):
        linear = (expose(rng, light.astype(np.float32)) / 255) ** 2.2
        blue_to_red.append(np.log(linear[..., 2].mean() / linear[..., 0].mean()))
    assert 0.7 * np.log(0.35) < np.median(blue_to_red) < -0.1


def test_exposures_vary_as_photos_do() -> None:
    """Grey of 62 photos of rooms has a standard deviation of 0.24; light as it falls, 0.16."""
    rng = np.random.default_rng(2)
    spreads = []
    for _ in range(60):
        light = np.exp(rng.normal(0, 0.9, (24, 32, 1)) + rng.normal(0, 0.2, 3))
        image = expose(rng, light.astype(np.float32))
        assert image.dtype == np.uint8 and image.shape == (24, 32, 3)
        spreads.append(image.mean(-1).std() / 255)
    assert 0.15 < np.median(spreads) < 0.3 and np.ptp(spreads) > 0.1
