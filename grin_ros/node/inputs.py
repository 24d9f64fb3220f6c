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

"""Inputs: a camera's subscriptions; which topics, rectified or raw, why nothing arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import difflib
import importlib
import time
from typing import Any

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from grin_ros.errors import GrinError
from grin_ros.messages.intake import CameraInfos, rectified_rule
from grin_ros.messages.ranges import Ranges
from grin_ros.node.outputs import output_topic, TOPICS
from grin_ros.node.qos import explained, MatchedSubscription, node_names
from grin_ros.params import DepthParams, RANGES_TYPES

SILENCE = 5.0  # [s] without a message before the node says so
NAMED = 4  # topics that are named at most, those first whose names are alike


class InputTopics:
    """
    The names of a camera's topics after remapping, and what they say about the image.

    :param camera: its name, '' for the only one.
    :raises GrinError: when a name is none, or two of a kind, or camera_info is our own output.
    """

    def __init__(self, node: Node, camera: str, params: DepthParams) -> None:
        """Resolve the names."""
        self.camera = camera
        self.compressed = params.image_transport == 'compressed'
        self.image = below(camera, params.image_topic)
        base = self.name = _resolved(node, self.image, 'image_topic')
        if self.compressed:
            if base.endswith('/compressed'):
                raise GrinError(f'image_topic is {base}, and image_transport: compressed listens '
                                f'to its /compressed: set {base.removesuffix("/compressed")}')
            # image_transport's rule: remapping `image` moves `image/compressed` along.
            self.image += '/compressed'
            self.name = node.resolve_topic_name(self.image)
            if self.name == node.resolve_topic_name(self.image, only_expand=True):
                self.image = self.name = f'{base}/compressed'
        self.info = below(camera, params.camera_info_topic)
        self.ranges = below(camera, params.ranges_topic)
        self.camera_info = _resolved(node, self.info, 'camera_info_topic')
        if self.camera_info == node.resolve_topic_name(output_topic(camera, 'camera_info')):
            remedy = (f'set {camera}.camera_info_topic' if camera else
                      'set camera_info_topic, or remap it (-r camera_info:=/camera/camera_info)')
            raise GrinError(f'the camera_info input would be {self.camera_info}, which this node '
                            f'publishes: {remedy}')
        names = {'the image': self.name, 'camera_info_topic': self.camera_info}
        if params.ranges_type:
            names['ranges_topic'] = _resolved(node, self.ranges, 'ranges_topic')
        self.heard = tuple(names.values())
        ours = {node.resolve_topic_name(output_topic(camera, name)) for name in TOPICS}
        for name, topic in names.items():
            if topic in ours:
                raise GrinError(f'{name} is {topic}, which this node publishes, too: give it '
                                'another namespace (-r __ns:=/grin), or remap its output')
        first: dict[str, str] = {}
        for name, topic in names.items():
            if (other := first.setdefault(topic, name)) != name:
                raise GrinError(f'{other} and {name} are both {topic}: set {name}')
        self.rectified, self.rule = rectified_rule(
            self.name.removesuffix('/compressed') if self.compressed else base, params.rectified)
        self._node = node

    def publishers(self) -> str:
        """Return who publishes the image, in words."""
        return _publishers(node_names(self._node.get_publishers_info_by_topic(self.image)))

    def is_reliable(self) -> bool:
        """Return whether everybody who publishes the image does so reliably."""
        return all(info.qos_profile.reliability == ReliabilityPolicy.RELIABLE
                   for info in self._node.get_publishers_info_by_topic(self.image))


def check_distinct(cameras: Sequence[InputTopics]) -> None:
    """
    Refuse two cameras with one image: the second would show what the first sees.

    :raises GrinError: that names both.
    """
    first: dict[str, InputTopics] = {}
    for topics in cameras:
        other = first.setdefault(topics.name, topics)
        if other is not topics:
            raise GrinError(f'cameras {other.camera} and {topics.camera} both listen to '
                            f'{topics.name}: set {topics.camera}.image_topic, or put {{camera}} '
                            'into the launch argument image_topic')


class Inputs:
    """
    The subscriptions of a camera, which exist while somebody wants what is made of them.

    Images that nobody needs cost a core's tenth to receive.

    :param ranges: takes what a sensor of ranges sends; None without one.
    :param on_image: called with every image message.
    :param on_lost: called with the number of images that DDS reports as lost.
    """

    def __init__(self, node: Node, topics: InputTopics, infos: CameraInfos,
                 ranges: Ranges | None, on_image: Callable[[Any], None],
                 on_lost: Callable[[int], None]) -> None:
        """Subscribe to nothing yet."""
        self._node = node
        self._infos, self._ranges, self._on_image = infos, ranges, on_image
        self._began = self._last_image = time.monotonic()
        self.listening = False
        kind = CompressedImage if topics.compressed else Image
        # camera_info first: the image that arrives in between then finds its own.
        self._subscriptions = [
            MatchedSubscription(node, CameraInfo, topics.info, infos.put, lambda count: None),
            MatchedSubscription(node, kind, topics.image, self._receive, on_lost)]
        if ranges is not None:
            package, _, name = RANGES_TYPES[ranges.kind].partition('/')
            sensed = getattr(importlib.import_module(f'{package}.msg'), name)
            self._subscriptions.append(MatchedSubscription(
                node, sensed, topics.ranges, ranges.put, lambda count: None))

    def _receive(self, msg: Any) -> None:
        self._last_image = time.monotonic()
        self._on_image(msg)

    def follow(self, wanted: bool) -> None:
        """Subscribe or not, and follow the publishers' reliability."""
        if wanted and not self.listening:
            self._began = self._last_image = time.monotonic()
        elif self.listening and not wanted:
            self.close()
        self.listening = wanted
        if wanted:
            for subscription in self._subscriptions:
                subscription.match()

    def silence(self) -> str:
        """Return a sentence when something has not arrived for a while, else ''."""
        now = time.monotonic()
        if now - self._began < SILENCE:
            return ''
        info, image = self._subscriptions[:2]
        sentences = []
        # Without subscriptions it shows only that nobody publishes.
        if now - self._last_image >= SILENCE and (self.listening or not image.publishers()):
            who = image.publishers()
            sentences.append(f'no image on {image.name} for {now - self._last_image:.0f} s '
                             f'({_publishers(who)}; {"look at this" if who else "start the"} '
                             'camera, or set image_topic'
                             f'{self._elsewhere(image, "Image", "CompressedImage")})')
        if self._infos.required and not self._infos.received and (
                self.listening or not info.publishers()):
            sentences.append(f'no camera_info on {info.name} yet '
                             f'({_publishers(info.publishers())}; set camera_info_topic'
                             f'{self._elsewhere(info, "CameraInfo")}, hfov_deg if the camera has '
                             'none, or require_camera_info: false for depth without metric scale)')
        return '; '.join(sentences)

    def _elsewhere(self, subscription: MatchedSubscription, *types: str) -> str:
        """Return where others publish what nobody publishes on a topic, in words."""
        found = {} if subscription.publishers() else offered(self._node, *types)
        near = difflib.get_close_matches(subscription.name, found, n=NAMED, cutoff=0.0)
        more = f' and {len(found) - NAMED} more' if len(found) > NAMED else ''
        return (f' to one that others publish: {", ".join(each + found[each] for each in near)}'
                f'{more}' if found else '')

    def mismatches(self) -> dict[str, str]:
        """Return a sentence for each topic with publishers that cannot be heard."""
        return {each.name: each.mismatches() for each in self._subscriptions}

    def forget_info(self) -> None:
        """Listen to camera_info anew with the next follow(): a latched one is then sent again."""
        self._subscriptions[0].close()

    def close(self) -> None:
        """Unsubscribe; what a sensor of ranges sent is too old when somebody listens again."""
        for subscription in self._subscriptions:
            subscription.close()
        if self._ranges is not None:
            self._ranges.forget()


