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

"""Sigma metrics: errors and predicted sigmas in; coverage and risk-coverage out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NAMES = ('within_1_sigma', 'within_2_sigma', 'ause', 'abs_rel_kept_70', 'abs_rel_kept_70_m')
KEPT = 0.7  # share of pixels that stay when the most doubtful ones are dropped
POOLED = 4096  # pixels of a frame that stand for it among those of all frames


def sigma_metrics(depth: NDArray, truth: NDArray, relative_sigma: NDArray,
                  answered: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """
    Tell whether sigma means what it says.

    :param depth: (N,) predicted depth [m], finite.
    :param truth: (N,) true depth [m].
    :param relative_sigma: (N,) sigma as a share of depth; NaN is the most doubtful.
    :param answered: (N,) False where the node would say NaN or Inf: never within sigma.
    :returns: within_1_sigma, within_2_sigma: share of pixels whose truth lies so near; ause;
        abs_rel_kept_70: abs_rel without the 30 % of pixels of largest relative sigma;
        abs_rel_kept_70_m: without those of largest sigma in metres, most of them far away.
    """
    if not truth.size:
        return dict.fromkeys(NAMES, float('nan'))
    error = np.abs(depth - truth)
    sigma = np.where(np.isnan(relative_sigma), np.inf, relative_sigma)
    covered = np.isfinite(sigma) if answered is None else np.isfinite(sigma) & answered
    with np.errstate(invalid='ignore'):
        one, two = ((error <= k * sigma * depth) & covered for k in (1, 2))
    kept = max(1, round(KEPT * error.size)) - 1
    return {'within_1_sigma': float(np.mean(one)), 'within_2_sigma': float(np.mean(two)),
            'ause': ause(error / truth, sigma),
            'abs_rel_kept_70': float(risk_curve(error / truth, sigma)[kept]),
            'abs_rel_kept_70_m': float(risk_curve(error / truth, sigma * depth)[kept])}


def risk_curve(error: NDArray, doubt: NDArray) -> NDArray[np.float64]:
    """Return (N,): at k - 1 the mean error of the k pixels of least doubt."""
    ordered = np.asarray(error, np.float64)[np.argsort(doubt, kind='stable')]
    return np.cumsum(ordered) / np.arange(1, len(ordered) + 1)


def ause(error: NDArray, doubt: NDArray) -> float:
    """
    Return the area between the risk curve and that of an oracle, in units of the error.

    The oracle drops the pixels of largest error first; 0 means that doubt orders like error.
    """
    return float(np.mean(risk_curve(error, doubt) - risk_curve(error, error)))


class PooledRisk:
    """
    What stays wrong when one bound of relative sigma holds for all frames, as max_sigma does.

    A frame that is wrong as a whole counts here if its sigma says so; within a frame it cannot.
    """

    def __init__(self) -> None:
        """Start without frames."""
        self._frames: list[tuple[str, NDArray, NDArray]] = []

    def add(self, kind: str, error: NDArray, doubt: NDArray) -> None:
        """
        Take up a frame; frames weigh alike, however many pixels they have.

        :param error: (N,) relative errors.
        :param doubt: (N,) relative sigmas; NaN is the most doubtful.
        """
        if error.size:
            some = np.linspace(0, error.size - 1, min(error.size, POOLED)).astype(np.intp)
            doubt = np.where(np.isnan(doubt), np.inf, doubt)
            self._frames.append((kind, error[some], doubt[some]))

    def kept(self, kind: str = 'all') -> float:
        """Return abs_rel of KEPT of the pixels, those of least doubt, of a kind or of all."""
        frames = [frame for frame in self._frames if kind in ('all', frame[0])]
        if not frames:
            return float('nan')
        weight = np.concatenate([np.full(error.size, 1 / error.size) for _, error, _ in frames])
        error, doubt = (np.concatenate([frame[i] for frame in frames]) for i in (1, 2))
        order = np.argsort(doubt, kind='stable')
        stays = order[np.cumsum(weight[order]) <= KEPT * len(frames) + weight.max() / 2]
        return float(np.average(error[stays], weights=weight[stays]))
