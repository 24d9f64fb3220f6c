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


"""Fuzz: no set of parameters breaks the node, at the start or at run time; refusals name it."""

from collections.abc import Iterator
import math
from typing import Any

import pytest
from test_fuzz import counts, fuzz

from grin_ros.errors import GrinError
from grin_ros.params import FIELDS
from grin_ros.params.values import field_of, params_by_camera

hypothesis = pytest.importorskip('hypothesis', reason='hypothesis is not installed')
robots = pytest.importorskip('robot', reason='ROS 2 is not installed')
Parameter = pytest.importorskip('rclpy.parameter').Parameter
DepthNode = pytest.importorskip('grin_ros.depth_node').DepthNode
st = hypothesis.strategies

CAMERAS = ['front', 'rear']
plain = st.sampled_from(list(FIELDS))
names = st.one_of(
    plain, plain, st.builds('{}.{}'.format, st.sampled_from([*CAMERAS, 'fornt', '']), plain),
    st.builds(lambda name, cut: name[:cut] + name[cut + 1:], plain, st.integers(0, 12)),
    st.text(max_size=12))
whole = st.integers(-2**63, 2**63 - 1)
values = st.one_of(
    st.booleans(), st.integers(-3, 20), st.floats(0, 100), st.floats(), whole, st.text(max_size=8),
    st.sampled_from([choice for entry in FIELDS.values() for choice in entry.metadata['choices']]),
    st.lists(st.sampled_from([*CAMERAS, '', 'left', '9', 'depth']), min_size=1, max_size=3),
    st.lists(whole, min_size=1, max_size=3), st.lists(st.floats(), min_size=1, max_size=3))


def good(entry: Any) -> Any:
    """Return a strategy of a field's name, alone or after a camera's, with a value it takes."""
    spec = entry.metadata
    kinds = {bool: st.booleans(), str: st.text(max_size=8), tuple: st.just(CAMERAS)}
    value = kinds.get(type(entry.default))
    if spec['choices']:
        value = st.sampled_from(spec['choices'])
    elif spec['low'] is not None:
        value = (st.integers if type(entry.default) is int else st.floats)(
            spec['low'], spec['high'])
    before = [''] if spec['shared'] else ['', *(f'{camera}.' for camera in CAMERAS)]
    return st.tuples(st.sampled_from(before).map(lambda prefix: prefix + entry.name), value)


def sets(dynamic_only: bool = False) -> Any:
    """Return a strategy of sets of parameters, half of them with nothing wrong in any of them."""
    well = st.one_of([good(entry) for entry in FIELDS.values()
                      if entry.metadata['dynamic'] or not dynamic_only])
    pairs = st.one_of(st.lists(well, min_size=1, max_size=3),
                      st.lists(st.one_of(st.tuples(plain, values), st.tuples(names, values), well),
                               min_size=2, max_size=5))
    return pairs.map(dict)


def parameters(changes: dict[str, Any]) -> list[Any]:
    """Return rclpy's parameters."""
    return [Parameter(name, value=value) for name, value in changes.items()]


@pytest.fixture(scope='module')
def node() -> Iterator[Any]:
    """Return the depth node with two cameras, unconfigured."""
    made = DepthNode(parameter_overrides=parameters({'cameras': CAMERAS, 'autostart': False}))
    yield made
    made.destroy_node()


@counts(4000)
def test_any_parameters_at_run_time(node: Any, examples: int) -> None:
    seen = {True: 0, False: 0}

    def run(changes: dict) -> None:
        settings = node._settings
        before = {camera: settings.of(camera) for camera in CAMERAS}
        result = node.set_parameters_atomically(parameters(changes))
        seen[result.successful] += 1
        if not result.successful:
            assert any(name in result.reason or field_of(name) in result.reason
                       for name in changes), result.reason
            assert before == {camera: settings.of(camera) for camera in CAMERAS}
        for name, value in changes.items() if result.successful else ():
            for camera in CAMERAS:
                if name.startswith(f'{camera}.') or (
                        '.' not in name and not node.has_parameter(f'{camera}.{name}')):
                    assert getattr(settings.of(camera), field_of(name)) == value
            assert node.get_parameter(name).value == value
    fuzz(examples, sets(dynamic_only=True), run)
    assert min(seen.values()) > 0


def test_a_parameter_of_one_camera_that_is_named_twice_is_set_or_refused_whole(
        node: Any) -> None:
    def twice(first: float, second: float) -> Any:
        return node.set_parameters_atomically(
            [Parameter('front.clearing_range', value=value) for value in (first, second)])

    before = node._settings.of('front').clearing_range
    if node.has_parameter('front.clearing_range'):
        node.undeclare_parameter('front.clearing_range')
    assert not twice(3.0, -3.0).successful
    assert node._settings.of('front').clearing_range == before
    assert not node.has_parameter('front.clearing_range')
    assert twice(3.0, 4.0).successful
    assert node._settings.of('front').clearing_range == 4.0


@counts(4000)
def test_any_parameters_at_the_start(examples: int) -> None:
    seen = {True: 0, False: 0}

    def run(changes: dict) -> None:
        try:
            params = params_by_camera(
                {name: value for name, value in changes.items() if field_of(name) in FIELDS})
        except GrinError as error:
            assert any(field_of(name) in str(error) for name in changes), error
            seen[False] += 1
            return
        seen[True] += 1
        for chosen in params.values():
            assert chosen.min_depth < chosen.max_depth
            for entry in FIELDS.values():
                value = getattr(chosen, entry.name)
                assert type(value) is type(entry.default)
                assert not isinstance(value, float) or math.isfinite(value)
    fuzz(examples, sets(), run)
    assert min(seen.values()) > 0


@counts(150)
def test_any_parameters_of_a_new_node(examples: int) -> None:
    """Some nodes, since each is a participant of DDS for a moment."""
    def run(changes: dict) -> None:
        try:
            made = DepthNode(parameter_overrides=parameters({'autostart': False} | changes))
        except GrinError as error:
            assert any(field_of(name) in str(error) for name in changes), error
            return
        cameras = made._settings.cameras
        assert all(made.get_parameter(name).value is not None for name in FIELDS)
        assert list(made.get_parameter('cameras').value) == list(cameras)
        made.destroy_node()
    fuzz(examples // 10 if examples == 100 else examples, sets(), run)
