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

"""Steady state of the node at its defaults: rate, latency, memory and start, as one table."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
import platform
import random
import sys
import tempfile
import time

ROOT = Path(__file__).parents[2]
# The benchmark runs from a source tree, with the helpers of the node tests.
sys.path[:0] = [str(ROOT), str(ROOT / 'test/node')]
os.environ.update(RMW_IMPLEMENTATION='rmw_fastrtps_cpp',
                  ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST',
                  ROS_DOMAIN_ID=str(random.randint(1, 100)))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import rclpy  # noqa: E402
import robot as robots  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

SIZE = (640, 480)


def picture() -> np.ndarray:
    """Return a textured 640x480 picture: a shipped frame, resized."""
    frame = ROOT / 'grin_ros/demo/frames/room_1.jpg'
    image = cv2.imread(str(frame))
    return np.ascontiguousarray(cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC)[..., ::-1])


def run(seconds: float, rate_hz: float, folder: Path) -> dict[str, object]:
    """Send images at a rate for some time and measure what comes back."""
    rclpy.init()
    started = time.monotonic()
    node = robots.NodeProcess(folder, 'bench')
    robot = robots.Robot('bench')
    image, info, arrived = picture(), robots.pinhole_info(), {}
    try:
        # Images flow while the node starts, as on a robot.
        while not robot.answers['depth']:
            robot.send(image, info)
            robot.spin(1 / rate_hz)
        first = time.monotonic() - started
        for name in robot.answers:
            robot.answers[name].clear()

        def arrive(msg: object) -> None:
            stamp = robots.stamp_of(msg)
            now = robot.node.get_clock().now().nanoseconds
            arrived[stamp] = (now - stamp[0] * 10**9 - stamp[1]) / 1e6
            for answers in robot.answers.values():
                answers.clear()
        robot.node.create_subscription(Image, '/bench/depth', arrive, 5)
        begin = time.monotonic()
        next_send = begin
        while (now := time.monotonic()) < begin + seconds:
            if now >= next_send:
                robot.send(image, info)
                next_send += 1 / rate_hz
            robot.spin(min(0.01, max(0.0, next_send - time.monotonic())))
        elapsed = time.monotonic() - begin
        diagnostics = dict(robot.diagnostics)
        status = Path(f'/proc/{node.process.pid}/status').read_text(encoding='utf-8')
        rss_mb = int(status.split('VmHWM:')[1].split()[0]) / 1000
    finally:
        node.stop()
        robot.close()
        rclpy.try_shutdown()
    latencies = np.array(list(arrived.values()))
    outside = diagnostics['latency_outside_networks_ms']  # p50 4.2, p99 7.0
    return {
        'depth_images_per_second': len(arrived) / elapsed,
        'latency_p50_ms': float(np.median(latencies)),
        'latency_p95_ms': float(np.percentile(latencies, 95)),
        'first_depth_s': first, 'peak_rss_mb': rss_mb, 'torch_imported': node.has_torch(),
        'outside_networks_p50_ms': float(outside.split()[1].rstrip(',')),
        'sent_hz': rate_hz, 'machine': f'{platform.machine()}, {os.cpu_count()} cores',
        'diagnostics': {key: value for key, value in diagnostics.items()
                        if 'ms' in key or key.startswith('latency') or key == 'backend'}}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=30.0)
    parser.add_argument('--rate', type=float, default=15.0, help='images sent per second')
    parser.add_argument('--json', type=Path)
    options = parser.parse_args()
    os.environ.update(dict.fromkeys(robots.PROFILE_VARIABLES, str(robots.PROFILE)))
    with tempfile.TemporaryDirectory() as folder:
        os.environ['ROS_LOG_DIR'] = folder
        result = run(options.seconds, options.rate, Path(folder))
    for key, value in result.items():
        if isinstance(value, dict):
            for name, text in value.items():
                print(f'  {name:32s} {text}')
        else:
            print(f'{key:34s} {value:.1f}' if isinstance(value, float) else f'{key:34s} {value}')
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
