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

"""Sampler: the noise schedule gamma(t) and the coefficients of trailing DDIM steps, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError

MAX_STEPS = 16


def gamma(t: Any) -> Any:
    """
    Return the signal level cos(pi t / 2)^2: x_t = sqrt(gamma) x_0 + sqrt(1 - gamma) noise.

    :param t: time in [0, 1], a number, numpy array or torch tensor.
    :returns: gamma of the same kind; exactly 0 at t = 1 and exactly 1 at t = 0.
    """
    # sin(pi (1 - t) / 2) is the same number, without the 6e-17 that cos(pi / 2) leaves at t = 1.
    angle = (1 - t) * (np.pi / 2)
    root = angle.sin() if hasattr(angle, 'sin') else np.sin(angle)
    return root * root


def ddim_steps(num_inference_steps: int) -> NDArray[np.float32]:
    """
    Return (S, 4) rows (gamma_t, gamma_next, c_x0, c_xt) of x_next = c_x0 x_0 + c_xt x_t.

    Trailing times t_i = 1 - i / S start at pure noise, so one step is a plain prediction of x_0.
    DDIM with eta 0: x_next = sqrt(gamma_next) x_0 + sqrt(1 - gamma_next) noise, where noise is
    (x_t - sqrt(gamma_t) x_0) / sqrt(1 - gamma_t).

    :param num_inference_steps: S, 1 to 16.
    """
    if not 1 <= num_inference_steps <= MAX_STEPS:
        raise GrinError(f'num_inference_steps must be 1 to {MAX_STEPS}, not {num_inference_steps}')
    times = 1 - np.arange(num_inference_steps + 1) / num_inference_steps
    level = gamma(times)
    gamma_t, gamma_next = level[:-1], level[1:]
    c_xt = np.sqrt((1 - gamma_next) / (1 - gamma_t))
    c_x0 = np.sqrt(gamma_next) - c_xt * np.sqrt(gamma_t)
    return np.stack([gamma_t, gamma_next, c_x0, c_xt], -1).astype(np.float32)
