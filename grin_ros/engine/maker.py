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


"""Engine maker: graph, profile and precision in; a loaded engine out, from cache or built."""

from __future__ import annotations

from collections.abc import Callable
import hashlib
import time
from typing import Any

from grin_ros.bundle import Bundle
from grin_ros.engine.build import logger, Plan
from grin_ros.engine.build_process import build_apart
from grin_ros.engine.cache import EngineCache, Facts
from grin_ros.engine.cuda_memory import DeviceFacts
from grin_ros.engine.options import EngineOptions
from grin_ros.engine.profile import Profile
from grin_ros.engine.runtime import Engine
from grin_ros.errors import GrinError, require

Build = Callable[..., Plan]


def graph_bytes(bundle: Bundle, profile: Profile, graph: str, precision: str, steps: int = 0,
                options: EngineOptions | None = None) -> bytes:
    """
    Return a static graph as ONNX bytes.

    :param graph: encoder, conditioner, denoiser, frame or fused (which needs steps).
    :param precision: fp16, fp32, or int8: an int8 denoiser beside an fp16 frame.
    :param options: where int8 finds its frames.
    """
    require('onnx', 'tensorrt')
    from grin_ros.engine.graphs import GraphMaker
    from grin_ros.engine.precision import to_half

    half = to_half if precision in ('fp16', 'int8') else None
    changes: dict[str, Any] = {'encode': half, 'denoise': half}
    if precision == 'int8' and graph in ('denoiser', 'fused'):
        from grin_ros.engine.calibrate import calibrated

        changes['denoise'] = calibrated(bundle, profile, options or EngineOptions())
    maker = GraphMaker(bundle, profile, **{k: v for k, v in changes.items() if v is not None})
    if graph == 'fused':
        return maker.fused(steps).SerializeToString()
    if graph == 'frame':
        return maker.frame().SerializeToString()
    return maker.part(graph).SerializeToString()


class EngineMaker:
    """
    Loads engines, building those that are missing.

    :param trt: the module tensorrt.
    :param device: of the device that engines are for.
    :param build: what builds; in another process unless said otherwise.
    """

    def __init__(self, trt: Any, device: DeviceFacts, bundle: Bundle, options: EngineOptions,
                 build: Build = build_apart) -> None:
        """Start TensorRT's runtime; the device must be current."""
        self._trt, self._device, self._bundle, self._options = trt, device, bundle, options
        self._build = build
        self.log = logger(trt)
        self.cache = EngineCache(options.cache, options.warn)
        self.cache.need_use()
        try:
            self._runtime = trt.Runtime(self.log)
        except TypeError as error:
            raise GrinError(f'TensorRT {trt.__version__} cannot start: '
                            f'{self.log.last_error or error}') from error

    def facts(self, graph: str, profile: Profile, precision: str, steps: int,
              model: bytes) -> Facts:
        """Return all that a plan depends on."""
        return {'graph': graph, 'onnx_sha256': hashlib.sha256(model).hexdigest(),
                'tensorrt': f'{self._trt.__name__} {self._trt.__version__}',
                'device': self._device.to_dict(), 'precision': precision,
                'profile': profile.to_dict(), 'steps': steps,
                'settings': self._options.settings.to_dict()}

    def get(self, graph: str, profile: Profile, precision: str, steps: int = 0) -> Engine:
        """
        Return an engine.

        :raises GrinError: when it is missing and must not be built, or cannot be built.
        :raises Cancelled: when the build was stopped.
        """
        options = self._options
        what = f'{graph}{f" of {steps} steps" if steps else ""} {precision} {profile}'
        model = graph_bytes(self._bundle, profile, graph, precision, steps, options)
        facts = self.facts(graph, profile, precision, steps, model)

        def make(timings: bytes) -> tuple[bytes, bytes]:
            start = time.monotonic()

            def progress(phase: str, share: float) -> None:
                seconds = time.monotonic() - start
                options.report(f'building {what}: {phase} {share:.0%}, {seconds:.0f} s')

            options.report(f'building {what}')
            plan = self._build('tensorrt', model, options.settings, device_id=options.device_id,
                               progress=progress, cancelled=options.cancelled, timings=timings)
            options.report(f'built {what} in {time.monotonic() - start:.0f} s')
            return plan.data, plan.timings

        def use(plan: bytes) -> Engine | None:
            return Engine.load(self._trt, self._runtime, self.log, plan)

        found = self.cache.get(facts, make if options.allow_build else None, use,
                               options.cancelled)
        if found is None:
            raise self._missing(what, profile)
        return found

    def _missing(self, what: str, profile: Profile) -> GrinError:
        """Return the error of an engine that must not be built here."""
        more = f' --frames {profile.frames}' if profile.frames > 1 else ''
        more += f' --prompts {profile.prompts}' if profile.prompts > 1 else ''
        more += f' --samples {profile.samples}' if profile.samples > 1 else ''
        return GrinError(
            f'there is no engine {what} for this device in {self.cache.folder}: run '
            f'`grin engine build --input-size {profile.width} {profile.height} --stride '
            f'{profile.stride}{more}`, or set engine_build: background; a node looks again when '
            'it is configured again')

    def close(self) -> None:
        """Let go of TensorRT."""
        self._runtime = None


def build_without_device(library: str, bundle: Bundle, profile: Profile, graph: str, steps: int,
                         options: EngineOptions) -> Plan:
    """Build one plan in a process of its own, without a cache or a device here (RTX can)."""
    model = graph_bytes(bundle, profile, graph, options.precision, steps, options)

    def progress(phase: str, share: float) -> None:
        options.report(f'building {graph}: {phase} {share:.0%}')

    return build_apart(library, model, options.settings, progress=progress,
                       cancelled=options.cancelled)
