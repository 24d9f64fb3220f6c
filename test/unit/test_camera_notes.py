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

"""Camera notes: a camera_info that may be of rectified images is told from one of raw images."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.messages.intake import CameraInfos, Frame
from grin_ros.node.diagnostics import Statistics
from grin_ros.node.voice import Voice
from grin_ros.params import DepthParams

notes = pytest.importorskip('grin_ros.node.camera_notes', reason='ROS 2 is not installed')
CameraInfo = pytest.importorskip('sensor_msgs.msg').CameraInfo

K = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
STEREO = [500.0, 0.0, 320.0, -60.0, 0.0, 500.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
SHORTER = [450.0, 0.0, 320.0, 0.0, 0.0, 450.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
TURNED = [1.0, 0.0, 0.02, 0.0, 1.0, 0.0, -0.02, 0.0, 1.0]


def doubt_of_raw(topic: str, **changes: Any) -> str:
    """Return what is said of images with K and changes."""
    info = CameraInfo(width=640, height=480, k=K, **changes)
    return notes.doubt_of_raw(topic, info, Camera.from_camera_info(info, rectified=False))


BENT = {'p': SHORTER, 'r': TURNED, 'd': [-0.2, 0.1, 0.0, 0.0, 0.0]}


@pytest.mark.parametrize('changes, doubted', [
    ({}, False),
    ({'p': STEREO, 'r': np.eye(3).ravel()}, False),
    ({'p': SHORTER}, True),
    ({'p': SHORTER, 'd': [0.0] * 5}, True),
    ({'p': STEREO, 'r': TURNED}, True),
    (BENT, False),
], ids=['only_k', 'right_of_a_pair', 'another_p', 'another_p_zero_d', 'turned', 'distorted'])
def test_no_distortion_and_another_p_may_be_of_rectified_images(
        changes: dict[str, Any], doubted: bool) -> None:
    doubt = doubt_of_raw('/left/image', **changes)
    assert doubted == ('no distortion' in doubt) == bool(doubt)


@pytest.mark.parametrize('topic, doubted', [
    ('/left/rect/image', True), ('/left_rect/image', True), ('/rectified/left/image', True),
    ('/left/raw/image', False), ('/direct/left/image_raw', False)])
def test_rect_in_another_part_of_the_name_may_be_of_rectified_images(
        topic: str, doubted: bool) -> None:
    """Their camera_info still has the D of raw ones."""
    assert bool(doubt_of_raw(topic, **BENT)) is doubted
    fisheye = {'distortion_model': 'equidistant', 'd': [0.0] * 4, 'p': SHORTER}
    assert bool(doubt_of_raw(topic, **fisheye)) is doubted
    assert not doubt_of_raw(topic), 'K and P are the same, and there is no D'


def test_the_doubt_lasts_in_diagnostics_and_is_logged_once() -> None:
    """It was gone after 5 s, before anybody looks."""
    node, statistics = Mock(), Statistics()
    logger = node.get_logger()
    told = notes.CameraNotes(node, statistics, Voice(logger, statistics),
                             CameraInfos('/left/camera_info', rectified=False, required=True),
                             '/left/image')
    for p, doubted in ((SHORTER, True), (SHORTER, True), (STEREO, False)):
        info = CameraInfo(width=640, height=480, k=K, p=p)
        camera = Camera.from_camera_info(info, rectified=False)
        header = SimpleNamespace(frame_id='left_optical')
        statistics.reset()
        told.take(Frame(header, np.zeros((480, 640, 3), np.uint8), camera, info), DepthParams())
        assert ('warning_rectified' in statistics.warnings()) is doubted
    assert logger.warning.call_count == 1
