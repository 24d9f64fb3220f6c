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

"""Sampler: DDIM reaches x_0 and starts at pure noise."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.diffusion.sampler import ddim_steps, gamma
from grin_ros.errors import GrinError


def test_gamma_is_exact_at_both_ends() -> None:
    assert gamma(np.array([0.0, 1.0])).tolist() == [1, 0]
    assert gamma(0.3) == pytest.approx(np.cos(np.pi * 0.3 / 2) ** 2)


def test_one_step_returns_x_0() -> None:
    assert ddim_steps(1).tolist() == [[0, 1, 1, 0]]


@pytest.mark.parametrize('steps', [1, 2, 4, 8, 16])
def test_a_perfect_network_is_followed_to_x_0(steps: int) -> None:
    rng = np.random.default_rng(0)
    x_0, noise = rng.standard_normal((2, 100))
    x_t = noise
    for gamma_t, _, c_x0, c_xt in ddim_steps(steps).astype(np.float64):
        assert np.allclose(x_t, np.sqrt(gamma_t) * x_0 + np.sqrt(1 - gamma_t) * noise, atol=1e-6)
        x_t = c_x0 * x_0 + c_xt * x_t
    assert np.allclose(x_t, x_0, atol=1e-6)


def test_steps_are_trailing() -> None:
    steps = ddim_steps(4)
    assert steps[0, 0] == 0  # pure noise first
    assert np.array_equal(steps[1:, 0], steps[:-1, 1])  # one step ends where the next begins


@pytest.mark.parametrize('steps', [0, -1, 17])
def test_a_wrong_number_of_steps_is_refused(steps: int) -> None:
    with pytest.raises(GrinError, match='1 to 16'):
        ddim_steps(steps)
