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

"""Breakdown: rows of frames in; figures by range and by field of view, and tables of text out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.metrics import NAMES

RANGES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, np.inf)  # [m] of true z
FOVS = (0.0, 40.0, 60.0, 75.0, 90.0, 110.0, 360.0)  # [deg] horizontal
RANGE_NAMES = ('abs_rel', 'delta1', 'scale', 'within_1_sigma')
LEAST = 20  # pixels of a frame in a range, fewer say nothing

Row = dict[str, Any]


def range_bins(depth: NDArray, truth: NDArray, relative_sigma: NDArray,
               answered: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    """
    Score a frame's pixels by their true range.

    :param depth: (N,) answers [m] as they are scored; the others are (N,) too.
    :returns: name of each of RANGES with at least LEAST pixels -> RANGE_NAMES and n.
    """
    bins = {}
    for near, far in zip(RANGES, RANGES[1:]):
        inside = (truth >= near) & (truth < far)
        if inside.sum() < LEAST:
            continue
        ratio, sigma = depth[inside] / truth[inside], relative_sigma[inside]
        bins[range_name(near, far)] = {
            'abs_rel': float(np.mean(np.abs(ratio - 1))),
            'delta1': float(np.mean(np.maximum(ratio, 1 / ratio) < 1.25)),
            'scale': float(np.median(ratio)),
            'within_1_sigma': float(np.mean((np.abs(1 - 1 / ratio) <= sigma) & answered[inside])),
            'n': int(inside.sum())}
    return bins


def range_name(near: float, far: float, unit: str = 'm') -> str:
    """Return the name of an interval."""
    return f'{near:g}-{far:g} {unit}' if far < np.inf else f'{near:g}+ {unit}'


def by_range(rows: Iterable[Row]) -> list[Row]:
    """Return the mean over frames of each of RANGES that occurs."""
    rows, result = list(rows), []
    for near, far in zip(RANGES, RANGES[1:]):
        name = range_name(near, far)
        bins = [row['by_range'][name] for row in rows if name in row['by_range']]
        if bins:
            result.append({'name': name, 'frames': len(bins),
                           **{figure: float(np.mean([each[figure] for each in bins]))
                              for figure in RANGE_NAMES},
                           'n': sum(each['n'] for each in bins)})
    return result


def by_fov(rows: Iterable[Row]) -> list[Row]:
    """Return the mean over frames of each of FOVS that occurs."""
    rows, result = [row for row in rows if row['n']], []
    for low, high in zip(FOVS, FOVS[1:]):
        group = [row for row in rows if low <= row['fov_deg'] < high]
        if group:
            result.append({'name': range_name(low, high, 'deg'), 'frames': len(group),
                           **{figure: float(np.mean([row[figure] for row in group]))
                              for figure in RANGE_NAMES},
                           'n': sum(row['n'] for row in group)})
    return result


def _width(rows: Iterable[Row]) -> int:
    """Return the width of a column that holds every name."""
    return max(24, 1 + max((len(row['name']) for row in rows), default=0))


def table(rows: Iterable[Row]) -> str:
    """Return rows as text, one line each."""
    rows = list(rows)
    width = _width(rows)
    lines = [f'{"frame":{width}}' + ''.join(f'{name:>9}' for name in (*NAMES, 'n', 'cover', 'ms'))]
    for row in rows:
        lines.append(f'{row["name"]:{width}}' + ''.join(f'{row[name]:9.3f}' for name in NAMES)
                     + f'{row["n"]:9d}{row["coverage"]:9.3f}{row["total_ms"]:9.0f}')
    return '\n'.join(lines)


def small_table(rows: Iterable[Row], columns: Sequence[tuple[str, str]], first: str) -> str:
    """Return some figures of rows as text; columns are (key, heading), - is not known."""
    rows = list(rows)
    width = _width(rows)
    lines = [f'{first:{width}}' + ''.join(f'{heading:>12}' for _, heading in columns)]
    for row in rows:
        cells = ('-' if np.isnan(row[key]) else f'{row[key]:d}' if isinstance(row[key], int)
                 else f'{row[key]:.3f}' for key, _ in columns)
        lines.append(f'{row["name"]:{width}}' + ''.join(f'{cell:>12}' for cell in cells))
    return '\n'.join(lines)
