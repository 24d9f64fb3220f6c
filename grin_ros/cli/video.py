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
import math
from pathlib import Path

import numpy as np

from grin_ros.camera import Camera
from grin_ros.cli.camera_options import (
    add_camera_options,
    add_mount_options,
    chosen_camera,
    chosen_mount,
    floor_note,
    is_upright,
    note_lens,
)
from grin_ros.cli.files import need_place, write_json
from grin_ros.cli.films import Film, new_film
from grin_ros.cli.options import add_estimator_options, load_estimator, progress
from grin_ros.errors import GrinError
from grin_ros.params import FIELDS
from grin_ros.params.values import checked
from grin_ros.postprocess.floor import FloorScale
from grin_ros.postprocess.steady_scale import SteadyScale
from grin_ros.visualise import colour_depth, scale_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('input', type=Path, metavar='VIDEO', help='a file that OpenCV reads')
    parser.add_argument('output', type=Path, metavar='OUT.mp4')
    parser.add_argument('--every', type=int, default=1, metavar='N', help='take each Nth picture')
    parser.add_argument('--near', type=float, default=0.3, metavar='M', help='red (default 0.3)')
    parser.add_argument('--far', type=float, default=20.0, metavar='M', help='blue (default 20)')
    parser.add_argument('--scale-smoothing', type=float, metavar='S',
                        default=FIELDS['scale_smoothing'].default,
                        help="as the node's parameter, in seconds of the film (default "
                             '%(default)g; 0: off)')
    add_camera_options(parser)
    add_mount_options(parser)
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Estimate each picture and write the film."""
    if not 0 < options.near < options.far < math.inf or options.every < 1:
        raise GrinError('--near must be above 0 and below --far, both numbers, and --every at '
                        'least 1')
    checked('scale_smoothing', options.scale_smoothing)
    need_place(options.output, 'OUT.mp4')
    mount, floor, steady = chosen_mount(options), FloorScale(), SteadyScale()
    film = Film(options.input, options.every, is_upright(options))
    if options.output.exists() and options.output.samefile(options.input):
        raise GrinError(f'{options.output} is the film itself: give another name')
    estimator = load_estimator(options)
    camera = chosen_camera(options, film.width, film.height)
    note_lens(options.input, camera, estimator)
    bar = scale_bar(options.near, options.far, film.height)
    size = 2 * film.width + bar.shape[1], film.height
    medians: list[float] = []
    stopped = False
    with new_film(options.output, film.rate, size) as write:
        try:
            for picture in progress(film, 'video'):
                estimate = estimator.estimate(picture, camera, options.steps, options.samples)
                if mount and camera:
                    estimate = floor.apply(estimate, camera, mount)
                depth = estimate.depth
                depth *= np.float32(steady.factor(
                    depth, camera or Camera.default_pinhole(film.width, film.height),
                    round(1e9 * (1 + len(medians) / film.rate)), options.scale_smoothing,
                    floor.factor is None))
                coloured = colour_depth(depth, options.near, options.far)
                write(np.hstack([picture, coloured, bar]))
                finite = depth[np.isfinite(depth)]
                medians.append(float(np.median(finite)) if finite.size else float('nan'))
        except KeyboardInterrupt:  # what there is by then is worth keeping
            stopped = True
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
