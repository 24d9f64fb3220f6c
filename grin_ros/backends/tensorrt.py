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


"""TensorRT backend: engines made for the frames that come, run on the GPU without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from grin_ros.backends import Array, Query
from grin_ros.bundle import Bundle
from grin_ros.engine.build import Cancelled
from grin_ros.engine.build_process import build_apart
from grin_ros.engine.cuda_memory import CudaError, Device, open_device
from grin_ros.engine.maker import Build, EngineMaker
from grin_ros.engine.options import EngineOptions, TOLERANCE_P
from grin_ros.engine.profile import Profile, PROMPT_COUNTS
from grin_ros.engine.program import Program
from grin_ros.engine.runtime import need_tensorrt
from grin_ros.engine.selftest import (
    Answer,
    difference,
    probe_queries,
    reference_answer,
    STEP_COUNTS,
)
from grin_ros.errors import GrinError, require


class TensorRtBackend:
    """
    Engines by profile; a missing one is built when a frame first needs it, in that call.

    Engines of several frames answer fewer, too: the last one is repeated. One set of engines for
    a size is then enough to build, test and hold, whatever number of cameras has a frame ready,
    and a run that is not full leaves the device time to spare.

    :param bundle: checked bundle.
    :param options: choices, and whom to tell.
    :param why: why this backend was chosen, for the log.
    :param trt: the module tensorrt; None imports it.
    :param device: an open device; None opens options.device_id.
    :param build: what builds plans.
    """

    name = 'tensorrt'

    def __init__(self, bundle: Bundle, options: EngineOptions | None = None,
                 why: str = 'as asked', *, trt: Any = None, device: Device | None = None,
                 build: Build = build_apart) -> None:
        """Open library and device; nothing is built yet."""
        self.bundle, self.options = bundle, options or EngineOptions()
        self.max_batch = self.options.frames
        trt = trt or require('tensorrt', 'tensorrt')
        need_tensorrt(trt)
        require('onnx', 'tensorrt')
        self._device = device or open_device(self.options.device_id, self.options.memory)
        try:
            facts = self._device.facts()
            with self._device.current():
                self._maker = EngineMaker(trt, facts, bundle, self.options, build)
        except BaseException:
            self._device.close()
            raise
        self._programs: dict[tuple[Profile, int], tuple[Program, str]] = {}
        self._failed: dict[tuple[Profile, int], str] = {}
        self.self_tests: list[dict[str, Any]] = []
        self.reason = (f'TensorRT {trt.__version__}, {facts.name} (compute capability '
                       f'{facts.compute_capability}), {self._device.name} ({why})')

    def answer(self, queries: Sequence[Query],
               lap: Callable[[str], None] = lambda stage: None) -> list[tuple[Array, Array]]:
        """
        Answer up to max_batch frames on the device.

        :raises CudaError: when the device failed; close() and load again.
        :raises GrinError: when an engine is missing and must not be built, or answers NaN.
        """
        first = queries[0]
        with self._device.current():
            program, _ = self._program(self.profile_of(first), len(first.steps))
            lap('engine')
            answers = self._run(program, queries)
            lap('networks')
        if not all(np.isfinite(array).all() for answer in answers for array in answer):
            raise GrinError('an engine gave numbers that are not finite: run `grin doctor`, or '
                            'use backend onnxruntime')
        return answers

    def profile_of(self, query: Query) -> Profile:
        """Return the profile that serves a question: the query grid's where it fits."""
        height, width = query.image.shape[:2]
        tokens = query.grid_tokens
        if len(query.pixels) > tokens:
            tokens = -(-len(query.pixels) // 1024) * 1024
        asked = len(query.prompts.pixels)
        prompts = next((count for count in PROMPT_COUNTS if asked <= count), None)
        if prompts is None:
            raise GrinError(f'backend tensorrt takes at most {PROMPT_COUNTS[-1]} prompts, not '
                            f'{asked}: give fewer, or use backend onnxruntime')
        return Profile(width, height, tokens, len(query.noise), prompts, self.max_batch)

    def prepare(self, profile: Profile, steps: int | None = None) -> str:
        """
        Load, or build, the engines of a profile and return the precision they run in.

        :param steps: step count, which matters to fused engines; None for the bundle's.
        """
        with self._device.current():
            return self._program(profile, steps or self.bundle.default_steps)[1]

    def repeat(self, profile: Profile, steps: int) -> None:
        """Run the networks on the profile's last frames again, without copies."""
        with self._device.current():
            self._program(profile, steps)[0].repeat(steps)

    def captured(self) -> bool:
        """Return whether there is work, and all of it is CUDA graphs."""
        return bool(self._programs) and all(
            program.captured for program, _ in self._programs.values())

    @staticmethod
    def _run(program: Program, queries: Sequence[Query]) -> list[tuple[Array, Array]]:
        """Fill the frames of a program, repeating the last query, and run it."""
        frames, tokens = program.profile.frames, len(queries[0].pixels)
        filled = [*queries, *[queries[-1]] * (frames - len(queries))]
        x_0, log_b = program.run({
            # A new view each time, so that it goes up even where a query is asked again.
            'image': [query.image[:] for query in filled],
            'rays': [query.rays for query in filled],
            'pixels': [query.pixels for query in filled],
            'prompt_pixels': [query.prompts.pixels for query in filled],
            'x_t': [query.noise for query in filled],
            'token_mask': [query.mask for query in filled],
            'prompts': [query.prompts.values for query in filled],
            'prompt_mask': [query.prompts.mask for query in filled]}, queries[0].steps)
        answers = zip(np.split(x_0[:, :tokens], frames), np.split(log_b[:, :tokens], frames))
        return list(answers)[:len(queries)]

    def _program(self, profile: Profile, steps: int) -> tuple[Program, str]:
        """
        Return what runs a profile; the first time, its engines are loaded and tested.

        What failed stays failed until close(): tried again with every image, a build would take
        the machine for minutes each time, and a self-test would fill the device.
        """
        key = profile, steps if self.options.fused else 0
        if key in self._failed:
            raise GrinError(self._failed[key])
        if key not in self._programs:
            try:
                self._programs[key] = self._first_program(profile, steps)
            except (Cancelled, CudaError):  # says nothing about the engines
                raise
            except GrinError as error:
                self._failed[key] = str(error)  # and not itself: it holds what was on the stack
                raise
        return self._programs[key]

    def _first_program(self, profile: Profile, steps: int) -> tuple[Program, str]:
        """Load the engines of a profile and test them; fp32 stands in for what fails the test."""
        wanted = [self.options.precision]
        if 'fp32' not in wanted:
            wanted.append('fp32')
        self.options.report(f'testing {profile}')
        reference = reference_answer(self.bundle)  # dropped afterwards: it holds much memory
        for precision in wanted:
            program = self._load(profile, precision)
            worst = self._self_test(program, reference, precision, steps)
            if worst <= TOLERANCE_P[precision]:
                self.options.report(f'{precision} {profile}, {self._self_test_text(worst)}'
                                    + (', CUDA graph' if program.captured else ''))
                return program, precision
            program.close()
            self.options.warn(
                f'engine {precision} {profile} is refused: its {self._self_test_text(worst)}, '
                f'above {TOLERANCE_P[precision]:.0e}'
                + ('; fp32 takes its place' if precision != wanted[-1] else ''))
        raise GrinError(f'no engine for {profile} passes its self-test: run `grin doctor` and '
                        'report what it says, or use backend onnxruntime')

    @staticmethod
    def _self_test_text(worst: float) -> str:
        return f'self-test differs from ONNX Runtime by {worst:.1e} in P on average'

    def _load(self, profile: Profile, precision: str) -> Program:
        maker, options = self._maker, self.options
        more: dict[str, Any] = {'cuda_graph': options.cuda_graph, 'warn': options.warn}
        if options.fused:
            return Program(self._device, profile, None, None,
                           lambda steps: maker.get('fused', profile, precision, steps), **more)
        frame = maker.get('frame', profile, precision)
        return Program(self._device, profile, frame, maker.get('denoiser', profile, precision),
                       **more)

    def _self_test(self, program: Program, reference: Answer, precision: str,
                   steps: int) -> float:
        """Return the largest mean difference in P from ONNX Runtime; NaN stays NaN."""
        profile = program.profile
        self.options.report(f'testing {precision} {profile}')
        results = [difference(lambda queries: self._run(program, queries), reference,
                              probe_queries(self.bundle, count, profile))
                   for count in ((steps,) if self.options.fused else STEP_COUNTS)]
        self.self_tests += [{'precision': precision, 'profile': str(profile), **result}
                            for result in results]
        return float(np.max([result['mean_p'] for result in results]))

    def free_memory(self) -> int:
        """Return the device's free memory [bytes]."""
        with self._device.current():
            return self._device.free_memory()

    def close(self) -> None:
        """Free contexts, engines, runtime and memory in this order, even of a lost device."""
        try:
            with self._device.current():
                for program, _ in self._programs.values():
                    program.close()
                self._programs.clear()
                self._maker.close()
        except CudaError:
            self._programs.clear()
            self._maker.close()
        self._device.close()
