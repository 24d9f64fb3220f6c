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


"""Fuzz: no message crashes the path from image to outputs, and every rejection has a cause."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimator
from grin_ros.messages import image_to_msg, intake, LAYOUTS
from grin_ros.messages.intake import CameraInfos, read_frame, Rejected
from grin_ros.params.values import params_from

hypothesis = pytest.importorskip('hypothesis', reason='hypothesis is not installed')
robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
rclpy_lifecycle = pytest.importorskip('rclpy.lifecycle')
outputs = pytest.importorskip('grin_ros.node.outputs')
sensor_msgs = pytest.importorskip('sensor_msgs.msg')
Header = pytest.importorskip('std_msgs.msg').Header
st = hypothesis.strategies

WIDTH, HEIGHT = 48, 32
CAUSES = {'bad_image', 'bad_camera_info', 'camera_info_size', 'no_camera_info'}
PICTURE = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8),
                     (WIDTH, HEIGHT))
FILES = [cv2.imencode(kind, PICTURE)[1].tobytes() for kind in ('.jpg', '.png')]

sizes = st.sampled_from([0, 1, 2, 7, HEIGHT, WIDTH, 49, 3 * WIDTH, 65536, 2**31, 2**32 - 1])
numbers = st.one_of(st.floats(width=64), st.sampled_from([0.0, 1.0, -1.0, 30.0, 1e-300, 1e300]))
encodings = st.one_of(st.sampled_from([*LAYOUTS, '', '32FC1', '16UC1', 'rgb16', 'RGB8', '8UC3']),
                      st.text(max_size=8))
images = st.fixed_dictionaries({}, optional={
    'encoding': encodings, 'width': sizes, 'height': sizes, 'step': sizes,
    'is_bigendian': st.integers(0, 255), 'data': st.binary(max_size=64),
    'cut': st.integers(0, 3 * WIDTH * HEIGHT)})
models = st.sampled_from(['', 'plumb_bob', 'rational_polynomial', 'equidistant', 'fisheye',
                          'thin_prism', 'none'])
lenses = st.lists(st.one_of(st.floats(-1, 1), numbers), max_size=15)
regions = st.fixed_dictionaries({}, optional=dict.fromkeys(
    ('x_offset', 'y_offset', 'width', 'height'), sizes))


def matrices(count: int, diagonal: tuple[int, ...]) -> Any:
    """Return matrices in which most numbers are as they should be."""
    good = [0.0] * count
    for index in diagonal:
        good[index] = 40.0
    return st.dictionaries(st.integers(0, count - 1), numbers, max_size=4).map(
        lambda changes: [changes.get(i, value) for i, value in enumerate(good)])


infos = st.fixed_dictionaries({}, optional={
    'width': sizes, 'height': sizes, 'distortion_model': models, 'd': lenses,
    'k': matrices(9, (0, 4)), 'p': matrices(12, (0, 5)), 'r': matrices(9, (0, 4, 8)),
    'binning_x': sizes, 'binning_y': sizes, 'roi': regions})
files = st.tuples(st.sampled_from(FILES), st.text(max_size=20), st.integers(0, 5000),
                  st.dictionaries(st.integers(0, 900), st.integers(0, 255), max_size=4))


def image_of(changes: dict[str, Any]) -> Any:
    """Return an image message that is mostly good."""
    changes = dict(changes)
    cut = changes.pop('cut', None)
    encoding = changes.get('encoding', 'rgb8')
    kind, channels, _ = LAYOUTS.get(encoding, LAYOUTS['rgb8'])
    rows = HEIGHT * 3 // 2 if encoding in ('nv12', 'nv21') else HEIGHT
    msg = image_to_msg(np.full((rows, WIDTH, channels), 99, kind), encoding, Header())
    msg.height = HEIGHT
    for name, value in changes.items():
        setattr(msg, name, value)
    if cut is not None:
        msg.data = msg.data[:cut]
    return msg


def info_of(changes: dict[str, Any]) -> Any:
    """Return a camera_info message that is mostly good."""
    msg = robots.pinhole_info(WIDTH, HEIGHT, 40.0)
    changes = dict(changes)
    for name, value in changes.pop('roi', {}).items():
        setattr(msg.roi, name, value)
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


class Pipeline:
    """What a frame goes through in the node, in one process."""

    def __init__(self, node: Any, bundle: Path) -> None:
        """Load the model and advertise the outputs."""
        self.outputs = outputs.Outputs(node)
        self.estimator = DepthEstimator.load(bundle, 'onnxruntime', cpu_threads=1)
        self.params = [params_from({'output': output}) for output in ('input', 'rectified')]
        self.accepted = self.rejected = 0

    def run(self, image: Any, info: Any, compressed: bool = False) -> bool:
        """Answer a frame, or return False when it is rejected with a cause."""
        infos = CameraInfos('/camera/camera_info', False, required=True)
        infos.put(info)
        try:
            frame = read_frame(image, compressed, infos, '/camera/image')
            estimate = self.estimator.estimate(frame.image, frame.camera)
            for params in self.params:
                messages = self.outputs.build(set(outputs.TOPICS), frame, estimate, False, params)
                assert set(messages) == set(outputs.TOPICS)
        except GrinError as error:
            if isinstance(error, Rejected):
                assert error.cause in CAUSES and '/camera/' in str(error)
            assert len(str(error)) > 20
            self.rejected += 1
            return False
        self.accepted += 1
        return True


@pytest.fixture(scope='module')
def path(tiny_bundle: Path) -> Iterator[Pipeline]:
    """Return the path, which still answers a good frame at the end."""
    node = rclpy_lifecycle.LifecycleNode('fuzzed')
    made = Pipeline(node, tiny_bundle)
    yield made
    assert made.run(image_of({}), info_of({}))
    node.destroy_node()


def fuzz(examples: int, strategy: Any, run: Callable[[Any], None]) -> None:
    """Run many examples: the same ones in the gate, new ones in the soak."""
    hypothesis.settings(
        max_examples=examples, deadline=timedelta(seconds=30), database=None,
        derandomize=examples < 1000, suppress_health_check=list(hypothesis.HealthCheck),
    )(hypothesis.given(strategy)(run))()


def counts(examples: int) -> Any:
    """Return a few hundred for the gate, and the whole number for the soak."""
    return pytest.mark.parametrize('examples', [
        100, pytest.param(examples, marks=pytest.mark.soak)])


@counts(8000)
def test_any_image(path: Pipeline, examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, 'PATIENCE', 0.0)
    good = info_of({})

    def run(changes: dict) -> None:
        path.run(image_of(changes), good)
    fuzz(examples, images, run)
    assert path.accepted and path.rejected


@counts(4000)
def test_any_file(path: Pipeline, examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, 'PATIENCE', 0.0)
    good = info_of({})

    def run(file: tuple) -> None:
        data, text, cut, changes = file
        data = bytearray(data[:cut] if cut < 2000 else data)
        for index, value in changes.items():
            if index < len(data):
                data[index] = value
        path.run(sensor_msgs.CompressedImage(format=text, data=bytes(data)), good, True)
    fuzz(examples, files, run)
    assert path.accepted and path.rejected


@counts(8000)
def test_any_camera_info(path: Pipeline, examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, 'PATIENCE', 0.0)
    good = image_of({})

    def run(changes: dict) -> None:
        path.run(good, info_of(changes))
    fuzz(examples, infos, run)
    assert path.accepted and path.rejected
