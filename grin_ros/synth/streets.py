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

from dataclasses import dataclass

import numpy as np

from grin_ros.synth import materials, outdoors
from grin_ros.synth.assets import Model
from grin_ros.synth.buildings import add_building, add_skyline
from grin_ros.synth.plants import grow_bush, grow_tree, plant_hedge
from grin_ros.synth.rooms import footprint, Footprint, Furniture, Place
from grin_ros.synth.scene import Light, SceneBuilder, Sky

HALF_LENGTH = 260.0  # m of road on either side of the cameras
MAX_FACES = 450_000


@dataclass(frozen=True)
class Layout:
    """
    Plan of a street along z [m].

    :param crossings: (z, width) of side streets.
    :param built: share of the length with buildings; green: share with plants.
    """

    road: float
    sidewalk: float
    setback: float
    crossings: tuple[tuple[float, float], ...]
    built: float
    green: float
    house: float

    def clear_of_crossings(self, z: float, half: float) -> bool:
        """Return True when z +- half meets no side street."""
        return all(abs(z - at) > half + width / 2 for at, width in self.crossings)


def draw_layout(rng: np.random.Generator) -> Layout:
    """Draw a city street, a suburb or a country road."""
    kind = rng.choice(3, p=[0.4, 0.38, 0.22])
    crossings = tuple((float(rng.choice([-1, 1]) * rng.uniform(12, 120)), rng.uniform(5, 9))
                      for _ in range(rng.integers(0, 4)))
    return Layout(
        road=rng.uniform(6, 14) if kind < 2 else rng.uniform(5.5, 9),
        sidewalk=(rng.uniform(1.5, 4), rng.uniform(1, 2.5), 0.0)[kind],
        setback=(rng.uniform(0, 3), rng.uniform(3, 9), rng.uniform(8, 25))[kind],
        crossings=crossings, built=(0.9, 0.7, 0.12)[kind],
        green=(rng.uniform(0, 0.5), rng.uniform(0.3, 0.9), rng.uniform(0.4, 1.0))[kind],
        house=(0.1, 0.8, 0.7)[kind])


def build_street(rng: np.random.Generator, furniture: Furniture) -> Place:
    """Build a straight street along z with its cameras' stretch around z = 0."""
    builder, layout = SceneBuilder(rng), draw_layout(rng)
    taken: list[Footprint] = []
    _ground(builder, layout)
    for side in (-1, 1):
        _frontage(builder, layout, side)
        _greenery(builder, layout, side, taken)
    add_skyline(builder, layout.road / 2 + layout.sidewalk + layout.setback, HALF_LENGTH)
    _traffic(builder, layout, furniture, taken)
    _street_furniture(builder, layout, furniture, taken)
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
        dash, gap = rng.uniform(1.5, 4), rng.uniform(2, 8)
        lanes = 2 if road < 9 else int(rng.integers(2, 5))
        for lane in range(1, lanes):
            x = road * (lane / lanes - 0.5)
            for z in np.arange(-HALF_LENGTH / 2, HALF_LENGTH / 2, dash + gap):
                builder.quad((x - 0.07, 0.03, z), (0.14, 0, 0), (0, 0, dash), ink)
    if rng.random() < 0.5:
        for side in (-1, 1):
            builder.quad((side * (road / 2 - 0.3) - 0.06, 0.03, -HALF_LENGTH), (0.12, 0, 0),
                         (0, 0, 2 * HALF_LENGTH), ink, (1, 200))
    if layout.crossings and rng.random() < 0.5:  # a zebra crossing before the side street
        z, width = layout.crossings[0]
        for x in np.arange(-road / 2 + 0.4, road / 2 - 0.6, 1.0):
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
                _boundary(builder, layout, side, z, length)
        z += length + rng.choice([0.0, rng.uniform(1, 6)])


