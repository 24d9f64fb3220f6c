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

"""Edge metrics: planes have no edges, boxes do; blur flies, scale does not."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest

from grin_ros.metrics.edges import depth_edges, flying_share, near_edges

V, U = np.mgrid[:48, :64]
FLOOR = 1 / (0.001 + 0.02 * np.maximum(V - 10, 0))  # from the horizon to 1.3 m
BOX = np.where((V >= 20) & (V < 36) & (U >= 20) & (U < 44), 1.2, 4.0)


def test_a_floor_up_to_the_horizon_has_no_edge() -> None:
    assert not depth_edges(FLOOR)[12:].any()


def test_the_edges_of_a_box_are_the_pixels_on_both_sides() -> None:
    edges = depth_edges(BOX)
    assert edges[28, [19, 20, 43, 44]].all() and edges[[19, 20, 35, 36], 30].all()
    assert edges.sum() == 2 * (16 + 24) + 2 * (16 + 24) - 4


def test_sky_is_an_edge_and_unknown_is_none() -> None:
    assert depth_edges(np.where(BOX > 2, np.inf, BOX)).any()
    assert not depth_edges(np.where(BOX > 2, np.nan, BOX)).any()


def test_near_means_a_distance_in_pixels() -> None:
    edges = depth_edges(BOX)
    at = np.argwhere(edges)
    distance = np.sqrt(((np.stack([V, U], -1)[:, :, None] - at) ** 2).sum(-1)).min(-1)
    assert np.array_equal(near_edges(BOX, 4), distance <= 4)
    assert not near_edges(np.ones((8, 8))).any()


def test_a_large_picture_needs_no_gigabytes() -> None:
    """The windows of 9x9 around all pixels at once were 1.3 kB a pixel: 4 GB for Middlebury."""
    truth = np.kron(np.random.default_rng(0).uniform(1, 5, (20, 30)), np.ones((12, 12)))
    near = near_edges(truth)
    tracemalloc.start()
    flying_share(1.1 * truth, truth, near)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * near.sum()


def test_blur_flies_and_a_wrong_scale_does_not() -> None:
    near = near_edges(BOX)
    assert flying_share(BOX, BOX, near) == flying_share(1.9 * BOX, BOX, near) == 0
    blurred = [flying_share(cv2.GaussianBlur(BOX, (0, 0), sigma), BOX, near)
               for sigma in (0.7, 1.5, 2.5)]
    assert 0.05 < blurred[0] < blurred[1] < blurred[2]


def test_what_floats_in_truth_too_does_not_count() -> None:
    step = np.where(U < 32, 1.0, np.where(U < 34, 2.0, 4.0))
    near = near_edges(step)
    assert flying_share(step, step, near) == 0
    # A sheet where the step is, seen as one of the walls: nothing floats either.
    assert flying_share(np.where(U < 32, 1.0, 4.0), step, near) == 0


def test_flying_pixels_agree_with_a_loop() -> None:
    rng = np.random.default_rng(1)
    truth = np.where((U // 9 + V // 7) % 2, 1.0, 3.0) + 0.1 * rng.random(U.shape)
    truth[5:8, 5:9] = np.nan
    pred = cv2.GaussianBlur(np.nan_to_num(truth, nan=2.0), (0, 0), 1.0)
    near = near_edges(truth)
    flies, asked = 0, 0
    for v, u in np.argwhere(near & ~np.isnan(truth)):
        window = np.s_[max(v - 4, 0):v + 5, max(u - 4, 0):u + 5]
        if v < 4 or u < 4 or v > 43 or u > 59:
            near[v, u] = False
            continue
        t, p = np.log(truth[window].ravel()), np.log(pred[window].ravel())
        t, p = t[~np.isnan(t)], p[~np.isnan(t)]
        side = t < (t.max() + t.min()) / 2
        share = [(np.log(value) - x[side].mean()) / (x[~side].mean() - x[side].mean())
                 for value, x in ((truth[v, u], t), (pred[v, u], p))]
        if not 0.2 < share[0] < 0.8:
            asked += 1
            flies += 0.2 < share[1] < 0.8
    assert 0 < flies < asked
    assert flying_share(pred, truth, near) == pytest.approx(flies / asked)


def test_without_edges_there_is_no_figure() -> None:
    assert np.isnan(flying_share(BOX, BOX, np.zeros(BOX.shape, bool)))
