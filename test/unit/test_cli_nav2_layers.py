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


"""Costmap: the printed layers parse, and the frustum lies within what the camera sees."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from grin_ros.camera import Camera
from grin_ros.cli import main
from grin_ros.cli.nav2_layers import frustum
from grin_ros.errors import GrinError

CALIBRATION = """
image_width: 640
image_height: 480
distortion_model: plumb_bob
camera_matrix: {rows: 3, cols: 3, data: [500, 0, 300, 0, 500, 250, 0, 0, 1]}
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""


def layer(path: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    """Return what the verb prints."""
    path.write_text(CALIBRATION, encoding='utf-8')
    assert main(['costmap', '--camera-info', str(path), *options]) == 0
    return next(iter(yaml.safe_load(capsys.readouterr().out).values()))


def test_voxel_layer_has_two_sources_and_holds_the_camera(
        tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = layer(tmp_path / 'camera.yaml', capsys, '--namespace', 'front', '--camera-height',
                 '2.5', '--max-height', '1.8')
    mark, clear = (made[name] for name in made['observation_sources'].split())
    assert (mark['topic'], mark['marking'], mark['clearing']) == ('/front/points', True, False)
    assert (clear['topic'], clear['marking'], clear['clearing']) == (
        '/front/clearing_points', False, True)
    assert clear['min_obstacle_height'] < -100 and clear['max_obstacle_height'] > 100
    assert mark['max_obstacle_height'] == 1.8 and clear['raytrace_max_range'] == 8.0
    assert made['z_voxels'] <= 16 and made['z_voxels'] * made['z_resolution'] > 2.5


@pytest.mark.parametrize('options', [['voxel', '--clearing-range', '9'], ['stvl']])
def test_lengths_are_floats_as_the_plugins_declare_them(
        tmp_path: Path, capsys: pytest.CaptureFixture, options: list[str]) -> None:
    made = layer(tmp_path / 'camera.yaml', capsys, '--marking-range', '4', '--max-height', '2',
                 '--min-height', '0', '--layer', *options)
    lengths = {f'{owner}.{name}': value for owner, values in {'': made, **{
        name: made[name] for name in made['observation_sources'].split()}}.items()
        for name, value in values.items()
        if name.endswith(('_height', 'range', '_z', 'resolution', '_angle', '_size'))}
    assert len(lengths) > 6
    assert {name for name, value in lengths.items() if not isinstance(value, float)} == set()


def test_stvl_layer_has_the_frustum(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = layer(tmp_path / 'camera.yaml', capsys, '--layer', 'stvl')
    clear = made['grin_clear']
    assert clear['horizontal_fov_angle'] == pytest.approx(2 * np.arctan(300 / 500), abs=2e-3)
    assert clear['vertical_fov_angle'] == pytest.approx(2 * np.arctan(229 / 500), abs=2e-3)
    assert made['grin_mark']['topic'] == '/grin/points'


@pytest.mark.parametrize('options, words', [
    (['--marking-range', '9'], ['--marking-range 9', '--clearing-range 8']),
    # Nav2 ends rays two cells early, and what is marked in those would stay for ever.
    (['--marking-range', '8'], ['--marking-range 8 must be at most 7.9', '--clearing-range 8']),
    # STVL has no rays, so that nothing would come of it.
    (['--layer', 'stvl', '--clearing-range', '5'], ['--clearing-range', '--layer voxel']),
    (['--min-height', '3'], ['--min-height 3', '--max-height 2']),
    (['--camera-height', 'nan'], ['--camera-height nan', 'metres']),
    (['--max-height', 'inf', '--layer', 'stvl'], ['--max-height inf', 'metres']),
    (['--marking-range', 'nan'], ['--marking-range nan', 'metres']),
    (['--camera-height', '-1'], ['--camera-height -1 must be above 0']),
    (['--max-height', '0.2', '--camera-height', '2'], ['--max-height', '2 m up', '0.28 m']),
    (['--marking-range', '0', '--layer', 'stvl'], ['--marking-range 0 must be above 0']),
    (['--namespace', 'left eye'], ['--namespace left eye: give words']),
])
def test_what_cannot_work_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture,
                                     options: list[str], words: list[str]) -> None:
    path = tmp_path / 'camera.yaml'
    path.write_text(CALIBRATION, encoding='utf-8')
    assert main(['costmap', '--camera-info', str(path), *options]) == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words)


def test_what_is_marked_may_lie_as_far_as_rays_reach(
        tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    made = layer(tmp_path / 'camera.yaml', capsys, '--marking-range', '7.9')
    assert made['grin_mark']['obstacle_max_range'] == 7.9
    assert made['grin_clear']['raytrace_max_range'] == 8.0


def test_what_decays_by_itself_may_be_marked_farther_than_rays_reach(
        tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / 'camera.yaml').write_text(CALIBRATION, encoding='utf-8')
    assert layer(tmp_path / 'camera.yaml', capsys, '--layer', 'stvl', '--marking-range', '10')


def test_a_frustum_is_never_wider_than_the_view() -> None:
    fisheye = Camera(np.array([[200.0, 0, 310], [0, 200, 240], [0, 0, 1]]), 640, 480,
                     (0.02, 0.0, 0.0, 0.0), 'equidistant')
    horizontal, vertical = frustum(fisheye)
    assert 0 < vertical < horizontal < np.pi
    with pytest.raises(GrinError, match='optical axis'):
        frustum(Camera.pinhole(500, 500, -20, 240, 640, 480))


@pytest.mark.parametrize('distortion, model', [
    ((-0.2, 0.05, 0.0, 0.0, 0.0), 'plumb_bob'), ((0.15, 0.02, 0.0, 0.0, 0.0), 'plumb_bob'),
    ((-0.9, 0.0, 0.0, 0.0, 0.0), 'plumb_bob'), ((0.0, -0.1, 0.0, 0.0), 'equidistant'),
], ids=['barrel', 'pincushion', 'one that folds', 'a round picture'])
def test_all_of_a_frustum_is_seen(distortion: tuple[float, ...], model: str) -> None:
    """Its corners, too: what the camera does not see must not be cleared."""
    focal = 100.0 if model == 'equidistant' else 500.0
    camera = Camera(np.array([[focal, 0, 310], [0, focal, 240], [0, 0, 1]]), 640, 480, distortion,
                    model)
    x, y = np.meshgrid(*(np.linspace(-1, 1, 21) * np.tan(angle / 2) for angle in frustum(camera)))
    rays = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    pixels = camera.project(rays)
    assert ((pixels > -0.5) & (pixels < [639.5, 479.5])).all()
    seen = camera.rays_at(pixels)
    assert np.allclose(seen / seen[:, 2:], rays, atol=1e-3)
