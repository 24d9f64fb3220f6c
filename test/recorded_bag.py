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

"""Bags of a camera, as a robot records them, and what is read of those that grin writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rosbag1 = pytest.importorskip('rosbags.rosbag1', reason='no rosbags: pip install "grin_ros[bag]"')
rosbag2 = pytest.importorskip('rosbags.rosbag2')
typesys = pytest.importorskip('rosbags.typesys')

WIDTH, HEIGHT = 96, 64
K = [70.0, 0, 47.5, 0, 70.0, 31.5, 0, 0, 1]
TOPICS = ('--image-topic', '/eye/image_raw', '--camera-info-topic', '/eye/camera_info')
PICTURES = [np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            for seed in range(3)]


def header(store: Any, seconds: int, is_1: bool = False) -> Any:
    stamp = store.types['builtin_interfaces/msg/Time'](seconds, 5)
    return store.types['std_msgs/msg/Header'](*([7] if is_1 else []), stamp, 'eye_optical')


def image(store: Any, rgb: np.ndarray, head: Any) -> Any:
    return store.types['sensor_msgs/msg/Image'](
        head, HEIGHT, WIDTH, 'rgb8', 0, 3 * WIDTH, rgb.ravel())


def info(store: Any, head: Any, is_1: bool = False, width: int = WIDTH, zoom: float = 1.0) -> Any:
    k = np.array(K) * [zoom, 1, 1, 1, zoom, 1, 1, 1, 1]
    numbers = {'d': np.zeros(5), 'k': k, 'r': np.eye(3).ravel(), 'p': np.zeros(12)}
    region = store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    return store.types['sensor_msgs/msg/CameraInfo'](
        header=head, height=HEIGHT, width=width, distortion_model='plumb_bob', binning_x=0,
        binning_y=0, roi=region,
        **{name.upper() if is_1 else name: value for name, value in numbers.items()})


def record(path: Path, is_1: bool = False, compressed: bool = False, width: int = WIDTH,
           scans: bool = False, infos: bool = True) -> Path:
    """Write a camera's bag; the camera_info of an image comes after it, if any does."""
    store = typesys.get_typestore(
        typesys.Stores.ROS1_NOETIC if is_1 else typesys.Stores.ROS2_HUMBLE)
    kind = 'sensor_msgs/msg/CompressedImage' if compressed else 'sensor_msgs/msg/Image'
    topic = '/eye/image_raw/compressed' if compressed else '/eye/image_raw'
    with rosbag1.Writer(path) if is_1 else rosbag2.Writer(path, version=9) as bag:
        images = bag.add_connection(topic, kind, typestore=store)
        lens = bag.add_connection('/eye/camera_info', 'sensor_msgs/msg/CameraInfo',
                                  typestore=store) if infos else None
        serialise = store.serialize_ros1 if is_1 else store.serialize_cdr
        scan = 'sensor_msgs/msg/LaserScan'
        lidar = bag.add_connection('/scan', scan, typestore=store) if scans else None
        for seconds, rgb in enumerate(PICTURES, 1):
            head = header(store, seconds, is_1)
            msg = image(store, rgb, head)
            if lidar is not None:  # just before its image, the first one just after it
                hits = store.types[scan](
                    header(store, seconds, is_1), -0.5, 0.5, 0.01, 0.0, 0.0, 0.1, 30.0,
                    np.full(100, 2.0, np.float32), np.zeros(0, np.float32))
                late = (seconds == 1) * 2
                bag.write(lidar, seconds * 10**9 - 1 + late, bytes(serialise(hits, scan)))
            if compressed:
                png = cv2.imencode('.png', rgb[..., ::-1])[1].ravel()
                msg = store.types[kind](head, 'png', png)
            bag.write(images, seconds * 10**9, bytes(serialise(msg, kind)))
            if lens is not None:
                bag.write(lens, seconds * 10**9 + 1, bytes(serialise(
                    info(store, head, is_1, width), 'sensor_msgs/msg/CameraInfo')))
    return path


def outputs(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """Read a bag: topic -> (time, message)."""
    store, found = typesys.get_typestore(typesys.Stores.ROS2_JAZZY), {}
    with rosbag2.Reader(path) as bag:
        for connection, moment, data in bag.messages():
            found.setdefault(connection.topic, []).append(
                (moment, store.deserialize_cdr(data, connection.msgtype)))
    return found
