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
"""The verb ``view``: a photo and its cloud, to be turned by hand or as a film."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.cli.camera_options import (
    add_camera_options,
    add_mount_options,
    chosen_mount,
    floor_note,
    read_photo,
)
from grin_ros.cli.files import need_place
from grin_ros.cli.films import new_film
from grin_ros.cli.options import add_estimator_options, complain, load_estimator, progress
from grin_ros.errors import GrinError
from grin_ros.postprocess.floor import FloorScale
from grin_ros.visualise import cloud_view, depth_picture

HEIGHT = 480  # [px] of what is shown
POINTS = 120_000  # of a cloud, about: what turns smoothly
FILM_HZ, FILM_VIEWS = 20, 120
YAW_DEG, PITCH_DEG = 25.0, 20.0  # to begin with
SWING_DEG = 35.0  # to either side, of a film
DEG_PER_PX = 0.3
WINDOW = 'grin view: drag to turn, q to quit'

View = Callable[[float, float], NDArray[np.uint8]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('image', type=Path, metavar='IMAGE')
    parser.add_argument('--save', type=Path, metavar='OUT.mp4',
                        help='write a film of the cloud that swings instead of opening a window')
    add_camera_options(parser)
    add_mount_options(parser)
    add_estimator_options(parser, figures=False)


def run(options: argparse.Namespace) -> int:
    """Estimate depth and show its cloud."""
    mount = chosen_mount(options)
    if options.save and options.save.suffix != '.mp4':
        raise GrinError(f'--save {options.save}: give a name that ends with .mp4')
    need_place(options.save, '--save')
    estimator = load_estimator(options)
    image, camera = read_photo(options, options.image, estimator)
    result = estimator.estimate(image, camera, options.steps, options.samples)
    camera = camera or Camera.default_pinhole(*image.shape[1::-1])
    if mount:
        result = (floor := FloorScale()).apply(result, camera, mount)
        complain(floor_note(floor))
    view = scene(image, camera, result.depth)
    if options.save:
        swing(view, options.save)
        print(f'{estimator.backend.reason}; {options.save}')
    else:
        turn(view)
    return 0


def scene(image: NDArray[np.uint8], camera: Camera, depth: NDArray[np.float32]) -> View:
    """Return what draws photo, depth and cloud, as (H, W, 3) RGB, from (yaw, pitch) [deg]."""
    step = max(1, math.isqrt(depth.size // POINTS))
    points = camera.unproject(depth)[::step, ::step]
    still = np.vstack([image, depth_picture(depth)[:, :image.shape[1]]])
    still = cv2.resize(still, (max(1, round(HEIGHT * still.shape[1] / still.shape[0])), HEIGHT),
                       interpolation=cv2.INTER_AREA)

    def view(yaw_deg: float, pitch_deg: float) -> NDArray[np.uint8]:
        cloud = cloud_view(points, image[::step, ::step], (2 * HEIGHT, HEIGHT), yaw_deg,
                           pitch_deg)
        return np.hstack([still, cloud])
    return view


def swing(view: View, path: Path) -> None:
    """Write a film in which the cloud turns to and fro."""
    turns = np.linspace(0, 2 * math.pi, FILM_VIEWS, endpoint=False)
    height, width = view(0, 0).shape[:2]
    with new_film(path, FILM_HZ, (width, height)) as write:
        for angle in progress(turns, 'view'):
            write(view(SWING_DEG * math.sin(angle), PITCH_DEG * (1 - math.cos(angle)) / 2))


def turn(view: View) -> None:
    """Open a window until q, escape or its close button."""
    angles, last = [YAW_DEG, PITCH_DEG], (0, 0)

    def mouse(event: int, x: int, y: int, flags: int, _: object) -> None:
        nonlocal last
        if event == cv2.EVENT_MOUSEMOVE and flags & cv2.EVENT_FLAG_LBUTTON:
            angles[0] += DEG_PER_PX * (x - last[0])
            angles[1] = min(max(angles[1] + DEG_PER_PX * (y - last[1]), -89.0), 89.0)
        last = x, y

    try:
        cv2.namedWindow(WINDOW)
        cv2.setMouseCallback(WINDOW, mouse)
    except cv2.error as error:
        raise GrinError('this OpenCV opens no window here: give --save OUT.mp4, or install '
                        'opencv-python in place of opencv-python-headless') from error
    while cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) > 0:
        cv2.imshow(WINDOW, cv2.cvtColor(view(*angles), cv2.COLOR_RGB2BGR))
        if cv2.waitKey(15) & 0xff in (ord('q'), 27):
            break
    cv2.destroyAllWindows()
