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

"""Steps: one row per choice, a verdict that can be checked by hand, a table that is replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.cli import main
from grin_ros.data.sample import Sample
from grin_ros.data.shards import ShardWriter
from grin_ros.errors import GrinError
from grin_ros.evaluation.steps import COLUMNS, machine, markdown, verdict, write_markdown


def row(steps: int, samples: int, abs_rel: float, name: str = '') -> dict[str, Any]:
    return {'name': name, 'steps': steps, 'samples': samples, **dict.fromkeys(COLUMNS, 0.5),
            'abs_rel': abs_rel, 'edge_abs_rel': float('nan')}


ROWS = [row(1, 1, 0.206), row(4, 1, 0.2), row(1, 1, 0.3, 'regression')]


def test_the_verdict_by_hand() -> None:
    text = verdict(ROWS, 1)
    assert '1 step, 1 sample, is 3.0% above the best row (4 steps, 1 sample)' in text
    assert '31.3% below the plain regression' in text
    assert 'was not measured' in verdict(ROWS, 8)


def test_the_table_has_a_line_per_row() -> None:
    lines = markdown(ROWS, 1).splitlines()
    assert len(lines) == 2 + 3 + 2 and len({line.count('|') for line in lines[:5]}) == 1
    assert lines[3] == '| 4 | 1 | 0.2000 | 0.5000 | 0.5000 | 0.500 | - | 0 |'
    assert lines[4].startswith('| regression | 1 | 0.3000')


def test_only_what_is_between_the_markers_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / 'steps.md'
    write_markdown(path, 'first', 'table 1')
    path.write_text(f'# Above\n\n{path.read_text("utf-8")}\nbelow\n', 'utf-8')
    write_markdown(path, 'second \\1', 'table 2')
    text = path.read_text('utf-8')
    assert text.startswith('# Above') and text.endswith('below\n')
    assert 'second \\1\n\ntable 2' in text and 'table 1' not in text
    for content in ('no markers', '<!-- /steps --> the wrong way round <!-- steps -->'):
        path.write_text(content, 'utf-8')
        with pytest.raises(GrinError, match='<!-- steps -->'):
            write_markdown(path, 'third', 'table 3')
        assert path.read_text('utf-8') == content


def test_a_page_without_a_place_is_refused_before_the_work(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not after hours of measuring: neither bundle nor data are there, and nobody asked."""
    page = tmp_path / 'steps.md'
    for content, message in ((b'no markers', 'no place for the table'), (b'\xff\xfe', 'no text')):
        page.write_bytes(content)
        assert main(['ablate', 'steps', '--data', 'nowhere', '--dataset', 'shards', '--bundle',
                     'nowhere', '--markdown', str(page)]) == 2
        assert f'{page} {"has" if b"no" in content else "is"} {message}' in capsys.readouterr().err


def test_the_machine_is_named() -> None:
    assert machine()['processor'] and machine()['cores'] > 0


def test_ablate_measures_every_choice(tiny_bundle: Path, tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
    camera, rng = Camera.from_hfov(70, 64, 48), np.random.default_rng(0)
    with ShardWriter(tmp_path / 'shards', 'worlds') as writer:
        for _ in range(2):
            image = rng.integers(0, 255, (48, 64, 3)).astype(np.uint8)
            writer.add(Sample(image, rng.uniform(1, 5, (48, 64)).astype(np.float32), camera))
    out, page = tmp_path / 'steps.json', tmp_path / 'steps.md'
    # Of two precisions the same bundle would not give the same figures.
    assert main(['ablate', 'steps', '--data', str(tmp_path / 'shards'), '--dataset', 'shards',
                 '--bundle', str(tiny_bundle), '--regression', str(tiny_bundle), '--threads', '1',
                 '--cpu-precision', 'int8', '--steps', '1', '2', '1', '--samples', '1', '3', '3',
                 '--json', str(out), '--markdown', str(page)]) == 0
    rows = json.loads(out.read_text('utf-8'))['rows']
    assert [(each['name'], each['steps'], each['samples']) for each in rows] == [
        ('', 1, 1), ('', 1, 3), ('', 2, 1), ('', 2, 3), ('regression', 1, 1)]
    assert all(each['frames'] == 2 and each['n'] == 2 * 48 * 64 for each in rows)
    assert rows[0]['abs_rel'] == rows[-1]['abs_rel']  # the same bundle
    assert rows[0]['abs_rel'] != rows[1]['abs_rel']
    assert '| regression | 1 |' in page.read_text('utf-8')
    assert 'The default, 1 step, 1 sample' in capsys.readouterr().out
