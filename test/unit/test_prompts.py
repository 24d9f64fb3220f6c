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

"""Prompts: what is known of some pixels, as the network was taught to read it."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import View
from grin_ros.inference.prompts import PROMPTED_SIGMA, prompted_sigma, Prompts

VIEW = View.of(Camera.from_hfov(70, 640, 480), (320, 256), 4)
CODEC = DepthCodec('metric')


def test_no_prompts_are_one_masked_token() -> None:
    for nothing in (None, [], np.zeros((0, 3))):
        prompts = Prompts.of(nothing, VIEW, CODEC)
        assert prompts.mask.tolist() == [False] and prompts.values.shape == (1, 2)


def test_prompts_carry_coded_range_and_log_sigma() -> None:
    prompts = Prompts.of([[319.5, 239.5, 2.0, 0.05]], VIEW, CODEC)
    assert CODEC.decode(prompts.values[0, 0], VIEW.alpha) == pytest.approx(2.0, rel=1e-5)
    assert prompts.values[0, 1] == pytest.approx(np.log(0.05))
    assert prompts.mask.all()
    # The image's centre is the network's centre.
    assert prompts.pixels[0].tolist() == [VIEW.network.width / 2 - 0.5,
                                          VIEW.network.height / 2 - 0.5]


def test_sigma_defaults_to_a_percent_and_stays_in_what_was_taught() -> None:
    assert Prompts.of([[0, 0, 2.0]], VIEW, CODEC).values[0, 1] == pytest.approx(np.log(0.01))
    assert Prompts.of([[0, 0, 2.0, 1e-9]], VIEW, CODEC).values[0, 1] == pytest.approx(
        np.log(0.003))


@pytest.mark.parametrize('wrong, reason', [
    ([[1, 2]], 'rows of u, v'), ([1, 2, 3], 'rows of u, v'), ([[1, 2, np.inf]], 'finite'),
    ([[np.nan, 2, 3]], 'finite'), ([[1, 2, 3, np.nan]], 'finite'),
    ([[1, 2, 0]], 'range > 0'), ([[1, 2, 3, -0.1]], 'sigma > 0'), ([[640, 2, 3]], 'in the image')])
def test_wrong_prompts_are_refused(wrong: list, reason: str) -> None:
    with pytest.raises(GrinError, match=reason):
        Prompts.of(wrong, VIEW, CODEC)


def test_a_range_that_is_nan_is_padding() -> None:
    given = [[319.5, 239.5, 2.0, 0.05], [np.nan] * 4, [3, 4, np.nan, 0.02]]
    prompts, alone = Prompts.of(given, VIEW, CODEC), Prompts.of(given[:1], VIEW, CODEC)
    assert prompts.mask.tolist() == [True, False, False]
    assert np.isfinite(prompts.values).all() and np.isfinite(prompts.pixels).all()
    assert np.array_equal(prompts.values[:1], alone.values)
    assert np.array_equal(prompts.pixels[:1], alone.pixels)
    assert not Prompts.of(np.full((64, 4), np.nan), VIEW, CODEC).mask.any()


def test_the_scale_is_better_known_with_more_and_better_prompts() -> None:
    one, three, many = (prompted_sigma(count, 0.02, 0.3) for count in (1, 3, 64))
    assert 0.3 > one > three > many > PROMPTED_SIGMA
    assert prompted_sigma(64, 0.2, 0.3) > 0.2
    # What is told never makes it worse.
    assert prompted_sigma(1, 1.0, 0.3) == 0.3 and prompted_sigma(64, 0.02, 0.05) == 0.05
