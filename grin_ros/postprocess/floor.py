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

"""Floor: depth, and the height and pitch of its camera in; the scale that the floor says out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

if TYPE_CHECKING:  # what loads the model is imported when it is loaded
    from grin_ros.estimator import DepthEstimate

SIGMA = 0.1  # [nats] of a scale that the floor says; half of the frames are nearer than 0.04
# Mounts are measured to a degree or two, and robots nod: [deg] tried around it, how likely.
TILTS_DEG = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])
TILT_PRIOR = np.exp(-0.5 * (TILTS_DEG / 3.0) ** 2)
PAUSE_NS = 5_000_000_000  # a robot may be elsewhere after it
SHUFFLED_NS = 500_000_000  # images may come in another order
NOD_DEG, BOB = 3.0, 0.05  # [deg], [nats] of height within which a mount stays about the same
MEMORY = 15  # frames whose median counts
POINTS = 3000  # pixels that are looked at, about
MIN_SINE = 0.05  # of the angle at which a ray must meet the floor to tell its height
TOLERANCE = 0.07  # [nats] that a point may be off and still lie on the floor
STEP = 0.03  # [nats] between the heights that are tried
# [nats] of scales: those that are tried, and the farther one is off the more floor it must show.
LOG_FACTORS = np.arange(-math.log(3.0), math.log(3.0), STEP)
FACTOR_PRIOR = np.exp(-0.5 * (LOG_FACTORS / 0.6) ** 2)
FLOOR_SHARE = 0.10  # of the pixels must show the floor, of a likely scale
BELOW_SHARE = 0.05  # of them may lie below; more, and it was a table
# Of the level, per log of how far a ray falls per metre: 0 on a floor, 1 on a board that faces
# the camera, whose rows lie on a level each.
MAX_SLOPE = 0.4


@dataclass(frozen=True)
class Mount:
    """
    How a camera is mounted, which does not roll.

    :param height_m: of the lens above the floor.
    :param pitch_deg: how far it looks down (REP-103); 0 is level, 90 straight down.
    :raises GrinError: for what no camera on a floor has.
    """

    height_m: float
    pitch_deg: float = 0.0

    def __post_init__(self) -> None:
        """Check."""
        if not 0 < self.height_m < math.inf or not -90 <= self.pitch_deg <= 90:
            raise GrinError('a camera must be above the floor (camera_height > 0 m) and look -90 '
                            f'to 90 deg down (camera_pitch_deg), not {self.height_m} m, '
                            f'{self.pitch_deg} deg')

    def is_about(self, other: Mount) -> bool:
        """Return whether another may be the same on a robot that nods, as TF tells it."""
        return (abs(self.pitch_deg - other.pitch_deg) < NOD_DEG
                and abs(math.log(self.height_m / other.height_m)) < BOB)


class FloorFinder:
    """
    Finds the floor in the depth of a camera, whose tilt says how far each ray falls.

    :param camera: of the grid of depth.
    :param mount: where it stands; its pitch to about 2 deg, less where it looks ahead.
    """

    def __init__(self, camera: Camera, mount: Mount) -> None:
        """Compute how far a point lies below the lens, per metre of its depth."""
        self.camera, self.mount = camera, mount
        self._step = max(1, int(math.sqrt(camera.width * camera.height / POINTS)))
        v, u = np.mgrid[:camera.height:self._step, :camera.width:self._step]
        rays = camera.rays_at(np.stack([u.ravel(), v.ravel()], -1))
        pitch = np.radians(mount.pitch_deg + TILTS_DEG)
        down = np.stack([np.zeros_like(pitch), np.cos(pitch), np.sin(pitch)], -1)
        with np.errstate(invalid='ignore', divide='ignore'):
            sines = down.astype(np.float32) @ rays.T  # (tilt, pixel)
            self._log_drops = np.log(np.where(sines > MIN_SINE, sines / rays[:, 2], np.nan))
        self._count = max(1, int(np.isfinite(rays[:, 2]).sum()))

    def factor(self, depth: NDArray[np.float32]) -> float | None:
        """
        Return what brings the floor to the height of the mount; None when no floor is seen.

        The floor is the level that most points lie on while hardly any lie below it. Since
        depth is off by a share of itself, levels differ by factors.

        :param depth: (H, W) z [m] on the grid of the camera; NaN and Inf are no points.
        """
        with np.errstate(invalid='ignore', divide='ignore'):
            z = np.log(depth[::self._step, ::self._step].ravel() / self.mount.height_m)
        _, factor = max((likely * share, factor) for likely, (share, factor) in zip(
            TILT_PRIOR, (self._level(z, drops) for drops in self._log_drops), strict=True))
        return factor or None

    def _level(self, log_z: NDArray[np.float32], log_drops: NDArray[np.float32],
               ) -> tuple[float, float]:
        """Return the share of a level that may be the floor and its factor; 0 without one."""
        levels = log_z + log_drops
        known = np.flatnonzero(np.isfinite(levels))
        order = known[np.argsort(levels[known])]
        levels = levels[order]
        low, high, under = (np.searchsorted(levels, LOG_FACTORS + offset)
                            for offset in (-TOLERANCE, TOLERANCE, 2 * TOLERANCE))
        on, below = (high - low) / self._count, (len(levels) - under) / self._count
        best = int(np.argmax(on - 2 * below))
        part = slice(low[best], high[best])
        if on[best] * FACTOR_PRIOR[best] <= FLOOR_SHARE or below[best] >= BELOW_SHARE:
            return 0.0, 0.0
        steps = log_drops[order[part]] - log_drops[order[part]].mean()
        if float(steps @ levels[part]) > MAX_SLOPE * float(steps @ steps):
            return 0.0, 0.0
        return float(on[best] - 2 * below[best]), math.exp(-float(np.median(levels[part])))


class FloorScale:
    """Follows the scale that the floor says through the frames of one camera."""

    def __init__(self) -> None:
        """Know nothing."""
        self._finder: FloorFinder | None = None
        self._learnt_with: tuple[Camera, Mount] | None = None
        self._factors: deque[float] = deque(maxlen=MEMORY)
        self._moment = 0  # of the latest frame [ns], 0 without one or without stamps
        self.unseen = 0  # frames since the floor was seen

    @property
    def factor(self) -> float | None:
        """Return the median factor of the latest frames that show the floor, if there were any."""
        return float(np.median(self._factors)) if self._factors else None

    @property
    def known(self) -> bool:
        """Return whether the floor was seen lately, so that sigma is that of a known scale."""
        return bool(self._factors) and self.unseen < MEMORY

    def forget(self) -> None:
        """Forget what earlier frames told."""
        self._factors.clear()
        self.unseen = 0

    def skip(self) -> None:
        """Let a frame pass whose scale is told otherwise: what is older than MEMORY is gone."""
        self.unseen += 1
        if self.unseen >= MEMORY:
            self.forget()

    def apply(self, estimate: DepthEstimate, camera: Camera, mount: Mount | None,
              moment: int = 0) -> DepthEstimate:
        """
        Return the estimate at the scale that the floor says, where it was seen so far.

        Its sigma is that of a known scale while the floor is seen now and then. One of an unknown
        camera stays as it is: nobody knows how its rays fall.

        :param camera: of the grid of the estimate.
        :param mount: None where it is not known of this image, in which no floor is looked for.
        :param moment: of the image [ns]; after a pause, or when time goes back, as bags and
            simulators make it, all begins anew. 0: no image has a time.
        """
        if self._moment and moment and not -SHUFFLED_NS <= moment - self._moment < PAUSE_NS:
            self.forget()
        self._moment = moment
        if not estimate.metric:
            self.forget()
            return estimate
        finder = self._finder_of(camera, mount)
        found = finder.factor(estimate.depth) if finder else None
        self.unseen = 0 if found else self.unseen + 1
        if found:
            self._factors.append(found)
        factor = self.factor
        if factor is None:
            return estimate
        return estimate.scaled(factor, SIGMA if self.known else None)

    def _finder_of(self, camera: Camera, mount: Mount | None) -> FloorFinder | None:
        """Return the finder; what was learnt counts as long as camera and mount stay about."""
        old = self._finder
        if old is not None and (old.mount, old.camera) == (mount, camera):
            return old
        # As it was learnt with: a slow zoom is many small steps.
        learnt_with = self._learnt_with
        if (learnt_with is None or not learnt_with[0].same_lens(camera)
                or mount is not None and not learnt_with[1].is_about(mount)):
            self.forget()
            self._learnt_with = (camera, mount) if mount is not None else None
        if mount is None:
            return None
        self._finder = FloorFinder(camera, mount)
        return self._finder
