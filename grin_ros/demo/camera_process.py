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

"""A camera in a process of its own: plays the demo's pictures with their camera_info."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from grin_ros.demo.frames import motorcycle, shipped
from grin_ros.messages import image_to_msg
from grin_ros.messages.grid_info import GridInfo

SETTLING = 2.0  # s between the first subscription and the first picture


def main() -> None:
    """Publish every picture `repeat` times in a row, then say how many were sent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--motorcycle', type=Path, help='folder with the motorcycle photo')
    parser.add_argument('--rate', type=float, default=8.0, help='pictures a second')
    parser.add_argument('--repeat', type=int, default=16, help='times one picture is shown')
    parser.add_argument('--report', type=Path, required=True, help='JSON: pictures sent')
    options = parser.parse_args(remove_ros_args()[1:])
    frames = ([motorcycle(options.motorcycle)] if options.motorcycle else []) + shipped()
    rclpy.init()
    node = rclpy.create_node('camera', namespace='camera')
    images = node.create_publisher(Image, 'image_rect', 2)
    infos = node.create_publisher(CameraInfo, 'camera_info', 2)
    sent = dict.fromkeys((frame.name for frame in frames), 0)
    next_time = time.monotonic()
    try:
        while not (images.get_subscription_count() and infos.get_subscription_count()):
            rclpy.spin_once(node, timeout_sec=0.1)
        # Discovery has two sides: the node may still be about to learn of us and of its listeners.
        time.sleep(SETTLING)
        next_time = time.monotonic()
        for frame in frames:
            # The frame_id comes back with the answer, so it can say which picture this is.
            header = Header(frame_id=frame.name)
            image = image_to_msg(frame.image, 'rgb8', header)
            info = GridInfo().to_msg(None, frame.camera, True, header)
            for _ in range(options.repeat):
                image.header.stamp = info.header.stamp = node.get_clock().now().to_msg()
                infos.publish(info)
                images.publish(image)
                sent[frame.name] += 1
                next_time = max(next_time + 1 / options.rate, time.monotonic())
                rclpy.spin_once(node, timeout_sec=0)
                time.sleep(max(0.0, next_time - time.monotonic()))
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        options.report.write_text(json.dumps(sent), encoding='utf-8')
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
