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

"""A plain folder: images, depth and a camera file in; Samples out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from grin_ros.camera import Camera
from grin_ros.camera.files import described_camera, read_values
from grin_ros.data.frames import (
    depth_sample,
    Frames,
    IMAGES,
    need_frames,
    read_depth,
    read_image,
    visible,
)
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

LAYOUT = ('NAME.png (or .jpg) with NAME_depth.png (16 bit, millimetres) or NAME_depth.npy '
          '(metres) beside it, or image/NAME.png with depth/NAME.png, and camera.yaml (or .json) '
          'or one NAME.yaml per image')
IMAGE_FOLDERS = ('image', 'images', 'rgb', 'color')
CAMERA_SUFFIXES = ('.yaml', '.yml', '.json')
# What distortion is called in files that also have fx.
BENT = ('d', 'coeffs', 'dist_coeffs', 'distortion', 'distortion_coefficients', 'k1', 'k2', 'k3',
        'k4', 'p1', 'p2')


def open_folder(folder: Path) -> Frames:
    """
    List the images that have depth.

    A camera file is the YAML of camera_calibration, a printed camera_info, or plain fx, fy, cx,
    cy, width, height. It may say depth_scale (what 1 m is in the PNG, 1000) and kind (indoor).
    """
    pairs = []
    for image in (path for path in visible(folder) if path.suffix.lower() in IMAGES):
        pairs += _with_depth(image, image.with_name(f'{image.stem}_depth'))
    for name in IMAGE_FOLDERS:
        for image in visible(folder / name):
            if image.suffix.lower() in IMAGES:
                pairs += _with_depth(image, folder / 'depth' / image.stem)
    common = camera_file(folder, 'camera')

    def read(pair: tuple[Path, Path]) -> Sample:
        image, depth = pair
        found = camera_file(image.parent, image.stem) or common
        if found is None:
            raise GrinError(f'{image} has no camera: put {image.stem}.yaml into {image.parent}, '
                            f'or camera.yaml into {folder}')
        camera, facts = found
        return depth_sample(read_image(image), read_depth(depth, depth_scale(facts, image)),
                            camera, image.stem, str(facts.get('kind', 'indoor')), folder.name)

    return Frames(need_frames(pairs, folder, LAYOUT), read)


def _with_depth(image: Path, depth: Path) -> list[tuple[Path, Path]]:
    for suffix in ('.png', '.npy'):
        path = depth.with_name(depth.name + suffix)
        if path.is_file():
            return [(image, path)]
    return []


def depth_scale(facts: dict[str, Any], image: Path, usual: float = 1000.0) -> float:
    """
    Return what 1 m is in a depth PNG: what the camera file of its image says, or what is usual.

    :raises GrinError: for what is no such number.
    """
    try:  # YAML reads 1e3 as text
        scale = float(facts.get('depth_scale', usual))
    except (TypeError, ValueError):
        scale = math.nan
    if not 0 < scale < math.inf:
        raise GrinError(f'the camera file of {image}: depth_scale must be what 1 m is in the '
                        f'PNG, a number above 0, not {facts["depth_scale"]!r}')
    return scale


def camera_file(folder: Path, stem: str) -> tuple[Camera, dict[str, Any]] | None:
    """Return the camera of a folder's STEM.yaml or .json and what else it says; None if none."""
    for suffix in CAMERA_SUFFIXES:
        path = folder / f'{stem}{suffix}'
        if path.is_file():
            return _read_camera(path)
    return None


def _read_camera(path: Path) -> tuple[Camera, dict[str, Any]]:
    facts = read_values(path)  # YAML, which JSON is, too
    if 'fx' not in facts:
        return described_camera(facts, path), facts
    try:
        fx, fy, cx, cy = (float(facts[key]) for key in ('fx', 'fy', 'cx', 'cy'))
        camera = Camera.pinhole(fx, fy, cx, cy, int(facts['width']), int(facts['height']))
    except (KeyError, TypeError, ValueError) as error:
        raise GrinError(f'{path} needs fx, fy, cx, cy, width and height: {error!r}') from error
    bent = [str(key) for key, value in facts.items() if str(key).lower() in BENT and _says(value)]
    if bent:
        raise GrinError(f'{path} has {", ".join(bent)} beside fx, which is of a pinhole: write '
                        'the camera as camera_calibration or `ros2 topic echo` does, or undistort '
                        'the images')
    return camera, facts


def _says(value: Any) -> bool:
    """Return whether there is any distortion in a value: numbers, by name or not, or a text."""
    if isinstance(value, dict | list):
        return any(map(_says, value.values() if isinstance(value, dict) else value))
    return bool(value) and str(value).lower() != 'none'
