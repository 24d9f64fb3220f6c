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

"""Procedural surfaces: a random generator in, sRGB textures (n, n, 3) in 0..1 out."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

BANK = 12  # different noises of one kind; shifted and mirrored they look like many more
SIZE = 256  # px of every texture; textures repeat without a seam
KINDS = ('clouds', 'tile', 'plank', 'stripe', 'check', 'brick', 'carpet', 'camouflage', 'speckle')


def fbm(rng: np.random.Generator, size: int = SIZE, exponent: float | None = None,
        stretch: float = 1.0) -> NDArray[np.float32]:
    """
    Return seamless (size, size) noise with a power-law spectrum, mean 0 and deviation 1.

    :param exponent: how fast amplitude falls with frequency; None draws 0.8..2.2.
    :param stretch: above 1 the noise is drawn out along the rows.
    """
    exponent = rng.uniform(0.8, 2.2) if exponent is None else exponent
    noise = _noise_bank(size, round(exponent, 1), stretch)[rng.integers(BANK)]
    # A shift and a mirror image make another noise out of one that is there already.
    noise = np.roll(noise, rng.integers(0, size, 2), (0, 1))
    return noise[::int(rng.choice([-1, 1])), ::int(rng.choice([-1, 1]))]


@cache
def _noise_bank(size: int, exponent: float, stretch: float) -> NDArray[np.float32]:
    """Return BANK noises; Fourier transforms were a fifth of the time of a world."""
    rng = np.random.default_rng((size, round(10 * exponent), round(10 * stretch)))
    return noises(rng, BANK, size, exponent, stretch)


def noises(rng: np.random.Generator, count: int, size: int, exponent: float, stretch: float = 1.0,
           lowest: float = 0.0) -> NDArray[np.float32]:
    """
    Make seamless noise of a power-law spectrum, mean 0 and deviation 1: (count, size, size).

    :param lowest: frequency below which there is nothing [cycles per size].
    """
    frequency = np.fft.fftfreq(size)
    radius = np.hypot(*np.meshgrid(frequency * stretch, frequency))
    radius[0, 0] = 1
    amplitude = radius ** -exponent * (radius * size >= lowest)
    phases = np.exp(2j * np.pi * rng.random((count, size, size)))
    noise = np.fft.ifft2(phases * amplitude).real
    noise -= noise.mean((1, 2), keepdims=True)
    return (noise / noise.std((1, 2), keepdims=True)).astype(np.float32)


def color(rng: np.random.Generator, value: tuple[float, float] = (0.15, 0.9),
          saturation: tuple[float, float] = (0.0, 0.5)) -> NDArray[np.float64]:
    """Return one sRGB colour (3,); strong saturations are rarer than weak ones."""
    strength = saturation[0] + (saturation[1] - saturation[0]) * rng.random() ** 2
    hsv = np.array([[[rng.random() * 360, strength, rng.uniform(*value)]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)


def wood(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the sRGB colour (3,) of wood: from pale birch to dark walnut."""
    hsv = np.array([[[rng.uniform(18, 40), rng.uniform(0.2, 0.65), rng.uniform(0.25, 0.9)]]],
                   np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)


def mix(share: NDArray, first: NDArray, second: NDArray) -> NDArray:
    """Blend two colours by an (n, n) share of the first."""
    share = share[..., None]
    return first * share + second * (1 - share)


def paint(rng: np.random.Generator) -> NDArray:
    """Return a painted wall: mostly light and grey, slightly uneven."""
    strongest = (0.06, 0.25, 0.6)[rng.choice(3, p=[0.5, 0.32, 0.18])]
    darkest = 0.8 if rng.random() < 0.4 else 0.4  # most real rooms are white
    base = color(rng, (darkest, 0.97), (0.0, strongest))
    stains = fbm(rng, exponent=1.8)[..., None] * rng.uniform(0, 0.006)
    grain = fbm(rng, exponent=0.6)[..., None] * rng.uniform(0, 0.01)
    return np.clip(base + stains + grain, 0, 1)


