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

"""Lathe: an outline in; the surface that it sweeps about the vertical out."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SIDES = 16


def lathe(outline: ArrayLike, sides: int = SIDES,
          ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Turn an outline about the vertical.

    :param outline: (n, 2) radius and height [m], from the bottom up.
    :returns: triangles (m, 3, 3) and their uvs (m, 3, 2), which run once around and once up.
    """
    radius, height = np.asarray(outline, np.float64).T
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    rings = np.stack([radius[:, None] * np.cos(angle), height[:, None] + 0 * angle,
                      radius[:, None] * np.sin(angle)], -1)
    along = np.concatenate([[0], np.hypot(np.diff(radius), np.diff(height)).cumsum()])
    uv = np.stack(np.broadcast_arrays(angle / (2 * np.pi), along[:, None] / along[-1]), -1)
    corners = [[0, 1, 2], [0, 2, 3]]

    def faces(grid: NDArray) -> NDArray:
        quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], 2)
        return quads.reshape(-1, 4, grid.shape[-1])[:, corners].reshape(-1, 3, grid.shape[-1])

    return faces(rings), faces(uv)
