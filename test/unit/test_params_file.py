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

"""Parameter file: it says without ROS what it says to the node."""

from __future__ import annotations

from pathlib import Path

import pytest

from grin_ros.errors import GrinError
from grin_ros.params.file import read_params


@pytest.mark.parametrize('written, value', [
    ('1e2', 100.0), ('25', 25.0), ('1E+2', 100.0), ('2.5e1', 25.0), ('.5e2', 50.0),
    ('1.0e+2', 100.0)])
def test_numbers_are_those_that_ros_reads(tmp_path: Path, written: str, value: float) -> None:
    """YAML 1.1 takes 1e2 for a word, ROS for a number."""
    path = tmp_path / 'params.yaml'
    path.write_text(f'/**:\n  ros__parameters:\n    max_depth: {written}\n    frame_id: e1\n'
                    f'    ranges_camera_pose: [0.0, -1e-3, {written}, -1.5708, 0.0, 0.0]\n')
    params = read_params(path, 'image')
    assert params.max_depth == value and params.frame_id == 'e1'
    assert params.ranges_camera_pose[1:3] == (-0.001, value)
    path.write_text(f'/**:\n  ros__parameters:\n    max_depth: "{written}"\n')
    with pytest.raises(GrinError, match='must be a double'):
        read_params(path, 'image')
