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

"""The message path without networks, 640x480: ours beside cv_bridge and sensor_msgs_py."""

from __future__ import annotations

import argparse
from collections.abc import Callable
import functools
import importlib
from importlib.metadata import PackageNotFoundError, version
import json
import os
from pathlib import Path
import platform
import sys
import time

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the benchmark runs from a source tree

import cv2  # noqa: E402
from message_paths import camera_info, HEIGHT, Ours, scene, Theirs, WIDTH  # noqa: E402
import numpy as np  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from grin_ros.inference.upsample import Upsampler  # noqa: E402
from grin_ros.messages import bridge, image_to_msg  # noqa: E402

ENCODINGS = 'rgb8', 'bgr8'  # only the second must be converted
QUERY_STRIDE, NETWORK = 4, (320, 256)  # the node's defaults at this size


def paths(encoding: str) -> tuple[dict[str, Callable[[], object]], str]:
    """Return what is measured by its name, and which libraries the others use."""
    info = camera_info()
    picture, depth = scene()
    packed = picture if encoding == 'rgb8' else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    msg = image_to_msg(packed, encoding, Header(frame_id='eye'))
    bare, gated = Ours(info, gates=False), Ours(info, gates=True)
    grid = tuple(size // QUERY_STRIDE for size in NETWORK)
    upsampler = Upsampler(grid, QUERY_STRIDE, (WIDTH, HEIGHT))
    inverse = 1 / cv2.resize(depth, grid, interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(picture, NETWORK)
    found: dict[str, Callable[[], object]] = {
        'ours': functools.partial(bare, msg, depth),
        'ours, with gates': functools.partial(gated, msg, depth),
        'upsampling alone': functools.partial(upsampler, inverse, small)}
    try:
        users = {
            'theirs, create_cloud': Theirs(info),
            'theirs, create_cloud, rays kept': Theirs(info, keep_rays=True),
            'theirs, create_cloud_xyz32, no colour': Theirs(info, colour=False)}
    except ImportError as error:
        return found, f'not measured: {error}'
    cv_bridge = importlib.import_module('cv_bridge')
    found |= {name: functools.partial(path, msg, depth) for name, path in users.items()}
    return found, f'{cv_bridge.__file__}, {users["theirs, create_cloud"].library}'


def measure(found: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Return milliseconds of each path, in turns: what disturbs one disturbs all."""
    # Loading a model frees large blocks, after which glibc keeps memory, and no page faults are
    # seen. In a fresh process they are most of the time, in ours as in theirs.
    np.ones(31 << 20, np.uint8)
    times: dict[str, list[float]] = {name: [] for name in found}
    for i in range(rounds + 10):
        for name, run in found.items():
            start = time.perf_counter()
            run()
            if i >= 10:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: np.array(values) for name, values in times.items()}


def versions() -> str:
    """Return what the figures depend on."""
    facts = [f'{os.cpu_count()} cores', f'Python {platform.python_version()}',
             f'NumPy {np.__version__}', f'OpenCV {cv2.__version__}']
    try:
        facts.append(f'sensor_msgs {version("ros-sensor-msgs")}')
    except PackageNotFoundError:
        facts.append(f'ROS {os.environ.get("ROS_DISTRO", "unknown")}')
    return ', '.join(facts)


def main() -> None:
    """Print the figures of each encoding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=300)
    parser.add_argument('--encoding', choices=ENCODINGS, help='all by default')
    parser.add_argument('--threads', type=int, help="OpenCV's; its own choice by default")
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    if options.threads:
        cv2.setNumThreads(options.threads)
    print(f'{WIDTH}x{HEIGHT} to depth, camera_info and points of stride 2, {options.rounds} '
          f'rounds\n{versions()}; ours decodes with {"cv_bridge" if bridge() else "OpenCV"}')
    found: dict[str, object] = {'versions': versions()}
    for encoding in [options.encoding] if options.encoding else ENCODINGS:
        routes, libraries = paths(encoding)
        result = {name: dict(zip(('p50_ms', 'p95_ms', 'p99_ms'),
                                 np.percentile(values, (50, 95, 99)).tolist()))
                  for name, values in measure(routes, options.rounds).items()}
        print(f'{encoding + " [ms]":40s} {"p50":>7s} {"p95":>7s} {"p99":>7s} {"/ ours":>7s}')
        for name, row in result.items():
            share = row['p50_ms'] / result['ours']['p50_ms']
            print(f'{name:40s} ' + ' '.join(f'{value:7.2f}' for value in row.values())
                  + f' {share:7.2f}')
        found |= {'theirs': libraries, encoding: result}
    print(f'theirs: {found["theirs"]}')
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
