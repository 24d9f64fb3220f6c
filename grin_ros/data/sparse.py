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

"""Sparse labels: which of an image's known ranges a training step may see, and prompts."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.inference.prompts import SIGMA_LIMITS

Mask = NDArray[np.bool_]

EXACT_SIGMA = SIGMA_LIMITS[0]  # relative error claimed for an exact prompt
WORST_SIGMA = 0.2
SPARSE = 0.1  # a smaller share of labelled pixels is a sensor's own already
SCAN_SHARE = 0.4  # of the prompted frames


def label_mask(range_m: NDArray[np.float32], rng: np.random.Generator) -> Mask:
    """
    Choose labelled pixels as a sensor would: dense, random, lidar lines or with holes.

    Of a frame that a sensor measured in few pixels, all are taken.

    :param range_m: (H, W) range [m]; NaN where no label exists, +Inf on sky.
    :returns: (H, W) bool; never True on NaN.
    """
    labelled = ~np.isnan(range_m)
    if labelled.mean() < SPARSE:
        return labelled
    kind = rng.choice(['dense', 'random', 'lidar', 'holes'], p=[0.5, 0.2, 0.15, 0.15])
    if kind == 'random':
        density = math.exp(rng.uniform(math.log(1e-3), 0.0))
        return labelled & (rng.random(range_m.shape) < density)
    if kind == 'lidar':
        return labelled & np.isfinite(range_m) & _lidar_lines(range_m.shape, rng)
    if kind == 'holes':
        return labelled & ~_holes(range_m.shape, rng)
    return labelled


def _lidar_lines(shape: tuple[int, ...], rng: np.random.Generator) -> Mask:
    """Return some rows, none of them in the upper part of the image, with dropped returns."""
    height = shape[0]
    first = rng.uniform(0.0, 0.5) * height
    lines = np.unique(np.linspace(first, height - 1, int(rng.integers(4, 33))).astype(int))
    mask = np.zeros(shape, bool)
    mask[lines] = True
    return mask & (rng.random(shape) < rng.uniform(0.3, 1.0))


def _holes(shape: tuple[int, ...], rng: np.random.Generator) -> Mask:
    """Return blobs such as a structured-light sensor leaves on dark or shiny things."""
    height, width = shape
    coarse = rng.standard_normal((max(2, height // 12), max(2, width // 12))).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field > rng.uniform(0.0, 1.2))


def choose_pixels(mask: Mask, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return at most count random pixels (N, 2) as (row, column) where mask is True."""
    rows, columns = np.nonzero(mask)
    if len(rows) > count:
        chosen = rng.choice(len(rows), count, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    return np.stack([rows, columns], -1)


def make_prompts(range_m: NDArray[np.float32], max_prompts: int, rng: np.random.Generator,
                 ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """
    Draw prompts: pixels whose range is roughly known, exact or noisy, a few of them wrong.

    They lie anywhere or, in two of five frames, on a row as a 2D lidar's do.

    :param range_m: (H, W) range [m]; NaN and +Inf are never prompted.
    :returns: pixels (M, 2) as (row, column), ranges (M,) [m], relative sigmas (M,).
    """
    count = int(math.exp(rng.uniform(0.0, math.log(max_prompts + 1))))
    finite = np.isfinite(range_m)
    if rng.random() < SCAN_SHARE:
        rows = np.arange(len(finite))[:, None]
        row = rng.uniform(0.25, 0.75) * len(finite) + np.linspace(
            -1, 1, finite.shape[1]) * rng.normal(0.0, 0.05) * len(finite)  # rolled a little
        band = finite & (np.abs(rows - row) <= 1)
        finite = band if band.any() else finite
    pixels = choose_pixels(finite, count, rng)
    truth = range_m[pixels[:, 0], pixels[:, 1]]
    sigma = EXACT_SIGMA
    if rng.random() < 0.5:
        sigma = math.exp(rng.uniform(math.log(EXACT_SIGMA), math.log(WORST_SIGMA)))
    known = truth * np.exp(sigma * rng.standard_normal(len(truth)))
    wrong = rng.random(len(truth)) < (0.05 if rng.random() < 0.3 else 0.0)
    known = np.where(wrong, known * np.exp(rng.normal(0.0, 1.0, len(truth))), known)
    return pixels, known.astype(np.float32), np.full(len(truth), sigma, np.float32)


def scan_prompts(range_m: NDArray[np.float32], count: int, sigma: float,
                 rng: np.random.Generator) -> NDArray[np.float64]:
    """
    Return the prompts of a level 2D lidar that sees the middle of an image, (M, 4), M <= count.

    :param range_m: (H, W) range [m]; where the middle row does not know it, one within a tenth
        of the height counts.
    :param sigma: relative error of the ranges, also what they claim.
    :returns: rows of u, v, range [m], relative sigma.
    """
    height, width = range_m.shape
    known = np.isfinite(range_m)
    far = np.abs(np.arange(height) - (height - 1) / 2)[:, None]
    distance = np.where(known, far, np.inf)
    columns = np.unique(((np.arange(count) + 0.5) * width / count).astype(int))
    rows = distance[:, columns].argmin(0)
    near = distance[rows, columns] <= height / 10
    rows, columns = rows[near], columns[near]
    ranges = range_m[rows, columns] * np.exp(sigma * rng.standard_normal(len(rows)))
    return np.column_stack([columns, rows, ranges, np.full(len(rows), sigma)])
