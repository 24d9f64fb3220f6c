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

"""Decode: sky is infinite, what has no ray is unknown, and z is not range."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import angular_pitch, DepthCodec
from grin_ros.errors import GrinError
from grin_ros.inference.decode import Decoder
from grin_ros.inference.preprocess import View

CAMERA = Camera.from_hfov(80, 160, 128)


def decoder(camera: Camera = CAMERA, scale: str = 'metric', output_scale: int = 1) -> Decoder:
    return Decoder(View.of(camera, (160, 128), 4), DepthCodec(scale), output_scale)


def decode(made: Decoder, range_m: np.ndarray | float) -> np.ndarray:
    view = made.view
    ranges = np.broadcast_to(range_m, len(view.grid)).astype(np.float64)
    p = made.codec.encode(ranges, view.alpha).astype(np.float32)
    small = np.full((view.network.height, view.network.width, 3), 99, np.uint8)
    return made.depth(p, made.ray_z, small)


@pytest.mark.parametrize('scale', ['metric', 'canonical'])
@pytest.mark.parametrize('output_scale', [1, 2, 4])
def test_depth_is_range_times_the_rays_z(scale: str, output_scale: int) -> None:
    depth = decode(decoder(scale=scale, output_scale=output_scale), 3.0)
    camera = CAMERA.scaled(160 // output_scale, 128 // output_scale)
    assert depth.shape == (camera.height, camera.width) and depth.dtype == np.float32
    assert np.allclose(depth, 3 * camera.rays()[..., 2], rtol=1e-4)


@pytest.mark.parametrize('scale', ['metric', 'canonical'])
def test_sky_is_infinite_and_far_walls_are_not(scale: str) -> None:
    assert (decode(decoder(scale=scale), 190.0) == np.inf).all()
    assert np.isfinite(decode(decoder(scale=scale), 100.0)).all()


def test_a_network_that_answers_nan_is_unknown_and_not_far() -> None:
    assert np.isnan(decode(decoder(), np.nan)).all()


def test_without_a_ray_there_is_no_depth() -> None:
    camera = Camera(np.array([[60.0, 0, 79.5], [0, 60, 63.5], [0, 0, 1]]), 160, 128,
                    (-0.45, 0.0, 0.0, 0.0))
    made = decoder(camera)
    no_ray = np.isnan(camera.rays()[..., 2])
    # Tokens without a ray answer anything; they must not leak into their neighbours.
    wild = np.where(made.view.grid_mask, 2.0, 150.0)
    depth = decode(made, wild)
    assert np.isnan(depth[no_ray]).all()
    assert np.allclose((depth / made.ray_z)[~no_ray], 2.0, rtol=1e-4)


def test_rays_that_point_backwards_have_no_depth() -> None:
    fisheye = Camera(np.array([[40.0, 0, 79.5], [0, 40, 63.5], [0, 0, 1]]), 160, 128,
                     (0.0, 0.0, 0.0, 0.0), 'equidistant')
    depth = decode(decoder(fisheye), 2.0)
    assert np.isnan(depth[64, 0]) and depth[64, 80] == pytest.approx(2.0, rel=1e-3)
    assert not (depth <= 0).any()


def test_what_is_interpolated_of_a_lens_moves_no_scale() -> None:
    """The pitch of a pixel scales all of a canonical depth, and is 1/300 of the rays' own size."""
    camera = Camera(Camera.from_hfov(80, 640, 480).intrinsics, 640, 480, (-0.2, 0.05, 0.0, 0.0))
    made = decoder(camera, 'canonical')
    assert made.view.alpha == float(angular_pitch(made.view.network.rays()))
    assert np.allclose(decode(made, 3.0), 3 * camera.rays()[..., 2], rtol=1e-5)


def test_single_pixels_are_decoded_like_the_grid() -> None:
    made = decoder()
    pixels = np.array([[0.0, 0.0], [79.5, 63.5]])
    p = made.codec.encode(np.array([3.0, 180.0]), made.view.alpha).astype(np.float32)
    depth = made.depth(p, made.ray_z_at(pixels, np.array([True, True])), None)
    assert depth[0] == pytest.approx(3 * CAMERA.rays()[0, 0, 2], rel=1e-4) and depth[1] == np.inf
    assert np.isnan(made.depth(p, made.ray_z_at(pixels, np.array([False, True])), None)[0])


def test_spread_is_interpolated_to_the_output() -> None:
    made = decoder(output_scale=2)
    spread = made.spread(np.full(len(made.view.grid), 0.1, np.float32))
    assert spread.shape == made.ray_z.shape and np.allclose(spread, 0.1)


def test_noise_of_the_grid_is_kept_until_the_seed_changes() -> None:
    made = decoder()
    first = made.noise(made.view.grid, 0, 2, keep=True)
    assert made.noise(made.view.grid, 0, 2, keep=True) is first
    other = made.noise(made.view.grid, 1, 2, keep=True)
    assert np.array_equal(other[0], first[1])


def test_an_output_scale_must_be_one_two_or_four() -> None:
    with pytest.raises(GrinError, match='output_scale must be 1, 2 or 4, not 3'):
        decoder(output_scale=3)
