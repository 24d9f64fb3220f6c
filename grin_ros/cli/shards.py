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

PARTS = 10 ** 6  # of a pixel's square distance: what differs by less is as near
SAME = 1.1  # ranges that differ by less are of one surface


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
    middles = []
    with ShardWriter(options.out, options.dataset) as shards:
        for sample in load_samples(options):
            sample = shrunk(sample, options.width or sample.camera.width)
            shards.add(sample)
            labels += int(np.count_nonzero(~np.isnan(sample.range_m)))
            pixels += sample.range_m.size
            if np.isfinite(sample.range_m).any():
                middles.append(np.median(sample.range_m[np.isfinite(sample.range_m)]))
    share = labels / pixels if pixels else 0.0
    middle = f', {np.median(middles):.2f} m in the middle' if middles else ''  # tells wrong units
    print(f'{shards.count} frames in {options.out}, {share:.1%} of their pixels have a range'
          f'{middle}: name the folder in `data` of the training config')
    return 0


def shrunk(sample: Sample, width: int) -> Sample:
    """
    Return a sample whose image is at most width [px] wide; every label finds a pixel.

    Sparse labels are not interpolated: of those that fall on a pixel the one nearest to its
    centre stays, of two as near to it the nearer surface; of one surface, or of more labels, one
    in the middle. The nearest to the camera would make dense labels too near by their noise.
    """
    camera = sample.camera
    if camera.width <= width:
        return sample
    small = camera.scaled(width, max(1, round(camera.height * width / camera.width)))
    row, column = np.nonzero(~np.isnan(sample.range_m))
    v = (row + 0.5) * small.height / camera.height
    u = (column + 0.5) * small.width / camera.width
    labels = sample.range_m[row, column]
    off = (v % 1 - 0.5) ** 2 + (u % 1 - 0.5) ** 2
    key = PARTS * (v.astype(int) * small.width + u.astype(int)) + np.round(PARTS * off).astype(int)
    order = np.lexsort((labels, key))
    keys, first, ties = np.unique(key[order], return_index=True, return_counts=True)
    pixel, best = np.unique(keys // PARTS, return_index=True)
    first, ties = first[best], ties[best]
    near, far = labels[order[first]], labels[order[first + ties - 1]]
    # Where dense labels are halved four are as near: the second and the third in turn, as on a
    # chessboard.
    turn = (pixel // small.width + pixel % small.width) % 2 * ((ties > 2) | (far < SAME * near))
    range_m = np.full((small.height, small.width), np.nan, np.float32)
    range_m.flat[pixel] = labels[order[first + (ties - 1 + turn) // 2]]
    image = cv2.resize(sample.image, (small.width, small.height), interpolation=cv2.INTER_AREA)
    return Sample(image.astype(np.uint8), range_m, small, sample.meta)
