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

"""Prompts: pixels of roughly known range in; the extra tokens that tell the network out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import has_ray, View

DEFAULT_SIGMA = 0.01  # relative error of a range given without one
SIGMA_LIMITS = (0.003, 1.0)  # what training shows, and what says nothing
# Relative sigma of the scale of a frame with many exact prompts, and what a single one adds: on
# held-out worlds it is 0.15 with one, 0.10 with three and, indoors, 0.07 with a row of 8 or 64.
PROMPTED_SIGMA, ONE_PROMPT_SIGMA = 0.1, 0.13


@dataclass(frozen=True)
class Prompts:
    """
    Prompt tokens; without prompts one masked token stands in, as graphs need M >= 1.

    :param pixels: (M, 2) float32 network pixels.
    :param values: (M, 2) float32 (P, log relative sigma).
    :param mask: (M,) False for padding and where the camera has no ray.
    """

    pixels: NDArray[np.float32]
    values: NDArray[np.float32]
    mask: NDArray[np.bool_]

    @classmethod
    @cache
    def none(cls) -> Prompts:
        """Return the one masked token, the same object each time: it need not go up again."""
        return cls(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32), np.zeros(1, bool))

    @classmethod
    def of(cls, prompts: ArrayLike | None, view: View, codec: DepthCodec) -> Prompts:
        """
        Encode prompts given in image pixels.

        :param prompts: (M, 3) rows (u, v, range [m]) or (M, 4) with a relative sigma, or None;
            a row whose range is NaN is padding.
        :raises GrinError: for another shape, a range <= 0, or pixels outside the image.
        """
        array = np.asarray([] if prompts is None else prompts, np.float64)
        if array.size == 0:
            return cls.none()
        if array.ndim != 2 or array.shape[1] not in (3, 4):
            raise GrinError('prompts must be (M, 3) rows of u, v, range_m or (M, 4) with a '
                            f'relative sigma, not {array.shape}')
        padding = np.isnan(array[:, 2])
        array = np.where(padding[:, None], 1.0, array)
        range_m = array[:, 2]
        sigma = array[:, 3] if array.shape[1] == 4 else np.full(len(array), DEFAULT_SIGMA)
        if not (np.isfinite(array).all() and (range_m > 0).all() and (sigma > 0).all()):
            raise GrinError('prompts must be finite, with range > 0 m and relative sigma > 0: '
                            'leave out pixels without a measurement, or make their range NaN')
        size = np.array([view.camera.width, view.camera.height])
        if not ((array[:, :2] >= -0.5) & (array[:, :2] <= size - 0.5)).all():
            raise GrinError(f'prompts (u, v) must lie in the image, {size[0]}x{size[1]}')
        pixels = view.to_network(array[:, :2])
        p = codec.encode(range_m, view.alpha)
        values = np.stack([p, np.log(sigma.clip(*SIGMA_LIMITS))], -1).astype(np.float32)
        return cls(pixels, values, has_ray(view.rays, pixels) & ~padding)


def prompted_sigma(count: int, claimed: float, alone: float) -> float:
    """
    Return the relative sigma of the scale of a frame with prompts.

    :param count: how many there are, at least one.
    :param claimed: the least relative sigma of them; they may all err alike.
    :param alone: relative sigma of the scale without any.
    """
    return min(alone, math.hypot(PROMPTED_SIGMA, ONE_PROMPT_SIGMA / math.sqrt(count), claimed))
