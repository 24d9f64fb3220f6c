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


"""
A device that is not there: its memory is numpy, and its engines are run by ONNX Runtime.

It stands in for the CUDA driver and for TensorRT's execution, and for nothing of ours. It proves
which addresses are bound, what runs in which order and what happens when the device fails. It
does not prove that TensorRT compiles the graphs (test_engine_build does, with TensorRT for RTX),
what they cost or how fp16 rounds on a GPU, nor that these calls exist (test_engine_api).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from grin_ros.engine.build import BuildSettings, Cancelled, Plan
from grin_ros.engine.cuda_memory import CudaError, DeviceFacts

MAGIC = b'FAKE PLAN '
KINDS = {1: 'FLOAT', 2: 'UINT8', 9: 'BOOL', 10: 'HALF', 7: 'INT64'}
TYPES = {'FLOAT': np.float32, 'UINT8': np.uint8, 'BOOL': np.bool_, 'HALF': np.float16}


class FakeDevice:
    """Memory by address; ``fail`` names the call that fails next, ``lost`` fails them all."""

    name = 'fake'
    stream = 0x57

    def __init__(self, can_capture: bool = False, fail: str = '') -> None:
        self.can_capture, self.fail, self.lost = can_capture, fail, False
        self.memory: dict[int, np.ndarray] = {}
        self.uploads: list[int] = []
        self.depth = 0
        self.closed = False
        self.recording: list[Callable[[], None]] | None = None
        self.launches = 0
        self._next = 1 << 20

    def _call(self, name: str) -> None:
        assert self.depth == 1, f'{name} without the context of this thread'
        assert not self.closed, f'{name} after close'
        if self.lost or self.fail == name:
            raise CudaError(f'{name}: the device is lost' if self.lost else f'{name} failed')

    def facts(self) -> DeviceFacts:
        return DeviceFacts('Fake GPU', '8.7', 16, '12060', '12.6')

    @contextmanager
    def current(self) -> Iterator[None]:
        assert self.depth == 0, 'the context is pushed twice'
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def allocate(self, size: int) -> int:
        self._call('allocate')
        address, self._next = self._next, self._next + (size // 256 + 2) * 256
        self.memory[address] = np.full(size, 0xFF, np.uint8)  # NaN, where it is never written
        return address

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        self._call('pinned')
        return np.zeros(shape, dtype)

    def upload(self, address: int, host: np.ndarray) -> None:
        self._call('upload')
        assert self.recording is None, 'an upload was captured'
        self.uploads.append(address)
        self.memory[address][:] = host.reshape(-1).view(np.uint8)

    def download(self, host: np.ndarray, address: int) -> None:
        self._call('download')
        host.reshape(-1).view(np.uint8)[:] = self.memory[address]

    def synchronize(self) -> None:
        self._call('synchronize')

    def free_memory(self) -> int:
        self._call('free_memory')
        return 1 << 30

    def capture(self, work: Callable[[], None]) -> list[Callable[[], None]]:
        self._call('capture')
        self.recording = []
        try:
            work()
            return self.recording
        finally:
            self.recording = None

    def launch(self, graph: list[Callable[[], None]]) -> None:
        self._call('launch')
        self.launches += 1
        for work in graph:
            work()

    def close(self) -> None:
        self.closed = True
        self.memory.clear()


class _Engine:
    def __init__(self, device: FakeDevice, model: bytes) -> None:
        self.session = ort.InferenceSession(model, providers=['CPUExecutionProvider'])
        graph = onnx.load_from_string(model).graph
        names = {tensor.name for tensor in graph.initializer}
        self.inputs = [value for value in graph.input if value.name not in names]
        self.outputs = list(graph.output)
        self.device = device
        self._values = {value.name: value for value in (*self.inputs, *self.outputs)}
        self.num_io_tensors = len(self._values)
        self.device_memory_size_v2 = 4096 * len(self.inputs)

    def get_tensor_name(self, index: int) -> str:
        return list(self._values)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(dim.dim_value for dim in self._values[name].type.tensor_type.shape.dim)

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=KINDS[self._values[name].type.tensor_type.elem_type])

    def get_tensor_mode(self, name: str) -> Any:
        is_input = any(value.name == name for value in self.inputs)
        return FakeTrt.TensorIOMode.INPUT if is_input else FakeTrt.TensorIOMode.OUTPUT

    def create_execution_context(self, strategy: Any) -> Any:
        assert strategy is FakeTrt.ExecutionContextAllocationStrategy.USER_MANAGED
        return None if self.device.fail == 'context' else _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine, self._addresses, self._scratch = engine, {}, False

    def set_device_memory(self, address: int, size: int) -> None:
        engine = self._engine
        assert size >= engine.device_memory_size_v2 <= len(engine.device.memory[address])
        self._scratch = True

    def set_tensor_address(self, name: str, address: int) -> bool:
        assert address % 256 == 0 and address in self._engine.device.memory
        self._addresses[name] = address
        return self._engine.device.fail != 'address'

    def execute_async_v3(self, stream: int) -> bool:
        device = self._engine.device
        assert stream == device.stream and device.depth == 1 and self._scratch
        if device.fail == 'enqueue':
            return False
        if device.recording is not None:
            device.recording.append(self._run)
        else:
            self._run()
        return True

    def _array(self, name: str) -> np.ndarray:
        engine = self._engine
        kind = TYPES[engine.get_tensor_dtype(name).name]
        memory = engine.device.memory[self._addresses[name]]
        return memory.view(kind).reshape(engine.get_tensor_shape(name))

    def _run(self) -> None:
        engine = self._engine
        names = [value.name for value in engine.outputs]
        results = engine.session.run(
            names, {value.name: self._array(value.name) for value in engine.inputs})
        for name, result in zip(names, results, strict=True):
            self._array(name)[:] = np.nan if engine.device.fail == 'nan' else result


class FakeTrt:
    """The part of the module tensorrt that runs engines."""

    __name__ = 'tensorrt'
    __version__ = '10.3.0'
    TensorIOMode = Enum('TensorIOMode', 'INPUT OUTPUT')
    ExecutionContextAllocationStrategy = Enum('Strategy', 'STATIC USER_MANAGED')

    class ILogger:
        Severity = Enum('Severity', 'INTERNAL_ERROR ERROR WARNING INFO')

        def __init__(self) -> None:
            pass

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self.loads = 0

    def Runtime(self, log: Any) -> Any:
        return self

    def deserialize_cuda_engine(self, plan: bytes) -> _Engine | None:
        self.loads += 1
        if not plan.startswith(MAGIC):
            return None
        return _Engine(self._device, plan.removeprefix(MAGIC))


class FakeBuild:
    """What builds: the plan holds the graph itself, changed by ``spoil`` where a test wants it."""

    def __init__(self, spoil: Callable[[bytes], bytes] | None = None) -> None:
        self.built: list[dict[str, Any]] = []
        self._spoil = spoil or (lambda model: MAGIC + model)

    def __call__(self, library: str, model: bytes, settings: BuildSettings,
                 **options: Any) -> Plan:
        self.built.append({'library': library, 'model': model, **options})
        options['progress']('tactics', 0.5)
        return Plan(self._spoil(model), timings=options['timings'] + b'+')


def install(build_seconds: float = 0.0, lost: str = '', fail: str = '') -> None:
    """
    Let this process have a fake device: backend tensorrt works on it.

    :param build_seconds: how long a build takes.
    :param lost: the device is lost while there is a file of this name.
    :param fail: as FakeDevice has it.
    """
    from grin_ros.backends import tensorrt

    class Device(FakeDevice):
        def _call(self, name: str) -> None:
            self.lost = bool(lost) and Path(lost).exists()
            super()._call(name)

    class SlowBuild(FakeBuild):
        def __call__(self, library: str, model: bytes, settings: BuildSettings,
                     **options: Any) -> Plan:
            end = time.monotonic() + build_seconds
            while time.monotonic() < end:
                options['progress']('tactics', 1 - (end - time.monotonic()) / build_seconds)
                if options['cancelled']():
                    raise Cancelled('cancelled')
                time.sleep(0.05)
            return super().__call__(library, model, settings, **options)

    class Backend(tensorrt.TensorRtBackend):
        def __init__(self, bundle: Any, options: Any = None, why: str = 'as asked') -> None:
            device = Device(fail=fail)
            super().__init__(bundle, options, why, trt=FakeTrt(device), device=device,
                             build=SlowBuild())

    tensorrt.TensorRtBackend = Backend  # type: ignore[misc]
