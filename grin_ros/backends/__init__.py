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

"""Backends: one library each that runs the three graphs of a bundle; load() chooses."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from grin_ros.bundle import Bundle
from grin_ros.errors import GrinError

Array = NDArray[Any]
NAMES = ('auto', 'onnxruntime', 'torch')


class Backend(Protocol):
    """
    Runs the graphs on numpy arrays; what goes in and out is float32 unless said otherwise.

    :param name: the library.
    :param reason: one sentence: what runs where, and why it was chosen.
    """

    name: str
    reason: str

    def encoder(self, image: Array, rays: Array) -> tuple[Array, Array, Array]:
        """Map image (B,H,W,3) uint8 and rays (B,H,W,3) to local_2, local_4, global (B,G,D)."""
        ...

    def conditioner(self, image: Array, rays: Array, local_2: Array, local_4: Array,
                    pixels: Array) -> Array:
        """Return the conditioning (B,N,D) of pixels (B,N,2)."""
        ...

    def denoiser(self, x_t: Array, conditioning: Array, token_mask: Array, prompts: Array,
                 prompt_conditioning: Array, prompt_mask: Array, global_: Array,
                 step: Array) -> tuple[Array, Array, Array]:
        """Take one step: x_next, x_0 and log_b, each (B,N)."""
        ...


def load(bundle: Bundle, backend: str = 'auto', *, cpu_threads: int = 0) -> Backend:
    """
    Load the graphs of a bundle; a named backend never falls back to another.

    :param bundle: what load_bundle returned.
    :param backend: one of NAMES.
    :param cpu_threads: threads for CPU backends; 0 for all cores.
    :raises GrinError: when the backend is unknown, cannot be imported or cannot run the bundle.
    """
    if cpu_threads < 0:
        raise GrinError(f'cpu_threads must be 0 (all cores) or more, not {cpu_threads}')
    if backend in ('auto', 'onnxruntime'):
        from grin_ros.backends.onnxruntime import OnnxRuntimeBackend

        why = ('backend auto: this version runs on the CPU only' if backend == 'auto'
               else 'as asked')
        return OnnxRuntimeBackend(bundle, cpu_threads, why)
    if backend == 'torch':
        from grin_ros.backends.torch import TorchBackend

        return TorchBackend(bundle, cpu_threads, 'as asked')
    raise GrinError(f'unknown backend "{backend}": use one of {", ".join(NAMES)}')
