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

"""Two views and the motion between them in, ranges out: points are followed, their rays meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

if TYPE_CHECKING:
    from grin_ros.postprocess.body_mask import BodyMask

WIDTH = 320  # [px] of the pictures in which points are followed
POINTS = 300  # at most
WINDOW, LEVELS = (15, 15), 4  # of the pyramids that points are followed through
SAME = 0.5  # [px] that a point may be off when it is followed there and back
CROSSING = 1.5  # [px] that two rays may miss each other by
PIXEL_ERROR = 0.7  # [px] standard deviation of where a point is in one view, seen from the other
ANGLE_ERROR, TURN_ERROR = 0.0025, 0.05  # [rad], and of a turn, of a rotation that odometry tells
LARGEST_SIGMA = 0.2  # relative, of a range that tells something
FEW = 8  # points: fewer of them astray are no sign of a wrong pose


@dataclass(frozen=True)
class View:
    """
    What a camera saw, and from where.

    :param grey: (h, w) uint8, WIDTH wide or less.
    :param camera: of ``grey``.
    :param pose: (4, 4) from the optical frame to one that stands still.
    :param moment: when [ns].
    :param world: (h, w) uint8, 0 where the robot sees itself; None where it does not.
    """

    grey: NDArray[np.uint8]
    camera: Camera
    pose: NDArray[np.float64]
    moment: int = 0
    world: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, image: NDArray[np.uint8], camera: Camera, pose: NDArray[np.float64],
           moment: int = 0, body_mask: BodyMask | None = None) -> View:
        """
        Make one of an (H, W, 3) RGB image.

        :raises GrinError: when the body mask is of another view.
        """
        width = min(WIDTH, camera.width)
        size = width, max(1, round(camera.height * width / camera.width))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        world = None
        if body_mask is not None:
            # Windows round points reach as far as this, and must not see the body either.
            body = cv2.dilate(body_mask.on(*size[::-1]).astype(np.uint8), np.ones(WINDOW))
            world = np.asarray(1 - body, np.uint8)
        return cls(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8),
                   camera.scaled(*size), pose, moment, world)

    def moved_from(self, earlier: View) -> tuple[NDArray[np.float64], float, float]:
        """Return the (4, 4) pose of an earlier view in this one, its distance [m], angle [rad]."""
        motion = np.linalg.inv(self.pose) @ earlier.pose
        cosine = np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)
        return motion, float(np.linalg.norm(motion[:3, 3])), float(np.arccos(cosine))


def ranges_from_motion(view: View, earlier: View, sigma: float) -> NDArray[np.float64]:
    """
    Return (N, 4) rows of u, v [px of view.grey], range [m] and its relative sigma.

    :param sigma: relative error of the distance between the views.
    :raises GrinError: when most points, and more than a few, do not move as they should.
    """
    motion, *_ = view.moved_from(earlier)
    now, then = follow(view, earlier, motion[:3, :3])
    if not len(now):
        return np.zeros((0, 4))
    range_m, spread = meet(view.camera, now, earlier.camera, then, motion, sigma)
    good = spread < LARGEST_SIGMA
    astray = int(np.isnan(spread).sum())
    if astray >= FEW and astray > good.sum():
        raise GrinError(f'{astray} of {len(now)} points do not move as it says: check '
                        'ranges_camera_pose, the pose of the optical frame of the camera in the '
                        'frame that the odometry is of')
    return np.column_stack([now, range_m, spread])[good]


def follow(view: View, earlier: View, rotation: NDArray[np.float64]
           ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Return the (N, 2) pixels of points in a view, and where they are in an earlier one.

    :param rotation: (3, 3) of the earlier view in this one; points are looked for where they
        would be if they were far away.
    """
    nothing = np.zeros((0, 2), np.float32)
    found = cv2.goodFeaturesToTrack(view.grey, POINTS, 0.005, 7, mask=view.world)
    if found is None:
        return nothing, nothing
    now = found[:, 0]
    guess = earlier.camera.project(view.camera.rays_at(now) @ rotation).astype(np.float32)
    seen = np.isfinite(guess).all(-1)
    now, guess = now[seen], guess[seen]
    if not len(now):
        return nothing, nothing

    def track(a: NDArray, b: NDArray, start: NDArray, end: NDArray) -> tuple[NDArray, NDArray]:
        there, status, _ = cv2.calcOpticalFlowPyrLK(
            a, b, start[:, None], end[:, None].copy(), winSize=WINDOW, maxLevel=LEVELS,
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
        return there[:, 0], status.ravel() > 0
    then, went = track(view.grey, earlier.grey, now, guess)
    back, came = track(earlier.grey, view.grey, then, then + (now - guess))
    kept = went & came & (np.linalg.norm(back - now, axis=1) < SAME)
    return now[kept], then[kept]


def meet(camera: Camera, now: NDArray, earlier: Camera, then: NDArray,
         motion: NDArray[np.float64], sigma: float
         ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the (N,) ranges [m] at which two rays come closest, and their relative sigmas.

    :param now: (N, 2) pixels of points.
    :param earlier: camera of the earlier view: a lens may have focused meanwhile.
    :param then: (N, 2) where they are in that view.
    :param motion: (4, 4) pose of the earlier view in this one.
    :param sigma: relative error of its distance.
    :returns: sigma is NaN where rays do not meet before both views, though they should.
    """
    rays = camera.rays_at(now).astype(np.float64)
    others = earlier.rays_at(then).astype(np.float64) @ motion[:3, :3].T
    move = motion[:3, 3]
    cosine = np.einsum('ij,ij->i', rays, others)
    along, across = rays @ move, others @ move
    with np.errstate(divide='ignore', invalid='ignore'):
        sine_squared = 1 - cosine ** 2
        range_m = (along - cosine * across) / sine_squared
        other_m = (cosine * along - across) / sine_squared
        # Where the point would be in the earlier view, if it were there.
        expected = earlier.project((rays * range_m[:, None] - move) @ motion[:3, :3])
        miss = np.linalg.norm(expected - then, axis=1)
        parallax = np.sqrt(sine_squared)
        turned = np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1))
        angle = np.linalg.norm([PIXEL_ERROR / camera.intrinsics[0, 0], ANGLE_ERROR,
                                TURN_ERROR * turned])
        spread = np.hypot(sigma, angle / parallax)
    good = (range_m > 0) & (other_m > 0) & (miss < CROSSING)
    spread = np.where(good, spread, np.where(parallax > 2 * angle, np.nan, np.inf))
    return range_m, spread
