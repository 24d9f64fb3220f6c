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

"""Gates: what must be NaN, +Inf and -Inf, and what must stay as it is."""

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.postprocess.gates import apply_gates, flying_pixels

AHEAD = np.ones((1, 1), np.float32)  # rays along the axis


def row(*values: float) -> np.ndarray:
    """Return an image of one row."""
    return np.array([values], np.float32)


def after_gates(depth: np.ndarray, *args: object, **gates: object) -> np.ndarray:
    """Return gated depth."""
    gated = depth.copy()
    apply_gates(gated, *args, **gates)
    return gated


def floor(height: float = 0.5, focal: float = 500.0) -> np.ndarray:
    """Return the depth of a floor seen from ``height`` [m], from just below the horizon."""
    rows = np.arange(1, 200)[:, None] + 4.0
    return np.repeat(focal * height / rows, 64, axis=1).astype(np.float32)


def test_values_follow_rep_117() -> None:
    depth = row(0.05, 0.1, 1, 80, 80.1, np.inf, np.nan)
    gated = after_gates(depth, AHEAD, None, 0.1, 80.0)
    assert np.array_equal(gated, row(-np.inf, 0.1, 1, 80, np.inf, np.inf, np.nan),
                          equal_nan=True)


def test_too_near_is_a_matter_of_range() -> None:
    """At the side of a fisheye z is small, however far a thing is."""
    camera = Camera(np.array([[100.0, 0, 319.5], [0, 100, 239.5], [0, 0, 1]]), 640, 480,
                    (0.0, 0.0, 0.0, 0.0), 'equidistant')
    ray_z = np.where(camera.rays()[..., 2] > 0, camera.rays()[..., 2], np.float32(np.nan))
    all_around = 4 * ray_z
    assert (all_around < 0.1).sum() > 1000
    assert not np.isneginf(after_gates(all_around, ray_z, None, 0.1, 80.0)).any()
    close = 0.05 * ray_z
    assert np.isneginf(after_gates(close, ray_z, None, 0.1, 80.0)[~np.isnan(close)]).all()


def test_uncertainty_and_edges_are_those_of_depth_before_the_gates() -> None:
    """What is beyond max_depth, or too near, is unknown if it may be anywhere, or floats."""
    gated = after_gates(row(0.05, 1, 100), AHEAD, row(9, 0.1, 99), 0.1, 80.0, max_sigma=0.3)
    assert np.array_equal(gated, row(np.nan, 1, np.nan), equal_nan=True)
    depth = np.full((20, 40), 5, np.float32)
    depth[:, :20] = 1
    depth[:, 20] = 2
    gated = after_gates(depth, AHEAD, None, 0.1, 1.5, edge_gate=True)
    assert np.isnan(gated[:, 20]).all() and np.isposinf(gated[:, 21:]).all()


def test_uncertain_pixels_are_nan_and_sky_stays_sky() -> None:
    depth, sigma = row(1, 1, 100, np.inf, np.nan), row(0.2, 0.4, 90, np.inf, np.nan)
    gated = after_gates(depth, AHEAD, sigma, 0.1, 80.0, max_sigma=0.3)
    assert np.array_equal(gated, row(1, np.nan, np.nan, np.inf, np.nan), equal_nan=True)


def test_sigma_gate_is_off_at_zero() -> None:
    assert after_gates(row(1), AHEAD, row(1e6), 0.1, 80.0, max_sigma=0.0)[0, 0] == 1


def test_pixels_between_near_and_far_are_dropped() -> None:
    depth = np.full((20, 40), 5, np.float32)
    depth[:, :20] = 1
    depth[:, 20] = 2  # the smear of an upsampled edge
    assert np.array_equal(np.argwhere(flying_pixels(depth).all(0)).ravel(), [20])
    gated = after_gates(depth, AHEAD, None, 0.1, 80.0, edge_gate=True)
    assert np.isnan(gated[:, 20]).all() and np.isfinite(gated[:, [19, 21]]).all()


def test_a_clean_edge_keeps_both_sides() -> None:
    depth = np.full((20, 40), np.inf, np.float32)
    depth[:, :20] = 1
    depth[5:10] = np.nan
    assert not flying_pixels(depth).any()


def test_steep_slopes_are_no_edges() -> None:
    depth = floor()
    assert depth.max() / depth[1].max() > 1.1  # rows next to each other differ by that much
    assert not flying_pixels(depth).any()


@pytest.mark.parametrize('pitch_deg', [20, 45, 70])
def test_a_floor_is_whole_up_to_the_border(pitch_deg: float) -> None:
    rays = Camera.from_hfov(100, 80, 60).rays()
    pitch = np.deg2rad(pitch_deg)
    down = rays[..., 1] * np.cos(pitch) + rays[..., 2] * np.sin(pitch)
    depth = np.where(down > 0.01, 0.5 * rays[..., 2] / np.maximum(down, 0.01), np.inf)
    assert not flying_pixels(depth.astype(np.float32))[2:].any()


def test_a_pixel_between_thing_and_sky_is_dropped() -> None:
    depth = np.full((20, 40), np.inf, np.float32)
    depth[:, :20] = 4
    depth[:, 20] = 12
    assert flying_pixels(depth)[:, 20].all()
