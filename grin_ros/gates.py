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

"""Gates: depth and sigma in; depth out that says NaN, +Inf or -Inf where it must (REP-117)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FLYING_CONTRAST = 1.3  # near and far surface differ at least by this factor
FLYING_SHARE = 0.2  # closer than this share of the step to either surface belongs to it
FLYING_GROWTH = 1.5  # a slope grows with the window, the step at an edge does not
KERNEL = np.ones((5, 5), np.uint8)  # at least as wide as an upsampled edge


def apply_gates(depth: NDArray[np.float32], sigma: NDArray[np.float32] | None, min_depth: float,
                max_depth: float, max_sigma: float = 0.0, edge_gate: bool = False
                ) -> NDArray[np.float32]:
    """
    Return gated depth: NaN cannot tell, +Inf beyond max_depth or sky, -Inf below min_depth.

    :param depth: (H, W) z [m]; +Inf for sky, NaN where there is no ray.
    :param sigma: (H, W) standard deviation of depth [m]; needed for max_sigma.
    :param max_sigma: largest sigma as a share of depth, 0 for any.
    :param edge_gate: drop pixels that float between a near and a far surface.
    """
    with np.errstate(invalid='ignore'):
        gated = np.where(depth > max_depth, np.float32(np.inf), depth)
        np.copyto(gated, -np.inf, where=depth < min_depth)
        # Uncertainty wins over range: a wall that may be anywhere must not clear a costmap.
        if max_sigma > 0 and sigma is not None:
            vague = sigma > np.float32(max_sigma) * depth
            np.copyto(gated, np.nan, where=vague & (depth < np.inf))
    if edge_gate:
        np.copyto(gated, np.nan, where=flying_pixels(depth))
    return gated


def flying_pixels(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """
    Return a mask of the pixels that lie on neither side of a depth edge.

    Inverse depth is linear on a plane, so on a slope, however steep, the span inside a window
    grows with the window. At an edge it does not, and what is in the middle floats.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = np.float32(1) / depth  # sky becomes 0
    cv2.patchNaNs(inverse, 0.0)
    near, far = cv2.dilate(inverse, KERNEL), cv2.erode(inverse, KERNEL)
    wide_near, wide_far = cv2.dilate(near, KERNEL), cv2.erode(far, KERNEL)
    candidates = near > far * np.float32(FLYING_CONTRAST)
    flying = np.zeros(depth.shape, np.bool_)
    # Edges are few: what follows is cheap on a list of pixels.
    picked = np.flatnonzero(candidates)
    inverse, near, far, wide_near, wide_far = (
        image.ravel()[picked] for image in (inverse, near, far, wide_near, wide_far))
    step = near - far
    margin = step * np.float32(FLYING_SHARE)
    flying.ravel()[picked] = ((inverse > far + margin) & (inverse < near - margin)
                              & (wide_near - wide_far < step * np.float32(FLYING_GROWTH)))
    return flying
