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

from collections.abc import Callable, Sequence
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from grin_ros.errors import GrinError
from grin_ros.messages import depth_to_msg, image_to_msg
from grin_ros.messages.grid_info import GridInfo
from grin_ros.messages.intake import Frame
from grin_ros.node.metronome import Metronome
from grin_ros.node.qos import conflict, explained, output_qos
from grin_ros.params import DepthParams, FIELDS
from grin_ros.postprocess.body_mask import BodyMask
from grin_ros.postprocess.carried_scale import CarriedScale
from grin_ros.postprocess.clearing import clearing_points, near_depth
from grin_ros.postprocess.floor import FloorScale
from grin_ros.postprocess.pointcloud import cloud_to_msg, CloudGrid, CloudLimits
from grin_ros.postprocess.result import Result, Results
from grin_ros.visualise import colour_depth

TOPICS = {'depth': Image, 'camera_info': CameraInfo, 'points': PointCloud2, 'sigma': Image,
          'near': Image, 'clearing_points': PointCloud2, 'depth_color': Image,
          'rgb/image': Image, 'rgb/camera_info': CameraInfo}
COLOUR_FROM = 0.05  # [m] the least distance that has a colour of its own
CLOUDS = {'points', 'clearing_points'}
# Input and output are both called camera_info, so a rule that remaps the input would take the
# output along. Hence the output has a name of its own in here; rules apply once, not in a chain.
INTERNAL = {'camera_info': 'output_camera_info'}


def remapping(arguments: Sequence[str]) -> list[str]:
    """Return the rules that a node needs beside a user's own, such as output_camera_info:=x."""
    return ['--ros-args', *(part for name, inside in INTERNAL.items()
                            if not any(f'{inside}:=' in argument for argument in arguments)
                            for part in ('-r', f'{inside}:={name}'))]


def output_topic(camera: str, name: str) -> str:
    """Return an output's name in the code: below its camera's, '' for the only one."""
    return f'{camera}/{name}' if camera else INTERNAL.get(name, name)


