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

"""Topics: compressed images find their way in, and QoS is what the user overrides it with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import threading

import cv2
import numpy as np
import pytest

from grin_ros.errors import GrinError
from grin_ros.params import DepthParams

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
CompressedImage = pytest.importorskip('sensor_msgs.msg').CompressedImage
CameraInfo = pytest.importorskip('sensor_msgs.msg').CameraInfo
Image = pytest.importorskip('sensor_msgs.msg').Image
qos = pytest.importorskip('rclpy.qos')
Trigger = pytest.importorskip('std_srvs.srv').Trigger
Parameter = pytest.importorskip('rclpy.parameter').Parameter
InputTopics = pytest.importorskip('grin_ros.node.inputs').InputTopics
DepthNode = pytest.importorskip('grin_ros.depth_node').DepthNode
outputs = pytest.importorskip('grin_ros.node.outputs')
LifecycleNode = pytest.importorskip('rclpy.lifecycle').LifecycleNode

COMPRESSED = f'{robots.IMAGE}/compressed'


@pytest.fixture(scope='module')
def node(start_node: Callable, tiny_bundle: Path) -> 'robots.NodeProcess':
    """Start a node that reads compressed images and whose depth is best effort."""
    return start_node('topics', bundle=tiny_bundle, max_age=30, image_transport='compressed',
                      **{'qos_overrides./topics/depth.publisher.reliability': 'best_effort',
                         'qos_overrides./topics/pionts.publisher.reliability': 'best_effort'})


def test_compressed_images_are_answered_and_cut_ones_are_named(
        node: 'robots.NodeProcess', make_robot: Callable) -> None:
    """Remapping `image` moves `image/compressed` along, as image_transport does."""
    robot = make_robot('topics', outputs=('camera_info', 'points'))
    images = robot.node.create_publisher(CompressedImage, COMPRESSED, 10)
    robot.wait(lambda: images.get_subscription_count() and robot._infos.get_subscription_count()
               and robot.node.count_publishers('/topics/points'), f'it listens to {COMPRESSED}')
    smooth = np.tile(np.arange(640, dtype=np.uint8)[:, None], (480, 1, 3))
    jpeg = cv2.imencode('.jpg', smooth)[1].tobytes()

    def send(data: bytes) -> robots.Stamp:
        info = robots.pinhole_info()
        info.header = robot.header()
        robot._infos.publish(info)
        images.publish(CompressedImage(header=info.header, format='jpeg', data=data))
        return robots.stamp_of(info)

    robot.settled()
    robot.wait(lambda: send(jpeg) and robot.spin(0.3) is None and robot.answers['points'],
               'a JPEG is answered')
    before = int(robot.settled().get('dropped_bad_image', 0))
    send(jpeg[:len(jpeg) // 2])
    robot.diagnosed('dropped_bad_image', str(before + 1))
    robot.diagnosed('last_problem', f'{COMPRESSED}: the JPEG of')
    robot.answers['points'].clear()
    stamp = send(jpeg)
    robot.wait(lambda: stamp in robot.answers['points'], 'the next good one is answered')


def test_quality_of_service_can_be_overridden(node: 'robots.NodeProcess', make_robot: Callable
                                              ) -> None:
    robot = make_robot('topics', outputs=('camera_info',))

    def reliability(name: str) -> set:
        return {info.qos_profile.reliability
                for info in robot.node.get_publishers_info_by_topic(f'/topics/{name}')}
    robot.wait(lambda: reliability('points') and reliability('depth'), 'the node advertises')
    assert reliability('points') == {qos.ReliabilityPolicy.RELIABLE}
    assert reliability('depth') == {qos.ReliabilityPolicy.BEST_EFFORT}
    node.wait_for_log('did you mean qos_overrides./topics/points.publisher.reliability?')
    assert node.log.count('sets nothing') == 1


def test_it_ends_with_zero(node: 'robots.NodeProcess') -> None:
    assert node.stop() == 0 and 'Traceback' not in node.log


def test_a_latched_camera_info_is_heard_and_wanted_alone(
        start_node: Callable, tiny_bundle: Path, make_robot: Callable) -> None:
    """It was sent once, before anybody listened; who waits for camera_info first gets it."""
    topics = {'image': '/latched/image', 'info': '/latched/info'}
    start_node('latched', bundle=tiny_bundle, max_age=30, frame_id='eye_optical', **topics)
    robot = make_robot('latched', outputs=('camera_info',), image=topics['image'], info='/other')
    latched = robot.node.create_publisher(CameraInfo, topics['info'], qos.QoSProfile(
        depth=1, durability=qos.DurabilityPolicy.TRANSIENT_LOCAL))
    latched.publish(robots.pinhole_info(f_px=432.1))
    stamp = robot.ask(robots.picture(), None)
    answer = robot.answers['camera_info'][stamp]
    assert answer.k[0] == 432.1 and answer.header.frame_id == 'eye_optical'
    # What a reset forgets it asks for again.
    assert robot.call(Trigger, 'reset', Trigger.Request()).success
    robot.ask(robots.picture(), None)


def test_durability_can_be_overridden(start_node: Callable, tiny_bundle: Path,
                                      make_robot: Callable) -> None:
    topics = {'image': '/durable/image', 'info': '/durable/info'}
    start_node('durable', bundle=tiny_bundle, **topics, **{
        f'qos_overrides.{topics["info"]}.subscription.durability': 'transient_local'})
    robot = make_robot('durable', outputs=('depth',), **topics)

    def durability() -> set:
        return {each.qos_profile.durability
                for each in robot.node.get_subscriptions_info_by_topic(topics['info'])}
    assert robot.wait(durability, 'the node listens') == {qos.DurabilityPolicy.TRANSIENT_LOCAL}


def test_an_output_can_be_latched(start_node: Callable, tiny_bundle: Path, make_robot: Callable
                                  ) -> None:
    """Whoever comes later, and asks for it, then hears what was said before."""
    topics = {'image': '/kept/image', 'info': '/kept/info'}
    start_node('kept', bundle=tiny_bundle, max_age=30, **topics, **{
        'qos_overrides./kept/depth.publisher.durability': 'transient_local'})
    robot = make_robot('kept', outputs=('depth',), **topics)
    robot.wait_until_heard()
    robot.ask(robots.picture(), robots.pinhole_info())
    late: list[Image] = []
    robot.node.create_subscription(Image, '/kept/depth', late.append, qos.QoSProfile(
        depth=1, durability=qos.DurabilityPolicy.TRANSIENT_LOCAL))
    last = robot.wait(lambda: late, 'the late one hears of depth')[0]
    assert robots.stamp_of(last) in robot.sent


def input_topics(namespace: str, *remappings: str, **changes: object) -> InputTopics:
    """Return the inputs of a camera of a node that is started so."""
    arguments = ['--ros-args', '-r', f'__ns:={namespace}']
    for each in remappings:
        arguments += ['-r', each]
    node = robots.rclpy.create_node('names', cli_args=arguments)
    try:
        return InputTopics(node, '', replace(DepthParams(), **changes))
    finally:
        node.destroy_node()


@pytest.mark.parametrize('remapping, changes, words', [
    ('camera_info:=/camera/rgb/camera_info', {}, 'camera_info_topic is /camera/rgb/camera_info'),
    ('image:=/camera/rgb/image', {}, 'the image is /camera/rgb/image'),
    ('ranges:=/camera/points', {'ranges_type': 'cloud'}, 'ranges_topic is /camera/points'),
])
def test_what_the_node_publishes_is_no_input(remapping: str, changes: dict, words: str) -> None:
    """In the namespace of an OpenNI camera rgb/camera_info would be both, and one overwrite K."""
    others = ['image:=/camera/rgb/image_raw', 'camera_info:=/front/camera_info']
    with pytest.raises(GrinError, match=f'{words}, which this node publishes.*namespace'):
        input_topics('/camera', remapping, *(each for each in others if each.split(':')[0]
                                             != remapping.split(':')[0]), **changes)


@pytest.mark.parametrize('remapping, rectified', [
    ('image:=/eye/image_rect', True), ('image/compressed:=/eye/image_rect/compressed', True),
    ('image/compressed:=/eye/image_raw/compressed', False)])
def test_compressed_images_are_rectified_by_their_own_name(remapping: str, rectified: bool
                                                           ) -> None:
    topics = input_topics('/grin', remapping, 'camera_info:=/eye/camera_info',
                          image_transport='compressed')
    assert topics.name.startswith('/eye/') and topics.rectified == rectified


def test_compressed_is_not_said_twice() -> None:
    """It listened to image/compressed/compressed, and only said that nobody publishes there."""
    with pytest.raises(GrinError, match='image_topic is /eye/image/compressed.*set /eye/image$'):
        input_topics('/grin', image_transport='compressed', image_topic='/eye/image/compressed')


@pytest.mark.parametrize('rule, topic', [
    ('points:=/x/points', '/grin/camera_info'), ('output_camera_info:=/x/info', '/x/info')])
def test_nodes_of_one_process_have_their_own_names_and_leave_nothing(
        rule: str, topic: str, tiny_bundle: Path) -> None:
    """Remappings of one node, also of its camera_info; parameters; the worker ends with it."""
    workers = threading.active_count()
    node = DepthNode(cli_args=[
        '--ros-args', '-r', '__ns:=/grin', '-r', 'image:=/x/image', '-r',
        'camera_info:=/eye/camera_info', '-r', rule, '-p', f'bundle:={tiny_bundle}'])
    try:
        node.autostart()
        assert threading.active_count() > workers
        assert node.count_publishers(topic) == 1
        assert all(result.successful for result in node.set_parameters(
            [Parameter('max_rate', value=5.0)]))
    finally:
        node.destroy_node()
    assert threading.active_count() == workers


def test_a_cameras_own_parameter_is_set_in_process(tiny_bundle: Path) -> None:
    """It is declared only then; one that does not exist is refused by name."""
    node = DepthNode(cli_args=['--ros-args', '-p', f'bundle:={tiny_bundle}', '-p',
                               'cameras:=[rear]'])
    try:
        own, stranger = node.set_parameters([Parameter('rear.max_rate', value=5.0),
                                             Parameter('rear.max_rat', value=5.0)])
        assert own.successful and not stranger.successful and 'rear.max_rat' in stranger.reason
    finally:
        node.destroy_node()


def test_a_rate_of_clouds_counts_while_nobody_wants_more(make_robot: Callable) -> None:
    """Images beyond it are nobody's: a node that leaves them out is not too slow."""
    node = LifecycleNode('paced', namespace='/paced', cli_args=outputs.remapping([]))
    params = replace(DepthParams(), points_rate=2.0)
    try:
        made = outputs.Outputs(node)
        robot = make_robot('paced', outputs=('points', 'clearing_points'))
        robot.wait(lambda: len(made.listened()) == 2, 'somebody wants clouds')
        assert made.most(params) == 2.0 and made.most(DepthParams()) == 0.0
        assert made.most(replace(params, max_rate=1.0)) == 1.0
        make_robot('paced', camera='', outputs=('depth',))
        robot.wait(lambda: len(made.listened()) == 3, 'somebody wants depth')
        assert made.most(params) == 0.0 and made.most(replace(params, max_rate=5.0)) == 5.0
    finally:
        node.destroy_node()
