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

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera

# A robot at 0.3 m/s has another view after 1.5 m, of whose scale the old one says little: of what
# the network erred, 0.75 is left after 1 s, 0.67 after 2 s, 0.39 after 4 s and 0.32 after 5 s.
FADE_S = 5.0
FORGOTTEN = 0.02  # of what was told, from where on it is nothing
MAX_GAP_S = 0.5  # between two images that may show the same
STEP = 8  # [px] between the pixels that are compared
LEAST_SHARE = 0.25  # of them that must have depth in both
# Two images that show the same differ by one factor, which is no large one: half of the pixels
# agree within SPREAD [nats]. What came near meanwhile is not moved away by more than LIMIT.
SPREAD = 0.5
LIMIT = 0.4


@dataclass(frozen=True)
class _Told:
    """Depth of an image whose scale was told; alone when that of none shortly before was."""

    depth: NDArray[np.float32]
    camera: Camera
    moment_ns: int
    alone: bool


class CarriedScale:
    """
    Lets depth glide back to the network's own scale when nothing tells it any more.

    What the network errs in scale changes with the view. Of two images in a row it is the same,
    so the depth of the first, which had known ranges, tells how much it errs in the second. One
    range between images without any may be an echo: it tells its own image and no other.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._told: _Told | None = None
        self._log_factor: float | None = None  # None until an image comes that it is for
        self.factor: float | None = None  # of the latest depth; None when nothing told it

    def keep(self, depth: NDArray[np.float32], camera: Camera, moment_ns: int) -> None:
        """
        Take depth of an image with known ranges.

        :param depth: (H, W) z [m].
        :param camera: of its grid.
        :param moment_ns: the stamp of the image.
        """
        before = self._told
        alone = before is None or not 0 < moment_ns - before.moment_ns <= MAX_GAP_S * 1e9
        self._told = _Told(depth[::STEP, ::STEP].copy(), camera, moment_ns, alone)
        self._log_factor = self.factor = None

    def blend(self, depth: NDArray[np.float32], camera: Camera, moment_ns: int,
              otherwise: float = 1.0) -> float:
        """
        Return what the depth of an image without known ranges is to be multiplied by.

        :param depth: as the network says.
        :param otherwise: the factor when nothing was told, and after some time.
        """
        self.factor, told = None, self._told
        if told is None:
            return otherwise
        elapsed_s = (moment_ns - told.moment_ns) / 1e9
        if -MAX_GAP_S < elapsed_s <= 0:  # out of order, or without a stamp
            return otherwise
        latest_s = MAX_GAP_S if self._log_factor is None else FADE_S * math.log(1 / FORGOTTEN)
        if told.alone or not 0 < elapsed_s <= latest_s or not told.camera.same_lens(camera):
            self._told = None
            return otherwise
        if self._log_factor is None:
            self._log_factor = log_ratio(told.depth, depth[::STEP, ::STEP], SPREAD)
        if self._log_factor is None:  # it is not the same that is seen
            self._told = None
            return otherwise
        share = math.exp(-elapsed_s / FADE_S)
        self.factor = math.exp(share * self._log_factor) * otherwise ** (1 - share)
        return self.factor


def log_ratio(told: NDArray[np.float32], now: NDArray[np.float32], spread: float
              ) -> float | None:
    """
    Return the logarithm of how much larger depth was told than is said now, LIMIT at most.

    :param told: (h, w) depth, of which other sizes than that of now are another view.
    :param spread: of half of the ratios [nats] that is still one factor.
    :returns: None when it is none: something else is seen.
    """
    if told.shape != now.shape:
        return None
    with np.errstate(invalid='ignore', divide='ignore'):
        ratios = np.log(told / now)
    ratios = ratios[np.isfinite(ratios)]
    if len(ratios) < LEAST_SHARE * told.size:
        return None
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    return float(np.clip(middle, -LIMIT, LIMIT)) if high - low < spread else None
