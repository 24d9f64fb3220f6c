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

"""Bad input: it is named, counted and survived; the next good image is answered."""

from collections.abc import Callable
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import pytest

from grin_ros.messages import image_to_msg

robots = pytest.importorskip('robot', reason='ROS 2 is not installed')

NAN = float('nan')
Change = Callable[[Any], None]


def changed(**values: object) -> Change:
    """Return a function that sets fields of a message."""
    def apply(msg: Any) -> None:
        for name, value in values.items():
            setattr(msg, name, value)
    return apply


def cut(share: float) -> Change:
    """Return a function that cuts the data of an image."""
    def apply(msg: Any) -> None:
        msg.data = msg.data[:int(len(msg.data) * share)]
    return apply


BAD_IMAGES = {
    'no encoding': changed(encoding=''),
    'depth image': changed(encoding='32FC1'),
    'other encoding': changed(encoding='rgba16'),
    'wrong channels': changed(encoding='rgba8'),
    'empty': changed(width=0, height=0, step=0, data=[]),
    'no rows': changed(height=0),
    'no step': changed(step=0),
    'step too short': changed(step=100),
    'too wide': changed(width=2000),
    'too high': changed(height=4000000),
    'no data': cut(0),
    'half the data': cut(0.5),
    'a byte short': lambda msg: setattr(msg, 'data', msg.data[:-1]),
    'one pixel': changed(width=1, height=1, step=3),
}
BAD_INFOS = {
    'K zero': changed(k=[0.0] * 9, p=[0.0] * 12),
    'K NaN': changed(k=[NAN] * 9),
    'P NaN': changed(p=[NAN] * 12),
    'fx negative': changed(k=[-500.0, 0, 320, 0, 500, 240, 0, 0, 1]),
    'D infinite': changed(d=[float('inf'), 0, 0, 0, 0]),
    'D of three': changed(d=[0.1, 0.1, 0.1]),
    'unknown model': changed(distortion_model='bent', d=[0.1]),
    'other size': changed(width=1280, height=960),
    'no size': changed(width=0, height=0),
    'binned': changed(binning_x=2, binning_y=2),
}


@pytest.fixture(scope='module')
def node(start_node: Callable, tiny_bundle: Path) -> 'robots.NodeProcess':
    """Start a node with a stranger among its parameters."""
    process = start_node('bad', bundle=tiny_bundle, max_age=30, robot_description='a robot')
    process.wait_for_log('bundle')
    return process


@pytest.fixture(scope='module')
def robot(node: 'robots.NodeProcess', keep_robot: Callable) -> 'robots.Robot':
    """Return a camera that the node listens to."""
    result = keep_robot('bad', outputs=('depth',))
    result.wait_until_heard()
    return result


def test_bad_images_are_named_and_counted(node: 'robots.NodeProcess', robot: 'robots.Robot'
                                          ) -> None:
    before = robot.settled()
    for change in BAD_IMAGES.values():
        robot.ask(robots.picture(), robots.pinhole_info())
        msg = image_to_msg(robots.picture(), 'rgb8', robot.header())
        change(msg)
        robot.send(msg, robots.pinhole_info())
        robot.spin(0.2)
    robot.diagnosed('last_problem', robots.IMAGE)
    assert robot.level == b'\x02'
    robot.ask(robots.picture(), robots.pinhole_info())
    after = robot.settled()
    new = {key: int(after[key]) - int(before.get(key, 0)) for key in after
           if key.startswith('dropped') or key in ('received', 'answered')}
    assert new['received'] == new['answered'] + new['dropped']
    # One pixel is an image, but no camera_info fits it.
    assert new['dropped_bad_image'] + new.get('dropped_newer_frame', 0) >= len(BAD_IMAGES) - 1
    assert new['dropped_bad_image'] > len(BAD_IMAGES) // 2
    assert 'internal_error' not in ''.join(after)
    assert f'{robots.IMAGE}: ' in node.log


