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

"""Recorded: what was sent beside the images of a bag counts when it is theirs, damaged or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recorded_bag import (
    header,
    HEIGHT,
    image,
    info,
    K,
    outputs,
    PICTURES,
    record,
    rosbag2,
    TOPICS,
    typesys,
    WIDTH,
)
from textured_wall import wall

from grin_ros.camera import Camera
from grin_ros.cli import main
from grin_ros.cli.recorded import Recorded
from grin_ros.params import DepthParams

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
highlevel = pytest.importorskip('rosbags.highlevel')


def test_a_camera_info_counts_until_the_next_one(tmp_path: Path) -> None:
    """Not each has the stamp of an image: of a lens that zooms the first is no longer true."""
    store = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
    with rosbag2.Writer(tmp_path / 'zoom', version=9) as bag:
        images, infos = (bag.add_connection(topic, f'sensor_msgs/msg/{kind}', typestore=store)
                         for topic, kind in zip(TOPICS[1::2], ('Image', 'CameraInfo'),
                                                strict=True))
        for seconds, rgb in enumerate(PICTURES, 1):
            bag.write(images, seconds * 10**9, bytes(store.serialize_cdr(
                image(store, rgb, header(store, seconds)), 'sensor_msgs/msg/Image')))
        for seconds, zoom in ((2, 1.0), (3, 2.0)):
            head = header(store, seconds)
            head.stamp.nanosec = 0
            bag.write(infos, seconds * 10**9, bytes(store.serialize_cdr(
                info(store, head, zoom=zoom), 'sensor_msgs/msg/CameraInfo')))
    with highlevel.AnyReader([tmp_path / 'zoom']) as reader:
        recorded = Recorded(reader, TOPICS[1], TOPICS[3], DepthParams())
        found = [recorded.frame(msg).camera.intrinsics[0, 0] for _, msg in recorded]
    assert found == [70, 70, 140]


def test_what_was_answered_before_damage_is_kept(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the last image sqlite does not find all pages any more."""
    file = record(tmp_path / 'run') / 'run.db3'
    data = bytearray(file.read_bytes())
    page = data.index(PICTURES[2].tobytes()[9000:9100]) // 4096 * 4096
    data[page:page + 4] = b'\xff' * 4  # which page goes on
    file.write_bytes(data)
    assert main(['bag', str(tmp_path / 'run'), str(tmp_path / 'out'), *TOPICS,
                 '--bundle', str(tiny_bundle)]) == 1
    said = capsys.readouterr()
    assert '2 images answered' in said.out and 'stopped before the end' in said.err
    assert len(outputs(tmp_path / 'out')['/grin/depth']) == 2


def test_a_damaged_camera_info_is_named_and_those_before_it_count(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, kind = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE), 'sensor_msgs/msg/CameraInfo'
    with rosbag2.Writer(tmp_path / 'run', version=9) as bag:
        images = bag.add_connection('/eye/image_raw', 'sensor_msgs/msg/Image', typestore=store)
        infos = bag.add_connection('/eye/camera_info', kind, typestore=store)
        for seconds, rgb in enumerate(PICTURES, 1):
            head = header(store, seconds)
            whole = bytes(store.serialize_cdr(info(store, head), kind))
            bag.write(infos, seconds * 10**9, whole[:40] if seconds == 3 else whole)
            bag.write(images, seconds * 10**9, bytes(store.serialize_cdr(
                image(store, rgb, head), 'sensor_msgs/msg/Image')))
    assert main(['bag', str(tmp_path / 'run'), str(tmp_path / 'out'), *TOPICS,
                 '--bundle', str(tiny_bundle)]) == 1
    said = capsys.readouterr()
    assert '3 images answered' in said.out and 'stopped before the end' in said.err


