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

"""Geometry: the published cloud projects back onto its pixels with the published camera_info."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
RegionOfInterest = pytest.importorskip('sensor_msgs.msg').RegionOfInterest

TURNED = cv2.Rodrigues(np.array([0.01, -0.02, 0.005]))[0]
DISTORTION = [-0.21, 0.06, 0.0012, -0.0008, 0.0]
CAMERAS: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    'pinhole': ((640, 480), {}),
    'distorted': ((640, 480), {'d': DISTORTION, 'r': TURNED.ravel().tolist()}),
    'rational': ((640, 480), {'distortion_model': 'rational_polynomial',
                              'd': [0.2, -0.1, 0.001, 0.0, 0.02, 0.5, -0.1, 0.01]}),
    'cropped': ((320, 200), {
        'roi': RegionOfInterest(x_offset=100, y_offset=60, width=320, height=200)}),
    'cropped_distorted': ((320, 200), {
        'd': DISTORTION, 'r': TURNED.ravel().tolist(),
        'roi': RegionOfInterest(x_offset=100, y_offset=60, width=320, height=200)}),
    'binned': ((320, 240), {'binning_x': 2, 'binning_y': 2}),
    'cropped_binned': ((160, 100), {
        'binning_x': 2, 'binning_y': 2,
        'roi': RegionOfInterest(x_offset=100, y_offset=60, width=320, height=200)}),
    'p_zero': ((640, 480), {'p': [0.0] * 12}),
}
# Name of the node -> its parameters; the stride of the points is 2.
NODES: dict[str, dict[str, object]] = {
    'raw': {'rectified': False},
    'rectified': {'rectified': True, 'output_scale': 2, 'publish_sigma_field': True},
}


@pytest.fixture(scope='module', params=NODES)
def node(request: pytest.FixtureRequest, start_node: Callable, tiny_bundle: Path) -> str:
    """Start a node for raw and one for rectified images."""
    # An integer for max_depth and a bool for rectified, as people write them.
    process = start_node(request.param, bundle=tiny_bundle, max_age=30, max_depth=1000,
                         edge_gate=False, **NODES[request.param])
    process.wait_for_log('bundle')
    return request.param


@pytest.fixture(scope='module')
def robot(node: str, keep_robot: Callable) -> 'robots.Robot':
    """Return a camera that the node listens to."""
    result = keep_robot(node, outputs=('depth', 'camera_info', 'points', 'sigma'))
    result.wait_until_heard()
    return result


def xyz(cloud: Any) -> np.ndarray:
    """Return (h, w, 3) float64 coordinates."""
    values = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, -1)
    return values[..., :3].astype(np.float64)


@pytest.mark.parametrize('name', CAMERAS)
def test_points_project_back_with_the_published_camera_info(
        node: str, name: str, robot: 'robots.Robot') -> None:
    (width, height), changes = CAMERAS[name]
    if 'd' in changes:  # rectification usually changes the focal length, too
        changes = changes | {'p': [480.0, 0, 322, 0, 0, 480, 238, 0, 0, 0, 1, 0]}
    stamp = robot.ask_anew(robots.picture(width, height), robots.pinhole_info(**changes))
    depth, info, cloud = (robot.answers[key][stamp] for key in ('depth', 'camera_info', 'points'))
    scale = NODES[node].get('output_scale', 1)
    assert (info.width, info.height) == (depth.width, depth.height) == (
        width // scale, height // scale)
    assert (info.roi, info.binning_x, info.binning_y) == (RegionOfInterest(), 0, 0)
    # What is rectified has been turned already.
    assert info.r.tolist() == (np.eye(3).ravel().tolist() if node == 'rectified'
                               else robots.pinhole_info(**changes).r.tolist())
    k, p = info.k.reshape(3, 3), info.p.reshape(3, 4)
    assert p[0, 0] > 0 and np.abs(p[:, 3]).max() == 0

    points = xyz(cloud)
    exists = np.isfinite(points[..., 2])
    assert exists.mean() > 0.5
    v, u = np.mgrid[:depth.height:2, :depth.width:2]
    assert points.shape[:2] == u.shape
    pixels, points = np.stack([u, v], -1)[exists].astype(np.float64), points[exists]
    z = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)[::2, ::2]
    assert np.array_equal(points[:, 2], z[exists].astype(np.float64))

    if node == 'rectified':
        assert not any(info.d)
        seen, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), p[:, :3], None)
        assert np.abs(seen[:, 0] - pixels).max() < 1e-3
        return
    distortion = np.array(info.d)
    seen, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), k, distortion)
    assert np.abs(seen[:, 0] - pixels).max() < 1e-3
    # With P a point falls where rectifying the image puts its pixel.
    undistort = getattr(cv2, 'undistortPointsIter', cv2.undistortPoints)
    rectified = undistort(pixels[:, None], k, distortion, R=info.r.reshape(3, 3), P=p[:, :3],
                          criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-9))
    turned = points @ info.r.reshape(3, 3).T
    seen, _ = cv2.projectPoints(turned, np.zeros(3), np.zeros(3), p[:, :3], None)
    assert np.abs(seen[:, 0] - rectified[:, 0]).max() < 1e-3


def test_calibration_that_changes_mid_stream_is_used_at_once(
        node: str, robot: 'robots.Robot') -> None:
    for f_px in (525.0, 700.0, 525.0):
        stamp = robot.ask_anew(robots.picture(), robots.pinhole_info(f_px=f_px))
        scale = NODES[node].get('output_scale', 1)
        assert robot.answers['camera_info'][stamp].k[0] == pytest.approx(f_px / scale)
        points = xyz(robot.answers['points'][stamp])
        slope = np.nanmax(points[..., 0] / points[..., 2])
        assert slope == pytest.approx(320 / f_px, rel=0.02)


def test_the_choice_is_in_diagnostics(node: str, robot: 'robots.Robot', tiny_bundle: Path
                                      ) -> None:
    robot.diagnosed('image_is', 'raw: K and D' if node == 'raw' else 'rectified: P')
    robot.diagnosed('scale', 'metric')
    robot.diagnosed('backend', 'onnxruntime')
    robot.diagnosed('bundle', str(tiny_bundle))


def test_sigma_field_when_asked(node: str, robot: 'robots.Robot') -> None:
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    cloud, sigma = (robot.answers[name][stamp] for name in ('points', 'sigma'))
    names = [each.name for each in cloud.fields]
    if node == 'raw':
        assert names == ['x', 'y', 'z', 'rgb']
        return
    assert names == ['x', 'y', 'z', 'rgb', 'sigma']
    field = np.frombuffer(cloud.data, np.float32).reshape(cloud.height, cloud.width, 5)[..., 4]
    image = np.frombuffer(sigma.data, np.float32).reshape(sigma.height, sigma.width)[::2, ::2]
    known = np.isfinite(image)
    assert known.any() and np.array_equal(field[known], image[known])
