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

"""Inputs: the node's subscriptions; which topics, rectified or raw, and why nothing arrives."""

from __future__ import annotations

from collections.abc import Callable
import time
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from grin_ros.errors import GrinError
from grin_ros.intake import CameraInfos
from grin_ros.params import DepthParams
from grin_ros.qos import MatchedSubscription, node_names

SILENCE = 5.0  # [s] without a message before the node says so, and between two such sentences


class InputTopics:
    """
    The names of the topics after remapping, and what they say about the image.

    :raises GrinError: when camera_info is the node's own output.
    """

    def __init__(self, node: Node, params: DepthParams) -> None:
        """Resolve the names."""
        self.compressed = params.image_transport == 'compressed'
        base = node.resolve_topic_name('image')
        self.image, self.name = 'image', base
        if self.compressed:
            # image_transport's rule: remapping `image` moves `image/compressed` along.
            self.image = 'image/compressed'
            self.name = node.resolve_topic_name(self.image)
            if self.name == node.resolve_topic_name(self.image, only_expand=True):
                self.image = self.name = f'{base}/compressed'
        self.camera_info = node.resolve_topic_name('camera_info')
        if self.camera_info == node.resolve_topic_name('camera_info', only_expand=True):
            raise GrinError(f'the camera_info input would be {self.camera_info}, which this node '
                            'publishes: remap it to the camera (launch argument '
                            'camera_info_topic, or -r camera_info:=/camera/camera_info)')
        named = 'rect' in base.rsplit('/', 1)[-1]
        self.rectified = named if params.rectified == 'auto' else params.rectified == 'true'
        reason = (f'{base} {"contains" if named else "has no"} "rect" in its last part'
                  if params.rectified == 'auto' else 'set by the parameter')
        self._node = node
        self.rule = ('rectified: P is used, D is not' if self.rectified
                     else 'raw: K and D are used') + f' ({reason})'

    def publishers(self) -> str:
        """Return who publishes the image, in words."""
        return _publishers(node_names(self._node.get_publishers_info_by_topic(self.image)))


class Inputs:
    """
    The two subscriptions of an active node.

    :param on_image: called with every image message.
    :param on_lost: called with the number of images that DDS reports as lost.
    """

    def __init__(self, node: Node, topics: InputTopics, infos: CameraInfos,
                 on_image: Callable[[Any], None], on_lost: Callable[[int], None]) -> None:
        """Subscribe."""
        self._topics, self._infos, self._on_image = topics, infos, on_image
        self._last_image = self._last_word = time.monotonic()
        kind = CompressedImage if topics.compressed else Image
        # camera_info first: the image that arrives in between then finds its own.
        self._subscriptions = [
            MatchedSubscription(node, CameraInfo, 'camera_info', infos.put, lambda count: None),
            MatchedSubscription(node, kind, topics.image, self._receive, on_lost)]

    def _receive(self, msg: Any) -> None:
        self._last_image = time.monotonic()
        self._on_image(msg)

    def match(self) -> None:
        """Follow the publishers' reliability."""
        for subscription in self._subscriptions:
            subscription.match()

    def silence(self) -> str:
        """Return a sentence when something has not arrived for a while, else ''."""
        now = time.monotonic()
        if now - self._last_word < SILENCE:
            return ''
        info, image = self._subscriptions
        sentences = []
        if now - self._last_image >= SILENCE:
            sentences.append(f'no image on {image.name} for {now - self._last_image:.0f} s '
                             f'({_publishers(image.publishers())}; launch argument image_topic)')
        if self._infos.required and not self._infos.received:
            sentences.append(f'no camera_info on {info.name} yet '
                             f'({_publishers(info.publishers())}; launch argument '
                             'camera_info_topic, or require_camera_info: false for depth '
                             'without metric scale)')
        if sentences:
            self._last_word = now
        return '; '.join(sentences)

    def mismatches(self) -> dict[str, str]:
        """Return a sentence for each topic with publishers that cannot be heard."""
        self.match()
        return {each.name: each.mismatches() for each in self._subscriptions}

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            subscription.close()


def _publishers(names: list[str]) -> str:
    return f'publishers: {", ".join(names)}' if names else 'it has no publisher'