def texture(rng: np.random.Generator, kind: str | None = None,
            strongest: float = 0.5) -> NDArray:
    """Return a surface of one of KINDS (None draws one); strongest is the highest saturation."""
    tones = (0.0, strongest)
    kind = kind or str(rng.choice(KINDS))
    row, column = np.mgrid[:SIZE, :SIZE]
    if kind in ('tile', 'plank', 'brick'):
        return _courses(rng, kind, tones)
    if kind == 'carpet':
        grain = 1 + rng.uniform(0.05, 0.3) * rng.standard_normal((SIZE, SIZE, 1))
        return np.clip(color(rng, (0.15, 0.7), tones) * grain, 0, 1)
    if kind == 'speckle':  # terrazzo, granite
        share = (fbm(rng, exponent=0.5) > rng.uniform(0.3, 1.5)).astype(np.float64)
        return mix(share, color(rng, saturation=tones), color(rng, (0.3, 0.9), (0, 0.2)))
    if kind == 'clouds':  # marble, concrete, worn paint
        share = np.clip(0.5 + rng.uniform(0.1, 0.3) * fbm(rng), 0, 1)
    elif kind == 'stripe':
        share = column * rng.integers(2, 16) // SIZE % 2
    elif kind == 'check':
        count = rng.integers(2, 10)
        share = (column * count // SIZE + row * count // SIZE) % 2
    else:
        share = (fbm(rng) > 0).astype(np.float64)
    return mix(share, color(rng, saturation=tones), color(rng, saturation=tones))


def _courses(rng: np.random.Generator, kind: str, tones: tuple[float, float]) -> NDArray:
    """Return tiles, planks or bricks with joints, each piece of its own shade."""
    across, down = {'tile': (2, 2), 'brick': (4, 8), 'plank': (1, 6)}[kind]
    across, down = across * rng.integers(1, 3), down * rng.integers(1, 3)
    row, column = np.mgrid[:SIZE, :SIZE]
    course = row * down // SIZE
    shift = {'tile': 0 * course, 'brick': course % 2 * (SIZE // across // 2),
             'plank': course * 37 % SIZE}[kind]
    shifted = (column + shift) % SIZE
    piece = course * across + shifted * across // SIZE
    shade = rng.normal(1, rng.uniform(0.02, 0.2), down * across)[piece]
    grain = fbm(rng, exponent=1.2, stretch=8.0 if kind == 'plank' else 1.0)
    if kind == 'plank' and rng.random() < 0.85:
        base = wood(rng)
    else:
        base = color(rng, (0.25, 0.9), tones)
    strongest = 0.1 if kind == 'plank' else 0.04
    surface = base * (shade + rng.uniform(0.1, 1) * strongest * grain)[..., None]
    width = rng.uniform(*{'tile': (0.003, 0.012), 'plank': (0.002, 0.006),
                          'brick': (0.008, 0.03)}[kind])
    joint = (shifted * across % SIZE < SIZE * width * across) | (
        row * down % SIZE < SIZE * width * down)
    # A texel is wider than many joints, which show the weaker for it.
    seen = rng.uniform(0.25, 1.0)
    lightest = 0.9 if kind != 'plank' or rng.random() < 0.2 else 0.3
    surface[joint] += (color(rng, (0.05, lightest), (0, 0.2)) * 0.8 - surface[joint]) * seen
    return np.clip(surface, 0, 1)


def picture(rng: np.random.Generator) -> NDArray:
    """Return something to hang on a wall: a landscape, shapes, a page of text or a blur."""
    kind = rng.choice(['landscape', 'shapes', 'page', 'blur'], p=[0.35, 0.25, 0.15, 0.25])
    if kind == 'landscape':
        return landscape(rng)
    if kind == 'blur':
        noise = np.stack([fbm(rng, exponent=rng.uniform(1.2, 2.2)) for _ in range(3)], -1)
        return np.clip(color(rng) + noise * rng.uniform(0.1, 0.3), 0, 1)
    return shapes(rng) if kind == 'shapes' else page(rng)


def shapes(rng: np.random.Generator) -> NDArray:
    """Return bars and discs on a light ground."""
    canvas = np.ones((SIZE, SIZE, 3)) * color(rng, (0.7, 1.0), (0, 0.3))
    for _ in range(rng.integers(3, 14)):
        x, y, a, b = (int(value) for value in rng.integers(-10, SIZE, 4))
        ink = color(rng, (0.1, 1.0), (0.2, 1.0)).tolist()
        if rng.random() < 0.5:
            cv2.rectangle(canvas, (x, y), (x + a // 2, y + b // 2), ink, -1)
        else:
            cv2.circle(canvas, (x, y), abs(a) // 3 + 2, ink, -1)
    return canvas


def label(rng: np.random.Generator) -> NDArray:
    """Return the print of a package: blocks of colour, pictures and small text on a ground."""
    canvas = np.ones((SIZE, SIZE, 3)) * color(rng, (0.1, 1.0), (0, 1))
    for _ in range(rng.integers(1, 7)):
        block = (page, shapes, landscape, color)[rng.integers(4)](rng)
        width, height = rng.integers(SIZE // 12, SIZE * 3 // 4, 2).tolist()
        x, y = rng.integers(0, SIZE - width), rng.integers(0, SIZE - height)
        if block.ndim == 3:
            block = cv2.resize(block, (width, height), interpolation=cv2.INTER_AREA)
        canvas[y:y + height, x:x + width] = block
    return canvas


def page(rng: np.random.Generator) -> NDArray:
    """Return a page of text."""
    canvas = np.ones((SIZE, SIZE, 3)) * color(rng, (0.7, 1.0), (0, 0.3))
    ink = color(rng, (0.0, 0.4)).tolist()
    pitch = int(rng.integers(4, 12))
    for y in range(8, SIZE - 8, pitch):
        x = 8
        while x < SIZE - 12 and rng.random() > 0.04:
            word = int(rng.integers(4, 20))
            cv2.line(canvas, (x, y), (min(x + word, SIZE - 8), y), ink, max(1, pitch // 3))
            x += word + pitch // 2
    return canvas


def landscape(rng: np.random.Generator, natural: bool = False) -> NDArray:
    """
    Return an outdoor view: sky, clouds and two or three ridges; also seen through windows.

    :param natural: white to blue sky, and land from brown to green, in place of any colours.
    """
    down = np.linspace(0, 1, SIZE)[:, None] * np.ones((1, SIZE))
    horizon_sky, zenith = color(rng, (0.8, 1.0), (0, 0.3)), color(rng, (0.6, 1.0), (0.1, 0.7))
    if natural:
        horizon_sky = np.array([0.95, 0.97, 1.0]) * rng.uniform(0.85, 1)
        zenith = mix(np.full((1, 1), rng.random()), np.array([0.35, 0.6, 0.95]), horizon_sky)[0, 0]
    view = mix(down, horizon_sky, zenith)
    view += np.clip(fbm(rng, exponent=1.6), 0, 2)[..., None] * rng.uniform(0, 0.2)
    horizon = rng.uniform(0.3, 0.7)
    for ridge in range(rng.integers(2, 4)):
        profile = horizon + 0.15 * ridge + rng.uniform(0.02, 0.12) * fbm(rng, exponent=1.5)[0]
        tone = color(rng, (0.15, 0.7), (0.1, 0.7))
        if natural:
            tone = rng.uniform(0.3, 1.1) * np.array([0.45, rng.uniform(0.4, 0.6), 0.3])
        land = tone + 0.05 * fbm(rng, exponent=1.0)[..., None]
        ground = down > profile
        view[ground] = land[ground]
    return np.clip(view, 0, 1)
