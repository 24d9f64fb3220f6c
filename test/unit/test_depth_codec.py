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

"""Depth codec: round trips, limits, and what alpha does."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import ALPHA_0, angular_pitch, DepthCodec

RANGES = np.geomspace(0.1, 200, 50)


@pytest.mark.parametrize('scale', ['metric', 'canonical'])
@pytest.mark.parametrize('alpha', [ALPHA_0, 0.3 * ALPHA_0])
def test_decode_inverts_encode(scale: str, alpha: float) -> None:
    codec = DepthCodec(scale)
    assert np.allclose(codec.decode(codec.encode(RANGES, alpha), alpha), RANGES, rtol=1e-9)


def test_limits_are_minus_one_and_one() -> None:
    codec = DepthCodec('metric')
    assert codec.encode(np.array([0.01, 0.1, 200, np.inf]), 1.0).tolist() == [-1, -1, 1, 1]


def test_a_hundredth_of_p_is_four_percent() -> None:
    codec = DepthCodec('metric')
    assert codec.decode(np.float64(0.01), 1.0) / codec.decode(np.float64(0.0), 1.0) == (
        pytest.approx(1.0387, abs=1e-3))


def test_canonical_code_depends_on_size_over_pixels_only() -> None:
    codec = DepthCodec('canonical')
    # Twice the focal length and twice the distance show the same picture.
    near = codec.encode(np.array([2.0]), 0.004)
    far = codec.encode(np.array([4.0]), 0.002)
    assert near == pytest.approx(far)


def test_angular_pitch_is_one_over_the_focal_length() -> None:
    camera = Camera.pinhole(300, 300, 159.5, 119.5, 320, 240)
    assert angular_pitch(camera.rays()) == pytest.approx(1 / 300, rel=1e-3)
    assert angular_pitch(np.stack([camera.rays()] * 2)).shape == (2,)


@pytest.mark.parametrize('choice', [{'scale': 'inverse'}, {'range_min': 0.0}, {'range_max': 0.05}])
def test_what_cannot_be_inverted_is_refused(choice: dict) -> None:
    with pytest.raises(ValueError):
        DepthCodec(**choice)
