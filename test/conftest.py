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

"""Fixtures shared by all tests: a real but tiny GRIN and its bundle."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tiny import exported, kept


@pytest.fixture(scope='session')
def tiny_bundle() -> Path:
    """Return a bundle exported from tiny_grin by the product's own export."""
    if not kept().exists() and importlib.util.find_spec('torch') is None:
        pytest.skip('no torch: nothing to export the tiny bundle from')
    return exported()
