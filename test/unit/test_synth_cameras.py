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

"""Cameras stand inside the room, and look at what they came for from where robots do."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.synth.cameras import draw_pose, look, Pose
from grin_ros.synth.places import Footprint, Place
from grin_ros.synth.scene import Scene

SIZE = (5.0, 2.6, 7.0)
TABLE = (2.0, 0.75, 3.0)


def poses(kind: str, count: int = 300) -> list[Pose]:
    """Draw poses in a room with one table."""
    rng = np.random.default_rng(4)
    place = Place(Scene.__new__(Scene), SIZE,  # poses ask nothing of the scene
                  [Footprint(2.0, 3.0, 0.5, 0.3, 0.7)], [TABLE])
    drawn = (draw_pose(rng, place, kind) for _ in range(5 * count))
    return [pose for pose in drawn if pose is not None][:count]


@pytest.mark.parametrize('kind', ['room', 'corridor', 'table'])
def test_cameras_stand_in_the_room(kind: str) -> None:
    """None is in a wall, in the table or above the ceiling."""
    at = np.array([pose.position for pose in poses(kind)])
    assert (at > (0.1, 0.05, 0.1)).all() and (at < np.array(SIZE) - 0.1).all()
    in_table = (np.abs(at - TABLE) < (0.5, 10, 0.3)).all(1) & (at[:, 1] < 0.7)
    assert len(at) == 300 and not in_table.any()


def test_tables_are_seen_from_an_arm_and_from_a_hand() -> None:
    """Of views of a table a third and more is from within 1.2 m, some from steeply above."""
    seen = poses('table')
    away = np.array([TABLE - pose.position for pose in seen])
    distance = np.linalg.norm(away, axis=1)
    aside = np.array([np.degrees(np.arccos(pose.rotation[:, 2] @ each / length))
                      for pose, each, length in zip(seen, away, distance, strict=True)])
    assert np.median(aside) < 20
    assert 0.35 < (distance < 1.2).mean() < 0.8
    steep = np.array([-pose.rotation[1, 2] for pose in seen]) > np.sin(np.radians(50))
    assert 0.15 < steep.mean() < 0.6


def test_rooms_are_seen_across() -> None:
    """Of the views a sixth and more has most of the room before it, nearly level."""
    seen = poses('room')
    across = 0
    for pose in seen:
        forward = pose.rotation[:, 2]
        ahead = (SIZE[2] - pose.position[2] if forward[2] > 0 else pose.position[2])
        across += ahead > 5.9 and abs(forward[2]) > 0.7 and abs(forward[1]) < 0.4
    assert across > 50


def test_look_is_a_rotation() -> None:
    """Right, down and forward are a right-handed frame; yaw 90 deg looks along +x."""
    rotation = look(np.pi / 2, 0.2, 0.1)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(look(np.pi / 2, 0)[:, 2], (1, 0, 0), atol=1e-12)


def test_close_views_look_at_what_they_aim_at_by_a_wall() -> None:
    """Where a wall keeps the eye from its distance it looks down more steeply, not past it."""
    place = Place(Scene.__new__(Scene), (3.0, 2.6, 3.0), spots=[(0.3, 0.9, 1.5)])
    off = []
    for seed in range(200):
        pose = draw_pose(np.random.default_rng(seed), place, 'table')
        assert pose is not None
        toward = np.array(place.spots[0]) - pose.position
        pitch = np.arctan2(toward[1], np.hypot(toward[0], toward[2]))
        off.append(np.arcsin(pose.rotation[1, 2]) - pitch)
    assert 0 < np.mean(off) < 0.15 and np.percentile(np.abs(off), 99) < 0.65