def test_a_covered_lens_is_named(node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    """A network would see a place in the dark, and be sure enough to clear a costmap."""
    robot.ask(robots.picture(), robots.pinhole_info())
    stamp = robot.send(np.full((480, 640, 3), 2, np.uint8), robots.pinhole_info())
    robot.diagnosed('dropped_no_contrast', '1')
    robot.diagnosed('last_problem', f'images on {robots.IMAGE} show nothing')
    assert stamp not in robot.answers['depth']
    robot.ask(robots.picture(), robots.pinhole_info())


def test_bad_camera_infos_are_named_and_counted(node: 'robots.NodeProcess',
                                                robot: 'robots.Robot') -> None:
    before = robot.settled()
    for change in BAD_INFOS.values():
        robot.ask(robots.picture(), robots.pinhole_info())
        info = robots.pinhole_info()
        change(info)
        robot.send(robots.picture(), info)
        robot.spin(0.3)
    robot.diagnosed('last_problem', robots.INFO)
    robot.ask(robots.picture(), robots.pinhole_info())
    after = robot.settled()
    new = {key: int(after[key]) - int(before.get(key, 0)) for key in after
           if key.startswith('dropped')}
    assert new['dropped_bad_camera_info'] >= 3 and new['dropped_camera_info_size'] >= 1
    assert 'internal_error' not in ''.join(after)


def test_encoding_and_size_may_change_with_every_image(robot: 'robots.Robot') -> None:
    for width, height, encoding, channels in (
            (640, 480, 'rgb8', 3), (320, 240, 'mono8', 1), (322, 242, 'bgra8', 4),
            (640, 360, 'yuv422_yuy2', 2), (640, 480, 'bayer_rggb8', 1), (64, 48, 'bgr8', 3)):
        pixels = np.random.default_rng(0).integers(0, 255, (height, width, channels), np.uint8)
        padded = np.pad(pixels.reshape(height, -1), ((0, 0), (0, 6)))
        msg = image_to_msg(padded, encoding, robot.header())
        msg.width = width
        stamp = robot.ask(msg, robots.pinhole_info(width, height))
        depth = robot.answers['depth'][stamp]
        assert (depth.width, depth.height) == (width, height)


def test_strangers_among_the_parameters_only_warn(node: 'robots.NodeProcess') -> None:
    assert 'parameter robot_description is not one of this node' in node.log


def test_the_node_has_survived(node: 'robots.NodeProcess', robot: 'robots.Robot') -> None:
    robot.ask(robots.picture(), robots.pinhole_info())
    assert 'Traceback' not in node.log
    assert node.stop() == 0


def test_missing_and_damaged_bundles_fail_to_configure(
        start_node: Callable, make_robot: Callable, tiny_bundle: Path, tmp_path: Path) -> None:
    damaged = tmp_path / 'damaged'
    shutil.copytree(tiny_bundle, damaged)
    weights = bytearray((damaged / 'weights.bin').read_bytes())
    weights[len(weights) // 2] ^= 255
    (damaged / 'weights.bin').write_bytes(weights)
    bundles = {'missing': tmp_path / 'nothing', 'damaged': damaged}
    nodes = {name: start_node(name, bundle=folder) for name, folder in bundles.items()}
    for name, part in (('missing', 'nothing'), ('damaged', 'weights.bin')):
        robot = make_robot(name, outputs=())
        robot.diagnosed('message', str(bundles[name] if name == 'missing' else damaged / part))
        assert robot.level == b'\x02' and robot.diagnostics['state'] == 'unconfigured'
        assert 'cannot configure: ' in nodes[name].log and 'Traceback' not in nodes[name].log
        assert nodes[name].stop() == 0


@pytest.mark.parametrize('name, parameters, words', [
    ('dash', {'qos_overrides./dash/depth.publisher.reliability': 'best-effort'},
     ['/dash/depth', 'best-effort', 'qos_overrides./dash/depth.publisher']),
    ('odd', {'image_topic': '/cam-front/image_raw'}, ['/cam-front/image_raw', 'image_topic']),
    ('none', {'camera_info_topic': "''"}, ['camera_info_topic']),
    ('same', {'camera_info_topic': '/eye', 'image_topic': '/eye'},
     ['/eye', 'set camera_info_topic']),
])
def test_topics_that_cannot_be_fail_to_configure(
        start_node: Callable, make_robot: Callable, tiny_bundle: Path, name: str,
        parameters: dict, words: list[str]) -> None:
    node = start_node(name, bundle=tiny_bundle, **parameters)
    node.wait_for_log('cannot configure: ')
    robot = make_robot(name, outputs=())
    robot.diagnosed('message', 'not configured')
    assert all(word in robot.diagnostics['message'] for word in words)
    assert robot.level == b'\x02' and 'Traceback' not in node.log
    assert node.stop() == 0


def test_a_subscription_that_cannot_be_does_not_end_the_node(
        start_node: Callable, make_robot: Callable, tiny_bundle: Path) -> None:
    """It is made when somebody first wants depth; the other cameras of the node go on."""
    topics = {camera: {'image': f'/{camera}/image', 'info': f'/{camera}/info'}
              for camera in ('good', 'bad')}
    node = start_node('typo', bundle=tiny_bundle, cameras='[good, bad]', max_age=30, **{
        f'{camera}.{key}_topic': topics[camera]['image' if key == 'image' else 'info']
        for camera in topics for key in ('image', 'camera_info')},
        **{'qos_overrides./bad/image.subscription.reliability': 'best-effort'})
    good = make_robot('typo', camera='good', outputs=('depth',), **topics['good'])
    bad = make_robot('typo', camera='bad', outputs=('depth',), **topics['bad'])
    bad.spin(7.0)  # by then it would say that no image comes
    bad.diagnosed('last_problem', 'qos_overrides./bad/image.subscription')
    assert bad.level == b'\x02' and 'best-effort' in bad.diagnostics['last_problem']
    good.wait_until_heard()
    good.ask(robots.picture(), robots.pinhole_info())
    assert 'Traceback' not in node.log and node.stop() == 0


@pytest.mark.parametrize('parameters, words', [
    ({'max_dept': 20.0}, ['max_dept', 'did you mean max_depth?']),
    ({'max_depth': -3.0}, ['max_depth', '0.01 to 1000.0 m']),
    ({'num_samples': 1.5}, ['num_samples', 'integer']),
])
def test_wrong_parameters_end_the_node_with_one_sentence(
        start_node: Callable, parameters: dict, words: list[str]) -> None:
    node = start_node('misspelt', **parameters)
    assert node.process.wait(robots.PATIENCE) == 1
    assert all(word in node.log for word in words) and 'Traceback' not in node.log
