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

"""Frozen: images in; for how long they have been the same to the last bit out."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

LOOKED_AT = 8  # [px] every so many rows and columns


class SameImages:
    """
    A lens sees no image twice, since light is noise; whoever sends one again has no new one.

    But for video streams: where nothing moves their decoders repeat what they have.
    """

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._checksum: int | None = None
        self._since = 0  # [ns] stamp of the first of those that are the same

    def seconds(self, image: NDArray[np.uint8], moment: int) -> float:
        """
        Return for how long [s] images are the same, by their stamps.

        :param image: (H, W, 3).
        :param moment: its stamp [ns].
        """
        checksum = zlib.crc32(image[::LOOKED_AT, ::LOOKED_AT].tobytes())
        if checksum != self._checksum or moment < self._since:  # a bag begins again
            self._checksum, self._since = checksum, moment
        return (moment - self._since) / 1e9
