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

"""KITTI: raw drives with annotated depth (Eigen's layout), or the depth benchmark's selection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.data.frames import (
    depth_sample,
    Frames,
    need_frames,
    read_depth,
    read_image,
    visible,
)
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

UNITS_PER_METRE = 256.0
LAYOUT = ('DATE/DRIVE/image_02/data/*.png with DATE/calib_cam_to_cam.txt and '
          'DRIVE/proj_depth/groundtruth/image_02/*.png (also under data_depth_annotated/, train/ '
          'and val/), or image/, groundtruth_depth/ and intrinsics/ of the depth selection')
DEPTH_ROOTS = ('', 'data_depth_annotated', 'data_depth_annotated/train',
               'data_depth_annotated/val', 'train', 'val')


def open_kitti(folder: Path) -> Frames:
    """
    List the frames with truth: those of a split file eigen_test*.txt in the folder, else all.

    A split file has lines ``IMAGE DEPTH FOCAL``; frames whose depth is None do not count.
    """
    if (folder / 'groundtruth_depth').is_dir():
        images = visible(folder / 'image', '*.png')
        return Frames(need_frames(images, folder, LAYOUT), _read_selected)
    roots = [folder / root for root in DEPTH_ROOTS]
    splits = sorted(folder.glob('*eigen_test*.txt'))
    if splits:
        try:
            lines = [line.split() for line in splits[0].read_text('utf-8').splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise GrinError(f'{splits[0]} is no list of frames ({error}): give a text with lines '
                            'IMAGE DEPTH FOCAL, or take it away') from error
        listed = [(folder / words[0], words[1]) for words in lines
                  if len(words) > 1 and words[1] != 'None']
        pairs = [(image, _find(roots, depth, splits[0])) for image, depth in listed]
    else:
        depths = sorted({path for root in roots for path in
                         visible(root, '*_sync/proj_depth/groundtruth/image_0[23]/*.png')})
        # Depth is of both colour cameras, which few have unpacked both.
        pairs = [(image, depth) for depth in depths
                 if (image := _image_of(folder, depth)).is_file()]
    return Frames(need_frames(pairs, folder, LAYOUT), _read_raw)


def _find(roots: list[Path], depth: str, split: Path) -> Path:
    for root in roots:
        if (root / depth).is_file():
            return root / depth
    raise GrinError(f'{split} lists {depth}, which is not in the folder: unpack '
                    'data_depth_annotated.zip there, or shorten the list')


def _image_of(folder: Path, depth: Path) -> Path:
    """Return the raw image of .../DRIVE/proj_depth/groundtruth/image_02/0000000005.png."""
    drive, camera = depth.parents[3].name, depth.parent.name
    return folder / drive[:10] / drive / camera / 'data' / depth.name


def _read_raw(pair: tuple[Path, Path]) -> Sample:
    image_path, depth_path = pair
    image = read_image(image_path)
    camera_name, drive = image_path.parents[1].name, image_path.parents[2].name
    p = projection(image_path.parents[3] / 'calib_cam_to_cam.txt', camera_name[-2:])
    camera = Camera(p[:, :3], image.shape[1], image.shape[0])
    name = f'{drive}_{camera_name}_{image_path.stem}'
    return depth_sample(image, read_depth(depth_path, UNITS_PER_METRE), camera, name, 'driving',
                        'kitti')


def projection(path: Path, camera: str) -> NDArray[np.float64]:
    """Return (3, 4) P_rect_XX of calib_cam_to_cam.txt."""
    key = f'P_rect_{camera}:'
    try:
        for line in path.read_text('utf-8').splitlines():
            if line.startswith(key):
                return np.array(line[len(key):].split(), np.float64).reshape(3, 4)
    except (OSError, ValueError) as error:
        raise GrinError(f'{path} cannot be read ({error}): unpack the calibration of the drive '
                        'there') from error
    raise GrinError(f'{path} has no line {key}')


def _read_selected(image_path: Path) -> Sample:
    root, image = image_path.parents[1], read_image(image_path)
    depth_name = image_path.name.replace('_sync_image_', '_sync_groundtruth_depth_')
    camera_path = root / 'intrinsics' / f'{image_path.stem}.txt'
    try:
        k = np.array(camera_path.read_text('utf-8').split(), np.float64).reshape(3, 3)
    except (OSError, ValueError) as error:
        raise GrinError(f'{camera_path} is no 3x3 matrix: {error}') from error
    return depth_sample(image, read_depth(root / 'groundtruth_depth' / depth_name,
                                          UNITS_PER_METRE),
                        Camera(k, image.shape[1], image.shape[0]), image_path.stem, 'driving',
                        'kitti')
