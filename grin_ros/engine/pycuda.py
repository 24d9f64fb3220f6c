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


"""pycuda: the primary context, retained; pushed only while a thread works with the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from grin_ros.engine.cuda_memory import Array, cuda_errors, CudaError, DeviceFacts
from grin_ros.errors import GrinError, require


class PyCudaDevice:
    """
    A device through pycuda.

    torch and TensorRT use the primary context too, so that all three can live in one process;
    pycuda.autoinit would make another one.
    """

    name = 'pycuda'
    can_capture = False  # pycuda has no such calls

    def __init__(self, device_id: int = 0) -> None:
        """Retain the context and make the stream."""
        cuda = self._cuda = require('pycuda.driver', 'tensorrt')
        try:
            cuda.init()
            count = cuda.Device.count()
        except cuda.Error as error:
            raise GrinError(f'pycuda finds no CUDA device ({error}): is the driver installed? '
                            '`grin doctor` tells') from error
        if not 0 <= device_id < count:
            raise GrinError(f'device_id must be 0 to {count - 1}, not {device_id}: there are '
                            f'{count} CUDA devices')
        self._buffers: list[Any] = []
        self._pinned: list[Array] = []
        with self._errors('open the device'):
            self._device = cuda.Device(device_id)
            self._context = self._device.retain_primary_context()
        with self.current(), self._errors('make a stream'):
            self._stream = cuda.Stream()
            self.stream = int(self._stream.handle)

    def _errors(self, doing: str) -> Any:
        return cuda_errors(self._cuda.Error, doing)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Push the context for this thread and pop it afterwards."""
        with self._errors('enter the context'):
            self._context.push()
        try:
            yield
        finally:
            with suppress(self._cuda.Error):
                self._cuda.Context.pop()

    def facts(self) -> DeviceFacts:
        """Return name and versions."""
        cuda, device = self._cuda, self._device
        with self._errors('read the attributes of the device'):
            major, minor = device.compute_capability()
            sm_count = device.get_attribute(cuda.device_attribute.MULTIPROCESSOR_COUNT)
            return DeviceFacts(device.name(), f'{major}.{minor}', int(sm_count),
                               str(cuda.get_driver_version()),
                               '.'.join(map(str, cuda.get_version())))

    def allocate(self, size: int) -> int:
        """Return the address of new device memory."""
        with self._errors(f'allocate {size / 2**20:.1f} MiB on the device'):
            self._buffers.append(self._cuda.mem_alloc(max(size, 1)))
        return int(self._buffers[-1])

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Return page-locked host memory, zeroed."""
        with self._errors('allocate pinned memory'):
            array = self._cuda.pagelocked_empty(shape, np.dtype(dtype))
        array.fill(0)
        self._pinned.append(array)  # freed in close(), where the context is current
        return array

    def upload(self, address: int, host: Array) -> None:
        """Copy to the device, on the stream."""
        with self._errors('copy to the device'):
            self._cuda.memcpy_htod_async(address, host, self._stream)

    def download(self, host: Array, address: int) -> None:
        """Copy from the device, on the stream."""
        with self._errors('copy from the device'):
            self._cuda.memcpy_dtoh_async(host, address, self._stream)

    def synchronize(self) -> None:
        """Wait for the stream; errors of what ran on it show here."""
        with self._errors('finish its work'):
            self._stream.synchronize()

    def free_memory(self) -> int:
        """Return the device's free memory [bytes]."""
        with self._errors('tell its memory'):
            return int(self._cuda.mem_get_info()[0])

    def capture(self, work: Callable[[], None]) -> Any:
        """Refuse."""
        raise CudaError('pycuda cannot capture CUDA graphs')

    def launch(self, graph: Any) -> None:
        """Refuse."""
        raise CudaError('pycuda cannot launch CUDA graphs')

    def close(self) -> None:
        """Free everything and let go of the context; a lost device is no reason to stop."""
        if self._context is None:
            return
        # detach() works only where the context is current, and leaves it so. In a thread that
        # ends this does not matter.
        thread = threading.Thread(target=self._release)
        thread.start()
        thread.join()
        self._context = None

    def _release(self) -> None:
        """Free what can be freed, then detach; pinned arrays need their context, too."""
        cuda = self._cuda
        with suppress(cuda.Error):
            self._context.push()
            for buffer in self._buffers:
                with suppress(cuda.Error):
                    buffer.free()
            self._buffers.clear()
            self._pinned.clear()
            del self._stream
            self._context.detach()
