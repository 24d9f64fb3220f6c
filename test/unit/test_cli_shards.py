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


"""The verb shards: frames on disk become what training reads, with every label they had."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.cli import main
from grin_ros.cli.shards import shrunk
from grin_ros.data.sample import Sample
from grin_ros.data.shards import ShardDataset


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Write two npz frames with one label in a hundred."""
    folder, rng = tmp_path / 'frames', np.random.default_rng(0)
    folder.mkdir()
    for name in ('a', 'b'):
        depth = np.where(rng.random((48, 64)) < 0.01, rng.uniform(1, 5, (48, 64)), np.nan)
        smooth = cv2.resize(rng.integers(0, 255, (6, 8, 3)).astype(np.uint8), (64, 48))
        np.savez(folder / f'{name}.npz', rgb=smooth, depth=depth.astype(np.float32),
                 K=np.array([[50.0, 0, 31.5], [0, 50, 23.5], [0, 0, 1]]))
    return folder


def test_shards_have_the_frames_and_their_labels(
        frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'out'
    assert main(['shards', '--data', str(frames), '--dataset', 'npz', '--out', str(out)]) == 0
    shards = ShardDataset(out)
    assert len(shards) == 2
    # Who took millimetres for metres reads of kilometres.
    middle = np.mean([np.nanmedian(sample.range_m) for sample in (shards[0], shards[1])])
    assert f'{middle:.2f} m in the middle' in capsys.readouterr().out
    for name, sample in zip('ab', (shards[0], shards[1]), strict=True):
        given = np.load(frames / f'{name}.npz')
        range_m = given['depth'] / sample.camera.rays()[..., 2]
        np.testing.assert_allclose(sample.range_m, range_m, rtol=2e-4)
        assert np.abs(sample.image.astype(int) - given['rgb']).mean() < 4


def test_labels_survive_shrinking() -> None:
    """A label falls on the pixel that sees its ray; of two as central, the nearer one stays."""
    camera = Camera.from_hfov(70, 64, 48)
    range_m = np.full((48, 64), np.nan, np.float32)
    range_m[10, 20], range_m[11, 21], range_m[40, 5], range_m[2, 2] = 3.0, 2.0, 7.0, np.inf
    small = shrunk(Sample(np.zeros((48, 64, 3), np.uint8), range_m, camera), 32)
    assert small.image.shape == (24, 32, 3) and small.camera.width == 32
    assert {(int(v), int(u)): float(small.range_m[v, u])
            for v, u in zip(*np.nonzero(~np.isnan(small.range_m)), strict=True)} == {
                (5, 10): 2.0, (20, 2): 7.0, (1, 1): float('inf')}
    turned = small.camera.rays()[20, 2] @ camera.rays()[40, 5]
    assert np.degrees(np.arccos(min(1.0, float(turned)))) < 1.5


def test_dense_labels_do_not_come_nearer() -> None:
    """A wall with 2 % of noise keeps its mean, and a label at the centre goes before others."""
    camera, rng = Camera.from_hfov(70, 300, 150), np.random.default_rng(0)
    range_m = (4 * rng.normal(1, 0.02, (150, 300))).astype(np.float32)
    small = shrunk(Sample(np.zeros((150, 300, 3), np.uint8), range_m, camera), 100)
    assert small.range_m.mean() == pytest.approx(4, rel=2e-3)
    np.testing.assert_array_equal(small.range_m, range_m[1::3, 1::3])


@pytest.mark.parametrize('width', [150, 75])  # of 75 or 38 rows: four as near, or two
def test_halved_labels_do_not_come_nearer(width: int) -> None:
    """No label is at the centre then; the wall keeps its mean, and a slope its place."""
    camera, rng = Camera.from_hfov(70, 300, 150), np.random.default_rng(0)
    image = np.zeros((150, 300, 3), np.uint8)
    range_m = (4 * rng.normal(1, 0.02, (150, 300))).astype(np.float32)
    assert shrunk(Sample(image, range_m, camera), width).range_m.mean() == pytest.approx(
        range_m.mean(), rel=2e-3)
    slope = np.broadcast_to(np.arange(100, 400, dtype=np.float32), (150, 300))
    assert shrunk(Sample(image, slope, camera), width).range_m.mean() == pytest.approx(
        slope.mean(), abs=0.02)


def test_a_frame_without_labels_is_shrunk() -> None:
    nothing = np.full((48, 64), np.nan, np.float32)
    small = shrunk(Sample(np.zeros((48, 64, 3), np.uint8), nothing, Camera.from_hfov(70, 64, 48)),
                   32)
    assert small.range_m.shape == (24, 32) and np.isnan(small.range_m).all()


def test_two_sets_do_not_mix(frames: Path, tmp_path: Path,
                             capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'npz-000000.tar').write_bytes(b'')
    assert main(['shards', '--data', str(frames), '--dataset', 'npz', '--out', str(out)]) == 2
    assert 'new folder' in capsys.readouterr().err
