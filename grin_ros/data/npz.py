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

"""Folders of .npz frames: rgb, depth (z) and K in; Samples out."""

from __future__ import annotations

from pathlib import Path
import zipfile

import numpy as np

from grin_ros.camera import Camera
from grin_ros.data.frames import depth_sample, Frames, metres, need_frames, visible
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

LAYOUT = 'files NAME.npz with rgb (H, W, 3) uint8, depth (H, W) z [m], K (3, 3), source'
DRIVING = ('kitti', 'nusc')  # file names that start so are scored up to 80 m


def open_npz(folder: Path) -> Frames:
    """
    List the frames of a folder in the order of their names; each is read when asked for.

    :raises GrinError: when there are none.
    """
    return Frames(need_frames(visible(folder, '*.npz'), folder, LAYOUT), read_npz)


def read_npz(path: Path) -> Sample:
    """
    Read one frame; range = z / ray_z, NaN where z is not positive.

    :raises GrinError: naming the file that is no such frame.
    """
    try:
        with np.load(path, allow_pickle=False) as frame:
            rgb, z, k = frame['rgb'], metres(frame['depth'], path), frame['K']
            source = str(frame['source']) if 'source' in frame else path.stem
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise GrinError(f'{path} is no frame with rgb, depth and K: {error}') from error
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or z.shape != rgb.shape[:2]:
        raise GrinError(f'{path}: rgb must be (H, W, 3) uint8 and depth (H, W), '
                        f'not {rgb.shape} {rgb.dtype} and {z.shape}')
    kind = 'driving' if path.stem.startswith(DRIVING) else 'indoor'
    return depth_sample(rgb, z, Camera(k, rgb.shape[1], rgb.shape[0]), path.stem, kind, source)
