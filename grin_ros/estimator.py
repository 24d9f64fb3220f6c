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

"""Estimator: images and cameras in; metric depth and its uncertainty out, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
import os
import time

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros import backends
from grin_ros.backends import Backend
from grin_ros.bundle import Bundle, load_bundle
from grin_ros.camera import Camera
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.engine.options import EngineOptions
from grin_ros.errors import GrinError
from grin_ros.inference.decoders import Decoders
from grin_ros.inference.preprocess import COARSEST_STRIDE, STRIDES
from grin_ros.inference.request import batches, check_image, Request

Array = NDArray[np.float32]


@dataclass(frozen=True)
class DepthEstimate:
    """
    Depth of one image; the arrays are (H, W), or (N,) where pixels were asked.

    :param depth: float32 z [m]; +Inf for sky and beyond the codec's range, NaN without a ray.
    :param ray_z: float32 z of the unit ray of each pixel, NaN without a ray.
    :param shape_spread: returns the relative sigma of each pixel while the frame's scale is
        known; not called before sigma is read.
    :param sigma_scale: relative sigma of the frame's scale, which moves all pixels alike.
    :param metric: False when the camera was unknown, so that only ratios of depth mean anything.
    :param timing: milliseconds per stage of the call, all its frames together, and their total.
    """

    depth: Array
    ray_z: Array
    shape_spread: Callable[[], Array]
    sigma_scale: float
    metric: bool
    timing: dict[str, float]

    @cached_property
    def sigma(self) -> Array:
        """Return the float32 standard deviation [m] along z."""
        return self.depth * self.spread

    @cached_property
    def spread(self) -> Array:
        """Return the float32 standard deviation as a share of depth."""
        return np.hypot(self.shape_spread(), np.float32(self.sigma_scale))

    @cached_property
    def range(self) -> Array:  # noqa: A003, RUF100
        """Return the float32 distance along the ray [m]."""
        return self.depth / self.ray_z

    def scaled(self, factor: float, sigma_scale: float | None = None) -> DepthEstimate:
        """
        Return the estimate with depth multiplied.

        :param sigma_scale: of the scale if it is now known; None leaves it.
        """
        return replace(self, depth=self.depth * np.float32(factor),
                       sigma_scale=self.sigma_scale if sigma_scale is None else sigma_scale)


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
        if query_stride not in STRIDES:
            raise GrinError(f'query_stride must be one of {STRIDES}, not {query_stride}')
        if len(input_size) != 2 or min(input_size) < COARSEST_STRIDE:
            raise GrinError('input_size must be a width and a height of at least '
                            f'{COARSEST_STRIDE} px, not {input_size}')
        self.bundle, self.backend, self.seed = bundle, backend, seed
        self.query_stride, self.input_size = query_stride, input_size
        self._decoder = Decoders(bundle.codec, self.input_size, self.query_stride)

    @classmethod
    def load(cls, bundle: str | os.PathLike[str] | None = None, backend: str = 'auto', *,
             cpu_threads: int = 0, cpu_precision: str = 'fp32', query_stride: int | None = None,
             input_size: tuple[int, int] | None = None, seed: int = 0,
             engine: EngineOptions | None = None) -> DepthEstimator:
        """
        Load a bundle onto a backend.

        :param bundle: folder or name of a bundle; None for the shipped one.
        :param backend: auto, tensorrt, onnxruntime or torch; a named one never falls back.
        :param cpu_threads: threads of CPU backends; 0 for all cores.
        :param cpu_precision: of ONNX Runtime's denoiser: fp32, or int8, which is a little faster.
        :param query_stride: None for the bundle's.
        :param input_size: None for the bundle's.
        :param engine: choices of backend tensorrt.
        """
        loaded = load_bundle(bundle)
        networks = backends.load(loaded, backend, cpu_threads=cpu_threads,
                                 cpu_precision=cpu_precision, engine=engine)
        return cls(loaded, networks, query_stride or loaded.query_stride,
                   input_size or loaded.input_size, seed)

    @property
    def max_batch(self) -> int:
        """Return how many frames of one size the networks take at once."""
        return self.backend.max_batch

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
        :param prompts: (M, 3) known (u, v, range [m]), or (M, 4) with a relative sigma; rows
            whose range is NaN are padding.
        :param output_scale: the result's grid is the image's divided by this.
        """
        clock = _Clock()
        return self._answer([self._request(image, camera, num_inference_steps, num_samples,
                                           output_scale, pixels, prompts)], clock)[0]

    def estimate_batch(self, frames: Iterable[tuple[NDArray[np.uint8], Camera | None]],
                       num_inference_steps: int | None = None, num_samples: int = 1,
                       output_scale: int = 1, prompts: Iterable[ArrayLike | None] | None = None,
                       ) -> list[DepthEstimate]:
        """
        Estimate metric depth of frames of any cameras; each answer is what estimate() gives.

        Frames whose network inputs have one size share a run of the networks, max_batch at most.

        :param frames: (image, camera) as in estimate().
        :param prompts: those of each frame, as in estimate(); None without any.
        :returns: in the order of frames; the timing of each is that of the whole call.
        :raises GrinError: when one of them cannot be answered; then none is.
        """
        clock = _Clock()
        frames = list(frames)
        known = [None] * len(frames) if prompts is None else prompts
        return self._answer([self._request(image, camera, num_inference_steps, num_samples,
                                           output_scale, prompts=each)
                             for (image, camera), each in zip(frames, known, strict=True)], clock)

    def _request(self, image: NDArray[np.uint8], camera: Camera | None,
                 num_inference_steps: int | None, num_samples: int, output_scale: int,
                 pixels: ArrayLike | None = None, prompts: ArrayLike | None = None) -> Request:
        """Check and prepare what is asked about a frame."""
        check_image(image, camera)
        steps = ddim_steps(self.bundle.default_steps if num_inference_steps is None
                           else num_inference_steps)
        decoder = self._decoder(camera or Camera.default_pinhole(image.shape[1], image.shape[0]),
                                output_scale)
        return Request.of(image, decoder, steps, self.seed, num_samples, pixels=pixels,
                          prompts=prompts, metric=camera is not None)

    def _answer(self, requests: Sequence[Request], clock: _Clock) -> list[DepthEstimate]:
        """Run the networks, batch by batch, and decode what they say."""
        clock.lap('preprocess')
        decoded = {}
        for batch in batches([request.query.shape for request in requests], self.max_batch):
            answers = self.backend.answer([requests[index].query for index in batch], clock.lap)
            for index, (x_0, log_b) in zip(batch, answers, strict=True):
                request = requests[index]
                calibration = self.bundle.calibration(len(request.query.steps))
                decoded[index] = request.decode(x_0, log_b, calibration,
                                                self.bundle.sigma_frame)
            clock.lap('decode')
        return [DepthEstimate(*decoded[index], request.metric, clock.timing())
                for index, request in enumerate(requests)]


class _Clock:
    """Measures the stages of one call."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """End a stage, which may come again."""
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + (now - self._last) * 1e3
        self._last = now

    def timing(self) -> dict[str, float]:
        """Return milliseconds per stage and in total."""
        return {**self._laps, 'total': (self._last - self._start) * 1e3}
