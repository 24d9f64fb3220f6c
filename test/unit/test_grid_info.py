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

"""The published camera_info describes the grid, and is the same until the camera changes."""

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.messages.grid_info import camera_info_fields, GridInfo

msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
Header = pytest.importorskip('std_msgs.msg').Header

RNG = np.random.default_rng(0)


def calibration(**changes: object) -> msgs.CameraInfo:
    """Return a distorted camera, rectified to a P of its own."""
    msg = msgs.CameraInfo(
        width=640, height=480, distortion_model='plumb_bob', d=[-0.2, 0.05, 0.001, -0.002, 0.0],
        k=[500.0, 0, 322, 0, 505, 243, 0, 0, 1], r=[0.0, -1, 0, 1, 0, 0, 0, 0, 1],
        p=[480.0, 0, 318, -24, 0, 480, 239, 0, 0, 0, 1, 0])
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


@pytest.mark.parametrize('rectified', [False, True])
@pytest.mark.parametrize('changes', [
    {}, {'binning_x': 2, 'binning_y': 2},
    {'roi': msgs.RegionOfInterest(x_offset=40, y_offset=20, width=320, height=240)}])
@pytest.mark.parametrize('scale', [1, 2, 4])
def test_camera_info_describes_the_grid(rectified: bool, changes: dict, scale: int) -> None:
    """A point must fall on the pixel where it did, moved by crop, binning and scale."""
    source = calibration(**changes)
    camera = Camera.from_camera_info(source, rectified)
    grid = camera.scaled(camera.width // scale, camera.height // scale)
    msg = GridInfo().to_msg(source, grid, rectified, Header(frame_id='eye'))
    x, y = (source.roi.x_offset, source.roi.y_offset)
    s = scale * max(1, source.binning_x)
    points = RNG.uniform([-1, -1, 2, 1], [1, 1, 4, 1], (20, 4))
    for full, moved in ((source.k, msg.k), (source.p, msg.p)):
        if full is source.k and rectified:
            full = source.p.reshape(3, 4)[:, :3]
        columns = np.size(full) // 3
        before = points[:, :columns] @ np.reshape(full, (3, columns)).T
        after = points[:, :columns] @ np.reshape(moved, (3, columns)).T
        before, after = (each[:, :2] / each[:, 2:] for each in (before, after))
        assert np.abs((before - (x, y) + 0.5) / s - 0.5 - after).max() < 1e-9
    assert (msg.width, msg.height) == (grid.width, grid.height)
    turn = np.eye(3).ravel() if rectified else source.r
    assert msg.r.tolist() == turn.tolist() and msg.header.frame_id == 'eye'
    assert (msg.roi, msg.binning_x, msg.binning_y) == (msgs.RegionOfInterest(), 0, 0)
    assert list(msg.d) == ([0.0] * 5 if rectified else list(source.d))


@pytest.mark.parametrize('p', [[480.0, 0, 318, -24, 0, 470, 239, 0, 0, 0, 1, 0], [0.0] * 12])
@pytest.mark.parametrize('scale', [1, 2])
def test_whoever_rectifies_what_is_rectified_gets_it_back(p: list[float], scale: int) -> None:
    """With D = 0 and K = P an R would turn the picture a second time."""
    source = calibration(p=p)
    camera = Camera.from_camera_info(source, rectified=True)
    grid = camera.scaled(camera.width // scale, camera.height // scale)
    msg = GridInfo().to_msg(source, grid, True, Header())
    assert not any(msg.d)
    u, v = cv2.initUndistortRectifyMap(
        msg.k.reshape(3, 3), np.array(msg.d), msg.r.reshape(3, 3), msg.p.reshape(3, 4)[:, :3],
        (msg.width, msg.height), cv2.CV_32FC1)
    assert np.abs(u - np.arange(msg.width)).max() < 1e-3
    assert np.abs(v - np.arange(msg.height)[:, None]).max() < 1e-3


def test_camera_info_never_has_a_zero_p() -> None:
    for source in (None, calibration(p=[0.0] * 12, r=[0.0] * 9)):
        camera = (Camera.from_camera_info(source, False) if source
                  else Camera.default_pinhole(640, 480))
        msg = GridInfo().to_msg(source, camera, False, Header())
        assert np.array_equal(msg.p.reshape(3, 4)[:, :3], msg.k.reshape(3, 3))
        assert msg.r.reshape(3, 3).tolist() == np.eye(3).tolist()


def test_a_grid_has_one_message_with_the_last_header_until_the_camera_differs() -> None:
    source, info = calibration(), GridInfo()
    camera = Camera.from_camera_info(source, False)
    first = info.to_msg(source, camera, False, Header(frame_id='a'))
    assert first.header.frame_id == 'a'
    assert info.to_msg(source, camera, False, Header(frame_id='b')) is first
    assert first.header.frame_id == 'b'
    assert first == msgs.CameraInfo(header=Header(frame_id='b'),
                                    **camera_info_fields(source, camera, False))
    others = [(source, camera.scaled(320, 240), False), (source, camera, True),
              (calibration(r=[1.0, 0, 0, 0, 1, 0, 0, 0, 1]), camera, False), (None, camera, False)]
    for of, grid, rectified in others:
        msg = info.to_msg(of, grid, rectified, Header())
        expected = msgs.CameraInfo(**camera_info_fields(of, grid, rectified))
        assert msg == expected and msg is not first
