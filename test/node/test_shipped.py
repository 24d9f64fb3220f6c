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

"""The shipped bundle in the node: metric depth comes out, within the memory it may take."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from grin_ros.demo.frames import shipped

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')

MAX_RSS_KB = 450_000
# How the camera of a frame that ships stood, by the floor in its true depth.
FRAME, FRAME_HEIGHT_M, FRAME_PITCH_DEG = 'table_2', 1.755, 27.5
LOWER = 0.8


@pytest.fixture(scope='module')
def node(start_node: Callable) -> 'robots.NodeProcess':
    """Start a node as users do, with the defaults."""
    if not (Path(str(resources.files('grin_ros'))) / 'bundles/grin_small/grin.json').is_file():
        pytest.skip('this source tree has no shipped bundle')
    return start_node('shipped', max_age=30)


def memory_kb(process_id: int) -> int:
    """Return the largest resident set so far [kB]."""
    status = Path(f'/proc/{process_id}/status').read_text(encoding='utf-8')
    return int(status.split('VmHWM:')[1].split()[0])


def test_images_become_metric_depth(node: 'robots.NodeProcess', make_robot: Callable) -> None:
    robot = make_robot('shipped', outputs=('depth', 'camera_info', 'points', 'sigma'))
    robot.wait_until_heard()
    for seed in range(3):
        stamp = robot.ask(robots.picture(seed=seed), robots.pinhole_info())
    depth, sigma = (np.frombuffer(robot.answers[name][stamp].data, np.float32)
                    for name in ('depth', 'sigma'))
    known = np.isfinite(depth)
    assert known.mean() > 0.5
    assert depth[known].min() >= 0.1 and depth[known].max() <= 80.0
    assert (sigma[known] > 0).all() and np.isnan(sigma[~known]).all()
    cloud = robot.answers['points'][stamp]
    assert (cloud.width, cloud.height, cloud.point_step) == (320, 240, 16)
    robot.diagnosed('scale', 'metric')
    assert robot.set_parameter('max_sigma', 0.05).successful
    stamp = robot.ask(robots.picture(), robots.pinhole_info())
    assert not np.isfinite(np.frombuffer(robot.answers['depth'][stamp].data, np.float32)).any()
    robot.diagnosed('warning_max_sigma', 'camera_height')  # why nothing is left
    assert robot.set_parameter('max_sigma', 0.0).successful
    assert memory_kb(node.process.pid) < MAX_RSS_KB


def test_scale_follows_the_floor(node: 'robots.NodeProcess', make_robot: Callable) -> None:
    """With the height of the camera all depth is scaled by what diagnostics say; 0 undoes it."""
    frame = next(frame for frame in shipped() if frame.name == FRAME)
    k, (height, width) = frame.camera.intrinsics, frame.depth.shape
    info = robots.pinhole_info(width, height, k=k.ravel().tolist(),
                               p=np.column_stack([k, np.zeros(3)]).ravel().tolist())
    robot = make_robot('shipped', outputs=('depth', 'sigma'))
    robot.wait_until_heard()
    depths, doubts = [], []
    for camera_height in (0.0, FRAME_HEIGHT_M, LOWER * FRAME_HEIGHT_M, 0.0):
        assert robot.set_parameter('camera_height', camera_height).successful
        assert robot.set_parameter('camera_pitch_deg', FRAME_PITCH_DEG).successful
        stamp = robot.ask(frame.image, info)
        depth, sigma = (np.frombuffer(robot.answers[name][stamp].data, np.float32).reshape(
            height, width) for name in ('depth', 'sigma'))
        depths.append(depth)
        doubts.append(np.nanmedian(sigma / np.where(np.isfinite(depth), depth, np.nan)))
        if camera_height:
            both = np.isfinite(depth) & np.isfinite(depths[0])
            factors = depth[both] / depths[0][both]
            np.testing.assert_allclose(factors, np.median(factors), rtol=1e-5)
            robot.diagnosed('floor', f'depth is multiplied by {np.median(factors):.2f}')
    known = np.isfinite(depths[1]) & np.isfinite(frame.depth)
    assert abs(np.log(np.median(depths[1][known] / frame.depth[known]))) < 0.1
    both = np.isfinite(depths[1]) & np.isfinite(depths[2])
    assert np.median(depths[2][both] / depths[1][both]) == pytest.approx(LOWER, rel=0.01)
    assert doubts[1] < doubts[0]
    np.testing.assert_array_equal(depths[3], depths[0])


def test_it_ends_with_zero_and_without_torch(node: 'robots.NodeProcess') -> None:
    assert node.stop() == 0
    assert not node.has_torch()
