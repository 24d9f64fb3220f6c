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

"""Ranges from motion: exact where rays are, as wrong as they say where pixels are not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from textured_wall import wall

from grin_ros.camera import Camera
from grin_ros.camera.motion import follow, meet, ranges_from_motion, View
from grin_ros.errors import GrinError

PINHOLE = Camera.from_hfov(70.0, 320, 240)
FISHEYE = Camera(np.array([[120.0, 0, 160], [0, 120, 120], [0, 0, 1]]), 320, 240,
                 (0.02, -0.01, 0.0, 0.0), 'equidistant')
RNG = np.random.default_rng(0)


def pose(move: tuple[float, float, float], turn: tuple[float, float, float] = (0, 0, 0)
         ) -> np.ndarray:
    """Return a (4, 4) pose."""
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = cv2.Rodrigues(np.array(turn, np.float64))[0], move
    return result


@pytest.mark.parametrize('camera', [PINHOLE, FISHEYE], ids=['pinhole', 'fisheye'])
@pytest.mark.parametrize('move', [(0.3, 0, 0), (0.05, 0.02, -0.25)], ids=['aside', 'ahead'])
def test_rays_meet_where_the_points_are(camera: Camera, move: tuple) -> None:
    motion = pose(move, (0.02, -0.05, 0.01))
    points = RNG.uniform((-1.5, -1, 1), (1.5, 1, 5), (200, 3))
    now = camera.project(points)
    then = camera.project((points - motion[:3, 3]) @ motion[:3, :3])
    range_m, spread = meet(camera, now, camera, then, motion, 0.02)
    told = spread < 0.2
    assert told.sum() > 60
    # Rays have the precision of 32 bits.
    assert np.allclose(range_m[told], np.linalg.norm(points[told], axis=1), rtol=3e-3)
    assert (spread[told] > 0.02).all()
    # What lies in the direction of the motion has no parallax.
    ahead = camera.project(motion[None, :3, 3] * -20)
    assert not (meet(camera, ahead, camera, ahead, motion, 0.02)[1] < 0.2).any()
    # Twice the way is twice the range; a point that went elsewhere is none.
    motion[:3, 3] *= 2
    assert np.allclose(meet(camera, now, camera, then, motion, 0.02)[0][told], 2 * range_m[told],
                       rtol=1e-3)
    motion[:3, 3] /= 2
    across = then + np.cross([*(then.mean(0) - now.mean(0)), 0], [0, 0, 1])[:2] + (9, 9)
    assert (meet(camera, now, camera, across, motion, 0.02)[1] < 0.2).mean() < 0.1


def test_sigma_is_that_of_noise() -> None:
    """Pixels that are off by half a pixel in both views, and a rotation by 0.14 degrees."""
    errors = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        motion = pose((0.2, 0, -0.1), (0, 0.03, 0))
        points = rng.uniform((-1.5, -1, 1), (1.5, 1, 4), (100, 3))
        noise = rng.normal(0, 0.5, (2, 100, 2))
        now = PINHOLE.project(points) + noise[0]
        then = PINHOLE.project((points - motion[:3, 3]) @ motion[:3, :3]) + noise[1]
        told = motion.copy()
        told[:3, :3] = cv2.Rodrigues(rng.normal(0, 0.0025, 3))[0] @ motion[:3, :3]
        range_m, spread = meet(PINHOLE, now, PINHOLE, then, told, 0.0)
        good = spread < 0.2
        errors += (np.log(range_m / np.linalg.norm(points, axis=1)) / spread)[good].tolist()
    inside = np.mean(np.abs(errors) < 1)
    assert len(errors) > 1000 and 0.55 < inside < 0.9, inside


@pytest.mark.parametrize('move', [(0.2, 0, 0), (0.1, 0, 0.3)], ids=['aside', 'ahead'])
def test_a_wall_is_where_it_is(move: tuple) -> None:
    camera = Camera.from_hfov(70.0, 640, 480)
    places = pose((0, 0, 0)), pose(move, (0.0, 0.04, 0.01))
    earlier, view = (View.of(wall(camera, each, 2.5), camera, each) for each in places)
    assert view.grey.shape == (240, 320)
    motion, distance, angle = view.moved_from(earlier)
    assert distance == pytest.approx(np.linalg.norm(move)) and angle == pytest.approx(
        np.hypot(0.04, 0.01))
    now, then = follow(view, earlier, motion[:3, :3])
    assert len(now) == len(then) > 60
    rows = ranges_from_motion(view, earlier, 0.02)
    assert len(rows) > 40
    rays = view.camera.rays_at(rows[:, :2]) @ places[1][:3, :3].T
    truth = (2.5 - move[2]) / rays[:, 2]
    assert np.median(np.abs(rows[:, 2] / truth - 1)) < 0.03
    assert np.mean(np.abs(rows[:, 2] / truth - 1) < 2 * rows[:, 3]) > 0.9


def test_nothing_to_follow_tells_nothing() -> None:
    grey = np.full((240, 320, 3), 99, np.uint8)
    earlier, view = (View.of(grey, PINHOLE, each) for each in (pose((0, 0, 0)), pose((0.2, 0, 0))))
    assert ranges_from_motion(view, earlier, 0.02).shape == (0, 4)
    behind = View.of(wall(PINHOLE, pose((0, 0, 0)), 2.0), PINHOLE, pose((0, 0, 0), (0, np.pi, 0)))
    ahead = View.of(wall(PINHOLE, pose((0, 0, 0)), 2.0), PINHOLE, pose((0.2, 0, 0)))
    assert len(ranges_from_motion(ahead, behind, 0.02)) < 8


def test_a_motion_that_is_not_what_is_seen_is_refused() -> None:
    seen = pose((0, 0, 0)), pose((0.2, 0, 0))
    told = pose((0, 0, 0)), pose((0, 0, 0.2))  # the camera looks elsewhere than is believed
    earlier, view = (View.of(wall(PINHOLE, at, 2.0), PINHOLE, claim)
                     for at, claim in zip(seen, told, strict=True))
    with pytest.raises(GrinError, match='points do not move as it says: check ranges_camera_pose'):
        ranges_from_motion(view, earlier, 0.02)
    # Of a few, as in the dark or beside somebody who walks, all may be astray.
    small = np.zeros_like(view.grey)
    small[110:126, 150:170] = 1
    few = replace(view, world=small)
    assert 0 < len(follow(few, earlier, np.eye(3))[0]) < 8
    assert len(ranges_from_motion(few, earlier, 0.02)) < 8


def test_a_turn_makes_ranges_vague() -> None:
    """Odometry tells a turn to about a twentieth, which looks like a motion to the side."""
    points = RNG.uniform((-1, -1, 2), (1, 1, 4), (50, 3))
    spreads = []
    for turn in (0.0, 0.3):
        motion = pose((0.1, 0, 0), (0, turn, 0))
        now, then = (PINHOLE.project(each) for each in (
            points, (points - motion[:3, 3]) @ motion[:3, :3]))
        spreads.append(np.median(meet(PINHOLE, now, PINHOLE, then, motion, 0.02)[1]))
    assert spreads[0] < 0.15 and spreads[1] > 0.3
