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

"""Carried scale: depth whose scale was told in; the depth that follows, near that scale, out."""

from __future__ import annotations

from dataclasses import dataclass
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera

if TYPE_CHECKING:  # what loads the model is imported when it is loaded
    from grin_ros.estimator import DepthEstimate

# A robot at 0.3 m/s has another view after 1.5 m, of whose scale the old one says little: of what
# the network erred, 0.75 is left after 1 s, 0.67 after 2 s, 0.39 after 4 s and 0.32 after 5 s.
FADE_S = 5.0
FORGOTTEN = 0.02  # of what was told, from where on it is nothing
MAX_GAP_S = 0.5  # between two images that show the same
STEP = 8  # [px] between the pixels that are compared
LEAST_SHARE = 0.25  # of them that must have depth in both


@dataclass(frozen=True)
class _Told:
    """Depth of an image whose scale was told."""

    depth: NDArray[np.float32]
    camera: Camera
    moment_ns: int


class CarriedScale:
    """
    Lets depth glide back to the network's own scale when nothing tells it any more.

    What the network errs in scale changes with the view. Of two images in a row it is the same,
    so the depth of the first, which had known ranges, tells how much it errs in the second.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._told: _Told | None = None
        self._log_factor: float | None = None  # None until an image comes that it is for
        self.factor = 1.0  # what the latest depth was multiplied by

    def keep(self, estimate: DepthEstimate, camera: Camera, moment_ns: int) -> None:
        """
        Take depth of an image with known ranges.

        :param camera: of the grid of the estimate.
        :param moment_ns: the stamp of the image.
        """
        self._told = _Told(estimate.depth[::STEP, ::STEP].copy(), camera, moment_ns)
        self._log_factor, self.factor = None, 1.0

    def apply(self, estimate: DepthEstimate, camera: Camera, moment_ns: int) -> DepthEstimate:
        """
        Return the estimate of an image without known ranges, nearer to the scale told before.

        Its sigma stays that of an unknown scale.
        """
        told = self._told
        if told is None:
            return estimate
        elapsed_s = (moment_ns - told.moment_ns) / 1e9
        share = math.exp(-elapsed_s / FADE_S)
        # Without stamps nothing would ever fade.
        if elapsed_s <= 0 or share < FORGOTTEN or told.camera != camera:
            self._told, self.factor = None, 1.0
            return estimate
        if self._log_factor is None:
            self._log_factor = (_log_ratio(told.depth, estimate.depth[::STEP, ::STEP])
                                if elapsed_s <= MAX_GAP_S else 0.0)
        self.factor = math.exp(share * self._log_factor)
        return estimate.scaled(self.factor)


def _log_ratio(told: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Return the median logarithm of how much larger depth was told than is estimated now."""
    with np.errstate(invalid='ignore', divide='ignore'):
        ratios = np.log(told / now)
    ratios = ratios[np.isfinite(ratios)]
    return float(np.median(ratios)) if len(ratios) >= LEAST_SHARE * told.size else 0.0
