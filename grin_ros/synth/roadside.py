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

"""Roadside: the plan of a street in; plants, traffic and what stands on pavements out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grin_ros.synth import materials, outdoors
from grin_ros.synth.assets import Model
from grin_ros.synth.furniture import Furniture
from grin_ros.synth.places import Footprint, footprint
from grin_ros.synth.plants import grow_bush, grow_tree, plant_hedge
from grin_ros.synth.scene import SceneBuilder

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


def boundary(builder: SceneBuilder, layout: Layout, side: int, z: float, length: float) -> None:
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
                    builder.material(outdoors.wall(rng)), 6)
    else:
        look = builder.material(materials.color(rng, (0.2, 0.95), (0, 0.4)))
        for at in np.arange(z, z + length - 3, 0.3 if abs(z) < 40 else 1.0).tolist():
            builder.box((x, height / 2, at), (0.04, height, 0.1), look)
        for y in (0.3 * height, 0.85 * height):
            builder.box((x, y, z + length / 2 - 1.5), (0.05, 0.08, length - 3), look)


def greenery(builder: SceneBuilder, layout: Layout, side: int, taken: list[Footprint]) -> None:
    """Plant an avenue, single trees and bushes."""
    rng = builder.rng
    trees = [grow_tree(builder) for _ in range(2)]
    bushes = [grow_bush(builder) for _ in range(2)]
    edge = layout.road / 2
    avenue = rng.random() < layout.green
    spacing, age = rng.uniform(6, 14), rng.uniform(5, 15)  # trees of an avenue are of one age
    for z in np.arange(-HALF_LENGTH, HALF_LENGTH, spacing).tolist():
        at_z = z + rng.normal(0, 0.3)
        if avenue and rng.random() < 0.85 and layout.clear_of_crossings(at_z, 2):
            x = side * (edge + (max(layout.sidewalk - 0.7, 0.6) if layout.sidewalk else 1.8))
            trees[0].place(builder, x, at_z, age * rng.uniform(0.75, 1.25), rng.uniform(0, 6.3))
            taken.append(Footprint(x, at_z, 0.25, 0.25, 3))
    for _ in range(int(layout.green * rng.uniform(5, 60))):
        x = side * (edge + layout.sidewalk + 1.5 + rng.exponential(14))
        at_z = rng.uniform(-200, 200)
        if layout.clear_of_crossings(at_z, 2):
            trees[rng.integers(2)].place(builder, x, at_z, rng.uniform(3, 20), rng.uniform(0, 6.3))
    if rng.random() < 0.3 * layout.green:  # the edge of a wood
        for z in np.arange(-HALF_LENGTH, HALF_LENGTH, rng.uniform(2.5, 5)).tolist():
            x = side * (edge + layout.sidewalk + layout.setback + rng.uniform(0, 7))
            if layout.clear_of_crossings(z, 2):
                trees[rng.integers(2)].place(builder, x, z, rng.uniform(6, 20),
                                             rng.uniform(0, 6.3))
    for _ in range(int(layout.green * rng.uniform(5, 40))):
        x = side * (edge + layout.sidewalk + 0.9 + rng.exponential(5))
        at_z = rng.normal(0, 40)
        if layout.clear_of_crossings(at_z, 2):
            bushes[rng.integers(2)].place(builder, x, at_z, rng.uniform(0.5, 2.2),
                                          rng.uniform(0, 6.3))


def traffic(builder: SceneBuilder, layout: Layout, furniture: Furniture,
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


def street_furniture(builder: SceneBuilder, layout: Layout, furniture: Furniture,
                     taken: list[Footprint]) -> None:
    """Add lamp posts, signs, bins, benches, people, bicycles."""
    rng = builder.rng
    edge = layout.road / 2
    steel = builder.material(materials.color(rng, (0.2, 0.7), (0, 0.2)))
    post_m, spacing = rng.uniform(4, 11), rng.uniform(18, 40)
    if rng.random() < 0.75:
        side = rng.choice([-1, 1])
        for z in np.arange(-150, 200, spacing).tolist():
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
    place = footprint(model.size, x, z, yaw)
    if builder.face_count < MAX_FACES and not any(place.overlaps(other) for other in taken):
        taken.append(place)
        builder.model(model, (x, y, z), yaw, recolor=0.5)
