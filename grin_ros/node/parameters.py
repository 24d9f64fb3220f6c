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

"""Node parameters: those of the dataclass on a ROS node, and those of single cameras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node

from grin_ros.errors import GrinError
from grin_ros.params import DepthParams, describe_range, FIELDS
from grin_ros.params.values import (
    checked,
    field_of,
    FOREIGN_PREFIXES,
    hint,
    params_by_camera,
    strangers,
)


def descriptor(name: str) -> ParameterDescriptor:
    """Return what ``ros2 param describe`` shows."""
    entry = FIELDS[field_of(name)]
    spec, kind = entry.metadata, type(entry.default)
    # dynamic_typing: an integer where a double belongs reaches checked(), which takes it.
    result = ParameterDescriptor(
        name=name, read_only=not spec['dynamic'], dynamic_typing=True,
        description=spec['text'] + (f' [{spec["unit"]}]' if spec['unit'] else ''),
        additional_constraints=describe_range(entry.name))
    if spec['low'] is not None and kind is int:
        result.integer_range = [IntegerRange(from_value=spec['low'], to_value=spec['high'])]
    elif spec['low'] is not None:
        result.floating_point_range = [
            FloatingPointRange(from_value=spec['low'], to_value=spec['high'])]
    return result


class NodeParameters:
    """
    The parameters of a node as its cameras see them, from the first values to the latest.

    Declared are all of the dataclass and, of a camera's own, its topics and what the user gave;
    others of a camera are declared when they are set.

    :raises GrinError: for a wrong value or a misspelt name; strangers only warn, since a
        ``/**`` section of a YAML file reaches every node.
    """

    def __init__(self, node: Node) -> None:
        """Declare; the values of YAML files and the command line are the first."""
        # rclpy keeps what the command line and the YAML files set only here.
        overrides = {name: parameter.value for name, parameter
                     in node._parameter_overrides.items() if not node.has_parameter(name)}
        cameras = checked('cameras', overrides.get('cameras', FIELDS['cameras'].default))
        foreign = strangers(overrides, cameras)
        for name in foreign:
            node.get_logger().warning(
                f'parameter {name} is not one of this node and is ignored'
                f'{hint(name, cameras)}')
        self._node = node
        self._given = {name: checked(name, value) for name, value in overrides.items()
                       if name not in foreign and field_of(name) in FIELDS}
        self._by_camera = params_by_camera(self._given)
        own = {f'{camera}.{name}' for camera in filter(None, cameras)
               for name in ('image_topic', 'camera_info_topic', 'ranges_topic')}
        own |= {name for name in self._given if '.' in name}
        for name in [*FIELDS, *sorted(own)]:
            self._declare(name)
        node.add_on_set_parameters_callback(self._take)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Return the names of the cameras; one empty name for one without."""
        return tuple(self._by_camera)

    @property
    def shared(self) -> DepthParams:
        """Return parameters whose shared ones are those of all cameras."""
        return next(iter(self._by_camera.values()))

    def of(self, camera: str) -> DepthParams:
        """Return the parameters of a camera."""
        return self._by_camera[camera]

    def set_atomically(self, parameters: list[Any], set_declared: Callable[[list[Any]], Any]
                       ) -> Any:
        """
        Set parameters, all or none, declaring those of a camera that had the value of all.

        :param set_declared: rclpy's function, which takes only declared ones and does not name
            the others.
        :returns: rcl_interfaces/SetParametersResult.
        """
        # Each once, however often it is named: a second declaration would end the node.
        new = list(dict.fromkeys(
            each.name for each in parameters if not self._node.has_parameter(each.name)))
        try:
            foreign = strangers(new, self.cameras)
        except GrinError as error:
            return SetParametersResult(successful=False, reason=str(error))
        foreign += [name for name in new if name.startswith(FOREIGN_PREFIXES)]
        if foreign:
            return SetParametersResult(
                successful=False, reason=f'there is no parameter {", ".join(foreign)}'
                f'{hint(foreign[0], self.cameras)}')
        for name in (each.name for each in parameters):
            # rclpy refuses those that are declared, too, and does not say what to do.
            if field_of(name) in FIELDS and not FIELDS[field_of(name)].metadata['dynamic']:
                return SetParametersResult(
                    successful=False, reason=f'parameter {name} cannot change at run time: give '
                    'it when the node starts')
        before = self._given
        for name in new:
            self._declare(name)
        result = set_declared(parameters)
        if not result.successful:
            for name in new:
                self._node.undeclare_parameter(name)
            self._given = before
        return result

    def _declare(self, name: str) -> None:
        """Declare a parameter with the value it has."""
        camera, _, field = name.rpartition('.')
        value = (getattr(self._by_camera[camera], field) if camera else
                 self._given.get(name, FIELDS[name].default))
        self._node.declare_parameter(name, list(value) if isinstance(value, tuple) else value,
                                     descriptor(name), ignore_override=True)

    def _take(self, parameters: list[Any]) -> SetParametersResult:
        """Take new values at once, or say why not."""
        given = self._given | {each.name: each.value for each in parameters
                               if field_of(each.name) in FIELDS}
        try:
            self._by_camera = params_by_camera(given)
        except GrinError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._given = given
        return SetParametersResult(successful=True)
