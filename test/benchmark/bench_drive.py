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

"""What a scale is worth that ranges told before they stopped: drives through rendered rooms."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
import sys

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the benchmark runs from a source tree

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.estimator import DepthEstimator  # noqa: E402
from grin_ros.postprocess.carried_scale import CarriedScale  # noqa: E402
from grin_ros.synth.assets import load_library  # noqa: E402
from grin_ros.synth.cameras import draw_pose, look  # noqa: E402
from grin_ros.synth.furniture import Furniture  # noqa: E402
from grin_ros.synth.places import Place  # noqa: E402
from grin_ros.synth.render import render  # noqa: E402
from grin_ros.synth.sensor import expose  # noqa: E402
from grin_ros.synth.worlds import build_world  # noqa: E402

SEED = 72  # of worlds that no training saw
CAMERA = Camera.from_hfov(70, 256, 192)
PERIOD, SPEED = 0.5, 0.3  # [s], [m/s]
FIRST = 0.1  # [s] between the last image with ranges and the first without
STEPS = 12
MARGIN = 0.15  # [m] from walls and things
NUM_KNOWN = 8  # ranges of the first image


def drive(place: Place, rng: np.random.Generator, first: float = FIRST, period: float = PERIOD,
          speed: float = SPEED) -> list[tuple[float, np.ndarray, float]]:
    """Return moments [s], positions [m] and yaws [rad] of a robot; too few when it is stopped."""
    pose = draw_pose(rng, place, 'room')
    if pose is None:
        return []
    forward = pose.rotation[:, 2]
    yaw, position = float(np.arctan2(forward[0], forward[2])), np.array(pose.position)
    course, turn, moment = yaw + rng.normal(0, 0.3), rng.normal(0, 0.4), 0.0
    way = [(moment, position, yaw)]
    for step in range(STEPS):
        seconds = first if step == 0 else period
        turn = 0.8 * (turn + rng.normal(0, 0.2))
        yaw, course, moment = yaw + turn * seconds, course + turn * seconds, moment + seconds
        position = position + speed * seconds * np.array([np.sin(course), 0, np.cos(course)])
        x, _, z = position
        width, _, length = place.size
        if not (MARGIN < x < width - MARGIN and MARGIN < z < length - MARGIN) or any(
                thing.holds(position, MARGIN) for thing in place.taken):
            break
        way.append((moment, position, yaw))
    return way if len(way) > STEPS else []


def images(number: int, furniture: Furniture, *pace: float
           ) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Yield moments [s], images and ranges [m] of a drive through one world."""
    rng = np.random.default_rng((SEED, number))
    place = build_world(rng, furniture, 'room' if number % 4 else 'corridor')
    for _ in range(200):
        if way := drive(place, rng, *pace):
            break
    else:
        return
    pitch = rng.normal(-0.15, 0.15)
    for moment, position, yaw in way:
        image, range_m = render(place.scene, CAMERA, position, look(yaw, pitch), rng)
        yield moment, expose(np.random.default_rng(number), image, False), range_m


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--worlds', type=int, default=60)
    parser.add_argument('--bundle')
    options = parser.parse_args()
    furniture = Furniture(load_library())
    estimator = DepthEstimator.load(options.bundle, 'onnxruntime', cpu_threads=1)
    errors: dict[float, list[tuple[float, float]]] = {}
    for number in tqdm(range(options.worlds), 'drives'):
        carried, rng = CarriedScale(), np.random.default_rng(number)
        for moment, image, range_m in images(number, furniture):
            known = np.argwhere(np.isfinite(range_m))
            stamp = 1_000_000_000 + round(1e9 * moment)
            if moment == 0:
                v, u = known[rng.integers(len(known), size=NUM_KNOWN)].T
                prompts = np.column_stack([u, v, range_m[v, u]])
                told = estimator.estimate(image, CAMERA, prompts=prompts).depth
                for before in (FIRST, 0):  # one image alone tells nothing
                    carried.keep(told, CAMERA, stamp - round(1e9 * before))
                continue
            own, true = estimator.estimate(image, CAMERA), range_m < np.inf
            error = float(np.nanmedian(np.log(own.range[true] / range_m[true])))
            factor = carried.blend(own.depth, CAMERA, stamp)
            errors.setdefault(round(moment, 1), []).append(
                (abs(error), abs(error + np.log(factor))))
    print('after the last image with ranges, mean |log| of the scale of an image: '
          "the network's own, and with the scale that ranges told")
    for moment, rows in sorted(errors.items()):
        print('{:.1f} s, {} drives: {:.3f}, {:.3f}'.format(moment, len(rows), *np.mean(rows, 0)))


if __name__ == '__main__':
    main()
