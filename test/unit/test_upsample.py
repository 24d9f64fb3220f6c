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

"""Upsample: planes stay planes, edges stay edges and follow the picture."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.inference.upsample import edge_cells, Upsampler

GREY = np.full((96, 128, 3), 128, np.uint8)


def grid_inverse(plane: np.ndarray, stride: int) -> np.ndarray:
    """Sample (96, 128) inverse range at the centres of stride x stride blocks."""
    blocks = plane.reshape(96 // stride, stride, 128 // stride, stride)
    return blocks.mean((1, 3)).astype(np.float32)


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_a_slanted_plane_is_exact_inside(stride: int) -> None:
    v, u = np.mgrid[:96, :128]
    floor = 0.02 + 0.01 * v + 0.001 * u  # from 50 m to 1 m: inverse range is linear
    upsample = Upsampler((128 // stride, 96 // stride), stride, (128, 96))
    inverse = upsample(grid_inverse(floor, stride), GREY)
    inside = np.s_[stride:-stride, stride:-stride]
    assert np.allclose(inverse[inside], floor[inside], rtol=1e-4)


@pytest.mark.parametrize('edge', [60, 62, 63, 65])
def test_an_edge_follows_the_picture_and_nothing_lies_between(edge: int) -> None:
    inverse = np.full((96, 128), 1 / 4, np.float32)
    image = np.full((96, 128, 3), (200, 180, 160), np.uint8)
    inverse[:, edge:], image[:, edge:] = 1.0, (40, 60, 80)
    coarse = inverse[2::4, 2::4].copy()  # what a network says: one side or the other
    upsample = Upsampler((32, 24), 4, (128, 96))
    fine = upsample(coarse, image)
    assert set(np.unique(fine)) <= {np.float32(0.25), np.float32(1.0)}
    assert (fine != inverse).any(axis=0).sum() <= 1  # within a pixel of the true edge


def test_larger_outputs_have_no_values_between_the_surfaces() -> None:
    coarse = np.full((24, 32), 0.5, np.float32)
    coarse[6:15, 10:20] = 2.0
    image = np.random.default_rng(0).integers(0, 255, (96, 128, 3)).astype(np.uint8)
    fine = Upsampler((32, 24), 4, (333, 251))(coarse, image)
    assert fine.shape == (251, 333)
    assert np.isclose(fine, 0.5).sum() + np.isclose(fine, 2.0).sum() == fine.size


@pytest.mark.parametrize('size', [(128, 96), (240, 180), (333, 251), (640, 360), (100, 60)])
def test_an_edge_stays_in_its_place_at_any_size(size: tuple[int, int]) -> None:
    """Pixels are centres: of many edges as many move to one side as to the other."""
    upsample = Upsampler((32, 24), 4, size)
    for axis, (fine, large) in enumerate(zip((96, 128), size[::-1], strict=True)):
        moved = []
        for edge in range(24, 72):
            before = np.arange(fine).reshape((-1, 1) if axis == 0 else (1, -1)) < edge
            before = np.broadcast_to(before, (96, 128))
            image = np.repeat(np.where(before, 200, 40)[..., None], 3, -1).astype(np.uint8)
            coarse = np.where(before[2::4, 2::4], 0.25, 1.0).astype(np.float32)
            found = upsample(coarse, image)
            at = (found.take(found.shape[1 - axis] // 2, 1 - axis) == 0.25).sum()
            moved.append(at - edge * large / fine)  # both are borders of pixels
        assert abs(np.mean(moved)) < 0.15 and np.abs(moved).max() <= 1.0


def test_weights_are_convex() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.uniform(0.1, 5, (24, 32)).astype(np.float32)
    image = rng.integers(0, 255, (96, 128, 3)).astype(np.uint8)
    upsample = Upsampler((32, 24), 4, (640, 480))
    for result in (upsample(coarse, image), upsample.scale(coarse)):
        assert result.min() >= coarse.min() - 1e-6 and result.max() <= coarse.max() + 1e-6


def test_a_floor_has_no_edges_and_a_box_has() -> None:
    floor = np.tile(np.linspace(0.01, 1, 24, dtype=np.float32)[:, None], (1, 32))
    assert not edge_cells(floor).any()
    floor[8:16, 10:20] = 1.5
    edges = edge_cells(floor).astype(bool)
    assert edges[7, 10:19].all() and edges[8:15, 9].all() and not edges[10:13, 12:17].any()


def test_a_single_row_of_tokens_can_be_upsampled() -> None:
    coarse = np.array([[0.5, 2.0, 0.5]], np.float32)
    fine = Upsampler((3, 1), 32, (96, 32))(coarse, GREY[:32, :96])
    assert fine.shape == (32, 96) and np.isfinite(fine).all()


def test_in_doubt_a_pixel_is_near() -> None:
    inverse = np.full((24, 32), 0.25, np.float32)
    inverse[:, 16:] = 1.0
    fine = Upsampler((32, 24), 4, (128, 96))(inverse, GREY)  # the picture shows no edge
    assert set(np.unique(fine)) == {np.float32(0.25), np.float32(1.0)}
    assert (fine[48] == 1).sum() > 64
