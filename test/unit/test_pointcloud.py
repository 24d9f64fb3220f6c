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

"""Point cloud: points project back onto their pixels, colours, limits, and the message."""

import importlib
import sys

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.postprocess.pointcloud import cloud_to_msg, CloudGrid, CloudLimits

WIDTH, HEIGHT = 64, 48
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
PINHOLE = Camera.pinhole(60, 62, 33.3, 21.7, WIDTH, HEIGHT)
CAMERAS = {
    'pinhole': PINHOLE,
    'distorted': Camera(PINHOLE.intrinsics, WIDTH, HEIGHT, (-0.2, 0.05, 1e-3, -2e-3, 0.0)),
    'fisheye': Camera(PINHOLE.intrinsics, WIDTH, HEIGHT, (0.01, -0.002, 0, 0), 'equidistant'),
    'cropped': PINHOLE.cropped(7, 5, WIDTH, HEIGHT),
}


def depth_image() -> np.ndarray:
    """Return depth with every kind of value."""
    depth = RNG.uniform(0.5, 20, (HEIGHT, WIDTH)).astype(np.float32)
    depth[4, 4], depth[6, 6], depth[8, 8] = np.nan, np.inf, -np.inf
    return depth


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('name', CAMERAS)
def test_points_project_back_onto_their_pixels(name: str, stride: int) -> None:
    camera, depth = CAMERAS[name], depth_image()
    points = CloudGrid(camera, stride).points(depth, IMAGE)
    v, u = np.mgrid[:HEIGHT:stride, :WIDTH:stride]
    assert points.shape == (*u.shape, 4)
    exists = np.isfinite(points[..., 2])
    assert np.array_equal(exists, np.isfinite(depth[::stride, ::stride]))
    pixels = camera.project(points[exists][:, :3])
    assert np.abs(pixels - np.stack([u, v], -1)[exists]).max() < 1e-3
    assert np.array_equal(points[exists][:, 2], depth[::stride, ::stride][exists])


@pytest.mark.parametrize('name', CAMERAS)
def test_distances_are_depth_times_what_the_ray_stretches_it(name: str) -> None:
    grid = CloudGrid(CAMERAS[name], 2)
    assert np.allclose(grid.stretch, 1 / CAMERAS[name].rays()[::2, ::2, 2], rtol=1e-5)
    assert grid.no_ray is None and grid.stretch is grid.stretch


def test_the_rays_of_a_pinhole_are_one_row_and_one_column() -> None:
    """A lens that focuses has others in each frame; 4K of them took a third of a second."""
    grid = CloudGrid(Camera.from_hfov(70, 640, 480), 1)
    assert grid.slope_x.shape == grid.slope_y.shape == (480, 640)
    assert (grid.slope_x.strides[0], grid.slope_y.strides[1]) == (0, 0)


def test_no_point_has_only_some_coordinates() -> None:
    points = CloudGrid(PINHOLE, 1).points(depth_image(), IMAGE)
    finite = np.isfinite(points[..., :3])
    assert np.array_equal(finite.any(-1), finite.all(-1))
    assert not np.isinf(points[..., :3]).any()


def test_pixels_without_a_ray_are_no_points() -> None:
    barrel = Camera(PINHOLE.intrinsics, WIDTH, HEIGHT, (-3.0, 0, 0, 0, 0))
    no_ray = np.isnan(barrel.rays()[..., 0])
    assert 0 < no_ray.sum() < no_ray.size
    points = CloudGrid(barrel, 1).points(np.ones((HEIGHT, WIDTH), np.float32), IMAGE)
    assert np.array_equal(np.isnan(points[..., 2]), no_ray)


