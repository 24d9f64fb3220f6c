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

"""SpikeGuard: a bad batch passes, a run of bad steps or a NaN does not."""

import math

from grin_ros.train.guard import SpikeGuard


def test_one_bad_batch_is_no_reason():
    """Noise and a single spike pass, and the spike does not move the mean."""
    guard = SpikeGuard(patience=3)
    losses = [1.0, 1.3, 0.8, 1.1, 9.0, 1.0, 9.0, 9.0, 1.0]
    assert not any(guard.is_astray(loss) for loss in losses)
    assert guard.mean < 1.2


def test_a_run_of_spikes_or_a_nan_goes_back_once():
    """The patience-th spike in a row says so, then the count starts again."""
    guard = SpikeGuard(patience=3)
    for _ in range(10):
        assert not guard.is_astray(1.0)
    assert [guard.is_astray(9.0) for _ in range(6)] == [False, False, True] * 2
    assert guard.is_astray(math.nan) and guard.is_astray(math.inf)
    assert not guard.is_astray(1.0)


def test_a_loss_around_nothing_has_no_spikes():
    """A likelihood of small errors is negative: less is better, and noise is no spike."""
    guard = SpikeGuard(patience=3)
    losses = [0.4, 0.1, 0.05, -0.1, 0.1, -0.2, -0.1, -0.25, -0.15, 0.0, -0.2] * 20
    assert not any(guard.is_astray(loss) for loss in losses)
    assert guard.mean < 0
    assert [guard.is_astray(2.0) for _ in range(3)] == [False, False, True]
