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

"""ament_flake8 over every source; setup.cfg says which two rules are off, and why."""

from pathlib import Path

import pytest

main_with_errors = pytest.importorskip(
    'ament_flake8.main', reason='ament_flake8 is not installed').main_with_errors
ROOT = Path(__file__).parents[1]


@pytest.mark.lint
def test_flake8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code, errors = main_with_errors(argv=[
        '--config', 'setup.cfg', 'grin_ros', 'launch', 'test', 'setup.py'])
    assert code == 0, f'{len(errors)} style errors:\n' + '\n'.join(errors)
