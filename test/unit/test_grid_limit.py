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

"""Grid limit: smooth truth survives the query grid; our interpolation beats the linear one."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.evaluation.evaluate import true_depth
from grin_ros.evaluation.grid_limit import through_grid
from grin_ros.metrics.edges import flying_share, near_edges

CAMERA = Camera.from_hfov(70, 640, 480)
V, U = np.mgrid[:480, :640]
DISC = (U - 330) ** 2 + (V - 210) ** 2 < 140 ** 2


def sample(depth: np.ndarray, image: np.ndarray) -> Sample:
    return Sample(image, (depth / CAMERA.rays()[..., 2]).astype(np.float32), CAMERA)


def disc() -> Sample:
    """Return a red disc 1.5 m away before a grey wall at 4 m."""
    image = np.where(DISC[..., None], (200, 40, 40), (120, 130, 140)).astype(np.uint8)
    return sample(np.where(DISC, 1.5, 4.0), image)


def abs_rel(depth: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    return float((np.abs(depth - truth) / truth)[mask].mean())


@pytest.mark.parametrize('stride', [2, 4])
@pytest.mark.parametrize('scale', ['metric', 'canonical'])
def test_a_wall_survives(stride: int, scale: str) -> None:
    wall = sample(np.full((480, 640), 3.0), np.full((480, 640, 3), 99, np.uint8))
    for depth in through_grid(wall, DepthCodec(scale), (320, 240), stride):
        assert abs_rel(depth, true_depth(wall), ...) < 0.005


def test_what_the_picture_shows_is_kept_between_the_grid_points() -> None:
    frame = disc()
    truth = true_depth(frame)
    near = near_edges(truth)
    guided, linear = through_grid(frame, DepthCodec(), (320, 240), 4)
    assert abs_rel(guided, truth, near) < 0.6 * abs_rel(linear, truth, near)
    assert flying_share(guided, truth, near) < 0.01 < 0.2 < flying_share(linear, truth, near)


def test_sky_stays_sky_and_unknown_truth_leaves_no_hole() -> None:
    frame = disc()
    range_m = frame.range_m.copy()
    range_m[:100], range_m[400:] = np.inf, np.nan
    holes = Sample(frame.image, range_m, CAMERA)
    guided, linear = through_grid(holes, DepthCodec(), (320, 240), 4)
    assert np.isinf(guided[:90]).all()
    assert not np.isnan(guided).any() and not np.isnan(linear).any()
