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


"""Rectified output: from any lens, depth and K alone give the points, and the image fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
RegionOfInterest = pytest.importorskip('sensor_msgs.msg').RegionOfInterest

TURNED = cv2.Rodrigues(np.array([0.01, -0.02, 0.005]))[0].ravel().tolist()
P = [480.0, 0, 322, 0, 0, 480, 238, 0, 0, 0, 1, 0]
LENSES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    'plumb_bob': ((640, 480), {'d': [-0.21, 0.06, 0.0012, -0.0008, 0.0], 'r': TURNED, 'p': P}),
    'rational_polynomial': ((640, 480), {
        'distortion_model': 'rational_polynomial', 'p': [0.0] * 12,
        'd': [0.2, -0.1, 0.001, 0.0, 0.02, 0.5, -0.1, 0.01]}),
    'equidistant': ((640, 480), {'distortion_model': 'equidistant',
                                 'd': [0.02, -0.004, 0.0, 0.0], 'p': P}),
    'cropped_binned': ((160, 100), {
        'd': [-0.21, 0.06, 0.0012, -0.0008, 0.0], 'p': P, 'binning_x': 2, 'binning_y': 2,
        'roi': RegionOfInterest(x_offset=100, y_offset=60, width=320, height=200)}),
    'no_distortion': ((640, 480), {}),
}
OUTPUTS = ('depth', 'camera_info', 'points', 'rgb/image', 'rgb/camera_info', 'sigma', 'near')


@pytest.fixture(scope='module')
def robot(start_node: Callable, keep_robot: Callable, tiny_bundle: Path) -> 'robots.Robot':
    """Start a node on a raw image whose outputs are rectified; return its camera."""
    start_node('flat', bundle=tiny_bundle, max_age=30, max_depth=1000, edge_gate=False,
               output='rectified', output_scale=2)
    result = keep_robot('flat', outputs=OUTPUTS)
    result.wait_until_heard()
    return result


def pixels_of(msg: Any, kind: str = '<f4') -> np.ndarray:
    """Return an image's pixels."""
    return np.frombuffer(msg.data, kind).reshape(msg.height, msg.width, -1)


@pytest.mark.parametrize('lens', LENSES)
def test_depth_and_k_give_the_points(robot: 'robots.Robot', lens: str) -> None:
    (width, height), changes = LENSES[lens]
    picture = cv2.resize(robots.picture(16, 12), (width, height))
    stamp = robot.ask_anew(picture, robots.pinhole_info(**changes))
    answer = {name: robot.answers[name][stamp] for name in OUTPUTS}
    info, depth = answer['camera_info'], pixels_of(answer['depth'])[..., 0]
    assert depth.shape == (height // 2, width // 2) == (info.height, info.width)
    k = info.k.reshape(3, 3)
    assert not any(info.d) and info.r.reshape(3, 3).tolist() == np.eye(3).tolist()
    assert np.array_equal(info.p.reshape(3, 4), np.hstack([k, np.zeros((3, 1))]))

    # What depth_image_proc, nvblox and rtabmap compute.
    v, u = np.mgrid[:info.height:2, :info.width:2]
    z = depth[::2, ::2]
    ours = pixels_of(answer['points'])[..., :3]
    finite = np.isfinite(z)
    assert finite.mean() > 0.5
    theirs = np.stack([(u - k[0, 2]) / k[0, 0] * z, (v - k[1, 2]) / k[1, 1] * z, z], -1)[finite]
    theirs = theirs.astype(np.float32)
    assert np.array_equal(finite, np.isfinite(ours[..., 0]))
    assert np.allclose(theirs, ours[finite], rtol=1e-4, atol=1e-4)

    sigma, near = (pixels_of(answer[name])[..., 0] for name in ('sigma', 'near'))
    known = np.isfinite(depth)
    assert np.array_equal(known, np.isfinite(sigma)) and (near[known] < depth[known]).all()

    # The image is the one that OpenCV rectifies, of the full size.
    full = answer['rgb/camera_info']
    image = pixels_of(answer['rgb/image'], 'u1')
    assert image.shape == (height, width, 3) and full.width == width
    assert full.k[0] == pytest.approx(2 * k[0, 0])
    if lens != 'no_distortion':
        source = robots.pinhole_info(**changes).k.reshape(3, 3)
        if lens == 'cropped_binned':
            move = np.array([[0.5, 0, (0.5 - 100) / 2 - 0.5], [0, 0.5, (0.5 - 60) / 2 - 0.5],
                             [0, 0, 1]])
            source = move @ source
        fit = cv2.fisheye if lens == 'equidistant' else cv2
        maps = fit.initUndistortRectifyMap(source, np.array(changes['d']), np.eye(3),
                                           full.k.reshape(3, 3), (width, height), cv2.CV_32FC1)
        expected = cv2.remap(picture, *maps, cv2.INTER_LINEAR)
        differs = np.abs(image.astype(int) - expected).max(-1)[2:-2, 2:-2]
        assert np.percentile(differs, 97) <= 3


def test_the_choice_is_in_diagnostics(robot: 'robots.Robot') -> None:
    robot.ask_anew(robots.picture(), robots.pinhole_info(**LENSES['plumb_bob'][1]))
    assert robot.settled()['grid'] == 'rectified'
    robot.ask_anew(robots.picture(), robots.pinhole_info())
    assert robot.settled()['grid'] == 'undistorted'


def test_a_lens_that_focuses_is_told_of_once(start_node: Callable, keep_robot: Callable,
                                             tiny_bundle: Path) -> None:
    """Its focal length differs from image to image; the log has one line on the camera."""
    node = start_node('focus', bundle=tiny_bundle, max_age=30)
    robot = keep_robot('focus', outputs=('depth',))
    robot.wait_until_heard()
    for step in range(4):
        info = robots.pinhole_info(**LENSES['plumb_bob'][1])
        info.k[0] *= 1 + 0.001 * step
        robot.ask(robots.picture(), info)
    assert node.log.count(' px, plumb_bob, from ') == 1, node.log
    info.k[0] *= 1.2
    robot.ask_anew(robots.picture(), info)
    assert node.log.count(' px, plumb_bob, from ') == 2, node.log
