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

"""``grin demo``: options in, three processes run, a table, a picture and a cloud out."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from grin_ros.cli.files import need_place
from grin_ros.errors import GrinError, require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument('--output', type=Path, default=Path('demo'), help='folder to write into')
    parser.add_argument('--rate', type=float, default=8.0, help='pictures a second')
    parser.add_argument('--repeat', type=int, default=16, help='times each picture is shown')
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the figures there too')


def run(options: argparse.Namespace) -> int:
    """Run the demo; the exit code is 1 when no depth came back."""
    if not 0 < options.rate < math.inf or options.repeat < 1:
        raise GrinError('--rate must be a number above 0, and --repeat at least 1')
    require('rclpy', 'ros')
    from grin_ros.demo.run import demo

    options.output.mkdir(parents=True, exist_ok=True)  # where --json may be
    need_place(options.json, '--json')
    return demo(options.output, options.rate, options.repeat, options.json)
