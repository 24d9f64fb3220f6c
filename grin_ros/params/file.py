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


"""Parameter file: YAML of the node in, the checked parameters of one camera out, without ROS."""

from __future__ import annotations

from pathlib import Path
import re
from typing import Any

import yaml

from grin_ros.errors import GrinError
from grin_ros.params import DepthParams
from grin_ros.params.values import params_by_camera, strangers


class Loader(yaml.SafeLoader):
    """YAML as ROS reads it: 1e-3 is a number, too, where PyYAML wants 1.0e-3."""


Loader.add_implicit_resolver(
    'tag:yaml.org,2002:float', re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$'),
    list('-+.0123456789'))


def read_params(path: Path | None, image_topic: str) -> DepthParams:
    """
    Read a parameter file as `ros2 launch` gives it to the node; None for the defaults.

    :param image_topic: of several cameras in the file the one with this image_topic is taken.
    :raises GrinError: for a file or a value that the node would refuse, too.
    """
    if path is None:
        return DepthParams()
    try:
        nodes = yaml.load(path.read_text(encoding='utf-8'), Loader)
        values = flat(next(iter(nodes.values()))['ros__parameters'])
    except (OSError, AttributeError, KeyError, StopIteration, TypeError, ValueError,
            yaml.YAMLError) as error:
        raise GrinError(f'--params-file {path} is no parameter file: {error}') from error
    cameras = tuple(values.get('cameras', ('',)))
    foreign = strangers(values, cameras)
    by_camera = params_by_camera({name: value for name, value in values.items()
                                  if name not in foreign and name != 'use_sim_time'
                                  and not name.startswith('qos_overrides.')})
    if len(by_camera) == 1:
        return next(iter(by_camera.values()))
    for params in by_camera.values():
        if params.image_topic == image_topic:
            return params
    raise GrinError(f'--params-file {path} has cameras {", ".join(cameras)}, and none has '
                    f'image_topic: {image_topic}')


def flat(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return nested parameters as ROS names them, with dots."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            result |= flat(value, f'{prefix}{name}.')
        else:
            result[f'{prefix}{name}'] = value
    return result
