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

"""Fuzz: no scan, cloud or pose crashes the path from ranges to depth."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.estimator import DepthEstimator
from grin_ros.messages.odometry import make_ranges
from grin_ros.messages.ranges import NUM_RANGES

hypothesis = pytest.importorskip('hypothesis', reason='hypothesis is not installed')
msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
nav = pytest.importorskip('nav_msgs.msg', reason='ROS 2 is not installed')
test_fuzz = pytest.importorskip('test_fuzz')
st = hypothesis.strategies

PINHOLE = Camera.from_hfov(70.0, 48, 32)
CAMERAS = [PINHOLE, Camera(PINHOLE.intrinsics, 48, 32, (-0.4, 0.2, 0.01, 0.0, 0.1)),
           Camera(np.diag([15.0, 15.0, 1.0]) + [[0, 0, 24], [0, 0, 16], [0, 0, 0]], 48, 32,
                  (0.1, 0.0, 0.0, 0.0), 'equidistant')]
IMAGE = np.random.default_rng(0).integers(0, 255, (32, 48, 3)).astype(np.uint8)
POINTS = np.random.default_rng(1).normal(size=(30, 3)) * (1, 1, 0.2) + (3, 0, 0)

small = st.one_of(st.floats(width=32), st.sampled_from([0.0, 0.1, 2.0, 1e-30, 1e30]))
fields = st.lists(st.builds(
    lambda name, offset, datatype, count: msgs.PointField(
        name=name, offset=offset, datatype=datatype, count=count),
    st.sampled_from(['x', 'y', 'z', 'rgb', '']), st.sampled_from([0, 4, 8, 16, 21, 2**31]),
    st.integers(0, 9), st.integers(0, 3)), max_size=5)
clouds = st.fixed_dictionaries({}, optional={
    'width': test_fuzz.sizes, 'height': test_fuzz.sizes, 'point_step': test_fuzz.sizes,
    'row_step': test_fuzz.sizes, 'is_bigendian': st.booleans(), 'fields': fields,
    'data': st.binary(max_size=900)})
scans = st.fixed_dictionaries({}, optional={
    **dict.fromkeys(('angle_min', 'angle_increment', 'range_min', 'range_max'), small),
    'ranges': st.lists(small, max_size=40)})
beams = st.fixed_dictionaries({}, optional=dict.fromkeys(
    ('range', 'min_range', 'max_range', 'field_of_view'), small))
odometries = st.lists(st.lists(st.one_of(small, st.sampled_from([0.0, 0.2, 1.0])), min_size=7,
                               max_size=7), min_size=1, max_size=3)
poses = st.one_of(
    st.just([0.0, 0.0, 0.0, -1.5708, 0.0, -1.5708]),
    st.lists(st.floats(-1000, 1000), min_size=6, max_size=6))


def message(kind: str, changes: Any) -> Any:
    """Return a message that is mostly good."""
    if kind == 'scan':
        values = {'angle_min': -0.5, 'angle_increment': 0.03, 'range_min': 0.1,
                  'range_max': 30.0, 'ranges': [2.0] * 30}
        return msgs.LaserScan(**(values | changes))
    if kind == 'odometry':
        msg = nav.Odometry()
        at, turn = msg.pose.pose.position, msg.pose.pose.orientation
        at.x, at.y, at.z, turn.x, turn.y, turn.z, turn.w = changes
        return msg
    if kind == 'range':
        values = {'range': 2.0, 'min_range': 0.1, 'max_range': 4.0, 'field_of_view': 0.06}
        return msgs.Range(**(values | changes))
    values = {'width': len(POINTS), 'height': 1, 'point_step': 24, 'row_step': 720,
              'fields': [msgs.PointField(name=name, offset=8 * i, datatype=8, count=1)
                         for i, name in enumerate('xyz')]}
    data = changes.get('data', POINTS.tobytes())
    msg = msgs.PointCloud2(**(values | {key: value for key, value in changes.items()
                                        if key != 'data'}))
    msg.data.frombytes(data)
    return msg


@pytest.mark.filterwarnings('ignore:(overflow|invalid value) encountered')
@test_fuzz.counts(4000)
def test_any_ranges(tiny_bundle: Path, examples: int) -> None:
    estimator = DepthEstimator.load(tiny_bundle, 'onnxruntime', cpu_threads=1)
    told = {True: 0, False: 0}

    def run(given: tuple) -> None:
        (kind, changes), pose, camera = given
        ranges = make_ranges(kind, '/lidar')
        params = SimpleNamespace(ranges_camera_pose=tuple(pose), ranges_sigma=0.02,
                                 ranges_max_age=0.1, ranges_from_tf=False)
        for each in changes if kind == 'odometry' else [changes]:
            msg = message(kind, each)
            ranges.put(msg)
            prompts = ranges.of_image(IMAGE, msg.header.stamp, camera, params)
        known = prompts[np.isfinite(prompts[:, 2])]
        assert prompts.shape == (NUM_RANGES, 4)
        assert bool(len(known)) is not bool(ranges.problem)
        told[bool(len(known))] += 1
        if len(known):
            assert (known[:, 2] > 0).all() and np.isfinite(known).all()
            depth = estimator.estimate(IMAGE, camera, prompts=prompts).depth
            assert np.isfinite(depth).any()

    test_fuzz.fuzz(examples, st.tuples(
        st.one_of(st.tuples(st.just('cloud'), clouds), st.tuples(st.just('scan'), scans),
                  st.tuples(st.just('range'), beams),
                  st.tuples(st.just('odometry'), odometries)),
        poses, st.sampled_from(CAMERAS)), run)
    assert all(told.values())
