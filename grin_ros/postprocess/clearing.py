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


"""Clearing: depth and its spread in; how near the surface may be, and what is free before it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from grin_ros.postprocess.pointcloud import CloudGrid

Array = NDArray[np.float32]

# Errors of log range follow a Laplace distribution; a tenth of them lies this many standard
# deviations below the median.
TENTH = math.log(5) / math.sqrt(2)


def near_depth(depth: Array, spread: Array) -> Array:
    """
    Return the 10th percentile of depth [m]; NaN, +Inf and -Inf stay.

    :param depth: (H, W) z [m].
    :param spread: (H, W) standard deviation as a share of depth.
    """
    near = depth * np.exp(np.float32(-TENTH) * spread)
    return np.where(np.isfinite(depth), near, depth).astype(np.float32, copy=False)


def clearing_points(grid: CloudGrid, depth: Array, spread: Array, shape_spread: Array,
                    max_depth: float, far_range: float, max_spread: float) -> Array:
    """
    Return (N, 3) ends of the rays along which a map may be cleared [m].

    A ray ends at the 10th percentile of its depth or at ``far_range``, whichever is nearer. An
    error of the frame's scale moves what marks as it moves what clears, so it shortens no ray:
    else the floor behind an obstacle that is gone would not clear its foot.
    Unknown depth (NaN), what is too near (-Inf), and what is doubtful give no ray.

    :param depth: (H, W) gated z [m]; +Inf beyond ``max_depth`` and in the sky.
    :param spread: (H, W) standard deviation as a share of depth.
    :param shape_spread: (H, W) of it, what is not the frame's scale.
    :param far_range: longest ray [m].
    :param max_spread: largest spread of a ray that clears.
    """
    z, spread, shape_spread = (picture[::grid.stride, ::grid.stride]
                               for picture in (depth, spread, shape_spread))
    clears = (z > 0) & (spread <= max_spread)  # False for NaN
    # What is beyond max_depth is at least there.
    z = near_depth(np.minimum(z, np.float32(max_depth)), shape_spread)
    distance = z * grid.stretch
    clears &= distance > 0  # NaN without a ray
    with np.errstate(divide='ignore', invalid='ignore'):
        z = z * np.minimum(1, np.float32(far_range) / distance)
    ends = np.stack([grid.slope_x * z, grid.slope_y * z, z], -1)
    return ends[clears]
