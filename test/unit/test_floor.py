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

"""Tests of floor: it is found where it is, and scale follows it."""

from dataclasses import replace
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate
from grin_ros.messages.intake import CameraInfos, Frame
from grin_ros.messages.ranges import NUM_RANGES
from grin_ros.node.diagnostics import Statistics
from grin_ros.node.scale_notes import ScaleNotes
from grin_ros.node.voice import Voice
from grin_ros.params import DepthParams
from grin_ros.postprocess.floor import FloorFinder, FloorScale, MEMORY, Mount, SIGMA
from grin_ros.postprocess.result import Results

SECOND = 1_000_000_000  # [ns]
CAMERAS = {
    'pinhole': Camera.from_hfov(80, 160, 120),
    'distorted': Camera(Camera.from_hfov(80, 160, 120).intrinsics, 160, 120, (-0.2, 0.05, 0, 0)),
    'fisheye': Camera(np.array([[60, 0, 79.5], [0, 60, 59.5], [0, 0, 1.0]]), 160, 120,
                      (0.02, 0, 0, 0), 'equidistant')}


def seen(camera: Camera, mount: Mount, wall_m: float = 6.0, table_m: float = 0.0) -> np.ndarray:
    """Return the z of a floor, of a wall, and of a table of such a height that fills half."""
    rays = camera.rays().astype(np.float64)
    pitch = math.radians(mount.pitch_deg)
    down = rays @ (0, math.cos(pitch), math.sin(pitch))
    ahead = rays @ (0, -math.sin(pitch), math.cos(pitch))

    def range_to(height_m: float) -> np.ndarray:
        return np.where(down > 1e-6, height_m / np.maximum(down, 1e-6), np.inf)

    ranges = np.minimum(range_to(mount.height_m), np.where(ahead > 1e-6, wall_m / ahead, np.inf))
    if table_m:
        table = range_to(mount.height_m - table_m)
        on_it = (table * ahead < 1.6) & (np.arange(camera.width) < camera.width * 0.7)
        ranges = np.where(on_it, np.minimum(table, ranges), ranges)
    return (ranges * rays[..., 2]).astype(np.float32)


def estimate_of(depth: np.ndarray, metric: bool = True) -> DepthEstimate:
    """Return an estimate whose sigma is that of the scale, 0.3 unless it is known."""
    return DepthEstimate(depth, np.ones_like(depth),
                         lambda: np.zeros_like(depth), 0.3, metric, {'total': 0.0})


@pytest.mark.parametrize('lens', CAMERAS)
@pytest.mark.parametrize('mount', [Mount(0.3), Mount(1.4, 30), Mount(1.0, -8), Mount(2.5, 60)])
@pytest.mark.parametrize('error', [0.5, 1.0, 1.8])
def test_factor_undoes_a_wrong_scale(lens: str, mount: Mount, error: float) -> None:
    """Depth that is off by a factor comes back, for every lens and tilt, with noise of 3 %."""
    depth = seen(CAMERAS[lens], mount) * np.float32(error)
    depth = depth * np.exp(np.random.default_rng(0).normal(0, 0.03, depth.shape))
    factor = FloorFinder(CAMERAS[lens], mount).factor(depth.astype(np.float32))
    assert factor == pytest.approx(1 / error, rel=0.02)


@pytest.mark.parametrize('nod_deg', [-4, -2, 2, 4])
def test_a_mount_may_be_measured_roughly(nod_deg: float) -> None:
    """A robot that nods, or a tilt that was read badly, moves the scale by little."""
    camera, mount = CAMERAS['pinhole'], Mount(1.0, 15)
    depth = seen(camera, Mount(1.0, 15 + nod_deg)) * np.float32(0.6)
    assert FloorFinder(camera, mount).factor(depth) == pytest.approx(1 / 0.6, rel=0.08)


def test_a_table_is_no_floor() -> None:
    """The lowest level counts, not the largest, as long as some of the floor is seen."""
    camera, mount = CAMERAS['pinhole'], Mount(1.5, 30)
    finder = FloorFinder(camera, mount)
    assert finder.factor(seen(camera, mount, table_m=0.7)) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize('depth', [np.inf, np.nan, 0.5, 2.0, 4.0])
@pytest.mark.parametrize('pitch_deg', [0, 15, 30, 45])
@pytest.mark.parametrize('height_m', [0.3, 1.0, 1.5])
def test_without_a_floor_there_is_no_factor(depth: float, pitch_deg: float, height_m: float,
                                            ) -> None:
    """Sky, no depth at all, and a board that faces the camera say nothing."""
    finder = FloorFinder(CAMERAS['pinhole'], Mount(height_m, pitch_deg))
    assert finder.factor(np.full((120, 160), depth, np.float32)) is None


