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

"""The renderer's ranges are those of the formulas, for every kind of camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.synth.cameras import draw_camera, look
from grin_ros.synth.grain import Grain
from grin_ros.synth.render import render
from grin_ros.synth.scene import Scene, SceneBuilder
from grin_ros.synth.tables import Light

pytest.importorskip('numba', reason='worlds need numba: pip install "grin_ros[train]"')
pytest.importorskip('embreex', reason='worlds need embreex: pip install "grin_ros[train]"')

K = np.array([[90, 0, 61.3], [0, 92, 44.7], [0, 0, 1]])
CAMERAS = {
    'pinhole': Camera(K, 128, 96),
    'plumb_bob': Camera(K, 128, 96, (-0.2, 0.05, 0.001, -0.002, 0.0)),
    'fisheye': Camera(K / [[2], [2], [1]] + [[0, 0, 30], [0, 0, 22], [0, 0, 0]], 128, 96,
                      (0.02, -0.01, 0.003, 0.0), 'equidistant'),
}


def new_builder() -> SceneBuilder:
    """Return an empty world with one lamp."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.lights.append(Light((0, 3, 0), (1, 0, 0), (0, 0, 1), np.full(3, 20.0)))
    return builder


def view(scene: Scene, camera: Camera, position=(0, 0, 0), rotation=None, supersample=1):
    """Render with a generator of its own."""
    return render(scene, camera, np.array(position, float),
                  look(0, 0) if rotation is None else rotation, np.random.default_rng(1),
                  supersample)


@pytest.mark.parametrize('name', CAMERAS)
@pytest.mark.parametrize('supersample', [1, 2, 3])
def test_wall_is_at_its_distance(name, supersample):
    """A wall 3 m ahead: z = 3 exactly where it is seen, whatever the lens and the sampling."""
    builder = new_builder()
    builder.quad((-40, -40, 3), (80, 0, 0), (0, 80, 0), builder.material(np.full(3, 0.5)))
    camera = CAMERAS[name]
    _, range_m = view(builder.build(), camera, supersample=supersample)
    z = camera.rays()[..., 2]
    wall = np.abs(z) > 0.2
    np.testing.assert_allclose((range_m * z)[wall & (z > 0)], 3, rtol=1e-4)
    assert np.isposinf(range_m[z < -0.01]).all()


@pytest.mark.parametrize('name', CAMERAS)
def test_box_has_its_shape(name):
    """A turned camera sees a box where slab intersection says it is."""
    builder = new_builder()
    center, size = np.array([0.4, 0.2, 2.5]), np.array([1.0, 0.8, 0.6])
    builder.box(center, size, builder.material(np.full(3, 0.5)))
    camera, eye, rotation = CAMERAS[name], np.array([-0.3, 0.5, 0.1]), look(0.3, -0.15, 0.2)
    _, range_m = view(builder.build(), camera, eye, rotation)
    rays = camera.rays().astype(np.float64) @ rotation.T
    with np.errstate(divide='ignore'):
        a, b = ((center + side * size / 2 - eye) / rays for side in (-1, 1))
    near, far = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
    inside = far - near > 1e-2
    assert inside.sum() > 200
    np.testing.assert_allclose(range_m[inside], near[inside], rtol=1e-4)
    assert np.isposinf(range_m[near - far > 1e-2]).all()


def test_right_is_right_and_up_is_up():
    """A red thing to the right and a green one above: no mirrored axis."""
    builder = new_builder()
    right, down, forward = look(0, 0).T
    for offset, color in ((right, (1, 0, 0)), (-down, (0, 1, 0))):
        builder.box(2 * forward + 0.6 * offset, (0.3, 0.3, 0.3), builder.material(
            np.array(color, float), emission=0.0))
    image, range_m = view(builder.build(), Camera.from_hfov(90, 120, 120))
    hit = np.isfinite(range_m)
    red, green = hit & (image[..., 0] > image[..., 1]), hit & (image[..., 1] > image[..., 0])
    v, u = np.nonzero(red)
    assert u.mean() > 70 and abs(v.mean() - 59.5) < 2
    v, u = np.nonzero(green)
    assert v.mean() < 50 and abs(u.mean() - 59.5) < 2


def test_model_forward_axis_and_handedness():
    """The columns of look() are a right-handed frame: right x down = forward."""
    for yaw, pitch, roll in ((0, 0, 0), (1.2, -0.4, 0.3), (-2.5, 0.8, -1)):
        rotation = look(yaw, pitch, roll)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(look(np.pi / 2, 0)[:, 2], [1, 0, 0], atol=1e-12)
    assert look(0, 0.5)[1, 2] > 0  # pitch is upwards


