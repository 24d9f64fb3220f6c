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

"""TUM RGB-D: a sequence's rgb.txt and depth.txt, matched by time."""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Any

import numpy as np

from grin_ros.camera import Camera
from grin_ros.data.folder import camera_file, depth_scale
from grin_ros.data.frames import depth_sample, Frames, need_frames, read_depth, read_image
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

UNITS_PER_METRE = 5000.0
MAX_DIFFERENCE = 0.02  # [s] between an image and its depth
LAYOUT = ('rgb.txt and depth.txt of a TUM RGB-D sequence, with times at most '
          f'{MAX_DIFFERENCE:g} s apart')
CAMERAS = {  # published calibrations: fx, fy, cx, cy and D
    'freiburg1': ((517.306408, 516.469215, 318.643040, 255.313989),
                  (0.262383, -0.953104, -0.005358, 0.002628, 1.163314)),
    'freiburg2': ((520.908620, 521.007327, 325.141442, 249.701764),
                  (0.231222, -0.784899, -0.003257, -0.000105, 0.917205)),
    'freiburg3': ((535.4, 539.2, 320.1, 247.6), ()),
}


def open_tum(folder: Path) -> Frames:
    """List the images that have depth within 20 ms; camera.yaml or the name tells the camera."""
    if not (folder / 'rgb.txt').is_file() or not (folder / 'depth.txt').is_file():
        need_frames((), folder, LAYOUT)
    camera, facts = _camera(folder)
    images, depths = read_list(folder / 'rgb.txt'), read_list(folder / 'depth.txt')
    times = [time for time, _ in depths]
    pairs = []
    for time, image in images:
        after = bisect_left(times, time)
        near = min((i for i in (after - 1, after) if 0 <= i < len(times)),
                   key=lambda i: abs(times[i] - time), default=None)
        if near is not None and abs(times[near] - time) <= MAX_DIFFERENCE:
            pairs.append((folder / image, folder / depths[near][1]))

    def read(pair: tuple[Path, Path]) -> Sample:
        image, depth = pair
        return depth_sample(
            read_image(image), read_depth(depth, depth_scale(facts, image, UNITS_PER_METRE)),
            camera, image.stem, str(facts.get('kind', 'indoor')), folder.name)

    return Frames(need_frames(pairs, folder, LAYOUT), read)


def read_list(path: Path) -> list[tuple[float, str]]:
    """Return (time [s], file) of each line, in order of time; # begins a comment."""
    try:
        lines = [line.split() for line in path.read_text('utf-8').splitlines()
                 if line.strip() and not line.startswith('#')]
        return sorted((float(words[0]), words[1]) for words in lines)
    except (OSError, ValueError, IndexError) as error:
        raise GrinError(f'{path} is no list of times and files: {error}') from error


def _camera(folder: Path) -> tuple[Camera, dict[str, Any]]:
    own = camera_file(folder, 'camera')
    if own is not None:
        return own
    for name, ((fx, fy, cx, cy), distortion) in CAMERAS.items():
        if name in folder.resolve().name:
            k = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
            return Camera(k, 640, 480, distortion), {}
    raise GrinError(f'{folder}: which camera took it cannot be told from its name, which has none '
                    f'of {", ".join(CAMERAS)}: put a camera.yaml into it')
