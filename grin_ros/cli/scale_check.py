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


"""The verb ``scale-check``: distances that were measured against those that are estimated."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from grin_ros.cli.camera_options import add_camera_options, read_photo
from grin_ros.cli.files import write_json
from grin_ros.cli.options import add_estimator_options, load_estimator
from grin_ros.errors import GrinError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('image', type=Path, metavar='IMAGE')
    parser.add_argument('--at', type=float, nargs=3, action='append', required=True,
                        metavar=('U', 'V', 'METRES'),
                        help='a pixel, and how far from the lens what it shows is, measured '
                        'straight with a tape; several times for several pixels')
    add_camera_options(parser, may_be_unknown=False)
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compare, and say which depth_scale makes them agree."""
    estimator = load_estimator(options)
    image, camera = read_photo(options, options.image, estimator)
    height, width = image.shape[:2]
    pixels, measured = np.array(options.at)[:, :2], np.array(options.at)[:, 2]
    inside = (pixels >= 0) & (pixels <= (width - 1, height - 1))  # False for NaN
    if not (inside.all() and ((measured > 0) & np.isfinite(measured)).all()):
        raise GrinError(f'--at: pixels lie in the image, which is {width}x{height}, and '
                        'distances are numbers above 0 m')
    result = estimator.estimate(image, camera, options.steps, options.samples, pixels=pixels)
    with np.errstate(invalid='ignore'):
        factors, spread = measured / result.range, result.spread
    if not (np.isfinite(factors) & (factors > 0)).all():
        raise GrinError('--at: at one of the pixels depth is not finite, as it shows the sky or '
                        'the lens sees nothing there: choose another')
    scale = float(np.exp(np.median(np.log(factors))))
    for (u, v), metres, estimated, share, factor in zip(
            pixels, measured, result.range, spread, factors, strict=True):
        print(f'({u:.0f}, {v:.0f}): {metres:.2f} m measured, {estimated:.2f} m estimated '
              f'(sigma {share:.0%}), factor {factor:.2f}')
    print(f'depth_scale: {scale:.3f}   # median of {len(factors)}, they reach from '
          f'{factors.min():.2f} to {factors.max():.2f}')
    if len(factors) < 3:
        print('Scale depends on the place: measure in several images before you trust one factor.')
    write_json(options.json, {'depth_scale': scale, 'factors': factors.tolist(),
                              'range_m': result.range.tolist(), 'measured_m': measured.tolist(),
                              'pixels': pixels.tolist(), 'bundle': estimator.bundle.name})
    return 0
