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

"""Statistics: shards in, a table of what their cameras see out, by kind of world."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from grin_ros.data.sample import evenly
from grin_ros.data.shards import ShardDataset

PERCENTILES = (5, 50, 95)
COLUMNS = ('range m', 'frame median m', 'field of view deg', 'pitch deg', 'height m')
PIXELS = 200  # of each frame


def world_stats(directory: Path, count: int = 500) -> str:
    """Return 5th, 50th and 95th percentiles of range, view, pitch and height as a table."""
    dataset = ShardDataset(directory)
    rng = np.random.default_rng(0)
    seen: dict[str, list[list[np.ndarray]]] = {}
    for index in evenly(len(dataset), count):
        sample = dataset[index]
        known = sample.range_m[np.isfinite(sample.range_m)]
        if len(known):
            row = [rng.choice(known, PIXELS), np.array([np.median(known)]),
                   np.array([sample.camera.hfov_deg]),
                   np.array([sample.meta.get('pitch_deg', np.nan)]),
                   np.array([sample.meta.get('height_m', np.nan)])]
            for kind in (str(sample.meta.get('kind', 'all')), 'together'):
                seen.setdefault(kind, []).append(row)
    lines = [f'{"kind":10}{"frames":>8}' + ''.join(f'{name:>22}' for name in COLUMNS)]
    for kind in sorted(seen, key=lambda name: (name == 'together', name)):
        cells = []
        for column in zip(*seen[kind], strict=True):
            values = np.concatenate(column)
            values = values[np.isfinite(values)]
            cells.append(' '.join(f'{value:6.2f}' for value in np.percentile(values, PERCENTILES))
                         if len(values) else 'unknown')
        lines.append(f'{kind:10}{len(seen[kind]):8}' + ''.join(f'{cell:>22}' for cell in cells))
    return '\n'.join(lines)