def _boundary(builder: SceneBuilder, layout: Layout, side: int, z: float, length: float) -> None:
    """Close a front garden with a hedge, a wall or a fence."""
    rng = builder.rng
    x = side * (layout.road / 2 + layout.sidewalk + 0.4)
    height = rng.uniform(0.6, 1.9)
    choice = rng.random()
    if choice < 0.4:
        plant_hedge(builder, np.array([x, 0, z]), np.array([x, 0, z + length - 3]),
                    rng.uniform(0.5, 1), height)
    elif choice < 0.7:
        builder.box((x, height / 2, z + length / 2 - 1.5), (0.25, height, length - 3),
                    builder.material(outdoors.wall(rng)), 1.5)
    else:
        look = builder.material(materials.color(rng, (0.2, 0.95), (0, 0.4)))
        for at in np.arange(z, z + length - 3, 0.3 if abs(z) < 40 else 1.0):
            builder.box((x, height / 2, at), (0.04, height, 0.1), look)
        for y in (0.3 * height, 0.85 * height):
            builder.box((x, y, z + length / 2 - 1.5), (0.05, 0.08, length - 3), look)


def _greenery(builder: SceneBuilder, layout: Layout, side: int, taken: list[Footprint]) -> None:
    """Plant an avenue, single trees and bushes."""
    rng = builder.rng
    trees = [grow_tree(builder) for _ in range(2)]
    bushes = [grow_bush(builder) for _ in range(2)]
    edge = layout.road / 2
    avenue = rng.random() < layout.green
    spacing = rng.uniform(6, 14)
    for z in np.arange(-HALF_LENGTH, HALF_LENGTH, spacing):
        at_z = z + rng.normal(0, 0.3)
        if avenue and rng.random() < 0.85 and layout.clear_of_crossings(at_z, 2):
            x = side * (edge + (max(layout.sidewalk - 0.7, 0.6) if layout.sidewalk else 1.8))
            trees[0].place(builder, x, at_z, rng.uniform(4.5, 11), rng.uniform(0, 6.3))
            taken.append(Footprint(x, at_z, 0.25, 0.25, 3))
    for _ in range(int(layout.green * rng.uniform(5, 60))):
        x = side * (edge + layout.sidewalk + 1.5 + rng.exponential(14))
        at_z = rng.uniform(-200, 200)
        if layout.clear_of_crossings(at_z, 2):
            trees[rng.integers(2)].place(builder, x, at_z, rng.uniform(3, 16), rng.uniform(0, 6.3))
    for _ in range(int(layout.green * rng.uniform(5, 40))):
        x = side * (edge + layout.sidewalk + 0.9 + rng.exponential(5))
        at_z = rng.normal(0, 40)
        if layout.clear_of_crossings(at_z, 2):
            bushes[rng.integers(2)].place(builder, x, at_z, rng.uniform(0.5, 2.2),
                                          rng.uniform(0, 6.3))


def _traffic(builder: SceneBuilder, layout: Layout, furniture: Furniture,
             taken: list[Footprint]) -> None:
    """Park cars along the kerbs and let some drive."""
    rng = builder.rng
    vehicles = [m for m in furniture.by_category.get('Vehicles', [])
                if 2.4 < m.size[2] < 17 and 1.4 < m.size[0] < 3.2 and m.size[1] > 1.1]
    cars = [m for m in vehicles if m.size[2] < 6]
    if not cars:
        return
    fleet = [cars[rng.integers(len(cars))] for _ in range(5)]  # meshes repeat, colours do not
    for side in (-1, 1):
        share = rng.choice([0.0, rng.uniform(0.1, 1.0)])
        z = -70.0 + rng.uniform(0, 6)
        while z < 110:
            car = fleet[rng.integers(len(fleet))]
            if rng.random() < share and layout.clear_of_crossings(z, 3.5):
                x = side * (layout.road / 2 - car.size[0] / 2 - rng.uniform(0.1, 0.4))
                _place(builder, car, x, z, rng.integers(2) * np.pi + rng.normal(0, 0.03), 0.02,
                       taken)
            z += rng.uniform(5.2, 8)
    for _ in range(rng.integers(0, 9)):
        car = fleet[rng.integers(len(fleet))] if rng.random() < 0.8 else \
            vehicles[rng.integers(len(vehicles))]
        side = rng.choice([-1, 1])  # they keep to the right
        x = side * rng.uniform(0.16, 0.3) * layout.road
        _place(builder, car, x, rng.uniform(-70, 140), 0 if side < 0 else np.pi, 0.02, taken)


