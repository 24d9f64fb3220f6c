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

"""Estimator: shapes, repeatability, and what it must refuse, on a real tiny network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grin_ros.backends.onnxruntime import OnnxRuntimeBackend
from grin_ros.bundle import Bundle, load_bundle
from grin_ros.camera import Camera
from grin_ros.errors import GrinError
from grin_ros.estimator import DepthEstimate, DepthEstimator
from grin_ros.inference.decoders import Decoders, MAX_DECODERS, MAX_PIXELS
from grin_ros.inference.prompts import PROMPTED_SIGMA

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')

CAMERA = Camera.from_hfov(70, 160, 120)
IMAGE = np.random.default_rng(0).integers(0, 255, (120, 160, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def estimator(tiny_bundle: Path) -> DepthEstimator:
    return DepthEstimator.load(tiny_bundle, cpu_threads=1)


def test_depth_has_the_images_size_and_is_metric(estimator: DepthEstimator) -> None:
    result = estimator.estimate(IMAGE, CAMERA)
    for array in (result.depth, result.sigma, result.range):
        assert array.shape == (120, 160) and array.dtype == np.float32
    assert result.metric
    finite = np.isfinite(result.depth)
    assert finite.any() and (result.depth[finite] > 0).all() and (result.sigma[finite] > 0).all()
    assert np.allclose(result.depth[finite], (result.range * CAMERA.rays()[..., 2])[finite])


def test_sigma_and_range_cost_nothing_until_they_are_read(estimator: DepthEstimator) -> None:
    result = estimator.estimate(IMAGE, CAMERA)
    assert not {'sigma', 'range'} & set(vars(result))
    assert result.sigma is result.sigma and result.range is result.range
    assert np.allclose(result.sigma, result.depth * result.spread)


def test_the_scale_of_a_frame_is_in_sigma_and_prompts_tell_it(
        estimator: DepthEstimator) -> None:
    unsure = DepthEstimator(replace(estimator.bundle, sigma_frame=0.3), estimator.backend,
                            estimator.query_stride, estimator.input_size)
    asked = [[10, 10], [80, 60], [140, 100]]
    sure, wide = (each.estimate(IMAGE, CAMERA, pixels=asked) for each in (estimator, unsure))
    assert np.array_equal(sure.depth, wide.depth)
    assert (sure.sigma_scale, wide.sigma_scale) == (0, 0.3)
    assert np.allclose(wide.spread, np.hypot(sure.spread, 0.3))
    assert np.array_equal(wide.shape_spread(), sure.spread)
    known = [[80, 60, 1.5]]
    lost = DepthEstimator(replace(estimator.bundle, sigma_frame=0.6), estimator.backend,
                          estimator.query_stride, estimator.input_size)
    same, told = (each.estimate(IMAGE, CAMERA, prompts=known).spread for each in (unsure, lost))
    assert np.array_equal(same, told) and PROMPTED_SIGMA < np.nanmin(same) < 0.3


def test_timing_adds_up(estimator: DepthEstimator) -> None:
    timing = estimator.estimate(IMAGE, CAMERA).timing
    assert list(timing) == ['preprocess', 'encoder', 'conditioner', 'denoiser', 'decode', 'total']
    assert sum(timing.values()) == pytest.approx(2 * timing['total'])


def company() -> list[tuple[np.ndarray, Camera | None]]:
    """Return frames of several cameras; 0, 1, 3 and 5 have one input size, 2 and 4 another."""
    rng = np.random.default_rng(1)
    fisheye = Camera(np.array([[60.0, 0, 79.5], [0, 60, 59.5], [0, 0, 1]]), 160, 120,
                     (0.1, 0.0, 0.0, 0.0), 'equidistant')
    cameras = [CAMERA, Camera.from_hfov(40, 320, 240), Camera.from_hfov(90, 240, 96), fisheye,
               Camera.from_hfov(60, 240, 96), None]
    sizes = [(each.height, each.width) if each else (120, 160) for each in cameras]
    return [(rng.integers(0, 255, (*size, 3)).astype(np.uint8), camera)
            for size, camera in zip(sizes, cameras)]


def same(a: DepthEstimate, b: DepthEstimate, tolerance: float = 1e-4) -> None:
    for name in ('depth', 'sigma', 'range', 'ray_z'):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tolerance)
    assert a.metric == b.metric


class Counting(OnnxRuntimeBackend):
    """ONNX Runtime for some frames at once; counts holds how many it was asked each time."""

    def __init__(self, bundle: Bundle, max_batch: int) -> None:
        super().__init__(bundle, 1)
        self.max_batch, self.counts = max_batch, list[int]()

    def answer(self, queries: Any, *lap: Any) -> Any:
        self.counts.append(len(queries))
        return super().answer(queries, *lap)


@pytest.fixture(params=[1, 2, 8])
def batching(request: Any, tiny_bundle: Path) -> tuple[DepthEstimator, Counting]:
    bundle = load_bundle(tiny_bundle)
    backend = Counting(bundle, request.param)
    return DepthEstimator(bundle, backend, bundle.query_stride, bundle.input_size), backend


@pytest.mark.parametrize('options', [
    {}, {'num_inference_steps': 3, 'num_samples': 2, 'output_scale': 2}], ids=['plain', 'more'])
def test_a_frames_depth_does_not_depend_on_its_company(
        batching: tuple[DepthEstimator, Counting], estimator: DepthEstimator,
        options: dict[str, int]) -> None:
    made, backend = batching
    together = made.estimate_batch(company(), **options)
    sizes = {1: [1] * 6, 2: [2, 2, 2], 8: [4, 2]}[made.max_batch]
    assert backend.counts == sizes
    for result, (image, camera) in zip(together, company(), strict=True):
        same(result, estimator.estimate(image, camera, **options))
    first, *_ = together
    backwards = made.estimate_batch(company()[::-1], **options)
    same(first, backwards[-1])


def test_no_frames_get_no_depth(estimator: DepthEstimator) -> None:
    assert estimator.estimate_batch([]) == []


def test_one_bad_frame_is_an_error_before_anything_runs(
        batching: tuple[DepthEstimator, Counting]) -> None:
    made, backend = batching
    with pytest.raises(GrinError, match='camera_info of this image'):
        made.estimate_batch([*company(), (IMAGE[:60], CAMERA)])
    assert not backend.counts


def test_the_timing_of_a_batch_is_that_of_the_whole_call(estimator: DepthEstimator) -> None:
    first, *others = [result.timing for result in estimator.estimate_batch(company())]
    assert all(other == first for other in others)
    assert sum(first.values()) == pytest.approx(2 * first['total'])


def test_a_cpu_takes_one_frame_at_once(estimator: DepthEstimator) -> None:
    assert estimator.max_batch == 1


def test_cameras_in_turn_are_prepared_once(tiny_bundle: Path) -> None:
    made = DepthEstimator.load(tiny_bundle, cpu_threads=1)
    assert MAX_DECODERS >= 12, 'a robot has as many'

    def decoders() -> list:
        """Prepare each of new Camera objects of the same figures."""
        return [made._decoder(Camera.from_hfov(50 + index, 160, 120), 1)
                for index in range(MAX_DECODERS)]
    assert all(again is first for again, first in zip(decoders(), decoders(), strict=True))


def test_a_large_camera_whose_lens_moves_does_not_fill_the_memory(
        estimator: DepthEstimator) -> None:
    """Each frame of it has a decoder of its own: 16 of 4K would hold half a gigabyte."""
    decoders = Decoders(estimator.bundle.codec, estimator.input_size, estimator.query_stride)
    most = MAX_PIXELS // (3840 * 2160)
    for index in range(most + 2):
        camera = Camera.pinhole(3000 + index, 3000, 1920, 1080, 3840, 2160)
        latest = decoders(camera, 1)
        assert decoders.num_pixels == min(index + 1, most) * 3840 * 2160 <= MAX_PIXELS
        assert decoders(camera, 1) is latest


def test_one_camera_is_kept_however_large(estimator: DepthEstimator) -> None:
    decoders = Decoders(estimator.bundle.codec, estimator.input_size, estimator.query_stride)
    camera = Camera.from_hfov(60, 8192, MAX_PIXELS // 8192 + 1)
    assert decoders(camera, 1) is decoders(camera, 1)
    small = decoders(CAMERA, 1)
    assert decoders.num_pixels == small.ray_z.size


@pytest.mark.parametrize('distortion', [(), (-0.2, 0.05, 0.0, 0.0)])
def test_a_lens_that_moves_asks_for_few_rays(
        estimator: DepthEstimator, distortion: tuple[float, ...],
        monkeypatch: pytest.MonkeyPatch) -> None:
    """An autofocus is another camera in each frame, which must not cost more than the network."""
    asked, rays_at = list[int](), Camera.rays_at
    monkeypatch.setattr(Camera, 'rays_at', lambda camera, pixels: (
        asked.append(len(pixels)), rays_at(camera, pixels))[1])
    for f_px in (1000.0, 1000.1):
        camera = Camera(Camera.pinhole(f_px, f_px, 640, 360, 1280, 720).intrinsics, 1280, 720,
                        distortion)
        estimator._decoder(camera, 1)
    assert sum(asked) < (0.06 if distortion else 1e-4) * 2 * 1280 * 720


def test_without_a_camera_depth_is_the_default_pinholes_and_not_metric(
        estimator: DepthEstimator) -> None:
    result = estimator.estimate(IMAGE)
    assert not result.metric
    known = estimator.estimate(IMAGE, Camera.default_pinhole(160, 120))
    assert np.array_equal(result.depth, known.depth, equal_nan=True)


def test_the_same_seed_gives_the_same_depth(tiny_bundle: Path, estimator: DepthEstimator) -> None:
    first, again = (estimator.estimate(IMAGE, CAMERA).depth for _ in range(2))
    assert np.array_equal(first, again)
    other = DepthEstimator.load(tiny_bundle, cpu_threads=1, seed=1).estimate(IMAGE, CAMERA)
    assert not np.array_equal(first, other.depth)


def test_a_full_grid_of_pixels_agrees_with_the_image(estimator: DepthEstimator) -> None:
    # Image pixels under the query grid: the same tokens, so the same depth.
    view = estimator._decoder(CAMERA, 1).view
    scale = np.array([160 / view.network.width, 120 / view.network.height])
    pixels = (view.grid.astype(np.float64) + 0.5) * scale - 0.5
    at_pixels = estimator.estimate(IMAGE, CAMERA, pixels=pixels)
    assert at_pixels.depth.shape == at_pixels.sigma.shape == (len(pixels),)
    dense = estimator.estimate(IMAGE, CAMERA).range
    u, v = np.round(pixels).astype(int).T
    ratio = at_pixels.range / dense[v.clip(0, 119), u.clip(0, 159)]
    assert np.abs(np.log(ratio[np.isfinite(ratio)])).mean() < 0.1


def test_samples_are_the_median_of_single_draws(tiny_bundle: Path) -> None:
    pixels = [[10, 10], [80.5, 60], [150, 100]]

    def draw(seed: int, samples: int) -> tuple:
        made = DepthEstimator.load(tiny_bundle, cpu_threads=1, seed=seed)
        result = made.estimate(IMAGE, CAMERA, pixels=pixels, num_samples=samples,
                               num_inference_steps=2)
        return result.range, result.sigma

    draws = [draw(seed, 1) for seed in (5, 6, 7)]
    median, sigma = draw(5, 3)
    assert np.allclose(median, np.median([ranges for ranges, _ in draws], axis=0), rtol=1e-3)
    assert np.isfinite(sigma).all()


@pytest.mark.parametrize('scale', [2, 4])
def test_a_smaller_output_covers_the_same_view(estimator: DepthEstimator, scale: int) -> None:
    small = estimator.estimate(IMAGE, CAMERA, output_scale=scale)
    rays = CAMERA.scaled(160 // scale, 120 // scale).rays()
    assert small.depth.shape == small.sigma.shape == rays.shape[:2]
    finite = np.isfinite(small.depth)
    assert np.allclose(small.depth[finite], (small.range * rays[..., 2])[finite])


def test_padding_of_prompts_changes_nothing(estimator: DepthEstimator) -> None:
    padding = np.full((30, 4), np.nan)
    nothing = estimator.estimate(IMAGE, CAMERA)
    for known in (np.zeros((0, 4)), np.array([[80, 60, 1.5, 0.02], [20, 30, 2.0, 0.02]])):
        plain = estimator.estimate(IMAGE, CAMERA, prompts=known)
        padded, = estimator.estimate_batch([(IMAGE, CAMERA)],
                                           prompts=[np.concatenate([known, padding])])
        np.testing.assert_allclose(padded.depth, plain.depth, rtol=1e-4)
        np.testing.assert_allclose(padded.spread, plain.spread, rtol=1e-4)
        assert np.array_equal(plain.depth, nothing.depth, equal_nan=True) is (len(known) == 0)


def test_prompts_and_every_lens_are_taken(estimator: DepthEstimator) -> None:
    fisheye = Camera(np.array([[60.0, 0, 79.5], [0, 60, 59.5], [0, 0, 1]]), 160, 120,
                     (0.0, 0.0, 0.0, 0.0), 'equidistant')
    result = estimator.estimate(IMAGE, fisheye, prompts=[[80, 60, 1.5], [20, 30, 2.0]])
    assert np.isfinite(result.depth[60, 80])
    plain = estimator.estimate(IMAGE, fisheye)
    assert not np.array_equal(result.depth, plain.depth, equal_nan=True)


@pytest.mark.parametrize('stride', [1, 2, 8])
def test_query_strides(tiny_bundle: Path, stride: int) -> None:
    made = DepthEstimator.load(tiny_bundle, cpu_threads=1, query_stride=stride,
                               input_size=(64, 64))
    assert made.estimate(IMAGE, CAMERA).depth.shape == (120, 160)


@pytest.mark.parametrize('image, reason', [
    (IMAGE[..., 0], 'uint8 RGB'), (IMAGE.astype(np.float32), 'uint8 RGB'),
    (IMAGE[:0], 'at least 8x8'), (IMAGE[:60], 'camera_info of this image'), (None, 'uint8 RGB')])
def test_wrong_images_are_refused(estimator: DepthEstimator, image: np.ndarray,
                                  reason: str) -> None:
    with pytest.raises(GrinError, match=reason):
        estimator.estimate(image, CAMERA)


@pytest.mark.parametrize('options, reason', [
    ({'num_inference_steps': 0}, '1 to 16'), ({'num_samples': 0}, 'num_samples'),
    ({'pixels': [[1, 2, 3]]}, r'\(N, 2\)'), ({'pixels': [[200, 5]]}, 'in the image'),
    ({'prompts': [[1, 2]]}, 'prompts'), ({'output_scale': 3}, 'output_scale')])
def test_wrong_options_are_refused(estimator: DepthEstimator, options: dict, reason: str) -> None:
    with pytest.raises(GrinError, match=reason):
        estimator.estimate(IMAGE, CAMERA, **options)


def test_wrong_strides_and_sizes_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(GrinError, match='query_stride'):
        DepthEstimator.load(tiny_bundle, query_stride=3)
    with pytest.raises(GrinError, match='input_size'):
        DepthEstimator.load(tiny_bundle, input_size=(16, 16))
