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
"""The verb ``bench``: how long a frame takes on this machine, stage by stage."""

from __future__ import annotations

import argparse

import numpy as np

from grin_ros.camera import Camera
from grin_ros.cli.files import write_json
from grin_ros.cli.options import add_estimator_options, load_estimator, progress
from grin_ros.engine.machine import versions, WARM_UP
from grin_ros.errors import GrinError

PERCENTILES = (50, 95, 99)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('--image-size', type=int, nargs=2, default=(640, 480),
                        metavar=('W', 'H'), help='default: 640 480')
    parser.add_argument('--runs', type=int, default=100, metavar='N',
                        help='frames that count, after a few that do not (default %(default)s)')
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Estimate the same picture again and again."""
    width, height = options.image_size
    if min(width, height) < 8 or options.runs < 1:
        raise GrinError('--image-size must be at least 8 8, and --runs at least 1')
    estimator = load_estimator(options)
    # How long it takes does not depend on what is seen.
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    camera = Camera.from_hfov(70, width, height)
    timings = [estimator.estimate(image, camera, options.steps, options.samples).timing
               for _ in progress(range(options.runs + WARM_UP), 'bench')][WARM_UP:]
    stages = {stage: {f'p{q}': float(np.percentile([timing[stage] for timing in timings], q))
                      for q in PERCENTILES} for stage in timings[0]}
    print(f'{"ms":<12}' + ''.join(f'{f"p{q}":>9}' for q in PERCENTILES))
    for stage, figures in stages.items():
        print(f'{stage:<12}' + ''.join(f'{value:9.1f}' for value in figures.values()))
    steps = options.steps or estimator.bundle.default_steps
    sentence, found = versions()
    print(f'\n{width}x{height}, steps {steps}, samples {options.samples}, query stride '
          f'{estimator.query_stride}, {options.runs} frames; without ROS: `make bench` measures '
          f'the node\n{estimator.bundle.name} on {estimator.backend.reason}\n{sentence}')
    write_json(options.json, {
        'stages_ms': stages, 'image_size': [width, height], 'runs': options.runs, 'steps': steps,
        'samples': options.samples, 'query_stride': estimator.query_stride,
        'bundle': estimator.bundle.name, 'backend': estimator.backend.reason, 'machine': found})
    return 0
