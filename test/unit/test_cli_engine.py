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


"""grin engine and grin doctor: plans without a device, a list of the cache, an honest report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

onnx = pytest.importorskip('onnx', reason='no onnx: pip install "grin_ros[tensorrt]"')
pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')

from fake_gpu import FakeBuild, FakeDevice, FakeTrt  # noqa: E402, I100, RUF100
import numpy as np  # noqa: E402
from onnx import helper, numpy_helper  # noqa: E402

from grin_ros.backends.tensorrt import TensorRtBackend  # noqa: E402
from grin_ros.bundle import Bundle, load_bundle  # noqa: E402
from grin_ros.cli import main  # noqa: E402
from grin_ros.engine import roofline  # noqa: E402
from grin_ros.engine.doctor import Doctor, FAILED, OK, SKIPPED  # noqa: E402
from grin_ros.engine.options import EngineOptions  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize('fused', [False, True], ids=['split', 'fused'])
def test_rtx_plans_are_written(tiny_bundle: Path, tmp_path: Path, fused: bool) -> None:
    pytest.importorskip('tensorrt_rtx', reason='no TensorRT for RTX (x86_64)')
    figures = tmp_path / 'figures.json'
    arguments = ['engine', 'build', '--bundle', str(tiny_bundle), '--rtx-aot', '--output',
                 str(tmp_path / 'plans'), '--json', str(figures), '--image-size', '160', '120']
    assert main([*arguments, *(['--fused', '--steps', '2'] if fused else [])]) == 0
    plans = json.loads(figures.read_text(encoding='utf-8'))['plans']
    assert [Path(plan['plan']).name.partition('-')[0] for plan in plans] == (
        ['fused2'] if fused else ['frame', 'denoiser'])
    for plan in plans:
        assert Path(plan['plan']).stat().st_size == plan['bytes'] > 10_000
        assert plan['compute_capabilities'] == ['SM86', 'SM89', 'SM120']


def test_a_wrong_capability_is_refused(tiny_bundle: Path, tmp_path: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('tensorrt_rtx', reason='no TensorRT for RTX (x86_64)')
    assert main(['engine', 'build', '--bundle', str(tiny_bundle), '--output', str(tmp_path),
                 '--rtx-aot', 'SM1']) == 2
    assert 'no compute capability SM1' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['--image-size', '--input-size'])
def test_a_size_without_pixels_is_refused(tiny_bundle: Path, option: str,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['engine', 'build', option, '0', '0', '--bundle', str(tiny_bundle)]) == 2
    assert option in capsys.readouterr().err


def test_no_steps_are_not_those_of_the_bundle(tiny_bundle: Path, tmp_path: Path,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip('tensorrt_rtx', reason='no TensorRT for RTX (x86_64)')
    assert main(['engine', 'build', '--rtx-aot', 'SM89', '--fused', '--steps', '0', '--output',
                 str(tmp_path), '--bundle', str(tiny_bundle)]) == 2
    assert 'must be 1 to 16, not 0' in capsys.readouterr().err


def test_the_cache_is_listed(tiny_bundle: Path, tmp_path: Path,
                             capsys: pytest.CaptureFixture[str]) -> None:
    cache, listed = tmp_path / 'engines', tmp_path / 'list.json'
    bundle = load_bundle(tiny_bundle)
    backend = fake(bundle, EngineOptions(cache=cache))
    doctor = Doctor(bundle, EngineOptions(cache=cache))
    backend.prepare(doctor._profile)
    backend.close()
    damaged = min(cache.glob('*.plan'))
    damaged.write_bytes(b'')
    assert main(['engine', 'info', '--cache', str(cache), '--json', str(listed)]) == 0
    output = capsys.readouterr().out
    assert '2 engines in' in output and output.count('DAMAGED') == 1 and 'Fake GPU' in output
    engines = json.loads(listed.read_text(encoding='utf-8'))['engines']
    assert sorted(engine['whole'] for engine in engines) == [False, True]


def fake(bundle: Bundle, options: EngineOptions, fail: str = '') -> TensorRtBackend:
    device = FakeDevice(can_capture=True, fail=fail)
    return TensorRtBackend(bundle, options, trt=FakeTrt(device), device=device, build=FakeBuild())


def test_doctor_says_what_it_skips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if Path('/dev/nvidia0').exists():
        pytest.skip('there is a device')
    report = tmp_path / 'report.json'
    assert main(['doctor', '--cache', str(tmp_path / 'engines'), '--json', str(report)]) == 0
    output = capsys.readouterr().out
    assert '[ ok ] onnxruntime answers the probe' in output
    assert '[skip] latency: needs TensorRT and a device' in output
    checks = json.loads(report.read_text(encoding='utf-8'))['checks']
    skipped = {check['name'] for check in checks if check['status'] == SKIPPED}
    assert {'tensorrt', 'build', 'parity', 'latency', 'CUDA graph', 'torch', 'node'} <= skipped
    assert all(check['detail'] for check in checks)


@pytest.mark.parametrize('frames', [1, 2])
def test_doctor_measures_what_is_there(tiny_bundle: Path, tmp_path: Path, frames: int) -> None:
    """On the fake device every figure has its place; the milliseconds are the CPU's."""
    options = EngineOptions(cache=tmp_path / 'engines', frames=frames)
    doctor = Doctor(load_bundle(tiny_bundle), options, runs=2, start=fake, with_node=False,
                    variants=(('fp16', False),))
    checks = {check.name: check for check in doctor.checks()}
    for name in ('tensorrt', 'fp16'):
        assert checks[name].status == OK, checks[name].detail
    figures = checks['fp16'].figures
    assert figures['frames'] == frames
    assert figures['cuda_graph'] and [each['steps'] for each in figures['parity']] == [1, 2, 4]
    for latency in (figures['latency'], figures['latency_without_cuda_graph']):
        assert set(latency) == {'1', '2', '4'}
        assert set(latency['1']) == {'engine_only_ms', 'with_copies_ms', 'image_to_depth_ms'}
        assert 0 < latency['4']['with_copies_ms']['p50'] <= latency['4']['with_copies_ms']['p95']
    json.dumps([check.to_dict() for check in checks.values()])


