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

"""Steps: a bundle and frames with truth in; what denoising steps and draws buy, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import os
from pathlib import Path
import platform
import re
from typing import Any

from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimator
from grin_ros.evaluation.breakdown import Row
from grin_ros.evaluation.evaluate import frame_name, mean_row, score_frame
from grin_ros.evaluation.protocol import Protocol

STEPS = 1, 2, 4, 8, 16
SAMPLES = 1, 4, 10
COLUMNS = {  # figure of a row -> heading, digits
    'abs_rel': ('abs_rel', 4), 'delta1': ('delta1', 4), 'ause': ('AUSE', 4),
    'within_1_sigma': ('within 1 sigma', 3), 'edge_abs_rel': ('abs_rel at edges', 4),
    'total_ms': ('latency [ms]', 0)}
START, END = '<!-- steps -->', '<!-- /steps -->'
PLACE = re.compile(f'{START}.*{END}', re.DOTALL)


def steps_table(estimator: DepthEstimator, samples: Iterable[Sample], protocol: Protocol,
                steps: Sequence[int] = STEPS, draws: Sequence[int] = SAMPLES,
                regression: DepthEstimator | None = None) -> list[Row]:
    """
    Score each number of steps with each number of draws on the same frames.

    :param regression: the same network as plain regression: one more row, of one step.
    :returns: rows with steps, samples and COLUMNS, means over all frames with truth.
    """
    rows: dict[tuple[str, int, int], list[Row]] = {}
    steps, draws = sorted(set(steps)), sorted(set(draws))  # asked twice, measured once

    def run(label: str, model: DepthEstimator, sample: Sample, name: str, step: int,
            draw: int) -> None:
        result = model.estimate(sample.image, sample.camera, step, draw)
        row = score_frame(sample, result, name, protocol, 'none').row
        if row['n']:
            rows.setdefault((label, step, draw), []).append(row)

    for index, sample in enumerate(samples):
        name = frame_name(sample, index)
        for draw in draws:
            # What depends on the camera and the noise is made once: no part of the latency.
            estimator.estimate(sample.image, sample.camera, 1, draw)
            for step in steps:
                run('', estimator, sample, name, step, draw)
        if regression is not None:
            regression.estimate(sample.image, sample.camera, 1)
            run('regression', regression, sample, name, 1, 1)
    if not rows:
        raise GrinError('no frame has truth between the depth limits: make sure that it is in '
                        'metres, or change them with --min-depth and --max-depth')
    return [{'steps': step, 'samples': draw, **mean_row(label, 'all', group)}
            for (label, step, draw), group in sorted(rows.items())]


def markdown(rows: Sequence[Row], default_steps: int) -> str:
    """Return the table in Markdown, and a sentence on the default beside the best row."""
    heads = ['steps', 'samples', *(heading for heading, _ in COLUMNS.values())]
    lines = [f'| {" | ".join(heads)} |', '|' + '---|' * len(heads)]
    for row in rows:
        cells = [row['name'] or str(row['steps']), str(row['samples']),
                 *('-' if row[key] != row[key] else f'{row[key]:.{digits}f}'
                   for key, (_, digits) in COLUMNS.items())]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join([*lines, '', verdict(rows, default_steps)])


def verdict(rows: Sequence[Row], default_steps: int) -> str:
    """Compare the bundle's default with the row of least abs_rel, and with the regression."""
    own = [row for row in rows if not row['name']]
    best = min(own, key=lambda row: row['abs_rel'])
    default = next((row for row in own if (row['steps'], row['samples']) == (default_steps, 1)),
                   None)
    if default is None:
        return f'The default, {_called(default_steps, 1)}, was not measured.'
    excess = default['abs_rel'] / best['abs_rel'] - 1
    text = (f'The default, {_called(default_steps, 1)}, is {excess:.1%} above the best row '
            f'({_called(best["steps"], best["samples"])}) in abs_rel')
    for row in rows:
        if row['name']:
            other = default['abs_rel'] / row['abs_rel'] - 1
            text += (f' and {abs(other):.1%} {"above" if other > 0 else "below"} the plain '
                     f'{row["name"]}')
    return text + '.'


def _called(steps: int, samples: int) -> str:
    return (f'{steps} step{"s" * (steps > 1)}, {samples} sample{"s" * (samples > 1)}')


def write_markdown(path: Path, caption: str, table: str) -> None:
    """
    Put a table between START and END of a file; a new file gets just that.

    :raises GrinError: for a file without the two markers.
    """
    block = f'{START}\n{caption}\n\n{table}\n{END}'
    text = text_with_place(path)
    try:
        path.write_text(PLACE.sub(lambda _: block, text), encoding='utf-8')
    except OSError as error:
        raise GrinError(f'{path} cannot be written: {error.strerror}') from error


def text_with_place(path: Path) -> str:
    """
    Return the text of a file that has a place for the table; a new file is just that.

    :raises GrinError: for a file without the two markers.
    """
    try:
        text = path.read_text('utf-8') if path.exists() else f'{START}{END}\n'
    except OSError as error:
        raise GrinError(f'{path} cannot be read: {error.strerror}') from error
    except UnicodeDecodeError:
        raise GrinError(f'{path} is no text: give a Markdown file, or a new name') from None
    if not PLACE.search(text):
        raise GrinError(f'{path} has no place for the table: put the lines {START} and {END} '
                        'into it')
    return text


def machine() -> dict[str, Any]:
    """Return what a latency depends on beside the model: processor, cores and what else ran."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path('/proc/cpuinfo').read_text('utf-8').splitlines()
        name = next((line.partition(':')[2].strip() for line in lines
                     if line.startswith('model name')), name)
    except OSError:
        pass
    return {'processor': name, 'cores': os.cpu_count(), 'load': os.getloadavg()[0]}
