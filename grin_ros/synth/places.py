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

"""Places: a scene with the floor that its things take, for those who must stand between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from grin_ros.synth.scene import Scene


@dataclass
class Footprint:
    """Floor area taken by a thing: centre, half sizes and height [m]."""

    x: float
    z: float
    half_x: float
    half_z: float
    height: float

    def overlaps(self, other: Footprint) -> bool:
        """Return True when both take some of the same floor."""
        return (abs(self.x - other.x) < self.half_x + other.half_x
                and abs(self.z - other.z) < self.half_z + other.half_z)

    def holds(self, point: ArrayLike, margin: float) -> bool:
        """Return True when a point is inside the thing or nearer than margin [m]."""
        x, y, z = np.asarray(point).tolist()
        return (abs(x - self.x) < self.half_x + margin and abs(z - self.z) < self.half_z + margin
                and y < self.height + margin)


@dataclass
class Place:
    """
    A scene and what a camera must know to stand in it.

    :param size: of the room (x, y, z) [m]; of a street: road width, 0, length.
    :param taken: where things stand.
    :param spots: (x, y, z) worth a close look: table tops, and small things on the floor [m].
    """

    scene: Scene
    size: tuple[float, float, float]
    taken: list[Footprint] = field(default_factory=list)
    spots: list[tuple[float, float, float]] = field(default_factory=list)


def footprint(size: tuple[float, float, float], x: float, z: float, yaw: float) -> Footprint:
    """Return the floor area of a thing (width, height, depth) turned by yaw."""
    c, s = abs(np.cos(yaw)), abs(np.sin(yaw))
    return Footprint(x, z, (size[0] * c + size[2] * s) / 2,
                     (size[0] * s + size[2] * c) / 2, size[1])


def take(taken: list[Footprint], place: Footprint, room: tuple[float, float, float],
         under: Footprint | None = None) -> bool:
    """
    Take the floor for a thing if it is inside the room and free.

    :param under: what it may stand under in part, as a chair does.
    """
    free = (place.half_x + 0.02 < place.x < room[0] - place.half_x - 0.02
            and place.half_z + 0.02 < place.z < room[2] - place.half_z - 0.02
            and not any(place.overlaps(other) for other in taken if other is not under))
    if free:
        taken.append(place)
    return free
