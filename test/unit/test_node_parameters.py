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

"""Descriptors of node parameters; what nodes do with them is in test/node."""

import pytest

from grin_ros.params import FIELDS

node_parameters = pytest.importorskip('grin_ros.node.parameters', reason='ROS 2 is not installed')


def test_descriptors_say_what_the_dataclass_says() -> None:
    for name, entry in FIELDS.items():
        shown, spec = node_parameters.descriptor(name), entry.metadata
        assert shown.read_only != spec['dynamic']
        assert spec['text'] in shown.description
        limits = [*shown.integer_range, *shown.floating_point_range]
        if spec['low'] is not None:
            assert (limits[0].from_value, limits[0].to_value) == (spec['low'], spec['high'])
        else:
            assert not limits
