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


"""
The real builder on TensorRT for RTX, which compiles ahead of time without a GPU.

It proves that the graphs parse and compile strongly typed and that the builder's calls work. It
does not prove that TensorRT 10 or 11 compiles them, nor anything about running them.
"""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

onnx = pytest.importorskip('onnx', reason='no onnx: pip install "grin_ros[tensorrt]"')
trt = pytest.importorskip(
    'tensorrt_rtx', reason='no TensorRT for RTX (x86_64): pip install tensorrt-rtx')

from grin_ros.bundle import Bundle, load_bundle  # noqa: E402
from grin_ros.engine.build import build_plan, BuildSettings, Cancelled, Plan  # noqa: E402
from grin_ros.engine.build_process import build_apart  # noqa: E402
from grin_ros.engine.maker import graph_bytes  # noqa: E402
from grin_ros.engine.profile import Profile  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402

RTX = BuildSettings(compute_capabilities=('SM86', 'SM89', 'SM120'))
FRAME = {'image': 'UINT8', 'rays': 'FLOAT'}
TOKENS = {'x_t': 'FLOAT', 'token_mask': 'BOOL', 'prompts': 'FLOAT', 'prompt_mask': 'BOOL'}
INPUTS = {
    'encoder': FRAME,
    'conditioner': {**FRAME, 'local_2': 'FLOAT', 'local_4': 'FLOAT', 'pixels': 'FLOAT'},
    'denoiser': {**TOKENS, 'conditioning': 'FLOAT', 'prompt_conditioning': 'FLOAT',
                 'global': 'FLOAT', 'step': 'FLOAT'},
    'frame': {**FRAME, 'pixels': 'FLOAT', 'prompt_pixels': 'FLOAT'},
    'fused': {**FRAME, **TOKENS, 'pixels': 'FLOAT', 'prompt_pixels': 'FLOAT'},
}
OUTPUTS = {
    'encoder': {'local_2', 'local_4', 'global'}, 'conditioner': {'conditioning'},
    'denoiser': {'x_next', 'x_0', 'log_b'}, 'fused': {'x_0', 'log_b'},
    'frame': {'conditioning', 'prompt_conditioning', 'global'},
}


@pytest.fixture(scope='module')
def bundle() -> Bundle:
    try:
        return load_bundle()
    except GrinError as error:
        pytest.skip(f'no shipped bundle: {error}')


@pytest.fixture(scope='module')
def profile(bundle: Bundle) -> Profile:
    return Profile.of_camera(640, 480, bundle.input_size, bundle.query_stride)


def check(plan: Plan, graph: str, profile: Profile, dim: int) -> None:
    """Assert names, types and shapes of what goes in and out."""
    assert len(plan.data) > 100_000
    inputs = {tensor.name: tensor for tensor in plan.tensors if tensor.is_input}
    outputs = {tensor.name: tensor for tensor in plan.tensors if not tensor.is_input}
    assert {name: tensor.kind for name, tensor in inputs.items()} == INPUTS[graph]
    assert set(outputs) == OUTPUTS[graph]
    assert {tensor.kind for tensor in outputs.values()} == {'FLOAT'}
    w, h, n, k = profile.width, profile.height, profile.tokens, profile.draws
    shapes = {'image': (profile.frames, h, w, 3), 'x_t': (k, n), 'x_0': (k, n), 'log_b': (k, n),
              'global': (k, profile.global_vectors, dim), 'prompts': (k, 1, 2), 'step': (k, 4)}
    for name, tensor in (inputs | outputs).items():
        assert min(tensor.shape) > 0, 'every shape is static'
        assert tensor.shape == shapes.get(name, tensor.shape)


def build_and_check(bundle: Bundle, profile: Profile, graph: str, precision: str,
                    steps: int) -> None:
    model = graph_bytes(bundle, profile, graph, precision, steps)
    said: list[tuple[str, float]] = []
    plan = build_plan(trt, model, RTX, progress=lambda *what: said.append(what))
    check(plan, graph, profile, int(bundle.metadata['model']['interface_dim']))
    assert said and all(0 < share <= 1 for _, share in said)


@pytest.mark.parametrize('precision', ['fp32', 'fp16'])
@pytest.mark.parametrize('graph', ['encoder', 'conditioner', 'denoiser', 'frame'])
def test_the_shipped_graphs_compile(bundle: Bundle, profile: Profile, graph: str,
                                    precision: str) -> None:
    build_and_check(bundle, profile, graph, precision, 0)


def test_the_fused_graph_compiles(bundle: Bundle, profile: Profile) -> None:
    build_and_check(bundle, profile, 'fused', 'fp16', 2)


@pytest.mark.parametrize('graph', ['denoiser', 'frame'])
def test_graphs_of_several_frames_and_draws_compile(bundle: Bundle, graph: str) -> None:
    profile = Profile.of_camera(640, 480, bundle.input_size, 8, samples=2, frames=4)
    build_and_check(bundle, profile, graph, 'fp16', 0)


@pytest.mark.soak
@pytest.mark.parametrize('stride', [1, 2, 4, 8])
@pytest.mark.parametrize('precision', ['fp32', 'fp16'])
@pytest.mark.parametrize('steps', [1, 2, 4])
def test_every_fused_graph_compiles(bundle: Bundle, precision: str, steps: int,
                                    stride: int) -> None:
    profile = Profile.of_camera(1280, 720, bundle.input_size, stride)
    build_and_check(bundle, profile, 'fused', precision, steps)


