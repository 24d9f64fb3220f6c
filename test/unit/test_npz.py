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

"""Npz frames: z becomes range, and files that are no frames are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grin_ros.data.npz import open_npz
from grin_ros.errors import GrinError

K = np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]])
FRAME = {'rgb': np.zeros((48, 64, 3), np.uint8), 'depth': np.full((48, 64), 2.0, np.float32),
         'K': K, 'source': 'somewhere'}


def test_z_becomes_range_and_holes_stay_holes(tmp_path: Path) -> None:
    depth = FRAME['depth'].copy()
    depth[0, 0], depth[0, 1] = np.nan, 0.0
    np.savez(tmp_path / 'room.npz', **{**FRAME, 'depth': depth})
    (sample,) = open_npz(tmp_path)
    assert np.isnan(sample.range_m[0, :2]).all()
    assert sample.range_m[47, 63] == pytest.approx(2 * np.hypot(np.hypot(31.5, 23.5) / 50, 1))
    assert sample.meta == {'name': 'room', 'source': 'somewhere', 'kind': 'indoor'}


def test_driving_frames_are_known_by_their_name(tmp_path: Path) -> None:
    for name in ('kitti_8', 'nusc_back', 'desk'):
        np.savez(tmp_path / f'{name}.npz', **FRAME)
    frames = open_npz(tmp_path)
    assert len(frames) == 3
    assert [sample.meta['kind'] for sample in frames] == ['indoor', 'driving', 'driving']


@pytest.mark.parametrize('change', [
    {'rgb': np.zeros((48, 64), np.uint8)}, {'depth': np.zeros((4, 4))},
    {'depth': np.full((48, 64), 2000, np.uint16)}, {'K': np.zeros((3, 3))}])
def test_a_wrong_frame_is_refused(tmp_path: Path, change: dict) -> None:
    np.savez(tmp_path / 'bad.npz', **{**FRAME, **change})
    with pytest.raises(GrinError):
        open_npz(tmp_path)[0]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / 'broken.npz').write_bytes(b'PK\x03\x04 nothing')
    with pytest.raises(GrinError, match='broken.npz'):
        open_npz(tmp_path)[0]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GrinError, match='there are no frames in .*npz'):
        open_npz(tmp_path)
