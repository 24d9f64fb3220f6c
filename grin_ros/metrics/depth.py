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

"""Depth metrics: predicted and true depth in; the usual figures of monocular depth out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError

NAMES = ('abs_rel', 'sq_rel', 'rmse', 'rmse_log', 'silog', 'log10', 'delta1', 'delta2', 'delta3')
ALIGNMENTS = ('none', 'median', 'scale_shift')
FAR, NEAR = 200.0, 0.05  # [m] what an answer that is no finite depth counts as


def finite_depth(pred: NDArray) -> NDArray[np.float64]:
    """Return depth [m] where +Inf counts as far, and -Inf, NaN and depth <= 0 as near."""
    pred = np.asarray(pred, np.float64)
    return np.where(pred == np.inf, FAR, np.where(pred > 0, pred, NEAR))


def align(pred: NDArray, target: NDArray, mode: str) -> NDArray[np.float64]:
    """
    Remove what metric depth must get right, to see how good the shape is.

    :param pred: (N,) finite depth [m].
    :param target: (N,) true depth [m].
    :param mode: none; median: the medians agree; scale_shift: least squares in inverse depth,
        the protocol of relative depth.
    :returns: (N,) aligned depth [m], positive.
    """
    if mode == 'none':
        return np.asarray(pred, np.float64)
    if mode == 'median':
        return pred * (np.median(target) / np.median(pred))
    if mode != 'scale_shift':
        raise GrinError(f'unknown alignment "{mode}": use one of {", ".join(ALIGNMENTS)}')
    design = np.stack([1 / pred, np.ones_like(pred)], -1)
    (scale, shift), *_ = np.linalg.lstsq(design, 1 / target, rcond=None)
    return 1 / np.clip(scale / pred + shift, 1 / FAR, 1 / NEAR)


def scored_depth(pred: NDArray, target: NDArray, valid: NDArray[np.bool_],
                 alignment: str = 'none', clamp: tuple[float, float] | None = None,
                 ) -> NDArray[np.float64]:
    """
    Return what the answers at the valid pixels count as, (N,) [m]: finite, aligned, clamped.

    :param clamp: (near, far) [m] that answers are clipped to after the alignment, as published
        tables do; None clips nothing.
    """
    depth = align(finite_depth(pred[valid]), np.asarray(target[valid], np.float64), alignment)
    return np.clip(depth, *clamp) if clamp else depth


def depth_metrics(pred: NDArray, target: NDArray, valid: NDArray[np.bool_] | None = None,
                  alignment: str = 'none', clamp: tuple[float, float] | None = None,
                  ) -> dict[str, float]:
    """
    Score depth [m] on every valid pixel of the truth; no answer is left out.

    :param pred: (...) predicted depth [m]; +Inf counts as 200 m, -Inf and NaN as 0.05 m.
    :param target: (...) true depth [m].
    :param valid: (...) True where the truth counts; None where it is finite and positive.
    :param alignment: none, median or scale_shift.
    :param clamp: as in scored_depth.
    :returns: NAMES, n (valid pixels) and coverage (share of them with a finite answer).
    """
    if valid is None:
        valid = np.isfinite(target) & (target > 0)
    truth = np.asarray(target[valid], np.float64)
    if not truth.size:
        return {**dict.fromkeys(NAMES, float('nan')), 'n': 0, 'coverage': float('nan')}
    depth = scored_depth(pred, target, valid, alignment, clamp)
    difference = depth - truth
    log_error = np.log(depth / truth)
    ratio = np.maximum(depth / truth, truth / depth)
    return {
        'abs_rel': float(np.mean(np.abs(difference) / truth)),
        'sq_rel': float(np.mean(difference ** 2 / truth)),
        'rmse': float(np.sqrt(np.mean(difference ** 2))),
        'rmse_log': float(np.sqrt(np.mean(log_error ** 2))),
        'silog': float(100 * np.std(log_error)),  # sqrt(mean(e^2) - mean(e)^2) x 100, KITTI
        'log10': float(np.mean(np.abs(log_error)) / np.log(10)),
        'delta1': float(np.mean(ratio < 1.25)),
        'delta2': float(np.mean(ratio < 1.25 ** 2)),
        'delta3': float(np.mean(ratio < 1.25 ** 3)),
        'n': int(truth.size),
        'coverage': float(np.mean(np.isfinite(pred[valid]))),
    }
