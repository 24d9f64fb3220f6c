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

"""Protocol: which true pixels of a frame are scored, and how; as published tables do it."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError

Mask = NDArray[np.bool_]

CROPS = ('none', 'garg', 'nyu')
GARG = 0.40810811, 0.99189189, 0.03594771, 0.96405229  # top, bottom, left, right; KITTI
NYU = np.s_[45:471, 41:601]  # of 640x480: what BTS and all after it score
MIN_DEPTH = 0.2  # [m]
MAX_DEPTH = {'indoor': 10.0, 'driving': 80.0}  # [m] by the kind of a frame


@dataclass(frozen=True)
class Protocol:
    """
    How a dataset is scored.

    :param crop: none, garg or nyu: the part of the image that counts.
    :param min_depth: nearest truth [m] that counts.
    :param max_depth: farthest truth [m] that counts; None for MAX_DEPTH of the frame's kind.
    :param clamp: clip answers to these limits after the alignment, as published tables do.
    :param edges: the truth is sharp at depth edges, so these may be scored too.
    """

    crop: str = 'none'
    min_depth: float = MIN_DEPTH
    max_depth: float | None = None
    clamp: bool = False
    edges: bool = True

    def __post_init__(self) -> None:
        """Refuse what scores nothing."""
        if self.crop not in CROPS:
            raise GrinError(f'unknown crop "{self.crop}": use one of {", ".join(CROPS)}')
        if not 0 <= self.min_depth < math.inf:
            raise GrinError(f'--min-depth must be 0 m or more, not {self.min_depth:g}')
        # Sky is +Inf in truth: with such a limit it would count, and no error of it is a number.
        if self.max_depth is not None and not self.min_depth < self.max_depth < math.inf:
            raise GrinError(f'--max-depth must be larger than --min-depth ({self.min_depth:g} m) '
                            f'and finite, not {self.max_depth:g}')

    def limits(self, kind: str) -> tuple[float, float]:
        """Return the nearest and the farthest truth [m] that counts."""
        return self.min_depth, self.max_depth or MAX_DEPTH.get(kind, MAX_DEPTH['driving'])

    def valid(self, truth: NDArray, kind: str) -> Mask:
        """Return the pixels of (H, W) truth [m] that count."""
        near, far = self.limits(kind)
        return (truth >= near) & (truth <= far) & crop_mask(self.crop, *truth.shape)

    def __str__(self) -> str:
        """Say what counts, in a few words."""
        far = f'{self.max_depth:g} m' if self.max_depth else 'the limit of its kind'
        return (f'crop {self.crop}, truth from {self.min_depth:g} m to {far}, answers '
                f'{"clamped to it" if self.clamp else "not clamped"}')


def crop_mask(crop: str, height: int, width: int) -> Mask:
    """Return the pixels inside a crop, a key of CROPS."""
    if crop == 'none':
        return np.ones((height, width), bool)
    mask = np.zeros((height, width), bool)
    if crop == 'garg':
        top, bottom, left, right = GARG
        mask[int(top * height):int(bottom * height), int(left * width):int(right * width)] = True
    else:
        if (height, width) != (480, 640):
            raise GrinError(f'the crop nyu is for 640x480 images, not {width}x{height}: use '
                            '--crop none')
        mask[NYU] = True
    return mask
