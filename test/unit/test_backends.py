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

"""Backends: they agree with the bundle's probe and with each other, and never fall back."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import shutil
import sys
from types import ModuleType

import numpy as np
import pytest

from grin_ros import backends
from grin_ros.backends import Backend
from grin_ros.bundle import INT8_DENOISER, load_bundle, METADATA
from grin_ros.diffusion.depth_codec import X_SCALE
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.engine.options import EngineOptions
from grin_ros.engine.profile import Profile
from grin_ros.engine.selftest import probe_queries
from grin_ros.errors import GrinError

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')


def answer(backend: Backend, probe: dict[str, np.ndarray], steps: int) -> tuple:
    image, rays, pixels, x_t = (probe[key][None] for key in ('image', 'rays', 'pixels', 'x_T'))
    local_2, local_4, global_ = backend.encoder(image, rays)
    conditioning = backend.conditioner(image, rays, local_2, local_4, pixels)
    empty = np.zeros((1, 1, conditioning.shape[-1]), np.float32)
    for step in ddim_steps(steps):
        x_t, x_0, log_b = backend.denoiser(
            x_t, conditioning, np.ones(x_t.shape, bool), empty[..., :2], empty,
            np.zeros((1, 1), bool), global_, step[None])
    return x_0[0], log_b[0]


@pytest.fixture
def probe(tiny_bundle: Path) -> dict[str, np.ndarray]:
    with np.load(tiny_bundle / 'probe.npz') as stored:
        return dict(stored)


@pytest.mark.parametrize('steps', [1, 2, 4, 8])
def test_onnxruntime_gives_the_probes_answer(tiny_bundle: Path, steps: int,
                                             probe: dict[str, np.ndarray]) -> None:
    x_0, log_b = answer(backends.load(load_bundle(tiny_bundle), cpu_threads=1), probe, steps)
    assert np.abs(x_0 - probe[f'x_0_{steps}']).max() / X_SCALE < 1e-4
    assert np.abs(log_b - probe[f'log_b_{steps}']).max() < 1e-3


def test_torch_and_onnxruntime_agree(tiny_bundle: Path, probe: dict[str, np.ndarray]) -> None:
    pytest.importorskip('torch', reason='no torch: backend torch is not checked')
    loaded = load_bundle(tiny_bundle)
    torch_x_0, _ = answer(backends.load(loaded, 'torch', cpu_threads=1), probe, 2)
    onnx_x_0, _ = answer(backends.load(loaded, 'onnxruntime', cpu_threads=1), probe, 2)
    # The checkpoint is rounded before norms are folded, the graphs after.
    assert np.abs(torch_x_0 - onnx_x_0).max() / X_SCALE < 5e-3


@pytest.mark.parametrize('name', ['onnxruntime', 'torch'])
def test_frames_answered_together_are_answered_as_alone(tiny_bundle: Path, name: str) -> None:
    if name == 'torch':
        pytest.importorskip('torch', reason='no torch: backend torch is not checked')
    loaded = load_bundle(tiny_bundle)
    backend = backends.load(loaded, name, cpu_threads=1)
    profile = Profile(128, 96, 192, samples=2, frames=3)
    queries = probe_queries(loaded, 2, profile)
    pictures = {query.image.tobytes() for query in queries}
    assert len(pictures) == 3
    together = backend.answer(queries)
    for (x_0, log_b), query in zip(together, queries, strict=True):
        [(alone_x_0, alone_log_b)] = backend.answer([query])
        assert x_0.shape == log_b.shape == (2, 192)
        np.testing.assert_allclose(x_0, alone_x_0, atol=1e-4)
        np.testing.assert_allclose(log_b, alone_log_b, atol=1e-4)


def test_auto_says_what_it_chose_and_why(tiny_bundle: Path) -> None:
    backend = backends.load(load_bundle(tiny_bundle), cpu_threads=1)
    assert backend.name == 'onnxruntime'
    assert 'CPU' in backend.reason and 'auto' in backend.reason


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder whose modules are imported instead of the GPU's libraries of here."""
    def loaded() -> dict[str, ModuleType]:
        return {name: module for name, module in sys.modules.items()
                if name.partition('.')[0] in ('tensorrt', 'onnx', 'pycuda')}

    kept = loaded()
    for name in kept:
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(kept)


