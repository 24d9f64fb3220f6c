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

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.data.sample import evenly
from grin_ros.data.shards import ShardDataset


def color_range(range_m: NDArray, near_m: float = 0.3, far_m: float = 100.0) -> NDArray[np.uint8]:
    """Colour (H, W) ranges on a log scale as BGR: red near, blue far, white sky, black unknown."""
    finite = np.isfinite(range_m)
    share = np.log(np.where(finite, range_m, 1) / near_m) / np.log(far_m / near_m)
    picture = cv2.applyColorMap((255 * (1 - np.clip(share, 0, 1))).astype(np.uint8),
                                cv2.COLORMAP_TURBO)
    picture[~finite] = 0
    picture[np.isposinf(range_m)] = 255
    return picture


def write_preview(directory: Path, path: Path, count: int = 48, columns: int = 6) -> None:
    """Write up to count frames, spread evenly, each as picture | depth."""
    dataset = ShardDataset(directory)
    tiles = []
    for index in evenly(len(dataset), count):
        sample = dataset[index]
        tiles.append(np.hstack([cv2.cvtColor(sample.image, cv2.COLOR_RGB2BGR),
                                color_range(sample.range_m)]))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[i:i + columns]) for i in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))
