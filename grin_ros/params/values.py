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

"""Parameter values: names and values as users write them in; checked ones of each camera out."""

from __future__ import annotations

import array
from collections.abc import Iterable, Mapping
import difflib
import math
import re
from typing import Any

from grin_ros.errors import GrinError
from grin_ros.params import DepthParams, describe_range, FIELDS

TYPE_NAMES = {bool: 'bool', int: 'integer', float: 'double', str: 'string',
              tuple: 'list'}
FOREIGN_PREFIXES = ('qos_overrides.',)  # declared by rclpy, not by us


def field_of(name: str) -> str:
    """Return the field that ``max_rate`` or ``front.max_rate`` is about."""
    return name.rpartition('.')[2]


def checked(name: str, value: Any) -> Any:
    """
    Return a value in the type of its parameter; 20 is taken for 20.0 and true for 'true'.

    :param name: of a field, with or without a camera's name before it.
    :raises GrinError: when the type or the range is wrong; names both.
    """
    entry = FIELDS[field_of(name)]
    spec = entry.metadata
    kind: type = type(entry.default)
    # type(), since to isinstance() a bool is an int.
    if kind is float and type(value) is int:
        value = float(value)
    elif kind is str and type(value) is bool and 'true' in spec['choices']:
        value = str(value).lower()  # YAML reads `rectified: true` as a bool
    elif kind is tuple and type(value) in (list, array.array):
        value = tuple(value)
    finite = not isinstance(value, float) or math.isfinite(value)
    if type(value) is not kind or not finite:
        raise GrinError(f'parameter {name} must be a {TYPE_NAMES[kind]}, not {value!r}')
    if isinstance(value, tuple):
        return _camera_names(value) if entry.name == 'cameras' else _numbers(name, value)
    low, high, choices = spec['low'], spec['high'], spec['choices']
    if (choices and value not in choices) or (low is not None and not low <= value <= high):
        unit = f' {spec["unit"]}' if spec['unit'] else ''
        raise GrinError(f'parameter {name} must be {"one of " if choices else ""}'
                        f'{describe_range(entry.name)}{unit}, not {value!r}')
    return value


def _numbers(name: str, values: tuple[Any, ...]) -> tuple[float, ...]:
    """Return as many numbers as the parameter has."""
    entry = FIELDS[field_of(name)]
    spec, count = entry.metadata, len(getattr(DepthParams(), entry.name))
    good = all(type(value) in (int, float) and spec['low'] <= value <= spec['high']
               for value in values)
    if not good or len(values) != count:
        raise GrinError(f'parameter {name} must be {count} numbers of '
                        f'{describe_range(entry.name)} [{spec["unit"]}], not {list(values)}')
    return tuple(map(float, values))


def _camera_names(names: tuple[Any, ...]) -> tuple[str, ...]:
    """Return the names of cameras, which become parts of topics and of parameters."""
    if names == ('',):
        return names
    for name in names:
        good = isinstance(name, str) and re.fullmatch('[A-Za-z](_?[A-Za-z0-9])*', name)
        if not good or name in FIELDS:
            raise GrinError(f'parameter cameras: {name!r} is no name for a camera: begin with a '
                            'letter, use letters, digits and single underscores, and no name of '
                            'a parameter')
        if names.count(name) > 1:
            raise GrinError(f'parameter cameras: two cameras are called {name}')
    if not names:
        raise GrinError("parameter cameras must name one camera at least: ['front', 'rear'], or "
                        "[''] for one camera without a name")
    return names


def params_from(values: Mapping[str, Any], base: DepthParams | None = None) -> DepthParams:
    """Return checked parameters: ``values`` over ``base`` (the defaults)."""
    merged = {name: getattr(base or DepthParams(), name) for name in FIELDS}
    merged.update({field_of(name): checked(name, value) for name, value in values.items()})
    return DepthParams(**merged)


def params_by_camera(values: Mapping[str, Any]) -> dict[str, DepthParams]:
    """
    Return the parameters of each camera: those for all cameras, and its own over them.

    :param values: what differs from the defaults, as ``max_rate`` or ``front.max_rate``.
    :raises GrinError: for a wrong value; names the parameter.
    """
    common = params_from({name: value for name, value in values.items() if '.' not in name})
    result = {}
    for camera in common.cameras:
        own = {name: value for name, value in values.items() if name.startswith(f'{camera}.')}
        try:
            result[camera] = params_from(own, common)
        except GrinError as error:
            raise GrinError(f'camera {camera}: {error}') from error
    return result


def strangers(names: Iterable[str], cameras: tuple[str, ...] = ('',)) -> list[str]:
    """
    Return the names that are not ours.

    :raises GrinError: for a name close to a real one, which is a typing error, and for a camera's
        own value of what all cameras share.
    """
    found = []
    for name in names:
        camera, dot, entry = name.rpartition('.')
        is_ours = camera in cameras and camera if dot else True
        if name.startswith(FOREIGN_PREFIXES):
            continue
        if entry in FIELDS and is_ours:
            if dot and FIELDS[entry].metadata['shared']:
                raise GrinError(f'parameter {name}: all cameras share {entry}, set {entry}')
            continue
        near = [f'{known}.{entry}' for known in difflib.get_close_matches(camera, cameras, n=1)
                ] if entry in FIELDS else []
        if is_ours:
            near = [f'{camera}{dot}{known}' for known in difflib.get_close_matches(
                entry, FIELDS, n=1, cutoff=0.75)]
        if near:
            raise GrinError(f'there is no parameter {name}: did you mean {near[0]}?')
        found.append(name)
    return found


def hint(name: str, cameras: tuple[str, ...] = ('',)) -> str:
    """
    Return a question after the name of a stranger that a parameter begins or ends with, else ''.

    It may be another node's all the same, as ``rate`` is, so that nothing is refused for it.
    """
    camera, dot, entry = name.rpartition('.')
    if dot and camera not in cameras:  # no parameter of this node begins so
        return ''
    near = [f'{camera}{dot}{known}' for known in FIELDS
            if known.startswith(f'{entry}_') or known.endswith(f'_{entry}')]
    return f': did you mean {" or ".join(near[:3])}?' if near else ''
