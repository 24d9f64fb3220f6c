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

from grin_ros import visualise
from grin_ros.demo.frames import Frame
from grin_ros.metrics import depth_metrics

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
        result['answered'] = float(answered.sum() / scored.sum())
        if answered.any():
            scores = depth_metrics(depth, frame.depth, answered)
            result |= {name: scores[name] for name in ('abs_rel', 'delta1')}
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


def write_picture(frames: list[Frame], recorded: Path, path: Path) -> Path:
    """Draw photo, received depth, sigma and cloud of every picture that was answered."""
    rows = []
    with np.load(recorded) as archive:
        for frame in frames:
            depth = archive.get(f'{frame.name}/depth')
            if depth is None:
                continue
            points, colours = _cloud(archive, frame)
            sigma = archive.get(f'{frame.name}/sigma')
            rows.append(visualise.panel(frame.image, depth, sigma, points, colours, height=240,
                                        title=frame.name))
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows]
    visualise.write_picture(path, np.vstack(rows))
    return path


def write_cloud(frames: list[Frame], recorded: Path, path: Path) -> Path:
    """Write the received cloud of the first picture that has one as PLY."""
    with np.load(recorded) as archive:
        for frame in frames:
            points, colours = _cloud(archive, frame)
            if len(points):
                visualise.write_ply(path, points, colours)
                break
    return path


def _cloud(archive: Any, frame: Frame) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return (N, 3) points [m] and (N, 3) RGB; rgb is 0x00RRGGBB in the bits of a float."""
    cloud = archive.get(f'{frame.name}/points')
    if cloud is None:
        return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8)
    bits = np.ascontiguousarray(cloud[:, 3]).view(np.uint32)
    colours = np.stack([bits >> 16 & 255, bits >> 8 & 255, bits & 255], -1).astype(np.uint8)
    return cloud[:, :3], colours
