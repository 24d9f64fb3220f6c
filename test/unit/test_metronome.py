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


"""A metronome keeps its rate on average, whatever it was before."""

import pytest

from grin_ros.node import metronome
from grin_ros.node.metronome import Metronome


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time of a clock that only the test moves."""
    now = [100.0]
    monkeypatch.setattr(metronome.time, 'monotonic', lambda: now[0])
    return now


def beats(rhythm: Metronome, clock: list[float], rate: float, seconds: float, step: float) -> int:
    """Return how many beats are taken when one is asked for every step [s]."""
    count, end = 0, clock[0] + seconds
    while clock[0] < end:
        if not rhythm.is_early(rate):
            rhythm.go(rate)
            count += 1
        clock[0] += step
    return count


@pytest.mark.parametrize('rate', [1.0, 4.0, 7.0])
def test_the_rate_is_kept_on_average(clock: list[float], rate: float) -> None:
    assert beats(Metronome(), clock, rate, 20, 1 / 30) == pytest.approx(20 * rate, abs=2)


def test_no_rate_is_no_limit(clock: list[float]) -> None:
    assert beats(Metronome(), clock, 0.0, 2, 0.1) in (20, 21)


def test_a_higher_rate_counts_at_once(clock: list[float]) -> None:
    rhythm = Metronome()
    assert beats(rhythm, clock, 0.01, 1, 0.1) == 1
    assert beats(rhythm, clock, 10.0, 2, 0.05) >= 18
