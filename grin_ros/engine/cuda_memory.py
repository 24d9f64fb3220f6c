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


"""CUDA memory: device buffers, pinned arrays, one stream; what TensorRT needs beside itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import importlib.util
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

from grin_ros.errors import GrinError

Array = NDArray[Any]
MEMORIES = ('auto', 'cuda-python', 'pycuda')


class CudaError(GrinError):
    """The device failed; what was on it is lost and everything must be released."""


@dataclass(frozen=True)
class DeviceFacts:
    """What an engine depends on beside TensorRT: parts of its cache key."""

    name: str
    compute_capability: str
    sm_count: int
    driver: str
    cuda: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and keys."""
        return asdict(self)


class Device(Protocol):
    """
    One CUDA device with one stream; calls but facts() need current().

    :param stream: handle of the stream, for execute_async_v3.
    :param can_capture: whether capture() can record a CUDA graph.
    """

    name: str
    stream: int
    can_capture: bool

    def facts(self) -> DeviceFacts:
        """Return name and versions."""
        ...

    def current(self) -> Any:
        """Return a context manager that makes the device this thread's."""
        ...

    def allocate(self, size: int) -> int:
        """Return the address of new device memory [bytes], aligned to 256."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """Return page-locked host memory."""
        ...

    def upload(self, address: int, host: Array) -> None:
        """Copy a pinned array to the device, on the stream."""
        ...

    def download(self, host: Array, address: int) -> None:
        """Copy from the device to a pinned array, on the stream."""
        ...

    def synchronize(self) -> None:
        """Wait for the stream."""
        ...

    def free_memory(self) -> int:
        """Return the device's free memory [bytes]."""
        ...

    def capture(self, work: Any) -> Any:
        """Record what a function puts on the stream and return a CUDA graph."""
        ...

    def launch(self, graph: Any) -> None:
        """Put a CUDA graph on the stream."""
        ...

    def close(self) -> None:
        """Free all that was made here, whatever state the device is in."""
        ...


def open_device(device_id: int = 0, memory: str = 'auto') -> Device:
    """
    Open a CUDA device.

    :param memory: pycuda, cuda-python (it alone captures CUDA graphs), or auto: cuda-python
        where it is installed, else pycuda.
    :raises GrinError: when there is no such library or device.
    """
    if memory not in MEMORIES:
        raise GrinError(f'cuda memory must be one of {", ".join(MEMORIES)}, not "{memory}"')
    if memory == 'cuda-python' or (memory == 'auto' and _has('cuda.bindings.runtime')):
        from grin_ros.engine.cuda_python import CudaPythonDevice

        return CudaPythonDevice(device_id)
    from grin_ros.engine.pycuda import PyCudaDevice

    return PyCudaDevice(device_id)


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:  # it imports the packages around the module, which may be broken
        return False


@contextmanager
def cuda_errors(kind: type[Exception] | tuple[type[Exception], ...], doing: str) -> Iterator[None]:
    """Turn a library's exceptions into CudaError."""
    try:
        yield
    except kind as error:
        raise CudaError(f'CUDA failed to {doing}: {error}') from error
