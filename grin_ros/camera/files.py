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

"""Camera files: a calibration of ROS, OpenCV or Kalibr, or a camera_info in; a Camera out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import yaml

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

NO_REGION = {'x_offset': 0, 'y_offset': 0, 'width': 0, 'height': 0}
EXPECTED = ('the YAML of camera_calibration, of OpenCV or Kalibr, or of `ros2 topic echo --once '
            '.../camera_info`')
KALIBR = {'radtan': 'plumb_bob', 'equidistant': 'equidistant', 'none': 'plumb_bob'}


def read_camera_info(path: str | Path, rectified: bool = False) -> Camera:
    """
    Read the YAML of a calibration, or of ``ros2 topic echo --once .../camera_info``.

    Calibrations are those of camera_calibration, of OpenCV's sample, or of one Kalibr camera.

    :param rectified: True when the images are rectified: the 3x3 of P, no distortion.
    :raises GrinError: naming the file and what is wrong in it.
    """
    return described_camera(read_values(path), path, rectified)


def read_values(path: str | Path) -> dict[str, Any]:
    """
    Read what a camera file says, with the names of the tool that wrote it.

    :raises GrinError: when it is no YAML, or nothing with names.
    """
    try:
        text = Path(path).expanduser().read_text('utf-8')
        # Its header depends on OpenCV's version.
        # `ros2 topic echo` ends each message with ---; the first will do.
        values = (_of_opencv(text) if '!!opencv-matrix' in text
                  else next(iter(yaml.safe_load_all(text)), None))
    except OSError as error:
        raise GrinError(f'{path} cannot be read: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError, cv2.error, SystemError) as error:
        raise GrinError(f'{path} is no YAML: {error}') from error
    if not isinstance(values, dict):
        raise GrinError(f'{path} holds no camera: expected {EXPECTED}')
    return values


def described_camera(values: dict[str, Any], path: str | Path, rectified: bool = False) -> Camera:
    """
    Return the camera of what read_values returns.

    :param path: named in errors.
    :param rectified: as of read_camera_info.
    :raises GrinError: naming what is wrong.
    """
    try:
        if 'camera_matrix' in values:
            msg = _from_calibration(values)
        else:
            msg = _from_kalibr(values) if 'cam0' in values else _from_message(values)
        return Camera.from_camera_info(msg, rectified)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GrinError(f'{path} lacks a part of a camera ({type(error).__name__}: {error})'
                        ) from error
    except GrinError as error:
        raise GrinError(f'{path}: {error}') from error


def _from_calibration(values: dict[str, Any]) -> SimpleNamespace:
    """Read what camera_calibration writes."""
    projection = values.get('projection_matrix', {}).get('data') or [0.0] * 12
    return SimpleNamespace(
        width=values['image_width'], height=values['image_height'],
        distortion_model=values.get('distortion_model', 'plumb_bob'),
        d=values.get('distortion_coefficients', {}).get('data') or [],
        k=values['camera_matrix']['data'], p=projection,
        binning_x=0, binning_y=0, roi=SimpleNamespace(**NO_REGION))


def _of_opencv(text: str) -> dict[str, Any]:
    """Return what OpenCV's calibration sample wrote, as camera_calibration writes it."""
    storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    values: dict[str, Any] = {}
    for name in storage.root().keys():
        node = storage.getNode(name)
        if node.isInt():
            values[name] = int(node.real())
        elif node.isReal():
            values[name] = node.real()
        elif node.isString():
            values[name] = node.string()
        elif node.isMap() and (matrix := node.mat()) is not None:
            values[name] = {'data': matrix.ravel().tolist()}
    count = len(values.get('distortion_coefficients', {}).get('data') or ())
    values['distortion_model'] = ('equidistant' if values.get('fisheye_model')
                                  else 'plumb_bob' if count <= 5 else 'rational_polynomial')
    return values


def _from_kalibr(values: dict[str, Any]) -> SimpleNamespace:
    """Read Kalibr's camchain of one camera."""
    if len(values) > 1:
        raise GrinError(f'holds {", ".join(values)}: keep the one that is meant, as cam0')
    camera = values['cam0']
    model, lens = camera['camera_model'], camera.get('distortion_model', 'none')
    if model != 'pinhole' or lens not in KALIBR:
        raise GrinError(f'has the camera model {model}-{lens}: calibrate with one of '
                        + ', '.join(f'pinhole-{known}' for known in KALIBR))
    fx, fy, cx, cy = camera['intrinsics']
    width, height = camera['resolution']
    return SimpleNamespace(
        width=width, height=height, distortion_model=KALIBR[lens],
        d=camera.get('distortion_coeffs') or [], k=[fx, 0, cx, 0, fy, cy, 0, 0, 1],
        p=[0.0] * 12, binning_x=0, binning_y=0, roi=SimpleNamespace(**NO_REGION))


def _from_message(values: dict[str, Any]) -> SimpleNamespace:
    """Read a printed sensor_msgs/CameraInfo, of ROS 2 or ROS 1 (K, D and P in capitals)."""
    values = {key.lower(): value for key, value in values.items()}
    return SimpleNamespace(
        width=values['width'], height=values['height'],
        distortion_model=values.get('distortion_model', ''), d=values.get('d') or [],
        k=values['k'], p=values.get('p') or [0.0] * 12,
        binning_x=values.get('binning_x', 0), binning_y=values.get('binning_y', 0),
        roi=SimpleNamespace(**{**NO_REGION, **(values.get('roi') or {})}))
