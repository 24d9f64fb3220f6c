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

"""Outdoors, things have the sizes they are built in."""

from __future__ import annotations

import numpy as np

from grin_ros.synth.materials import SIZE
from grin_ros.synth.outdoors import shopfront, wall


def test_doors_of_shops_stand_on_the_ground() -> None:
    """The lowest rows hold wall and a door, which takes more than half of a storey."""
    for seed in range(20):
        look = shopfront(np.random.default_rng(seed))
        assert look.shape == (SIZE, SIZE, 3)
        # A door is of one colour, which walls are not.
        of_one_colour = np.ptp(look[-SIZE // 8:], axis=0).sum(-1) == 0
        assert of_one_colour.sum() == SIZE // 5
        edge = look[:, of_one_colour][:, 2]
        assert (np.abs(edge - edge[-1]).sum(-1) == 0).mean() > 0.6


def test_bricks_have_their_height() -> None:
    """A texture is 6 m of a wall: brick courses of it repeat after 5 to 19 cm, if it has any."""
    heights = []
    for seed in range(60):
        profile = wall(np.random.default_rng(seed)).mean((1, 2))
        spectrum = np.abs(np.fft.rfft(profile - profile.mean()))
        if spectrum.max() > 8 * np.median(spectrum) and spectrum.argmax() > 20:
            heights.append(6 / spectrum.argmax())
    assert len(heights) > 5 and 0.04 < min(heights) < max(heights) < 0.2
