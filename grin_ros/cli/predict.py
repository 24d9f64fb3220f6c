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

"""The verb ``predict``: metric depth of image files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros import visualise
from grin_ros.camera import Camera
from grin_ros.cli.camera_options import (
    add_camera_options,
    add_mount_options,
    chosen_mount,
    floor_note,
    read_photo,
)
from grin_ros.cli.files import write_json
from grin_ros.cli.options import (
    add_estimator_options,
    complain,
    load_estimator,
    progress,
)
from grin_ros.data.frames import IMAGES
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate
from grin_ros.postprocess.floor import FloorScale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('images', nargs='+', type=Path, metavar='IMAGE',
                        help='image files, or folders of them')
    add_camera_options(parser)
    add_mount_options(parser)
    parser.add_argument('--range', type=float, nargs=3, action='append', metavar=('U', 'V', 'M'),
                        help='a range [m] that is known, of pixel (U, V), measured with a tape '
                        'for instance; may be given several times, and depth follows them')
    parser.add_argument('--output', type=Path, required=True, metavar='DIR',
                        help='gets NAME_depth.npy, _depth.png, _sigma.npy and _points.ply')
    add_estimator_options(parser)


def run(options: argparse.Namespace) -> int:
    """Estimate each image and write its files; of many, those that fail are left out."""
    images = images_of(options.images)
    names = [path.stem for path in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GrinError(f'several images are called {", ".join(twice)}: their results would '
                        'overwrite each other, so give them in separate calls')
    for path in images:
        # Beside a photo such a name may be its true depth (--dataset folder), or a scan.
        found = [name for end in ('depth.png', 'depth.npy', 'points.ply')
                 if (options.output / (name := f'{path.stem}_{end}')).exists()]
        if found and not (options.output / f'{path.stem}_sigma.npy').exists():
            raise GrinError(f'{options.output / found[0]} is there already, and not of an earlier '
                            'run: give another --output')
    mount = chosen_mount(options)
    if options.range and (mount or options.no_intrinsics):
        raise GrinError('--range tells the scale and needs a known camera: leave out '
                        '--camera-height and --no-intrinsics')
    if options.range and (len(images) > 1 or not np.isfinite(options.range).all()):
        raise GrinError('--range is of one image: give one, and pixel and range as numbers')
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GrinError(f'--output {options.output} cannot be made: {error.strerror}: give a '
                        'folder that you may write to') from error
    estimator = load_estimator(options)
    rows, failures = [], []
    for path in progress(images, 'predict'):
        try:
            image, camera = read_photo(options, path, estimator)
            result = estimator.estimate(image, camera, options.steps, options.samples,
                                        prompts=options.range)
        except GrinError as error:
            failures.append((path, error))
            continue
        if mount and camera:
            result = (floor := FloorScale()).apply(result, camera, mount)
            complain(f'{path}: {floor_note(floor)}')
        try:
            write_files(options.output / path.stem, image, camera, result)
        except OSError as error:
            raise GrinError(f'{options.output} cannot be written: {error}') from error
        rows.append(summary(path, result))
    if not rows:
        raise failures[0][1]  # what is wrong with all is wrong with how they were asked
    for path, failure in failures:
        # What the estimator says is of an image that has no name.
        complain('left out: ' + ('' if str(path) in str(failure) else f'{path}: ') + str(failure))
    write_json(options.json, {'bundle': estimator.bundle.name,
                              'backend': estimator.backend.reason, 'images': rows})
    for row in rows:
        note = '' if row['metric'] else ' (scale not metric)'
        print('{image}: depth {depth_min_m:.2f} to {depth_max_m:.2f} m, '
              'median {depth_median_m:.2f} m{note}, {total_ms:.0f} ms'.format(**row, note=note))
    print(f'{estimator.backend.reason}; files are in {options.output}'
          + (f'; {len(failures)} of {len(images)} images were left out' if failures else ''))
    return int(bool(failures))


def images_of(paths: list[Path]) -> list[Path]:
    """Return files, and the images of folders in order of their names; no depth beside them."""
    images: list[Path] = []
    for path in paths:
        if not path.is_dir():
            images.append(path)
            continue
        inside = sorted(file for file in path.glob('[!.]*')
                        if file.suffix.lower() in IMAGES and not file.stem.endswith('_depth'))
        if not inside:
            raise GrinError(f'{path} holds no image ({", ".join(IMAGES)})')
        images += inside
    return images


def write_files(base: Path, image: NDArray[np.uint8], camera: Camera | None,
                result: DepthEstimate) -> None:
    """Write NAME_depth.npy, NAME_depth.png, NAME_sigma.npy and NAME_points.ply."""
    camera = camera or Camera.default_pinhole(image.shape[1], image.shape[0])
    # First what marks a run of ours: where a disk is full, the next one may overwrite the rest.
    np.save(f'{base}_sigma.npy', result.sigma)
    np.save(f'{base}_depth.npy', result.depth)
    visualise.write_picture(Path(f'{base}_depth.png'), visualise.depth_picture(result.depth))
    visualise.write_ply(Path(f'{base}_points.ply'), camera.unproject(result.depth), image)


def summary(path: Path, result: DepthEstimate) -> dict[str, Any]:
    """Return what is worth printing of one result."""
    finite = result.depth[np.isfinite(result.depth)]
    low, middle, high = (np.percentile(finite, (0, 50, 100)).tolist() if finite.size
                         else [float('nan')] * 3)
    relative = result.sigma[np.isfinite(result.depth)] / finite
    return {'image': str(path), 'metric': result.metric, 'depth_min_m': low,
            'depth_median_m': middle, 'depth_max_m': high,
            'relative_sigma_median': float(np.median(relative)) if finite.size else float('nan'),
            'finite': float(finite.size / result.depth.size),
            'total_ms': result.timing['total'], 'timing_ms': result.timing}
