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

"""QoS: what a subscription asks for follows what its publishers offer; overrides win."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
import difflib
from typing import Any

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_check_compatible,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from grin_ros.errors import GrinError

# What a subscription asks for when every publisher offers it, and what it asks for otherwise:
# asked for more than it offers, a publisher is not heard.
IF_OFFERED = {QoSPolicyKind.RELIABILITY: (ReliabilityPolicy.RELIABLE,
                                          ReliabilityPolicy.BEST_EFFORT),
              QoSPolicyKind.DURABILITY: (DurabilityPolicy.TRANSIENT_LOCAL,
                                         DurabilityPolicy.VOLATILE)}
# rclpy's own choice has no durability: who asks for what was said before could not be served.
OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, *IF_OFFERED)
OVERRIDES = 'qos_overrides.'  # what a user's parameters about QoS begin with
NAMELESS = '_NODE_NAME_UNKNOWN_'  # rcl's word: DDS tells of an endpoint before its node's name


@contextmanager
def explained(node: Node, topic: str, remedy: str) -> Iterator[None]:
    """
    Turn what ROS says of a topic or of its QoS into a sentence.

    :param remedy: what to look at.
    :raises GrinError: that names the topic and the remedy.
    """
    try:
        yield
    except Exception as error:
        if not node.context.ok():  # the process ends: that is not the topic's fault
            raise
        raise GrinError(f'topic "{topic}": {error}: look at {remedy}') from error


def output_qos() -> dict[str, Any]:
    """
    Return QoS arguments of a publisher: reliable, the last two kept, overridable.

    Reliable, since Fast DDS with its defaults loses nearly every best-effort message of image
    size between two processes; a best-effort subscriber matches it too.
    """
    profile = QoSProfile(depth=2, history=HistoryPolicy.KEEP_LAST,
                         reliability=ReliabilityPolicy.RELIABLE)
    return {'qos_profile': profile,
            'qos_overriding_options': QoSOverridingOptions(OVERRIDABLE)}


def ignored_overrides(given: Iterable[str], heard: Iterable[str], sent: Iterable[str]
                      ) -> list[str]:
    """
    Return a sentence for each parameter about QoS that does nothing: ROS lets it pass.

    :param given: names of parameters.
    :param heard: full names of the topics that the node may subscribe to.
    :param sent: full names of those that it publishes.
    """
    policies = [policy.name.lower() for policy in OVERRIDABLE]
    known = {f'{OVERRIDES}{topic}.{kind}.{policy}'
             for kind, topics in (('subscription', heard), ('publisher', sent))
             for topic in topics for policy in policies}
    sentences = []
    for name in sorted(each for each in given if each.startswith(OVERRIDES)):
        if name not in known:
            policy = name.rpartition('.')[2]
            is_one = policy.upper() in QoSPolicyKind.__members__  # deadline is no depth misspelt
            near = difflib.get_close_matches(
                name, [each for each in known if each.endswith(f'.{policy}') or not is_one],
                n=1, cutoff=0.9)
            hint = f'did you mean {near[0]}?' if near else (
                f'it takes {OVERRIDES}TOPIC.subscription.POLICY, or .publisher., of its topics '
                f'in full (`ros2 node info`) and {", ".join(policies)}')
            sentences.append(f'parameter {name} sets nothing of this node: {hint}')
    return sentences


def node_names(endpoints: list[Any]) -> list[str]:
    """Return the full names of the nodes of endpoints, sorted; 'a node not known yet' for some."""
    return sorted({'a node not known yet' if info.node_name == NAMELESS else
                   f'{info.node_namespace.rstrip("/")}/{info.node_name}' for info in endpoints})


def conflict(node: Node, topic: str) -> str:
    """
    Return a sentence about others who publish on our topic, or cannot hear us on it, else ''.

    :param topic: name as in the code; remapping applies.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    requests = node.get_subscriptions_info_by_topic(topic)
    name = node.resolve_topic_name(topic)
    if len(publishers) > 1:
        return (f'{name} has {len(publishers)} publishers ({", ".join(node_names(publishers))}), '
                'so whoever listens gets both in turns: end the node that was started twice, or '
                'give one another namespace (one that was killed is listed for half a minute)')
    for offer in [info for info in publishers if _is_of(info, node)]:
        others = [request for request in requests if request.topic_type != offer.topic_type]
        if others:
            return (f'{", ".join(node_names(others))} listens for {others[0].topic_type} on '
                    f'{name}, which is {offer.topic_type}: choose another topic, or its type '
                    'there (data_type of a source of Nav2, which is LaserScan by default)')
        left_out = [request for request in requests if _mismatch(offer, request)]
        if left_out:
            reason = _mismatch(offer, left_out[0])
            return (f'{", ".join(node_names(left_out))} cannot hear {name}, since QoS does not '
                    f'fit ({reason}): change its QoS, or qos_overrides.{name}.publisher.*')
    return ''


