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

"""Odometry: poses between messages, and ranges of a wall that a robot drives along."""

from __future__ import annotations

from collections.abc import Callable
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from textured_wall import wall

from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.messages.intake import Frame
from grin_ros.messages.odometry import make_ranges, OdometryRanges
from grin_ros.messages.ranges import Ranges, transform
from grin_ros.params import DepthParams

nav = pytest.importorskip('nav_msgs.msg', reason='ROS 2 is not installed')
std = pytest.importorskip('std_msgs.msg', reason='ROS 2 is not installed')
builtin = pytest.importorskip('builtin_interfaces.msg', reason='ROS 2 is not installed')
CAMERA = Camera.from_hfov(70.0, 640, 480)
# A camera 0.2 m above the base and 0.1 m before it that looks to the left: along y of the base.
LEFT = (0.1, 0.0, 0.2, -math.pi / 2, 0.0, 0.0)


def header(seconds: float) -> object:
    """Return one with a stamp."""
    whole = int(seconds)
    return std.Header(stamp=builtin.Time(sec=whole, nanosec=round((seconds - whole) * 1e9)))


def odometry(seconds: float, x: float, y: float = 0.0, yaw: float = 0.0, sign: float = 1.0
             ) -> object:
    """Return a message of a robot on a floor."""
    msg = nav.Odometry(header=header(seconds), child_frame_id='base_link')
    at, turn = msg.pose.pose.position, msg.pose.pose.orientation
    at.x, at.y = x, y
    turn.z, turn.w = sign * math.sin(yaw / 2), sign * math.cos(yaw / 2)
    return msg


def test_poses_are_between_messages() -> None:
    told = OdometryRanges('odometry', '/odom')
    with pytest.raises(GrinError, match='nothing came'):
        told.pose_at(0, 1.0)
    told.put(odometry(1.0, 0.0))
    assert np.allclose(told.pose_at(1_100_000_000, 0.15), np.eye(4))
    told.put(odometry(1.2, 0.1, 0.2, 0.4, sign=-1.0))
    for seconds, share in ((1.0, 0), (1.05, 0.25), (1.2, 1), (0.95, 0), (1.3, 1.5)):
        pose = told.pose_at(round(seconds * 1e9), 0.15)
        assert np.allclose(pose[:3, 3], [0.1 * share, 0.2 * share, 0])
        expected = cv2.Rodrigues(np.array([0, 0, 0.4 * share]))[0]
        assert np.allclose(pose[:3, :3], expected, atol=4e-3)
    with pytest.raises(GrinError, match='0.80 s from the image: raise ranges_max_age'):
        told.pose_at(2_000_000_000, 0.25)
    with pytest.raises(GrinError, match='comes 0.15 s later than the image'):
        told.pose_at(1_350_000_000, 0.25)
    # Between quick messages a step is mostly noise: the last tenth of a second tells the speed.
    for seconds, x in ((1.29, 0.14), (1.30, 0.17), (1.301, 0.14)):
        told.put(odometry(seconds, x))
    assert abs(told.pose_at(1_351_000_000, 0.25)[0, 3] - 0.14) < 0.02
    for broken in (odometry(1.4, math.nan), nav.Odometry(header=header(1.41))):
        broken.pose.pose.orientation.w = broken.pose.pose.orientation.w * 0.0
        told.put(broken)
        with pytest.raises(GrinError, match='holds no pose'):
            told.pose_at(1_410_000_000, 0.1)


def pose_of(x: float) -> np.ndarray:
    """Return where the wall sees a camera that looks at it: its right is along x of the base."""
    result = np.eye(4)
    result[0, 3] = x
    return result


def drive(told: Ranges, xs: list[float], params: DepthParams, factor: float = 1.0) -> list[Frame]:
    """Drive along a wall at y = 2.5; return the frames with what is known of them."""
    frames = []
    for i, x in enumerate(xs):
        told.put(odometry(10 + i, factor * x))
        image = wall(CAMERA, pose_of(x), 2.5)
        frames.append(told.attach(Frame(header(10 + i), image, CAMERA, None), params))
    return frames


def test_a_robot_that_drives_knows_ranges() -> None:
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    told = make_ranges('odometry', '/odom')
    # The camera's x is that of the base, as its pose says.
    assert np.allclose(transform(LEFT)[:3, :3] @ [1, 0, 0], [1, 0, 0])
    assert np.allclose(transform(LEFT)[:3, :3] @ [0, 0, 1], [0, 1, 0])
    frames = drive(told, [0.0, 0.04, 0.1, 0.2, 0.3, 0.3], params)
    known = [frame.num_ranges for frame in frames]
    assert known[:2] == [0, 0] and min(known[2:]) >= 8
    assert told.problem == ''  # standing still, it still knows where it came from
    for frame in frames[3:]:
        prompts = frame.prompts[np.isfinite(frame.prompts).all(-1)]
        depth = prompts[:, 2] * CAMERA.rays_at(prompts[:, :2])[:, 2]
        assert abs(np.median(depth) / 2.5 - 1) < 0.03
        assert ((prompts[:, :2] > -1) & (prompts[:, :2] < (640, 480))).all()
        assert prompts[:, 3].min() >= params.ranges_sigma
    twice = drive(make_ranges('odometry', '/odom'), [0.0, 0.1, 0.2], params, factor=2.0)
    prompts = twice[-1].prompts[np.isfinite(twice[-1].prompts).all(-1)]
    assert abs(np.median(prompts[:, 2] * CAMERA.rays_at(prompts[:, :2])[:, 2]) / 5 - 1) < 0.04


