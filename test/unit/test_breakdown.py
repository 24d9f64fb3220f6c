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

"""Breakdown: pixels fall into their range, frames into their field of view."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.evaluation.breakdown import (
    by_fov,
    by_range,
    range_bins,
    RANGE_NAMES,
    small_table,
    table,
)
from grin_ros.metrics import depth_metrics


def test_pixels_fall_into_the_range_of_their_truth() -> None:
    truth = np.repeat([0.5, 3.0, 40.0, 6.0], [30, 50, 20, 19])
    factor = np.repeat([2.0, 1.1, 0.5, 9.0], [30, 50, 20, 19])
    sigma = np.where(truth < 1, 0.6, 0.01)
    bins = range_bins(truth * factor, truth, sigma, np.ones(truth.size, bool))
    assert list(bins) == ['0-1 m', '2-4 m', '32+ m']  # 19 pixels say nothing
    assert [bins[name]['abs_rel'] for name in bins] == pytest.approx([1.0, 0.1, 0.5])
    assert [bins[name]['delta1'] for name in bins] == [0, 1, 0]
    assert [bins[name]['scale'] for name in bins] == pytest.approx([2.0, 1.1, 0.5])
    assert [bins[name]['within_1_sigma'] for name in bins] == [1, 0, 0]
    other = {'2-4 m': {**bins['2-4 m'], 'abs_rel': 0.3}}
    rows = {row['name']: row for row in by_range([{'by_range': bins}, {'by_range': other}])}
    assert rows['2-4 m']['abs_rel'] == pytest.approx(0.2) and rows['2-4 m']['frames'] == 2
    assert rows['32+ m']['frames'] == 1


def test_frames_fall_into_their_field_of_view() -> None:
    figures = dict.fromkeys(RANGE_NAMES, 0.5)
    rows = by_fov([{'fov_deg': fov, 'n': n, **figures}
                   for fov, n in ((65, 4), (70, 6), (100, 1), (30, 0))])
    assert [(row['name'], row['frames'], row['n']) for row in rows] == [
        ('60-75 deg', 2, 10), ('90-110 deg', 1, 1)]


def test_tables_have_a_line_for_each_row() -> None:
    row = {'name': 'a', **depth_metrics(np.ones(3), np.ones(3)), 'total_ms': 1.0, 'x': np.nan}
    assert len(table([row, row]).splitlines()) == 3
    line = small_table([row], [('n', 'pixels'), ('x', 'unknown'), ('delta1', 'delta1')], 'frame')
    assert line.splitlines()[1].split() == ['a', '3', '-', '1.000']


def test_no_name_is_cut() -> None:
    row = {'name': 'a' * 60, **depth_metrics(np.ones(3), np.ones(3)), 'total_ms': 1.0}
    short = {**row, 'name': 'b'}
    for text in (table([row, short]), small_table([row, short], [('n', 'pixels')], 'frame')):
        first, *lines = text.splitlines()
        assert [line.split()[0] for line in lines] == ['a' * 60, 'b']
        assert len({len(line) for line in (first, *lines)}) == 1
