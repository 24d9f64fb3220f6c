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
"""The verb bench: every stage of a frame has its percentiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grin_ros.cli import main

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')


def test_each_stage_has_its_percentiles(tiny_bundle: Path, tmp_path: Path,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / 'bench.json'
    assert main(['bench', '--image-size', '64', '48', '--runs', '4', '--threads', '1', '--steps',
                 '2', '--bundle', str(tiny_bundle), '--json', str(out)]) == 0
    figures = json.loads(out.read_text(encoding='utf-8'))
    stages = figures['stages_ms']
    assert set(stages) >= {'preprocess', 'encoder', 'conditioner', 'denoiser', 'decode', 'total'}
    parts = sum(stage['p50'] for name, stage in stages.items() if name != 'total')
    assert stages['total']['p99'] >= stages['total']['p50'] > 0.5 * parts
    assert (figures['image_size'], figures['steps'], figures['runs']) == ([64, 48], 2, 4)
    assert 'onnxruntime' in figures['machine']
    printed = capsys.readouterr().out
    assert '64x48, steps 2' in printed and 'p99' in printed


@pytest.mark.parametrize('wrong', [('--runs', '0'), ('--image-size', '4', '4')])
def test_nothing_to_measure_is_refused(tiny_bundle: Path, wrong: tuple[str, ...],
                                       capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['bench', *wrong, '--bundle', str(tiny_bundle)]) == 2
    assert '--runs' in capsys.readouterr().err
