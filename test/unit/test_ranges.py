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

"""Known ranges: readers of scans and clouds, the pose of their sensor, prompts on the image."""

import math

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.messages.intake import Frame
from grin_ros.messages.ranges import known_ranges, NUM_RANGES, Ranges, transform
from grin_ros.messages.sensor_points import (
    beam_sigma,
    points_from_cloud,
    points_from_range,
    points_from_scan,
)
from grin_ros.params import DepthParams

msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
CAMERA = Camera.from_hfov(70.0, 320, 240)
# A camera that looks along the x of its sensor.
FORWARD = (0.0, 0.0, 0.0, -math.pi / 2, 0.0, -math.pi / 2)
IN_PLACE = (0.0,) * 6


def scan(ranges: list[float], **changes: object) -> object:
    """Return a LaserScan of 90 degrees ahead."""
    values = {'angle_min': -math.pi / 4, 'angle_increment': math.pi / 2 / (len(ranges) - 1),
              'range_min': 0.1, 'range_max': 10.0, **changes}
    return msgs.LaserScan(ranges=ranges, **values)


def cloud(points: np.ndarray, kind: str = '<f4', step: int = 20, pad: int = 0, rows: int = 1,
          **changes: object) -> object:
    """Return a PointCloud2 with x y z of a type, other bytes behind them and behind each row."""
    dtype = np.dtype(kind)
    record = np.dtype({'names': ['x', 'y', 'z'], 'formats': [kind] * 3, 'itemsize': step,
                       'offsets': [i * dtype.itemsize for i in range(3)]})
    data = np.zeros(points.shape[:-1], record)
    for i, name in enumerate('xyz'):
        data[name] = points[..., i]
    lines = [line.tobytes() + b'\xff' * pad for line in data.reshape(rows, -1)]
    fields = [msgs.PointField(name=name, offset=i * dtype.itemsize, count=1,
                              datatype={4: 7, 8: 8}[dtype.itemsize])
              for i, name in enumerate('xyz')]
    width = points.size // 3 // rows
    msg = msgs.PointCloud2(height=rows, width=width, fields=fields, point_step=step,
                           row_step=width * step + pad, is_bigendian=kind[0] == '>')
    msg.data.frombytes(b''.join(lines))
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


def beam(range_m: float, **limits: float) -> object:
    """Return a Range."""
    return msgs.Range(range=range_m, **{'min_range': 0.1, 'max_range': 4.0, **limits})


def test_a_scan_gives_points_where_it_hit() -> None:
    points = points_from_scan(scan([1.0, math.inf, 2.0, math.nan, 0.05, 10.0, 3.0]))
    assert np.allclose(points, [[math.cos(math.pi / 4), -math.sin(math.pi / 4), 0],
                                [2 * math.cos(math.pi / 12), -2 * math.sin(math.pi / 12), 0],
                                [3 * math.cos(math.pi / 4), 3 * math.sin(math.pi / 4), 0]])
    assert points_from_scan(msgs.LaserScan()).shape == (0, 3)


def test_a_beam_gives_the_point_on_its_axis() -> None:
    assert points_from_range(beam(2.5)).tolist() == [[2.5, 0, 0]]
    for value in (math.inf, -math.inf, math.nan, 0.05, 4.0, 0.0):
        assert points_from_range(beam(value)).shape == (0, 3)
    # What tells only whether something is there knows no range.
    assert points_from_range(beam(-math.inf, min_range=1.0, max_range=1.0)).shape == (0, 3)
    assert points_from_range(beam(0.0, min_range=0.0)).shape == (0, 3)


def test_a_wide_beam_claims_less() -> None:
    """Half of what the nearest part of a surface at 45 degrees is nearer than the axis."""
    for width in np.radians([1.0, 10.0, 25.0]):
        nearest = math.cos(math.pi / 4) / math.cos(math.pi / 4 - width / 2)
        assert beam_sigma(width) == pytest.approx((1 - nearest) / 2)
    assert beam_sigma(0.0) == beam_sigma(-1.0) == beam_sigma(math.nan) == 0
    assert beam_sigma(9.0) == pytest.approx((1 - math.sqrt(0.5)) / 2)
    stamp = msgs.Range().header.stamp
    claimed = []
    for width in (0.0, 0.5):
        sensor = Ranges('range', '/tof')
        sensor.put(msgs.Range(range=2.0, min_range=0.1, max_range=4.0, field_of_view=width))
        prompts = sensor.prompts(stamp, CAMERA, FORWARD, 0.02, 1.0)
        (row,) = prompts[np.isfinite(prompts).all(-1)]
        assert np.allclose(row[:3], [*CAMERA.project([[0, 0, 1]])[0], 2.0])
        claimed.append(row[3])
    assert claimed == [0.02, pytest.approx(math.hypot(0.02, beam_sigma(0.5)))]


