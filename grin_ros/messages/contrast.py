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

"""Contrast: images in; a refusal of those that show nothing out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.messages.intake import Frame, Rejected

LOOKED_AT = 320  # [px] of the longer side, every so many
SHOWN = (16, 12)  # parts of an image; the mean of 400 pixels has a twentieth of their noise
# [levels of 255] between the brightest and the darkest parts: a blank wall has more, as light
# falls off over it, and the noise of a covered camera less, at any gain.
LEAST = 3.0


def contrast(image: NDArray[np.uint8]) -> float:
    """Return by how many levels the brightest parts of (H, W, 3) differ from the darkest."""
    step = max(1, max(image.shape[:2]) // LOOKED_AT)
    parts = cv2.resize(image[::step, ::step], SHOWN, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(parts.mean(-1), (1, 99))
    return float(high - low)


def check_contrast(frame: Frame, topic: str) -> None:
    """
    Refuse an image in which a network would see a place all the same, and be sure of it.

    :param topic: of the image, for the sentence.
    :raises Rejected: when all of it is about as bright.
    """
    if contrast(frame.image) < LEAST:
        level = float(np.median(frame.image[::8, ::8]))
        raise Rejected('no_contrast', f'images on {topic} show nothing: all of it is about as '
                       f'bright, {level:.0f} of 255. Look at the lens, its cover, and the '
                       'exposure of the camera')
