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
"""Decoders: a camera and an output scale in; its decoder out, made once while it is in use."""

from __future__ import annotations

from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.inference.decode import Decoder
from grin_ros.inference.preprocess import View

MAX_DECODERS = 16  # cameras that are prepared at once; a robot has up to a dozen
MAX_PIXELS = 1 << 25  # of their outputs together, 4 bytes each: 16 cameras of 1080p, 4 of 4K


class Decoders:
    """
    The decoders of the latest cameras; a lens that moves is another camera in each frame.

    :param codec: how the network's output codes range.
    :param input_size: (width, height) [px] the network was trained for.
    :param query_stride: spacing [px] of the asked pixels on the network's input.
    """

    def __init__(self, codec: DepthCodec, input_size: tuple[int, int], query_stride: int) -> None:
        """Start without any."""
        self._codec, self._input_size, self._query_stride = codec, input_size, query_stride
        self._kept: dict[tuple[Camera, int], Decoder] = {}  # the latest last

    def __call__(self, camera: Camera, output_scale: int) -> Decoder:
        """
        Return what turns answers for a camera into depth.

        :raises GrinError: for an output scale that there is not, or a camera without rays.
        """
        key = camera, output_scale
        found = self._kept.get(key)
        if found is None:
            found = Decoder(View.of(camera, self._input_size, self._query_stride), self._codec,
                            output_scale)
        self._kept.pop(key, None)
        self._kept[key] = found
        while len(self._kept) > MAX_DECODERS or (len(self._kept) > 1
                                                 and self.num_pixels > MAX_PIXELS):
            del self._kept[next(iter(self._kept))]
        return found

    @property
    def num_pixels(self) -> int:
        """Return how many output pixels are kept."""
        return sum(each.ray_z.size for each in self._kept.values())
