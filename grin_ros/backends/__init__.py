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

"""Backends: one library each that answers frames with the graphs of a bundle; load() chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.bundle import Bundle
from grin_ros.errors import GrinError, problem_of
from grin_ros.inference.prompts import Prompts

if TYPE_CHECKING:
    from grin_ros.engine.options import EngineOptions

Array = NDArray[Any]
NAMES = ('auto', 'tensorrt', 'onnxruntime', 'torch')
CPU_PRECISIONS = ('fp32', 'int8')


@dataclass(frozen=True)
class Query:
    """
    What the network is asked about one frame; arrays that stay the same are the same objects.

    :param image: (H, W, 3) uint8 at the network's size.
    :param rays: (H, W, 3) unit rays, zeros where there is none.
    :param pixels: (N, 2) network pixels.
    :param mask: (N,) False where a pixel has no ray.
    :param noise: (K, N) x_T of each draw.
    :param prompts: what is known already.
    :param steps: (S, 4) rows of sampler.ddim_steps.
    :param grid_tokens: pixels of the query grid: what N usually is.
    """

    image: NDArray[np.uint8]
    rays: Array
    pixels: Array
    mask: Array
    noise: Array
    prompts: Prompts
    steps: NDArray[np.float32]
    grid_tokens: int

    @property
    def shape(self) -> tuple:
        """Return what must be the same of queries that are answered together."""
        return (self.image.shape, self.noise.shape, len(self.prompts.pixels), len(self.steps),
                self.grid_tokens)


def _no_lap(stage: str) -> None:
    """Measure nothing."""


class Backend(Protocol):
    """
    A library with the networks of a bundle loaded; one thread at a time.

    :param name: the library.
    :param reason: one sentence: what runs where, and why it was chosen.
    :param max_batch: frames that are worth answering at once; 1 where that gains nothing.
    """

    name: str
    reason: str
    max_batch: int

    def answer(self, queries: Sequence[Query],
               lap: Callable[[str], None] = _no_lap) -> list[tuple[Array, Array]]:
        """
        Answer up to max_batch frames in one run of the networks.

        :param queries: at least one; their shape is the same.
        :param lap: called at the end of each stage with its name.
        :returns: x_0 and log_b of the last step for each query, (K, N) each.
        """
        ...

    def close(self) -> None:
        """Free what the library holds; the backend is of no use afterwards."""
        ...


class GraphBackend:
    """A backend whose library runs the graphs one by one on numpy arrays, fp32 but for image."""

    name: str
    reason: str
    # One frame keeps a CPU busy: two at once took 4 to 9 % more CPU time each, three 6 to 10 %
    # (ONNX Runtime 1.32, 1 and 2 threads, 1 and 4 steps, 320x256, 5120 tokens).
    max_batch = 1

    def encoder(self, image: Array, rays: Array) -> tuple[Array, Array, Array]:
        """Map image (B,H,W,3) uint8 and rays (B,H,W,3) to local_2, local_4, global (B,G,D)."""
        raise NotImplementedError

    def conditioner(self, image: Array, rays: Array, local_2: Array, local_4: Array,
                    pixels: Array) -> Array:
        """Return the conditioning (B,N,D) of pixels (B,N,2)."""
        raise NotImplementedError

    def denoiser(self, x_t: Array, conditioning: Array, token_mask: Array, prompts: Array,
                 prompt_conditioning: Array, prompt_mask: Array, global_: Array,
                 step: Array) -> tuple[Array, Array, Array]:
        """Take one step: x_next, x_0 and log_b, each (B,N)."""
        raise NotImplementedError

    def answer(self, queries: Sequence[Query],
               lap: Callable[[str], None] = _no_lap) -> list[tuple[Array, Array]]:
        """Run encoder and conditioner once, the denoiser at each step; takes any number."""
        samples, tokens = queries[0].noise.shape
        image = np.stack([query.image for query in queries])
        rays = np.stack([query.rays for query in queries])
        local_2, local_4, global_ = self.encoder(image, rays)
        lap('encoder')
        asked = np.stack([np.concatenate([query.pixels, query.prompts.pixels])
                          for query in queries])
        conditioning = self.conditioner(image, rays, local_2, local_4, asked)
        lap('conditioner')
        at_tokens, at_prompts = np.split(conditioning, [tokens], axis=1)
        known = [query.prompts for query in queries]
        # The draws of a frame lie one after the other: (frames samples, ...).
        fixed = {name: np.repeat(array, samples, axis=0) for name, array in (
            ('conditioning', at_tokens), ('token_mask', np.stack([q.mask for q in queries])),
            ('prompts', np.stack([prompts.values for prompts in known])),
            ('prompt_conditioning', at_prompts),
            ('prompt_mask', np.stack([prompts.mask for prompts in known])), ('global_', global_))}
        x_t = x_0 = log_b = np.concatenate([query.noise for query in queries])
        for step in queries[0].steps:
            x_t, x_0, log_b = self.denoiser(
                x_t=x_t, step=np.repeat(step[None], len(x_t), axis=0), **fixed)
        lap('denoiser')
        return list(zip(np.split(x_0, len(queries)), np.split(log_b, len(queries))))

    def close(self) -> None:
        """Leave it to the garbage collector."""


def load(bundle: Bundle, backend: str = 'auto', *, cpu_threads: int = 0,
         cpu_precision: str = 'fp32', engine: EngineOptions | None = None) -> Backend:
    """
    Load the graphs of a bundle; a named backend never falls back to another.

    :param bundle: what load_bundle returned.
    :param backend: one of NAMES.
    :param cpu_threads: threads for CPU backends; 0 for all cores this process may use.
    :param cpu_precision: of ONNX Runtime's denoiser, one of CPU_PRECISIONS.
    :param engine: choices of backend tensorrt.
    :raises GrinError: when the backend is unknown, cannot be imported or cannot run the bundle.
    """
    if cpu_threads < 0:
        raise GrinError(f'cpu_threads must be 0 (all cores) or more, not {cpu_threads}')
    if backend not in NAMES:
        raise GrinError(f'unknown backend "{backend}": use one of {", ".join(NAMES)}')
    if cpu_precision not in CPU_PRECISIONS:
        raise GrinError(f'unknown cpu_precision "{cpu_precision}": use one of '
                        f'{", ".join(CPU_PRECISIONS)}')
    if cpu_precision != 'fp32' and backend in ('tensorrt', 'torch'):
        raise GrinError(f'cpu_precision {cpu_precision} is for backend onnxruntime, not {backend}')
    why = 'as asked'
    if backend in ('auto', 'tensorrt'):
        from grin_ros.backends.tensorrt import TensorRtBackend
        from grin_ros.engine.cache import CacheError

        try:
            return TensorRtBackend(bundle, engine, 'backend auto: TensorRT and a device are here'
                                   if backend == 'auto' else why)
        except GrinError as error:
            if backend == 'tensorrt':
                raise
            why = f'backend auto: no TensorRT, {problem_of(error)}'
            if engine is not None and isinstance(error, CacheError):  # all but that is there
                engine.warn(f'the CPU takes the place of TensorRT: {error}')
    if backend == 'torch':
        from grin_ros.backends.torch import TorchBackend

        return TorchBackend(bundle, cpu_threads, why)
    from grin_ros.backends.onnxruntime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(bundle, cpu_threads, why, cpu_precision)
