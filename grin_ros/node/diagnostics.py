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

"""Diagnostics: what happens to every frame in; counters, latencies and /diagnostics out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import threading
import time
from typing import Any

import numpy as np

from grin_ros.camera import Camera
from grin_ros.errors import require

FRESH = 5.0  # [s] that a problem shows in the level; whoever sees it last longer says it again
WINDOW = 200  # frames that latencies look back on
RATE_WINDOW = 5.0  # [s] that the rate looks back on
LEVELS = {'ok': b'\x00', 'warn': b'\x01', 'error': b'\x02'}


def _nothing(camera: Camera) -> str:
    """Find nothing wrong."""
    return ''


@dataclass
class ModelStatus:
    """
    What is known about the model, which all cameras share.

    :param facts: backend, bundle, engine, ...; set by whoever knows.
    :param strange_lens: says what is wrong with a camera's field of view, '' for nothing.
    :param busy: what keeps depth from coming and will be over, such as an engine's build.
    """

    facts: dict[str, str] = field(default_factory=dict)
    strange_lens: Callable[[Camera], str] = _nothing
    busy: str = ''


class Statistics:
    """
    Counters of a camera, which any thread may raise: received = answered + dropped + in flight.

    :param camera: its name, '' for the only one.
    """

    def __init__(self, camera: str = '', model: ModelStatus | None = None) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self.camera, self.model = camera, model or ModelStatus()
        self.facts: dict[str, str] = {}  # camera, scale, ...; set by whoever knows
        self.received = self.answered = self.lost = 0
        self.dropped: Counter[str] = Counter()
        self.problem, self.problem_time = '', -np.inf
        self._warnings: dict[str, tuple[str, float]] = {}
        self._answers: deque[float] = deque()
        self._latencies: dict[str, deque[float]] = {}

    def reset(self) -> None:
        """Forget latencies and the last problem, unless it lasts; the counters go on counting."""
        with self._lock:
            if self.problem_time != np.inf:
                self.problem, self.problem_time = '', -np.inf
            self._warnings.clear()
            self._latencies.clear()

    def receive(self) -> None:
        """Count an image that arrived."""
        with self._lock:
            self.received += 1

    def lose(self, count: int) -> None:
        """Count images that DDS lost on the way."""
        with self._lock:
            self.lost += count

    def drop(self, cause: str) -> None:
        """Count an image that gets no answer."""
        with self._lock:
            self.dropped[cause] += 1

    def answer(self, latencies_ms: Mapping[str, float]) -> None:
        """Count an image that was answered, with the milliseconds of each stage."""
        with self._lock:
            self.answered += 1
            self._answers.append(time.monotonic())
            self._rate(self._answers[-1])
            for stage, value in latencies_ms.items():
                self._latencies.setdefault(stage, deque(maxlen=WINDOW)).append(value)

    def complain(self, problem: str, *, lasting: bool = False) -> None:
        """Remember what went wrong last; a lasting problem is one until recover()."""
        with self._lock:
            self.problem = problem
            self.problem_time = np.inf if lasting else time.monotonic()

    def warn(self, about: str, text: str) -> None:
        """Note what is wrong but stops nothing; it shows for some seconds."""
        with self._lock:
            self._warnings[about] = text, time.monotonic()

    def warnings(self) -> dict[str, str]:
        """Return what is wrong now, the newest last."""
        with self._lock:
            recent = [(moment, about, text) for about, (text, moment) in self._warnings.items()
                      if time.monotonic() - moment < FRESH]
        return {f'warning_{about}': text for _, about, text in sorted(recent)}

    def recover(self) -> None:
        """Note that the last problem is over; it stays readable."""
        with self._lock:
            self.problem_time = -np.inf

    def pace(self) -> tuple[int, int, int]:
        """Return how many images were received, answered, and overtaken by newer ones."""
        with self._lock:
            return self.received, self.answered, self.dropped['newer_frame']

    def _rate(self, now: float) -> float:
        """Return answers per second, and forget those of long ago."""
        while self._answers and now - self._answers[0] >= RATE_WINDOW:
            self._answers.popleft()
        return len(self._answers) / RATE_WINDOW

    def values(self) -> dict[str, str]:
        """Return everything as text, for /diagnostics."""
        with self._lock:
            dropped = sum(self.dropped.values())
            result = self.model.facts | self.facts
            result |= {
                'rate_hz': f'{self._rate(time.monotonic()):.1f}',
                'received': str(self.received),
                'answered': str(self.answered),
                'dropped': str(dropped),
                'in_flight': str(self.received - self.answered - dropped),
                'lost_in_dds': str(self.lost)}
            result |= {f'dropped_{cause}': str(n) for cause, n in sorted(self.dropped.items())}
            for stage, window in self._latencies.items():
                p50, p99 = np.percentile(window, (50, 99))
                result[f'latency_{stage}_ms'] = f'p50 {p50:.1f}, p99 {p99:.1f}'
            result['last_problem'] = self.problem
        return result

    def to_status(self, name: str, state: str, is_idle: bool = False) -> Any:
        """
        Return a diagnostic_msgs/DiagnosticStatus.

        :param name: full name of the node.
        :param state: label of the lifecycle state, or 'disabled'.
        :param is_idle: whether the node does nothing, as nobody subscribes.
        """
        msgs = require('diagnostic_msgs.msg', 'ros')
        warnings = self.warnings()
        values = self.values() | {'state': state} | warnings
        level, message = 'ok', f'{state}, {values["rate_hz"]} Hz'
        if time.monotonic() - self.problem_time < FRESH:
            level, message = 'error', self.problem
        elif self.model.busy:
            level, message = 'warn', f'{state}, {self.model.busy}'
        elif warnings:
            level, message = 'warn', list(warnings.values())[-1]
        elif state != 'active':
            level = 'warn'
        elif is_idle:
            message = 'idle, as nobody subscribes'
        return msgs.DiagnosticStatus(
            name=f'{name.strip("/")}: {self.camera or "depth"}', hardware_id=name,
            level=LEVELS[level], message=message,
            values=[msgs.KeyValue(key=key, value=value) for key, value in values.items()])
