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

"""Transforms: a mount and a pose are read out of TF's matrices as they were put in."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from grin_ros.errors import GrinError
from grin_ros.messages.ranges import transform

transforms = pytest.importorskip('grin_ros.node.transforms', reason='ROS 2 is not installed')

OPTICAL = (-np.pi / 2, 0.0, -np.pi / 2)  # a level camera that looks along x


def looking(pitch_deg: float, height_m: float = 0.8, yaw: float = 0.4, lean_deg: float = 0.0
            ) -> np.ndarray:
    """Return the pose of an optical frame that looks down by an angle, as a URDF builds it."""
    body = transform((0.2, -0.1, height_m, np.radians(lean_deg), np.radians(pitch_deg), yaw))
    return body @ transform((0.0, 0.0, 0.0, *OPTICAL))


@pytest.mark.parametrize('pitch_deg', [-20.0, 0.0, 33.0, 89.0])
def test_a_mount_is_height_and_how_far_it_looks_down(pitch_deg: float) -> None:
    mount = transforms.mount_of(looking(pitch_deg, 1.3))
    assert (mount.height_m, mount.pitch_deg) == pytest.approx((1.3, pitch_deg))


@pytest.mark.parametrize(('pose', 'said'), [
    (looking(10, height_m=-0.2), 'height of -0.20 m.*base_footprint'),
    (looking(10, lean_deg=12), 'leans by 12 deg.*frame_id'),
    (looking(10, lean_deg=180), 'upside down'),
    (transform((0.0, 0.0, 1.0, 0.0, 0.0, 0.0)), 'looks 90 deg up.*optical frame')],
    ids=['below', 'leaning', 'upside down', 'not optical'])
def test_a_camera_that_sees_no_floor_is_refused(pose: np.ndarray, said: str) -> None:
    with pytest.raises(GrinError, match=said):
        transforms.mount_of(pose)


def test_turns_about_fixed_axes_come_back() -> None:
    rng = np.random.default_rng(0)
    for angles in [*rng.uniform(-3, 3, (50, 3)), OPTICAL, (0.3, np.pi / 2, 0.7), (0, 0, 0),
                   (-0.4, -np.pi / 2, 0.1)]:
        rotation = transform((0.0, 0.0, 0.0, *angles))
        again = transform((0.0, 0.0, 0.0, *transforms.roll_pitch_yaw(rotation[:3, :3])))
        np.testing.assert_allclose(again, rotation, atol=1e-9)


class Buffer:
    """What tf2_ros has of the name, of one transform, whose latest is as good as any."""

    def __init__(self) -> None:
        """Know it from the start."""
        self.known = True

    def clear(self) -> None:
        """Forget it."""
        self.known = False

    def lookup_transform(self, target: str, source: str, time: object) -> object:
        """Return it at the time."""
        if not self.known:
            raise LookupError(f'"{target}" passed to lookupTransform argument does not exist')
        stamp = SimpleNamespace(sec=time.nanoseconds // 10**9, nanosec=time.nanoseconds % 10**9)
        return SimpleNamespace(header=SimpleNamespace(stamp=stamp), transform=SimpleNamespace(
            translation=SimpleNamespace(x=0.0, y=0.0, z=1.0),
            rotation=SimpleNamespace(x=0.0, y=0.0, z=0.0, w=1.0)))


def test_a_clock_that_is_ahead_takes_no_other_camera_its_transforms(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a camera whose own time steps back, as where a bag begins again, has them forgotten."""
    tf2 = ModuleType('tf2_ros')  # PyPI has none
    tf2.Buffer, tf2.TransformListener = Buffer, lambda buffer, node: None
    tf2.TransformException = tf2.ExtrapolationException = LookupError
    monkeypatch.setitem(sys.modules, 'tf2_ros', tf2)
    tf = transforms.Transforms(None)
    for sec in (100, 101, 102):
        for camera, ahead in (('front', 0), ('rear', 3)):
            stamp = SimpleNamespace(sec=sec + ahead, nanosec=0)
            assert tf.pose('floor', camera, stamp)[2, 3] == 1.0
    with pytest.raises(GrinError, match='TF does not know "front" in "floor"'):
        tf.pose('floor', 'front', SimpleNamespace(sec=50, nanosec=0))
