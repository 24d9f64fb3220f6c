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

"""Outputs: a frame and its depth estimate in; the messages somebody listens to out."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from grin_ros.camera import Camera
from grin_ros.gates import apply_gates
from grin_ros.intake import Frame
from grin_ros.messages import camera_info_to_msg, depth_to_msg, image_to_msg
from grin_ros.params import DepthParams
from grin_ros.pointcloud import cloud_to_msg, CloudGrid
from grin_ros.qos import output_qos

TOPICS = {'depth': Image, 'camera_info': CameraInfo, 'points': PointCloud2, 'sigma': Image,
          'depth_color': Image}
# Input and output are both called camera_info, so a rule that remaps the input would take the
# output along. Hence the output has a name of its own in here; rules apply once, not in a chain.
INTERNAL = {'camera_info': 'output_camera_info'}
REMAPPING = ['--ros-args', *(part for name, inside in INTERNAL.items()
                             for part in ('-r', f'{inside}:={name}'))]


class Outputs:
    """
    The node's publishers, relative to its namespace, and what they need from frame to frame.

    :param node: publishers are made on it; it has REMAPPING among its arguments.
    """

    def __init__(self, node: LifecycleNode) -> None:
        """Advertise every topic."""
        self._node = node
        self._publishers = {
            name: node.create_lifecycle_publisher(kind, INTERNAL.get(name, name), **output_qos())
            for name, kind in TOPICS.items()}
        self._cloud_grid: CloudGrid | None = None
        self._next_cloud = 0.0

    def close(self) -> None:
        """Take every topic back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def wanted(self, params: DepthParams) -> set[str]:
        """Return the outputs with subscribers; empty when there is nothing to compute."""
        names = {name for name, publisher in self._publishers.items()
                 if publisher.get_subscription_count() > 0}
        if params.points_rate > 0 and time.monotonic() < self._next_cloud:
            names.discard('points')
        return set() if names <= {'camera_info'} else names

    def build(self, wanted: set[str], frame: Frame, estimate: Any, rectified: bool,
              params: DepthParams) -> dict[str, Any]:
        """Return the wanted messages; all carry the header of the image."""
        header = frame.header
        height, width = estimate.depth.shape
        source = frame.camera or Camera.default_pinhole(*frame.image.shape[1::-1])
        camera = source.scaled(width, height)
        # Sigma is computed when it is read.
        depth = apply_gates(estimate.depth, estimate.sigma if params.max_sigma > 0 else None,
                            params.min_depth, params.max_depth, params.max_sigma,
                            params.edge_gate)
        messages: dict[str, Any] = {}
        if 'depth' in wanted:
            messages['depth'] = depth_to_msg(depth, params.depth_encoding, header)
        if 'camera_info' in wanted:
            messages['camera_info'] = camera_info_to_msg(frame.info, camera, rectified, header)
        if 'points' in wanted:
            messages['points'] = cloud_to_msg(
                self._points(depth, frame, estimate, camera, params), header)
        if 'sigma' in wanted:
            sigma = np.where(np.isfinite(depth), estimate.sigma, np.float32(np.nan))
            messages['sigma'] = image_to_msg(sigma.astype(np.float32), '32FC1', header)
        if 'depth_color' in wanted:
            colours = colourised(depth, params.min_depth, params.max_depth)
            messages['depth_color'] = image_to_msg(colours, 'rgb8', header)
        return messages

    def _points(self, depth: NDArray[np.float32], frame: Frame, estimate: Any, camera: Camera,
                params: DepthParams) -> NDArray[np.float32]:
        """Lift depth to points with rays that are computed once per camera and stride."""
        grid = self._cloud_grid
        if grid is None or grid.stride != params.points_stride or not same(grid.camera, camera):
            grid = self._cloud_grid = CloudGrid(camera, params.points_stride)
        return grid.points(
            depth, frame.image, estimate.sigma if params.publish_sigma_field else None,
            params.points_min_range, params.points_max_range, params.points_organized)

    def publish(self, messages: dict[str, Any], params: DepthParams) -> None:
        """Send the messages; a lifecycle publisher is silent unless active."""
        for name, message in messages.items():
            self._publishers[name].publish(message)
        if 'points' in messages and params.points_rate > 0:
            period = 1 / params.points_rate
            self._next_cloud = max(self._next_cloud + period, time.monotonic() + period / 2)


def same(a: Camera, b: Camera) -> bool:
    """Return True when two cameras have the same rays."""
    return (a.width, a.height, a.model, a.distortion, *a.intrinsics.flat) == (
        b.width, b.height, b.model, b.distortion, *b.intrinsics.flat)


def colourised(depth: NDArray[np.float32], min_depth: float, max_depth: float
               ) -> NDArray[np.uint8]:
    """Return depth as (H, W, 3) RGB: near red, far blue, sky dark blue, NaN black."""
    # The range is fixed and logarithmic: the colour of a distance does not flicker.
    low, high = np.log(max(min_depth, 0.05)), np.log(max_depth)
    with np.errstate(invalid='ignore', divide='ignore'):
        share = (np.log(np.maximum(depth, np.float32(1e-3))) - np.float32(low)) / (high - low)
        levels = np.nan_to_num(255 * (1 - share.clip(0, 1)), nan=0.0).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    colours[np.isnan(depth)] = 0
    return colours
