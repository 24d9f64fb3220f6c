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

"""Contrast: what shows nothing is refused, however noisy; what shows little is not."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.messages.contrast import check_contrast, contrast, LEAST
from grin_ros.messages.intake import Frame, Rejected

RNG = np.random.default_rng(0)


def flat(level: float, noise: float, width: int = 640, height: int = 480) -> np.ndarray:
    """Return an image of one brightness with a sensor's noise."""
    values = level + noise * RNG.standard_normal((height, width, 3))
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(('level', 'noise'), [(0, 0), (255, 0), (3, 4), (128, 0.5), (20, 8),
                                              (28, 10)],
                         ids=['covered', 'blown out', 'dark and noisy', 'dead', 'gain', 'gain 2'])
@pytest.mark.parametrize('size', [(640, 480), (1920, 1080), (64, 48), (16, 8)], ids=str)
def test_what_shows_nothing_is_refused(level: float, noise: float, size: tuple[int, int]) -> None:
    noise = noise if min(size) > 100 else 0  # a part of a small image is a pixel or a few
    with pytest.raises(Rejected, match=r'/cam show nothing.*exposure') as error:
        check_contrast(Frame(None, flat(level, noise, *size), None, None), '/cam')
    assert error.value.cause == 'no_contrast'
    grey = np.repeat(flat(level, noise, *size)[..., :1], 3, -1)  # all channels have one noise
    assert contrast(grey) < LEAST


def test_a_blank_wall_and_a_dark_room_are_answered() -> None:
    u, v = np.meshgrid(np.linspace(-1, 1, 640), np.linspace(-1, 1, 480))
    wall = 230 - 12 * (u ** 2 + v ** 2)  # light falls off towards the corners
    room = 4 + 5 * (v > 0.2)
    for levels in (wall, room):
        image = np.repeat(levels[..., None], 3, -1).astype(np.uint8)
        check_contrast(Frame(None, image, None, None), '/cam')
        assert contrast(image) > 4