def test_a_floor_far_off_scale_is_not_believed() -> None:
    """Depth ten times too large shows something else than the floor."""
    camera, mount = CAMERAS['pinhole'], Mount(1.0, 20)
    assert FloorFinder(camera, mount).factor(seen(camera, mount) * np.float32(10)) is None


def test_scale_is_kept_while_no_floor_is_seen_and_one_frame_does_not_move_it() -> None:
    """The median of the latest frames counts; sigma becomes that of a known scale."""
    camera, mount = CAMERAS['pinhole'], Mount(1.0, 20)
    floor, depth = FloorScale(), seen(CAMERAS['pinhole'], mount)
    wall = np.full_like(depth, np.inf)
    before = floor.apply(estimate_of(wall), camera, mount)
    assert before.depth is wall and before.spread[0, 0] == np.float32(0.3)
    assert floor.factor is None and floor.unseen == 1
    floor.apply(estimate_of(depth, metric=False), camera, mount)
    assert floor.factor is None and floor.unseen == 0
    for _ in range(3):
        after = floor.apply(estimate_of(depth / 2), camera, mount)
    np.testing.assert_allclose(after.depth, depth, rtol=0.02)
    assert after.spread[0, 0] == np.float32(SIGMA)
    np.testing.assert_allclose(after.sigma[-1], SIGMA * after.depth[-1], rtol=1e-6)
    floor.apply(estimate_of(depth), camera, mount)
    assert floor.factor == pytest.approx(2, rel=0.02)
    floor.apply(estimate_of(wall), camera, mount)
    assert floor.factor == pytest.approx(2, rel=0.02) and floor.unseen == 1
    for _ in range(MEMORY):
        floor.apply(estimate_of(depth), camera, mount)
    assert floor.factor == pytest.approx(1, rel=0.02) and floor.unseen == 0
    # What was learnt long ago is still the best guess, but no knowledge.
    for frames in range(1, MEMORY + 1):
        later = floor.apply(estimate_of(wall), camera, mount)
        known = later.spread[0, 0] == np.float32(SIGMA)
        assert floor.unseen == frames and known == floor.known == (frames < MEMORY)
    assert floor.factor == pytest.approx(1, rel=0.02)


def test_another_mount_or_camera_starts_anew() -> None:
    """What was learnt of one mounting is not used for another."""
    camera, mount = CAMERAS['pinhole'], Mount(1.0, 20)
    floor, depth = FloorScale(), seen(CAMERAS['pinhole'], mount)
    floor.apply(estimate_of(depth / 2), camera, mount)
    assert floor.factor == pytest.approx(2, rel=0.02)
    floor.apply(estimate_of(depth / 2), camera, Mount(1.2, 20))
    assert floor.factor == pytest.approx(2.4, rel=0.02)
    floor.apply(estimate_of(np.full((60, 80), np.inf, np.float32)), camera.scaled(80, 60), mount)
    assert floor.factor is None


def test_a_robot_that_nods_keeps_its_scale() -> None:
    """TF tells another pitch with each image; what was learnt of about the same one counts."""
    camera, floor = CAMERAS['pinhole'], FloorScale()
    depth = seen(camera, Mount(1.0, 20))
    floor.apply(estimate_of(depth / 2), camera, Mount(1.0, 20))
    wall = estimate_of(np.full_like(depth, np.inf))
    for pitch_deg in (20.5, 19.3, 22.0):
        floor.apply(wall, camera, Mount(1.02, pitch_deg))
    assert floor.factor == pytest.approx(2, rel=0.02) and floor.unseen == 3
    for pitch_deg in (22.5, 24.0):  # a camera that is turned, however slowly
        floor.apply(wall, camera, Mount(1.0, pitch_deg))
    assert floor.factor is None


@pytest.mark.parametrize('moment_s', [89.0, 106.0], ids=['a step back', 'a pause'])
def test_time_that_jumps_is_a_new_beginning(moment_s: float) -> None:
    """A bag that begins again shows another place, and after a pause a robot may be there."""
    camera, mount = CAMERAS['pinhole'], Mount(1.0, 20)
    floor, depth = FloorScale(), seen(CAMERAS['pinhole'], mount)
    wall = estimate_of(np.full_like(depth, 2.0))
    for seconds in (100.0, 100.3, 100.1):  # images may come in another order
        floor.apply(estimate_of(depth / 2), camera, mount, round(seconds * 1e9))
    after = floor.apply(wall, camera, mount, round(100.4 * 1e9))
    assert after.depth[0, 0] == pytest.approx(4, rel=0.02)
    after = floor.apply(wall, camera, mount, round(moment_s * 1e9))
    assert after is wall and floor.factor is None


