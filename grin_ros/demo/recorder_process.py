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

"""A listener in a process of its own: keeps what /grin publishes and when it arrived."""

from __future__ import annotations

import argparse
from pathlib import Path
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2


class Recorder:
    """Keeps the last message of each topic per picture, and the latency of every depth image."""

    def __init__(self, node: rclpy.node.Node) -> None:
        """Subscribe to what the node publishes."""
        self.clock = node.get_clock()
        self.arrays: dict[str, NDArray] = {}
        self.latencies: dict[str, list[float]] = {}
        self.arrivals: list[float] = []
        # Deep enough that this process, not the node, may fall behind for a moment.
        qos = QoSProfile(depth=10)
        for topic, kind, receive in (('depth', Image, self.on_depth),
                                     ('sigma', Image, self.on_sigma),
                                     ('camera_info', CameraInfo, self.on_camera_info),
                                     ('points', PointCloud2, self.on_points)):
            node.create_subscription(kind, f'/grin/{topic}', receive, qos)

    def on_depth(self, message: Image) -> None:
        """Note the time first, then keep the picture."""
        name = message.header.frame_id
        latency = (self.clock.now() - Time.from_msg(message.header.stamp)).nanoseconds / 1e6
        self.latencies.setdefault(name, []).append(latency)
        self.arrivals.append(time.time())
        self.arrays[f'{name}/depth'] = image_array(message)

    def on_sigma(self, message: Image) -> None:
        """Keep the uncertainty."""
        self.arrays[f'{message.header.frame_id}/sigma'] = image_array(message)

    def on_camera_info(self, message: CameraInfo) -> None:
        """Keep the published P, which is what consumers unproject with."""
        self.arrays[f'{message.header.frame_id}/P'] = np.array(message.p).reshape(3, 4)

    def on_points(self, message: PointCloud2) -> None:
        """Keep x, y, z [m] and the colour bits."""
        cloud = np.frombuffer(message.data, np.float32).reshape(-1, message.point_step // 4)
        self.arrays[f'{message.header.frame_id}/points'] = cloud[:, :4].copy()

    def save(self, path: Path) -> None:
        """Write everything to one NumPy archive."""
        entries: dict[str, Any] = {'arrivals': np.array(self.arrivals), **self.arrays}
        for name, values in self.latencies.items():
            entries[f'{name}/latency_ms'] = np.array(values)
        np.savez(path, **entries)


def image_array(message: Image) -> NDArray[np.float32]:
    """Read a 32FC1 image."""
    if message.encoding != '32FC1':
        raise ValueError(f'expected 32FC1 on /grin, not {message.encoding}')
    rows = np.frombuffer(message.data, np.float32).reshape(message.height, message.step // 4)
    return rows[:, :message.width].copy()


def main() -> None:
    """Record until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, required=True)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node('recorder')
    recorder = Recorder(node)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        recorder.save(options.output)
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
