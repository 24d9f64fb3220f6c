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

"""Options that several verbs share: which bundle, backend and dataset, where figures go."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
import re
import sys
from typing import TypeVar

from tqdm import tqdm

from grin_ros import backends
from grin_ros.cli.files import need_place
from grin_ros.data.datasets import chosen, DATASETS, open_dataset
from grin_ros.data.sample import Sample
from grin_ros.diffusion.sampler import MAX_STEPS
from grin_ros.engine.options import EngineOptions
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimator
from grin_ros.evaluation.protocol import CROPS, Protocol
from grin_ros.inference.preprocess import STRIDES

Item = TypeVar('Item')
NAMESPACE = re.compile(r'([A-Za-z_]\w*(/[A-Za-z_]\w*)*)?', re.ASCII)  # what ROS 2 takes


def add_estimator_options(parser: argparse.ArgumentParser, steps: bool = True,
                          figures: bool = True) -> None:
    """
    Add what load_estimator reads.

    :param steps: add how often the network runs, too.
    :param figures: offer --json.
    """
    parser.add_argument('--bundle', metavar='DIR', help='default: the shipped one')
    parser.add_argument('--backend', choices=backends.NAMES, default='auto')
    parser.add_argument('--threads', type=int, default=0, metavar='N', help='0: all cores')
    parser.add_argument('--cpu-precision', choices=backends.CPU_PRECISIONS, default='fp32',
                        help="of ONNX Runtime's denoiser (default fp32)")
    if steps:
        parser.add_argument('--steps', type=int, metavar='N',
                            help=f"denoising steps, 1 to {MAX_STEPS} (default: the bundle's)")
        parser.add_argument('--samples', type=int, default=1, metavar='K',
                            help='draws; depth is their median (default 1)')
    parser.add_argument('--stride', type=int, choices=STRIDES, metavar='S',
                        help="asked pixels: every S-th of the network's input, 1, 2, 4 or 8")
    parser.add_argument('--input-size', type=int, nargs=2, metavar=('W', 'H'),
                        help="area of the network's input (default: the bundle's)")
    parser.add_argument('--seed', type=int, default=0)
    if figures:
        parser.add_argument('--json', type=Path, metavar='OUT', help='write the figures here')
    else:
        parser.set_defaults(json=None)


def load_estimator(options: argparse.Namespace) -> DepthEstimator:
    """Load what add_estimator_options chose; a place for --json must be there before."""
    need_place(options.json, '--json')
    size = tuple(options.input_size) if options.input_size else None
    return DepthEstimator.load(options.bundle, options.backend, cpu_threads=options.threads,
                               cpu_precision=options.cpu_precision, query_stride=options.stride,
                               input_size=size, seed=options.seed,
                               engine=EngineOptions(report=show, warn=complain))


def show(text: str) -> None:
    """Say what an engine is at: on a terminal in place, else only what is done."""
    if sys.stderr.isatty():
        print(f'\r\x1b[K{text}', end='', file=sys.stderr, flush=True)
    elif '%' not in text:
        print(text, file=sys.stderr, flush=True)


def complain(text: str) -> None:
    """Say what somebody should read."""
    print(text, file=sys.stderr, flush=True)


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Add what load_samples and chosen_protocol read."""
    parser.add_argument('--data', type=Path, required=True, metavar='DIR')
    parser.add_argument('--dataset', choices=sorted(DATASETS), required=True)
    parser.add_argument('--frames', type=int, metavar='N',
                        help='score N frames, spread evenly (default: all)')
    parser.add_argument('--crop', choices=CROPS,
                        help="part of the image that is scored (default: the dataset's)")
    parser.add_argument('--min-depth', type=float, metavar='M',
                        help="nearest truth that is scored (default: the dataset's, else 0.2 m)")
    parser.add_argument('--max-depth', type=float, metavar='M',
                        help="farthest truth that is scored (default: the dataset's, else 10 m "
                        'indoors, 80 m driving)')
    parser.add_argument('--clamp', action=argparse.BooleanOptionalAction, default=None,
                        help="clip answers to the limits before scoring (default: the dataset's)")


def chosen_protocol(options: argparse.Namespace) -> Protocol:
    """Return the dataset's protocol with what the command line changes."""
    asked = {name: value for name in ('crop', 'min_depth', 'max_depth', 'clamp')
             if (value := getattr(options, name)) is not None}
    return replace(DATASETS[options.dataset].protocol, **asked)


def load_samples(options: argparse.Namespace) -> Iterator[Sample]:
    """Read the frames that add_dataset_options chose, with a progress bar."""
    if options.frames is not None and options.frames < 1:
        raise GrinError('--frames must be at least 1')
    samples = open_dataset(options.dataset, options.data)
    return (samples[index] for index in progress(chosen(samples, options.frames), options.verb))


def chosen_namespace(options: argparse.Namespace) -> str:
    """
    Return what topics of --namespace begin with: /a/b, or nothing for the root.

    :raises GrinError: for one that no topic of ROS 2 can be in.
    """
    words = options.namespace.strip('/')
    if not NAMESPACE.fullmatch(words):
        raise GrinError(f'--namespace {options.namespace}: give words of letters, digits and _ '
                        'with / between them, such as /grin, as ROS 2 has no other')
    return f'/{words}' if words else ''


def progress(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Show a progress bar on the terminal."""
    return iter(tqdm(items, desc=what, disable=None, file=sys.stderr))