def test_a_lens_that_focuses_is_the_same_camera() -> None:
    """Another K by a little uses its own rays and keeps what was learnt; another lens does not."""
    mount, floor = Mount(1.0, 20), FloorScale()
    depth = seen(CAMERAS['pinhole'], mount) / 2
    floor.apply(estimate_of(depth), CAMERAS['pinhole'], mount)
    sky = estimate_of(np.full_like(depth, np.inf))
    floor.apply(sky, Camera.from_hfov(80.5, 160, 120), mount)
    assert floor.factor == pytest.approx(2, rel=0.02) and floor.unseen == 1
    for hfov in np.arange(80, 70, -0.5):  # so does one that zooms, however slowly
        floor.apply(sky, Camera.from_hfov(hfov, 160, 120), mount)
    assert floor.factor is None
    floor.apply(estimate_of(depth), CAMERAS['pinhole'], mount)
    floor.apply(sky, Camera.from_hfov(60, 160, 120), mount)
    assert floor.factor is None


@pytest.mark.parametrize('changes', [
    {}, {'output': 'rectified'}, {'depth_scale': 3.0}], ids=['plain', 'rectified', 'scale'])
@pytest.mark.parametrize('output_scale', [1, 2])
def test_results_have_the_scale_of_the_floor(changes: dict, output_scale: int) -> None:
    """On any grid; depth_scale counts before a floor is seen and after camera_height is gone."""
    camera, mount = CAMERAS['distorted'], Mount(1.2, 25)
    grid = camera.scaled(camera.width // output_scale, camera.height // output_scale)
    msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
    info = msgs.CameraInfo(width=160, height=120, k=camera.intrinsics.ravel())
    frame = Frame(info.header, np.zeros((120, 160, 3), np.uint8), camera, info)
    depth = seen(grid, mount)
    given = estimate_of(depth / 2)
    off = DepthParams(edge_gate=False, **changes)
    on = replace(off, camera_height=mount.height_m, camera_pitch_deg=mount.pitch_deg)
    results, scale = Results(), off.depth_scale

    def published(estimate: DepthEstimate, params: DepthParams) -> float:
        """Return published over given depth."""
        ours = results.make(frame, estimate, params).depth
        plain = Results().make(frame, estimate, replace(off, depth_scale=1.0)).depth
        both = np.isfinite(ours) & np.isfinite(plain)
        return float(np.median(ours[both] / plain[both]))

    assert published(given, off) == pytest.approx(scale)
    assert published(estimate_of(np.full_like(depth, 2.0)), on) == pytest.approx(scale)
    assert published(given, on) == pytest.approx(2, rel=0.03)
    assert published(given, off) == pytest.approx(scale)
    assert results.floor.factor is None


def test_the_floor_wins_over_ranges_that_are_gone() -> None:
    """What a sensor told before it fell silent is older than a floor that is seen."""
    camera, mount = CAMERAS['pinhole'], Mount(1.2, 25)
    depth, results = seen(camera, mount), Results()
    for moment in (SECOND, SECOND + 1):
        results.carried.keep(0.7 * depth, camera, moment)
    header = SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=SECOND // 10))
    frame = Frame(header, np.zeros((120, 160, 3), np.uint8), camera, None,
                  np.full((NUM_RANGES, 4), np.nan))
    params = DepthParams(edge_gate=False, camera_height=1.2, camera_pitch_deg=25.0)
    published = results.make(frame, estimate_of(depth / 2), params).depth
    assert results.carried.factor is None
    assert np.nanmedian(published / depth) == pytest.approx(1, rel=0.03)


def test_a_floor_that_was_seen_before_the_ranges_is_forgotten() -> None:
    """It held for minutes of known ranges, and then beat what they had told a moment before."""
    camera, mount = CAMERAS['pinhole'], Mount(1.2, 25)
    floor, wall, results = seen(camera, mount), np.full((120, 160), 2, np.float32), Results()
    params = DepthParams(edge_gate=False, camera_height=1.2, camera_pitch_deg=25.0)

    def published(tenths: int, depth: np.ndarray, network: float, told: bool
                  ) -> tuple[float, float]:
        """Return published over true depth, and the spread that is claimed."""
        stamp = SimpleNamespace(sec=tenths // 10, nanosec=tenths % 10 * SECOND // 10)
        prompts = np.full((NUM_RANGES, 4), np.nan)
        if told:
            prompts[:] = (10, 10, 2, 0.01)
        frame = Frame(SimpleNamespace(stamp=stamp), np.zeros((120, 160, 3), np.uint8), camera,
                      None, prompts)
        made = results.make(frame, estimate_of(depth * np.float32(network)), params)
        return float(np.nanmedian(made.depth / depth)), float(made.spread[60, 80])

    assert published(10, floor, 0.5, False) == pytest.approx((1, SIGMA), rel=0.03)
    for tenths in range(11, 11 + MEMORY):
        published(tenths, wall, 1.0, True)
    assert published(11 + MEMORY, wall, 0.7, False) == pytest.approx((1, 0.3), rel=0.03)
    assert published(12 + MEMORY, floor, 0.5, False) == pytest.approx((1, SIGMA), rel=0.03)


def test_scale_is_kept_where_tf_does_not_tell_the_mount_of_an_image() -> None:
    """A gap of TF, or a robot that leans for a moment, made depth of one image jump."""
    camera, mount = CAMERAS['pinhole'], Mount(1.2, 25)
    depth, results = seen(camera, mount), Results()
    silent = DepthParams(edge_gate=False, floor_frame='base_footprint', depth_scale=3.0)
    told = replace(silent, camera_height=1.2, camera_pitch_deg=25.0)
    header = pytest.importorskip('std_msgs.msg', reason='ROS 2 is not installed').Header()

    def published(params: DepthParams, lens: Camera = camera) -> tuple[float, float]:
        """Return published over true depth, and the spread that is claimed."""
        frame = Frame(header, np.zeros((120, 160, 3), np.uint8), lens, None)
        made = results.make(frame, estimate_of(depth / 2), params)
        return float(np.nanmedian(made.depth / depth)), float(made.spread[60, 80])

    assert published(silent) == pytest.approx((1.5, 0.3))
    assert published(told) == pytest.approx((1, SIGMA), rel=0.03)
    for _ in range(MEMORY - 1):
        assert published(silent) == pytest.approx((1, SIGMA), rel=0.03)
    assert 'multiplied by 2.0' in noted(results, camera, silent)['floor']
    assert published(silent) == pytest.approx((1, 0.3), rel=0.03)  # not seen for long
    assert published(told) == pytest.approx((1, SIGMA), rel=0.03)
    # Another lens, and no floor_frame at all, forget it.
    assert published(silent, CAMERAS['distorted']) == pytest.approx((1.5, 0.3))
    assert published(told) == pytest.approx((1, SIGMA), rel=0.03)
    assert published(replace(silent, floor_frame='')) == pytest.approx((1.5, 0.3))
    assert results.floor.factor is None and 'floor' not in noted(results, camera, silent)


def noted(results: Results, camera: Camera, params: DepthParams) -> dict[str, str]:
    """Return what diagnostics say of the scale."""
    statistics = Statistics()
    infos = CameraInfos('/camera_info', rectified=True, required=True)
    notes = ScaleNotes(statistics, Voice(logging.getLogger(), statistics), infos, results, None)
    frame = Frame(None, np.zeros((120, 160, 3), np.uint8), camera, None)
    notes.take(frame, 0.3, params)
    return statistics.facts


def test_a_frame_of_an_unknown_camera_forgets_the_floor() -> None:
    """Nothing multiplies its depth by what another camera saw, and depth_scale counts."""
    camera, mount = CAMERAS['pinhole'], Mount(1.2, 25)
    depth, results = seen(camera, mount), Results()
    params = DepthParams(edge_gate=False, camera_height=1.2, camera_pitch_deg=25.0,
                         depth_scale=3.0)
    header = pytest.importorskip('std_msgs.msg', reason='ROS 2 is not installed').Header()
    known = Frame(header, np.zeros((120, 160, 3), np.uint8), camera, None)
    results.make(known, estimate_of(depth / 2), params)
    assert results.floor.factor == pytest.approx(2, rel=0.03)
    unknown = Frame(header, np.zeros((120, 160, 3), np.uint8), None, None)
    ours = results.make(unknown, estimate_of(depth / 2, metric=False), params).depth
    assert np.nanmedian(ours / depth) == pytest.approx(1.5) and results.floor.factor is None


@pytest.mark.parametrize('values', [(0.0, 0.0), (-1.0, 0.0), (math.nan, 0.0), (1.0, 91.0)])
def test_impossible_mounts_are_refused(values: tuple) -> None:
    """The error names the parameters."""
    with pytest.raises(GrinError, match='camera_height.*camera_pitch_deg'):
        Mount(*values)
