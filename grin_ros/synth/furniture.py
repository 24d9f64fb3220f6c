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

"""Furniture: the library of models sorted by what a room needs, and what one room has of it."""

from __future__ import annotations

import numpy as np

from grin_ros.synth.assets import Model

OFFICE = ('Book', 'Coffee mug', 'Coffee cup', 'Desk lamp', 'Mobile phone', 'Headphones', 'Glasses',
          'Wireless phone', 'Little plant')
# What rooms are for, and how often: the library's categories; '' has something of everything.
ROOMS = {'Living room': 0.28, 'Bedroom': 0.13, 'Kitchen': 0.14, 'Bathroom': 0.06, 'Office': 0.24,
         '': 0.15}
INDOORS = (*ROOMS, 'Miscellaneous')
# Low things of kitchens and offices stand on worktops and tables, but for these.
FLOOR = ('table', 'chair', 'cabinet', 'safe', 'basket', 'propane')
# Shares of the library in one room: of its own category, of others, and of all if it has none.
OWN, STRAY, ANY = 0.5, 0.08, 0.2


class Furniture:
    """The library sorted by what a room needs."""

    def __init__(self, library: list[Model]) -> None:
        """Sort the library once; worlds share the result."""
        self.room = ''
        self.by_category: dict[str, list[Model]] = {}
        for model in library:
            self.by_category.setdefault(model.category, []).append(model)
        self.small = [m for m in library if m.longest < 0.5 and not m.door_or_window
                      and m.elevation < 0.05]
        self.floor = [m for m in library
                      if m.category in INDOORS and 0.4 <= m.longest < 3.2 and m.size[1] < 2.3
                      and m.elevation < 0.3 and not m.door_or_window]
        self.counter = [m for m in self.floor if m.category in ('Kitchen', 'Office')
                        and 0.1 < m.size[1] < 0.5
                        and not any(word in m.name.lower() for word in (*FLOOR, 'hood'))]
        # Hobs and hoods are parts of kitchens: they lie on no floor.
        self.floor = [m for m in self.floor if m not in self.counter and not (
            m.category == 'Kitchen' and (m.size[1] < 0.1 or 'hood' in m.name.lower()))]
        self.tables = [m for m in self.floor if m.size[1] < 1.1
                       and any(word in m.name.lower() for word in ('table', 'desk'))]
        self.flat = [m for m in self.floor if m.size[1] > 0.3 and has_flat_top(m)]
        self.office = [m for m in self.small if m.category == 'Office' or m.name in OFFICE]
        self.chairs = [m for m in self.floor if 'chair' in m.name.lower()
                       and max(m.size[0], m.size[2]) < 0.72 and 0.7 < m.size[1] < 1.1]
        self.sofas = [m for m in self.floor if any(
            word in m.name.lower() for word in ('sofa', 'couch', 'armchair')) and m.size[1] < 1.1]
        self.people = self.by_category.get('Characters', [])

    def of_a_room(self, rng: np.random.Generator) -> Furniture:
        """
        Return what one room has: things that go together, and few, so that some are there twice.

        Half of one category, a few strays, and one model of chair or two.
        """
        chosen = Furniture([])
        chosen.room = str(rng.choice(list(ROOMS), p=list(ROOMS.values())))
        chosen.people = self.people

        def some(models: list[Model]) -> list[Model]:
            shares = [ANY if not chosen.room else OWN if model.category == chosen.room else STRAY
                      for model in models]
            drawn = rng.random(len(models))
            return [model for model, x, share in zip(models, drawn, shares, strict=True)
                    if x < share]

        chosen.small, chosen.floor = some(self.small), some(self.floor)
        chosen.counter = some(self.counter)
        chosen.chairs, chosen.sofas = some(self.chairs), some(self.sofas)
        if len(chosen.chairs) > 2:
            chosen.chairs = [pick(rng, chosen.chairs) for _ in range(2)]
        there = {id(model) for model in chosen.floor}
        chosen.tables = [model for model in self.tables if id(model) in there]
        chosen.flat = [model for model in self.flat if id(model) in there]
        chosen.office = self.office
        return chosen

    def draw(self, rng: np.random.Generator) -> Model | None:
        """Return a piece for the floor, a table more often than chance would."""
        if rng.random() < 0.03 and self.people:
            return pick(rng, self.people)
        if rng.random() < 0.25 and self.tables:
            return pick(rng, self.tables)
        return pick(rng, self.floor) if self.floor else None


def has_flat_top(model: Model) -> bool:
    """Tell whether things can lie on a model: most of its outline is covered near its top."""
    corners = model.mesh.triangles
    top = corners[(corners[..., 1] > model.size[1] - 0.03).all(1)]
    a, b = top[:, 1] - top[:, 0], top[:, 2] - top[:, 0]
    area = np.abs(a[:, 0] * b[:, 2] - a[:, 2] * b[:, 0]).sum() / 2
    return bool(model.size[1] < 1.2 and area > 0.7 * model.size[0] * model.size[2])


def few(rng: np.random.Generator, most: int) -> int:
    """
    Return 1..most, few as likely as many: of 15 things one or two a third of the time.

    Were things always as close together, how many are seen would tell how far they are.
    """
    return int((most + 1) ** rng.random())


def pick(rng: np.random.Generator, models: list[Model]) -> Model:
    """Return one of the models."""
    return models[rng.integers(len(models))]