def test_rays_pass_through_holes_and_glass():
    """A card with a transparent left half and a pane of glass hide only what is opaque."""
    builder = new_builder()
    card = np.full((64, 64, 4), 255, np.uint8)
    card[:, :32, 3] = 0
    # Seen along +z, +x is to the left: the card's u runs from right to left.
    builder.quad((-2, -2, 2), (4, 0, 0), (0, 4, 0), builder.material(card))
    builder.quad((-9, -9, 1), (18, 0, 0), (0, 18, 0), builder.material(np.ones(3), opacity=0.2))
    builder.quad((-20, -20, 4), (40, 0, 0), (0, 40, 0), builder.material(np.full(3, 0.5)))
    camera = Camera.from_hfov(60, 64, 48)
    _, range_m = view(builder.build(), camera)
    z = range_m * camera.rays()[..., 2]
    np.testing.assert_allclose(z[:, :30], 2, rtol=1e-4)
    np.testing.assert_allclose(z[:, 34:], 4, rtol=1e-4)


def test_pixels_without_a_ray_are_unknown():
    """Beyond a fisheye's circle there is no range and no light."""
    builder = new_builder()
    builder.box((0, 0, 0), (8, 8, 8), builder.material(np.full(3, 0.5)))
    k = np.array([[12, 0, 47.5], [0, 12, 35.5], [0, 0, 1.0]])
    camera = Camera(k, 96, 72, (0.0, 0.0, 0.0, 0.0), 'equidistant')
    image, range_m = view(builder.build(), camera)
    missing = np.isnan(camera.rays()[..., 0])
    assert missing.any() and not missing.all()
    np.testing.assert_array_equal(np.isnan(range_m), missing)
    assert (image[missing] == 0).all() and (image[~missing] > 0).any()


def test_shadow_is_dark():
    """What stands between the sun and the floor darkens the floor."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.ambient = np.full(3, 0.1)
    builder.lights.append(Light((0, 1, 0), (0.01, 0, 0), (0, 0, 0.01), np.full(3, 3.0), True))
    grey = builder.material(np.full(3, 0.5))
    builder.quad((-9, 0, -9), (18, 0, 0), (0, 0, 18), grey)
    builder.quad((-1, 6, 3), (2, 0, 0), (0, 0, 2), grey)
    image, _ = view(builder.build(), Camera.from_hfov(60, 64, 48), (0, 2, 0), look(0, -0.46))
    assert image[24, 32].mean() < 0.3 * image[24, 2].mean()


def test_things_cast_shadows_on_the_floor():
    """A box under a lamp does not float: beside it the floor has the shadow it would have."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.ambient = np.full(3, 0.1)
    builder.lights.append(Light((1.5, 2.5, 1.4), (0.3, 0, 0), (0, 0, 0.3), np.full(3, 8.0)))
    plain = builder.material(np.full(3, 0.6), grain=Grain(0.0, 0, 1000.0))
    builder.quad((-4, 0, -4), (8, 0, 0), (0, 0, 8), plain)
    builder.box((0.1, 0.05, 1.4), (0.1, 0.1, 0.3), plain)
    camera, eye, rotation = Camera.from_hfov(60, 320, 240), np.array((0, 1.5, 0.3)), look(0, -0.9)
    image, _ = view(builder.build(), camera, eye, rotation)

    def floor(x: float, z: float) -> float:
        """Return how bright the floor is there."""
        point = rotation.T @ (np.array([x, 0, z]) - eye)
        column, row = camera.project(point[None])[0].round().astype(int)
        return float(image[row, column, 1])

    # The lamp stands 32 deg off the vertical: the shadow of 10 cm is 6 cm long, to the left.
    shadow = np.mean([floor(x, z) for x in (0.02, 0.03) for z in (1.35, 1.4, 1.45)])
    lit = np.mean([floor(x, z) for x in (-0.08, -0.1) for z in (1.35, 1.4, 1.45)])
    assert shadow < 0.5 * lit