@pytest.mark.soak
def test_an_int8_denoiser_compiles(bundle: Bundle, profile: Profile) -> None:
    from grin_ros.demo.frames import shipped
    from grin_ros.engine.graphs import GraphMaker
    from grin_ros.engine.quantise import calibration_batches, quantised
    frames = [(frame.image, frame.camera) for frame in shipped()]
    model = quantised(GraphMaker(bundle, profile).denoiser(),
                      calibration_batches(bundle, profile, frames))
    plan = build_plan(trt, model.SerializeToString(), RTX)
    check(plan, 'denoiser', profile, int(bundle.metadata['model']['interface_dim']))


@pytest.mark.parametrize('model', [b'', b'no graph', b'\x08\x09'], ids=['empty', 'text', 'cut'])
def test_a_broken_graph_is_refused(model: bytes) -> None:
    with pytest.raises(GrinError, match='tensorrt_rtx .* cannot (read the graph|build)'):
        build_plan(trt, model, RTX)


def test_a_graph_with_an_unknown_operator_names_it(tiny_bundle: Path) -> None:
    small = Profile(128, 96, 192)
    model = onnx.load_from_string(graph_bytes(load_bundle(tiny_bundle), small, 'frame', 'fp32'))
    model.graph.node[3].op_type = 'NoSuchThing'
    with pytest.raises(GrinError, match='NoSuchThing'):
        build_plan(trt, model.SerializeToString(), RTX)


def test_settings_that_do_not_exist_are_refused(tiny_bundle: Path) -> None:
    model = graph_bytes(load_bundle(tiny_bundle), Profile(128, 96, 192), 'frame', 'fp32')
    with pytest.raises(GrinError, match='no compute capability SM87'):
        build_plan(trt, model, BuildSettings(compute_capabilities=('SM86', 'SM87')))
    for wrong in ({'optimization_level': 6}, {'workspace_mib': 0}):
        with pytest.raises(GrinError, match=next(iter(wrong))):
            BuildSettings(**wrong)


def test_a_plan_does_not_run_without_a_device(tiny_bundle: Path) -> None:
    """What a robot without a working driver meets: None, and a reason in the log."""
    from grin_ros.engine.build import logger
    from grin_ros.engine.runtime import Engine
    if os.path.exists('/dev/nvidia0'):
        pytest.skip('there is a device')
    model = graph_bytes(load_bundle(tiny_bundle), Profile(128, 96, 192), 'frame', 'fp32')
    plan = build_plan(trt, model, RTX)
    log = logger(trt)
    assert Engine.load(trt, trt.Runtime(log), log, plan.data) is None
    assert log.last_error


def test_a_build_apart_gives_the_same_tensors(tiny_bundle: Path) -> None:
    model = graph_bytes(load_bundle(tiny_bundle), Profile(128, 96, 192), 'frame', 'fp16')
    said: list[Any] = []
    apart = build_apart('tensorrt_rtx', model, RTX, progress=lambda *what: said.append(what))
    assert apart.tensors == build_plan(trt, model, RTX).tensors and len(apart.data) > 10_000
    assert said
    with pytest.raises(GrinError, match='cannot read the graph'):
        build_apart('tensorrt_rtx', b'no graph', RTX)
    with pytest.raises(GrinError, match='no_such_library'):
        build_apart('no_such_library', model, RTX)


def test_a_build_apart_ends_within_two_seconds(bundle: Bundle, profile: Profile) -> None:
    """Whatever the builder is doing: one of its steps may take far longer."""
    model = graph_bytes(bundle, profile, 'fused', 'fp16', 4)
    for delay in (0.3, 3.0):
        event, moment = threading.Event(), [0.0]

        def cancel(event: threading.Event = event, moment: list[float] = moment) -> None:
            moment[0] = time.monotonic()
            event.set()

        timer = threading.Timer(delay, cancel)
        timer.start()
        with pytest.raises(Cancelled):
            build_apart('tensorrt_rtx', model, RTX, cancelled=event.is_set)
        assert time.monotonic() - moment[0] < 2.0
        timer.join()


def test_a_build_apart_ends_with_its_parent(bundle: Bundle, profile: Profile,
                                            tmp_path: Path) -> None:
    """A node that is killed leaves no builder behind."""
    (tmp_path / 'model').write_bytes(graph_bytes(bundle, profile, 'fused', 'fp16', 4))
    code = ('import sys, pathlib\n'
            'from grin_ros.engine import build, build_process\n'
            f'settings = build.BuildSettings(compute_capabilities={RTX.compute_capabilities})\n'
            f'model = pathlib.Path({str(tmp_path / "model")!r}).read_bytes()\n'
            'build_process.build_apart("tensorrt_rtx", model, settings,\n'
            '                          progress=lambda *what: print("going", flush=True))\n')
    parent = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True,
                              cwd=Path(__file__).parents[2])
    assert parent.stdout is not None and parent.stdout.readline() == 'going\n'
    children = Path(f'/proc/{parent.pid}/task/{parent.pid}/children').read_text().split()
    assert children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(alive(int(child)) for child in children):
        assert time.monotonic() < deadline, 'the builder outlived its parent'
        time.sleep(0.05)


def alive(process: int) -> bool:
    """Return whether a process runs; one that nobody has waited for does not."""
    try:
        stat = Path(f'/proc/{process}/stat').read_text()
    except OSError:
        return False
    return stat.rpartition(')')[2].split()[0] not in 'ZX'
