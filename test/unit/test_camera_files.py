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

"""Camera files: what camera_calibration writes and what `ros2 topic echo` prints."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from grin_ros.camera.files import read_camera_info
from grin_ros.errors import GrinError

CALIBRATION = """
image_width: 640
image_height: 480
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [461.0, 0, 322.5, 0, 459.0, 236.25, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0.001, -0.002, 0.0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [400, 0, 310, 0, 0, 400, 230, 0, 0, 0, 1, 0]}
"""
OPENCV = """%YAML:1.0
---
calibration_time: "Sat 28 Nov 2026"
image_width: 640
image_height: 480
flags: 0
fisheye_model: 0
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 461., 0., 322.5, 0., 459., 236.25, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ -0.3, 0.1, 0.001, -0.002, 0. ]
"""
KALIBR = """
cam0:
  cam_overlaps: []
  camera_model: pinhole
  distortion_coeffs: [-0.3, 0.1, 0.001, -0.002]
  distortion_model: radtan
  intrinsics: [461.0, 459.0, 322.5, 236.25]
  resolution: [640, 480]
  rostopic: /camera/image_raw
"""
ECHO = """
header:
  stamp:
    sec: 12
    nanosec: 0
  frame_id: camera
height: 480
width: 640
distortion_model: plumb_bob
d:
- -0.3
- 0.1
- 0.001
- -0.002
- 0.0
k: [461.0, 0.0, 322.5, 0.0, 459.0, 236.25, 0.0, 0.0, 1.0]
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
p: [400.0, 0.0, 310.0, 0.0, 0.0, 400.0, 230.0, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 0
binning_y: 0
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""


@pytest.mark.parametrize('text', [CALIBRATION, ECHO])
def test_both_formats_are_the_same_camera(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'camera.yaml'
    path.write_text(text, encoding='utf-8')
    raw, rectified = read_camera_info(path), read_camera_info(path, rectified=True)
    assert (raw.width, raw.height) == (640, 480)
    assert np.diag(raw.intrinsics).tolist() == [461, 459, 1]
    assert raw.distortion == (-0.3, 0.1, 0.001, -0.002, 0)
    assert rectified.intrinsics[0, 0] == 400 and rectified.is_pinhole


@pytest.mark.parametrize('text', [OPENCV, KALIBR])
def test_calibrations_of_other_tools_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'camera.yaml'
    path.write_text(text, encoding='utf-8')
    camera = read_camera_info(path)
    assert (camera.width, camera.height, camera.model) == (640, 480, 'plumb_bob')
    assert camera.intrinsics.tolist() == [[461, 0, 322.5], [0, 459, 236.25], [0, 0, 1]]
    assert camera.distortion[:4] == (-0.3, 0.1, 0.001, -0.002) and not any(camera.distortion[4:])
    wide = text.replace('fisheye_model: 0', 'fisheye_model: 1').replace('radtan', 'equidistant')
    wide = wide.replace('rows: 5', 'rows: 4').replace('-0.002, 0. ]', '-0.002 ]')
    path.write_text(wide, encoding='utf-8')
    assert read_camera_info(path).model == 'equidistant'


def test_what_the_installed_opencv_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'camera.yaml'
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write('image_width', 640)
    storage.write('image_height', 480)
    storage.write('camera_matrix', np.array([[461, 0, 322.5], [0, 459, 236.25], [0, 0, 1]]))
    storage.write('distortion_coefficients', np.array([[-0.3], [0.1], [0.001], [-0.002], [0.0]]))
    storage.release()
    for text in (path.read_text(), OPENCV, OPENCV.replace('%YAML:1.0', '%YAML 1.2')):
        path.write_text(text)
        camera = read_camera_info(path)
        assert camera.intrinsics[0].tolist() == [461, 0, 322.5]
        assert camera.distortion[:4] == (-0.3, 0.1, 0.001, -0.002)


def test_binning_of_a_message_is_followed(tmp_path: Path) -> None:
    path = tmp_path / 'camera.yaml'
    path.write_text(ECHO.replace('binning_x: 0', 'binning_x: 2').replace(
        'binning_y: 0', 'binning_y: 2'), encoding='utf-8')
    assert read_camera_info(path).width == 320


@pytest.mark.parametrize('text, reason', [
    (KALIBR + KALIBR.replace('cam0', 'cam1'), 'cam0, cam1'),
    (KALIBR.replace('pinhole', 'omni'), 'omni-radtan'), ('%YAML:1.0\n---\nx: [', 'no YAML'),
    (OPENCV.replace('rows: 3', 'rows: ['), 'no YAML'),
    ('', 'no camera'), ('hello', 'no camera'), ('{a: [}', 'no YAML'), ('width: 640', 'lacks'),
    (CALIBRATION.replace('461.0', '0'), 'not calibrated'),
    (CALIBRATION.replace('plumb_bob', 'mystery'), 'unknown distortion model')])
def test_what_is_no_camera_is_refused_by_name(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / 'odd.yaml'
    path.write_text(text, encoding='utf-8')
    with pytest.raises(GrinError, match=rf'odd\.yaml.*{reason}'):
        read_camera_info(path)


def test_what_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / 'odd.yaml').write_bytes(b'\xff\xfe')
    with pytest.raises(GrinError, match=r'odd\.yaml is no YAML'):
        read_camera_info(tmp_path / 'odd.yaml')


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GrinError, match=r'none\.yaml cannot be read'):
        read_camera_info(tmp_path / 'none.yaml')
