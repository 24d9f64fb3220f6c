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

"""Parameters: names, types, ranges, and the two files that are made from them."""

from pathlib import Path

import pytest

from grin_ros import params
from grin_ros.errors import GrinError
from grin_ros.params import checked, DepthParams, FIELDS, params_from, strangers

ROOT = Path(__file__).parents[2]


def test_yaml_is_what_the_dataclass_says() -> None:
    path = ROOT / 'config/depth.param.yaml'
    assert path.read_text(encoding='utf-8') == params.to_yaml(), (
        'run `python3 -m grin_ros.params yaml > config/depth.param.yaml`')


def test_yaml_reads_back_as_the_defaults() -> None:
    yaml = pytest.importorskip('yaml', reason='PyYAML is not installed')
    values = yaml.safe_load(params.to_yaml())['/**']['ros__parameters']
    assert params_from(values) == DepthParams()
    assert list(values) == list(FIELDS)


def test_every_parameter_is_in_the_table_with_its_help() -> None:
    table = params.to_markdown()
    assert all(f'| `{name}` |' in table for name in FIELDS)
    assert all(entry.metadata['text'] for entry in FIELDS.values())


def test_defaults_pass_their_own_checks() -> None:
    assert params_from({name: entry.default for name, entry in FIELDS.items()}) == DepthParams()


def test_an_integer_is_taken_for_a_double() -> None:
    value = checked('max_depth', 20)
    assert value == 20.0 and isinstance(value, float)


def test_yaml_booleans_are_taken_for_rectified() -> None:
    assert checked('rectified', True) == 'true' and checked('rectified', False) == 'false'


@pytest.mark.parametrize('name, value, words', [
    ('max_depth', -1.0, ('max_depth', '0.01 to 1000.0 m', '-1.0')),
    ('max_depth', float('nan'), ('max_depth', 'double')),
    ('max_depth', '20', ('max_depth', 'double')),
    ('num_inference_steps', 17, ('num_inference_steps', '0 to 16')),
    ('num_inference_steps', 1.5, ('num_inference_steps', 'integer')),
    ('num_samples', True, ('num_samples', 'integer')),
    ('output_scale', 3, ('output_scale', 'one of 1, 2, 4')),
    ('backend', 'cuda', ('backend', 'onnxruntime')),
    ('edge_gate', 1, ('edge_gate', 'bool')),
    ('bundle', None, ('bundle', 'string')),
])
def test_wrong_value_is_refused_with_the_range(name: str, value: object,
                                               words: tuple[str, ...]) -> None:
    with pytest.raises(GrinError) as error:
        checked(name, value)
    assert all(word in str(error.value) for word in words)


def test_depth_range_must_not_be_empty() -> None:
    with pytest.raises(GrinError, match='min_depth .* must be below max_depth'):
        params_from({'min_depth': 5.0, 'max_depth': 5.0})
    with pytest.raises(GrinError, match='points_min_range'):
        params_from({'points_min_range': 5.0, 'points_max_range': 4.0})


def test_values_go_over_the_ones_before() -> None:
    first = params_from({'max_depth': 10})
    assert params_from({'min_depth': 1}, first) == params_from({'min_depth': 1, 'max_depth': 10})


@pytest.mark.parametrize('typo, name', [
    ('max_dept', 'max_depth'), ('maxdepth', 'max_depth'), ('query_strides', 'query_stride'),
    ('num_inference_step', 'num_inference_steps'), ('edge_gates', 'edge_gate'),
])
def test_misspelt_name_is_refused_with_the_right_one(typo: str, name: str) -> None:
    with pytest.raises(GrinError, match=f'no parameter {typo}: did you mean {name}'):
        strangers([typo])


def test_strangers_are_told_apart_from_typing_errors() -> None:
    names = ['max_depth', 'robot_description', 'qos_overrides./grin/depth.publisher.depth']
    assert strangers(names) == ['robot_description']


def test_descriptors_say_what_the_dataclass_says() -> None:
    pytest.importorskip('rcl_interfaces', reason='ROS 2 is not installed')
    for name, entry in FIELDS.items():
        shown, spec = params.descriptor(name), entry.metadata
        assert shown.read_only != spec['dynamic']
        assert spec['text'] in shown.description
        limits = [*shown.integer_range, *shown.floating_point_range]
        if spec['low'] is not None:
            assert (limits[0].from_value, limits[0].to_value) == (spec['low'], spec['high'])
        else:
            assert not limits
