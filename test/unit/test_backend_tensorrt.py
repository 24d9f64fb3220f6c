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


"""TensorRT backend on a fake device: depth is ONNX Runtime's, and failures are what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import errno
import json
import os
from pathlib import Path
import sys
import tempfile
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip('onnx', reason='no onnx: pip install "grin_ros[tensorrt]"')
pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')

from fake_gpu import FakeBuild, FakeDevice, FakeTrt, MAGIC  # noqa: E402, I100, RUF100

from grin_ros import backends  # noqa: E402
from grin_ros.backends import Query  # noqa: E402
from grin_ros.backends.tensorrt import TensorRtBackend  # noqa: E402
from grin_ros.bundle import load_bundle  # noqa: E402
from grin_ros.camera import Camera  # noqa: E402
from grin_ros.diffusion.depth_codec import X_SCALE  # noqa: E402
from grin_ros.engine.build import Cancelled  # noqa: E402
from grin_ros.engine.build_process import build_apart  # noqa: E402
from grin_ros.engine.cache import EngineCache  # noqa: E402
from grin_ros.engine.cuda_memory import CudaError  # noqa: E402
from grin_ros.engine.options import EngineOptions  # noqa: E402
from grin_ros.engine.profile import Profile  # noqa: E402
from grin_ros.engine.selftest import probe_query  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402
from grin_ros.estimator import DepthEstimate, DepthEstimator  # noqa: E402
from grin_ros.messages.ranges import NUM_RANGES  # noqa: E402

CAMERA = Camera.from_hfov(70, 160, 120)
IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)
Frames = Sequence[tuple[np.ndarray, Camera]]


class Rig:
    """A backend on a fake device in a cache of its own; what it said is in said and warned."""

    def __init__(self, bundle: Path, cache: Path) -> None:
        self.bundle, self.cache = load_bundle(bundle), cache
        self.said: list[str] = []
        self.warned: list[str] = []

    def start(self, build: Callable | None = None, can_capture: bool = False, fail: str = '',
              **options: Any) -> DepthEstimator:
        options = {'precision': 'fp32', **options}
        self.device = FakeDevice(can_capture, fail)
        self.trt = FakeTrt(self.device)
        self.build = build or FakeBuild()
        self.backend = TensorRtBackend(
            self.bundle, EngineOptions(cache=self.cache, report=self.said.append,
                                       warn=self.warned.append, **options),
            trt=self.trt, device=self.device, build=self.build)
        return DepthEstimator(self.bundle, self.backend, 4, self.bundle.input_size)


@pytest.fixture
def rig(tiny_bundle: Path, tmp_path: Path) -> Rig:
    return Rig(tiny_bundle, tmp_path / 'engines')


@pytest.fixture(scope='module')
def reference(tiny_bundle: Path) -> DepthEstimator:
    return DepthEstimator.load(tiny_bundle, 'onnxruntime', cpu_threads=1)


def heard(estimator: DepthEstimator, frames: Frames, **options: Any
          ) -> tuple[list[DepthEstimate], dict[bytes, np.ndarray]]:
    """Estimate frames at once; return that and, by network image, what the networks said."""
    said: dict[bytes, np.ndarray] = {}
    answer = estimator.backend.answer

    def listen(queries: Sequence[Query], *rest: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        answers = answer(queries, *rest)
        for query, pair in zip(queries, answers, strict=True):
            said[query.image.tobytes()] = np.stack(pair)
        return answers

    estimator.backend.answer = listen  # type: ignore[method-assign]
    try:
        if len(frames) == 1:
            return [estimator.estimate(*frames[0], **options)], said
        return estimator.estimate_batch(frames, **options), said
    finally:
        estimator.backend.answer = answer  # type: ignore[method-assign]


def same(estimator: DepthEstimator, reference: DepthEstimator,
         frames: Frames = ((IMAGE, CAMERA),), tolerance: float = 1e-4, **options: Any) -> None:
    """
    Compare what the networks say of frames at once with what they say of each alone.

    Before upsampling, where the last bit may turn what is decided of a cell. Of the estimates
    it is enough that each is of its own frame.
    """
    ours, said = heard(estimator, frames, **options)
    assert len(ours) == len(said) == len(frames)
    for estimate, frame in zip(ours, frames, strict=True):
        (theirs,), alone = heard(reference, (frame,), **options)
        ((image, expected),) = alone.items()
        np.testing.assert_allclose(said[image], expected, rtol=0.0, atol=tolerance)
        for name in ('depth', 'sigma', 'range'):
            one, other = getattr(estimate, name), getattr(theirs, name)
            assert (np.isnan(one) == np.isnan(other)).all(), name
            assert np.nanmedian(np.abs(one - other) / other) < tolerance, name


@pytest.mark.parametrize('can_capture', [False, True], ids=['enqueued', 'captured'])
@pytest.mark.parametrize('fused', [False, True], ids=['split', 'fused'])
def test_depth_is_onnx_runtimes_at_each_step_count(
        rig: Rig, reference: DepthEstimator, can_capture: bool, fused: bool) -> None:
    estimator = rig.start(can_capture=can_capture, fused=fused)
    for steps in (1, 3, 2, 1):
        same(estimator, reference, num_inference_steps=steps)
    assert (rig.device.launches > 0) == can_capture
    assert not rig.warned


def test_samples_pixels_and_prompts_agree(rig: Rig, reference: DepthEstimator) -> None:
    estimator = rig.start()
    pixels = [[10, 10], [80.5, 60], [150, 100]]
    prompts = [[20, 30, 2.5], [100, 90, 4.0]]
    for asked in ({'num_samples': 3}, {'pixels': pixels}, {'prompts': prompts},
                  {'pixels': pixels, 'prompts': prompts, 'num_inference_steps': 2}):
        same(estimator, reference, **asked)


def test_fp16_is_close_to_onnx_runtime(rig: Rig, reference: DepthEstimator) -> None:
    result = rig.start(precision='fp16').estimate(IMAGE, CAMERA, 2)
    apart = np.abs(np.log(result.range / reference.estimate(IMAGE, CAMERA, 2).range))
    limit = 2e-3 * rig.bundle.codec.nats_per_unit
    assert apart[np.isfinite(apart)].mean() < limit
    assert {test['precision'] for test in rig.backend.self_tests} == {'fp16'}


OTHERS = [Camera.from_hfov(50, 320, 240),
          Camera(np.array([[60.0, 0, 79.5], [0, 60, 59.5], [0, 0, 1]]), 160, 120,
                 (0.1, 0.0, 0.0, 0.0), 'equidistant')]


def pictures(cameras: list[Camera], seed: int = 1) -> list[tuple[np.ndarray, Camera]]:
    rng = np.random.default_rng(seed)
    return [(rng.integers(0, 255, (each.height, each.width, 3)).astype(np.uint8), each)
            for each in cameras]


@pytest.mark.parametrize('can_capture', [False, True], ids=['enqueued', 'captured'])
@pytest.mark.parametrize('fused', [False, True], ids=['split', 'fused'])
def test_frames_at_once_are_answered_as_alone(
        rig: Rig, reference: DepthEstimator, can_capture: bool, fused: bool) -> None:
    """Full runs, runs that are filled up, and a frame of another size in between."""
    estimator = rig.start(can_capture=can_capture, fused=fused, frames=3)
    assert estimator.max_batch == 3
    wide = Camera.from_hfov(90, 240, 96)
    for seed, count in enumerate((3, 1, 2, 5)):  # what stays on the device is of other frames
        frames = pictures(([CAMERA, *OTHERS] * 2)[:count] + [wide], seed)
        for options in ({'num_inference_steps': 2, 'num_samples': 2}, {}):
            same(estimator, reference, frames, **options)
    assert not rig.warned
    assert {test['profile'][-3:] for test in rig.backend.self_tests} == {'_3f'}


@pytest.mark.parametrize('rows', [3, NUM_RANGES])
def test_engines_of_known_ranges_are_those_that_were_built_ahead(rig: Rig, rows: int) -> None:
    """However many a sensor of the node knows, its frames ask for the same engine."""
    prompts = np.full((NUM_RANGES, 4), np.nan)
    prompts[:rows] = np.column_stack([np.arange(rows), np.arange(rows), np.full((rows, 2), 0.5)])
    with pytest.raises(GrinError,
                       match=f'--stride 4 --prompts {NUM_RANGES}`, or set engine_build'):
        rig.start(allow_build=False).estimate(IMAGE, CAMERA, prompts=prompts)
    estimator = rig.start()
    width, height = IMAGE.shape[1::-1]
    rig.backend.prepare(Profile.of_camera(width, height, rig.bundle.input_size, 4,
                                          prompts=NUM_RANGES))
    built = len(rig.build.built)
    estimator.estimate(IMAGE, CAMERA, prompts=prompts)
    assert len(rig.build.built) == built


def test_engines_of_several_frames_are_others_and_are_asked_for(rig: Rig) -> None:
    rig.start().estimate(IMAGE, CAMERA)
    with pytest.raises(GrinError, match=r'--stride 4 --frames 2`, or set engine_build'):
        rig.start(frames=2, allow_build=False).estimate(IMAGE, CAMERA)
    rig.start(frames=2).estimate(IMAGE, CAMERA)
    assert len(rig.build.built) == 2
    rig.start().estimate(IMAGE, CAMERA)
    assert not rig.build.built


def mixed(model: bytes) -> bytes:
    """Return a plan of whose frames each gets the first one's global vectors, as a bug would."""
    loaded = onnx.load_from_string(model)
    for node in loaded.graph.node:
        if node.op_type == 'Identity' and node.output[0] == 'global':
            first = onnx.numpy_helper.from_array(np.array([0, 0]), 'first')
            loaded.graph.initializer.append(first)
            node.op_type = 'Gather'
            node.input.append('first')
    return MAGIC + loaded.SerializeToString()


