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

"""The benchmark compares equals: our messages and those of cv_bridge and sensor_msgs_py."""

import importlib

import cv2
import numpy as np
import pytest

pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
Header = pytest.importorskip('std_msgs.msg').Header
paths = importlib.import_module('message_paths')
messages = importlib.import_module('grin_ros.messages')

INFO = paths.camera_info()
PICTURE, DEPTH = paths.scene()


def answer(path: object, encoding: str) -> tuple:
    """Return the messages of a path for the scene."""
    packed = PICTURE if encoding == 'rgb8' else cv2.cvtColor(PICTURE, cv2.COLOR_RGB2BGR)
    return path(messages.image_to_msg(packed, encoding, Header(frame_id='eye')), DEPTH)


def floats(msg: object) -> np.ndarray:
    """Return the fields of a cloud, (N, C)."""
    return np.frombuffer(msg.data, np.float32).reshape(-1, msg.point_step // 4)


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8'])
def test_cv_bridge_and_sensor_msgs_py_give_the_same_messages(encoding: str) -> None:
    if messages.bridge() is None:
        pytest.skip('no cv_bridge for this NumPy: make test-cv-bridge')
    ours = answer(paths.Ours(INFO, gates=False), encoding)
    theirs = answer(paths.Theirs(INFO, keep_rays=True), encoding)
    assert [each.data for each in theirs[::2]] == [
        each.data for each in answer(paths.Theirs(INFO), encoding)[::2]]
    assert bytes(ours[0].data) == bytes(theirs[0].data)
    for name in ('header', 'height', 'width', 'encoding', 'step', 'is_bigendian'):
        assert getattr(ours[0], name) == getattr(theirs[0], name), name
    assert ours[1] == theirs[1]
    cloud, other = floats(ours[2]), floats(theirs[2])
    # z and the bits of the colour; x and y are rounded in another order.
    assert cloud[:, 2:].tobytes() == other[:, 2:].tobytes()
    assert np.abs(cloud[:, :2] - other[:, :2]).max() < 1e-5  # [m]
    plain = answer(paths.Theirs(INFO, colour=False), encoding)[2]
    assert floats(plain).tobytes() == other[:, :3].tobytes()


def test_gates_take_points_away_and_change_none() -> None:
    bare, gated = (floats(answer(paths.Ours(INFO, gates=gates), 'bgr8')[2])
                   for gates in (False, True))
    gone = np.isnan(gated[:, 2])
    assert len(bare) == len(gated) == paths.WIDTH * paths.HEIGHT // 4
    assert 0 < gone.sum() < len(gone) // 20
    assert np.array_equal(bare[~gone], gated[~gone])
