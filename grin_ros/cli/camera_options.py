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


"""Options that say which camera took an image, for the verbs that read image files."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.camera.files import read_camera_info
from grin_ros.cli.options import complain
from grin_ros.data.frames import read_image
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimator
from grin_ros.postprocess.floor import FloorScale, Mount


def add_camera_options(parser: argparse.ArgumentParser, may_be_unknown: bool = True) -> None:
    """Add what chosen_camera reads; one of them must be given."""
    camera = parser.add_mutually_exclusive_group(required=True)
    camera.add_argument('--intrinsics', type=float, nargs=4, metavar=('FX', 'FY', 'CX', 'CY'),
                        help='pinhole, in pixels of the image')
    camera.add_argument('--camera-info', metavar='FILE', type=Path,
                        help='YAML of camera_calibration, OpenCV, Kalibr or of `ros2 topic echo`')
    camera.add_argument('--hfov', type=float, metavar='DEG',
                        help='field of view across the image, upright as its EXIF says')
    if may_be_unknown:
        camera.add_argument('--no-intrinsics', action='store_true',
                            help='unknown camera: the scale of the depth means nothing')
    parser.set_defaults(no_intrinsics=False)
    parser.add_argument('--rectified', action='store_true',
                        help='with --camera-info: the images are rectified, use P and no D')


def add_mount_options(parser: argparse.ArgumentParser) -> None:
    """Add what chosen_mount reads."""
    parser.add_argument('--camera-height', type=float, metavar='M',
                        help='of the lens above the floor: where the floor is seen, depth gets '
                        'the scale that puts it there')
    parser.add_argument('--camera-pitch', type=float, metavar='DEG',
                        help='how far the camera looks down (default: 0, level)')


def chosen_mount(options: argparse.Namespace) -> Mount | None:
    """
    Return how the command line says that the camera is mounted.

    :raises GrinError: when the scale could not follow from it.
    """
    if options.camera_height is None:
        if options.camera_pitch is not None:
            raise GrinError('--camera-pitch goes with --camera-height')
        return None
    if options.no_intrinsics:
        raise GrinError('--camera-height needs a known camera: without one nobody knows how its '
                        'rays fall, so give --intrinsics, --camera-info or --hfov')
    return Mount(options.camera_height, options.camera_pitch or 0.0)


def floor_note(floor: FloorScale) -> str:
    """Return a sentence about what the floor said."""
    if floor.factor is None:
        return 'no floor was seen, so that the scale stays as the network says'
    return f'the floor says that depth is to be multiplied by {floor.factor:.2f}'


def chosen_camera(options: argparse.Namespace, width: int, height: int) -> Camera | None:
    """
    Build the camera that the command line describes; None when it is unknown.

    :raises GrinError: when it describes none.
    """
    if options.rectified and not options.camera_info:
        raise GrinError('--rectified goes with --camera-info')
    if options.no_intrinsics:
        return None
    if options.camera_info:
        camera = read_camera_info(options.camera_info, options.rectified)
        if (camera.width, camera.height) != (width, height):
            raise GrinError(f'--camera-info {options.camera_info} is of {camera.width}x'
                            f'{camera.height}, and the image of {width}x{height}: give the '
                            'camera_info of images of this size, or --hfov')
        return camera
    if options.hfov is not None:
        return Camera.from_hfov(options.hfov, width, height)
    fx, fy, cx, cy = options.intrinsics
    return Camera.pinhole(fx, fy, cx, cy, width, height)


def is_upright(options: argparse.Namespace) -> bool:
    """Tell whether images are to be turned as their files say."""
    # Intrinsics are those of the sensor, a field of view is that of the photo as one sees it.
    return options.hfov is not None or options.no_intrinsics


def read_photo(options: argparse.Namespace, path: Path, estimator: DepthEstimator
               ) -> tuple[NDArray[np.uint8], Camera | None]:
    """Read an image and its camera; say so when the model hardly knows such a lens."""
    image = read_image(path, is_upright(options))
    camera = chosen_camera(options, image.shape[1], image.shape[0])
    note_lens(path, camera, estimator)
    return image, camera


def note_lens(path: Path, camera: Camera | None, estimator: DepthEstimator) -> None:
    """Say so when the model hardly knows such a lens."""
    if camera and (sentence := estimator.bundle.strange_lens(camera)):
        complain(f'{path}: {sentence}')
