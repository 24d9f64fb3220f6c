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

"""Datasets: a name and a folder in; its frames and the protocol they are scored by out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

from grin_ros.data.folder import open_folder
from grin_ros.data.kitti import open_kitti
from grin_ros.data.middlebury import open_middlebury
from grin_ros.data.npz import open_npz
from grin_ros.data.nyu import open_nyu
from grin_ros.data.sample import Sample
from grin_ros.data.shards import ShardDataset
from grin_ros.data.tum import open_tum
from grin_ros.errors import GrinError
from grin_ros.evaluation.protocol import Protocol


class Samples(Interface):
    """What every reader returns."""

    def __len__(self) -> int:
        """Return the number of frames."""

    def __getitem__(self, index: int) -> Sample:
        """Read one frame."""


@dataclass(frozen=True)
class Dataset:
    """
    A layout of files that users have on disk.

    :param open: lists the frames of a folder.
    :param protocol: how it is scored unless asked otherwise.
    """

    open: Callable[[Path], Samples]  # noqa: A003, RUF100
    protocol: Protocol = Protocol()


DATASETS = {
    'folder': Dataset(open_folder),
    'kitti': Dataset(open_kitti, Protocol('garg', 1e-3, 80.0, clamp=True, edges=False)),
    'middlebury': Dataset(open_middlebury),
    'npz': Dataset(open_npz),
    'nyu': Dataset(open_nyu, Protocol('nyu', 0.1, 10.0, clamp=True, edges=False)),
    'shards': Dataset(ShardDataset),
    'tum': Dataset(open_tum, Protocol(edges=False)),
}


def open_dataset(name: str, folder: Path) -> Samples:
    """Return the frames of a dataset, or refuse a folder that is none."""
    folder = Path(folder).expanduser()
    if not folder.exists():
        raise GrinError(f'there is no {folder}: give the folder of the dataset')
    return DATASETS[name].open(folder)


def chosen(samples: Samples, count: int | None) -> list[int]:
    """Return the indices of count frames spread evenly over all of them; None for all."""
    total = len(samples)
    if count is None or count >= total:
        return list(range(total))
    return [index * total // count for index in range(count)]
