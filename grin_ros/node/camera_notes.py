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

"""Camera notes: what is known of a camera's lens and frame, in its diagnostics and in the log."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from rclpy.node import Node

from grin_ros.camera import Camera
from grin_ros.messages.frozen import SameImages
from grin_ros.messages.intake import CameraInfos, Frame
from grin_ros.messages.ranges import nanoseconds
from grin_ros.node.diagnostics import Statistics
from grin_ros.node.voice import Voice
from grin_ros.params import DepthParams

LOW_BITS = 4095  # the largest number of 12 bits
LOOKED_AT = 30  # images, before one is sure that a driver uses no higher bits
FROZEN = 3.0  # [s] of images that are the same
SAME_K, SAME_PX, SAME_R = 0.01, 1.0, 0.01  # share, [px] and [rad]: P, R as of K alone


class CameraNotes:
    """
    What is said about one camera: once per calibration, and when its images are dark or frozen.

    That raw images may be rectified ones stays in diagnostics until `rectified` is set.

    :param topic: of its images.
    """

    def __init__(self, node: Node, statistics: Statistics, voice: Voice, infos: CameraInfos,
                 topic: str) -> None:
        """Say nothing yet."""
        self._node, self._logger, self._statistics = node, node.get_logger(), statistics
        self._same = SameImages()
        self._voice, self._infos = voice, infos
        self._topic = topic
        self._told: tuple[Camera, str] | None = None  # the camera, and where it comes from
        self._judged: Any = None  # the CameraInfo that was looked at last
        self._doubt, self._doubt_is_logged = '', False  # why its images may be rectified ones
        self._brightest, self._looked_at = 0, 0  # number in images of 16 bits; how many

    def forget(self) -> None:
        """Say everything anew."""
        self._told = self._judged = None
        self._doubt, self._doubt_is_logged = '', False
        self._brightest, self._looked_at = 0, 0

    def take(self, frame: Frame, params: DepthParams) -> None:
        """Note the camera of an image that is to be answered."""
        camera, facts = frame.camera, self._statistics.facts
        if frame.max_level is not None:
            self._check_bits(frame.max_level)
        height, width = frame.image.shape[:2]
        reason = self._infos.unfit(width, height) if frame.info is None else ''
        # A driver that was never calibrated says so, and hfov_deg is what one sets then.
        if reason and not (camera and self._infos.is_blank):
            self._voice.warn('camera_info', (
                f'the camera_info on {self._infos.topic} is not used ({reason}), and '
                f'{"hfov_deg" if camera else "the default pinhole"} is: calibrate the camera'
                f'{"" if camera else ", set hfov_deg"}, or publish the camera_info of its images'))
        if camera is None:
            facts |= {'camera': 'default pinhole', 'scale': 'not metric'}
            self._voice.remark('scale', f'no usable camera_info on {self._infos.topic}: the '
                               'default pinhole is used, and the scale is not metric')
            self._told = None
            return
        k = camera.intrinsics
        source = 'the parameter hfov_deg' if frame.info is None else self._infos.topic
        facts |= {'scale': 'metric', 'camera': (
            f'{camera.width}x{camera.height}, fx {k[0, 0]:.1f} fy {k[1, 1]:.1f} '
            f'cx {k[0, 2]:.1f} cy {k[1, 2]:.1f} px, {camera.model}, from {source}')}
        told = self._told  # a reset may come meanwhile
        if told is None or told[1] != source or not camera.same_lens(told[0]):
            self._told = camera, source
            self._introduce(camera, source, params.frame_id or frame.header.frame_id, params)
        if params.rectified == 'auto' and not self._infos.rectified:
            self._doubt_raw(frame.info, camera)

    def _doubt_raw(self, info: Any | None, camera: Camera) -> None:
        """Warn when images that are taken for raw ones may be rectified ones."""
        if info is not self._judged:  # it is one object while the calibration is the same
            self._judged, self._doubt = info, doubt_of_raw(self._topic, info, camera)
        if not self._doubt:
            return
        text = (f'images on {self._topic} are taken for raw ones, as the last part of their name '
                f'has no "rect", and K and D are used; but {self._doubt}. If they are rectified, '
                'set rectified: true, for P is right then; else set rectified: false, and output: '
                'rectified where depth_image_proc, nvblox or rtabmap read depth, as they go by P')
        self._statistics.warn('rectified', text)
        if not self._doubt_is_logged:
            self._logger.warning(text)
            self._doubt_is_logged = True

    def _check_bits(self, level: int) -> None:
        """Warn when images of 16 bits never use the high ones."""
        self._brightest = max(self._brightest, level)
        self._looked_at += 1
        if self._looked_at >= LOOKED_AT and self._brightest <= LOW_BITS:
            self._voice.warn('bits', (
                f'images on {self._topic} are of 16 bits, and the largest number in '
                f'{self._looked_at} of them is {self._brightest}: 65535 is taken for white, so '
                'that the network sees the dark. Let the driver shift them up to the full scale, '
                'or publish 8 bits'))

    def check_frozen(self, frame: Frame) -> None:
        """Warn when a camera sends an image of something again and again, as if it were of now."""
        seconds = self._same.seconds(frame.image, nanoseconds(frame.header.stamp))
        # A simulator in which nothing moves rightly sends what it sent before.
        if seconds >= FROZEN and not self._node.get_parameter('use_sim_time').value:
            self._voice.warn('frozen', (
                f'images on {self._topic} have been the same to the last bit for {seconds:.0f} s: '
                'either depth is of long ago, then start the camera again, look at its driver and '
                'cable; or all is well, as where nothing moves in a video stream (H.264 repeats '
                'what is the same), a picture is played, or a simulator (use_sim_time)'))

    def _introduce(self, camera: Camera, source: str, frame_id: str, params: DepthParams) -> None:
        """Say what is known about a camera that comes from somewhere."""
        facts = self._statistics.facts
        self._logger.info(f'camera: {facts["camera"]}')
        if sentence := self._statistics.model.strange_lens(camera):
            self._logger.warning(f'{source}: {sentence}')
        if 'optical' not in frame_id:
            self._logger.info(f'points are in {frame_id or "a frame without a name"}, taken for '
                              'an optical frame: x right, y down, z forward. If the cloud stands '
                              'upright in rviz2, set frame_id')
        facts['grid'] = params.output if not camera.is_pinhole else 'undistorted'
        if facts['grid'] == 'input':
            facts['grid'] = 'distorted'
            self._logger.warning('depth lies on the distorted grid of the image: our cloud is '
                                 'right, but depth_image_proc, nvblox and rtabmap need output: '
                                 'rectified')


def doubt_of_raw(topic: str, info: Any | None, camera: Camera) -> str:
    """Return what speaks against images, with a CameraInfo and its Camera, being raw; else ''."""
    if info is None:
        return ''
    if not camera.is_pinhole:
        return 'another part of it has' if re.search('[/_]rect', topic) else ''
    k, r = (np.reshape(each, (3, 3)) for each in (info.k, info.r))
    p = np.reshape(info.p, (3, 4))[:, :3]
    moved = p[0, 0] != 0 and not np.allclose(p, k, SAME_K, SAME_PX)
    turned = bool(r.any()) and not np.allclose(r, np.eye(3), 0.0, SAME_R)
    return ('their camera_info has no distortion, and its P or R differ from K, as of images that '
            'are rectified already') if moved or turned else ''
