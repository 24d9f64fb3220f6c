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


"""Metronome: a rate in, the moments at which the next thing may happen out."""

from __future__ import annotations

import time


class Metronome:
    """Keeps a rate that may change between beats."""

    def __init__(self) -> None:
        """Start with a beat that is due."""
        self._last = self._next = float('-inf')

    def is_early(self, rate: float) -> bool:
        """Tell whether the next beat is not due yet; rate per second, 0 for no limit."""
        # A higher rate counts from the last beat on, not when the old period is over.
        return rate > 0 and time.monotonic() < min(self._next, self._last + 1 / rate)

    def go(self, rate: float) -> None:
        """Take a beat."""
        if rate > 0:
            self._last, period = time.monotonic(), 1 / rate
            # On time on average; after a pause the next one still waits half a period.
            self._next = max(self._next + period, self._last + period / 2)
