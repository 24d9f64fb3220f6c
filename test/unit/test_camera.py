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

"""Camera: the same pixels as OpenCV, whatever the lens, crop or size."""

from __future__ import annotations

from dataclasses import replace
import time
from types import SimpleNamespace
import warnings

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

K = np.array([[461.0, 0, 322.5], [0, 459.0, 236.25], [0, 0, 1]])
LENSES = {
    'ideal': ('plumb_bob', ()),
    'four': ('plumb_bob', (-0.3, 0.1, 0.001, -0.002)),
    'five': ('plumb_bob', (0.1, -0.2, 0.001, -0.002, 0.05)),
    'rational': ('rational_polynomial', (1.2, -3.1, 0.001, -0.0007, 1.9, 1.1, -2.9, 1.7)),
    'prism': ('rational_polynomial',
              (-0.2, 0.05, 0.001, -0.0007, 0.0, 0.1, 0.0, 0.0, 0.01, -0.002, 0.003, 0.001)),
    'tilted': ('rational_polynomial', (-0.2, 0.05, 0.001, -0.0007, 0.0, 0.1, 0.0, 0.0,
                                       0.01, -0.002, 0.003, 0.001, 0.02, -0.03)),
    'fisheye': ('equidistant', (-0.01, 0.02, -0.01, 0.002)),
    'equidistant': ('equidistant', (0.0, 0.0, 0.0, 0.0)),
}


@pytest.fixture(params=list(LENSES))
def camera(request: pytest.FixtureRequest) -> Camera:
    model, distortion = LENSES[request.param]
    return Camera(K, 640, 480, distortion, model)


