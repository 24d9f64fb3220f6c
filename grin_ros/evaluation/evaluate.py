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
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.data.sample import Sample
from grin_ros.estimator import DepthEstimate
from grin_ros.evaluation.breakdown import range_bins, Row
from grin_ros.evaluation.protocol import Protocol
from grin_ros.metrics import depth_metrics, edges, NAMES, scored_depth, sigma

EDGE_NAMES = ('edge_abs_rel', 'flying', 'edge_abs_rel_grid', 'edge_abs_rel_linear')
MEANS = (*NAMES, 'coverage', 'scale', *sigma.NAMES, *EDGE_NAMES)
DENSE = 0.8  # share of known pixels from which on truth has edges that can be scored

DEFAULT = Protocol()

Grid = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class Scored:
    """
    One frame and what became of it.

    :param row: its figures: name, kind, fov_deg, n, MEANS, ratios(), by_range, total_ms.
    :param answer: (H, W) z [m] as it came.
    :param depth: (H, W) z [m] as it was scored; NaN where it was not.
    :param truth: (H, W) true z [m].
    :param spread: (H, W) relative sigma.
    """

    sample: Sample
    row: Row
    answer: NDArray[np.float32]
    depth: NDArray[np.float64]
    truth: NDArray[np.float32]
    spread: NDArray[np.float32]

    def errors(self) -> tuple[str, NDArray[np.float64], NDArray[np.float32]]:
        """Return kind, |depth - truth| / truth (N,) and sigma / depth (N,): PooledRisk.add."""
        valid = ~np.isnan(self.depth)
        truth = self.truth[valid]
        return self.row['kind'], np.abs(self.depth[valid] - truth) / truth, self.spread[valid]


def score(estimate: Callable[[Sample], DepthEstimate], samples: Iterable[Sample],
          protocol: Protocol = DEFAULT, alignment: str = 'none',
          grid: Callable[[Sample], Grid] | None = None,
          watch: Callable[[Scored], None] | None = None) -> list[Row]:
    """
    Score every frame on every pixel whose truth is known and within the protocol's limits.

    :param estimate: gives the depth of a sample.
    :param samples: with meta 'name' and 'kind' (a key of MAX_DEPTH), if known.
    :param alignment: none, median or scale_shift.
    :param grid: gives what the query grid can know of a sample (grid_limit.through_grid).
    :param watch: is shown every frame.
    :returns: one row per frame, the worst first, those without truth last.
    """
    rows = []
    for index, sample in enumerate(samples):
        scored = score_frame(sample, estimate(sample), frame_name(sample, index), protocol,
                             alignment, grid)
        rows.append(scored.row)
        if watch:
            watch(scored)
    return sorted(rows, key=badness)


def frame_name(sample: Sample, index: int) -> str:
    """Return the name of a frame; rendered ones are called by what renders them again."""
    meta = sample.meta
    if 'seed' in meta and 'index' in meta:
        return f'{meta.get("kind", "world")}_{meta["seed"]}_{meta["index"]}'
    return str(meta.get('name', index))


def badness(row: Row) -> float:
    """Return the key that sorts the worst frame first."""
    return -row['abs_rel'] if row['n'] else np.inf


def score_frame(sample: Sample, result: DepthEstimate, name: str, protocol: Protocol,
                alignment: str, grid: Callable[[Sample], Grid] | None = None) -> Scored:
    """Score one frame."""
    kind, truth = str(sample.meta.get('kind', 'all')), true_depth(sample)
    valid = protocol.valid(truth, kind)
    clamp = protocol.limits(kind) if protocol.clamp else None
    row = {'name': name, 'kind': kind, 'fov_deg': sample.camera.hfov_deg,
           **depth_metrics(result.depth, truth, valid, alignment, clamp)}
    depth = np.full(truth.shape, np.nan)
    doubt = result.spread[valid]
    if row['n']:
        depth[valid] = scored_depth(result.depth, truth, valid, alignment, clamp)
    answer, true, answered = depth[valid], truth[valid], np.isfinite(result.depth[valid])
    row['scale'] = float(np.median(answer / true)) if row['n'] else float('nan')
    row |= sigma.sigma_metrics(answer, true, doubt, answered)
    row |= _edge_metrics(sample, result, depth, truth, valid, protocol, grid)
    row['by_range'] = range_bins(answer, true, doubt, answered)
    row['total_ms'] = result.timing['total']
    return Scored(sample, row, result.depth, depth, truth, result.spread)


def _edge_metrics(sample: Sample, result: DepthEstimate, depth: NDArray, truth: NDArray,
                  valid: NDArray[np.bool_], protocol: Protocol,
                  grid: Callable[[Sample], Grid] | None) -> Row:
    """Return EDGE_NAMES and ratios(); NaN where the truth is no judge of edges."""
    row: Row = dict.fromkeys((*EDGE_NAMES, 'edge_ratio', 'upsample_ratio'), float('nan'))
    if not protocol.edges or np.mean(~np.isnan(truth)) < DENSE:
        return row
    near = edges.near_edges(truth) & valid
    if not near.any():
        return row
    row['edge_abs_rel'] = _abs_rel(depth, truth, near)
    row['flying'] = edges.flying_share(result.depth, truth, near)
    if grid is not None:
        row['edge_abs_rel_grid'], row['edge_abs_rel_linear'] = (
            _abs_rel(scored_depth(limit, truth, near), truth[near]) for limit in grid(sample))
    return row | ratios(row)


def _abs_rel(depth: NDArray, truth: NDArray, mask: Any = ...) -> float:
    return float(np.mean(np.abs(depth[mask] - truth[mask]) / truth[mask]))


def ratios(row: Row) -> Row:
    """
    Return what errors near edges are beside those of a perfect network on the query grid.

    :returns: edge_ratio, of the answer; upsample_ratio, of our interpolation over a linear one.
    """
    grid, linear = (max(row[f'edge_abs_rel_{name}'], 1e-6) for name in ('grid', 'linear'))
    return {'edge_ratio': row['edge_abs_rel'] / grid, 'upsample_ratio': grid / linear}


def true_depth(sample: Sample) -> NDArray[np.float32]:
    """Return the true z-depth [m] of a sample; NaN unknown, +Inf sky."""
    return sample.range_m * sample.camera.rays()[..., 2]


def mean_row(name: str, kind: str, rows: list[Row]) -> Row:
    """Return the mean of frames with truth; a figure that a frame lacks does not count."""
    row: Row = {'name': name, 'kind': kind, 'frames': len(rows)}
    for figure in MEANS:
        known = [each[figure] for each in rows if not np.isnan(each[figure])]
        row[figure] = float(np.mean(known)) if known else float('nan')
    return {**row, **ratios(row), 'n': sum(each['n'] for each in rows),
            'total_ms': float(np.median([each['total_ms'] for each in rows]))}


def mean_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the mean over frames of each kind, then of all; frames without truth do not count."""
    scored = [row for row in rows if row['n']]
    kinds = sorted({row['kind'] for row in scored})
    groups = {kind: [row for row in scored if row['kind'] == kind] for kind in kinds}
    if len(groups) != 1:
        groups['all'] = scored
    return [mean_row(f'mean {kind}', kind, group) for kind, group in groups.items() if group]
