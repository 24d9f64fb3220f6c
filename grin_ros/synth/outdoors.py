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

"""Procedural outdoor surfaces: asphalt, facades, roofs, grass and leaves, as sRGB textures."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.synth.materials import color, fbm, mix, SIZE, texture


def asphalt(rng: np.random.Generator) -> NDArray:
    """Return a worn carriageway (512 px): wheel tracks, patches, cracks, a manhole cover."""
    size = 512
    grey = rng.uniform(0.22, 0.55) * (1 + rng.uniform(-0.04, 0.04, 3))
    shade = 1 + 0.1 * rng.standard_normal((size, size)) * rng.uniform(0.3, 1)
    shade += rng.uniform(0.02, 0.08) * fbm(rng, size, 1.4)
    across = np.linspace(0, 4 * np.pi, size)  # two lanes with two wheel tracks each
    shade += rng.uniform(-0.1, 0.1) * np.cos(2 * across)[None]
    road = np.ones((size, size, 3)) * grey * shade[..., None]
    for _ in range(rng.integers(0, 5)):
        x, y, w, h = (int(value) for value in rng.integers(16, size // 3, 4) * (2, 2, 1, 1))
        road[y:y + h, x:x + w] *= rng.uniform(0.7, 1.25)
    for _ in range(rng.integers(0, 9)):
        steps = rng.normal(0, 10, (rng.integers(5, 40), 2)) + rng.normal(0, 8, 2)
        line = (np.cumsum(steps, 0) + rng.integers(0, size, 2)).astype(np.int32)
        cv2.polylines(road, [line], False, (grey * rng.uniform(0.4, 0.8)).tolist())
    if rng.random() < 0.4:
        x, y = (int(value) for value in rng.integers(40, size - 40, 2))
        cv2.circle(road, (x, y), 18, (grey * rng.uniform(0.5, 1.2)).tolist(), -1)
    return np.clip(road, 0, 1)


def grass(rng: np.random.Generator) -> NDArray:
    """Return a lawn, a field or bare earth."""
    live = np.array([0.33, 0.42, 0.17]) * rng.uniform(0.6, 1.5, 3)
    dry = np.array([0.55, 0.48, 0.3]) * rng.uniform(0.6, 1.3)
    share = np.clip(rng.uniform(0, 1) + 0.35 * fbm(rng, exponent=1.3), 0, 1)
    return np.clip(mix(share, live, dry) * (1 + 0.25 * fbm(rng, exponent=0.5)[..., None]), 0, 1)


def leaves(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a clump of leaves as RGBA with gaps between them."""
    tone = np.array([0.3, 0.42, 0.14]) * rng.uniform(0.6, 1.4, 3)
    if rng.random() < 0.12:  # autumn, or copper beech
        tone = np.array([0.55, 0.32, 0.12]) * rng.uniform(0.5, 1.3, 3)
    image = np.zeros((SIZE, SIZE, 4), np.uint8)
    image[..., :3] = np.clip(tone * 0.6 * 255, 0, 255)
    length = rng.uniform(4, 10)
    count = int(0.9 * SIZE * SIZE / (length * length))
    for _ in range(count):
        # Leaves crowd round the middle of the card, so that its outline is ragged.
        x, y = (SIZE / 2 + rng.normal(0, SIZE * 0.2, 2)).astype(int).tolist()
        shade = np.clip(tone * rng.uniform(0.5, 1.5) * 255, 0, 255)
        cv2.ellipse(image, (x, y), (int(length), int(length * 0.45)), rng.uniform(0, 360), 0, 360,
                    (*shade.tolist(), 255), -1)
    return image


def bark(rng: np.random.Generator) -> NDArray:
    """Return tree bark."""
    base = np.array([0.36, 0.3, 0.24]) * rng.uniform(0.5, 1.4)
    return np.clip(base * (1 + 0.25 * fbm(rng, exponent=0.9, stretch=0.2)[..., None]), 0, 1)


