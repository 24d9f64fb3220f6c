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

"""Request: what is asked about a frame in; the networks' query, and depth from its answer out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.backends import Query
from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import X_SCALE
from grin_ros.diffusion.noise import MAX_SAMPLES
from grin_ros.errors import GrinError
from grin_ros.inference.decode import Decoder
from grin_ros.inference.preprocess import has_ray
from grin_ros.inference.prompts import prompted_sigma, Prompts

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Request:
    """
    One frame on its way through the networks.

    :param query: what the networks are asked.
    :param decoder: what turns their answer into depth.
    :param pixels: (N, 2) image pixels asked; None for the whole image.
    :param metric: whether the camera is known.
    """

    query: Query
    decoder: Decoder
    pixels: NDArray[np.float64] | None
    metric: bool

    @classmethod
    def of(cls, image: NDArray[np.uint8], decoder: Decoder, steps: Array, seed: int,
           num_samples: int, *, pixels: ArrayLike | None, prompts: ArrayLike | None,
           metric: bool) -> Request:
        """
        Prepare a frame.

        :param steps: rows of sampler.ddim_steps.
        :param pixels: (N, 2) image pixels (u, v), or None.
        :param prompts: (M, 3) or (M, 4) as Prompts.of takes them, or None.
        """
        if not 1 <= num_samples <= MAX_SAMPLES:
            raise GrinError(f'num_samples must be 1 to {MAX_SAMPLES}, not {num_samples}')
        view = decoder.view
        asked = None if pixels is None else _check_pixels(pixels, image)
        tokens, mask = view.grid, view.grid_mask
        if asked is not None:
            tokens = view.to_network(asked)
            mask = has_ray(view.rays, tokens)
        known = Prompts.of(prompts, view, decoder.codec)
        noise = decoder.noise(tokens, seed, num_samples, keep=asked is None)
        return cls(Query(view.image(image), view.rays, tokens, mask, noise, known, steps,
                         len(view.grid)), decoder, asked, metric)

    def decode(self, x_0: Array, log_b: Array, calibration: float, sigma_frame: float
               ) -> tuple[Array, Array, Callable[[], Array], float]:
        """
        Decode the answer of the networks.

        :param x_0: (K, N) of the last step, as log_b.
        :param calibration: factor of the head's sigma at this number of steps.
        :param sigma_frame: relative sigma of the scale of a frame without prompts.
        :returns: depth and ray_z of each pixel, what computes its relative sigma while the scale
            of the frame is known, and that of the scale.
        """
        decoder, guide, prompts = self.decoder, self.query.image, self.query.prompts
        # The median of one draw is the draw, and takes longer than all of the decoding.
        p = (x_0[0] if len(x_0) == 1 else np.median(x_0, axis=0)) / np.float32(X_SCALE)  # (N,)

        if count := int(prompts.mask.sum()):
            claimed = math.exp(prompts.values[prompts.mask, 1].min())
            sigma_frame = prompted_sigma(count, claimed, sigma_frame)

        @cache
        def shape_spread() -> Array:
            sigma = _spread(x_0, log_b, calibration, decoder.codec.nats_per_unit)
            return sigma if self.pixels is not None else decoder.spread(sigma)

        if self.pixels is not None:
            ray_z = decoder.ray_z_at(self.pixels, self.query.mask)
            return decoder.depth(p, ray_z, None), ray_z, shape_spread, sigma_frame
        return decoder.depth(p, decoder.ray_z, guide), decoder.ray_z, shape_spread, sigma_frame


def batches(shapes: Sequence[Hashable], most: int) -> Iterator[list[int]]:
    """Yield the indices of up to ``most`` equal shapes, each index once."""
    groups: dict[Hashable, list[int]] = {}
    for index, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(index)
    for group in groups.values():
        yield from (group[start:start + most] for start in range(0, len(group), most))


def check_image(image: NDArray[np.uint8], camera: Camera | None) -> None:
    """Refuse what is no RGB image, or not the camera's."""
    shape, dtype = getattr(image, 'shape', None), getattr(image, 'dtype', None)
    if shape is None or len(shape) != 3 or shape[2] != 3 or dtype != np.uint8:
        raise GrinError(f'image must be (H, W, 3) uint8 RGB, not {shape} {dtype}')
    if min(shape[:2]) < 8:
        raise GrinError(f'image is {shape[1]}x{shape[0]}: at least 8x8 pixels are needed')
    if camera is not None and (camera.width, camera.height) != (shape[1], shape[0]):
        raise GrinError(f'image is {shape[1]}x{shape[0]}, its camera {camera.width}x'
                        f'{camera.height}: use the camera_info of this image, or '
                        'camera.scaled(width, height) if the image was resized')


def _check_pixels(pixels: ArrayLike, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return pixels (N, 2) that lie in the image."""
    array = np.asarray(pixels, np.float64)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise GrinError(f'pixels must be (N, 2) with N > 0, not {array.shape}')
    size = np.array([image.shape[1], image.shape[0]])
    if not ((array >= -0.5) & (array <= size - 0.5)).all():
        raise GrinError(f'pixels (u, v) must lie in the image, {size[0]}x{size[1]}')
    return array


def _spread(x_0: Array, log_b: Array, calibration: float, nats_per_unit: float) -> Array:
    """Return the relative sigma (N,): of the head, calibrated, and of the draws."""
    # A Laplace distribution of scale b has standard deviation sqrt(2) b.
    head = math.sqrt(2) * calibration * np.exp(log_b).mean(0)
    draws = x_0.std(0) / X_SCALE * nats_per_unit
    return np.hypot(head, draws).astype(np.float32)
