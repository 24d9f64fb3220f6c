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


"""The verb bag: every image of a recorded camera gets its depth, and nothing of ROS is needed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from textured_wall import wall

from grin_ros.camera import Camera
from grin_ros.cli import bag, main
from grin_ros.cli.recorded import Recorded
from grin_ros.estimator import DepthEstimator
from grin_ros.params import DepthParams

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
rosbag1 = pytest.importorskip('rosbags.rosbag1', reason='no rosbags: pip install "grin_ros[bag]"')
rosbag2 = pytest.importorskip('rosbags.rosbag2')
typesys = pytest.importorskip('rosbags.typesys')
highlevel = pytest.importorskip('rosbags.highlevel')

WIDTH, HEIGHT = 96, 64
K = [70.0, 0, 47.5, 0, 70.0, 31.5, 0, 0, 1]
TOPICS = ('--image-topic', '/eye/image_raw', '--camera-info-topic', '/eye/camera_info')
PICTURES = [np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            for seed in range(3)]


def header(store: Any, seconds: int, is_1: bool = False) -> Any:
    stamp = store.types['builtin_interfaces/msg/Time'](seconds, 5)
    return store.types['std_msgs/msg/Header'](*([7] if is_1 else []), stamp, 'eye_optical')


def image(store: Any, rgb: np.ndarray, head: Any) -> Any:
    return store.types['sensor_msgs/msg/Image'](
        head, HEIGHT, WIDTH, 'rgb8', 0, 3 * WIDTH, rgb.ravel())


def info(store: Any, head: Any, is_1: bool = False, width: int = WIDTH, zoom: float = 1.0) -> Any:
    k = np.array(K) * [zoom, 1, 1, 1, zoom, 1, 1, 1, 1]
    numbers = {'d': np.zeros(5), 'k': k, 'r': np.eye(3).ravel(), 'p': np.zeros(12)}
    region = store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    return store.types['sensor_msgs/msg/CameraInfo'](
        header=head, height=HEIGHT, width=width, distortion_model='plumb_bob', binning_x=0,
        binning_y=0, roi=region,
        **{name.upper() if is_1 else name: value for name, value in numbers.items()})


def record(path: Path, is_1: bool = False, compressed: bool = False, width: int = WIDTH,
           scans: bool = False) -> Path:
    """Write a camera's bag; the camera_info of an image comes after it."""
    store = typesys.get_typestore(
        typesys.Stores.ROS1_NOETIC if is_1 else typesys.Stores.ROS2_HUMBLE)
    kind = 'sensor_msgs/msg/CompressedImage' if compressed else 'sensor_msgs/msg/Image'
    topic = '/eye/image_raw/compressed' if compressed else '/eye/image_raw'
    with rosbag1.Writer(path) if is_1 else rosbag2.Writer(path, version=9) as bag:
        images = bag.add_connection(topic, kind, typestore=store)
        infos = bag.add_connection('/eye/camera_info', 'sensor_msgs/msg/CameraInfo',
                                   typestore=store)
        serialise = store.serialize_ros1 if is_1 else store.serialize_cdr
        scan = 'sensor_msgs/msg/LaserScan'
        lidar = bag.add_connection('/scan', scan, typestore=store) if scans else None
        for seconds, rgb in enumerate(PICTURES, 1):
            head = header(store, seconds, is_1)
            msg = image(store, rgb, head)
            if lidar is not None:  # just before its image, the first one just after it
                hits = store.types[scan](
                    header(store, seconds, is_1), -0.5, 0.5, 0.01, 0.0, 0.0, 0.1, 30.0,
                    np.full(100, 2.0, np.float32), np.zeros(0, np.float32))
                late = (seconds == 1) * 2
                bag.write(lidar, seconds * 10**9 - 1 + late, bytes(serialise(hits, scan)))
            if compressed:
                png = cv2.imencode('.png', rgb[..., ::-1])[1].ravel()
                msg = store.types[kind](head, 'png', png)
            bag.write(images, seconds * 10**9, bytes(serialise(msg, kind)))
            bag.write(infos, seconds * 10**9 + 1, bytes(serialise(
                info(store, head, is_1, width), 'sensor_msgs/msg/CameraInfo')))
    return path


