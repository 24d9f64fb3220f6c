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

"""Middlebury stereo 2014 and 2021: scenes with im0.png, disp0.pfm and calib.txt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.data.frames import depth_sample, Frames, need_frames, read_image
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

LAYOUT = 'SCENE/im0.png, SCENE/disp0.pfm and SCENE/calib.txt'


def open_middlebury(folder: Path) -> Frames:
    """List the scenes."""
    scenes = sorted(path.parent for path in folder.rglob('disp0.pfm'))
    return Frames(need_frames(scenes, folder, LAYOUT), _read)


def _read(scene: Path) -> Sample:
    image, disparity = read_image(scene / 'im0.png'), read_pfm(scene / 'disp0.pfm')
    path = scene / 'calib.txt'
    try:
        lines = [line.partition('=') for line in path.read_text('utf-8').splitlines()]
        facts = {key.strip(): value.strip() for key, _, value in lines}
        rows = facts['cam0'].strip('[]').split(';')
        k = np.array([row.split() for row in rows], np.float64)
        camera = Camera(k, image.shape[1], image.shape[0])
        baseline_m, offset_px = float(facts['baseline']) / 1000, float(facts['doffs'])
    except (OSError, KeyError, ValueError) as error:
        raise GrinError(f'{path} lacks a part of the calibration: {error!r}') from error
    known = np.isfinite(disparity) & (disparity > 0)
    depth = np.where(known, baseline_m * k[0, 0] / np.where(known, disparity + offset_px, 1),
                     np.nan).astype(np.float32)
    return depth_sample(image, depth, camera, scene.name, 'indoor', 'middlebury')


def read_pfm(path: Path) -> NDArray[np.float32]:
    """Read a grey PFM, whose rows run from the bottom up, as (H, W)."""
    try:
        kind, size, scale, data = path.read_bytes().split(b'\n', 3)
        width, height = map(int, size.split())
        order = '<' if float(scale) < 0 else '>'
        if kind.strip() != b'Pf':
            raise ValueError('it is not grey')
        pixels = np.frombuffer(data, f'{order}f4', width * height)
    except (OSError, ValueError) as error:
        raise GrinError(f'{path} is no PFM: {error}') from error
    return pixels.reshape(height, width)[::-1].astype(np.float32)