@pytest.mark.parametrize('scale', [1, 2, 4])
def test_colours_are_those_of_the_pixel(scale: int) -> None:
    camera = PINHOLE.scaled(WIDTH // scale, HEIGHT // scale)
    depth = np.ones((HEIGHT // scale, WIDTH // scale), np.float32)
    points = CloudGrid(camera, 2).points(depth, IMAGE)
    bits = np.ascontiguousarray(points[..., 3]).view(np.uint32)
    rgb = np.stack([bits >> 16 & 255, bits >> 8 & 255, bits & 255], -1)
    first = scale // 2
    assert np.array_equal(rgb, IMAGE[first::2 * scale, first::2 * scale])
    # A set alpha byte would make the float NaN, which readers skip.
    assert not (bits >> 24).any()


def test_colours_where_the_scale_does_not_divide_the_image() -> None:
    for height, width in ((11, 64), (15, 63), (48, 643)):
        image = np.repeat(np.linspace(0, 250, width).astype(np.uint8)[None, :, None], 3, 2)
        image = np.ascontiguousarray(np.repeat(image, height, 0))
        camera = Camera.from_hfov(70, width, height).scaled(width // 4, height // 4)
        depth = np.ones((height // 4, width // 4), np.float32)
        points = CloudGrid(camera, 1).points(depth, image)
        grey = (np.ascontiguousarray(points[..., 3]).view(np.uint32) & 255).astype(int)
        expected = (np.arange(width // 4) + 0.5) * 250 / (width // 4)
        assert np.abs(grey - expected).max() <= 250 * 2.5 / width + 1


def test_range_limits_are_distances_and_not_depths() -> None:
    depth = np.full((HEIGHT, WIDTH), 2, np.float32)
    points = CloudGrid(PINHOLE, 1).points(
        depth, IMAGE, limits=CloudLimits(min_range=2.05, max_range=2.2))
    distance = np.linalg.norm(points[..., :3], axis=-1)
    everything = np.linalg.norm(CloudGrid(PINHOLE, 1).points(depth, IMAGE)[..., :3], axis=-1)
    inside = (everything <= 2.2) & (everything >= 2.05)
    assert 0 < inside.sum() < inside.size
    assert np.array_equal(np.isfinite(distance), inside)


def test_heights_are_above_the_camera() -> None:
    depth, grid = depth_image(), CloudGrid(PINHOLE, 1)
    points, everything = (grid.points(depth, IMAGE, limits=limits) for limits in (
        CloudLimits(min_height=-0.5, max_height=1.0), CloudLimits()))
    height = -everything[..., 1]
    inside = (height >= -0.5) & (height <= 1.0)
    assert 0 < inside.sum() < np.isfinite(height).sum()
    assert np.array_equal(np.isfinite(points[..., 2]), inside)
    assert np.array_equal(points[inside], everything[inside])


def test_dense_cloud_has_only_points_that_exist() -> None:
    depth = depth_image()
    grid = CloudGrid(PINHOLE, 2)
    dense, organised = (grid.points(depth, IMAGE, depth, organized=flag) for flag in (False, True))
    assert np.array_equal(dense, organised[np.isfinite(organised[..., 2])])


def test_message_is_row_major_with_float_fields() -> None:
    sensor_msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
    header = pytest.importorskip('std_msgs.msg').Header(frame_id='eye')
    depth, sigma = depth_image(), np.full((HEIGHT, WIDTH), 0.25, np.float32)
    points = CloudGrid(PINHOLE, 2).points(depth, IMAGE, sigma)
    msg = cloud_to_msg(points, header)
    assert (msg.width, msg.height) == (WIDTH // 2, HEIGHT // 2)
    assert (msg.point_step, msg.row_step) == (20, 20 * WIDTH // 2)
    assert (msg.header, msg.is_dense) == (header, False)
    assert msg.is_bigendian == (sys.byteorder == 'big')
    names = [(each.name, each.offset) for each in msg.fields]
    assert names == [('x', 0), ('y', 4), ('z', 8), ('rgb', 12), ('sigma', 16)]
    assert {each.datatype for each in msg.fields} == {sensor_msgs.PointField.FLOAT32}
    assert bytes(msg.data) == points.tobytes()
    dense = cloud_to_msg(points[np.isfinite(points[..., 2])][:, :4].copy(), header)
    assert (dense.height, dense.is_dense, dense.point_step) == (1, True, 16)
    assert len(dense.data) == dense.row_step == 16 * dense.width


def test_sensor_msgs_py_gives_identical_bytes() -> None:
    try:
        point_cloud2 = importlib.import_module('sensor_msgs_py.point_cloud2')
    except ImportError:  # not on PyPI, but its port is
        point_cloud2 = pytest.importorskip(
            'pointcloud2', reason='neither sensor_msgs_py nor its port is installed')
    header = pytest.importorskip('std_msgs.msg').Header()
    points = CloudGrid(PINHOLE, 2).points(depth_image(), IMAGE, organized=False)
    ours = cloud_to_msg(points, header)
    theirs = point_cloud2.create_cloud(header, ours.fields, points)
    assert bytes(theirs.data) == bytes(ours.data)


def test_a_dense_cloud_may_be_empty() -> None:
    header = pytest.importorskip('std_msgs.msg', reason='ROS 2 is not installed').Header()
    nothing = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    msg = cloud_to_msg(CloudGrid(PINHOLE, 2).points(nothing, IMAGE, organized=False), header)
    assert (msg.width, msg.row_step, len(msg.data)) == (0, 0, 0)