class Outputs:
    """
    A camera's publishers, relative to the node's namespace, and what they need between frames.

    :param node: publishers are made on it; it has remapping() among its arguments.
    :param camera: its name, '' for the only one.
    :param body_mask: path of a picture of what the camera sees of its robot, '' for nothing.
    :raises GrinError: when ROS refuses a topic or its QoS, or the picture cannot be read.
    """

    def __init__(self, node: LifecycleNode, camera: str = '', body_mask: str = '') -> None:
        """Advertise every topic, or none."""
        self._node = node
        self._body_mask = BodyMask(body_mask) if body_mask else None
        self._topics = {name: output_topic(camera, name) for name in TOPICS}
        self._publishers: dict[str, Any] = {}
        try:
            for name, topic in self._topics.items():
                full = node.resolve_topic_name(topic)
                with explained(node, full, f'qos_overrides.{full}.publisher.*'):
                    self._publishers[name] = node.create_lifecycle_publisher(
                        TOPICS[name], topic, **output_qos())
        except GrinError:
            self.close()
            raise
        self._results = Results(self._body_mask)
        self._grid_info, self._image_info = GridInfo(), GridInfo()
        self._cloud_grid: CloudGrid | None = None
        self._cloud_pace = Metronome()
        self.known = 1.0  # share of the latest depth that is no NaN

    def close(self) -> None:
        """Take every topic back."""
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)

    def forget(self) -> None:
        """Forget what earlier frames told about the scale."""
        # A new one: the worker may be using the old one.
        self._results = Results(self._body_mask)

    @property
    def floor(self) -> FloorScale:
        """Return what the floor tells about the scale."""
        return self._results.floor

    @property
    def carried(self) -> CarriedScale:
        """Return what ranges that are there no more told about the scale."""
        return self._results.carried

    @property
    def sent(self) -> list[str]:
        """Return the full names of the topics."""
        return [self._node.resolve_topic_name(topic) for topic in self._topics.values()]

    def conflicts(self) -> dict[str, str]:
        """Return a sentence for each output that others publish, too, or cannot hear."""
        return {name: conflict(self._node, topic) for name, topic in self._topics.items()}

    def listened(self) -> set[str]:
        """Return the outputs with subscribers; empty when nobody needs anything."""
        return {name for name, publisher in self._publishers.items()
                if publisher.get_subscription_count() > 0}

    def wanted(self, params: DepthParams) -> set[str]:
        """Return the outputs that this frame is for; empty when there is nothing to compute."""
        names = self.listened()
        if self._cloud_pace.is_early(params.points_rate):
            names -= CLOUDS
        return names

    def most(self, params: DepthParams) -> float:
        """Return how many images per second are to be answered at most, 0 for all."""
        paced = self.listened() <= CLOUDS  # else each image is for somebody
        return min(filter(None, (params.max_rate, paced and params.points_rate)), default=0.0)

    def build(self, wanted: set[str], frame: Frame, estimate: Any, rectified: bool,
              params: DepthParams) -> dict[str, Any]:
        """Return the wanted messages; all carry the header of the image."""
        result = self._results.make(frame, estimate, params)
        depth, header = result.depth, frame.header
        self.known = float(1 - np.isnan(depth[::8, ::8]).mean())
        info, flat = result.described(rectified)
        nearest = min(max(params.min_depth, COLOUR_FROM), params.max_depth / 2)

        makers: dict[str, Callable[[], Any]] = {
            'depth': lambda: depth_to_msg(depth, params.depth_encoding, header),
            'camera_info': lambda: self._grid_info.to_msg(info, result.camera, flat, header),
            'points': lambda: cloud_to_msg(self._points(result, params), header),
            'sigma': lambda: image_to_msg(result.sigma, '32FC1', header),
            'near': lambda: depth_to_msg(near_depth(depth, result.spread),
                                         params.depth_encoding, header),
            'clearing_points': lambda: cloud_to_msg(self._clearing(result, params), header),
            # Fixed limits: the colour of a distance does not flicker. -Inf is nearer than those.
            'depth_color': lambda: image_to_msg(colour_depth(
                np.maximum(depth, nearest), nearest, params.max_depth), 'rgb8', header),
            'rgb/image': lambda: image_to_msg(result.image, 'rgb8', header),
            'rgb/camera_info': lambda: self._image_info.to_msg(info, result.image_camera, flat,
                                                               header)}
        return {name: make() for name, make in makers.items() if name in wanted}

    def _points(self, result: Result, params: DepthParams) -> NDArray[np.float32]:
        """Lift depth to points."""
        grid = self._grid(result, params)
        sigma = result.sigma if params.publish_sigma_field else None
        limits = CloudLimits(params.points_min_range, params.points_max_range or math.inf,
                             *_heights(params))
        return grid.points(result.depth, result.image, sigma, limits, params.points_organized)

    def _clearing(self, result: Result, params: DepthParams) -> NDArray[np.float32]:
        """Return the ends of the rays along which space is free."""
        return clearing_points(self._grid(result, params), result.depth, result.spread,
                               result.shape_spread, params.max_depth, params.clearing_range,
                               params.clearing_max_sigma)

    def _grid(self, result: Result, params: DepthParams) -> CloudGrid:
        """Return the rays of the points, which are computed once per camera and stride."""
        grid = self._cloud_grid
        if grid is None or (grid.stride, grid.camera) != (params.points_stride, result.camera):
            grid = self._cloud_grid = CloudGrid(result.camera, params.points_stride)
        return grid

    def publish(self, messages: dict[str, Any], params: DepthParams) -> None:
        """Send the messages; a lifecycle publisher is silent unless active."""
        for name, message in messages.items():
            self._publishers[name].publish(message)
        if CLOUDS & set(messages):
            self._cloud_pace.go(params.points_rate)


def _heights(params: DepthParams) -> tuple[float, float]:
    """Return the limits of height [m], infinite where the parameter's own range ends."""
    low, high = params.points_min_height, params.points_max_height
    return (low if low > FIELDS['points_min_height'].metadata['low'] else -math.inf,
            high if high < FIELDS['points_max_height'].metadata['high'] else math.inf)
