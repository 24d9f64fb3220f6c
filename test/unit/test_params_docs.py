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

"""Parameters: the two files that are made from them."""

from pathlib import Path

import yaml

from grin_ros.params import DepthParams, docs, FIELDS
from grin_ros.params.values import params_from

ROOT = Path(__file__).parents[2]


def test_yaml_is_what_the_dataclass_says() -> None:
    path = ROOT / 'config/depth.param.yaml'
    assert path.read_text(encoding='utf-8') == docs.to_yaml(), (
        'run `python3 -m grin_ros.params.docs yaml > config/depth.param.yaml`')


def test_yaml_reads_back_as_the_defaults() -> None:
    values = yaml.safe_load(docs.to_yaml())['/**']['ros__parameters']
    assert params_from(values) == DepthParams()
    assert list(values) == list(FIELDS)
