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

"""Visualise: unknown and sky have colours of their own, and the PLY is what viewers read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from grin_ros import visualise
from grin_ros.camera import Camera
from grin_ros.errors import GrinError

CAMERA = Camera.from_hfov(70, 64, 48)
DEPTH = np.tile(np.linspace(1, 5, 64, dtype=np.float32), (48, 1))
PHOTO = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)


def test_unknown_sky_and_depth_look_different() -> None:
    depth = np.array([[np.nan, -np.inf, np.inf, 1.0, 5.0]], np.float32)
    colours = visualise.colour_depth(depth, 1, 5)[0].tolist()
    assert colours[0] == colours[1] == list(visualise.NO_ANSWER)
    assert colours[2] == list(visualise.SKY)
    near, far = colours[3:]
    assert near[0] > near[2] and far[2] > far[0]  # near is red, far is blue


def test_limits_ignore_what_is_not_finite() -> None:
    depth = np.where(DEPTH > 4, np.inf, np.where(DEPTH < 2, np.nan, DEPTH))
    near, far = visualise.limits(depth)
    assert 2 <= near < 2.2 and 3.8 < far <= 4
    assert visualise.limits(np.full((2, 2), np.nan)) == (0.5, 10.0)


def test_the_sigma_scale_fits_what_is_there() -> None:
    assert visualise.sigma_scale(np.array([0.1, 0.2, np.nan])) == 0.25
    assert visualise.sigma_scale(np.array([0.7, np.inf])) == 1.0
    assert visualise.sigma_scale(np.array([9.0])) == 2.0
    certain, doubtful, unknown = visualise.colour_sigma(np.array([[0.0, 0.5, np.nan]]), 0.5)[0]
    assert doubtful[0] > certain[0] and unknown.tolist() == list(visualise.NO_ANSWER)


def test_the_scale_bar_stands_beside_the_depth() -> None:
    picture = visualise.depth_picture(DEPTH)
    assert picture.shape == (48, 128, 3) and picture.dtype == np.uint8


def test_a_panel_has_all_its_pictures() -> None:
    points = CAMERA.unproject(DEPTH)
    full = visualise.panel(PHOTO, DEPTH, 0.1 * DEPTH, points, PHOTO, height=120)
    assert full.shape == (120, 4 * 160 + 64, 3)
    assert visualise.panel(PHOTO, DEPTH, None, points, height=120).shape == (120, 3 * 160 + 64, 3)


def test_the_nearest_point_hides_what_is_behind_it() -> None:
    points = np.array([[0, 0, z] for z in (2.0, 1.0, 3.0)] + [[1, 1, 2], [-1, -1, 2]])
    colours = np.array([[0, 0, 9], [255, 0, 0], [0, 9, 0], [1, 1, 1], [1, 1, 1]], np.uint8)
    view = visualise.cloud_view(points, colours, (64, 64), yaw_deg=0, pitch_deg=0)
    assert (view == (255, 0, 0)).all(-1).any()
    assert not (view == (0, 9, 0)).all(-1).any()


def test_a_cloud_without_points_is_an_empty_view() -> None:
    view = visualise.cloud_view(np.full((4, 3), np.nan), np.zeros((4, 3), np.uint8), (64, 48))
    assert (view == visualise.BACKGROUND).all()


def test_a_cloud_of_one_point_is_a_dot() -> None:
    red = np.array([[255, 0, 0]], np.uint8)
    seen = visualise.cloud_view(np.array([[0.0, 0.0, 2.0]]), red, (64, 48))
    assert (seen == (255, 0, 0)).all(-1).sum() == 4


def test_ply_holds_the_finite_points(tmp_path: Path) -> None:
    points = CAMERA.unproject(np.where(DEPTH > 4, np.inf, DEPTH))
    count = visualise.write_ply(tmp_path / 'cloud.ply', points, PHOTO)
    header, body = (tmp_path / 'cloud.ply').read_bytes().split(b'end_header\n', 1)
    assert header.startswith(b'ply\nformat binary_little_endian 1.0\n')
    assert f'element vertex {count}'.encode() in header
    vertices = np.frombuffer(body, [('xyz', '<f4', 3), ('rgb', 'u1', 3)])
    known = np.isfinite(points).all(-1)
    assert len(vertices) == count == known.sum()
    assert np.array_equal(vertices['xyz'], points[known])
    assert np.array_equal(vertices['rgb'], PHOTO[known])


def test_a_picture_is_read_back_as_it_was(tmp_path: Path) -> None:
    visualise.write_picture(tmp_path / 'photo.png', PHOTO)
    assert (cv2.imread(str(tmp_path / 'photo.png'))[..., ::-1] == PHOTO).all()


def test_a_picture_that_its_kind_of_file_cannot_hold_is_named(tmp_path: Path) -> None:
    for name, picture in (('long.jpg', np.zeros((65_600, 8, 3), np.uint8)), ('bits.pbm', PHOTO)):
        with pytest.raises(GrinError, match=rf'{name} cannot hold a picture .* ends with \.png'):
            visualise.write_picture(tmp_path / name, picture)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='this system has no /dev/full')
def test_a_picture_that_a_full_disk_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / 'photo.png').symlink_to('/dev/full')
    with pytest.raises(GrinError, match=r'photo\.png cannot be written: No space left'):
        visualise.write_picture(tmp_path / 'photo.png', PHOTO)
