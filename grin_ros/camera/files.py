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

"""Camera files: a calibration or a saved camera_info message in YAML in; a Camera out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

NO_REGION = {'x_offset': 0, 'y_offset': 0, 'width': 0, 'height': 0}


def read_camera_info(path: str | Path, rectified: bool = False) -> Camera:
    """
    Read the YAML of camera_calibration, or of ``ros2 topic echo --once .../camera_info``.

    :param rectified: True when the images are rectified: the 3x3 of P, no distortion.
    :raises GrinError: naming the file and what is wrong in it.
    """
    try:
        # `ros2 topic echo` ends each message with ---; the first will do.
        values = next(iter(yaml.safe_load_all(Path(path).expanduser().read_text('utf-8'))), None)
    except OSError as error:
        raise GrinError(f'{path} cannot be read: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GrinError(f'{path} is no YAML: {error}') from error
    if not isinstance(values, dict):
        raise GrinError(f'{path} holds no camera: expected the YAML of camera_calibration or of '
                        '`ros2 topic echo --once .../camera_info`')
    try:
        msg = _from_calibration(values) if 'camera_matrix' in values else _from_message(values)
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


def _from_message(values: dict[str, Any]) -> SimpleNamespace:
    """Read a printed sensor_msgs/CameraInfo, of ROS 2 or ROS 1 (K, D and P in capitals)."""
    values = {key.lower(): value for key, value in values.items()}
    return SimpleNamespace(
        width=values['width'], height=values['height'],
        distortion_model=values.get('distortion_model', ''), d=values.get('d') or [],
        k=values['k'], p=values.get('p') or [0.0] * 12,
        binning_x=values.get('binning_x', 0), binning_y=values.get('binning_y', 0),
        roi=SimpleNamespace(**{**NO_REGION, **(values.get('roi') or {})}))
