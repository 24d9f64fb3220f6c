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

"""Windows light the room they belong to, and keep to the wall they are set into."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.windows import add_window

# Four walls of a room: where a window begins, along the wall and into the room.
WALLS = [((1, 1, 0), (1, 0, 0), (0, 0, 1)), ((4, 1, 1), (0, 0, 1), (-1, 0, 0)),
         ((3, 1, 5), (-1, 0, 0), (0, 0, -1)), ((0, 1, 4), (0, 0, -1), (1, 0, 0))]


def window(wall, daylight: float, seed: int = 0) -> tuple[SceneBuilder, np.ndarray]:
    """Return a builder with a window of 1.5 x 1.2 m, and the corners of its faces, by the wall."""
    builder = SceneBuilder(np.random.default_rng(seed))
    origin, along, inward = (np.array(part, float) for part in wall)
    add_window(builder, origin, along, inward, (1.5, 1.2), daylight)
    corners = np.concatenate(builder._triangles).reshape(-1, 3) - origin
    return builder, corners @ np.stack([along, (0, 1, 0), inward], 1)


@pytest.mark.parametrize('wall', WALLS)
def test_daylight_falls_into_the_room(wall) -> None:
    """The light of a window shines inwards on all four walls, and at night there is none."""
    builder, _ = window(wall, 4.0)
    light, = builder.lights
    assert np.cross(light.edge_a, light.edge_b) @ wall[2] == pytest.approx(1.5 * 1.2)
    middle = np.array(wall[0]) + 0.75 * np.array(wall[1]) + (0, 0.6, 0) + 0.1 * np.array(wall[2])
    np.testing.assert_allclose(light.position, middle)
    assert not window(wall, 0.05)[0].lights


@pytest.mark.parametrize('wall', WALLS)
def test_a_window_keeps_to_its_wall(wall) -> None:
    """Frame, sill, curtains and radiator: near the wall, not behind it, none below the floor."""
    reach = np.array([window(wall, 4.0, seed)[1] for seed in range(40)], dtype=object)
    for corners in reach:
        assert corners[:, 2].min() > -0.04 and corners[:, 2].max() < 0.3
        assert corners[:, 0].min() > -0.1 and corners[:, 0].max() < 1.6
        assert corners[:, 1].min() > -1 and corners[:, 1].max() < 1.5
    assert {len(corners) > 400 for corners in reach} == {True, False}  # with curtains, and without
    lowest = np.array([corners[:, 1].min() for corners in reach])
    assert (lowest < -0.8).any() and (lowest > -0.3).any()  # radiators, and none
