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

"""A lathe makes closed surfaces of the right size."""

import numpy as np
import pytest

from grin_ros.synth.lathe import lathe, SIDES


def test_a_lathed_can_is_a_closed_prism() -> None:
    """Its volume is that of a prism of SIDES sides, and its uvs run once around and up."""
    radius, height = 0.04, 0.12
    triangles, uvs = lathe([(0, 0), (radius, 0), (radius, height), (0, height)])
    volume = np.einsum('ij,ij->i', triangles[:, 0],
                       np.cross(triangles[:, 1], triangles[:, 2])).sum() / 6
    base = SIDES / 2 * radius ** 2 * np.sin(2 * np.pi / SIDES)
    assert abs(volume) == pytest.approx(base * height, rel=1e-6)
    assert uvs.min() == 0 and uvs.max() == 1