WHOLE = "__version__ = '10.3.0'\nILogger = Runtime = object\n"
BROKEN = {
    'tensorrt': {'tensorrt.py': "raise OSError('libnvinfer.so.10: no such file')"},
    'onnx': {'tensorrt.py': WHOLE, 'onnx.py': "raise TypeError('another protobuf')"},
    'pycuda.driver': {'tensorrt.py': WHOLE, 'onnx.py': '', 'pycuda/__init__.py': '',
                      'pycuda/driver.py': "raise RuntimeError('another ABI')"}}


@pytest.mark.parametrize('library, said', [
    ('tensorrt', 'OSError: libnvinfer.so.10: no such file'), ('onnx', 'TypeError: another protob'),
    ('pycuda.driver', 'RuntimeError: another ABI')])
def test_auto_takes_the_cpu_where_a_library_is_broken(
        tiny_bundle: Path, libraries: Path, library: str, said: str) -> None:
    for name, code in BROKEN[library].items():
        (libraries / name).parent.mkdir(exist_ok=True)
        (libraries / name).write_text(code, encoding='utf-8')
    bundle, engine = load_bundle(tiny_bundle), EngineOptions(memory='pycuda')
    problem = f'{library} is installed but cannot be imported ({said}'
    backend = backends.load(bundle, cpu_threads=1, engine=engine)
    assert backend.name == 'onnxruntime'
    assert f'(backend auto: no TensorRT, {problem}' in backend.reason
    with pytest.raises(GrinError) as error:
        backends.load(bundle, 'tensorrt', engine=engine)
    assert str(error.value).startswith(problem)
    assert 'grin_ros[tensorrt]' in str(error.value)


@pytest.mark.parametrize('stray', ['folder', 'package'])
def test_auto_takes_the_cpu_where_something_else_is_named_tensorrt(
        tiny_bundle: Path, libraries: Path, stray: str) -> None:
    (libraries / 'tensorrt').mkdir()
    if stray == 'package':
        (libraries / 'tensorrt/__init__.py').write_text('', encoding='utf-8')
    bundle = load_bundle(tiny_bundle)
    backend = backends.load(bundle, cpu_threads=1)
    assert backend.name == 'onnxruntime'
    assert 'no TensorRT, tensorrt is installed but' in backend.reason
    with pytest.raises(GrinError, match=f'{libraries}.*grin_ros.tensorrt'):
        backends.load(bundle, 'tensorrt')


@pytest.mark.parametrize('name', ['tensorrtx', 'cuda', ''])
def test_an_unknown_backend_is_refused(tiny_bundle: Path, name: str) -> None:
    with pytest.raises(GrinError, match='use one of auto, tensorrt, onnxruntime'):
        backends.load(load_bundle(tiny_bundle), name)


@pytest.mark.parametrize('steps, limit', [(1, 0.02), (4, 0.1)])
def test_an_int8_denoiser_answers_nearly_alike(tiny_bundle: Path, probe: dict[str, np.ndarray],
                                               steps: int, limit: float) -> None:
    """It is another graph, which the reason names; an untrained network amplifies with steps."""
    backend = backends.load(load_bundle(tiny_bundle), cpu_threads=1, cpu_precision='int8')
    assert ' int8 ' in backend.reason
    x_0, log_b = answer(backend, probe, steps)
    expected = probe[f'x_0_{steps}']
    assert 0 < np.abs(x_0 - expected).mean() < limit * expected.std()
    assert np.abs(log_b - probe[f'log_b_{steps}']).mean() < 2.5 * limit


def test_int8_is_refused_where_there_is_none(tiny_bundle: Path, tmp_path: Path) -> None:
    """In a bundle without that graph, of another backend, and of another name."""
    older = tmp_path / 'older'
    shutil.copytree(tiny_bundle, older)
    facts = json.loads((older / METADATA).read_text())
    del facts['files'][INT8_DENOISER]  # what nobody vouches for is not run
    (older / METADATA).write_text(json.dumps(facts))
    backends.load(load_bundle(older))
    with pytest.raises(GrinError, match=f'{INT8_DENOISER}.*cpu_precision must be fp32'):
        backends.load(load_bundle(older), cpu_precision='int8')
    loaded = load_bundle(tiny_bundle)
    for name in ('torch', 'tensorrt'):
        with pytest.raises(GrinError, match=f'for backend onnxruntime, not {name}'):
            backends.load(loaded, name, cpu_precision='int8')
    with pytest.raises(GrinError, match='use one of fp32, int8'):
        backends.load(loaded, cpu_precision='bf16')


def test_negative_threads_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(GrinError, match='cpu_threads'):
        backends.load(load_bundle(tiny_bundle), cpu_threads=-1)
