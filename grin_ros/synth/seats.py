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

"""Seats: a table in, the chairs around it or the sofas before it out."""

from __future__ import annotations

import numpy as np

from grin_ros.synth.furniture import Furniture, pick
from grin_ros.synth.places import Footprint, footprint, take
from grin_ros.synth.scene import rotation_y, SceneBuilder

Size = tuple[float, float, float]


def seat(builder: SceneBuilder, furniture: Furniture, table: Size,
         pose: tuple[float, float, float], room: Size, taken: list[Footprint]) -> None:
    """
    Stand chairs of one model around a table, or sofas before a low one, where there is room.

    :param table: its size (width, height, depth) [m].
    :param pose: x, z [m] and yaw [rad] of the table.
    :param room: its size (x, y, z) [m].
    :param taken: where things stand, the table last.
    """
    rng = builder.rng
    low = table[1] < 0.6
    models = furniture.sofas if low else furniture.chairs
    if not models or table[1] > 0.95 or rng.random() < 0.25:
        return
    model, under = pick(rng, models), taken[-1]
    present, looks = rng.uniform(0.3, 1.0), None
    for side in range(4):  # at +z, +x, -z and -x of the table
        length, depth = (table[0], table[2]) if side % 2 == 0 else (table[2], table[0])
        count = max(1, int(length / (model.size[0] + 0.08)))
        for number in range(count):
            if rng.random() > present:
                continue
            reach = model.size[2] / 2
            reach += rng.uniform(0.25, 0.5) if low else -rng.uniform(-0.1, 0.7) * reach
            along = ((number + 0.5) / count - 0.5) * length
            facing = side * np.pi / 2
            offset = rotation_y(facing) @ np.array([along, 0, depth / 2 + reach])
            x, _, z = np.array([pose[0], 0, pose[1]]) + rotation_y(pose[2]) @ offset
            yaw = pose[2] + facing + np.pi + rng.normal(0, 0.05 if low else 0.2)
            if take(taken, footprint(model.size, x, z, yaw), room, under):
                looks = builder.model(model, (x, 0, z), yaw, looks=looks)
