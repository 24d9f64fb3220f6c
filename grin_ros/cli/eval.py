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
from collections.abc import Callable
from pathlib import Path

import numpy as np

from grin_ros.cli.files import need_picture, need_place, write_json
from grin_ros.cli.options import (
    add_dataset_options,
    add_estimator_options,
    chosen_protocol,
    load_estimator,
    load_samples,
)
from grin_ros.data.sample import Sample
from grin_ros.data.sparse import scan_prompts
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate, DepthEstimator
from grin_ros.evaluation.breakdown import by_fov, by_range, Row, small_table, table
from grin_ros.evaluation.evaluate import Grid, mean_rows, score, Scored
from grin_ros.evaluation.grid_limit import through_grid
from grin_ros.evaluation.report import WorstFrames
from grin_ros.metrics import ALIGNMENTS
from grin_ros.metrics.sigma import PooledRisk
from grin_ros.postprocess.floor import FloorScale, Mount

SCAN_SIGMA = 0.02  # relative error of --ranges, a cheap lidar's
SIGMA_COLUMNS = (('within_1_sigma', 'in 1 sigma'), ('within_2_sigma', 'in 2 sigma'),
                 ('ause', 'AUSE'), ('abs_rel', 'abs_rel'), ('abs_rel_kept_70', 'sigma/depth'),
                 ('abs_rel_kept_70_m', 'sigma [m]'), ('abs_rel_kept_70_set', 'of the set'))
EDGE_COLUMNS = (('edge_abs_rel', 'edge'), ('flying', 'flying'), ('edge_abs_rel_grid', 'grid'),
                ('edge_abs_rel_linear', 'linear'), ('edge_ratio', 'edge/grid'),
                ('upsample_ratio', 'grid/linear'))
RANGE_COLUMNS = (('frames', 'frames'), ('abs_rel', 'abs_rel'), ('delta1', 'delta1'),
                 ('scale', 'scale'), ('within_1_sigma', 'in 1 sigma'), ('n', 'n'))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_dataset_options(parser)
    parser.add_argument('--align', choices=ALIGNMENTS, default='none',
                        help='take out the scale (median) or scale and shift of inverse depth')
    parser.add_argument('--no-intrinsics', action='store_true',
                        help='hide the camera from the network')
    parser.add_argument('--floor', action='store_true',
                        help='scale each frame by its floor, as camera_height does in the node; '
                        'for shards, which know the mounting of their camera')
    parser.add_argument('--ranges', type=int, default=0, metavar='N',
                        help='give the network the truth of N pixels across the middle of each '
                        'frame, 2 %% wrong, as a 2D lidar would')
    parser.add_argument('--report', type=Path, metavar='PNG',
                        help='one picture: photo, depth, truth and error, the worst frames first')
    parser.add_argument('--report-frames', type=int, default=24, metavar='N',
                        help='frames in the report (default %(default)s)')
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Score every frame, print the rows, their means and breakdowns."""
    check(options)
    protocol = chosen_protocol(options)
    samples = load_samples(options)
    estimator = load_estimator(options)
    worst, risk = WorstFrames(options.report_frames), PooledRisk()
    rng, given = np.random.default_rng(0), []  # how many ranges each frame was given

    def estimate(sample: Sample) -> DepthEstimate:
        camera = None if options.no_intrinsics else sample.camera
        prompts = scan_prompts(sample.range_m, options.ranges, SCAN_SIGMA,
                               rng) if options.ranges else None
        given.append(0 if prompts is None else len(prompts))
        result = estimator.estimate(sample.image, camera, options.steps, options.samples,
                                    prompts=prompts)
        if not options.floor:
            return result
        return FloorScale().apply(result, sample.camera, mount_of(sample))

    def watch(scored: Scored) -> None:
        risk.add(*scored.errors())
        if options.report:
            worst.add(scored)

    rows = score(estimate, samples, protocol, options.align, grid_of(estimator), watch)
    means = [{**row, 'abs_rel_kept_70_set': risk.kept(row['kind'])} for row in mean_rows(rows)]
    if not means:
        raise GrinError(f'no frame in {options.data} has truth between the depth limits: make '
                        'sure that it is in metres, or change them with --min-depth and '
                        '--max-depth')
    steps = options.steps or estimator.bundle.default_steps
    how = (f'{estimator.bundle.name} on {estimator.backend.reason}\n{options.dataset}: steps '
           f'{steps}, samples {options.samples}, align {options.align}, '
           f'{"without intrinsics, " if options.no_intrinsics else ""}'
           f'{"scaled by the floor, " if options.floor else ""}'
           f'{f"{options.ranges} ranges known, " if options.ranges else ""}{protocol}')
    write_json(options.json, {
        'bundle': estimator.bundle.name, 'backend': estimator.backend.reason,
        'align': options.align, 'no_intrinsics': options.no_intrinsics,
        'floor': options.floor, 'ranges': options.ranges,
        'protocol': vars(protocol), 'steps': steps, 'samples': options.samples, 'means': means,
        'by_range': by_range(rows), 'by_fov': by_fov(rows), 'frames': rows})
    if options.report:
        worst.write(options.report, how, means)
    # Last: whoever reads it, such as head, may go away.
    print_figures(rows, means)
    print('\n' + how)
    if options.ranges:
        print(f'ranges given to a frame: {np.mean(given):.1f} on average, {min(given)} at least')
    return 0


def check(options: argparse.Namespace) -> None:
    """
    Refuse options that do not go together, before anything is loaded.

    :raises GrinError: naming the option.
    """
    if options.floor and options.no_intrinsics:
        raise GrinError('--floor needs the camera: leave out --no-intrinsics')
    if options.ranges < 0:
        raise GrinError(f'--ranges must be at least 0, not {options.ranges}')
    if options.ranges and (options.floor or options.no_intrinsics):
        raise GrinError('--ranges tell the scale and need the camera: leave out --floor and '
                        '--no-intrinsics')
    if options.report_frames < 1:
        raise GrinError(f'--report-frames must be at least 1, not {options.report_frames}')
    need_picture(options.report, '--report')
    need_place(options.report, '--report')


def print_figures(rows: list[Row], means: list[Row]) -> None:
    """Print each frame and the means, then sigma, edges, ranges and fields of view."""
    print(table([*rows, *means]))
    print('\nsigma: share of truth within it, and abs_rel without the 30 % of largest sigma: '
          'of each frame, and of all pixels of the set, as max_sigma cuts')
    print(small_table(means, SIGMA_COLUMNS, 'frames'))
    if any(row['edge_abs_rel'] == row['edge_abs_rel'] for row in means):
        print('\nwithin 4 px of depth edges: abs_rel, flying pixels, and abs_rel of the truth '
              'asked on the query grid only')
        print(small_table(means, EDGE_COLUMNS, 'frames'))
    for name, group in (('true range', by_range(rows)), ('field of view', by_fov(rows))):
        print('\n' + small_table(group, RANGE_COLUMNS, name))


def mount_of(sample: Sample) -> Mount:
    """Return how the camera of a rendered frame is mounted."""
    try:
        return Mount(sample.meta['height_m'], -sample.meta['pitch_deg'])
    except KeyError as error:
        raise GrinError('--floor: these frames do not know how their camera stands; shards of '
                        '`grin scenes` do') from error


def grid_of(estimator: DepthEstimator) -> Callable[[Sample], Grid]:
    """Return what finds the limit of an estimator's query grid."""
    return lambda sample: through_grid(sample, estimator.bundle.codec, estimator.input_size,
                                       estimator.query_stride)
