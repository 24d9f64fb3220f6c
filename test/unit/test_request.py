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

"""Requests: batches hold each frame once, with its like, in the order they came."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.inference.request import batches


@pytest.mark.parametrize('seed', range(20))
def test_batches_hold_each_index_once_beside_its_like(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [(int(kind), 3) for kind in rng.integers(0, 4, rng.integers(0, 30))]
    most = int(rng.integers(1, 6))
    found = list(batches(shapes, most))
    assert sorted(index for batch in found for index in batch) == list(range(len(shapes)))
    for batch in found:
        assert 1 <= len(batch) <= most and batch == sorted(batch)
        assert len({shapes[index] for index in batch}) == 1
    # No batch could have been spared.
    assert len(found) == sum(-(-shapes.count(kind) // most) for kind in set(shapes))
