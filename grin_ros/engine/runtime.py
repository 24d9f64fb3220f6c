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


"""Runtime: a plan in; an engine whose contexts are bound to device addresses once out."""

from __future__ import annotations

from collections.abc import Mapping
import re
from typing import Any

import numpy as np

from grin_ros.engine.cuda_memory import CudaError
from grin_ros.errors import GrinError

TYPES = {'FLOAT': np.float32, 'HALF': np.float16, 'UINT8': np.uint8, 'BOOL': np.bool_,
         'INT32': np.int32, 'INT64': np.int64, 'INT8': np.int8}
OLDEST = (10, 3)
NEEDED = ('__version__', 'ILogger', 'Runtime')


def need_tensorrt(trt: Any) -> None:
    """Refuse what is no TensorRT, whatever its name is, and one that is too old."""
    lacks = [name for name in NEEDED if not hasattr(trt, name)]
    if lacks:
        raise GrinError(f'tensorrt is installed but has no {", ".join(lacks)}: remove '
                        f'{getattr(trt, "__file__", "it")}, and pip install '
                        '"grin_ros[tensorrt]", or use backend onnxruntime')
    version = tuple(int(part) for part in re.findall(r'\d+', trt.__version__)[:2])
    if version < OLDEST:
        raise GrinError(f'TensorRT {trt.__version__} is too old: 10.3 or later is needed '
                        '(JetPack 6.1), or use backend onnxruntime')


class Engine:
    """
    A plan that TensorRT has loaded.

    :param shapes: name of each input and output -> shape.
    :param types: name -> numpy type.
    :param inputs: names of the inputs.
    :param scratch_bytes: device memory that a context needs while it runs.
    """

    def __init__(self, trt: Any, engine: Any, log: Any) -> None:
        """Read what goes in and out; load() makes these."""
        self._trt, self._engine, self._log = trt, engine, log
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self.shapes = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        self.types = {name: np.dtype(TYPES[engine.get_tensor_dtype(name).name])
                      for name in names}
        self.inputs = {name for name in names
                       if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT}
        self.scratch_bytes = int(engine.device_memory_size_v2)

    @classmethod
    def load(cls, trt: Any, runtime: Any, log: Any, plan: bytes) -> Engine | None:
        """Return the engine of a plan; None when TensorRT does not take it."""
        engine = runtime.deserialize_cuda_engine(plan)
        return None if engine is None else cls(trt, engine, log)

    def context(self, addresses: Mapping[str, int], scratch: tuple[int, int]) -> Context:
        """
        Return an execution context bound to addresses.

        :param addresses: name of each input and output -> device address.
        :param scratch: address and size [bytes] of memory for while it runs; contexts that run
            one after the other may share it.
        """
        strategy = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        made = self._engine.create_execution_context(strategy)
        if made is None:
            raise CudaError(f'TensorRT cannot make an execution context: {self._log.last_error}')
        made.set_device_memory(*scratch)
        for name in self.shapes:
            if not made.set_tensor_address(name, addresses[name]):
                raise CudaError(f'TensorRT refuses the address of {name}: '
                                f'{self._log.last_error}')
        return Context(made, self._log)


class Context:
    """An execution context with all its addresses set."""

    def __init__(self, context: Any, log: Any) -> None:
        """Keep it."""
        self._context, self._log = context, log

    def enqueue(self, stream: int) -> None:
        """Put the work on a stream."""
        if not self._context.execute_async_v3(stream):
            raise CudaError(f'TensorRT cannot run the engine: '
                            f'{self._log.last_error or "it gave no reason"}')
