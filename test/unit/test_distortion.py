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

"""Distortion: the inverse on the branch that light takes, and nothing past its end."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grin_ros.camera.distortion import radius_table, undistort

BARREL = (-0.3, 0.1, 0.001, -0.002, 0.0)


def distort(points: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    spatial = np.concatenate([points, np.ones((len(points), 1))], 1)
    return cv2.projectPoints(spatial, np.zeros(3), np.zeros(3), np.eye(3),
                             np.array(coefficients))[0][:, 0]


@pytest.mark.parametrize('coefficients', [
    BARREL, (0.2, 0.1, -0.003, 0.002), (1.2, -3.1, 0.001, -0.0007, 1.9, 1.1, -2.9, 1.7),
    (-0.2, 0.05, 0.001, -0.0007, 0.0, 0.1, 0.0, 0.0, 0.01, -0.002, 0.003, 0.001, 0.02, -0.03)])
def test_undistort_inverts_opencvs_model(coefficients: tuple[float, ...]) -> None:
    ideal = np.random.default_rng(0).uniform(-0.7, 0.7, (2000, 2))
    x, y = undistort(*distort(ideal, coefficients).T, coefficients)
    assert np.abs(np.stack([x, y], -1) - ideal).max() < 1e-7


def test_the_centre_stays_the_centre() -> None:
    x, y = undistort(np.zeros(1), np.zeros(1), (-0.3, 0.1, 0.0, 0.0))
    assert abs(x[0]) < 1e-12 and abs(y[0]) < 1e-12


def test_past_the_fold_there_is_no_inverse() -> None:
    # r (1 - 0.45 r^2) rises to 0.574 at r = 0.861 and falls again.
    radius = np.array([0.3, 0.57, 0.58, 2.0, 50.0])
    x, _ = undistort(radius, np.zeros(5), (-0.45, 0.0, 0.0, 0.0))
    assert np.isfinite(x).tolist() == [True, True, False, False, False]
    assert x[1] < 0.861


def test_the_table_ends_where_the_lens_folds() -> None:
    distorted, ideal = radius_table(lambda r: r * (1 - 0.45 * r * r), 20.0)
    assert (np.diff(distorted) > 0).all()
    assert ideal[-1] == pytest.approx(0.861, abs=0.01)
    assert radius_table(lambda r: r, 3.0)[1][-1] == 3.0
