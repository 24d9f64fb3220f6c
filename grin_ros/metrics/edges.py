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

"""Edge metrics: predicted and dense true depth in; errors at depth edges, flying pixels out."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.metrics.depth import FAR, finite_depth

Mask = NDArray[np.bool_]

REACH = 4  # [px] around an edge that count as near it
JUMP = 0.1  # relative step of inverse depth between neighbours that may be an edge
BEND = 2.0  # inverse depth steps evenly on a plane; at an edge, this much more than beside it
FLYING_SHARE = 0.2  # closer than this share of the step to either surface belongs to it


def depth_edges(depth: NDArray) -> Mask:
    """
    Return a mask of the pixels on both sides of each depth edge.

    :param depth: (H, W) true z [m]; +Inf is sky, an unknown pixel (NaN) has no edge.
    """
    with np.errstate(divide='ignore'):
        inverse = 1 / np.asarray(depth, np.float64)  # linear along any line on a plane
    edges = np.zeros(depth.shape, bool)
    for picture, mask in ((inverse, edges), (inverse.T, edges.T)):  # the views share memory
        step = np.abs(np.diff(picture, axis=1))
        beside = np.full((step.shape[0], step.shape[1] + 2), np.nan)
        beside[:, 1:-1] = step
        even = np.fmin(beside[:, :-2], beside[:, 2:])
        least = np.maximum(np.minimum(picture[:, 1:], picture[:, :-1]), 1 / FAR)
        jump = (step > JUMP * least) & (step > BEND * even)
        mask[:, 1:] |= jump
        mask[:, :-1] |= jump
    return edges


def near_edges(depth: NDArray, reach: float = REACH) -> Mask:
    """Return a mask of the pixels at most reach [px] from a pixel of depth_edges."""
    edges = depth_edges(depth)
    if not edges.any():
        return edges
    distance = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2,
                                     cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= reach + 1e-3)


def flying_share(pred: NDArray, truth: NDArray, near: Mask) -> float:
    """
    Return the share of the pixels near edges whose answer lies on neither surface there.

    The window around a pixel is split into the near and the far side of the truth. The pixel
    flies when its answer is between the mean answers of the two sides and at least 20 % of their
    distance (in log depth) from both. So a wrong scale is no flying pixel, and a blurred edge is.
    What is between in truth too, such as the middle of a staircase, does not count.

    :param pred: (H, W) predicted z [m]; infinite and NaN count as in depth_metrics.
    :param truth: (H, W) true z [m]; +Inf sky, NaN unknown.
    :param near: (H, W) pixels that are asked, as from near_edges.
    """
    known = ~np.isnan(truth)
    answer, true = np.log(finite_depth(pred)), np.log(finite_depth(truth))
    row, column = np.nonzero(near & known)
    if not len(row):
        return float('nan')
    height, width = truth.shape
    steps = range(-REACH, REACH + 1)

    def around() -> Iterator[tuple[NDArray, NDArray]]:  # in turn: all at once are gigabytes
        for dy in steps:
            for dx in steps:
                yield np.clip(row + dy, 0, height - 1), np.clip(column + dx, 0, width - 1)

    lowest, highest = np.full(len(row), np.inf), np.full(len(row), -np.inf)
    for place in around():
        value = np.where(known[place], true[place], true[row, column])
        lowest, highest = np.minimum(lowest, value), np.maximum(highest, value)
    middle = (lowest + highest) / 2
    count, sums = np.zeros((2, len(row))), np.zeros((2, 2, len(row)))
    for place in around():
        for side, member in enumerate((true[place] < middle, true[place] >= middle)):
            member = member & known[place]
            count[side] += member
            sums[0, side] += np.where(member, answer[place], 0)
            sums[1, side] += np.where(member, true[place], 0)
    surfaces = sums / np.maximum(count, 1)
    flies, between = (_between(values[row, column], *sides)
                      for values, sides in ((answer, surfaces[0]), (true, surfaces[1])))
    asked = ~between & (count > 0).all(0)
    return float(np.mean(flies[asked])) if asked.any() else float('nan')


def _between(value: NDArray, low: NDArray, high: NDArray) -> Mask:
    """Tell where values of log depth lie clearly between two surfaces that differ."""
    step = high - low
    share = (value - low) / np.where(step > np.log1p(JUMP), step, np.inf)
    return np.asarray((share > FLYING_SHARE) & (share < 1 - FLYING_SHARE))
