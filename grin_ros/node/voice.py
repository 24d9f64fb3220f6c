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


"""Voice: what is wrong in; a log line now and then, and an entry in diagnostics, out."""

from __future__ import annotations

import time
from typing import Any

from grin_ros.node.diagnostics import Statistics

PAUSE = 5.0  # [s] between two log lines about the same


class Voice:
    """
    Speaks about one camera; the same thing is logged at most every few seconds.

    :param logger: of the node; has error() and warning().
    :param statistics: where diagnostics come from.
    """

    def __init__(self, logger: Any, statistics: Statistics) -> None:
        """Start with nothing said."""
        self._logger, self._statistics = logger, statistics
        self._told: dict[str, float] = {}

    def forget(self) -> None:
        """Say everything anew."""
        self._told.clear()

    def complain(self, about: str, text: str) -> None:
        """Say what keeps images from being answered; it shows as an error."""
        self._statistics.complain(text)
        if self._is_due(about):
            self._logger.error(text)

    def warn(self, about: str, text: str) -> None:
        """Say what is wrong but stops nothing; it shows as a warning."""
        self._statistics.warn(about, text)
        self.remark(about, text)

    def remark(self, about: str, text: str) -> None:
        """Say what one should know, in the log alone."""
        if self._is_due(about):
            self._logger.warning(text)

    def _is_due(self, about: str) -> bool:
        now = time.monotonic()
        if now - self._told.get(about, -PAUSE) < PAUSE:
            return False
        self._told[about] = now
        return True
