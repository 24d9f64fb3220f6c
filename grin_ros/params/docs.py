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

"""Documents of the parameters: config/depth.param.yaml and the table of the README."""

from __future__ import annotations

import sys
from typing import Any

from grin_ros.params import describe_range, FIELDS


def as_yaml(value: Any) -> str:
    """Return a default as YAML."""
    if isinstance(value, tuple):
        return str(list(value))
    return str(value).lower() if isinstance(value, bool) else (
        f"'{value}'" if isinstance(value, str) else str(value))


def to_yaml() -> str:
    """Return config/depth.param.yaml: every parameter with its default and a comment."""
    lines = ['# Parameters of grin_ros depth_node with their defaults; all may be left out.',
             '# Written by `python3 -m grin_ros.params.docs yaml`.', '/**:', '  ros__parameters:']
    for name, entry in FIELDS.items():
        spec = entry.metadata
        notes = [describe_range(name), spec['unit'], 'at run time' if spec['dynamic'] else '']
        remark = '; '.join(note for note in notes if note)
        lines.append(f'    # {spec["text"]}' + (f' ({remark})' if remark else ''))
        lines.append(f'    {name}: {as_yaml(entry.default)}')
    return '\n'.join(lines) + '\n'


def to_markdown() -> str:
    """Return the README's table of parameters."""
    lines = ['| parameter | default | values | unit | at run time | per camera | |',
             '|---|---|---|---|---|---|---|']
    for name, entry in FIELDS.items():
        spec, value = entry.metadata, entry.default
        text = value if isinstance(value, str) else as_yaml(value)
        lines.append(f'| `{name}` | {text} | {describe_range(name)} | {spec["unit"]} | '
                     f'{"yes" if spec["dynamic"] else "no"} | '
                     f'{"no" if spec["shared"] else "yes"} | {spec["text"]} |')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    print({'yaml': to_yaml, 'markdown': to_markdown}[sys.argv[1]](), end='')