def test_doctor_reports_an_engine_that_is_wrong(tiny_bundle: Path, tmp_path: Path) -> None:
    doctor = Doctor(load_bundle(tiny_bundle), EngineOptions(cache=tmp_path / 'engines'), runs=2,
                    start=lambda bundle, options: fake(bundle, options, 'nan'), with_node=False)
    checks = {check.name: check for check in doctor.checks()}
    assert checks['fp32'].status == checks['fp16'].status == FAILED


def test_options_that_do_not_exist_are_refused() -> None:
    for wrong in ({'precision': 'fp8'}, {'device_id': -1}, {'frames': 0}, {'frames': 17}):
        with pytest.raises(GrinError, match=next(iter(wrong))):
            EngineOptions(**wrong)


def documented() -> str:
    return (ROOT / 'docs/gpu.md').read_text(encoding='utf-8')


def test_the_bounds_are_documented() -> None:
    """The first size is counted again from the graphs, with the factors that 30 Hz leaves."""
    try:
        table = roofline.to_markdown(load_bundle(), 1)
    except GrinError as error:
        pytest.skip(f'no shipped bundle: {error}')
    for line in table.splitlines():
        assert line in documented(), 'run `python3 -m grin_ros.engine.roofline` for docs/gpu.md'


@pytest.mark.soak
def test_all_bounds_are_documented() -> None:
    assert roofline.to_markdown(load_bundle()) in documented()


def test_operations_are_counted_as_on_paper() -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node('Conv', ['image', 'kernel'], ['map'], pads=[1, 1, 1, 1]),
         helper.make_node('Relu', ['map'], ['answer'])], 'one',
        [value('image', 1, [1, 3, 8, 10])], [value('answer', 1, [1, 5, 8, 10])],
        [numpy_helper.from_array(np.zeros((5, 3, 3, 3), np.float32), 'kernel')])
    cost = roofline.cost_of(helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9))
    assert cost.flops == 2 * 27 * 5 * 80
    assert cost.bytes == 2 * (3 * 80 + 135 + 5 * 80)
