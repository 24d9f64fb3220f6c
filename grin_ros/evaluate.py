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

"""Evaluate: an estimator and Samples with truth in; figures per frame, per group and mean out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.data.sample import Sample
from grin_ros.estimator import DepthEstimate
from grin_ros.metrics import depth_metrics, NAMES

MAX_DEPTH = {'indoor': 10.0, 'driving': 80.0}  # [m] truth beyond is not scored
MIN_DEPTH = 0.2  # [m]

Row = dict[str, Any]


def score(estimate: Callable[[Sample], DepthEstimate], samples: Iterable[Sample],
          alignment: str = 'none', min_depth: float = MIN_DEPTH,
          max_depth: float | None = None) -> list[Row]:
    """
    Score every frame on every pixel whose truth is known and within limits.

    :param estimate: gives the depth of a sample.
    :param samples: with meta 'name' and 'kind' (a key of MAX_DEPTH), if known.
    :param alignment: none, median or scale_shift.
    :param max_depth: None for the kind's own limit.
    :returns: one row per frame: name, kind, the metrics and total_ms.
    """
    rows = []
    for index, sample in enumerate(samples):
        kind = str(sample.meta.get('kind', 'all'))
        truth = true_depth(sample)
        limit = max_depth or MAX_DEPTH.get(kind, MAX_DEPTH['driving'])
        valid = (truth >= min_depth) & (truth <= limit)
        result = estimate(sample)
        rows.append({'name': str(sample.meta.get('name', index)), 'kind': kind,
                     **depth_metrics(result.depth, truth, valid, alignment),
                     'total_ms': result.timing['total']})
    return rows


def true_depth(sample: Sample) -> NDArray[np.float32]:
    """Return the true z-depth [m] of a sample; NaN unknown, +Inf sky."""
    return sample.range_m * sample.camera.rays()[..., 2]


def mean_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the mean over frames of each kind, then of all; frames without truth do not count."""
    scored = [row for row in rows if row['n']]
    kinds = sorted({row['kind'] for row in scored})
    groups = {kind: [row for row in scored if row['kind'] == kind] for kind in kinds}
    if len(groups) != 1:
        groups['all'] = scored
    return [{'name': f'mean {kind}', 'kind': kind, 'frames': len(group),
             **{name: float(np.mean([row[name] for row in group])) for name in NAMES},
             'n': sum(row['n'] for row in group),
             'coverage': float(np.mean([row['coverage'] for row in group])),
             'total_ms': float(np.median([row['total_ms'] for row in group]))}
            for kind, group in groups.items() if group]


def table(rows: Iterable[Row]) -> str:
    """Return rows as text, one line each."""
    lines = [f'{"frame":24}' + ''.join(f'{name:>9}' for name in (*NAMES, 'n', 'cover', 'ms'))]
    for row in rows:
        lines.append(f'{row["name"][:24]:24}' + ''.join(f'{row[name]:9.3f}' for name in NAMES)
                     + f'{row["n"]:9d}{row["coverage"]:9.3f}{row["total_ms"]:9.0f}')
    return '\n'.join(lines)
