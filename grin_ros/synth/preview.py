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

"""Preview: shards in, a contact sheet of pictures and depths out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from grin_ros.data.sample import evenly
from grin_ros.data.shards import ShardDataset
from grin_ros.visualise import colour_depth, write_picture

NEAR_M, FAR_M = 0.3, 100.0  # the ends of the colours


def write_preview(directory: Path, path: Path, count: int = 48, columns: int = 6) -> None:
    """Write up to count frames, spread evenly, each as picture | depth."""
    dataset = ShardDataset(directory)
    tiles = []
    for index in evenly(len(dataset), count):
        sample = dataset[index]
        tiles.append(np.hstack([sample.image, colour_depth(sample.range_m, NEAR_M, FAR_M)]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i:i + columns]) for i in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, np.vstack(rows))
