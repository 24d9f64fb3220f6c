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


"""Build: ONNX bytes and a TensorRT module in; a plan and what goes in and out of it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from grin_ros.errors import GrinError

Progress = Callable[[str, float], None]


class Cancelled(GrinError):
    """The build was stopped from outside."""


@dataclass(frozen=True)
class BuildSettings:
    """
    What the builder may do; all of it is part of an engine's cache key.

    :param optimization_level: 0 (fast build) to 5.
    :param workspace_mib: scratch memory a layer may use [MiB].
    :param compute_capabilities: of TensorRT for RTX alone: SM86 and so on, which are built
        ahead of time without a device; empty for the device that is there.
    """

    optimization_level: int = 3
    workspace_mib: int = 1024
    compute_capabilities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the library would refuse later."""
        if not 0 <= self.optimization_level <= 5:
            raise GrinError(f'optimization_level must be 0 to 5, not {self.optimization_level}')
        if self.workspace_mib < 16:
            raise GrinError(f'workspace_mib must be at least 16, not {self.workspace_mib}')

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and keys."""
        return asdict(self)


@dataclass(frozen=True)
class Tensor:
    """An input or output of an engine."""

    name: str
    shape: tuple[int, ...]
    kind: str
    is_input: bool


@dataclass(frozen=True)
class Plan:
    """
    A serialized engine.

    :param timings: timing cache to hand to the next build; empty when there is none.
    """

    data: bytes = field(repr=False)
    tensors: tuple[Tensor, ...] = ()
    timings: bytes = field(default=b'', repr=False)


def build_plan(trt: Any, model: bytes, settings: BuildSettings | None = None, *,
               progress: Progress | None = None, timings: bytes | None = None) -> Plan:
    """
    Compile a static, strongly typed graph; the same calls serve TensorRT 10.3 to 11 and RTX.

    :param trt: the module tensorrt or tensorrt_rtx.
    :param model: ONNX bytes; precision is what the graph says.
    :param progress: called with the phase and its share done, from any thread.
    :param timings: timing cache, empty for a new one, None for none (RTX has none without GPU).
    :raises GrinError: with what the library said.
    """
    settings = settings or BuildSettings()
    log = logger(trt)
    try:
        builder = trt.Builder(log)
    except TypeError as error:  # what pybind11 makes of a builder that cannot start
        raise GrinError(f'{trt.__name__} {trt.__version__} cannot start a builder '
                        f'({log.last_error or error}): is there a CUDA device and driver? '
                        '`grin doctor` tells') from error
    # TensorRT 11 has no other networks; 10 needs to be told.
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        parser_errors = [parser.get_error(i) for i in range(parser.num_errors)]
        reasons = [f'{parser_error.node_operator()} {parser_error.node_name()}: '
                   f'{parser_error.desc()}'.strip(' :')
                   for parser_error in parser_errors]
        raise GrinError(f'{trt.__name__} {trt.__version__} cannot read the graph: '
                        + ('; '.join(reasons) or log.last_error))
    config = builder.create_builder_config()
    _configure(trt, config, settings)
    if timings is not None:
        config.set_timing_cache(config.create_timing_cache(timings), False)
    monitor = _monitor(trt, progress)
    config.progress_monitor = monitor
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        raise GrinError(f'{trt.__name__} {trt.__version__} cannot build the engine: '
                        f'{log.last_error or "it gave no reason"}')
    cache = config.get_timing_cache() if timings is not None else None
    return Plan(bytes(serialized), network_tensors(network),
                bytes(cache.serialize()) if cache is not None else b'')


def _configure(trt: Any, config: Any, settings: BuildSettings) -> None:
    """Set everything but timing cache and monitor."""
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
    config.builder_optimization_level = settings.optimization_level
    # fp32 means fp32: it is what fp16 is measured against.
    config.clear_flag(trt.BuilderFlag.TF32)
    if settings.compute_capabilities:
        known = getattr(trt, 'ComputeCapability', None)
        missing = [name for name in settings.compute_capabilities if not hasattr(known, name)]
        if missing:
            raise GrinError(f'{trt.__name__} {trt.__version__} has no compute capability '
                            f'{", ".join(missing)} to build for')
        config.num_compute_capabilities = len(settings.compute_capabilities)
        for index, name in enumerate(settings.compute_capabilities):
            config.set_compute_capability(getattr(known, name), index)


def network_tensors(network: Any) -> tuple[Tensor, ...]:
    """Return the inputs and outputs of a parsed network."""
    inputs = [(network.get_input(i), True) for i in range(network.num_inputs)]
    outputs = [(network.get_output(i), False) for i in range(network.num_outputs)]
    return tuple(Tensor(tensor.name, tuple(tensor.shape), tensor.dtype.name, is_input)
                 for tensor, is_input in inputs + outputs)


def logger(trt: Any) -> Any:
    """Return an ILogger that keeps the last error."""

    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last_error = ''

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.last_error = message

    return Logger()


def _monitor(trt: Any, progress: Progress | None) -> Any:
    """Return an IProgressMonitor; the builder calls it from threads of its own."""

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = max(num_steps, 1)

        def step_complete(self, phase_name: str, step: int) -> bool:
            if progress is not None:
                progress(phase_name, min((step + 1) / self._steps.get(phase_name, 1), 1.0))
            return True  # go on

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()
