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


"""Rectify: planes stay planes, edges stay edges, and what was not seen is unknown."""

from types import SimpleNamespace

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.postprocess.rectify import rectified_camera, Rectifier

K = np.array([[150.0, 0, 81.3], [0, 152, 58.8], [0, 0, 1]])
CAMERAS = {
    'plumb_bob': Camera(K, 160, 120, (-0.28, 0.08, 1e-3, -2e-3, 0.0)),
    'rational': Camera(K, 160, 120, (0.2, -0.1, 1e-3, 0, 0.02, 0.5, -0.1, 0.01),
                       'rational_polynomial'),
    'fisheye': Camera(np.diag([70.0, 70, 1]) + [[0, 0, 80], [0, 0, 60], [0, 0, 0]], 160, 120,
                      (0.02, -0.004, 0.0, 0.0), 'equidistant'),
}
TARGET = Camera.pinhole(120, 121, 80.5, 59.1, 160, 120)
NORMAL, OFFSET = np.array([0.1, 0.9, 0.3]), 2.0  # a floor that rises


def plane(camera: Camera) -> np.ndarray:
    """Return the depth of a plane; +Inf where the ray does not meet it."""
    rays = camera.rays().astype(np.float64)
    slope = (rays / rays[..., 2:]) @ NORMAL
    with np.errstate(divide='ignore', invalid='ignore'):
        depth = np.where(slope > 0.02, OFFSET / slope, np.inf)
    return np.where(np.isfinite(rays[..., 2]) & (rays[..., 2] > 0), depth, np.nan
                    ).astype(np.float32)


@pytest.mark.parametrize('name', CAMERAS)
def test_points_of_depth_and_k_lie_on_the_plane(name: str) -> None:
    depth = Rectifier(CAMERAS[name], TARGET).depth(plane(CAMERAS[name]))
    points = TARGET.unproject(depth)[np.isfinite(depth)]
    assert len(points) > 0.3 * depth.size
    distance = np.abs(points @ NORMAL - OFFSET) / np.linalg.norm(points, axis=-1)
    near = points[:, 2] < 6
    # Farther away the steps between neighbours grow, and depth is that of the nearest pixel.
    assert np.percentile(distance[near], 98) < 1e-3 and distance.max() < 0.05


@pytest.mark.parametrize('name', CAMERAS)
def test_no_depth_is_invented_across_an_edge(name: str) -> None:
    camera = CAMERAS[name]
    depth = np.where(np.random.default_rng(0).random((120, 160)) < 0.3, 1.0, 3.0)
    depth[50:60, 60:80] = np.nan
    depth[20:30], depth[30:34] = np.inf, -np.inf
    moved = Rectifier(camera, TARGET).depth(depth.astype(np.float32))
    finite = moved[np.isfinite(moved)]
    assert set(np.unique(finite.round(4))) == {1.0, 3.0}
    assert np.isposinf(moved).any() and np.isneginf(moved).any()


def test_every_pixel_has_what_its_ray_saw() -> None:
    """The values are pixel numbers, so the result tells where it was taken from."""
    camera = CAMERAS['plumb_bob']
    number = np.arange(160 * 120, dtype=np.float32).reshape(120, 160)
    taken = Rectifier(camera, TARGET).nearest(number)
    seen = np.isfinite(taken)
    v, u = np.divmod(taken[seen], 160)
    pixels = camera.project(TARGET.rays()[seen])
    assert np.abs(np.stack([u, v], -1) - pixels).max() < 0.51
    outside = camera.project(TARGET.rays()[~seen])
    inside = ((outside > -0.49) & (outside < [159.49, 119.49])).all(-1)
    assert not inside.any()


@pytest.mark.parametrize('name', CAMERAS)
def test_few_pixels_are_followed_and_all_are_right(
        name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lens that focuses is followed anew in each frame; each pixel of 1080p took 4 s."""
    source, target = CAMERAS[name].scaled(640, 480), TARGET.scaled(640, 480)
    expected = source.project(target.rays_at(target.pixel_grid())).T.reshape(2, 480, 640)
    asked, project = list[int](), Camera.project
    monkeypatch.setattr(Camera, 'project', lambda camera, points: (
        asked.append(len(points)), project(camera, points))[1])
    v, u = np.mgrid[:480, :640].astype(np.float32)
    made = Rectifier(source, target)
    seen = np.isfinite(made.nearest(u))
    assert seen.mean() > 0.3 and sum(asked) < 0.1 * 480 * 640
    assert np.abs(np.stack(made._pixels) - expected)[:, seen].max() < 1e-3
    right = [np.abs(made.nearest(plane) - where)[seen].max()
             for plane, where in zip((u, v), expected)]
    assert max(right) < 0.501


def test_what_the_source_does_not_see_is_unknown_in_depth_and_black_in_the_image() -> None:
    wide = Camera.pinhole(40, 40, 79.5, 59.5, 160, 120)
    barrel = Camera(K, 160, 120, (-0.45, 0.0, 0.0, 0.0))  # folds over within the wide view
    for camera in (barrel, CAMERAS['plumb_bob']):
        made = Rectifier(camera, wide)
        depth = made.depth(np.full((120, 160), 2, np.float32))
        assert np.isnan(depth[0, 0]) and depth[60, 80] == pytest.approx(2)
        assert np.isnan(depth).mean() > 0.3
        image = made.image(np.full((120, 160, 3), 200, np.uint8))
        assert not image[0, 0].any() and image[60, 80].tolist() == [200, 200, 200]


def test_the_grid_is_that_of_p_or_of_k_and_a_pinhole_stays() -> None:
    no_region = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    info = SimpleNamespace(
        width=160, height=120, distortion_model='plumb_bob', d=[-0.2, 0.1, 0, 0, 0],
        k=K.ravel(), p=[140.0, 0, 80, 0, 0, 141, 60, 0, 0, 0, 1, 0], binning_x=2, binning_y=2,
        roi=no_region)
    camera = Camera.from_camera_info(info, rectified=False)
    target = rectified_camera(info, camera)
    assert target.is_pinhole and (target.width, target.height) == (80, 60)
    assert target.intrinsics[0, 0] == 70.0
    info.p = [0.0] * 12
    assert rectified_camera(info, camera).intrinsics[0, 0] == 75.0
    pinhole = Camera.pinhole(1, 1, 0, 0, 8, 8)
    assert rectified_camera(info, pinhole) is pinhole