def test_the_self_test_sees_frames_that_mix(rig: Rig) -> None:
    estimator = rig.start(FakeBuild(mixed), frames=2)
    with pytest.raises(GrinError, match='passes its self-test'):
        estimator.estimate(IMAGE, CAMERA)
    assert 'refused' in rig.warned[0]


def test_the_cameras_of_a_full_run_go_up_once(rig: Rig) -> None:
    estimator = rig.start(frames=3)
    estimator.estimate_batch(pictures([CAMERA, *OTHERS]))
    rig.device.uploads.clear()
    for seed in range(2, 5):
        estimator.estimate_batch(pictures([CAMERA, *OTHERS], seed))
    assert len(rig.device.uploads) == 3 and len(set(rig.device.uploads)) == 1


def test_only_the_picture_goes_up_again(rig: Rig) -> None:
    estimator = rig.start()
    estimator.estimate(IMAGE, CAMERA)
    rig.device.uploads.clear()
    for seed in range(3):
        picture = np.random.default_rng(seed).integers(0, 255, IMAGE.shape).astype(np.uint8)
        estimator.estimate(picture, CAMERA)
    assert len(rig.device.uploads) == 3 and len(set(rig.device.uploads)) == 1


def test_the_picture_goes_up_even_for_the_same_query(rig: Rig) -> None:
    """`grin doctor` asks one query again and again to measure a frame with its copies."""
    rig.start()
    query = probe_query(rig.bundle, 1)
    for _ in range(2):
        rig.device.uploads.clear()
        rig.backend.answer([query])
    assert len(rig.device.uploads) == 1


