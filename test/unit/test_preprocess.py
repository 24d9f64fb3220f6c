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

"""Preprocess: sizes the network can take, and pixels that mean the same before and after."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import has_ray, network_size, View

FISHEYE = Camera(np.array([[180.0, 0, 319.5], [0, 180, 239.5], [0, 0, 1]]), 640, 480,
                 (0.0, 0.0, 0.0, 0.0), 'equidistant')


@pytest.mark.parametrize('width, height', [
    (640, 480), (1280, 720), (1920, 1080), (1242, 375), (480, 640), (741, 500), (64, 64)])
def test_network_size_keeps_the_aspect_and_at_least_the_area(width: int, height: int) -> None:
    w, h = network_size(width, height, (320, 240))
    assert w % 32 == 0 and h % 32 == 0
    assert 320 * 240 <= w * h <= 1.5 * 320 * 240
    assert abs(np.log(w / h * height / width)) < 0.1


def test_the_trained_size_is_used_where_it_fits() -> None:
    assert network_size(640, 512, (320, 256)) == (320, 256)
    assert network_size(1280, 960, (384, 288)) == (384, 288)


@pytest.mark.parametrize('width, height', [(4000, 10), (10, 4000)])
def test_absurd_aspects_stay_affordable(width: int, height: int) -> None:
    w, h = network_size(width, height, (320, 240))
    assert min(w, h) >= 32 and w * h <= 2 * 320 * 240


@pytest.mark.parametrize('stride', [1, 2, 4, 8])
def test_the_grid_covers_the_network_image_evenly(stride: int) -> None:
    view = View.of(Camera.from_hfov(70, 640, 480), (160, 128), stride)
    grid = view.grid.reshape(*view.grid_size[::-1], 2)
    assert grid[0, 0].tolist() == [(stride - 1) / 2] * 2
    assert grid[-1, -1].tolist() == [view.network.width - (stride + 1) / 2,
                                     view.network.height - (stride + 1) / 2]
    assert np.allclose(np.diff(grid[0, :, 0]), stride)


def test_pixels_keep_their_ray_when_the_image_is_resized() -> None:
    view = View.of(FISHEYE, (160, 128), 4)
    pixels = np.array([[0, 0], [100.25, 60], [639, 479]])
    before = FISHEYE.rays_at(pixels)
    assert np.allclose(view.network.rays_at(view.to_network(pixels)), before, atol=1e-5)


def test_a_resized_ramp_shows_its_own_coordinates() -> None:
    camera = Camera.from_hfov(70, 256, 192)
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (192, 1))[..., None], 3, -1)
    view = View.of(camera, (96, 64), 4)
    small = view.image(ramp)
    u = view.to_network(np.stack([np.arange(256), np.zeros(256)], -1))[:, 0]
    shown = np.interp(np.arange(4, small.shape[1] - 4), u, np.arange(256))
    assert np.abs(small[10, 4:-4, 0] - shown).max() <= 0.51


def test_pixels_without_a_ray_are_zeros_and_no_tokens() -> None:
    camera = Camera(np.array([[300.0, 0, 319.5], [0, 300, 239.5], [0, 0, 1]]), 640, 480,
                    (-0.45, 0.0, 0.0, 0.0))
    view = View.of(camera, (160, 128), 4)
    assert np.isfinite(view.rays).all()
    assert 0.1 < view.grid_mask.mean() < 0.9
    corner, centre = view.grid_mask[0], view.grid_mask.reshape(view.grid_size[::-1])[16, 20]
    assert not corner and centre


def test_a_token_needs_all_four_pixels_around_it() -> None:
    rays = np.ones((4, 4, 3), np.float32)
    rays[1, 1] = 0
    asked = np.array([[1, 1], [0.5, 0.5], [2.5, 2.5], [3.4, 3.4]], np.float32)
    assert has_ray(rays, asked).tolist() == [False, False, True, True]


def test_a_camera_that_sees_nothing_at_its_centre_is_refused() -> None:
    # The region of interest lies where this lens projects nothing.
    camera = Camera(np.array([[300.0, 0, 1500], [0, 300, 1500], [0, 0, 1]]), 640, 480,
                    (-0.45, 0.0, 0.0, 0.0))
    with pytest.raises(GrinError, match='region of interest'):
        View.of(camera, (160, 128), 4)


def test_half_a_centre_is_none() -> None:
    """Where the last ray lies beside the centre, its pitch would be half a radian."""
    lens = Camera(np.array([[300.0, 0, 320], [0, 300, 240], [0, 0, 1]]), 640, 480,
                  (-1.0, 0.0, 0.0, 0.0))  # its last ray in the middle row is that of column 435
    assert View.of(lens.cropped(435 - 160, 120, 320, 240), (320, 240), 4).alpha < 0.02
    with pytest.raises(GrinError, match='no viewing ray'):
        View.of(lens.cropped(436 - 160, 120, 320, 240), (320, 240), 4)
