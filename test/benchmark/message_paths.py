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

"""An image message and its depth in, the node's messages out: our way, and as users write it."""

from __future__ import annotations

import copy
import importlib
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from grin_ros.camera import Camera
from grin_ros.messages import depth_to_msg, image_from_msg
from grin_ros.messages.grid_info import GridInfo
from grin_ros.messages.intake import Frame
from grin_ros.params import DepthParams
from grin_ros.postprocess.pointcloud import cloud_to_msg, CloudGrid
from grin_ros.postprocess.result import Results

WIDTH, HEIGHT, STRIDE = 640, 480, 2
Messages = tuple[Image, CameraInfo, PointCloud2]


def camera_info() -> CameraInfo:
    """Return the camera_info of a pinhole."""
    f, cx, cy = 525.0, 319.7, 240.7
    return CameraInfo(
        header=Header(frame_id='eye'), width=WIDTH, height=HEIGHT, distortion_model='plumb_bob',
        d=[0.0] * 5, k=[f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0])


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an RGB picture and depth [m]: a floor, a wall, boxes with soft edges before it."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 255, (60, 80, 3), np.uint8), (WIDTH, HEIGHT))
    rows = np.arange(HEIGHT // 2, dtype=np.float32)[:, None]
    depth = np.tile(np.minimum(6.0, 300 / np.maximum(rows - 100, 1)), (1, WIDTH // 2))
    for _ in range(8):
        u, v = rng.integers(0, WIDTH // 2 - 40), rng.integers(0, HEIGHT // 2 - 40)
        depth[v:v + 40, u:u + 40] = rng.uniform(1, 4)
    return picture, cv2.resize(depth.astype(np.float32), (WIDTH, HEIGHT))


class Ours:
    """The path of the node: what node/answer.py does around the estimator."""

    def __init__(self, info: CameraInfo, gates: bool) -> None:
        """Read the calibration, as the node does when it is new."""
        self._info, self._camera = info, Camera.from_camera_info(info, True)
        self._grid_info = GridInfo()
        self._grid = CloudGrid(self._camera, STRIDE)
        self._ray_z = self._camera.rays()[..., 2].copy()
        self._results = Results() if gates else None
        self._params = DepthParams()

    def __call__(self, msg: Image, depth: np.ndarray) -> Messages:
        """Return what goes out for an image whose depth is known."""
        image = image_from_msg(msg)
        if self._results is not None:
            frame = Frame(msg.header, image, self._camera, self._info)
            estimate = SimpleNamespace(depth=depth.copy(), ray_z=self._ray_z)  # gated in place
            depth = self._results.make(frame, estimate, self._params).depth
        return (depth_to_msg(depth, '32FC1', msg.header),
                self._grid_info.to_msg(self._info, self._camera, True, msg.header),
                cloud_to_msg(self._grid.points(depth, image), msg.header))


class Theirs:
    """
    The same with cv_bridge and sensor_msgs_py.

    :param colour: True for create_cloud with rgb, False for create_cloud_xyz32.
    :param keep_rays: True to compute the rays once, False in each frame, as tutorials do.
    """

    def __init__(self, info: CameraInfo, colour: bool = True, keep_rays: bool = False) -> None:
        """Find both libraries."""
        self._bridge = importlib.import_module('cv_bridge').CvBridge()
        self._clouds, self.library = point_cloud2()
        self._info, self._colour = info, colour
        self._rays = self._slopes() if keep_rays else None

    def _slopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x/z and y/z of the points."""
        fx, cx, fy, cy = (self._info.k[i] for i in (0, 2, 4, 5))
        u, v = np.meshgrid(np.arange(0, WIDTH, STRIDE), np.arange(0, HEIGHT, STRIDE))
        return ((u - cx) / fx).astype(np.float32), ((v - cy) / fy).astype(np.float32)

    def __call__(self, msg: Image, depth: np.ndarray) -> Messages:
        """Return what goes out for an image whose depth is known."""
        image = self._bridge.imgmsg_to_cv2(msg, 'rgb8')
        depth_msg = self._bridge.cv2_to_imgmsg(depth, '32FC1')
        depth_msg.header = msg.header
        info = copy.copy(self._info)
        info.header = msg.header
        x, y = self._rays or self._slopes()
        z = depth[::STRIDE, ::STRIDE]
        if not self._colour:
            points = np.stack([x * z, y * z, z], -1).reshape(-1, 3)
            return depth_msg, info, self._clouds.create_cloud_xyz32(msg.header, points)
        r, g, b = (image[::STRIDE, ::STRIDE, i].astype(np.uint32) for i in range(3))
        rgb = (r << 16 | g << 8 | b).view(np.float32)
        fields = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
                  for i, name in enumerate(('x', 'y', 'z', 'rgb'))]
        points = np.stack([x * z, y * z, z, rgb], -1).reshape(-1, 4)
        return depth_msg, info, self._clouds.create_cloud(msg.header, fields, points)


def point_cloud2() -> tuple[Any, str]:
    """Return sensor_msgs_py.point_cloud2, or its port on PyPI, and which it is."""
    try:
        return importlib.import_module('sensor_msgs_py.point_cloud2'), 'sensor_msgs_py'
    except ImportError:
        port = importlib.import_module('pointcloud2')

    # The port returns a class of its own, which no publisher takes.
    def create_cloud(header: Header, fields: list[PointField], points: np.ndarray) -> PointCloud2:
        cloud = port.create_cloud(header, fields, points)
        return PointCloud2(
            header=header, height=cloud.height, width=cloud.width, fields=fields,
            is_bigendian=cloud.is_bigendian, point_step=cloud.point_step,
            row_step=cloud.row_step, data=cloud.data, is_dense=cloud.is_dense)

    def create_cloud_xyz32(header: Header, points: np.ndarray) -> PointCloud2:
        fields = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
                  for i, name in enumerate('xyz')]
        return create_cloud(header, fields, points)
    return (SimpleNamespace(create_cloud=create_cloud, create_cloud_xyz32=create_cloud_xyz32),
            'pointcloud2, the port of sensor_msgs_py on PyPI')