def test_why_nothing_is_known_is_said() -> None:
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    told = make_ranges('odometry', '/odom')
    still = drive(told, [0.0, 0.02], params)
    assert still[-1].num_ranges == 0 and 'has not moved by 0.1 m' in told.problem
    told.forget()
    away = DepthParams(ranges_type='odometry', ranges_camera_pose=(0, 0, 0, 0, math.pi / 2, 0))
    drive(told, [0.0, 0.2], away)
    assert 'points do not move as it says: check ranges_camera_pose' in told.problem
    told.forget()
    late = Frame(header(99), wall(CAMERA, np.eye(4), 2.5), CAMERA, None)
    told.attach(late, params)
    assert told.problem.startswith('/odom: nothing came')
    told.forget()
    drive(told, [0.0, 0.9], params)
    assert 'moved by more than 0.6 m' in told.problem
    assert isinstance(make_ranges('scan', '/scan'), Ranges)
    assert not isinstance(make_ranges('scan', '/scan'), OdometryRanges)


def test_an_image_of_another_size_is_compared_with_none() -> None:
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    told = make_ranges('odometry', '/odom')
    drive(told, [0.0], params)
    told.put(odometry(11, 0.3))
    small = CAMERA.scaled(320, 200)
    frame = told.attach(Frame(header(11), wall(small, np.eye(4), 2.5), small, None), params)
    assert frame.num_ranges == 0 and 'size of its images has changed' in told.problem


def test_a_lens_that_focuses_is_one_camera() -> None:
    """Its focal length changes from image to image: each view keeps its own."""
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    told = make_ranges('odometry', '/odom')
    for i, x in enumerate([0.0, 0.1, 0.2, 0.3]):
        lens = Camera.from_hfov(70.0 - 0.3 * i, 640, 480)
        told.put(odometry(10 + i, x))
        frame = Frame(header(10 + i), wall(lens, pose_of(x), 2.5), lens, None)
        frame = told.attach(frame, params)
    prompts = frame.prompts[np.isfinite(frame.prompts).all(-1)]
    assert len(prompts) >= 8
    assert abs(np.median(prompts[:, 2] * lens.rays_at(prompts[:, :2])[:, 2]) / 2.5 - 1) < 0.02


def test_after_a_jump_all_begins_anew() -> None:
    """A position that is corrected while the robot stands is no way that it went."""
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    for leap in (odometry(13.1, 0.9), odometry(13.1, 0.3, yaw=1.0), odometry(9.0, 0.3)):
        told = make_ranges('odometry', '/odom')
        assert drive(told, [0.0, 0.15, 0.3, 0.3], params)[-1].num_ranges >= 8
        told.put(leap)
        frame = Frame(leap.header, wall(CAMERA, pose_of(0.3), 2.5), CAMERA, None)
        assert told.attach(frame, params).num_ranges == 0
        assert told.problem == ('/odom: the camera has not moved by 0.1 m yet; its pose jumped 1 '
                                'times')
    told = make_ranges('odometry', '/odom')
    quick = odometry(13.1, 0.9)
    quick.twist.twist.linear.x = 5.0  # it is as fast as that
    drive(told, [0.0, 0.3, 0.3, 0.3], params)
    told.put(quick)
    assert np.allclose(told.pose_at(13_000_000_000, 0.2)[0, 3], 0.3)


@pytest.mark.parametrize('other', [('odom', 'imu_link'), ('map', 'base_link')])
def test_poses_of_several_frames_are_no_motion(other: tuple[str, str]) -> None:
    """Two sources on one topic, 4 cm apart: too little for a jump, but two thirds of depth."""
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    told = make_ranges('odometry', '/odom')
    for i, x in enumerate([0.0, 0.06, 0.12, 0.18]):
        for (frame_id, child), ahead in ((('odom', 'base_link'), 0.0), (other, 0.04 * (i % 2))):
            msg = odometry(10 + 0.1 * i, x + ahead)
            msg.header.frame_id, msg.child_frame_id = frame_id, child
            told.put(msg)
        image = wall(CAMERA, pose_of(x), 2.5)
        frame = told.attach(Frame(header(10 + 0.1 * i), image, CAMERA, None), params)
        assert frame.num_ranges == 0
    assert 'several frames' in told.problem and 'odom to base_link' in told.problem
    assert ' to '.join(other) in told.problem


