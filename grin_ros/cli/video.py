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


"""The verb ``video``: a film in, the film beside its depth out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.cli.camera_options import (
    add_camera_options,
    add_mount_options,
    chosen_camera,
    chosen_mount,
    floor_note,
)
from grin_ros.cli.files import finished, need_place, write_json
from grin_ros.cli.options import add_estimator_options, load_estimator, progress
from grin_ros.errors import GrinError
from grin_ros.postprocess.floor import FloorScale
from grin_ros.visualise import colour_depth, scale_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('input', type=Path, metavar='VIDEO', help='a file that OpenCV reads')
    parser.add_argument('output', type=Path, metavar='OUT.mp4')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='take each Nth picture')
    parser.add_argument('--near', type=float, default=0.3, metavar='M', help='red (default 0.3)')
    parser.add_argument('--far', type=float, default=20.0, metavar='M', help='blue (default 20)')
    add_camera_options(parser)
    add_mount_options(parser)
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Estimate each picture and write the film."""
    if not 0 < options.near < options.far or options.every < 1:
        raise GrinError('--near must be above 0 and below --far, and --every at least 1')
    need_place(options.output, 'OUT.mp4')
    mount, floor = chosen_mount(options), FloorScale()
    film = Film(options.input, options.every)
    if options.output.exists() and options.output.samefile(options.input):
        raise GrinError(f'{options.output} is the film itself: give another name')
    estimator = load_estimator(options)
    camera = chosen_camera(options, film.width, film.height)
    bar = scale_bar(options.near, options.far, film.height)
    size = 2 * film.width + bar.shape[1], film.height
    medians, stopped = [], False
    with finished(options.output) as partial:
        writer = cv2.VideoWriter(str(partial), cv2.VideoWriter_fourcc(*'mp4v'), film.rate, size)
        if not writer.isOpened():
            raise GrinError(f'{options.output} cannot be written: give a name that ends with '
                            '.mp4')
        try:
            for picture in progress(film, 'video'):
                estimate = estimator.estimate(picture, camera, options.steps, options.samples)
                if mount and camera:
                    estimate = floor.apply(estimate, camera, mount)
                depth = estimate.depth
                coloured = colour_depth(depth, options.near, options.far)
                writer.write(cv2.cvtColor(np.hstack([picture, coloured, bar]),
                                          cv2.COLOR_RGB2BGR))
                finite = depth[np.isfinite(depth)]
                medians.append(float(np.median(finite)) if finite.size else float('nan'))
        except KeyboardInterrupt:  # what there is by then is worth keeping
            stopped = True
        finally:
            writer.release()
        if not medians:
            raise KeyboardInterrupt if stopped else GrinError(
                f'{options.input} has no picture that OpenCV decodes')
    note = '' if camera else '; the scale is not metric'
    if mount:
        note += f'; {floor_note(floor)}'
    print(f'{len(medians)} pictures, {estimator.backend.reason}; {options.output}{note}')
    write_json(options.json, {'pictures': len(medians), 'depth_median_m': medians,
                              'metric': camera is not None, 'bundle': estimator.bundle.name})
    return 130 if stopped else 0


class Film:
    """
    The pictures of a video in turn, (H, W, 3) uint8 RGB.

    :param every: take each of so many.
    :raises GrinError: when OpenCV cannot open the file.
    """

    def __init__(self, path: Path, every: int) -> None:
        """Open the file."""
        self._capture, self._every = cv2.VideoCapture(str(path)), every
        if not path.is_file() or not self._capture.isOpened():
            raise GrinError(f'{path} is no video that OpenCV can open')

        def read(what: int) -> float:
            return self._capture.get(what)
        self.width = int(read(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(read(cv2.CAP_PROP_FRAME_HEIGHT))
        self.rate = (read(cv2.CAP_PROP_FPS) or 30.0) / every
        self._count = max(0, int(read(cv2.CAP_PROP_FRAME_COUNT)))

    def __len__(self) -> int:
        """Return the number of pictures that the file says it has."""
        return -(-self._count // self._every)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Decode."""
        number = 0
        while self._capture.grab():
            if number % self._every == 0:
                there, picture = self._capture.retrieve()
                if there:
                    yield np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
            number += 1
