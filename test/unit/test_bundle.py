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

"""Bundle: a whole one is read, a damaged one is refused by the name of its file."""

from __future__ import annotations

from dataclasses import replace
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grin_ros.bundle import Bundle, find_bundle, load_bundle
from grin_ros.demo.frames import shipped as frames
from grin_ros.diffusion.depth_codec import X_SCALE
from grin_ros.engine.selftest import probe_query, reference_answer
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    contents = {name: name.encode() * 9 for name in (
        'encoder.onnx', 'conditioner.onnx', 'denoiser.onnx', 'weights.bin', 'probe.npz')}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    write_facts(tmp_path, {
        'format_version': 1, 'name': 'some', 'input_size': [320, 256], 'query_stride': 4,
        'model': {'codec': {'scale': 'canonical', 'range_min': 0.2, 'range_max': 100.0}},
        'default_steps': 2, 'fov_range_deg': [17, 110], 'sigma_calibration': {'1': 0.8, '4': 1.1},
        'provenance': {}, 'licence': 'Apache-2.0',
        'files': {name: hashlib.sha256(content).hexdigest()
                  for name, content in contents.items()}})
    return tmp_path


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    (folder / 'grin.json').write_text(json.dumps(facts), encoding='utf-8')


def read_facts(folder: Path) -> dict[str, Any]:
    return json.loads((folder / 'grin.json').read_text(encoding='utf-8'))


def test_a_whole_bundle_is_read(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.codec.scale == 'canonical' and bundle.codec.range_max == 100
    assert (bundle.input_size, bundle.query_stride, bundle.default_steps) == ((320, 256), 4, 2)
    assert bundle.metadata['licence'] == 'Apache-2.0'


def test_calibration_is_that_of_the_nearest_step_count(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert [bundle.calibration(steps) for steps in (1, 2, 4, 16)] == [0.8, 0.8, 1.1, 1.1]


@pytest.mark.parametrize('name', ['encoder.onnx', 'denoiser.onnx', 'weights.bin', 'probe.npz'])
@pytest.mark.parametrize('damage', ['missing', 'truncated', 'one bit'])
def test_a_damaged_file_is_named(folder: Path, name: str, damage: str) -> None:
    path, content = folder / name, (folder / name).read_bytes()
    if damage == 'missing':
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == 'truncated'
                         else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(GrinError, match=f'{name}.*export'):
        load_bundle(folder)


@pytest.mark.parametrize('change', [
    {'files': {'encoder.onnx': '0'}}, {'files': None}, {'model': {}}, {'input_size': [3]},
    {'model': {'codec': {'scale': 'odd'}}}, {'sigma_calibration': [1]},
    {'sigma_calibration': {'1': -1.0}}, {'sigma_frame': -1}, {'sigma_frame': float('nan')},
    {'default_steps': -1}, {'default_steps': 10 ** 9}, {'fov_range_deg': [110, 25]}])
def test_wrong_facts_are_refused(folder: Path, change: dict[str, Any]) -> None:
    write_facts(folder, {**read_facts(folder), **change})
    with pytest.raises(GrinError, match='grin.json'):
        load_bundle(folder)


def test_a_file_outside_the_bundle_is_refused(folder: Path) -> None:
    facts = read_facts(folder)
    facts['files']['../secret'] = '0'
    write_facts(folder, facts)
    with pytest.raises(GrinError, match='plain file name'):
        load_bundle(folder)


def test_another_format_is_refused_with_both_numbers(folder: Path) -> None:
    write_facts(folder, {'format_version': 7})
    with pytest.raises(GrinError, match='format_version 7.*reads 1'):
        load_bundle(folder)


@pytest.mark.parametrize('text', ['', '{', '[]', '\x00\xff'])
def test_broken_json_is_refused(folder: Path, text: str) -> None:
    (folder / 'grin.json').write_bytes(text.encode('latin-1'))
    with pytest.raises(GrinError, match='grin.json is damaged'):
        load_bundle(folder)


def test_a_missing_bundle_is_named() -> None:
    with pytest.raises(GrinError, match='no bundle at .*nothing/here'):
        find_bundle('nothing/here')
    with pytest.raises(GrinError, match='grin_huge.*grin export'):
        find_bundle('grin_huge')


def test_a_folder_without_facts_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(GrinError, match='grin.json is missing'):
        load_bundle(tmp_path)


@pytest.fixture(scope='module')
def shipped() -> Bundle:
    try:
        return load_bundle()
    except GrinError as error:
        pytest.skip(f'no bundle ships yet: {error}')


def test_the_shipped_graphs_are_those_of_its_weights(shipped: Bundle) -> None:
    """The network of these sources, with the weights that ship, gives the probe's answers."""
    checkpoints = pytest.importorskip('grin_ros.train.checkpoint', reason='no torch')
    export = pytest.importorskip('grin_ros.train.export', reason='no onnxscript')
    model = export.deployable(checkpoints.load(shipped.file('weights.safetensors')))
    with np.load(shipped.file('probe.npz')) as probe:
        for steps in (1, 2):
            x_0, _ = export.run_torch(model, dict(probe), steps)
            assert np.abs(x_0 - probe[f'x_0_{steps}']).max() / X_SCALE <= export.PARITY_P


def test_the_shipped_int8_denoiser_costs_next_to_nothing(shipped: Bundle) -> None:
    """On frames of worlds that no training saw: at most 2 % of abs_rel, 1 % of depth."""
    pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
    exact, rough = (DepthEstimator.load(cpu_threads=1, backend='onnxruntime', cpu_precision=name)
                    for name in ('fp32', 'int8'))
    errors, moves = [], []
    for frame in frames():
        known = np.isfinite(frame.depth)
        depth, other = (
            np.minimum(estimator.estimate(frame.image, frame.camera).depth[known], 200)
            for estimator in (exact, rough))  # sky is no distance
        errors.append([np.abs(each / frame.depth[known] - 1).mean() for each in (depth, other)])
        moves.append(np.abs(np.log(other / depth)).mean())
    before, after = np.mean(errors, 0)
    assert len(moves) == 8 and after < 1.02 * before
    assert 0 < np.mean(moves) < 0.01


def test_the_shipped_graphs_weigh_pixels_alike_however_many(shipped: Bundle) -> None:
    pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
    answer, query = reference_answer(shipped), probe_query(shipped, 1)
    often = replace(query, pixels=np.tile(query.pixels, (9, 1)), mask=np.tile(query.mask, 9),
                    noise=np.tile(query.noise, 9), grid_tokens=9 * query.grid_tokens)
    [(once, _)], [(nine_times, _)] = answer([query]), answer([often])
    np.testing.assert_allclose(nine_times, np.tile(once, 9), atol=1e-4)