class Interrupted(OdometryRanges):
    """Messages and images come in threads of their own: what another does comes in between."""

    before_a_pose: Callable[[], object] | None = None
    with_new_views: Callable[[], object] | None = None

    def pose_at(self, moment: int, max_age: float) -> np.ndarray:
        if self.before_a_pose is not None:
            self.before_a_pose()
        return super().pose_at(moment, max_age)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == '_views' and self.with_new_views is not None:
            self.with_new_views()


def test_a_jump_that_comes_while_an_image_is_looked_at_is_no_motion() -> None:
    """The camera stands still, so that no two of its views tell anything."""
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    image = wall(CAMERA, pose_of(0.0), 2.5)

    def look(told: Ranges, seconds: float) -> str:
        told.attach(Frame(header(seconds), image, CAMERA, None), params)
        return told.problem

    told = Interrupted('odometry', '/odom')
    drive(told, [0.0], params)
    told.before_a_pose = lambda: told.put(odometry(10.01, 0.3)) if not told._jumped else None
    assert 'began anew' in look(told, 10.01)
    assert 'has not moved' in look(told, 10.01)
    told = Interrupted('odometry', '/odom')
    drive(told, [0.0], params)
    told.with_new_views = lambda: look(told, 10)
    told.put(odometry(10.01, 0.3))
    assert told._jumped == 1
    assert 'has not moved' in look(told, 10.01)


def test_views_are_forgotten_when_they_are_old_or_the_camera_is_elsewhere() -> None:
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    told = make_ranges('odometry', '/odom')
    drive(told, [0.0, 0.15, 0.3], params)
    moved = DepthParams(ranges_type='odometry', ranges_camera_pose=(0.3, *LEFT[1:]))
    frame = Frame(header(12), wall(CAMERA, pose_of(0.3), 2.5), CAMERA, None)
    assert told.attach(frame, moved).num_ranges == 0
    assert 'has not moved' in told.problem
    told = make_ranges('odometry', '/odom')
    drive(told, [0.0, 0.15, 0.3], params)
    told.put(odometry(50, 0.3))
    late = Frame(header(50), wall(CAMERA, pose_of(0.3), 2.5), CAMERA, None)
    assert told.attach(late, params).num_ranges == 0


def test_messages_that_were_lost_are_no_jump() -> None:
    """A robot that brakes is slower after a gap than in it; one that was carried is seen."""
    for stride, jumps in ((0.15, False), (2.0, True)):
        told = make_ranges('odometry', '/odom')
        for seconds, x, speed in ((1.0, 0.0, 0.6), (1.5, stride, 0.02)):
            msg = odometry(seconds, x)
            msg.twist.twist.linear.x = speed
            told.put(msg)
        assert (len(told._messages) == 1) == jumps


def test_images_without_stamps_have_no_pose() -> None:
    told = make_ranges('odometry', '/odom')
    told.put(odometry(0.0, 1.0))
    with pytest.raises(GrinError, match='images have no stamps'):
        told.pose_at(0, 1.0)


def test_no_point_is_followed_on_the_robot_itself(tmp_path: Path) -> None:
    """What moves along with the camera does not move as odometry says."""
    mask = np.full((480, 640), 255, np.uint8)
    mask[240:] = 0
    cv2.imwrite(str(tmp_path / 'body.png'), mask)
    body = (np.random.default_rng(0).random((30, 80)) > 0.5).astype(np.uint8) * 255
    body = cv2.resize(body, (640, 240), interpolation=cv2.INTER_NEAREST)[..., None]
    params = DepthParams(ranges_type='odometry', ranges_camera_pose=LEFT)
    known = {}
    for picture in ('', str(tmp_path / 'body.png')):
        told = make_ranges('odometry', '/odom', picture)
        for i, x in enumerate((0.0, 0.15, 0.3)):
            told.put(odometry(10 + i, x))
            image = wall(CAMERA, pose_of(x), 2.5)
            image[240:] = body
            frame = told.attach(Frame(header(10 + i), image, CAMERA, None), params)
        known[picture] = frame
    seen = known.pop('')
    masked, = known.values()
    assert masked.num_ranges >= 30 > seen.num_ranges
    assert np.nanmax(masked.prompts[:, 1]) < 240
    with pytest.raises(GrinError, match='body_mask'):
        make_ranges('odometry', '/odom', '/nowhere.png')


def test_tf_is_asked_for_the_frame_that_moves() -> None:
    told = make_ranges('odometry', '/odom')
    assert told.frame_id is None
    told.put(nav.Odometry(child_frame_id='base_link'))
    assert told.frame_id == 'base_link'
