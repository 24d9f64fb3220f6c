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


"""Options: what a user may choose about engines, and how they are told what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from grin_ros.engine.build import BuildSettings
from grin_ros.errors import GrinError

PRECISIONS = ('fp16', 'fp32', 'int8')
MAX_FRAMES = 16
# Largest mean |difference| in P that an engine's self-test may show.
TOLERANCE_P = {'fp32': 5e-4, 'fp16': 2e-3, 'int8': 8e-3}


def _silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class EngineOptions:
    """
    Choices of the TensorRT backend.

    :param device_id: CUDA device.
    :param allow_build: build an engine that is missing; else it is an error.
    :param precision: fp16, fp32 or int8; what fails its self-test gives way to fp32.
    :param fused: one engine per step count for the whole frame, instead of two for any count.
    :param frames: that engines take at once, of several cameras with one input size.
    :param cuda_graph: capture the work of a frame once, where the CUDA library can.
    :param memory: auto, pycuda or cuda-python.
    :param cache: folder of the engines; None for the default.
    :param calibration: folder of shards that int8 is calibrated on.
    :param report: told what is going on, often.
    :param warn: told what somebody should read.
    :param cancelled: asked often during a build; True stops it.
    """

    device_id: int = 0
    allow_build: bool = True
    precision: str = 'fp16'
    fused: bool = False
    frames: int = 1
    cuda_graph: bool = True
    memory: str = 'auto'
    cache: Path | None = None
    settings: BuildSettings = field(default_factory=BuildSettings)
    calibration: Path | None = None
    report: Callable[[str], None] = _silent
    warn: Callable[[str], None] = _silent
    cancelled: Callable[[], bool] = bool

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        if self.precision not in PRECISIONS:
            raise GrinError(f'precision must be one of {", ".join(PRECISIONS)}, not '
                            f'"{self.precision}"')
        if not 1 <= self.frames <= MAX_FRAMES:
            raise GrinError(f'frames must be 1 to {MAX_FRAMES}, not {self.frames}')
        if self.device_id < 0:
            raise GrinError(f'device_id must be 0 or more, not {self.device_id}')
