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

"""The verb ``eval``: score a bundle against ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from grin_ros.cli.options import add_estimator_options, load_estimator, progress, write_json
from grin_ros.data.npz import NpzFolder
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate
from grin_ros.evaluate import mean_rows, MIN_DEPTH, score, table
from grin_ros.metrics import ALIGNMENTS

DATASETS = {'npz': NpzFolder}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('--data', type=Path, required=True, metavar='DIR')
    parser.add_argument('--dataset', choices=sorted(DATASETS), required=True)
    parser.add_argument('--align', choices=ALIGNMENTS, default='none',
                        help='take out the scale (median) or scale and shift of inverse depth')
    parser.add_argument('--min-depth', type=float, default=MIN_DEPTH, metavar='M',
                        help='nearest truth that is scored (default %(default)s m)')
    parser.add_argument('--max-depth', type=float, metavar='M',
                        help='farthest truth that is scored (default 10 m indoors, 80 m driving)')
    parser.add_argument('--no-intrinsics', action='store_true',
                        help='hide the camera from the network')
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Score every frame, print the rows and their means."""
    if options.max_depth is not None and options.max_depth <= options.min_depth:
        raise GrinError('--max-depth must be larger than --min-depth')
    samples = DATASETS[options.dataset](options.data)
    estimator = load_estimator(options)

    def estimate(sample: Sample) -> DepthEstimate:
        camera = None if options.no_intrinsics else sample.camera
        return estimator.estimate(sample.image, camera, options.steps, options.samples)

    rows = score(estimate, progress(samples, 'eval'), options.align, options.min_depth,
                 options.max_depth)
    means = mean_rows(rows)
    if not means:
        raise GrinError(f'no frame in {options.data} has truth between the depth limits')
    print(table([*rows, *means]))
    print(f'{estimator.bundle.name} on {estimator.backend.reason}, align {options.align}')
    write_json(options.json, {
        'bundle': estimator.bundle.name, 'backend': estimator.backend.reason,
        'align': options.align, 'steps': options.steps or estimator.bundle.default_steps,
        'samples': options.samples, 'means': means, 'frames': rows})
    return 0
