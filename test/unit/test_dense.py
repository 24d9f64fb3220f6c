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

"""Dense: what is interpolated is what the lens does, and few of its pixels are asked."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.camera.dense import dense_ray_z, dense_rays, dense_slopes, interpolated

K = np.array([[461.0, 0, 322.5], [0, 459.0, 236.25], [0, 0, 1]])
SKEWED = K + [[0, 3.0, 0], [0, 0, 0], [0, 0, 0]]
LENSES = {
    'ideal': ('plumb_bob', ()),
    'barrel': ('plumb_bob', (-0.3, 0.1, 0.001, -0.002)),
    'folded': ('plumb_bob', (-0.45, 0.0, 0.0, 0.0)),
    'rational': ('rational_polynomial', (1.2, -3.1, 0.001, -0.0007, 1.9, 1.1, -2.9, 1.7)),
    'tilted': ('rational_polynomial', (-0.2, 0.05, 0.001, -0.0007, 0.0, 0.1, 0.0, 0.0,
                                       0.01, -0.002, 0.003, 0.001, 0.02, -0.03)),
    'fisheye': ('equidistant', (-0.01, 0.02, -0.01, 0.002)),
}


class Counting:
    """The rays of a camera; ``count`` is how many were asked for."""

    def __init__(self, camera: Camera) -> None:
        self.camera, self.count = camera, 0

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        self.count += len(pixels)
        return self.camera.rays_at(pixels)


def lens(name: str, zoom: float = 1.0, k: np.ndarray = K) -> Camera:
    """Return a camera whose focal length is multiplied."""
    model, distortion = LENSES[name]
    return Camera(k * [[zoom, zoom, 1], [1, zoom, 1], [1, 1, 1]], 640, 480, distortion, model)


@pytest.mark.parametrize('zoom', [1.0, 0.6, 0.35])
@pytest.mark.parametrize('name', LENSES)
def test_rays_are_those_of_each_pixel(name: str, zoom: float) -> None:
    """To 5e-6, and there are rays where there are: also at folds, and up to 90 degrees."""
    camera = lens(name, zoom)
    exact = camera.rays_at(camera.pixel_grid()).reshape(480, 640, 3)
    z = exact[..., 2]
    rays, ray_z = dense_rays(camera), dense_ray_z(camera)
    assert (rays.dtype, ray_z.dtype) == (np.float32, np.float32)
    assert np.array_equal(np.isnan(rays), np.isnan(exact))
    assert np.array_equal(np.isnan(ray_z), np.isnan(z))
    assert np.nanmax(np.abs(rays - exact)) < 5e-6
    ahead = z > 0.05
    assert np.abs(ray_z[ahead] / z[ahead] - 1).max() < 5e-6


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('name, zoom', [('ideal', 1), ('barrel', 0.6), ('folded', 1),
                                        ('fisheye', 0.35)])
def test_slopes_are_those_of_every_so_manyeth_ray(name: str, zoom: float, stride: int) -> None:
    camera = lens(name, zoom)
    exact = camera.rays_at(camera.pixel_grid()).reshape(480, 640, 3)[::stride, ::stride]
    x, y, z = np.moveaxis(exact.astype(np.float64), -1, 0)
    slope_x, slope_y = dense_slopes(camera, stride)
    assert np.array_equal(~np.isnan(slope_x), z > 0)
    assert np.array_equal(~np.isnan(slope_y), z > 0)
    seen = z > 0.05
    error = np.hypot(slope_x[seen] - (x / z)[seen], slope_y[seen] - (y / z)[seen])
    assert (error * z[seen]).max() < 5e-6


def test_skew_moves_each_row_of_a_pinhole() -> None:
    camera = lens('ideal', k=SKEWED)
    exact = camera.rays_at(camera.pixel_grid()).reshape(480, 640, 3)
    slope_x, slope_y = dense_slopes(camera, 2)
    assert np.array_equal(dense_rays(camera), exact)
    assert np.allclose(dense_ray_z(camera), exact[..., 2], rtol=1e-6)
    assert np.allclose(slope_x, (exact[..., 0] / exact[..., 2])[::2, ::2], atol=1e-6)
    assert np.allclose(slope_y, (exact[..., 1] / exact[..., 2])[::2, ::2], atol=1e-6)


@pytest.mark.parametrize('name', ['barrel', 'rational', 'tilted', 'fisheye'])
def test_few_pixels_are_asked_and_no_more_of_larger_images(name: str) -> None:
    """Newton's method at each pixel of 1080p takes half a second."""
    asked = []
    for scale in (1, 3):
        rays = Counting(lens(name).scaled(640 * scale, 480 * scale))
        interpolated(rays, rays.camera.width, rays.camera.height, 1e-6, relative=True)
        asked.append(rays.count)
    assert asked[0] < 0.05 * 640 * 480 and asked[1] < 1.5 * asked[0]


def test_where_a_lens_ends_only_the_pixels_beside_it_are_asked() -> None:
    rays = Counting(lens('folded', 0.35))
    seen = np.isfinite(interpolated(rays, 640, 480, 1e-6)[0])
    assert 0.05 < seen.mean() < 0.4
    assert rays.count < 0.2 * 640 * 480


def test_small_images_are_asked_whole() -> None:
    camera = lens('barrel').scaled(80, 60)
    assert np.array_equal(dense_rays(camera), camera.rays())


def test_what_is_not_smooth_is_asked() -> None:
    """A step between two nodes, and one that leaves nothing on one side."""
    for beyond in (5.0, np.nan):
        def step(pixels: np.ndarray, beyond: float = beyond) -> np.ndarray:
            return np.where(pixels[:, :1] < 333.3, 1.0, beyond)
        found = interpolated(step, 640, 480, 1e-6)[0]
        assert np.allclose(found[:, :334], 1) and np.allclose(found[:, 334:], beyond,
                                                              equal_nan=True)