def _is_of(endpoint: Any, node: Node) -> bool:
    """Tell whether an endpoint belongs to a node."""
    return (endpoint.node_name, endpoint.node_namespace) == (node.get_name(),
                                                             node.get_namespace())


def _mismatch(offer: Any, request: Any) -> str:
    """Return why two endpoints do not match, as DDS sees them; '' when they do."""
    compatibility, reason = qos_check_compatible(offer.qos_profile, request.qos_profile)
    return reason.strip(' ;') if compatibility == QoSCompatibility.ERROR else ''


class MatchedSubscription:
    """
    A subscription that is reliable when every publisher is, and hears what a latched one said.

    :param topic: name as in the code; remapping applies.
    :param on_lost: called with the number of messages that DDS reports as lost.
    """

    def __init__(self, node: Node, msg_type: Any, topic: str, callback: Callable[[Any], None],
                 on_lost: Callable[[int], None]) -> None:
        """Only look; match() subscribes and is to be called now and then."""
        self._node, self._msg_type, self._topic = node, msg_type, topic
        self._callback, self._on_lost = callback, on_lost
        self._subscription: Any = None
        self.name = node.resolve_topic_name(topic)
        self._asked: dict[str, Any] = {}

    def match(self) -> None:
        """
        Look at the publishers and subscribe, or again if they changed their offer.

        :raises GrinError: when ROS refuses the topic or its QoS.
        """
        offers = [info.qos_profile
                  for info in self._node.get_publishers_info_by_topic(self._topic)]
        policies = [QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH]
        asked: dict[str, Any] = {}
        for policy, (more, less) in IF_OFFERED.items():
            name = policy.name.lower()
            if self._is_set(name):
                policies.append(policy)
            else:
                everybody = offers and all(getattr(each, name) == more for each in offers)
                asked[name] = more if everybody else less
        if self._subscription is not None:
            # Publishers that went away offer nothing: whoever comes next decides.
            if not offers or asked == self._asked:
                return
            self.close()
        self._asked = asked
        profile = QoSProfile(
            depth=5, history=HistoryPolicy.KEEP_LAST,
            reliability=asked.get('reliability', ReliabilityPolicy.BEST_EFFORT),
            durability=asked.get('durability', DurabilityPolicy.VOLATILE))
        with explained(self._node, self.name, f'qos_overrides.{self.name}.subscription.*, and '
                       'at who else uses the topic'):
            self._subscription = self._node.create_subscription(
                self._msg_type, self._topic, self._callback, profile,
                qos_overriding_options=QoSOverridingOptions(policies),
                event_callbacks=SubscriptionEventCallbacks(
                    message_lost=lambda info: self._on_lost(info.total_count_change)))

    def _is_set(self, policy: str) -> bool:
        """Return True when the user set a policy with qos_overrides."""
        name = f'{OVERRIDES}{self.name}.subscription.{policy}'
        return name in self._node._parameter_overrides

    def publishers(self) -> list[str]:
        """Return the nodes that publish on the topic."""
        return node_names(self._node.get_publishers_info_by_topic(self._topic))

    def mismatches(self) -> str:
        """Return a sentence about the publishers that cannot be heard, else ''."""
        ours = f'{self._msg_type.__module__.split(".")[0]}/msg/{self._msg_type.__name__}'
        requests = [info for info in self._node.get_subscriptions_info_by_topic(self._topic)
                    if _is_of(info, self._node) and info.topic_type == ours]
        found = []
        for info in self._node.get_publishers_info_by_topic(self._topic):
            name = node_names([info])[0]
            mismatch = _mismatch(info, requests[0]) if requests else ''
            if info.topic_type != ours:
                found.append(f'{name} publishes {info.topic_type} on {self.name}, but this node '
                             f'listens for {ours}: choose another topic, or image_transport, '
                             'or ranges_type')
            elif mismatch:
                found.append(f'{name} on {self.name} cannot be heard, since QoS does not fit '
                             f'({mismatch}): change its QoS, or qos_overrides.{self.name}'
                             '.subscription.*')
        return '; '.join(found)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
