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


"""Program: engines of one profile on one device; frames' arrays in, x_0 and log_b out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.engine.cuda_memory import CudaError, Device
from grin_ros.engine.profile import Profile
from grin_ros.engine.runtime import Context, Engine
from grin_ros.errors import GrinError

Array = NDArray[Any]
Inputs = Mapping[str, Sequence[Array]]
ALIGNMENT = 256  # [bytes] of addresses, as TensorRT wants them


class Buffers:
    """Device memory by name, with pinned arrays where the host reads or writes."""

    def __init__(self, device: Device) -> None:
        """Allocate nothing yet."""
        self._device = device
        self.addresses: dict[str, int] = {}
        self._pinned: dict[str, Array] = {}
        self._sources: dict[str, list[Array | None]] = {}

    def add(self, name: str, shape: tuple[int, ...], dtype: Any, host: bool = False) -> int:
        """Allocate a tensor unless it is there, and return its address."""
        if name not in self.addresses:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            self.addresses[name] = self._device.allocate(size)
            if host:
                self._pinned[name] = self._device.pinned(shape, dtype)
        return self.addresses[name]

    def put(self, name: str, sources: Sequence[Array]) -> None:
        """
        Upload an array of each frame; the very same objects as last time are there already.

        A shorter array is padded with zeros, one without an axis of draws is broadcast.
        """
        host = self._pinned[name]
        there = self._sources.pop(name, [None] * len(sources))
        # All draws of a frame lie together; an input of the frame graph has one part per frame.
        parts = host.reshape(len(sources), -1, *host.shape[1:])
        fresh = [(part, source) for part, old, source in zip(parts, there, sources, strict=True)
                 if old is not source]
        for part, source in fresh:
            _fill(part, source)
        if fresh:
            self._device.upload(self.addresses[name], host)
        # Whoever changes an array in place must make a new one: rays, pixels and noise are kept.
        self._sources[name] = list(sources)

    def fetch(self, *names: str) -> list[Array]:
        """Download tensors and wait for the stream; the arrays are new."""
        for name in names:
            self._device.download(self._pinned[name], self.addresses[name])
        self._device.synchronize()
        return [self._pinned[name].copy() for name in names]


def _fill(host: Array, source: Array) -> None:
    """Copy a source (K, N, ...) or (N, ...) into all (K, N, ...) of host, padded with zeros."""
    tokens = source.shape[source.ndim - host.ndim + 1]
    host[:, tokens:] = 0
    host[:, :tokens] = source


class Program:
    """
    All that runs for the frames of a profile, on addresses that never change.

    :param frame: engine of the frame graph; None when ``fused`` has everything.
    :param denoiser: engine of the denoiser; None likewise.
    :param fused: returns the fused engine of a step count.
    :param cuda_graph: capture the work once per step count where the device can.
    :param warn: told when that fails.
    """

    def __init__(self, device: Device, profile: Profile, frame: Engine | None,
                 denoiser: Engine | None, fused: Callable[[int], Engine] | None = None, *,
                 cuda_graph: bool = True, warn: Callable[[str], None] = lambda text: None) -> None:
        """Allocate; engines are bound when a step count is first asked for."""
        self.profile = profile
        self._device, self._frame, self._denoiser, self._fused = device, frame, denoiser, fused
        self._cuda_graph = cuda_graph and device.can_capture
        self._warn = warn
        self._buffers = Buffers(device)
        self._scratch = (0, 0)
        self._works: dict[int, tuple[list[Context], Any]] = {}
        self.captured = False

    def run(self, inputs: Inputs, steps: NDArray[np.float32]) -> tuple[Array, Array]:
        """
        Answer as many frames as the profile has.

        :param inputs: image, rays, pixels, prompt_pixels, x_t, token_mask, prompts, prompt_mask
            of each frame.
        :param steps: (S, 4) rows of ddim_steps.
        :returns: x_0 and log_b, (frames K, N) each.
        """
        count = len(steps)
        if count not in self._works:
            self._works[count] = self._prepare(inputs, steps)
        contexts, graph = self._works[count]
        for name, arrays in inputs.items():
            self._buffers.put(name, arrays)
        if graph is None:
            self._enqueue(contexts)
        else:
            self._device.launch(graph)
        x_0, log_b = self._buffers.fetch('x_0', 'log_b')
        return x_0, log_b

    def repeat(self, step_count: int) -> None:
        """Run the networks of the last frames again, without copies, and wait: to measure them."""
        contexts, graph = self._works[step_count]
        if graph is None:
            self._enqueue(contexts)
        else:
            self._device.launch(graph)
        self._device.synchronize()

    def _prepare(self, inputs: Inputs,
                 steps: NDArray[np.float32]) -> tuple[list[Context], Any]:
        """Bind a step count, run it once, and capture it where that works."""
        contexts = self._bind(steps)
        if not self._cuda_graph:
            return contexts, None
        for name, arrays in inputs.items():
            self._buffers.put(name, arrays)
        self._enqueue(contexts)  # what TensorRT sets up at first must not be captured
        self._device.synchronize()
        try:
            graph = self._device.capture(lambda: self._enqueue(contexts))
        except CudaError as error:
            self._warn(f'no CUDA graph for {len(steps)} steps, the engines are enqueued one by '
                       f'one: {error}')
            self._device.synchronize()  # a device that is lost says so here
            return contexts, None
        self.captured = True
        return contexts, graph

    def _enqueue(self, contexts: list[Context]) -> None:
        for context in contexts:
            context.enqueue(self._device.stream)

    def _bind(self, steps: NDArray[np.float32]) -> list[Context]:
        """Return the contexts of a run in order: each step has one of its own, bound once."""
        if self._fused is not None:
            engine = self._fused(len(steps))
            return [self._context(engine, {})]
        if self._frame is None or self._denoiser is None:
            raise GrinError('a program needs a frame engine and a denoiser, or fused engines')
        buffers, shape = self._buffers, (self.profile.draws, self.profile.tokens)
        ping = [buffers.add(f'ping_{i}', shape, np.float32) for i in range(2)]
        contexts = [self._context(self._frame, {})]
        for index, row in enumerate(steps):
            name = f'step_{index}_of_{len(steps)}'
            address = buffers.add(name, (self.profile.draws, 4), np.float32, host=True)
            buffers.put(name, [np.tile(row, (self.profile.draws, 1))])
            # The noise is only read, so that it may stay on the device from frame to frame.
            given = {'step': address, 'x_next': ping[index % 2]}
            if index:
                given['x_t'] = ping[(index - 1) % 2]
            contexts.append(self._context(self._denoiser, given))
        return contexts

    def _context(self, engine: Engine, given: dict[str, int]) -> Context:
        """Bind an engine: tensors of one name share one buffer, unless given."""
        addresses = dict(given)
        for name, shape in engine.shapes.items():
            if name not in addresses:
                host = name in engine.inputs or name in ('x_0', 'log_b')
                addresses[name] = self._buffers.add(name, shape, engine.types[name], host)
        wrong = {name: value for name, value in addresses.items() if value % ALIGNMENT}
        if wrong:
            raise CudaError(f'device addresses are not aligned to {ALIGNMENT} bytes: {wrong}')
        return engine.context(addresses, self._scratch_for(engine))

    def _scratch_for(self, engine: Engine) -> tuple[int, int]:
        """Return scratch memory that all contexts share, since they run one after the other."""
        if not self._scratch[1]:
            known = [each for each in (self._frame, self._denoiser, engine) if each is not None]
            size = max(1, *(each.scratch_bytes for each in known))
            self._scratch = self._device.allocate(size), size
        elif self._scratch[1] < engine.scratch_bytes:  # a fused engine of more steps
            self._scratch = self._device.allocate(engine.scratch_bytes), engine.scratch_bytes
        return self._scratch

    def close(self) -> None:
        """Let go of the contexts before their engines and memory go."""
        self._works.clear()
