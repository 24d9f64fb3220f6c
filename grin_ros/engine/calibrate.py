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


"""Calibrate: frames of shards in; a function that makes a denoiser int8 out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.bundle import Bundle
from grin_ros.camera import Camera
from grin_ros.engine.options import EngineOptions
from grin_ros.engine.profile import Profile
from grin_ros.errors import GrinError

FRAMES = 32


def calibrated(bundle: Bundle, profile: Profile,
               options: EngineOptions) -> Callable[[Any], Any]:
    """Return what makes a denoiser int8, calibrated on the shards in options.calibration."""
    from grin_ros.engine.quantise import calibration_batches, quantised

    def change(model: Any) -> Any:
        options.report('calibrating int8')
        frames = shard_frames(options, profile)
        return quantised(model, calibration_batches(bundle, profile, frames))

    return change


def shard_frames(options: EngineOptions,
                 profile: Profile) -> Iterator[tuple[NDArray[np.uint8], Camera]]:
    """Yield up to FRAMES images, spread over the shards, at the size of the profile."""
    if options.calibration is None:
        raise GrinError('int8 needs frames to calibrate on: give shards with --calibration DIR '
                        '(`grin scenes --out DIR` renders some), or use fp16')
    from grin_ros.data.sample import evenly
    from grin_ros.data.shards import ShardDataset

    samples = ShardDataset(options.calibration)
    if not len(samples):
        raise GrinError(f'--calibration {options.calibration} holds no finished shards')
    size = profile.width, profile.height
    for index in evenly(len(samples), FRAMES):
        sample = samples[index]
        image = cv2.resize(sample.image, size, interpolation=cv2.INTER_LINEAR)
        yield np.asarray(image, np.uint8), sample.camera.scaled(*size)
