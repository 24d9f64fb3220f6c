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

"""Tests of the body mask: what a camera sees of its own robot is no obstacle."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate
from grin_ros.messages.intake import Frame
from grin_ros.params import DepthParams
from grin_ros.postprocess.body_mask import BodyMask
from grin_ros.postprocess.result import Results


def picture(path: Path, width: int = 64, height: int = 48) -> str:
    """Write a mask whose lowest quarter, and one more pixel, is the robot."""
    mask = np.full((height, width, 3), 255, np.uint8)
    mask[height * 3 // 4:] = 0
    mask[0, 0] = 0
    cv2.imwrite(str(path), mask)
    return str(path)


@pytest.mark.parametrize('scale', [1, 2, 4])
def test_whatever_shows_some_of_the_robot_is_masked(tmp_path: Path, scale: int) -> None:
    """On a coarser grid a pixel that is the robot in part is the robot."""
    mask = BodyMask(picture(tmp_path / 'body.png'))
    body = mask.on(48 // scale, 64 // scale)
    assert body.shape == (48 // scale, 64 // scale)
    assert body[36 // scale:].all() and body[0, 0]
    assert body.sum() == body[36 // scale:].size + 1
    assert mask.on(48 // scale, 64 // scale) is body, 'it is fitted once'


def test_a_coarse_picture_serves_a_finer_grid(tmp_path: Path) -> None:
    """A pixel of the picture is as many of the grid."""
    body = BodyMask(picture(tmp_path / 'body.png')).on(96, 128)
    assert body[72:].all() and body[:2, :2].all() and body.sum() == body[72:].size + 4


def test_a_coarse_picture_is_not_moved_where_sizes_are_no_multiples(tmp_path: Path) -> None:
    """Each pixel of the grid takes the pixel of the picture that its centre is in."""
    bars = np.full((48, 64), 255, np.uint8)
    bars[:, ::3] = 0
    cv2.imwrite(str(tmp_path / 'bars.png'), bars)
    body = BodyMask(str(tmp_path / 'bars.png')).on(60, 80)
    centres = (np.arange(80) + 0.5) * 64 / 80
    inside = centres % 1 != 0  # others are between two pixels
    expected = bars[0, centres.astype(int)] == 0
    np.testing.assert_array_equal(body[30, inside], expected[inside])


@pytest.mark.parametrize('scale', [1, 2, 4])
@pytest.mark.parametrize('size', [(240, 135), (160, 90), (100, 75), (320, 66), (67, 53)])
def test_a_picture_of_the_size_of_images_serves_every_grid(
        tmp_path: Path, size: tuple[int, int], scale: int) -> None:
    """The size of a grid is rounded down: 240x135 at a quarter has 60x33 pixels."""
    width, height = size
    mask = BodyMask(picture(tmp_path / 'body.png', width, height))
    body = mask.on(height // scale, width // scale)
    assert body[-1].all() and not body[height // scale // 2].any()


def test_what_is_no_mask_is_named(tmp_path: Path) -> None:
    """A missing file, a text, a picture of another view, and one without a world."""
    (tmp_path / 'text.png').write_text('no picture')
    for path in (tmp_path / 'missing.png', tmp_path / 'text.png', tmp_path):
        with pytest.raises(GrinError, match=f'body_mask: {path} is no picture'):
            BodyMask(str(path))
    cv2.imwrite(str(tmp_path / 'dark.png'), np.zeros((48, 64), np.uint8))
    with pytest.raises(GrinError, match='dark all over'):
        BodyMask(str(tmp_path / 'dark.png'))
    with pytest.raises(GrinError, match='is 64x48 and depth 64x36'):
        BodyMask(picture(tmp_path / 'body.png')).on(36, 64)


def test_the_robot_is_neither_depth_nor_a_hint_of_scale(tmp_path: Path) -> None:
    """It is NaN before anything is made of depth; all else is as without a mask."""
    camera = Camera.from_hfov(80, 64, 48)
    frame = Frame(SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0)),
                  np.zeros((48, 64, 3), np.uint8), None, camera)

    def depth(mask: BodyMask | None) -> np.ndarray:
        estimate = DepthEstimate(np.full((48, 64), 2, np.float32), camera.rays()[..., 2],
                                 lambda: np.zeros((48, 64), np.float32), 0.1, True, {})
        return Results(mask).make(frame, estimate, DepthParams()).depth

    mask = BodyMask(picture(tmp_path / 'body.png'))
    body = mask.on(48, 64)
    masked = depth(mask)
    assert np.isnan(masked[body]).all()
    np.testing.assert_array_equal(masked[~body], depth(None)[~body])