def test_a_failed_capture_is_said_and_goes_on(rig: Rig, reference: DepthEstimator) -> None:
    estimator = rig.start(can_capture=True, fail='capture')
    same(estimator, reference)
    assert rig.warned and 'no CUDA graph' in rig.warned[0]


def test_the_second_start_builds_nothing(rig: Rig) -> None:
    rig.start().estimate(IMAGE, CAMERA)
    assert len(rig.build.built) == 2 and rig.build.built[1]['timings'] == b'+'
    rig.backend.close()
    rig.start().estimate(IMAGE, CAMERA)
    assert not rig.build.built


@pytest.mark.parametrize('damage', ['truncated', 'foreign', 'swapped'])
def test_a_bad_plan_is_built_again_once(rig: Rig, damage: str) -> None:
    rig.start().estimate(IMAGE, CAMERA)
    plans = sorted(rig.cache.glob('*.plan'))
    if damage == 'truncated':
        plans[0].write_bytes(plans[0].read_bytes()[:-9])
    elif damage == 'swapped':  # a whole plan of the wrong graph
        plans[0].write_bytes(plans[1].read_bytes())
    else:  # the cache knows it, TensorRT does not
        facts = json.loads(plans[0].with_suffix('.json').read_text(encoding='utf-8'))['facts']
        EngineCache(rig.cache).write(facts, b'a plan of another library')
    rig.start().estimate(IMAGE, CAMERA)
    assert len(rig.build.built) == 1
    rig.start().estimate(IMAGE, CAMERA)
    assert not rig.build.built


