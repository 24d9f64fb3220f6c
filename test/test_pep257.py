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

"""ament_pep257 over every source: docstrings are one line, or reST."""

from pathlib import Path

import pytest

main = pytest.importorskip('ament_pep257.main', reason='ament_pep257 is not installed').main
ROOT = Path(__file__).parents[1]


@pytest.mark.lint
def test_pep257(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(argv=['grin_ros', 'launch', 'setup.py']) == 0, 'docstring errors: see the output'
