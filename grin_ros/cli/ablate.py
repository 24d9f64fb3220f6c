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

"""The verb ``ablate``: what one choice buys, everything else being equal."""

from __future__ import annotations

import argparse
from pathlib import Path

from grin_ros.cli.files import need_place, write_json
from grin_ros.cli.options import (
    add_dataset_options,
    add_estimator_options,
    chosen_protocol,
    load_estimator,
    load_samples,
)
from grin_ros.estimator import DepthEstimator
from grin_ros.evaluation.steps import (
    machine,
    markdown,
    SAMPLES,
    STEPS,
    steps_table,
    text_with_place,
    write_markdown,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('what', choices=['steps'],
                        help='steps: denoising steps and draws, their accuracy and latency')
    add_dataset_options(parser)
    parser.add_argument('--markdown', type=Path, metavar='FILE',
                        help='write the table between <!-- steps --> and <!-- /steps -->')
    parser.add_argument('--regression', metavar='DIR',
                        help='bundle of the same network trained as plain regression, to compare')
    add_estimator_options(parser, steps=False)
    parser.add_argument('--steps', type=int, nargs='+', default=STEPS, metavar='N',
                        help='denoising steps (default: 1 2 4 8 16)')
    parser.add_argument('--samples', type=int, nargs='+', default=SAMPLES, metavar='K',
                        help='draws (default: 1 4 10)')


def run(options: argparse.Namespace) -> int:
    """Measure, print and write the table."""
    need_place(options.markdown, '--markdown')
    if options.markdown:
        text_with_place(options.markdown)
    estimator = load_estimator(options)
    regression = options.regression and DepthEstimator.load(
        options.regression, options.backend, cpu_threads=options.threads,
        cpu_precision=options.cpu_precision, query_stride=estimator.query_stride,
        input_size=estimator.input_size, seed=options.seed)
    protocol = chosen_protocol(options)
    rows = steps_table(estimator, load_samples(options), protocol, options.steps, options.samples,
                       regression)
    frames = rows[0]['frames']
    table, host = markdown(rows, estimator.bundle.default_steps), machine()
    width, height = estimator.input_size
    caption = (f'{estimator.bundle.name} on {frames} frames ({options.dataset}), {protocol}. '
               f'{estimator.backend.reason}; {host["cores"]} cores of {host["processor"]}, load '
               f'{host["load"]:.1f}; about {width}x{height} pixels into the network, one in '
               f'{estimator.query_stride ** 2} asked.')
    print(f'{caption}\n\n{table}')
    write_json(options.json, {
        'bundle': estimator.bundle.name, 'backend': estimator.backend.reason, 'machine': host,
        'protocol': vars(protocol), 'frames': frames, 'rows': rows})
    if options.markdown:
        write_markdown(options.markdown, caption, table)
    return 0