def test_a_fresh_plan_that_does_not_load_is_an_error(rig: Rig) -> None:
    estimator = rig.start(FakeBuild(lambda model: b'nonsense'))
    with pytest.raises(GrinError, match='just built.*grin doctor'):
        estimator.estimate(IMAGE, CAMERA)
    assert len(rig.build.built) == 1


def spoilt(model: bytes, factor: float) -> bytes:
    """Return a plan whose fp16 weights are off, as on a device that rounds badly."""
    loaded = onnx.load_from_string(model)
    for tensor in loaded.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT16:
            values = onnx.numpy_helper.to_array(tensor) * np.float16(factor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    return MAGIC + loaded.SerializeToString()


@pytest.mark.parametrize('factor', [1.3, np.nan], ids=['wrong', 'nan'])
def test_fp16_that_fails_its_self_test_gives_way_to_fp32(
        rig: Rig, reference: DepthEstimator, factor: float) -> None:
    estimator = rig.start(FakeBuild(lambda model: spoilt(model, factor)), precision='fp16')
    same(estimator, reference)
    assert len(rig.warned) == 1
    assert all(words in rig.warned[0] for words in ('fp16', 'refused', 'fp32 takes its place'))
    assert rig.said[-1].startswith('fp32')


def fails_once(rig: Rig, estimator: DepthEstimator) -> str:
    """Assert that an image fails as the one before it, without a word in the log; return how."""
    problems, said = [], []
    for _ in range(3):
        with pytest.raises(GrinError) as error:
            estimator.estimate(IMAGE, CAMERA)
        problems.append(str(error.value))
        said.append(list(rig.said))
    assert problems[0] == problems[1] == problems[2]
    assert said[0] == said[1] == said[2], 'it is tried once, not with every image'
    return problems[0]


def test_fp32_that_fails_its_self_test_is_an_error(rig: Rig) -> None:
    assert 'passes its self-test' in fails_once(rig, rig.start(fail='nan'))


def test_without_permission_nothing_is_built(rig: Rig) -> None:
    estimator = rig.start(allow_build=False)
    command = 'grin engine build --input-size 128 96 --stride 4'
    with pytest.raises(GrinError, match=f'{command}.*engine_build'):
        estimator.estimate(IMAGE, CAMERA)
    assert not rig.build.built


def failing(error: GrinError) -> FakeBuild:
    """Return a builder that raises."""
    def spoil(model: bytes) -> bytes:
        raise error

    return FakeBuild(spoil)


@pytest.mark.parametrize('fused', [False, True], ids=['split', 'fused'])
@pytest.mark.parametrize('allow_build', [True, False], ids=['background', 'never'])
def test_a_missing_engine_is_tried_once(rig: Rig, allow_build: bool, fused: bool) -> None:
    """A build takes minutes of a robot: one is enough to know, until the node is cleaned up."""
    estimator = rig.start(failing(GrinError('the engine build ended with code -9')), fused=fused,
                          allow_build=allow_build)
    assert ('code -9' if allow_build else 'is no engine') in fails_once(rig, estimator)
    assert len(rig.build.built) == allow_build
    with pytest.raises(GrinError):  # other engines are another matter
        estimator.estimate(IMAGE, CAMERA, num_samples=2)
    assert len(rig.build.built) == 2 * allow_build
    estimator.close()
    rig.start(fused=fused).estimate(IMAGE, CAMERA)
    assert len(rig.build.built) == (1 if fused else 2)


def test_a_folder_that_takes_no_new_engine_is_tried_once(rig: Rig) -> None:
    rig.start().estimate(IMAGE, CAMERA)
    for plan in rig.cache.glob('*.plan'):
        plan.unlink()
    for lock in rig.cache.glob('*.lock'):  # a folder cannot be opened as a file, even by root
        lock.unlink()
        lock.mkdir()
    assert 'GRIN_ENGINE_CACHE' in fails_once(rig, rig.start())
    assert not rig.build.built


def test_a_cancelled_build_and_a_failing_device_are_tried_again(
        rig: Rig, reference: DepthEstimator) -> None:
    estimator = rig.start(failing(Cancelled('cancelled')))
    for _ in range(2):
        with pytest.raises(Cancelled):
            estimator.estimate(IMAGE, CAMERA)
    assert len(rig.build.built) == 2
    estimator = rig.start(fail='allocate')
    with pytest.raises(CudaError):
        estimator.estimate(IMAGE, CAMERA)
    rig.device.fail = ''
    same(estimator, reference)


def test_engines_are_used_on_a_full_disk(
        rig: Rig, reference: DepthEstimator, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    estimator = rig.start()
    for _ in range(3):
        same(estimator, reference)
    assert len(rig.build.built) == 2
    assert len(rig.warned) == 2 and all('No space left' in text for text in rig.warned)


def test_a_build_without_room_for_its_files_is_an_error(
        rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = rig.start(build_apart)
    monkeypatch.setattr(tempfile, 'tempdir', str(rig.cache / 'nowhere'))
    with pytest.raises(GrinError, match='cannot be built.*TMPDIR'):
        estimator.estimate(IMAGE, CAMERA)


@pytest.mark.parametrize('allow_build', [True, False])
def test_engines_of_a_read_only_folder_are_used(
        rig: Rig, reference: DepthEstimator, allow_build: bool) -> None:
    rig.start().estimate(IMAGE, CAMERA)
    for path in rig.cache.glob('*.lock'):
        path.unlink()
    rig.cache.chmod(0o500)
    before = sorted(rig.cache.iterdir())
    same(rig.start(allow_build=allow_build), reference)
    assert not rig.build.built and sorted(rig.cache.iterdir()) == before
    rig.cache.chmod(0o700)  # for who cleans up


def test_engines_of_several_draws_are_asked_for_as_such(rig: Rig) -> None:
    with pytest.raises(GrinError, match='--stride 4 --samples 2`, or set engine_build'):
        rig.start(allow_build=False).estimate(IMAGE, CAMERA, num_samples=2)


def test_progress_is_reported(rig: Rig) -> None:
    rig.start().estimate(IMAGE, CAMERA)
    assert any('building frame' in text and '50%' in text for text in rig.said)
    assert 'self-test' in rig.said[-1]


def test_a_cancelled_build_leaves_nothing(rig: Rig) -> None:
    def cancel(model: bytes) -> bytes:
        raise Cancelled('cancelled')

    estimator = rig.start(FakeBuild(cancel))
    with pytest.raises(Cancelled):
        estimator.estimate(IMAGE, CAMERA)
    assert not list(rig.cache.glob('*.plan'))
    rig.start().estimate(IMAGE, CAMERA)


@pytest.mark.parametrize('fail', ['allocate', 'pinned', 'context', 'address', 'enqueue', 'upload',
                                  'download', 'synchronize'])
def test_device_errors_are_cuda_errors_and_everything_is_released(
        rig: Rig, reference: DepthEstimator, fail: str) -> None:
    estimator = rig.start(fail=fail)
    with pytest.raises(CudaError):
        estimator.estimate(IMAGE, CAMERA)
    estimator.close()
    assert rig.device.closed and not rig.device.memory and rig.device.depth == 0
    same(rig.start(), reference)


def test_a_device_lost_in_flight_can_be_loaded_again(
        rig: Rig, reference: DepthEstimator) -> None:
    estimator = rig.start(can_capture=True)
    estimator.estimate(IMAGE, CAMERA)
    rig.device.lost = True
    with pytest.raises(CudaError, match='lost'):
        estimator.estimate(IMAGE, CAMERA)
    estimator.close()
    assert rig.device.closed
    same(rig.start(), reference)


def test_nan_from_the_device_is_no_depth(rig: Rig) -> None:
    estimator = rig.start()
    estimator.estimate(IMAGE, CAMERA)
    rig.device.fail = 'nan'
    with pytest.raises(GrinError, match='not finite') as error:
        estimator.estimate(IMAGE, CAMERA)
    assert not isinstance(error.value, CudaError)
    rig.device.fail = ''
    assert np.isfinite(estimator.estimate(IMAGE, CAMERA).depth).any()


def test_too_many_prompts_are_refused(rig: Rig) -> None:
    prompts = np.tile([[5.0, 5.0, 2.0]], (1025, 1))
    with pytest.raises(GrinError, match='at most 1024 prompts'):
        rig.start().estimate(IMAGE, CAMERA, prompts=prompts)


def test_the_calibrated_p_of_the_fake_is_exact(rig: Rig) -> None:
    """The self-test's figure is small and not zero: two libraries were compared."""
    rig.start(precision='fp16').estimate(IMAGE, CAMERA)
    worst = max(test['mean_p'] for test in rig.backend.self_tests)
    assert 0 < worst < 2e-3 / X_SCALE


def test_an_old_tensorrt_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeTrt, '__version__', '8.6.1')
    with pytest.raises(GrinError, match='8.6.1 is too old: 10.3'):
        rig.start()


def test_auto_takes_the_cpu_where_only_the_folder_of_engines_is_wrong(
        tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once run with sudo: TensorRT was taken, and then no image was answered."""
    bundle, warned, device = load_bundle(tiny_bundle), list[str](), FakeDevice()
    library = FakeTrt(device)
    library.__spec__ = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'tensorrt', library)
    monkeypatch.setattr('grin_ros.backends.tensorrt.open_device', lambda *_: device)
    monkeypatch.setattr(os, 'access', lambda path, mode, **_: not mode & os.W_OK)
    engine = EngineOptions(cache=tmp_path, warn=warned.append)
    backend = backends.load(bundle, 'auto', cpu_threads=1, engine=engine)
    assert backend.name == 'onnxruntime' and f'no TensorRT, engine cache {tmp_path}' in str(
        backend.reason)
    assert len(warned) == 1 and 'CPU' in warned[0] and 'sudo chown' in warned[0]
    with pytest.raises(GrinError, match='GRIN_ENGINE_CACHE'):
        backends.load(bundle, 'tensorrt', engine=engine)
    assert len(warned) == 1 and device.closed


def test_auto_without_tensorrt_says_why_it_takes_the_cpu(tiny_bundle: Path) -> None:
    try:
        import tensorrt  # noqa: F401
    except ImportError:
        backend = backends.load(load_bundle(tiny_bundle), 'auto')
        assert backend.name == 'onnxruntime' and 'no TensorRT' in backend.reason
        with pytest.raises(GrinError, match=r'tensorrt cannot be imported.*grin_ros\[tensorrt\]'):
            backends.load(load_bundle(tiny_bundle), 'tensorrt')
    else:
        pytest.skip('TensorRT is installed')
