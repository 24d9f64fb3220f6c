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

"""The demo: its processes get our DDS profile, or the one that the user has set."""

from __future__ import annotations

import pytest

from grin_ros.demo.run import environment, PROFILE_VARIABLES


@pytest.mark.parametrize('own', PROFILE_VARIABLES)
def test_a_profile_that_the_user_has_set_stays_alone(monkeypatch: pytest.MonkeyPatch,
                                                     own: str) -> None:
    """Fast DDS loads both; a second one would go before that of the user."""
    for variable in PROFILE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert all(environment()[variable].endswith('fastdds_shm.xml')
               for variable in PROFILE_VARIABLES)
    monkeypatch.setenv(own, '/my/profile.xml')
    assert [environment().get(variable) for variable in PROFILE_VARIABLES] == [
        '/my/profile.xml' if variable == own else None for variable in PROFILE_VARIABLES]
