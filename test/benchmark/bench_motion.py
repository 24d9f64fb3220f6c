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

"""What odometry brings: rendered rooms, seen before and after a robot drove some way."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys
import time
from types import SimpleNamespace as Message

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the benchmark runs from a source tree

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.estimator import DepthEstimator  # noqa: E402
from grin_ros.messages.odometry import OdometryRanges  # noqa: E402
from grin_ros.params import DepthParams  # noqa: E402
from grin_ros.synth.assets import load_library  # noqa: E402
from grin_ros.synth.cameras import draw_pose  # noqa: E402
from grin_ros.synth.furniture import Furniture  # noqa: E402
from grin_ros.synth.render import render  # noqa: E402
from grin_ros.synth.sensor import expose  # noqa: E402
from grin_ros.synth.worlds import build_world, worth_keeping  # noqa: E402

KINDS = 'room', 'corridor', 'table'
SEED = 71  # of worlds that no training saw
IN_PLACE = (0.0,) * 6  # odometry of the camera itself
WAY = 0.1, 0.5  # [m] between the views


def odometry(seconds: int, pose: np.ndarray) -> Message:
    """Return what a nav_msgs/Odometry of a (4, 4) pose holds."""
    w = np.sqrt(max(0.0, 1 + np.trace(pose[:3, :3]))) / 2
    x, y, z = (pose[2, 1] - pose[1, 2], pose[0, 2] - pose[2, 0], pose[1, 0] - pose[0, 1])
    turn = Message(x=x / (4 * w), y=y / (4 * w), z=z / (4 * w), w=w)
    at = Message(x=pose[0, 3], y=pose[1, 3], z=pose[2, 3])
    still = Message(x=0.0, y=0.0, z=0.0)  # a driver that tells no velocity
    stamp = Message(sec=seconds, nanosec=0)
    return Message(header=Message(frame_id='odom', stamp=stamp), child_frame_id='base_link',
                   pose=Message(pose=Message(position=at, orientation=turn)),
                   twist=Message(twist=Message(linear=still, angular=still)))


def views(count: int, rng: np.random.Generator) -> list[tuple]:
    """Return (earlier image, image, range [m], camera, (4, 4) pose of the earlier one in it)."""
    furniture, found = Furniture(load_library()), []
    for number in tqdm(range(count), 'worlds'):
        kind = KINDS[number % len(KINDS)]
        world = np.random.default_rng((SEED, number))
        place = build_world(world, furniture, kind)
        for _ in range(60):
            pose, camera = draw_pose(world, place, kind), Camera.from_hfov(75.0, 320, 240)
            if pose is None:
                continue
            image, range_m = render(place.scene, camera, pose.position, pose.rotation, world, 2)
            if not worth_keeping(range_m, kind, world):
                continue
            ahead = pose.rotation[:, 2] * (1, 0, 1)  # it drives on the floor, mostly ahead
            angle = rng.normal(0, 0.5)
            course = cv2.Rodrigues(np.array([0, angle, 0]))[0] @ ahead / np.linalg.norm(ahead)
            turned = cv2.Rodrigues(np.array([0, rng.normal(0, 0.08), 0]))[0] @ pose.rotation
            start = pose.position - rng.uniform(*WAY) * course
            before, _ = render(place.scene, camera, start, turned, world, 2)
            motion = np.eye(4)
            motion[:3, :3] = pose.rotation.T @ turned
            motion[:3, 3] = pose.rotation.T @ (start - pose.position)
            found.append((expose(np.random.default_rng(number), before, False),
                          expose(np.random.default_rng(number), image, False), range_m, camera,
                          motion))
            break
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--worlds', type=int, default=90)
    parser.add_argument('--bundle')
    options = parser.parse_args()
    found = views(options.worlds, np.random.default_rng(0))
    estimator = DepthEstimator.load(options.bundle, 'onnxruntime', cpu_threads=1)
    print(f'{len(found)} pairs of views {WAY[0]} to {WAY[1]} m apart; error of the way, of the '
          'rotation: abs_rel / delta1 without and with ranges from motion, and of the ranges')
    for way, turn_deg in ((0.0, 0.0), (0.02, 0.1), (0.05, 0.3)):
        rng, rows, times = np.random.default_rng(1), [], []
        for before, image, range_m, camera, motion in found:
            told = motion.copy()
            told[:3, 3] *= 1 + rng.normal(0, way)
            noise = cv2.Rodrigues(rng.normal(0, np.radians(turn_deg), 3))[0]
            told[:3, :3] = noise @ told[:3, :3]
            ranges = OdometryRanges('odometry', '/odom')
            params = DepthParams(ranges_type='odometry', ranges_camera_pose=IN_PLACE,
                                 ranges_sigma=max(way, 0.01))
            for second, (seen, pose) in enumerate(((before, told), (image, np.eye(4))), 1):
                ranges.put(odometry(second, pose))
                start = time.perf_counter()
                prompts = ranges.of_image(seen, Message(sec=second, nanosec=0), camera, params)
                times.append(1e3 * (time.perf_counter() - start))
            known = prompts[np.isfinite(prompts).all(-1)]
            true = np.isfinite(range_m) & (range_m < 10)
            row = []
            for given in (None, known if len(known) else None):
                result = estimator.estimate(image, camera, prompts=given).range
                ratio = np.where(np.isfinite(result), result, 200)[true] / range_m[true]
                row += [np.abs(ratio - 1).mean(), (np.abs(np.log(ratio)) < np.log(1.25)).mean()]
            u, v = np.clip(np.rint(known[:, :2]).astype(int), 0, (319, 239)).T
            off = np.abs(known[:, 2] / range_m[v, u] - 1)
            rows.append([*row, len(known), float(np.median(off)) if len(off) else np.nan])
        means = np.nanmean(rows, 0)
        print('{:.0%}, {:.1f} deg: {:.3f} / {:.3f} to {:.3f} / {:.3f}; {:.0f} ranges, '
              'half of them within {:.1%}, none in {:.0%} of the pairs; {:.1f} ms'.format(
                  way, turn_deg, *means, np.mean(np.array(rows)[:, 4] == 0),
                  np.median(times[1::2])))


if __name__ == '__main__':
    main()