@pytest.mark.parametrize('is_1', [False, True], ids=['ros2', 'ros1'])
def test_recorded_ranges_are_known(tiny_bundle: Path, tmp_path: Path, is_1: bool,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    """The scan before an image tells of it; one that was recorded after it does not."""
    source = record(tmp_path / ('run.bag' if is_1 else 'run'), is_1, scans=True)
    (tmp_path / 'params.yaml').write_text(
        '/**:\n  ros__parameters: {ranges_type: scan, ranges_topic: /scan}\n')
    ask = ['bag', str(source), str(tmp_path / 'out'), *TOPICS, '--bundle', str(tiny_bundle),
           '--threads', '1']
    assert main([*ask, '--params-file', str(tmp_path / 'params.yaml')]) == 0
    assert '1 images without known ranges: nothing came on /scan' in (
        capsys.readouterr().err)
    ask[2] = str(tmp_path / 'plain')
    assert main(ask) == 0
    same = [np.allclose(one.data.view(np.float32), other.data.view(np.float32), rtol=1e-3,
                        equal_nan=True) for (_, one), (_, other) in zip(
        *(outputs(tmp_path / name)['/grin/depth'] for name in ('out', 'plain')), strict=True)]
    assert same == [True, False, False]
    ask[2] = str(tmp_path / 'no')
    for topic, words in (('/ranges', 'no sensor_msgs/msg/PointCloud2 on /ranges: it has none'),
                         ('ranges', 'give its full name in --params-file')):
        (tmp_path / 'params.yaml').write_text(
            f'/**:\n  ros__parameters: {{ranges_type: cloud, ranges_topic: {topic}}}\n')
        assert main([*ask, '--params-file', str(tmp_path / 'params.yaml')]) == 2
        assert words in capsys.readouterr().err


def test_recorded_odometry_knows_ranges(tiny_bundle: Path, tmp_path: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    """Three images of a wall 0.3 m apart: the first has nothing to be compared with."""
    store, kind = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE), 'nav_msgs/msg/Odometry'
    types, camera = store.types, Camera(np.reshape(K, (3, 3)), WIDTH, HEIGHT)
    with rosbag2.Writer(tmp_path / 'run', version=9) as bag:
        connections = {topic: bag.add_connection(topic, name, typestore=store)
                       for topic, name in (
                           ('/odom', kind), ('/eye/camera_info', 'sensor_msgs/msg/CameraInfo'),
                           ('/eye/image_raw', 'sensor_msgs/msg/Image'))}
        for seconds in (1, 2, 3):
            head, at = header(store, seconds), np.eye(4)
            at[0, 3] = 0.3 * seconds
            pose = types['geometry_msgs/msg/Pose'](
                types['geometry_msgs/msg/Point'](at[0, 3], 0.0, 0.0),
                types['geometry_msgs/msg/Quaternion'](0.0, 0.0, 0.0, 1.0))
            zero = types['geometry_msgs/msg/Vector3'](0.0, 0.0, 0.0)
            unknown = np.zeros(36)
            moved = types[kind](
                head, 'eye_optical',
                types['geometry_msgs/msg/PoseWithCovariance'](pose, unknown),
                types['geometry_msgs/msg/TwistWithCovariance'](
                    types['geometry_msgs/msg/Twist'](zero, zero), unknown))
            for connection, msg in zip(connections.values(), (
                    moved, info(store, head), image(store, wall(camera, at, 1.5), head)),
                    strict=True):
                bag.write(connection, seconds * 10**9 + connection.id,
                          bytes(store.serialize_cdr(msg, connection.msgtype)))
    (tmp_path / 'params.yaml').write_text(
        '/**:\n  ros__parameters: {ranges_type: odometry, ranges_topic: /odom, '
        'ranges_camera_pose: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]}\n')
    assert main(['bag', str(tmp_path / 'run'), str(tmp_path / 'out'), *TOPICS, '--params-file',
                 str(tmp_path / 'params.yaml'), '--bundle', str(tiny_bundle), '--threads',
                 '1']) == 0
    assert '1 images without known ranges: /odom: the camera has not moved' in (
        capsys.readouterr().err)