def _street_furniture(builder: SceneBuilder, layout: Layout, furniture: Furniture,
                      taken: list[Footprint]) -> None:
    """Add lamp posts, signs, bins, benches, people, bicycles."""
    rng = builder.rng
    edge = layout.road / 2
    steel = builder.material(materials.color(rng, (0.2, 0.7), (0, 0.2)))
    post_m, spacing = rng.uniform(4, 9), rng.uniform(18, 40)
    if rng.random() < 0.75:
        side = rng.choice([-1, 1])
        for z in np.arange(-150, 200, spacing):
            x = side * (edge + 0.4)
            builder.box((x, post_m / 2, z), (0.13, post_m, 0.13), steel)
            builder.box((x - side * 0.7, post_m, z), (1.5, 0.1, 0.2), steel)
            taken.append(Footprint(x, z, 0.1, 0.1, post_m))
    for _ in range(rng.integers(0, 10)):
        x, z = rng.choice([-1, 1]) * (edge + 0.45), rng.uniform(-60, 100)
        tall, width = rng.uniform(2, 3.2), rng.uniform(0.35, 0.9)
        builder.box((x, tall / 2, z), (0.07, tall, 0.07), steel)
        face = materials.picture(rng) if rng.random() < 0.3 else \
            materials.color(rng, (0.4, 1), (0.4, 1))
        builder.box((x, tall - width / 2, z), (width, width * rng.uniform(0.6, 1.3), 0.03),
                    builder.material(face), width)
    outside = [m for m in furniture.by_category.get('Exterior', [])
               if 0.4 < m.longest < 5 and len(m.mesh.triangles) < 20_000 and m.elevation < 0.3]
    standing = [m for m in furniture.people if m.size[1] > 1.5 and m.longest < 2]
    cycles = [m for m in furniture.by_category.get('Vehicles', []) if m.size[2] <= 2.4]
    for models, most in ((outside, 8), (standing, 8), (cycles, 4)):
        for _ in range(rng.integers(0, most + 1) if models else 0):
            model = models[rng.integers(len(models))]
            x = rng.choice([-1, 1]) * (edge + rng.uniform(0.5, max(layout.sidewalk, 1.5)))
            if models is standing and rng.random() < 0.2:
                x = rng.uniform(-edge, edge)
            _place(builder, model, x, rng.normal(10, 25), rng.uniform(0, 2 * np.pi),
                   0.12 if abs(x) > edge and layout.sidewalk else 0.02, taken)


def _place(builder: SceneBuilder, model: Model, x: float, z: float, yaw: float, y: float,
           taken: list[Footprint]) -> None:
    """Stand a model where there is room for it."""
    place = footprint(model, x, z, yaw)
    if builder.face_count < MAX_FACES and not any(place.overlaps(other) for other in taken):
        taken.append(place)
        builder.model(model, (x, y, z), yaw, recolor=0.5)


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
        builder.sky = Sky(np.array([0.8, 0.84, 0.9]) * rng.uniform(0.9, 1.4),
                          np.array([0.95, 0.96, 1.0]) * rng.uniform(1.0, 1.5), clouds, 0.3)
    else:
        builder.sky = Sky(np.array([0.22, 0.42, 0.9]) * rng.uniform(0.7, 1.3),
                          np.array([0.85, 0.93, 1.05]) * rng.uniform(0.8, 1.4), clouds,
                          rng.uniform(0, 1))
    builder.haze_m = rng.uniform(300, 3000)
