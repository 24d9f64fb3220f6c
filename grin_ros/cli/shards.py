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


"""The verb ``shards``: a dataset on disk in, shards to train on out."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from grin_ros.cli.options import load_samples
from grin_ros.data.datasets import DATASETS
from grin_ros.data.sample import Sample
from grin_ros.data.shards import ShardWriter
from grin_ros.errors import GrinError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('--data', type=Path, required=True, metavar='DIR')
    parser.add_argument('--dataset', choices=sorted(set(DATASETS) - {'shards'}), required=True)
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='a new folder')
    parser.add_argument('--frames', type=int, metavar='N',
                        help='take N frames, spread evenly (default: all)')
    parser.add_argument('--width', type=int, metavar='PX',
                        help='shrink wider images to this; the networks see about 320')


def run(options: argparse.Namespace) -> int:
    """Write the shards."""
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise GrinError(f'{options.out} is a file or has files already: give a new folder, as '
                        'two sets of frames must not mix')
    if options.width is not None and options.width < 32:
        raise GrinError(f'--width {options.width} is too small: give 32 or more')
    labels = pixels = 0
    with ShardWriter(options.out, options.dataset) as shards:
        for sample in load_samples(options):
            sample = shrunk(sample, options.width or sample.camera.width)
            shards.add(sample)
            labels += int(np.count_nonzero(~np.isnan(sample.range_m)))
            pixels += sample.range_m.size
    share = labels / pixels if pixels else 0.0
    print(f'{shards.count} frames in {options.out}, {share:.1%} of their pixels have a range: '
          'name the folder in `data` of the training config')
    return 0


def shrunk(sample: Sample, width: int) -> Sample:
    """
    Return a sample whose image is at most width [px] wide; every label finds a pixel.

    Sparse labels are not interpolated: of those that fall on a pixel the one nearest to its
    centre stays. The nearest to the camera would make dense labels too near.
    """
    camera = sample.camera
    if camera.width <= width:
        return sample
    small = camera.scaled(width, max(1, round(camera.height * width / camera.width)))
    row, column = np.nonzero(~np.isnan(sample.range_m))
    v = (row + 0.5) * small.height / camera.height
    u = (column + 0.5) * small.width / camera.width
    labels = sample.range_m[row, column]
    # The last one written stays; of two that are as near to the centre, the nearer surface.
    order = np.lexsort((labels, np.round((v % 1 - 0.5) ** 2 + (u % 1 - 0.5) ** 2, 6)))[::-1]
    range_m = np.full((small.height, small.width), np.nan, np.float32)
    range_m[v[order].astype(int), u[order].astype(int)] = labels[order]
    image = cv2.resize(sample.image, (small.width, small.height), interpolation=cv2.INTER_AREA)
    return Sample(image.astype(np.uint8), range_m, small, sample.meta)