def offered(node: Node, *types: str) -> dict[str, str]:
    """
    Return the topics on which other nodes publish messages, and of images the image_transport.

    :param types: of the messages, without sensor_msgs.
    """
    found: dict[str, str] = {}
    for topic, (kind, *_) in sorted(node.get_topic_names_and_types()):
        kind = kind.removeprefix('sensor_msgs/msg/')
        names = node_names(node.get_publishers_info_by_topic(topic)) if kind in types else []
        if not set(names) - {node.get_fully_qualified_name()}:
            continue
        if kind == 'Image':
            found[topic] = ' (image_transport: raw)'
        elif kind == 'CameraInfo':
            found[topic] = ''
        elif topic.endswith('/compressed'):
            base = topic.removesuffix('/compressed')  # which comes before it, if it is there
            found[base] = f' (image_transport: {"raw or " if base in found else ""}compressed)'
    return found


def below(camera: str, topic: str) -> str:
    """Return a topic below the name of its camera, unless it begins at the root or the node."""
    return f'{camera}/{topic}' if camera and topic[:1] not in ('/', '~') else topic


def _resolved(node: Node, topic: str, parameter: str) -> str:
    """Return the full name of a topic; an error names the parameter it comes from."""
    with explained(node, topic, parameter):
        return str(node.resolve_topic_name(topic))


def _publishers(names: list[str]) -> str:
    return f'publishers: {", ".join(names)}' if names else 'it has no publisher'
