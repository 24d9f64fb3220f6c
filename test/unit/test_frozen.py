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

"""Tests of images that are the same: how long a camera has sent nothing new."""

import numpy as np
from numpy.typing import NDArray

from grin_ros.messages.frozen import SameImages

SECOND = 10 ** 9


def photo(seed: int = 1) -> NDArray[np.uint8]:
    """Return noise."""
    return np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)


def test_time_counts_while_images_are_the_same() -> None:
    same = SameImages()
    assert [same.seconds(photo(), 5 * SECOND + t * SECOND // 2) for t in range(4)] == [
        0.0, 0.5, 1.0, 1.5]
    assert same.seconds(photo(2), 8 * SECOND) == 0.0, 'something new'
    assert same.seconds(photo(), 9 * SECOND) == 0.0, 'and something new again'


def test_one_level_of_noise_is_new() -> None:
    """A lens that looks at the same thing never sends the same numbers."""
    same, noise = SameImages(), np.random.default_rng(0)
    for t in range(20):
        image = photo() + noise.integers(0, 2, (48, 64, 3), np.uint8)
        assert same.seconds(image, t * SECOND) == 0.0


def test_a_bag_that_begins_again_begins_anew() -> None:
    """Time goes back; images without any stamp are never said to be frozen."""
    same = SameImages()
    same.seconds(photo(), 50 * SECOND)
    assert same.seconds(photo(), 10 * SECOND) == 0.0
    assert same.seconds(photo(), 12 * SECOND) == 2.0
    without = SameImages()
    assert [without.seconds(photo(), 0) for _ in range(3)] == [0.0] * 3
