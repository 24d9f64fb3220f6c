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

"""Floor: depth of a camera that stands where it is known in; the scale that the floor says out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera, same_rays
from grin_ros.errors import GrinError

if TYPE_CHECKING:  # what loads the model is imported when it is loaded
    from grin_ros.estimator import DepthEstimate

SIGMA = 0.1  # [nats] of a scale that the floor says; half of the frames are nearer than 0.04
# Mounts are measured to a degree or two, and robots nod: [deg] tried around it, how likely.
TILTS_DEG = np.array([-4.0, -2.0, 0.0, 2.0, 4.0])
LIKELY = np.exp(-0.5 * (TILTS_DEG / 3.0) ** 2)
MEMORY = 15  # frames whose median counts
POINTS = 3000  # pixels that are looked at, about
SHALLOWEST = 0.05  # sine of the angle at which a ray must meet the floor to tell its height
TOLERANCE = 0.07  # [nats] that a point may be off and still lie on the floor
STEP = 0.03  # [nats] between the heights that are tried
WIDEST = math.log(3.0)  # [nats] that a scale may be wrong and is still believed
FLOOR_SHARE = 0.10  # of the pixels must show the floor
BELOW_SHARE = 0.05  # of them may lie below; more, and it was a table


@dataclass(frozen=True)
class Mount:
    """
    Where a camera stands, which does not roll.

    :param height_m: of the lens above the floor.
    :param pitch_deg: how far it looks down; 0 is level, 90 straight down.
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


class FloorFinder:
    """
    Finds the floor in the depth of a camera, whose tilt says how far each ray falls.

    :param camera: of the grid of depth.
    """

    def __init__(self, camera: Camera, mount: Mount) -> None:
        """Compute how far a point lies below the lens, per metre of its depth."""
        self.camera, self.mount = camera, mount
        self._step = max(1, int(math.sqrt(camera.width * camera.height / POINTS)))
        v, u = np.mgrid[:camera.height:self._step, :camera.width:self._step]
        rays = camera.rays_at(np.stack([u.ravel(), v.ravel()], -1)).reshape(*u.shape, 3)
        pitch = np.radians(mount.pitch_deg + TILTS_DEG)
        down = np.stack([np.zeros_like(pitch), np.cos(pitch), np.sin(pitch)], -1)
        with np.errstate(invalid='ignore', divide='ignore'):
            sine = np.moveaxis(rays @ down.T.astype(np.float32), -1, 0)  # (tilt, row, column)
            self._drops = np.where(sine > SHALLOWEST, sine / rays[..., 2], np.nan)
        self._count = max(1, int(np.isfinite(rays[..., 2]).sum()))

    def factor(self, depth: NDArray[np.float32]) -> float | None:
        """
        Return what brings the floor to the height of the mount; None when no floor is seen.

        The floor is the level that most points lie on while hardly any lie below it. Since
        depth is off by a share of itself, levels differ by factors.

        :param depth: (H, W) z [m].
        """
        seen = depth[::self._step, ::self._step] / np.float32(self.mount.height_m)
        _, factor = max((likely * score, factor) for likely, (score, factor) in zip(
            LIKELY, (self._level(seen * drop) for drop in self._drops), strict=True))
        return factor or None

    def _level(self, heights: NDArray[np.float32]) -> tuple[float, float]:
        """Return how much a level is the floor, 0 for not at all, and its factor."""
        with np.errstate(invalid='ignore', divide='ignore'):
            levels = np.log(heights)
        levels = np.sort(levels[np.isfinite(levels)])
        tried = np.arange(-WIDEST, WIDEST, STEP)
        low, high, under = (np.searchsorted(levels, tried + offset)
                            for offset in (-TOLERANCE, TOLERANCE, 2 * TOLERANCE))
        on, below = (high - low) / self._count, (len(levels) - under) / self._count
        best = int(np.argmax(on - 2 * below))
        if on[best] <= FLOOR_SHARE or below[best] >= BELOW_SHARE:
            return 0.0, 0.0
        factor = math.exp(-float(np.median(levels[low[best]:high[best]])))
        return float(on[best] - 2 * below[best]), factor


class FloorScale:
    """Follows the scale that the floor says through the frames of one camera."""

    def __init__(self) -> None:
        """Know nothing."""
        self._finder: FloorFinder | None = None
        self._factors: deque[float] = deque(maxlen=MEMORY)
        self.unseen = 0  # frames since the floor was seen

    @property
    def factor(self) -> float | None:
        """Return the median factor of the latest frames that show the floor, if there were any."""
        return float(np.median(self._factors)) if self._factors else None

    def apply(self, estimate: DepthEstimate, camera: Camera, mount: Mount) -> DepthEstimate:
        """
        Return the estimate at the scale that the floor says, where it was seen so far.

        One of an unknown camera stays as it is: nobody knows how its rays fall.
        """
        if not estimate.metric:
            return estimate
        finder = self._finder
        if finder is None or finder.mount != mount or not same_rays(finder.camera, camera):
            finder = self._finder = FloorFinder(camera, mount)
            self._factors.clear()
            self.unseen = 0
        found = finder.factor(estimate.depth)
        self.unseen = 0 if found else self.unseen + 1
        if found:
            self._factors.append(found)
        factor = self.factor
        return estimate.scaled(factor, SIGMA) if factor else estimate
