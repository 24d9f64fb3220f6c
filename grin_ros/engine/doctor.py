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


"""Doctor: what a GPU owner's machine has, builds, answers and takes; one report out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
import json
from pathlib import Path
import tempfile
import time
from typing import Any

import numpy as np

from grin_ros.backends import Query
from grin_ros.backends.tensorrt import TensorRtBackend
from grin_ros.bundle import Bundle
from grin_ros.demo.frames import shipped
from grin_ros.engine.cuda_memory import MEMORIES, open_device
from grin_ros.engine.machine import percentiles, versions
from grin_ros.engine.options import EngineOptions, TOLERANCE_P
from grin_ros.engine.profile import Profile
from grin_ros.engine.selftest import difference, probe_queries, reference_answer
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimator

STEP_COUNTS = (1, 2, 4)
VARIANTS = (('fp32', False), ('fp32', True), ('fp16', False), ('fp16', True))  # fused or not
OK, FAILED, SKIPPED = 'ok', 'failed', 'skipped'
Start = Callable[[Bundle, EngineOptions], TensorRtBackend]


@dataclass
class Check:
    """One line of the report."""

    name: str
    status: str
    detail: str
    figures: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)


class Doctor:
    """
    Runs the checks in turn; one that fails does not keep the others from running.

    :param runs: repetitions of each latency.
    :param start: makes the backend.
    :param with_node: measure the node too, where ROS 2 is installed.
    :param variants: (precision, fused) of the engines.
    """

    def __init__(self, bundle: Bundle, options: EngineOptions, runs: int = 100,
                 start: Start = TensorRtBackend, with_node: bool = True,
                 variants: Sequence[tuple[str, bool]] = VARIANTS) -> None:
        """Do nothing yet."""
        self._variants = variants
        self.bundle, self.options, self.runs = bundle, options, runs
        self._start, self._with_node = start, with_node
        self._profile = Profile.of_camera(640, 480, bundle.input_size, bundle.query_stride,
                                          frames=options.frames)

    def checks(self) -> Iterator[Check]:
        """Yield each check when it is done."""
        yield self._guard('versions', versions)
        yield self._guard('onnxruntime answers the probe', self.reference)
        for memory in MEMORIES[1:]:
            yield self._guard(f'device through {memory}', partial(self.device, memory),
                              missing=SKIPPED)
        device = self._guard('tensorrt', self.tensorrt, missing=SKIPPED)
        yield device
        if device.status != OK:
            for name in ('build', 'parity', 'latency', 'CUDA graph', 'memory', 'torch', 'node'):
                yield Check(name, SKIPPED, 'needs TensorRT and a device, see above')
            return
        for precision, fused in self._variants:
            name = f'{precision}{" fused" if fused else ""}'
            yield self._guard(name, partial(self.engine, precision, fused))
        yield self._guard('torch beside it', self.beside_torch, missing=SKIPPED)
        yield self._guard('node', self.node, missing=SKIPPED)

    @staticmethod
    def _guard(name: str, check: Callable[[], tuple[str, dict[str, Any]]],
               missing: str = FAILED) -> Check:
        """Run a check; GrinError gives the status ``missing``, anything else is a failure."""
        try:
            detail, figures = check()
            return Check(name, OK, detail, figures)
        except GrinError as error:
            return Check(name, missing, str(error))
        except Exception as error:  # a report of what went wrong is what this is for
            return Check(name, FAILED, f'{type(error).__name__}: {error}')

    def reference(self) -> tuple[str, dict[str, Any]]:
        """Check that the CPU answers as the bundle says: what engines are measured with."""
        reference_answer(self.bundle)
        return f'bundle {self.bundle.name}', {}

    def device(self, memory: str) -> tuple[str, dict[str, Any]]:
        """Open the device through a CUDA library."""
        device = open_device(self.options.device_id, memory)
        try:
            facts = device.facts()
            with device.current():
                free = device.free_memory()
        finally:
            device.close()
        return (f'{facts.name}, compute capability {facts.compute_capability}, {facts.sm_count} '
                f'multiprocessors, {free / 2**20:.0f} MiB free', {**facts.to_dict(),
                                                                  'free_bytes': free})

    def tensorrt(self) -> tuple[str, dict[str, Any]]:
        """Start TensorRT on the device."""
        backend = self._start(self.bundle, self.options)
        backend.close()
        return backend.reason, {}

    def engine(self, precision: str, fused: bool) -> tuple[str, dict[str, Any]]:
        """Build or load the engines of a precision; parity, latency and memory of them."""
        options = replace(self.options, precision=precision, fused=fused)
        figures: dict[str, Any] = {'profile': str(self._profile), 'frames': self._profile.frames}
        start = time.perf_counter()
        backend = self._start(self.bundle, options)
        try:
            free = backend.free_memory()
            used = backend.prepare(self._profile)
            figures |= {'precision': used, 'ready_s': time.perf_counter() - start,
                        'memory_bytes': free - backend.free_memory()}
            if used != precision:
                raise GrinError(f'{precision} failed its self-test: {backend.self_tests}')
            reference = reference_answer(self.bundle)
            figures['parity'] = [
                difference(backend.answer, reference, self._queries(steps))
                for steps in STEP_COUNTS]
            figures['latency'] = {str(steps): self.latency(backend, steps)
                                  for steps in STEP_COUNTS}
            figures['cuda_graph'] = backend.captured()
        finally:
            backend.close()
        if figures['cuda_graph']:
            plain = self._start(self.bundle, replace(options, cuda_graph=False))
            try:
                figures['latency_without_cuda_graph'] = {
                    str(steps): self.latency(plain, steps) for steps in STEP_COUNTS}
            finally:
                plain.close()
        worst = max(each['mean_p'] for each in figures['parity'])
        if not worst <= TOLERANCE_P[precision]:
            raise GrinError(f'differs from ONNX Runtime by {worst:.1e} in P on average, more than '
                            f'{TOLERANCE_P[precision]:.0e}')
        one = figures['latency']['1']['with_copies_ms']
        return (f'ready in {figures["ready_s"]:.1f} s, mean difference {worst:.1e} in P, 1 step '
                f'p50 {one["p50"]:.2f} ms p95 {one["p95"]:.2f} ms, CUDA graph '
                f'{"on" if figures["cuda_graph"] else "off"}', figures)

    def latency(self, backend: TensorRtBackend, steps: int) -> dict[str, Any]:
        """Return p50 and p95 of networks alone, with copies, and from images to depth [ms]."""
        queries = self._queries(steps)
        estimator = DepthEstimator(self.bundle, backend, self.bundle.query_stride,
                                   self.bundle.input_size)
        frames = [(shipped()[0].image, shipped()[0].camera)] * self._profile.frames
        backend.answer(queries)
        works: dict[str, Callable[[], Any]] = {
            'engine_only_ms': lambda: backend.repeat(self._profile, steps),
            'with_copies_ms': lambda: backend.answer(queries),
            'image_to_depth_ms': lambda: estimator.estimate_batch(frames, steps)}
        return {name: percentiles(work, self.runs) for name, work in works.items()}

    def _queries(self, steps: int) -> list[Query]:
        return probe_queries(self.bundle, steps, self._profile)

    def beside_torch(self) -> tuple[str, dict[str, Any]]:
        """Check that torch in the same process changes no answer, nor the other way round."""
        try:
            import torch
        except ImportError as error:
            raise GrinError('torch is not installed') from error
        if not torch.cuda.is_available():
            raise GrinError('torch has no CUDA here')
        queries = self._queries(1)
        backend = self._start(self.bundle, self.options)
        try:
            before = backend.answer(queries)
            matrix = torch.ones(256, 256, device=f'cuda:{self.options.device_id}')
            product = (matrix @ matrix).cpu()
            after = backend.answer(queries)
            right = bool((product == 256).all()) and bool((matrix.sum() == 256**2).item())
        finally:
            backend.close()
        if not (right and np.array_equal(before, after)):
            raise RuntimeError('torch and TensorRT disturb each other in one process')
        return 'both answer as alone', {}

    def node(self) -> tuple[str, dict[str, Any]]:
        """Run the node on engines that are built already, between a camera and a recorder."""
        if not self._with_node:
            raise GrinError('not asked for')
        try:
            import rclpy  # noqa: F401, TID251
        except ImportError as error:
            raise GrinError('ROS 2 is not installed') from error
        from grin_ros.demo.run import demo

        # As many frames at once as a node takes that is not told otherwise.
        backend = self._start(self.bundle, replace(self.options, frames=1))
        try:
            estimator = DepthEstimator(self.bundle, backend, self.bundle.query_stride,
                                       self.bundle.input_size)
            for frame in shipped():
                estimator.estimate(frame.image, frame.camera)
        finally:
            backend.close()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'figures.json'
            code = demo(Path(folder), 30.0, 20, path, photo=False, node_options=[
                '-p', 'backend:=tensorrt', '-p', 'engine_build:=never',
                '-p', f'bundle:={self.bundle.folder}',
                '-p', f'device_id:={self.options.device_id}'])
            figures = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else {}
        if code:
            raise RuntimeError('no depth came back from the node')
        return f'{figures.get("received")} depth images came back', figures
