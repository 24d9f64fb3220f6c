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


"""``grin doctor``: one command for a GPU owner; its report belongs into an issue."""

from __future__ import annotations

import argparse
from pathlib import Path

from grin_ros.cli.engine import add_engine_options, engine_options
from grin_ros.cli.files import need_place, write_json
from grin_ros.errors import GrinError

MARKS = {'ok': ' ok ', 'failed': 'FAIL', 'skipped': 'skip'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_engine_options(parser)
    parser.add_argument('--runs', type=int, default=100, metavar='N',
                        help='repetitions of each latency (default %(default)s)')
    parser.add_argument('--no-node', action='store_true', help='leave the ROS node out')
    parser.add_argument('--json', type=Path, metavar='OUT', help='write the report here')


def run(options: argparse.Namespace) -> int:
    """Print each check; the exit code is 1 when one failed."""
    from grin_ros.bundle import load_bundle
    from grin_ros.engine.doctor import Check, Doctor

    if options.runs < 1:
        raise GrinError('--runs must be at least 1')
    need_place(options.json, '--json')
    bundle = load_bundle(options.bundle)
    doctor = Doctor(bundle, engine_options(options), options.runs,
                    with_node=not options.no_node)
    checks: list[Check] = []
    for check in doctor.checks():
        checks.append(check)
        print(f'[{MARKS[check.status]}] {check.name}: {check.detail}', flush=True)
    counts = {status: sum(check.status == status for check in checks) for status in MARKS}
    print(', '.join(f'{count} {status}' for status, count in counts.items()))
    if counts['skipped']:
        print('Skipped checks prove nothing: see the reasons above.')
    write_json(options.json, {'bundle': bundle.name, 'counts': counts,
                              'checks': [check.to_dict() for check in checks]})
    return 1 if counts['failed'] else 0