@pytest.mark.parametrize('kind, step', [('<f4', 12), ('<f4', 20), ('>f4', 16), ('<f8', 24)])
def test_a_cloud_gives_its_points(kind: str, step: int) -> None:
    points = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    points[1, 2, 0], points[2, 0, 2] = np.nan, np.inf
    msg = cloud(points, kind, step, pad=5, rows=3)
    found = points_from_cloud(msg)
    assert found.dtype.isnative
    assert np.array_equal(found, points.reshape(-1, 3), equal_nan=True)
    assert points_from_cloud(msgs.PointCloud2(fields=msg.fields, point_step=12)).shape == (0, 3)


@pytest.mark.parametrize('kind', ['<f4', '>f8'])
def test_what_a_beam_did_not_hit_is_not_where_the_lidar_is(kind: str) -> None:
    """Drivers put it at the origin, which a camera on a mast behind the lidar looks at."""
    wall = np.stack([np.full(50, 3.0), np.linspace(-1, 1, 50), np.zeros(50)], -1)
    points = np.insert(wall, range(50), 0.0, axis=0)
    assert np.isnan(points_from_cloud(cloud(points, kind, 24))[::2]).all()
    lidar = Ranges('cloud', '/lidar')
    lidar.put(cloud(points, kind, 24))
    stamp, mast = cloud(points).header.stamp, (-0.5, 0.0, 0.1, *FORWARD[3:])
    known = lidar.prompts(stamp, CAMERA, mast, 0.02, 0.1)
    assert np.isfinite(known).any() and np.nanmin(known[:, 2]) > 3.4
    lidar.put(cloud(np.zeros((5, 3)), kind, 24))
    assert np.isnan(lidar.prompts(stamp, CAMERA, mast, 0.02, 0.1)).all()
    assert 'nothing is within the reach of its sensor' in lidar.problem


def test_a_spinning_lidar_does_not_look_behind_what_the_camera_sees() -> None:
    """A lidar of 130 000 points sees a wall beside a box, which hides that part of it from us."""
    azimuth, elevation = np.meshgrid(np.linspace(-np.pi, np.pi, 2048), np.radians(
        np.linspace(-22, 22, 64)))
    rays = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
                     np.sin(elevation)], -1).reshape(-1, 3)
    rays = rays[rays[:, 0] > 0.2]
    box = rays * (1.5 / rays[:, :1])  # a board 1.5 m ahead, 0.8 m wide, before a wall at 6 m
    hit = np.abs(box[:, 1]) < 0.4
    points = np.where(hit[:, None], box, rays * (6 / rays[:, :1])).astype(np.float32)
    pose = (0.0, -0.4, 0.0, *FORWARD[3:])  # the camera is 0.4 m to the right of the lidar
    prompts = known_ranges(points, CAMERA, pose, 0.02)
    assert np.isfinite(prompts).all()
    depth = prompts[:, 2] * CAMERA.rays_at(prompts[:, :2])[:, 2]
    left, right = (CAMERA.project([[x, 0, 1.5]])[0, 0] for x in (-0.8, 0.0))
    on_board = (prompts[:, 0] > left + 9) & (prompts[:, 0] < right - 9)
    assert on_board.sum() > 5
    assert np.allclose(depth[on_board], 1.5, rtol=0.01)
    assert np.allclose(depth[prompts[:, 0] > right + 9], 6.0, rtol=0.01)


def test_a_cloud_that_lies_is_refused() -> None:
    good = cloud(np.ones((4, 3)))
    for changes, words in (({'fields': good.fields[:2]}, 'no z'), ({'fields': []}, 'no fields'),
                           ({'width': 5}, 'truncated'), ({'row_step': 3}, 'truncated'),
                           ({'point_step': 8}, 'truncated'), ({'height': 2}, 'truncated')):
        with pytest.raises(GrinError, match=words):
            points_from_cloud(cloud(np.ones((4, 3)), **changes))