def wall(rng: np.random.Generator) -> NDArray:
    """
    Return the outer wall of a building: render, brick or concrete, weathered.

    6 m of it, two storeys: bricks have 32 to 128 courses, 5 to 19 cm high.
    """
    if rng.random() < 0.35:
        times = int(rng.choice([4, 8]))
        image = cv2.resize(texture(rng, 'brick'), (SIZE // times, SIZE // times),
                           interpolation=cv2.INTER_AREA)
        image = np.tile(image, (times, times, 1))
    else:
        image = np.ones((SIZE, SIZE, 3)) * color(rng, (0.4, 0.95), (0, 0.45))
    return np.clip(image * (1 + rng.uniform(0.02, 0.08) * fbm(rng)[..., None]), 0, 1)


def facade(rng: np.random.Generator) -> NDArray:
    """Return two storeys of two windows (256 px), each window a little different."""
    size, bays, storeys = 256, 2, 2
    image = cv2.resize(wall(rng), (size, size))
    glass = color(rng, (0.05, 0.45), (0, 0.5))
    frame = color(rng, (0.2, 1.0), (0, 0.3))
    half_width = rng.uniform(0.15, 0.45)
    top, bottom = rng.uniform(0.08, 0.3), rng.uniform(0.6, 0.95)
    band = rng.random() < 0.3
    mullion = rng.random() < 0.7
    for storey in range(storeys):
        for bay in range(bays):
            left = int((bay + 0.5 - half_width) * size / bays)
            right = int((bay + 0.5 + half_width) * size / bays)
            upper, lower = (int((storey + y) * size / storeys) for y in (top, bottom))
            pane = glass * rng.uniform(0.6, 1.5)
            image[upper - 3:lower + 4, left - 3:right + 3] = frame
            image[upper:lower, left:right] = pane
            if rng.random() < 0.4:  # a blind, a curtain or a reflection of the sky
                drop = int(rng.uniform(0.1, 0.9) * (lower - upper))
                image[upper:upper + drop, left:right] = color(rng, (0.4, 1.0), (0, 0.3))
            if mullion:
                image[upper:lower, (left + right) // 2 - 1:(left + right) // 2 + 1] = frame
        if band:
            y = storey * size // storeys
            image[y:y + 6] = frame * 0.8
    return np.clip(image, 0, 1)


def shopfront(rng: np.random.Generator) -> NDArray:
    """Return a ground floor: door, wide panes and a sign above."""
    image = wall(rng)
    image[:rng.integers(SIZE // 16, SIZE * 7 // 32)] = color(rng, (0.2, 1.0), (0.1, 1.0))
    glass = color(rng, (0.05, 0.4), (0, 0.4))
    top, split = int(0.3 * SIZE), int(rng.uniform(0.3, 0.7) * SIZE)
    door, leaf = split + SIZE // 16, SIZE // 5
    image[top:int(0.85 * SIZE), SIZE // 20:split] = glass * rng.uniform(0.7, 1.5)
    image[top:, door:door + leaf] = color(rng, (0.1, 0.8), (0, 0.7))
    image[top + SIZE // 16:int(0.7 * SIZE), door + SIZE // 32:door + leaf - SIZE // 32] = glass
    return np.clip(image, 0, 1)


def roof(rng: np.random.Generator) -> NDArray:
    """Return roof tiles: red, brown or grey courses."""
    tone = np.array([[0.6, 0.32, 0.22], [0.4, 0.3, 0.25], [0.35, 0.35, 0.38]])[rng.integers(3)]
    row = np.mgrid[:SIZE, :SIZE][0]
    courses = 1 - 0.25 * (row * 16 % SIZE < SIZE * 3 // 16)
    grain = 1 + 0.1 * fbm(rng, exponent=0.8)
    return np.clip(tone * rng.uniform(0.6, 1.3) * (courses * grain)[..., None], 0, 1)


def worn_paint(rng: np.random.Generator) -> NDArray:
    """Return road paint, white or yellow, with the road showing through."""
    ink = np.array([0.9, 0.9, 0.87]) if rng.random() < 0.85 else np.array([0.9, 0.75, 0.25])
    left = np.clip(rng.uniform(0.4, 1.6) + 0.6 * fbm(rng, exponent=0.8), 0, 1)
    return mix(left, ink * rng.uniform(0.7, 1), np.full(3, 0.35))
