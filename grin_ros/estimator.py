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

"""Estimator: image and camera in; metric depth and its uncertainty out, on any backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
import math
import os
import time

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros import backends
from grin_ros.backends import Backend, Query
from grin_ros.bundle import Bundle, load_bundle
from grin_ros.camera import Camera
from grin_ros.decode import Decoder
from grin_ros.depth_codec import X_SCALE
from grin_ros.engine.options import EngineOptions
from grin_ros.errors import GrinError
from grin_ros.preprocess import has_ray, View
from grin_ros.prompts import Prompts
from grin_ros.sampler import ddim_steps

Array = NDArray[np.float32]

MAX_SAMPLES = 64


@dataclass(frozen=True)
class DepthEstimate:
    """
    Depth of one image; the arrays are (H, W), or (N,) where pixels were asked.

    :param depth: float32 z [m]; +Inf for sky and beyond the codec's range, NaN without a ray.
    :param ray_z: float32 z of the unit ray of each pixel, NaN without a ray.
    :param spread: returns the relative sigma of each pixel; not called before sigma is read.
    :param metric: False when the camera was unknown, so that only ratios of depth mean anything.
    :param timing: milliseconds per stage, and their total.
    """

    depth: Array
    ray_z: Array
    spread: Callable[[], Array]
    metric: bool
    timing: dict[str, float]

    @cached_property
    def sigma(self) -> Array:
        """Return the float32 standard deviation [m] along z."""
        return self.depth * self.spread()

    @cached_property
    def range(self) -> Array:  # noqa: A003, RUF100
        """Return the float32 distance along the ray [m]."""
        return self.depth / self.ray_z


class DepthEstimator:
    """
    A loaded bundle; use load(). One thread at a time.

    :param bundle: what load_bundle returned.
    :param backend: what backends.load returned.
    :param query_stride: spacing [px] of the asked pixels on the network's input: 1, 2, 4 or 8.
    :param input_size: (width, height) [px] whose area the network's input has at least.
    :param seed: of the noise; the same seed gives the same depth.
    """

    def __init__(self, bundle: Bundle, backend: Backend, query_stride: int,
                 input_size: tuple[int, int], seed: int = 0) -> None:
        """Check the choices; nothing runs yet."""
        if query_stride not in (1, 2, 4, 8):
            raise GrinError(f'query_stride must be 1, 2, 4 or 8, not {query_stride}')
        if len(input_size) != 2 or min(input_size) < 32:
            raise GrinError(f'input_size must be a width and a height of at least 32 px, not '
                            f'{input_size}')
        self.bundle, self.backend, self.seed = bundle, backend, seed
        self.query_stride, self.input_size = query_stride, input_size
        self._decoders: dict[tuple, Decoder] = {}

    @classmethod
    def load(cls, bundle: str | os.PathLike[str] | None = None, backend: str = 'auto', *,
             cpu_threads: int = 0, query_stride: int | None = None,
             input_size: tuple[int, int] | None = None, seed: int = 0,
             engine: EngineOptions | None = None) -> DepthEstimator:
        """
        Load a bundle onto a backend.

        :param bundle: folder or name of a bundle; None for the shipped one.
        :param backend: auto, tensorrt, onnxruntime or torch; a named one never falls back.
        :param cpu_threads: threads of CPU backends; 0 for all cores.
        :param query_stride: None for the bundle's.
        :param input_size: None for the bundle's.
        :param engine: choices of backend tensorrt.
        """
        loaded = load_bundle(bundle)
        return cls(loaded, backends.load(loaded, backend, cpu_threads=cpu_threads, engine=engine),
                   query_stride or loaded.query_stride, input_size or loaded.input_size, seed)

    def close(self) -> None:
        """Free what the backend holds."""
        self.backend.close()

    def estimate(self, image: NDArray[np.uint8], camera: Camera | None = None,
                 num_inference_steps: int | None = None, num_samples: int = 1,
                 pixels: ArrayLike | None = None, prompts: ArrayLike | None = None,
                 output_scale: int = 1) -> DepthEstimate:
        """
        Estimate metric depth.

        :param image: (H, W, 3) uint8 RGB.
        :param camera: the image's camera; None for the default pinhole, not metric.
        :param num_inference_steps: denoising steps; None for the bundle's.
        :param num_samples: draws; depth is their median and sigma includes their spread.
        :param pixels: (N, 2) image pixels (u, v): depth at just these, as (N,).
        :param prompts: (M, 3) known (u, v, range [m]), or (M, 4) with a relative sigma.
        :param output_scale: the result's grid is the image's divided by this.
        """
        clock = _Clock()
        _check_image(image, camera)
        steps = ddim_steps(self.bundle.default_steps if num_inference_steps is None
                           else num_inference_steps)
        if not 1 <= num_samples <= MAX_SAMPLES:
            raise GrinError(f'num_samples must be 1 to {MAX_SAMPLES}, not {num_samples}')
        decoder = self._decoder(camera or Camera.default_pinhole(image.shape[1], image.shape[0]),
                                output_scale)
        view = decoder.view
        tokens, token_mask = view.grid, view.grid_mask
        if pixels is not None:
            pixels = _check_pixels(pixels, image)
            tokens = view.to_network(pixels)
            token_mask = has_ray(view.rays, tokens)
        known = Prompts.of(prompts, view, self.bundle.codec)
        noise = decoder.noise(tokens, self.seed, num_samples, keep=pixels is None)
        small = view.image(image)
        clock.lap('preprocess')

        x_0, log_b = self.backend.answer(
            Query(small, view.rays, tokens, token_mask, noise, known, steps, len(view.grid)),
            clock.lap)

        # The median of one draw is the draw, and takes longer than all of the decoding.
        p = (x_0[0] if num_samples == 1 else np.median(x_0, axis=0)) / np.float32(X_SCALE)  # (N,)
        ray_z = decoder.ray_z if pixels is None else decoder.ray_z_at(pixels, token_mask)
        depth = decoder.depth(p, ray_z, small if pixels is None else None)
        clock.lap('decode')

        def spread() -> Array:
            at_tokens = self._spread(x_0, log_b, len(steps))
            return decoder.spread(at_tokens) if pixels is None else at_tokens

        return DepthEstimate(depth, ray_z, spread, camera is not None, clock.timing())

    def _spread(self, x_0: Array, log_b: Array, steps: int) -> Array:
        """Return the relative sigma (N,): of the head, calibrated, and of the draws."""
        # A Laplace distribution of scale b has standard deviation sqrt(2) b.
        head = math.sqrt(2) * self.bundle.calibration(steps) * np.exp(log_b).mean(0)
        draws = x_0.std(0) / X_SCALE * self.bundle.codec.nats_per_unit
        return np.hypot(head, draws).astype(np.float32)

    def _decoder(self, camera: Camera, output_scale: int) -> Decoder:
        """Return what depends on the camera only, made once for each."""
        key = (camera.intrinsics.tobytes(), camera.width, camera.height, camera.distortion,
               camera.model, output_scale)
        if key not in self._decoders:
            if len(self._decoders) >= 4:
                self._decoders.pop(next(iter(self._decoders)))
            view = View.of(camera, self.input_size, self.query_stride)
            self._decoders[key] = Decoder(view, self.bundle.codec, output_scale)
        return self._decoders[key]


class _Clock:
    """Measures the stages of one estimate."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self._laps[stage], self._last = (now - self._last) * 1e3, now

    def timing(self) -> dict[str, float]:
        """Return milliseconds per stage and in total."""
        return {**self._laps, 'total': (self._last - self._start) * 1e3}


def _check_image(image: NDArray[np.uint8], camera: Camera | None) -> None:
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