def test_the_pose_is_what_tf2_says() -> None:
    # roll, pitch, yaw about fixed axes: R = Rz(yaw) Ry(pitch) Rx(roll), as in tf2 (setRPY).
    roll, pitch, yaw = 0.3, -0.5, 1.1
    cr, sr, cp, sp, cy, sy = (f(a) for a in (roll, pitch, yaw) for f in (math.cos, math.sin))
    expected = [[cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr, 1],
                [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr, 2],
                [-sp, cp * sr, cp * cr, 3], [0, 0, 0, 1]]
    assert np.allclose(transform((1.0, 2.0, 3.0, roll, pitch, yaw)), expected)
    # z ahead, x right, y down becomes x ahead, -y, -z: REP-103's optical and body frames.
    assert np.allclose(transform(FORWARD)[:3, :3], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def test_ranges_lie_on_the_pixels_that_see_them() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.uniform(0, 1, (40, 2)) * (319, 239)
    points = CAMERA.rays_at(pixels) * rng.uniform(0.5, 8, (40, 1))
    behind = np.array([[0.1, 0.1, -2.0], [0, 0, 0], [50, 0, 1.0]])
    # The camera is 0.2 m ahead of the sensor, and 0.1 m above it.
    pose = (0.2, 0.0, 0.1, *FORWARD[3:])
    matrix = transform(pose)
    in_sensor = np.concatenate([points, behind]) @ matrix[:3, :3].T + matrix[:3, 3]
    prompts = known_ranges(in_sensor, CAMERA, pose, 0.05)
    assert prompts.shape == (NUM_RANGES, 4)
    known = prompts[np.isfinite(prompts[:, 2])]
    assert 30 < len(known) <= 40 and (known[:, 3] == 0.05).all()
    for u, v, range_m, _ in known:
        nearest = np.abs(pixels - (u, v)).max(-1).argmin()
        assert np.allclose(pixels[nearest], (u, v), atol=0.01)
        assert math.isclose(range_m, np.linalg.norm(points[nearest]), rel_tol=1e-5)


def test_of_a_cell_the_nearest_counts_and_no_more_than_fit() -> None:
    near, far = np.array([[0.0, 0.0, 1.0]]), np.array([[0.01, 0.0, 4.0]])
    prompts = known_ranges(np.concatenate([far, near]), CAMERA, IN_PLACE, 0.02)
    assert np.isfinite(prompts[:, 2]).sum() == 1 and prompts[0, 2] == 1.0
    pixels = np.random.default_rng(2).uniform(0, 1, (5000, 2)) * (319, 239)
    prompts = known_ranges(CAMERA.rays_at(pixels) * 3.0, CAMERA, IN_PLACE, 0.02)
    assert np.isfinite(prompts).all() and np.allclose(prompts[:, 2], 3.0)
    assert (np.ptp(prompts[:, :2], 0) > (200, 150)).all()


def test_what_a_distorted_lens_does_not_see_is_not_folded_into_its_image() -> None:
    camera = Camera(np.array([[200.0, 0, 160], [0, 200.0, 120], [0, 0, 1]]), 320, 240,
                    (-0.35, 0.0, 0.0, 0.0, 0.0))
    wide = np.array([[1.5, 0.0, 1.0], [1.4, 0.5, 1.0]])
    assert (camera.project(wide) < (320, 240)).all()
    inside = np.array([[0.3, 0.2, 1.0]])
    # Nearer than it and folded onto its very pixel: a ghost must not take its place.
    x = np.linspace(1.2, 3.5, 20001)
    ghosts = np.stack([x, x * 2 / 3, np.ones_like(x)], -1) * 0.4
    at = camera.project(ghosts) - camera.project(inside)
    wide = np.concatenate([wide, ghosts[[np.abs(at).sum(-1).argmin()]]])
    assert np.abs(at).max(-1).min() < 2
    prompts = known_ranges(np.concatenate([wide, inside]), camera, IN_PLACE, 0.02)
    known = prompts[np.isfinite(prompts[:, 2])]
    assert len(known) == 1 and np.allclose(known[0, :2], camera.project(inside)[0])


def message(kind: str, nanosec: int, range_m: float = 2.0) -> object:
    """Return a message of one point ahead, with a stamp."""
    msg = (cloud(np.array([[0.0, 0.0, range_m]])) if kind == 'cloud' else scan([range_m] * 3))
    msg.header.stamp.nanosec = nanosec
    msg.header.frame_id = 'laser'
    return msg


@pytest.mark.parametrize('kind, pose', [('cloud', IN_PLACE), ('scan', FORWARD)])
def test_the_message_nearest_in_time_counts(kind: str, pose: tuple[float, ...]) -> None:
    ranges = Ranges(kind, '/lidar')
    for i in range(5):
        ranges.put(message(kind, i * 100_000_000, 1.0 + i))
    stamp = message(kind, 220_000_000).header.stamp
    prompts = ranges.prompts(stamp, CAMERA, pose, 0.02, 0.1)
    assert np.nanmin(prompts[:, 2]) == 3.0 and ranges.problem == ''


def test_what_was_measured_after_a_step_back_in_time_is_forgotten() -> None:
    """A bag starts again: of the end of the last turn nothing counts; jitter drops nothing."""
    ranges = Ranges('range', '/tof')
    for nanosec in (900_000_000, 950_000_000, 940_000_000):
        ranges.put(message('range', nanosec))
    assert len(ranges._messages) == 3
    late = message('range', 0)
    late.header.stamp.sec += 5
    for msg in (late, message('range', 10)):
        ranges.put(msg)
    assert len(ranges._messages) == 1


def test_a_fast_beam_is_remembered_as_long_as_images_may_be_old() -> None:
    """1000 measurements a second: that of the moment of an image half a second ago is there."""
    ranges, params = Ranges('range', '/tof'), DepthParams(ranges_camera_pose=FORWARD)
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    for milli in range(3000):
        msg = beam(1.0 + milli / 1000)
        msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(milli * 1_000_000, 1_000_000_000)
        ranges.put(msg)
        if milli % 1000 == 0:
            ranges.attach(Frame(msg.header, image, CAMERA, None), params)
    stamp = beam(1.0).header.stamp
    stamp.sec, stamp.nanosec = 2, 450_000_000
    prompts = ranges.prompts(stamp, CAMERA, FORWARD, 0.02, 0.25)
    assert np.nanmin(prompts[:, 2]) == pytest.approx(3.45, abs=1e-3) and not ranges.problem
    # And no longer than that: clouds of a large lidar are megabytes.
    assert len(ranges._messages) < 1000


def test_without_stamps_the_newest_message_counts() -> None:
    ranges = Ranges('range', '/tof')
    for range_m in (1.0, 2.0, 3.0):
        ranges.put(beam(range_m))
    prompts = ranges.prompts(beam(1.0).header.stamp, CAMERA, FORWARD, 0.02, 0.1)
    assert np.nanmin(prompts[:, 2]) == 3.0
    clouds = Ranges('cloud', '/lidar')
    for _ in range(100):
        clouds.put(message('cloud', 0))
    assert len(clouds._messages) < 40


def test_sensors_in_several_frames_are_refused() -> None:
    """Of a ring of sonars on one topic, one pose would place what looks back before the camera."""
    ranges = Ranges('range', '/sonar')
    for frame_id, range_m in (('front', 3.0), ('rear', 0.4)):
        msg = beam(range_m)
        msg.header.frame_id = frame_id
        ranges.put(msg)
    assert np.isnan(ranges.prompts(beam(1.0).header.stamp, CAMERA, FORWARD, 0.02, 0.1)).all()
    assert 'several frames (front, rear)' in ranges.problem and 'ranges_topic' in ranges.problem


def test_no_ranges_say_why() -> None:
    ranges = Ranges('cloud', '/lidar')
    stamp = message('cloud', 900_000_000).header.stamp

    def problem(pose: tuple[float, ...] = IN_PLACE) -> str:
        assert np.isnan(ranges.prompts(stamp, CAMERA, pose, 0.02, 0.1)).all()
        return ranges.problem

    assert 'nothing came on /lidar: check ranges_topic' in problem()
    ranges.put(message('cloud', 100_000_000))
    assert '0.80 s from the image: raise ranges_max_age' in problem()
    ranges.put(message('cloud', 850_000_000))
    assert 'check ranges_camera_pose, ' in problem((0, 0, 5.0, 0, 0, 0))
    assert 'in frame "laser"' in ranges.problem
    broken = message('cloud', 900_000_000)
    broken.width = 9
    ranges.put(broken)
    assert '/lidar: the cloud of 9x1' in problem()
    open_space = cloud(np.full((3, 3), np.nan))
    open_space.header.stamp.nanosec = 900_000_000
    ranges.forget()
    ranges.put(open_space)
    assert 'nothing is within the reach of its sensor' in problem()
    ranges.forget()
    assert 'nothing came' in problem()


def test_a_sensor_without_a_frame_has_no_place_in_tf() -> None:
    """It is said before a default pose is taken for its own."""
    ranges, msg = Ranges('range', '/tof'), beam(1.0)
    assert ranges.frame_id is None
    msg.header.frame_id = ''
    ranges.put(msg)
    with pytest.raises(GrinError, match='/tof name no frame'):
        assert ranges.frame_id
    msg.header.frame_id = 'tof_link'
    assert ranges.frame_id == 'tof_link'
