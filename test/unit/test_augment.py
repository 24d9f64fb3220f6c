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

"""Augmentation keeps image, rays and ranges in register."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='batches are torch tensors')

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.data.sample import Sample  # noqa: E402
from grin_ros.train import augment  # noqa: E402
from grin_ros.train.augment import Example, make_example, MIN_HFOV_DEG, random_crop  # noqa: E402
from grin_ros.train.batches import collate  # noqa: E402

CAMERAS = {
    'pinhole': Camera.from_hfov(80, 160, 120),
    'distorted': Camera(Camera.from_hfov(80, 160, 120).intrinsics, 160, 120, (-0.2, 0.05, 0, 0)),
    'fisheye': Camera(np.array([[60, 0, 79.5], [0, 60, 59.5], [0, 0, 1.0]]), 160, 120,
                      (0.02, 0, 0, 0), 'equidistant')}


def wall(camera: Camera) -> Sample:
    """Return a wall z = 4 m whose range follows from the ray alone."""
    rays = camera.rays()
    return Sample(np.full((120, 160, 3), 128, np.uint8), 4 / rays[..., 2], camera)


def rays_at(example: Example) -> np.ndarray:
    """Return the example's rays at its pixels, bilinear as the network samples them."""
    u, v = example.pixels[example.mask].T
    h, w = example.rays.shape[:2]
    i, j = np.clip(v.astype(int), 0, h - 2), np.clip(u.astype(int), 0, w - 2)
    a, b = (v - i)[:, None], (u - j)[:, None]
    return ((1 - a) * ((1 - b) * example.rays[i, j] + b * example.rays[i, j + 1])
            + a * ((1 - b) * example.rays[i + 1, j] + b * example.rays[i + 1, j + 1]))


@pytest.mark.parametrize('lens', CAMERAS)
@pytest.mark.parametrize('size', [(128, 96), (192, 64), (320, 256)])
def test_ranges_stay_on_the_wall_after_crop_resize_and_flip(lens: str, size: tuple) -> None:
    """Range times the ray's z is 4 m at every token, for every lens, crop, size and flip."""
    for seed in range(12):
        example = make_example(wall(CAMERAS[lens]), size, 300, 100, np.random.default_rng(seed),
                               no_intrinsics_rate=0)
        z = example.range_m[example.mask] * rays_at(example)[:, 2]
        inside = ((example.pixels[example.mask] > 0)
                  & (example.pixels[example.mask] < np.array(size) - 1)).all(1)
        np.testing.assert_allclose(z[inside], 4, rtol=4e-3)
        assert example.image.shape == (size[1], size[0], 3)


def test_crops_are_seldom_narrower_than_the_limit() -> None:
    """Crops keep at least about 17 degrees of horizontal field of view."""
    for seed in range(60):
        _, _, camera = random_crop(wall(Camera.from_hfov(30, 160, 120)), (128, 64),
                                   np.random.default_rng(seed))
        fov = 2 * np.rad2deg(np.arctan(camera.width / 2 / camera.intrinsics[0, 0]))
        assert fov > MIN_HFOV_DEG - 1


@pytest.mark.parametrize('width, height', [(12, 12), (24, 10), (10, 24), (2, 2)])
def test_frames_may_be_smaller_than_any_crop(width: int, height: int) -> None:
    camera = Camera.from_hfov(70, width, height)
    sample = Sample(np.full((height, width, 3), 99, np.uint8), 4 / camera.rays()[..., 2], camera)
    for seed in range(8):
        image, range_m, crop = random_crop(sample, (64, 32), np.random.default_rng(seed))
        assert image.shape[:2] == range_m.shape == (crop.height, crop.width)
        assert crop.width <= width and crop.height <= height
        example = make_example(sample, (64, 32), 50, 10, np.random.default_rng(seed))
        assert example.image.shape == (32, 64, 3) and np.isfinite(example.rays).all()


def test_collate_pads_tokens_and_prompts_behind_masks() -> None:
    """Samples with few labels or no prompts share a batch with others."""
    few = wall(CAMERAS['pinhole'])
    few.range_m[2:] = np.nan
    rng = np.random.default_rng(1)
    batch = collate([make_example(few, (64, 32), 500, 50, rng, prompt_rate=1.0),
                     make_example(wall(CAMERAS['pinhole']), (64, 32), 500, 50, rng,
                                  prompt_rate=0.0)])
    assert batch['range_m'].shape == (2, 500) and not batch['mask'][0].all()
    assert bool(batch['range_m'].isfinite().all())
    assert not batch['prompt_mask'][1].any()


def test_restyle_changes_looks_and_keeps_edges() -> None:
    """Colours move, the mean stays about, and every strong edge is where an edge was."""
    image = np.full((60, 80, 3), (0.2, 0.4, 0.3), np.float32)
    image[:, 40:] = (0.7, 0.6, 0.9)
    moved = 0.0
    for seed in range(20):
        out = augment.restyle(image, np.random.default_rng(seed))
        assert out.shape == image.shape and out.dtype == np.float32
        assert out.min() >= 0 and out.max() <= 1
        assert abs(out.mean() - image.mean()) < 0.1
        steps = np.abs(np.diff(out[5:-5, 5:-5], axis=1)).max((0, 2))
        assert (steps[np.r_[:31, 38:len(steps)]] < 1e-3).all()  # columns 5..75; the edge is at 34
        moved = max(moved, float(np.abs(out - image).mean()))
    assert moved > 0.1


def test_restyle_rate_says_how_often() -> None:
    """At 0 a coloured edge keeps its direction in colour, at 1 it seldom does."""
    image = np.full((60, 80, 3), (50, 100, 75), np.uint8)
    image[:, 40:] = (180, 150, 230)

    def kept(rate: float) -> int:
        rngs = (np.random.default_rng(seed) for seed in range(40))
        steps = [np.diff(augment.photometric(image, rng, rate)[:, [10, 70]].mean(0), axis=0)[0]
                 for rng in rngs]
        return sum(bool((step > 0).all()) for step in steps)

    assert kept(0.0) == 40
    assert kept(1.0) < 30


def test_noise_is_that_of_photos():
    """Most cameras have hardly any, some a lot: a grey card deviates by 0.3 % of white, median."""
    card = np.full((64, 64, 3), 120, np.uint8)
    noise = []
    for seed in range(120):
        shot = augment.photometric(card, np.random.default_rng(seed), 0.0).astype(np.float32) / 255
        noise.append(np.diff(shot[..., 1], axis=1).std() / np.sqrt(2))
    low, median, high = np.quantile(noise, (0.2, 0.5, 0.9))
    assert low < 0.003 and 0.001 < median < 0.007 and 0.006 < high < 0.05
