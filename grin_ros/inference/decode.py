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

"""Decode: coded range at the asked pixels in; depth and sigma of the output grid out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera.dense import dense_ray_z
from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.diffusion.noise import noise_at
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import View
from grin_ros.inference.upsample import Upsampler

Array = NDArray[np.float32]

SKY_RANGE = 150.0  # [m] what lies beyond, or in the last 5 % of the codec's log range, is +Inf


class Decoder:
    """
    All that turns tokens into depth and does not change from frame to frame.

    :param view: how the camera looks through the network.
    :param codec: how the network's output codes range.
    :param output_scale: the output grid is the image's divided by 1, 2 or 4.
    """

    def __init__(self, view: View, codec: DepthCodec, output_scale: int = 1) -> None:
        """Precompute the output's rays and the interpolation."""
        camera = view.camera
        if output_scale not in (1, 2, 4):
            raise GrinError(f'output_scale must be 1, 2 or 4, not {output_scale}')
        if min(camera.width, camera.height) < output_scale:
            raise GrinError(f'image {camera.width}x{camera.height} is too small for output_scale '
                            f'{output_scale}')
        self.view, self.codec = view, codec
        sky = codec.range_min * (codec.range_max / codec.range_min) ** 0.95
        self._sky = min(sky, SKY_RANGE)
        output = camera.scaled(camera.width // output_scale, camera.height // output_scale)
        self.ray_z = _forward(dense_ray_z(output))  # (H, W); NaN where there is no depth
        self._upsampler = Upsampler(view.grid_size, view.stride,
                                    (output.width, output.height))
        self._fill = nearest_valid(view.grid_mask.reshape(view.grid_size[::-1]))
        self._noise: tuple[tuple[int, int], Array] | None = None

    def noise(self, tokens: Array, seed: int, num_samples: int, keep: bool) -> Array:
        """Return x_T (K, N) of seeds seed, seed + 1, ...; the grid's is kept between frames."""
        key = (seed, num_samples)
        if keep and self._noise is not None and self._noise[0] == key:
            return self._noise[1]
        drawn = np.stack([noise_at(tokens, seed + k) for k in range(num_samples)])
        if keep:
            self._noise = key, drawn
        return drawn

    def ray_z_at(self, pixels: NDArray[np.float64], mask: NDArray[np.bool_]) -> Array:
        """Return the z of the rays of (N, 2) image pixels; NaN where the mask is False."""
        ray_z = _forward(self.view.camera.rays_at(pixels)[:, 2])
        return np.where(mask, ray_z, np.float32(np.nan))

    def depth(self, p: Array, ray_z: Array, guide: NDArray[np.uint8] | None) -> Array:
        """
        Return z-depth [m]: +Inf in the sky, NaN without a ray.

        :param p: (N,) coded range.
        :param ray_z: z of the rays of the answer's pixels.
        :param guide: the network's image, which guides the interpolation of the query grid; None
            for an answer at just the pixels asked.
        """
        inverse = 1 / self.codec.decode(p, self.view.alpha).astype(np.float32)
        if guide is not None:
            inverse = self._upsampler(self._on_grid(inverse), guide)
        np.copyto(inverse, 0, where=inverse < 1 / self._sky)  # infinitely far; NaN stays NaN
        with np.errstate(divide='ignore'):
            return np.divide(ray_z, inverse, out=inverse)

    def spread(self, spread: Array) -> Array:
        """Return the relative sigma of the output's pixels from that of the query grid."""
        return self._upsampler.scale(self._on_grid(spread))

    def _on_grid(self, values: Array) -> Array:
        """Return values (N,) of the query grid as (h, w), those without a ray filled."""
        return values[self._fill].reshape(self.view.grid_size[::-1])


def _forward(ray_z: Array) -> Array:
    """Make the z of rays NaN where it is not in front of the camera: no depth there."""
    np.copyto(ray_z, np.nan, where=~(ray_z > 0))
    return ray_z


def nearest_valid(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for each cell of a grid the flat index of the nearest cell where mask is True."""
    if mask.all() or not mask.any():
        return np.arange(mask.size)
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index_of_label = np.zeros(labels.max() + 1, np.intp)
    index_of_label[labels[mask]] = np.flatnonzero(mask)
    return index_of_label[labels.ravel()]