def test_light_on_a_plain_wall_is_even():
    """What smoothing leaves of the noise of two lamps is no cloud: a wall has a smooth shade."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.ambient = np.full(3, 0.2)
    for x, power in ((-1.5, 1.0), (1.5, 8.0)):
        builder.lights.append(Light((x, 2.6, 1), (1, 0, 0), (0, 0, 1), np.full(3, power)))
    plain = builder.material(np.full(3, 0.6), grain=Grain(0.0, 0, 1000.0))
    builder.quad((-2, 0, 3), (4, 0, 0), (0, 2.7, 0), plain)
    builder.quad((-2, 0, 0), (4, 0, 0), (0, 0, 3), plain)
    image, _ = view(builder.build(), Camera.from_hfov(50, 320, 240), (0, 1.3, 0.3))
    near, far = (cv2.GaussianBlur(image[..., 1], (0, 0), sigma) for sigma in (4, 16))
    assert np.abs(near / far - 1)[80:160, 80:240].mean() < 0.012


def test_lamps_leave_no_clouds_on_what_they_hang_from():
    """A window lights the room, not its own wall, and a bounce does not count a lamp again."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.ambient = np.full(3, 0.2)
    plain = builder.material(np.full(3, 0.6), grain=Grain(0.0, 0, 1000.0))
    for corner, a, b in (((-2, 0, 3), (4, 0, 0), (0, 2.6, 0)),
                         ((-2, 2.6, 0), (4, 0, 0), (0, 0, 3)),
                         ((-2, 0, 0), (4, 0, 0), (0, 0, 3)),
                         ((-2, 0, 0), (0, 2.6, 0), (0, 0, 3))):
        builder.quad(corner, a, b, plain)
    builder.lights += [Light((0, 2.57, 2), (1, 0, 0), (0, 0, 1), np.full(3, 4.0)),
                       Light((0, 1.3, 2.95), (1.2, 0, 0), (0, -1.5, 0), np.full(3, 4.0))]
    builder.quad((-0.5, 2.59, 1.5), (1, 0, 0), (0, 0, 1),
                 builder.material(np.ones(3), emission=4.0))
    image, _ = view(builder.build(), Camera.from_hfov(60, 320, 240), (0, 1.3, 0.3))
    near, far = (cv2.GaussianBlur(image[..., 1], (0, 0), sigma) for sigma in (4, 16))
    assert np.abs(near / far - 1)[80:160, 80:240].mean() < 0.012


def test_lenses_may_be_told():
    """Drawn evenly in the logarithm of the field of view, and none is a fisheye."""
    rng = np.random.default_rng(0)
    lenses = [draw_camera(rng, 64, 48, 'room', (16, 36)) for _ in range(200)]
    hfov = np.array([camera.hfov_deg for camera in lenses if not camera.distortion])
    assert 15.5 < hfov.min() < hfov.max() < 36.5 and 0.4 < (hfov < 24).mean() < 0.6
    assert not [camera for camera in lenses if camera.model == 'equidistant']


def test_lenses_have_rays():
    """Nearly every pixel of a drawn camera has a ray; each lens model occurs."""
    rng = np.random.default_rng(0)
    cameras = [draw_camera(rng, 64, 48, 'room') for _ in range(300)]
    models = [camera.model if camera.distortion else 'pinhole' for camera in cameras]
    for model in ('plumb_bob', 'equidistant'):
        assert 3 <= models.count(model) <= 35
    for camera in cameras[:60]:
        rays = camera.rays()
        known = np.isfinite(rays[..., 0])
        assert known.mean() > (0.6 if camera.model == 'equidistant' else 0.99)


def test_tight_places_are_dark():
    """Light that has bounced comes from afar: half a hand under a board there is little of it."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.ambient = np.full(3, 1.0)
    plain = builder.material(np.full(3, 0.6), grain=Grain(0.0, 0, 1000.0))
    builder.quad((-9, 0, -9), (18, 0, 0), (0, 0, 18), plain)
    builder.box((0, 1.5, 0), (6, 3, 6), plain)  # its inner sides stand 3 m off
    builder.box((0, 0.32, 1.5), (1.6, 0.2, 1.6), plain)
    image, _ = view(builder.build(), Camera.from_hfov(60, 160, 120), (0, 0.16, -0.5),
                    look(0, -0.05))
    under, ahead = image[62:66, 70:90].mean(), image[112:, 70:90].mean()
    assert 0 < under < 0.35 * ahead


def test_what_glows_glows_in_its_own_colour():
    """A window by day shows what is outside, however dark the room is."""
    builder = SceneBuilder(np.random.default_rng(0))
    builder.ambient = np.full(3, 1e-3)
    look_of = np.zeros((2, 2, 3))
    look_of[:] = (1.0, 0.5, 0.25)
    builder.quad((-4, -4, 2), (8, 0, 0), (0, 8, 0),
                 builder.material(look_of, emission=3.0, grain=Grain(0.0, 0, 1000.0)))
    image, _ = view(builder.build(), Camera.from_hfov(60, 64, 48))
    np.testing.assert_allclose(image[24, 32], 3 * (np.array([255, 127, 63]) / 255) ** 2.2,
                               rtol=0.02)
