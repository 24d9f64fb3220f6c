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

"""Streets: a random generator and furniture in, a road with all that stands along it out."""

from __future__ import annotations

import numpy as np

from grin_ros.synth import materials, outdoors
from grin_ros.synth.buildings import add_building, add_skyline
from grin_ros.synth.furniture import Furniture
from grin_ros.synth.places import Footprint, Place
from grin_ros.synth.roadside import (
    boundary,
    draw_layout,
    greenery,
    HALF_LENGTH,
    Layout,
    street_furniture,
    traffic,
)
from grin_ros.synth.scene import SceneBuilder
from grin_ros.synth.tables import Light, Sky


def build_street(rng: np.random.Generator, furniture: Furniture) -> Place:
    """Build a straight street along z with its cameras' stretch around z = 0."""
    builder, layout = SceneBuilder(rng), draw_layout(rng)
    taken: list[Footprint] = []
    _ground(builder, layout)
    for side in (-1, 1):
        _frontage(builder, layout, side)
        greenery(builder, layout, side, taken)
    add_skyline(builder, layout.road / 2 + layout.sidewalk + layout.setback, HALF_LENGTH)
    traffic(builder, layout, furniture, taken)
    street_furniture(builder, layout, furniture, taken)
    _daylight(builder)
    return Place(builder.build(), (layout.road, layout.sidewalk, 2 * HALF_LENGTH), taken)


def _ground(builder: SceneBuilder, layout: Layout) -> None:
    """Lay land, carriageways, marks, kerbs and pavements."""
    rng, reach, road = builder.rng, 500.0, layout.road
    land = outdoors.grass(rng) if rng.random() < 0.4 + layout.green / 2 else \
        outdoors.asphalt(rng) * rng.uniform(0.8, 1.3)
    scale = rng.uniform(4, 12)
    builder.quad((-reach, 0, -reach), (2 * reach, 0, 0), (0, 0, 2 * reach), builder.material(land),
                 (2 * reach / scale, 2 * reach / scale))
    tarmac = builder.material(outdoors.asphalt(rng), gloss=0.3 if rng.random() < 0.1 else 0)
    builder.quad((-road / 2, 0.02, -HALF_LENGTH), (road, 0, 0), (0, 0, 2 * HALF_LENGTH), tarmac,
                 (1, 2 * HALF_LENGTH / rng.uniform(8, 16)))
    for z, width in layout.crossings:
        builder.quad((-150, 0.015, z - width / 2), (300, 0, 0), (0, 0, width), tarmac, (20, 1))
    ink = builder.material(outdoors.worn_paint(rng))
    if rng.random() < 0.75:
        dash, gap = rng.uniform(1.5, 4.5), rng.uniform(2, 9)
        driven = road - (rng.integers(0, 3) * 2.0 if road > 9 else 0)  # the rest is for parking
        lanes = max(2, round(driven / rng.uniform(2.7, 3.7)))
        for lane in range(1, lanes):
            x = driven * (lane / lanes - 0.5)
            for z in np.arange(-HALF_LENGTH / 2, HALF_LENGTH / 2, dash + gap).tolist():
                builder.quad((x - 0.07, 0.03, z), (0.14, 0, 0), (0, 0, dash), ink)
    if rng.random() < 0.5:
        for side in (-1, 1):
            builder.quad((side * (road / 2 - 0.3) - 0.06, 0.03, -HALF_LENGTH), (0.12, 0, 0),
                         (0, 0, 2 * HALF_LENGTH), ink, (1, 200))
    if layout.crossings and rng.random() < 0.5:  # a zebra crossing before the side street
        z, width = layout.crossings[0]
        for x in np.arange(-road / 2 + 0.4, road / 2 - 0.6, 1.0).tolist():
            builder.quad((x, 0.03, z - width / 2 - 4), (0.5, 0, 0), (0, 0, 3), ink)
    if layout.sidewalk:
        kinds = ('tile', 'speckle', 'brick', 'clouds')
        paving = builder.material(materials.texture(rng, str(rng.choice(kinds))) * 0.5 + 0.25)
        kerb = builder.material(np.full(3, rng.uniform(0.45, 0.75)))
        for z0, z1 in _stretches(layout):
            for side in (-1, 1):
                x = side * (road / 2 + layout.sidewalk / 2)
                builder.box((x, 0.06, (z0 + z1) / 2), (layout.sidewalk, 0.12, z1 - z0), paving,
                            rng.uniform(1, 2.5))
                builder.box((side * (road / 2 + 0.06), 0.065, (z0 + z1) / 2),
                            (0.12, 0.13, z1 - z0), kerb)


def _stretches(layout: Layout) -> list[tuple[float, float]]:
    """Return the pieces of the street between its side streets."""
    edges = [-HALF_LENGTH]
    for z, width in sorted(layout.crossings):
        edges += [z - width / 2, z + width / 2]
    edges.append(HALF_LENGTH)
    return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if b - a > 1]


def _frontage(builder: SceneBuilder, layout: Layout, side: int) -> None:
    """Build one side of the street: houses, walls, fences and hedges."""
    rng = builder.rng
    border = layout.road / 2 + layout.sidewalk
    looks = rng.random() < 0.5
    z = -HALF_LENGTH + rng.uniform(0, 10)
    while z < HALF_LENGTH - 20:
        length = rng.uniform(7, 24)
        middle = z + length / 2
        if layout.clear_of_crossings(middle, length / 2):
            if rng.random() < layout.built:
                front = border + layout.setback + (0 if looks else rng.uniform(0, 3))
                add_building(builder, side, front, z, length, rng.random() < layout.house)
            if layout.setback > 2.5 and rng.random() < 0.6 and abs(middle) < 130:
                boundary(builder, layout, side, z, length)
        z += length + rng.choice([0.0, rng.uniform(1, 6)])


def _daylight(builder: SceneBuilder) -> None:
    """Hang sun and sky: clear with hard shadows, hazy, or overcast."""
    rng = builder.rng
    elevation, azimuth = rng.uniform(0.2, 1.25), rng.uniform(0, 2 * np.pi)
    toward = np.array([np.cos(elevation) * np.cos(azimuth), np.sin(elevation),
                       np.cos(elevation) * np.sin(azimuth)])
    overcast = rng.random() < 0.4
    soft = 0.8 if overcast else 0.02
    power = 0.5 if overcast else rng.uniform(2.0, 3.5)
    builder.lights.append(Light(toward, (soft, 0, 0), (0, 0, soft),
                                np.array([1, 0.95, 0.86]) * power, is_sun=True))
    builder.ambient = np.array([0.5, 0.54, 0.58]) * rng.uniform(0.8, 1.2)
    clouds = materials.fbm(rng, exponent=rng.uniform(1.2, 2.0)) * 0.5 + rng.uniform(-0.3, 0.5)
    if overcast:
        # A white sky is far brighter than the road: cameras let it burn out.
        builder.sky = Sky(np.array([0.9, 0.93, 0.98]) * rng.uniform(0.9, 2.2),
                          np.array([0.97, 0.98, 1.0]) * rng.uniform(1.1, 2.4), clouds, 0.3)
    else:
        builder.sky = Sky(np.array([0.22, 0.42, 0.9]) * rng.uniform(0.7, 1.3),
                          np.array([0.85, 0.93, 1.05]) * rng.uniform(0.8, 1.4), clouds,
                          rng.uniform(0, 1))
    builder.haze_m = rng.uniform(300, 3000)
