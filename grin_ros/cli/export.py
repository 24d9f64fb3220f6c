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

"""``grin export``: a checkpoint in, a bundle out that needs no torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from grin_ros.bundle import FOV_RANGE_DEG, INPUT_SIZE, load_bundle, QUERY_STRIDE
from grin_ros.cli.options import complain
from grin_ros.errors import GrinError, require
from grin_ros.inference.preprocess import COARSEST_STRIDE, STRIDES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument('checkpoint', type=Path, help='best.safetensors or last.safetensors')
    parser.add_argument('--output', type=Path, required=True, help='folder of the bundle')
    parser.add_argument('--name', default='grin_small')
    parser.add_argument('--input-size', type=int, nargs=2, metavar=('W', 'H'),
                        default=INPUT_SIZE)
    parser.add_argument('--query-stride', type=int, choices=STRIDES, default=QUERY_STRIDE)
    parser.add_argument('--fov-range', type=float, nargs=2, metavar=('MIN', 'MAX'),
                        default=FOV_RANGE_DEG, help='horizontal fields of view [deg] that '
                        'training saw, about; others are warned of (default: {:g} {:g})'.format(
                            *FOV_RANGE_DEG))
    parser.add_argument('--val', nargs='+', default=[], metavar='DIR',
                        help='folders of held-out shards: sigma is calibrated on them')
    parser.add_argument('--provenance', action='append', default=[], metavar='KEY=VALUE',
                        help='a fact to keep in grin.json; may be repeated')
    parser.add_argument('--licence', default='Apache-2.0')


def run(options: argparse.Namespace) -> None:
    """Export, and compare ONNX Runtime with torch on the probe."""
    facts = checked_facts(options)
    for module in ('torch', 'onnx', 'onnxscript', 'onnxruntime', 'safetensors'):
        require(module, 'train')
    from grin_ros.train import checkpoint
    from grin_ros.train.calibrate import FEWEST
    from grin_ros.train.export import export_bundle
    from grin_ros.train.loop import open_shards

    held_out: Any = open_shards(tuple(options.val)) if options.val else ()
    differences = export_bundle(
        checkpoint.load(options.checkpoint), options.output, name=options.name,
        input_size=tuple(options.input_size), query_stride=options.query_stride,
        held_out=held_out, provenance=facts, licence=options.licence,
        fov_range_deg=tuple(options.fov_range))
    if load_bundle(options.output).sigma_frame == 0:
        complain('sigma says nothing of the scale of a frame: give --val folders with at least '
                 f'{FEWEST} frames of a kind of world')
    size = sum(path.stat().st_size for path in options.output.iterdir()) / 1e6
    print(f'{options.output}: {size:.1f} MB; largest difference from torch in P per step count: '
          + ', '.join(f'{steps}: {value:.1e}' for steps, value in differences.items()))


def checked_facts(options: argparse.Namespace) -> dict[str, str]:
    """
    Return the facts of --provenance.

    :raises GrinError: for options that no bundle can have.
    """
    if min(options.input_size) < COARSEST_STRIDE:
        raise GrinError(f'--input-size {options.input_size[0]} {options.input_size[1]}: give at '
                        f'least {COARSEST_STRIDE} {COARSEST_STRIDE}')
    low, high = options.fov_range
    if not 0 < low <= high <= 360:
        raise GrinError(f'--fov-range {low:g} {high:g}: give the least and the largest field of '
                        'view, above 0 and up to 360 deg')
    facts = dict(fact.partition('=')[::2] for fact in options.provenance)
    for fact in options.provenance:
        if not fact.partition('=')[0] or '=' not in fact:
            raise GrinError(f'--provenance {fact}: write KEY=VALUE')
    return facts
