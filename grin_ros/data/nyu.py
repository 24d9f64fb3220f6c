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

"""NYU Depth v2: folders of rgb and depth files, or the labelled .mat (needs h5py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from grin_ros.camera import Camera
from grin_ros.data.frames import depth_sample, Frames, IMAGES, need_frames, read_depth, read_image
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

UNITS_PER_METRE = 1000.0
# The toolbox counts pixels from 1.
CAMERA = Camera.pinhole(518.8579, 519.46961, 325.58245 - 1, 253.73617 - 1, 640, 480)
LAYOUT = ('rgb_*.jpg (or .png) beside sync_depth_*.png or depth_*.png in millimetres, in any '
          'subfolder, or nyu_depth_v2_labeled.mat')


def open_nyu(folder: Path) -> Frames:
    """List the frames; all of them, so give a folder that holds only the official test split."""
    labelled = folder if folder.suffix == '.mat' else folder / 'nyu_depth_v2_labeled.mat'
    if labelled.is_file():
        return _open_labelled(labelled)
    pairs = []
    for image in sorted(folder.rglob('rgb_*')):
        number = image.stem[len('rgb_'):]
        for depth in (image.with_name(f'sync_depth_{number}.png'),
                      image.with_name(f'depth_{number}.png')):
            if image.suffix in IMAGES and depth.is_file():
                pairs.append((image, depth))
                break
    return Frames(need_frames(pairs, folder, LAYOUT), _read_pair)


def _read_pair(pair: tuple[Path, Path]) -> Sample:
    image, depth = pair
    return depth_sample(read_image(image), read_depth(depth, UNITS_PER_METRE), CAMERA,
                        f'{image.parent.name}_{image.stem}', 'indoor', 'nyu')


def _open_labelled(path: Path) -> Frames:
    try:
        import h5py
    except ImportError:
        raise GrinError(f'{path} cannot be read without h5py: pip install h5py') from None
    try:
        file: Any = h5py.File(path, 'r')
        # `depths` is filled in where the camera saw nothing; published figures are of the raw.
        images, depths = file['images'], file['rawDepths' if 'rawDepths' in file else 'depths']
    except (OSError, KeyError) as error:
        raise GrinError(f'{path} is not the labelled data set: {error}') from error

    def read(index: int) -> Sample:
        # MATLAB stores columns first: (3, 640, 480) and (640, 480).
        image = np.ascontiguousarray(np.asarray(images[index], np.uint8).transpose(2, 1, 0))
        depth = np.asarray(depths[index], np.float32).T
        return depth_sample(image, depth, CAMERA, f'{index:05d}', 'indoor', 'nyu')

    return Frames(range(len(depths)), read)