def points_in_view(count: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform((-0.6, -0.45, 1), (0.6, 0.45, 1), (count, 3)) * rng.uniform(
        0.5, 20, (count, 1))


def test_cameras_of_the_same_figures_are_equal(camera: Camera) -> None:
    twin = Camera(K.copy(), 640, 480, camera.distortion, camera.model)
    assert twin == camera and hash(twin) == hash(camera) and camera != 'a camera'
    assert all(other != camera for other in (
        camera.scaled(320, 240), Camera.pinhole(70, 70, 40, 30, 640, 480),
        Camera(K, 640, 480, (0.01, 0.0, 0.0, 0.0), 'equidistant')))


def test_a_lens_stays_itself_when_it_focuses_but_not_when_it_is_calibrated_anew(
        camera: Camera) -> None:
    """K may stay while D comes: a camera that was thought to be ideal is none."""
    focused = replace(camera, intrinsics=camera.intrinsics * np.array([[1.01], [1.01], [1]]),
                      distortion=tuple(each * 1.01 for each in camera.distortion))
    assert camera.same_lens(camera) and camera.same_lens(focused)
    assert not camera.same_lens(replace(camera, width=camera.width // 2))
    for name in ('ideal', 'four', 'five', 'fisheye'):
        other = Camera(K, 640, 480, LENSES[name][1], LENSES[name][0])
        alike = {camera.model, other.model} == {'equidistant'}  # their D are next to nothing
        assert camera.same_lens(other) == (alike or camera == other), name


def test_lenses_whose_corners_have_no_ray_are_told_apart() -> None:
    """Beyond the fold of a strong distortion there is nothing to compare."""
    wide = np.array([[300.0, 0, 319.5], [0, 300, 239.5], [0, 0, 1]])
    strong, weaker = (Camera(wide, 640, 480, (k1, 0.0, 0.0, 0.0)) for k1 in (-0.3, -0.2))
    assert np.isnan(strong.rays_at([[0, 0]])).all()
    assert strong.same_lens(strong) and not strong.same_lens(weaker)


def test_projection_is_opencvs(camera: Camera) -> None:
    points, zero = points_in_view(), np.zeros(3)
    if camera.model == 'equidistant':
        expected = cv2.fisheye.projectPoints(points[:, None], zero, zero, K,
                                             np.array(camera.distortion))[0]
    else:
        expected = cv2.projectPoints(points, zero, zero, K, np.array(camera.distortion))[0]
    assert np.abs(camera.project(points) - expected[:, 0]).max() < 1e-6


def test_rays_project_back_onto_their_pixels(camera: Camera) -> None:
    pixels = camera.pixel_grid()
    rays = camera.rays_at(pixels)
    assert np.isfinite(rays).all()
    assert np.allclose(np.linalg.norm(rays, axis=1), 1, atol=1e-6)
    assert np.abs(camera.project(rays) - pixels).max() < 1e-4


def test_vga_rays_of_a_distorted_lens_are_quick() -> None:
    camera = Camera(K, 640, 480, LENSES['rational'][1], 'rational_polynomial')
    start = time.process_time()
    camera.rays()
    assert time.process_time() - start < 1.5  # 0.15 s on an idle core


def test_pixels_beyond_the_lens_have_no_ray() -> None:
    # k1 = -0.45 folds at r = 0.86, where the image ends at 0.57: 264 px from the centre.
    camera = Camera(K, 640, 480, (-0.45, 0.0, 0.0, 0.0))
    rays = camera.rays()
    v, u = np.mgrid[:480, :640]
    radius = np.hypot((u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1])
    limit = 2 / 3 * np.sqrt(1 / (3 * 0.45))
    assert np.isnan(rays[radius > limit + 1e-4]).all()
    assert np.isfinite(rays[radius < limit - 1e-4]).all()


def test_points_behind_a_pinhole_are_not_seen() -> None:
    assert np.isnan(Camera(K, 640, 480).project([[0.1, 0.1, -1.0]])).all()


def test_scaling_follows_cv2_resize() -> None:
    camera = Camera(K, 640, 480)
    u = np.tile(np.arange(640, dtype=np.float32), (480, 1))
    small = cv2.resize(u, (160, 96), interpolation=cv2.INTER_AREA)
    scaled = camera.scaled(160, 96)
    # What the small image shows at a pixel must lie on the small camera's ray there.
    rays = scaled.rays()[48, 1:-1]
    assert np.allclose(camera.project(rays)[:, 0], small[48, 1:-1], atol=1e-2)


def test_scaling_and_back_is_the_same_camera(camera: Camera) -> None:
    back = camera.scaled(200, 160).scaled(640, 480)
    assert np.allclose(back.intrinsics, camera.intrinsics)


def test_crops_see_the_same_rays(camera: Camera) -> None:
    crop = camera.cropped(100, 50, 64, 48)
    assert np.allclose(crop.rays(), camera.rays()[50:98, 100:164], atol=1e-6)


def test_dict_round_trip(camera: Camera) -> None:
    again = Camera.from_dict(camera.to_dict())
    assert again.to_dict() == camera.to_dict()


def test_unprojected_depth_is_z() -> None:
    camera = Camera(K, 640, 480)
    points = camera.unproject(np.full((480, 640), 2.5, np.float32))
    assert np.allclose(points[..., 2], 2.5)
    assert np.abs(camera.project(points) - camera.pixel_grid()).max() < 1e-3


def test_hfov_spans_the_image() -> None:
    camera = Camera.from_hfov(90, 640, 480)
    edge = camera.rays_at([[-0.5, 239.5]])[0]
    assert np.degrees(np.arctan2(-edge[0], edge[2])) == pytest.approx(45)


def camera_info(**changes: object) -> SimpleNamespace:
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    fields = {'width': 640, 'height': 480, 'k': K.ravel(), 'd': [-0.3, 0.1, 0.001, -0.002, 0.0],
              'p': [400.0, 0, 310, 0, 0, 400, 230, 0, 0, 0, 1, 0], 'roi': roi, 'binning_x': 0,
              'binning_y': 0, 'distortion_model': 'plumb_bob'}
    return SimpleNamespace(**{**fields, **changes})


def test_raw_images_use_k_and_d_and_rectified_ones_p() -> None:
    raw = Camera.from_camera_info(camera_info(), rectified=False)
    rectified = Camera.from_camera_info(camera_info(), rectified=True)
    assert raw.intrinsics[0, 0] == 461 and not raw.is_pinhole
    assert rectified.intrinsics[0, 0] == 400 and rectified.is_pinhole


def test_rectified_without_p_uses_k() -> None:
    camera = Camera.from_camera_info(camera_info(p=np.zeros(12)), rectified=True)
    assert camera.intrinsics[0, 0] == 461 and camera.is_pinhole


def test_region_of_interest_and_binning_are_of_the_full_sensor() -> None:
    roi = SimpleNamespace(x_offset=100, y_offset=40, width=320, height=240)
    camera = Camera.from_camera_info(camera_info(roi=roi, binning_x=2, binning_y=2), False)
    whole = Camera.from_camera_info(camera_info(), False)
    assert (camera.width, camera.height) == (160, 120)
    # Pixel (0, 0) of the binned region covers pixels 100-101, 40-41 of the sensor.
    assert np.allclose(camera.rays_at([[0, 0]]), whole.rays_at([[100.5, 40.5]]), atol=1e-6)


@pytest.mark.parametrize('d', [[], [0.0] * 4, [0.0] * 8])
@pytest.mark.parametrize('model', ['', 'none', 'pinhole', 'perspective', 'double_sphere'])
def test_without_distortion_its_model_does_not_matter(model: str, d: list[float]) -> None:
    camera = Camera.from_camera_info(camera_info(distortion_model=model, d=d), rectified=False)
    assert camera.is_pinhole and camera == Camera(K, 640, 480)


@pytest.mark.parametrize('model', ['fisheye', 'equidistant', 'Kannala_Brandt', 'prism_fisheye'])
def test_a_fisheye_without_numbers_is_no_pinhole(model: str) -> None:
    with pytest.raises(GrinError, match='not 0|unknown'):
        Camera.from_camera_info(camera_info(distortion_model=model, d=[]), rectified=False)


@pytest.mark.parametrize('model, count, words', [
    ('plumb_bob', 8, 'plumb_bob needs 0 or 4 or 5 numbers in D, not 8: rational_polynomial has'),
    ('rational_polynomial', 4, 'not 4: plumb_bob or equidistant has'),
    ('equidistant', 6, 'not 6: calibrate')])
def test_numbers_of_another_model_are_no_guess(model: str, count: int, words: str) -> None:
    message = camera_info(distortion_model=model, d=[0.01] * count)
    with pytest.raises(GrinError, match=words):
        Camera.from_camera_info(message, rectified=False)


@pytest.mark.parametrize('change, remedy', [
    ({'k': np.zeros(9), 'p': np.zeros(12)}, 'calibrate'),
    ({'k': np.full(9, np.nan)}, 'finite'),
    ({'distortion_model': 'double_sphere'}, 'rectify'),
    ({'d': [0.1, 0.2]}, 'numbers in D'),
    ({'width': 0}, 'positive'),
    # Calibrated in a region of a larger sensor, whose driver fills roi, too.
    ({'roi': SimpleNamespace(x_offset=320, y_offset=0, width=640, height=480)}, 'leave roi at'),
    ({'roi': SimpleNamespace(x_offset=0, y_offset=1, width=640, height=480)}, 'leave roi at'),
])
def test_wrong_camera_info_is_refused(change: dict, remedy: str) -> None:
    with pytest.raises(GrinError, match=remedy):
        Camera.from_camera_info(camera_info(**change), rectified=False)


@pytest.mark.parametrize('fov', [20, 75, 120])
def test_the_field_of_view_of_a_pinhole(fov: float) -> None:
    camera = Camera.from_hfov(fov, 640, 480)
    assert camera.hfov_deg == pytest.approx(fov, abs=0.2)


def test_the_field_of_view_of_a_fisheye_may_exceed_180() -> None:
    k = np.array([[120.0, 0, 319.5], [0, 120, 239.5], [0, 0, 1]])
    fisheye = Camera(k, 640, 480, (0, 0, 0, 0), 'equidistant')
    assert fisheye.hfov_deg == pytest.approx(np.degrees(640 / 120), abs=0.5)


def test_binning_leaves_odd_rows_and_columns_out() -> None:
    """Two pixels become one: their centre, and half of the focal length, whatever the size."""
    for width in (640, 641):
        msg = SimpleNamespace(
            width=width, height=481, distortion_model='plumb_bob', d=[],
            k=[500.0, 0, 320, 0, 500, 240, 0, 0, 1], p=[0.0] * 12, binning_x=2, binning_y=2,
            roi=SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0))
        camera = Camera.from_camera_info(msg, rectified=False)
        assert (camera.width, camera.height) == (320, 240)
        assert camera.intrinsics[0].tolist() == pytest.approx([250, 0, 159.75])
        assert camera.intrinsics[1].tolist() == pytest.approx([0, 250, 119.75])


def test_sky_on_the_axis_lifts_without_a_warning() -> None:
    camera = Camera.pinhole(50, 50, 4, 3, 9, 7)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        points = camera.unproject(np.full((7, 9), np.inf, np.float32))
    assert np.isposinf(points[..., 2]).all()