def outputs(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """Read a bag: topic -> (time, message)."""
    store, found = typesys.get_typestore(typesys.Stores.ROS2_JAZZY), {}
    with rosbag2.Reader(path) as bag:
        for connection, moment, data in bag.messages():
            found.setdefault(connection.topic, []).append(
                (moment, store.deserialize_cdr(data, connection.msgtype)))
    return found


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


@pytest.mark.parametrize('form', [{}, {'compressed': True}, {'is_1': True}],
                         ids=['raw', 'compressed', 'ros1'])
def test_every_image_gets_the_depth_that_the_estimator_gives_it(
        tiny_bundle: Path, tmp_path: Path, form: dict) -> None:
    source = record(tmp_path / ('run.bag' if form.get('is_1') else 'run'), **form)
    topics = list(TOPICS)
    if form.get('compressed'):
        topics[1] += '/compressed'
    (tmp_path / 'params.yaml').write_text(
        '/**:\n  ros__parameters: {edge_gate: false, frame_id: base, max_depth: 5.0}\n')
    assert main(['bag', str(source), str(tmp_path / 'out'), *topics, '--bundle', str(tiny_bundle),
                 '--threads', '1', '--params-file', str(tmp_path / 'params.yaml'),
                 '--json', str(tmp_path / 'figures.json')]) == 0
    assert json.loads((tmp_path / 'figures.json').read_text())['answered'] == 3
    found = outputs(tmp_path / 'out')
    estimator = DepthEstimator.load(tiny_bundle, 'onnxruntime', cpu_threads=1)
    camera = Camera(np.array(K).reshape(3, 3), WIDTH, HEIGHT)
    assert sorted(found) == ['/grin/camera_info', '/grin/depth']
    for seconds, (rgb, (moment, depth), (_, description)) in enumerate(
            zip(PICTURES, found['/grin/depth'], found['/grin/camera_info'], strict=True), 1):
        assert moment == seconds * 10**9 and depth.header == description.header
        assert (depth.header.stamp.sec, depth.header.stamp.nanosec) == (seconds, 5)
        assert (depth.header.frame_id, depth.encoding) == ('base', '32FC1')
        estimate = estimator.estimate(rgb, camera)
        expected = np.where(estimate.depth > 5, np.inf, np.where(
            (estimate.depth < 0.1) & (estimate.range < 0.1), -np.inf, estimate.depth))
        np.testing.assert_array_equal(depth.data.view(np.float32).reshape(HEIGHT, WIDTH), expected)
        assert description.k.tolist() == K and description.p[0] == 70


def test_images_without_a_fitting_camera_info_are_counted(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = record(tmp_path / 'run', width=640)
    assert main(['bag', str(source), str(tmp_path / 'out'), *TOPICS,
                 '--bundle', str(tiny_bundle)]) == 1
    said = capsys.readouterr()
    assert '0 images answered, 3 dropped: camera_info_size' in said.out
    assert said.err.count('describes 640x64') == 1


@pytest.mark.parametrize('also', ['', 'require_camera_info: false'], ids=['lens', 'optional'])
def test_parameters_are_those_of_the_node(tiny_bundle: Path, tmp_path: Path, also: str) -> None:
    """Seed, stride, lens and one of several cameras; what concerns the node alone may be there."""
    source = record(tmp_path / 'run', width=640)  # its camera_info does not fit
    (tmp_path / 'params.yaml').write_text(f"""/**:
  ros__parameters:
    use_sim_time: true
    cameras: ['front', 'rear']
    bundle: {tiny_bundle}
    query_stride: 2
    seed: 5
    {also}
    edge_gate: false
    scale_smoothing: 0.0
    rear: {{image_topic: /eye/image_raw, hfov_deg: 60.0}}
""")
    assert main(['bag', str(source), str(tmp_path / 'out'), *TOPICS, '--threads', '1',
                 '--namespace', 'robot/', '--params-file', str(tmp_path / 'params.yaml')]) == 0
    estimator = DepthEstimator.load(tiny_bundle, 'onnxruntime', cpu_threads=1, query_stride=2,
                                    seed=5)
    camera = Camera.from_hfov(60, WIDTH, HEIGHT)
    found = outputs(tmp_path / 'out')['/robot/depth']
    for rgb, (_, depth) in zip(PICTURES, found, strict=True):
        expected = estimator.estimate(rgb, camera).depth
        depth = depth.data.view(np.float32).reshape(HEIGHT, WIDTH)
        known = np.isfinite(depth)
        assert known.mean() > 0.5
        np.testing.assert_array_equal(depth[known], expected[known])


def test_the_command_line_wins_over_the_parameters(tmp_path: Path) -> None:
    (tmp_path / 'params.yaml').write_text("""/**:
  ros__parameters: {backend: onnxruntime, num_samples: 4, seed: 7, cpu_threads: 1}
""")
    parser = argparse.ArgumentParser()
    bag.add_arguments(parser)
    ask = ['in', 'out', *TOPICS, '--params-file', str(tmp_path / 'params.yaml')]
    for more, expected in (((), ('onnxruntime', 4, 7, 1)),
                           (('--samples', '2', '--seed', '0', '--backend', 'torch'),
                            ('torch', 2, 0, 1))):
        options = parser.parse_args([*ask, *more])
        bag.apply_params(options)
        assert (options.backend, options.samples, options.seed, options.threads) == expected


def test_what_was_answered_before_the_end_is_kept(
        tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C after the second image: the output is a whole bag of two."""
    source, estimate, calls = record(tmp_path / 'run'), DepthEstimator.estimate, []

    def until_tired(self: DepthEstimator, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return estimate(self, *arguments, **options)
    monkeypatch.setattr(DepthEstimator, 'estimate', until_tired)
    assert main(['bag', str(source), str(tmp_path / 'out'), *TOPICS,
                 '--bundle', str(tiny_bundle)]) == 130
    assert len(outputs(tmp_path / 'out')['/grin/depth']) == 2
    assert '2 images answered' in capsys.readouterr().out


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


def test_a_bag_without_metadata_is_told_what_helps(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record(tmp_path / 'run') / 'metadata.yaml').unlink()
    arguments = [str(tmp_path / 'out'), *TOPICS, '--bundle', str(tiny_bundle)]
    assert main(['bag', str(tmp_path / 'run'), *arguments]) == 2
    assert 'run has no metadata.yaml: run "ros2 bag reindex"' in capsys.readouterr().err
    assert main(['bag', str(tmp_path / 'run' / 'run.db3'), *arguments]) == 0


def test_the_help_says_which_parameters_are_not_followed() -> None:
    parser = argparse.ArgumentParser()
    bag.add_arguments(parser)
    assert 'depth_encoding' in parser.format_help() and 'max_rate' in parser.format_help()


@pytest.mark.parametrize('arguments, words', [
    (['missing', 'out', *TOPICS], 'there is no bag missing'),
    (['run', 'run', *TOPICS], 'is there already'),
    (['run', 'out', '--image-topic', '/eye/image', *TOPICS[2:]], 'choose one of /eye/image_raw'),
    (['run', 'out', *TOPICS, '--namespace', '/left eye'], 'no bag could be played'),
    (['run', 'out', *TOPICS, '--params-file', 'run/metadata.yaml'], 'is no parameter file'),
])
def test_problems_of_the_user_end_with_one_sentence(
        tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list,
        words: str, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / 'run')
    assert main(['bag', *arguments, '--bundle', str(tiny_bundle)]) == 2
    assert words in capsys.readouterr().err


def test_an_error_leaves_no_half_bag(tiny_bundle: Path, tmp_path: Path,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / 'run')
    arguments = ['bag', str(tmp_path / 'run'), str(tmp_path / 'out'), *TOPICS, '--bundle',
                 str(tiny_bundle), '--threads', '1']
    assert main([*arguments, '--steps', '99']) == 2
    assert 'steps' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
    assert main(arguments) == 0


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
