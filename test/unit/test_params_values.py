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

"""Parameter values: types, ranges, names, and what a single camera has of its own."""

from array import array
from typing import Any

import pytest

from grin_ros.errors import GrinError
from grin_ros.params import DepthParams, FIELDS
from grin_ros.params.values import checked, hint, params_by_camera, params_from, strangers


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
    ('ranges_camera_pose', [0.0] * 5, ('ranges_camera_pose', '6 numbers')),
    ('ranges_camera_pose', [0.0] * 5 + [float('nan')], ('ranges_camera_pose', 'm, rad')),
    ('ranges_camera_pose', ['0'] * 6, ('ranges_camera_pose', '6 numbers')),
    ('ranges_camera_pose', 0.5, ('ranges_camera_pose', 'list')),
])
def test_wrong_value_is_refused_with_the_range(name: str, value: object,
                                               words: tuple[str, ...]) -> None:
    with pytest.raises(GrinError) as error:
        checked(name, value)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize('value', [[1, 0, 0, 0, 0, 2], array('d', [1, 0, 0, 0, 0, 2])])
def test_a_pose_is_six_numbers(value: object) -> None:
    assert checked('front.ranges_camera_pose', value) == (1.0, 0.0, 0.0, 0.0, 0.0, 2.0)


def test_depth_range_must_not_be_empty() -> None:
    with pytest.raises(GrinError, match='min_depth .* must be below max_depth'):
        params_from({'min_depth': 5.0, 'max_depth': 5.0})
    with pytest.raises(GrinError, match='points_min_range'):
        params_from({'points_min_range': 5.0, 'points_max_range': 4.0})
    with pytest.raises(GrinError, match='points_min_height'):
        params_from({'points_min_height': 1.0, 'points_max_height': -1.0})


def test_a_pose_in_degrees_is_refused() -> None:
    """The tool that prints it prints both, one below the other."""
    with pytest.raises(GrinError, match='ranges_camera_pose: .* radian'):
        params_from({'ranges_camera_pose': [0.05, 0.0, 0.12, -90.0, 0.0, -90.0]})


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


@pytest.mark.parametrize('name, question', [
    ('hfov', ': did you mean hfov_deg?'), ('front.hfov', ': did you mean front.hfov_deg?'),
    ('steps', ': did you mean num_inference_steps?'),
    ('stride', ': did you mean query_stride or points_stride?'),
    ('robot_description', ''), ('left.max_depth', ''), ('diagnostic_updater.period', ''),
    ('FollowPath.rate', ''), ('left.hfov', '')])
def test_what_a_parameter_begins_or_ends_with_is_asked_about(name: str, question: str) -> None:
    """As options of the shell have shorter names: hfov passed as another node's."""
    assert hint(name, ('front', 'rear')) == question


def test_a_camera_has_its_own_values_over_those_of_all() -> None:
    values = {'cameras': ['front', 'rear_left'], 'max_rate': 5, 'rear_left.max_rate': 2.0,
              'front.image_topic': '/front/image'}
    front, rear = params_by_camera(values).values()
    assert (front.max_rate, rear.max_rate) == (5.0, 2.0)
    assert (front.image_topic, rear.image_topic) == ('/front/image', 'image')
    assert params_by_camera({}) == {'': DepthParams()}


def test_a_wrong_value_of_a_camera_is_refused_by_its_full_name() -> None:
    values = {'cameras': ['front'], 'front.max_rate': -1.0}
    with pytest.raises(GrinError, match='parameter front.max_rate must be 0.0 to 1000.0 Hz'):
        params_by_camera(values)
    values = {'cameras': ['front'], 'front.min_depth': 90.0}
    with pytest.raises(GrinError, match='camera front: parameter min_depth .* below max_depth'):
        params_by_camera(values)


@pytest.mark.parametrize('names', [
    ['front', 'front'], ['front', ''], ['9'], ['a__b'], ['a/b'], ['a.b'], ['backend'], [],
    [1], ['_a'], ['a_']])
def test_names_that_cannot_be_part_of_a_topic_are_refused(names: list[Any]) -> None:
    with pytest.raises(GrinError, match='parameter cameras'):
        checked('cameras', names)


@pytest.mark.parametrize('name, words', [
    ('front.backend', 'all cameras share backend'),
    ('fornt.max_rate', 'did you mean front.max_rate'),
    ('front.max_rat', 'did you mean front.max_rate'),
])
def test_a_misspelt_parameter_of_a_camera_is_refused_with_the_right_one(
        name: str, words: str) -> None:
    with pytest.raises(GrinError, match=words):
        strangers([name], ('front', 'rear'))


def test_parameters_of_other_nodes_with_dots_are_strangers() -> None:
    foreign = ['FollowPath.max_rate', 'scan.topic', '.max_rate']
    assert strangers(['front.max_rate', *foreign], ('front', 'rear')) == foreign
