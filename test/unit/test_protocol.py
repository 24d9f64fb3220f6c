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

"""Protocol: the crops of the published tables, limits by kind, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.errors import GrinError
from grin_ros.evaluation.protocol import crop_mask, Protocol


def test_the_crop_of_garg_on_kitti() -> None:
    inside = crop_mask('garg', 375, 1242)
    rows, columns = np.nonzero(inside)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (153, 370, 44, 1196)
    assert inside.sum() == (371 - 153) * (1197 - 44)


def test_the_crop_of_nyu() -> None:
    assert crop_mask('nyu', 480, 640).sum() == (471 - 45) * (601 - 41)
    with pytest.raises(GrinError, match='--crop none'):
        crop_mask('nyu', 240, 320)


def test_limits_follow_the_kind_unless_set() -> None:
    truth = np.array([[0.1, 0.3, 9.0, 11.0, 79.0, 81.0, np.inf, np.nan]])
    assert Protocol().valid(truth, 'indoor').sum() == 2
    assert Protocol().valid(truth, 'driving').sum() == 4
    assert Protocol(min_depth=0.05, max_depth=100).valid(truth, 'indoor').sum() == 6


def test_nonsense_is_refused() -> None:
    with pytest.raises(GrinError, match='garg'):
        Protocol('eigen')
    for near, far in ((5, 2), (0.2, np.inf), (0.2, np.nan)):  # with inf sky would be scored
        with pytest.raises(GrinError, match='--max-depth'):
            Protocol(min_depth=near, max_depth=far)
    for near in (-1, np.nan, np.inf):
        with pytest.raises(GrinError, match='--min-depth'):
            Protocol(min_depth=near)
