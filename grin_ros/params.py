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

"""Parameters of the depth node: one dataclass in; declaration, checks, YAML and table out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, Field, field, fields
import difflib
import math
import sys
from typing import Any, TYPE_CHECKING

from grin_ros.backends import NAMES as BACKENDS
from grin_ros.errors import GrinError

if TYPE_CHECKING:
    from rcl_interfaces.msg import ParameterDescriptor
    from rclpy.node import Node

TYPE_NAMES = {bool: 'bool', int: 'integer', float: 'double', str: 'string'}
FOREIGN_PREFIXES = ('qos_overrides.',)  # declared by rclpy, not by us


def _parameter(default: Any, text: str, unit: str = '', low: float | None = None,
               high: float | None = None, choices: tuple[Any, ...] = (),
               dynamic: bool = False) -> Any:
    """Describe one parameter; ``dynamic`` ones may change while the node runs."""
    return field(default=default, metadata={
        'text': text, 'unit': unit, 'low': low, 'high': high, 'choices': choices,
        'dynamic': dynamic})


@dataclass(frozen=True)
class DepthParams:
    """The values of all parameters, checked; a default lives here and nowhere else."""

    autostart: bool = _parameter(
        True, 'configure and activate at start; false under a lifecycle manager '
        '(Nav2: with bond_timeout 0.0)')
    bundle: str = _parameter('', 'folder of the model; empty for the one that ships')
    backend: str = _parameter(
        'auto', 'library that runs the model; auto takes the best that works and says which, '
        'a named one never falls back', choices=BACKENDS)
    engine_build: str = _parameter(
        'background', 'background: the worker builds a TensorRT engine that is missing; never: '
        'it must be there', choices=('background', 'never'))
    device_id: int = _parameter(0, 'CUDA device of TensorRT', low=0, high=63)
    cpu_threads: int = _parameter(
        0, 'threads of the model on the CPU; 0 for all cores', low=0, high=256)
    image_transport: str = _parameter(
        'raw', 'raw listens to `image`, compressed to `image/compressed`',
        choices=('raw', 'compressed'))
    rectified: str = _parameter(
        'auto', 'true: the image is rectified, P is used; false: it is raw, K and D are used; '
        'auto: true when the last part of the image topic contains `rect`',
        choices=('auto', 'true', 'false'))
    require_camera_info: bool = _parameter(
        True, 'wait for camera_info; false: go on without, the scale is then not metric')
    output: str = _parameter(
        'input', 'input: depth lies on the grid of the image; rectified: on one without '
        'distortion, of P, for depth_image_proc, nvblox and rtabmap',
        choices=('input', 'rectified'))
    output_scale: int = _parameter(
        1, 'depth has the size of the image divided by this', choices=(1, 2, 4))
    num_inference_steps: int = _parameter(
        0, 'denoising steps; 0 for the default of the bundle', low=0, high=16, dynamic=True)
    num_samples: int = _parameter(
        1, 'draws per frame, depth is their median', low=1, high=16, dynamic=True)
    query_stride: int = _parameter(
        0, 'depth is asked at every n-th pixel of the input of the network, and upsampled; 0 '
        'for the default of the bundle', unit='px', choices=(0, 1, 2, 4, 8))
    seed: int = _parameter(
        0, 'of the noise: same seed and frame, same depth', low=0, high=2**31 - 1, dynamic=True)
    min_depth: float = _parameter(
        0.1, 'nearer is published as -Inf', unit='m', low=0.0, high=1000.0, dynamic=True)
    max_depth: float = _parameter(
        80.0, 'farther is published as +Inf', unit='m', low=0.01, high=1000.0, dynamic=True)
    max_sigma: float = _parameter(
        0.0, 'pixels with sigma above this share of their depth become NaN; 0 is off',
        low=0.0, high=10.0, dynamic=True)
    edge_gate: bool = _parameter(
        True, 'pixels that float between a near and a far surface become NaN', dynamic=True)
    max_age: float = _parameter(
        0.5, 'older frames are dropped; 0 is off', unit='s', low=0.0, high=3600.0, dynamic=True)
    max_rate: float = _parameter(
        0.0, 'frames answered per second at most; 0 is off', unit='Hz', low=0.0, high=1000.0,
        dynamic=True)
    points_stride: int = _parameter(
        2, 'every n-th row and column of depth becomes a point', unit='px', low=1, high=64,
        dynamic=True)
    points_organized: bool = _parameter(
        True, 'rows and columns as in the image, NaN where there is no depth; false: only '
        'points that exist', dynamic=True)
    points_min_range: float = _parameter(
        0.0, 'nearer points are left out of the cloud; 0 is off', unit='m', low=0.0, high=1000.0,
        dynamic=True)
    points_max_range: float = _parameter(
        0.0, 'farther points are left out of the cloud; 0 is off', unit='m', low=0.0,
        high=1000.0, dynamic=True)
    points_rate: float = _parameter(
        0.0, 'clouds per second at most; 0 is one per depth', unit='Hz', low=0.0, high=1000.0,
        dynamic=True)
    clearing_range: float = _parameter(
        8.0, 'rays of clearing_points end here at the latest, in the sky too', unit='m', low=0.1,
        high=1000.0, dynamic=True)
    clearing_max_sigma: float = _parameter(
        0.6, 'rays with sigma above this share of their depth clear nothing', low=0.01,
        high=10.0, dynamic=True)
    depth_encoding: str = _parameter(
        '32FC1', '32FC1 is metres, 16UC1 millimetres with 0 for every unknown',
        choices=('32FC1', '16UC1'))
    publish_sigma_field: bool = _parameter(
        False, 'the cloud carries sigma beside x y z rgb')

    def __post_init__(self) -> None:
        """Check what no single parameter can tell."""
        if self.min_depth >= self.max_depth:
            raise GrinError(f'parameter min_depth ({self.min_depth} m) must be below max_depth '
                            f'({self.max_depth} m)')
        if 0.0 < self.points_max_range <= self.points_min_range:
            raise GrinError(f'parameter points_min_range ({self.points_min_range} m) must be '
                            f'below points_max_range ({self.points_max_range} m)')


FIELDS: dict[str, Field] = {entry.name: entry for entry in fields(DepthParams)}


def describe_range(name: str) -> str:
    """Return the allowed values of a parameter in words; empty when all of its type are."""
    spec = FIELDS[name].metadata
    if spec['choices']:
        return ', '.join(map(str, spec['choices']))
    return '' if spec['low'] is None else f'{spec["low"]} to {spec["high"]}'


def checked(name: str, value: Any) -> Any:
    """
    Return a value in the type of its parameter; 20 is taken for 20.0 and true for 'true'.

    :raises GrinError: when the type or the range is wrong; names both.
    """
    spec = FIELDS[name].metadata
    kind: type = type(FIELDS[name].default)
    # type(), since to isinstance() a bool is an int.
    if kind is float and type(value) is int:
        value = float(value)
    elif kind is str and type(value) is bool and 'true' in spec['choices']:
        value = str(value).lower()  # YAML reads `rectified: true` as a bool
    finite = not isinstance(value, float) or math.isfinite(value)
    if type(value) is not kind or not finite:
        raise GrinError(f'parameter {name} must be a {TYPE_NAMES[kind]}, not {value!r}')
    low, high, choices = spec['low'], spec['high'], spec['choices']
    if (choices and value not in choices) or (low is not None and not low <= value <= high):
        unit = f' {spec["unit"]}' if spec['unit'] else ''
        raise GrinError(f'parameter {name} must be {"one of " if choices else ""}'
                        f'{describe_range(name)}{unit}, not {value!r}')
    return value


def params_from(values: Mapping[str, Any], base: DepthParams | None = None) -> DepthParams:
    """Return checked parameters: ``values`` over ``base`` (the defaults)."""
    merged = {name: getattr(base or DepthParams(), name) for name in FIELDS}
    merged.update({name: checked(name, value) for name, value in values.items()})
    return DepthParams(**merged)


def strangers(names: Iterable[str]) -> list[str]:
    """
    Return the names that are not ours.

    :raises GrinError: for a name close to a real one, which is a typing error.
    """
    found = []
    for name in names:
        if name in FIELDS or name.startswith(FOREIGN_PREFIXES):
            continue
        near = difflib.get_close_matches(name, FIELDS, n=1, cutoff=0.75)
        if near:
            raise GrinError(f'there is no parameter {name}: did you mean {near[0]}?')
        found.append(name)
    return found


def descriptor(name: str) -> ParameterDescriptor:
    """Return what ``ros2 param describe`` shows."""
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
    entry = FIELDS[name]
    spec, kind = entry.metadata, type(entry.default)
    # dynamic_typing: an integer where a double belongs reaches checked(), which takes it.
    result = ParameterDescriptor(
        name=name, read_only=not spec['dynamic'], dynamic_typing=True,
        description=spec['text'] + (f' [{spec["unit"]}]' if spec['unit'] else ''),
        additional_constraints=describe_range(name))
    if spec['low'] is not None and kind is int:
        result.integer_range = [IntegerRange(from_value=spec['low'], to_value=spec['high'])]
    elif spec['low'] is not None:
        result.floating_point_range = [
            FloatingPointRange(from_value=spec['low'], to_value=spec['high'])]
    return result


def declare(node: Node) -> DepthParams:
    """
    Declare every parameter on a node and return the checked values.

    :raises GrinError: for a wrong value or a misspelt name; strangers only warn, since a
        ``/**`` section of a YAML file reaches every node.
    """
    # rclpy keeps what the command line and the YAML files set only here.
    overrides = {name: parameter.value for name, parameter in node._parameter_overrides.items()
                 if not node.has_parameter(name)}
    for name in strangers(overrides):
        node.get_logger().warning(f'parameter {name} is not one of this node and is ignored')
    params = params_from({name: overrides[name] for name in FIELDS if name in overrides})
    for name in FIELDS:
        node.declare_parameter(name, getattr(params, name), descriptor(name),
                               ignore_override=True)
    return params


def to_yaml() -> str:
    """Return config/depth.param.yaml: every parameter with its default and a comment."""
    lines = ['# Parameters of grin_ros depth_node with their defaults; all may be left out.',
             '# Written by `python3 -m grin_ros.params yaml`.', '/**:', '  ros__parameters:']
    for name, entry in FIELDS.items():
        spec, value = entry.metadata, entry.default
        notes = [describe_range(name), spec['unit'], 'at run time' if spec['dynamic'] else '']
        remark = '; '.join(note for note in notes if note)
        lines.append(f'    # {spec["text"]}' + (f' ({remark})' if remark else ''))
        text = str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f'    {name}: ' + (f"'{value}'" if isinstance(value, str) else text))
    return '\n'.join(lines) + '\n'


def to_markdown() -> str:
    """Return the README's table of parameters."""
    lines = ['| parameter | default | values | unit | at run time | |',
             '|---|---|---|---|---|---|']
    for name, entry in FIELDS.items():
        spec, value = entry.metadata, entry.default
        text = str(value).lower() if isinstance(value, bool) else str(value)
        lines.append(f'| `{name}` | {text} | {describe_range(name)} | {spec["unit"]} | '
                     f'{"yes" if spec["dynamic"] else "no"} | {spec["text"]} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    print({'yaml': to_yaml, 'markdown': to_markdown}[sys.argv[1]](), end='')
