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


"""cuda-python: the runtime API, which works in the primary context and captures CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import ctypes
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from grin_ros.engine.cuda_memory import Array, CudaError, DeviceFacts
from grin_ros.errors import GrinError, require

# No extra brings it, since the version is CUDA's.
INSTALL = 'pip install "cuda-python>=13", or "cuda-python>=12.6,<13" for CUDA 12'


class CudaPythonDevice:
    """A device through cuda.bindings.runtime (cuda-python 12.6 and later)."""

    name = 'cuda-python'
    can_capture = True

    def __init__(self, device_id: int = 0) -> None:
        """Select the device and make the stream."""
        self._cuda = require('cuda.bindings.runtime', remedy=INSTALL)
        self._device_id = device_id
        self._buffers: list[int] = []
        self._pinned: list[int] = []
        self._graphs: list[Any] = []
        try:
            count = self._call('cudaGetDeviceCount')
        except (CudaError, RuntimeError) as error:  # RuntimeError: there is no libcuda
            raise GrinError(f'cuda-python finds no CUDA device ({error}): is the driver '
                            'installed? `grin doctor` tells') from error
        if not 0 <= device_id < count:
            raise GrinError(f'device_id must be 0 to {count - 1}, not {device_id}: there are '
                            f'{count} CUDA devices')
        with self.current():
            self._stream = self._call('cudaStreamCreate')
            self.stream = int(self._stream)

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call the runtime and return what comes beside the error code."""
        error, *values = getattr(self._cuda, name)(*arguments)
        if error != self._cuda.cudaError_t.cudaSuccess:
            raise CudaError(f'CUDA: {name} gave {getattr(error, "name", error)}')
        return values[0] if len(values) == 1 else tuple(values)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Select the device for this thread."""
        self._call('cudaSetDevice', self._device_id)
        yield

    def facts(self) -> DeviceFacts:
        """Return name and versions."""
        properties = self._call('cudaGetDeviceProperties', self._device_id)
        name = properties.name
        name = name.decode() if isinstance(name, bytes) else str(name)
        return DeviceFacts(name, f'{properties.major}.{properties.minor}',
                           int(properties.multiProcessorCount),
                           str(self._call('cudaDriverGetVersion')),
                           str(self._call('cudaRuntimeGetVersion')))

    def allocate(self, size: int) -> int:
        """Return the address of new device memory."""
        self._buffers.append(int(self._call('cudaMalloc', max(size, 1))))
        return self._buffers[-1]

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Return page-locked host memory, zeroed."""
        kind = np.dtype(dtype)
        size = max(int(np.prod(shape)) * kind.itemsize, 1)
        address = int(self._call('cudaHostAlloc', size, 0))
        self._pinned.append(address)
        memory = (ctypes.c_uint8 * size).from_address(address)
        array = np.ndarray(shape, kind, buffer=memoryview(memory))
        array.fill(0)
        return array

    def upload(self, address: int, host: Array) -> None:
        """Copy to the device, on the stream."""
        self._copy(address, host.ctypes.data, host.nbytes, 'cudaMemcpyHostToDevice')

    def download(self, host: Array, address: int) -> None:
        """Copy from the device, on the stream."""
        self._copy(host.ctypes.data, address, host.nbytes, 'cudaMemcpyDeviceToHost')

    def _copy(self, target: int, source: int, size: int, kind: str) -> None:
        kinds = self._cuda.cudaMemcpyKind
        self._call('cudaMemcpyAsync', target, source, size, getattr(kinds, kind), self._stream)

    def synchronize(self) -> None:
        """Wait for the stream; errors of what ran on it show here."""
        self._call('cudaStreamSynchronize', self._stream)

    def free_memory(self) -> int:
        """Return the device's free memory [bytes]."""
        return int(self._call('cudaMemGetInfo')[0])

    def capture(self, work: Callable[[], None]) -> Any:
        """Record what a function puts on the stream and return a CUDA graph."""
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call('cudaStreamBeginCapture', self._stream, mode)
        try:
            work()
        except Exception:
            # The capture must end, or the stream stays useless.
            with suppress(CudaError):
                self._call('cudaStreamEndCapture', self._stream)
            raise
        graph = self._call('cudaStreamEndCapture', self._stream)
        try:
            self._graphs.append(self._call('cudaGraphInstantiate', graph, 0))
        finally:
            self._call('cudaGraphDestroy', graph)
        return self._graphs[-1]

    def launch(self, graph: Any) -> None:
        """Put a CUDA graph on the stream."""
        self._call('cudaGraphLaunch', graph, self._stream)

    def close(self) -> None:
        """Free everything; a lost device is no reason to stop."""
        made = [('cudaGraphExecDestroy', graph) for graph in self._graphs]
        made += [('cudaFree', address) for address in self._buffers]
        made += [('cudaFreeHost', address) for address in self._pinned]
        if self.stream:
            made.append(('cudaStreamDestroy', self._stream))
        for name, what in [('cudaSetDevice', self._device_id), *made]:
            with suppress(CudaError):
                self._call(name, what)
        self._graphs, self._buffers, self._pinned, self.stream = [], [], [], 0
