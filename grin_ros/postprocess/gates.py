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

EDGE = 1 + 1 / 4 + 1 / 16  # a factor in inverse depth that may be an edge
FLYING_SHARE = 0.2  # closer than this share of the step to either surface belongs to it
FLYING_GROWTH = 1.5  # a slope grows with the window, the step at an edge does not
CODES_PER_INVERSE_METRE = 6553.5  # so that 0.1 m is the largest code of 16 bits
ROUNDING = 2  # codes
REACH = 2  # [px] of the window around a pixel, at least that of an upsampled edge
KERNEL = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)


def apply_gates(depth: NDArray[np.float32], ray_z: NDArray[np.float32],
                sigma: NDArray[np.float32] | None, min_depth: float, max_depth: float,
                max_sigma: float = 0.0, edge_gate: bool = False) -> None:
    """
    Gate depth in place: NaN cannot tell, +Inf beyond max_depth or sky, -Inf below min_depth.

    :param depth: (H, W) z [m]; +Inf for sky, NaN where there is no ray. It is changed.
    :param ray_z: (H, W) z of the unit rays.
    :param sigma: (H, W) standard deviation of depth [m]; needed for max_sigma.
    :param max_sigma: largest sigma as a share of depth, 0 for any.
    :param edge_gate: drop pixels that float between a near and a far surface.
    """
    # Uncertainty wins over range: a wall that may be anywhere must not clear a costmap.
    unknown = []
    with np.errstate(invalid='ignore'):
        if max_sigma > 0 and sigma is not None:
            unknown.append((sigma > np.float32(max_sigma) * depth) & (depth < np.inf))
        if edge_gate:
            unknown.append(flying_pixels(depth))
        near = depth < min_depth
        if near.any():  # far to the side of a wide lens z is small, however far a thing is
            near &= depth < np.float32(min_depth) * ray_z
            np.copyto(depth, -np.inf, where=near)
        np.copyto(depth, np.inf, where=depth > max_depth)
    for mask in unknown:
        np.copyto(depth, np.nan, where=mask)


def flying_pixels(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """
    Return a mask of the pixels that lie on neither side of a depth edge.

    Inverse depth is linear on a plane, so on a slope, however steep, the span inside a window
    grows with the window. At an edge it does not, and what is in the middle floats.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        inverse = np.reciprocal(depth)
    # 16 bits halve the time of the windows. OpenCV's conversion saturates; NaN and sky become 0.
    codes = cv2.addWeighted(inverse, CODES_PER_INVERSE_METRE, inverse, 0, 0, dtype=cv2.CV_16U)
    near, far = cv2.dilate(codes, KERNEL), cv2.erode(codes, KERNEL)
    across = cv2.compare(near, cv2.addWeighted(far, EDGE, far, 0, 0), cv2.CMP_GT)
    # There are few: a list of pixels is cheap.
    picked = np.flatnonzero(across.view(np.bool_))
    codes, low, high = (image.ravel()[picked].astype(np.int32) for image in (codes, far, near))
    step = high - low
    margin = (step * FLYING_SHARE).astype(np.int32)
    inside = (codes > low + margin) & (codes < high - margin)
    picked, step = picked[inside], step[inside]
    # The window of twice the size is the union of four around the corners of the small one.
    height, width = depth.shape
    v, u = np.divmod(picked, width)
    corners = [np.clip(v + dv, 0, height - 1) * width + np.clip(u + du, 0, width - 1)
               for dv in (-REACH, REACH) for du in (-REACH, REACH)]
    growth = (np.max([near.ravel()[corner] for corner in corners], 0).astype(np.int32)
              - np.min([far.ravel()[corner] for corner in corners], 0))
    flying = np.zeros(depth.shape, np.bool_)
    # Beyond the image's border nothing grows: a plane is just at the limit there.
    flying.ravel()[picked] = growth + ROUNDING < step * FLYING_GROWTH
    return flying
