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

"""Cameras: a place in, a lens and a pose that a robot or a car might have out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.synth.places import Place


@dataclass(frozen=True)
class Pose:
    """Where a camera is: position [m] and rotation from the optical frame to the world."""

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]


def look(yaw: float, pitch: float, roll: float = 0.0) -> NDArray[np.float64]:
    """
    Return the rotation whose columns are the camera's right, down and forward in the world.

    :param yaw: about the vertical; 0 looks along +z, pi/2 along +x [rad].
    :param pitch: upwards [rad].
    :param roll: clockwise as seen by the camera [rad].
    """
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([-np.cos(yaw), 0, np.sin(yaw)])  # forward x up
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * right + s * down, c * down - s * right, forward], 1)


def draw_camera(rng: np.random.Generator, width: int, height: int, kind: str,
                hfov_deg: tuple[float, float] | None = None) -> Camera:
    """
    Draw a lens: mostly pinhole of 40..105 deg, some distorted (5 %), some fisheye (5 %).

    :param hfov_deg: least and largest horizontal field of view, drawn evenly in its logarithm;
        without fisheyes, and 10 % distorted.
    """
    choice = rng.random()
    if hfov_deg is not None:
        hfov = np.exp(rng.uniform(*np.log(hfov_deg)))
    elif choice < 0.05:
        return _fisheye(rng, width, height)
    else:
        hfov = rng.uniform(35, 105) if kind == 'street' else rng.uniform(40, 105)
    camera = Camera.from_hfov(float(hfov), width, height)
    k = camera.intrinsics.copy()
    k[1, 1] *= rng.normal(1, 0.005)
    k[:2, 2] += rng.normal(0, 0.015, 2) * (width, height)
    if choice < 0.10:
        # Barrel or slight pincushion distortion, weak enough to have an inverse at the corners.
        k1 = rng.uniform(-0.28, 0.06) * min(1.0, 55 / float(hfov))
        d = (k1, -0.3 * k1 * rng.random(), *rng.normal(0, 5e-4, 2), 0.0)
        return Camera(k, width, height, d, 'plumb_bob')
    return Camera(k, width, height)


def _fisheye(rng: np.random.Generator, width: int, height: int) -> Camera:
    """Draw an equidistant fisheye of 100..180 deg across the image."""
    f_px = width / np.deg2rad(rng.uniform(100, 180))
    cx, cy = (width - 1) / 2, (height - 1) / 2
    k = np.array([[f_px, 0, cx], [0, f_px, cy], [0, 0, 1]])
    k[:2, 2] += rng.normal(0, 0.01, 2) * (width, height)
    return Camera(k, width, height, tuple(rng.normal(0, (0.02, 0.008, 0.003, 0.001))),
                  'equidistant')


def draw_pose(rng: np.random.Generator, place: Place, kind: str) -> Pose | None:
    """Draw a pose for a kind of world; None when that spot would not do."""
    pose: Pose | None
    if kind == 'street':
        pose = _street_pose(rng, place)
    elif kind == 'table' and place.spots:
        pose = _close_pose(rng, place)
    else:
        pose = _room_pose(rng, place)
    if pose is None:
        return None
    margin = 0.1 if kind != 'street' else 0.25
    blocked = any(other.holds(pose.position, margin) for other in place.taken)
    return None if blocked else pose


def _street_pose(rng: np.random.Generator, place: Place) -> Pose:
    """Drive along the road at the height of cars (65 %), or stand anywhere on the street."""
    road, sidewalk, _ = place.size
    z = rng.uniform(-20, 20)
    if rng.random() < 0.65:
        forward = rng.choice([0.0, np.pi])
        # Keep to the right: looking along +z, right is -x.
        x = -np.cos(forward) * rng.uniform(0.08, 0.3) * road
        height, yaw = rng.triangular(1.2, 1.65, 2.1), forward + rng.normal(0, 0.08)
        pitch = rng.normal(-0.01, 0.03)
        if rng.random() < 0.12:  # cars look to the sides and back, too
            yaw += rng.uniform(0.5, 2 * np.pi - 0.5)
    else:
        x = rng.uniform(-road / 2 - sidewalk, road / 2 + sidewalk)
        height = rng.uniform(0.25, 1.9)
        yaw = rng.uniform(0, 2 * np.pi)
        if rng.random() < 0.5:
            yaw = rng.choice([0.0, np.pi]) + rng.normal(0, 0.3)
        pitch = rng.normal(-0.03, 0.08)
    if abs(x) > road / 2:
        height += 0.12 if sidewalk else 0
    return Pose(np.array([x, height, z]), look(yaw, pitch, rng.normal(0, 0.02)))


def _close_pose(rng: np.random.Generator, place: Place) -> Pose:
    """
    Look at a table top, or at things on the floor, from 0.3 to 2.5 m away.

    From a robot's arm, or as people hold a camera: whatever has one height teaches to guess it.
    """
    x, y, z = place.spots[rng.integers(len(place.spots))]
    choice, tilt = rng.random(), (0.1, 0.2)
    if choice < 0.45:  # an arm, or a camera above a bench
        reach = np.exp(rng.uniform(np.log(0.35), np.log(1.2)))
        elevation = rng.uniform(np.radians(20), np.radians(88))
        away, above, tilt = reach * np.cos(elevation), reach * np.sin(elevation), (0.03, 0.15)
    elif choice < 0.7:
        away, above = rng.uniform(0.4, 2.2), rng.uniform(1.1, 1.75) - y
    else:
        away = np.exp(rng.uniform(np.log(0.3), np.log(2.5)))
        above = np.exp(rng.uniform(np.log(0.12), np.log(1.2 if y > 0 else 1.75)))
    angle = rng.uniform(0, 2 * np.pi)
    size_x, room_height, size_z = place.size
    eye_x = np.clip(x + away * np.cos(angle), 0.15, size_x - 0.15)
    eye_z = np.clip(z + away * np.sin(angle), 0.15, size_z - 0.15)
    eye_y = min(y + above, room_height - 0.2, 1.85)
    yaw = np.arctan2(x - eye_x, z - eye_z) + rng.normal(0, 0.15)
    pitch = -np.arctan2(eye_y - y, np.hypot(eye_x - x, eye_z - z)) + rng.normal(*tilt)
    return Pose(np.array([eye_x, eye_y, eye_z]), look(yaw, pitch, rng.normal(0, 0.035)))


def _room_pose(rng: np.random.Generator, place: Place) -> Pose | None:
    """Stand in a room: look around or across it (half), at a thing nearby, or at the floor."""
    if rng.random() < 0.15 and place.spots:
        return _close_pose(rng, place)
    size_x, room_height, size_z = place.size
    x, z = rng.uniform(0.2, size_x - 0.2), rng.uniform(0.2, size_z - 0.2)
    y = min(_eye_height(rng), room_height - 0.2)
    choice = rng.random()
    if choice < 0.35 and place.taken:
        thing = place.taken[rng.integers(len(place.taken))]
        away = np.exp(rng.uniform(np.log(0.5), np.log(3.0))) + max(thing.half_x, thing.half_z)
        angle = rng.uniform(0, 2 * np.pi)
        x, z = thing.x + away * np.cos(angle), thing.z + away * np.sin(angle)
        if not (0.1 < x < size_x - 0.1 and 0.1 < z < size_z - 0.1):
            return None
        yaw = np.arctan2(thing.x - x, thing.z - z) + rng.normal(0, 0.2)
        pitch = np.arctan2(thing.height * rng.uniform(0.2, 1.0) - y, away) + rng.normal(0, 0.12)
    elif choice < 0.55:  # from one end of the room towards the other
        z, yaw = rng.uniform(0.2, 1.0), rng.normal(0, 0.35)
        if size_x > size_z:
            x, z, yaw = z, rng.uniform(0.2, size_z - 0.2), yaw + np.pi / 2
        if rng.random() < 0.5:
            x, z, yaw = size_x - x, size_z - z, yaw + np.pi
        pitch = rng.normal(-0.12, 0.12)
    else:
        target_x, target_z = rng.uniform(0.1, 0.9, 2) * (size_x, size_z)
        if (target_x - x) ** 2 + (target_z - z) ** 2 < 0.8:
            return None
        yaw = np.arctan2(target_x - x, target_z - z)
        if rng.random() < 0.15:
            yaw = rng.uniform(0, 2 * np.pi)
        # Robots and people look at the floor before them, too.
        pitch = rng.normal(-0.1, 0.17) if choice < 0.8 else rng.uniform(-0.9, -0.2)
        if y > 1.1 and rng.random() < 0.4:  # hands tilt a camera towards what lies before them
            pitch = rng.normal(-0.5, 0.2)
    return Pose(np.array([x, y, z]), look(yaw, pitch, rng.normal(0, 0.035)))


def _eye_height(rng: np.random.Generator) -> float:
    """Return a height [m]: of a small robot (20 %), a larger one (35 %), a hand or a head."""
    low, high = ((0.1, 0.5), (0.5, 1.1), (1.1, 1.75))[rng.choice(3, p=[0.2, 0.35, 0.45])]
    return float(rng.uniform(low, high))
