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

"""Sample: one image with its camera and the ranges known in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera


@dataclass(frozen=True)
class Sample:
    """
    What every dataset reader yields.

    :param image: (H, W, 3) uint8 RGB.
    :param range_m: (H, W) float32 range along the ray [m]; NaN unknown, +Inf sky.
    :param camera: the camera of this image.
    :param meta: source, kind of world, seed and whatever a report wants to group by.
    """

    image: NDArray[np.uint8]
    range_m: NDArray[np.float32]
    camera: Camera
    meta: dict[str, Any] = field(default_factory=dict)


def evenly(total: int, count: int) -> list[int]:
    """Return at most count of total indices, spread from the first to the last."""
    if not total:
        return []
    return [int(index) for index in np.unique(np.linspace(0, total - 1, count).astype(int))]
