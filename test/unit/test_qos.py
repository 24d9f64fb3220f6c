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

"""Names of endpoints' nodes, and QoS that a user sets of no endpoint."""

from types import SimpleNamespace

import pytest

qos = pytest.importorskip('grin_ros.node.qos', reason='ROS 2 is not installed')


def endpoint(name: str, namespace: str = '/robot') -> SimpleNamespace:
    """Return what rclpy tells of an endpoint, as far as it concerns names."""
    return SimpleNamespace(node_name=name, node_namespace=namespace)


def test_nodes_are_named_in_full_and_once() -> None:
    endpoints = [endpoint('front'), endpoint('back', '/'), endpoint('front')]
    assert qos.node_names(endpoints) == ['/back', '/robot/front']


def test_an_endpoint_whose_node_is_not_known_yet_gets_no_invented_name() -> None:
    unknown = endpoint('_NODE_NAME_UNKNOWN_', '_NODE_NAMESPACE_UNKNOWN_')
    assert qos.node_names([unknown]) == ['a node not known yet']


HEARD, SENT = ['/camera/image_raw', '/camera/camera_info'], ['/grin/depth', '/grin/camera_info']


@pytest.mark.parametrize('name, hint', [
    ('/camera/image_raw.subscription.depth', None),
    ('/grin/depth.publisher.durability', None),
    ('/camra/image_raw.subscription.depth', '/camera/image_raw.subscription.depth'),
    ('/camera/image_raw.subscription.reliabilty', '/camera/image_raw.subscription.reliability'),
    ('/grin/depth.subscription.depth', 'ros2 node info'),
    ('image.subscription.depth', 'ros2 node info'),
    ('/tf.subscription.depth', 'ros2 node info'),
    ('/camera/image_raw.subscription.deadline', 'and history, depth, reliability, durability'),
])
def test_qos_of_a_misspelt_topic_or_policy_is_named(name: str, hint: str | None) -> None:
    """Parameters about QoS are declared with their topic; of others ROS says nothing."""
    given = ['backend', f'qos_overrides.{name}']
    sentences = qos.ignored_overrides(given, HEARD, SENT)
    assert len(sentences) == (hint is not None)
    assert all(given[1] in text and hint in text for text in sentences)
