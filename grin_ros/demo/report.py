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

"""What the recorder heard, as a table, a picture and a cloud; truth comes in only here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.demo.frames import Frame

TRUTH_RANGE = (0.1, 80.0)  # m, what is scored


def figures(frames: list[Frame], sent: dict[str, int], recorded: Path,
            start: float) -> dict[str, Any]:
    """
    Score what was received.

    :param sent: name of a picture -> times the camera sent it.
    :param recorded: archive of the recorder.
    :param start: time the processes were started [s].
    :returns: totals, and one entry per picture under ``pictures``.
    """
    with np.load(recorded) as archive:
        heard = dict(archive)
    arrivals = heard['arrivals']
    latencies = [heard.get(f'{frame.name}/latency_ms', np.zeros(0)) for frame in frames]
    pictures = [_score(frame, sent.get(frame.name, 0), heard, latency)
                for frame, latency in zip(frames, latencies)]
    total = np.concatenate(latencies)
    span = arrivals[-1] - arrivals[0] if len(arrivals) > 1 else 0.0
    return {
        'sent': sum(sent.values()), 'received': len(total),
        'rate_hz': float((len(arrivals) - 1) / span) if span else None,
        'latency_p50_ms': _percentile(total, 50), 'latency_p95_ms': _percentile(total, 95),
        'first_depth_s': float(arrivals[0] - start) if len(arrivals) else None,
        'pictures': pictures}


def _percentile(values: NDArray, share: float) -> float | None:
    return float(np.percentile(values, share)) if len(values) else None


def _score(frame: Frame, sent: int, heard: dict[str, NDArray], latency: NDArray) -> dict[str, Any]:
    result: dict[str, Any] = {
        'name': frame.name, 'sent': sent, 'received': len(latency),
        'latency_p50_ms': _percentile(latency, 50), 'latency_p95_ms': _percentile(latency, 95)}
    depth = heard.get(f'{frame.name}/depth')
    if depth is not None:
        if depth.shape != frame.depth.shape:
            depth = cv2.resize(depth, frame.depth.shape[::-1], interpolation=cv2.INTER_NEAREST)
        low, high = TRUTH_RANGE
        scored = (frame.depth >= low) & (frame.depth <= high)
        answered = scored & np.isfinite(depth)
        ratio = depth[answered] / frame.depth[answered]
        result |= {
            'answered': float(answered.sum() / scored.sum()),
            'abs_rel': float(np.mean(np.abs(ratio - 1))) if len(ratio) else None,
            'delta1': float(np.mean(np.maximum(ratio, 1 / ratio) < 1.25)) if len(ratio) else None}
    return result


def print_table(result: dict[str, Any]) -> None:
    """Print one line per picture and the totals."""
    print(f'{"picture":<14}{"sent":>6}{"depth":>7}{"p50 ms":>8}{"p95 ms":>8}'
          f'{"abs_rel":>9}{"delta1":>8}{"answered":>10}')
    for row in result['pictures']:
        print(f'{row["name"]:<14}{row["sent"]:>6}{row["received"]:>7}'
              f'{_text(row["latency_p50_ms"], 8, ".0f")}{_text(row["latency_p95_ms"], 8, ".0f")}'
              f'{_text(row.get("abs_rel"), 9, ".3f")}{_text(row.get("delta1"), 8, ".3f")}'
              f'{_text(row.get("answered"), 10, ".0%")}')
    print(f'{result["received"]} of {result["sent"]} pictures answered (the node keeps the newest '
          f'one), {_text(result["rate_hz"], 0, ".1f")} depth images a second; latency from stamp '
          f'to receipt p50 {_text(result["latency_p50_ms"], 0, ".0f")} ms, p95 '
          f'{_text(result["latency_p95_ms"], 0, ".0f")} ms; first depth '
          f'{_text(result["first_depth_s"], 0, ".1f")} s after start')


def _text(value: float | None, width: int, form: str) -> str:
    return f'{"-" if value is None else format(value, form):>{width}}'
