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


"""Engine graphs: static, fused, fp16 and int8 ones answer as the bundle's own in fp32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip('onnx', reason='no onnx: pip install "grin_ros[tensorrt]"')
ort = pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')

from half import rounding  # noqa: E402, I100, RUF100

from grin_ros.backends.onnxruntime import OnnxRuntimeBackend  # noqa: E402
from grin_ros.bundle import Bundle, load_bundle  # noqa: E402
from grin_ros.camera import Camera  # noqa: E402
from grin_ros.data.sample import Sample  # noqa: E402
from grin_ros.data.shards import ShardWriter  # noqa: E402
from grin_ros.demo.frames import shipped  # noqa: E402
from grin_ros.diffusion.depth_codec import X_SCALE  # noqa: E402
from grin_ros.engine.graphs import GraphMaker, load_graph, static_graph  # noqa: E402
from grin_ros.engine.maker import graph_bytes  # noqa: E402
from grin_ros.engine.options import EngineOptions  # noqa: E402
from grin_ros.engine.precision import kept_exact, to_half  # noqa: E402
from grin_ros.engine.profile import Profile  # noqa: E402
from grin_ros.engine.quantise import calibration_batches, frame_feeds, quantised  # noqa: E402
from grin_ros.engine.selftest import probe_queries, probe_query  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402
from grin_ros.inference.prompts import Prompts  # noqa: E402

FP16_P, INT8_P, FUSED_P = 2e-3, 8e-3, 1e-5  # mean |difference| in P
PROFILE = Profile(128, 96, 192)  # the probe's


@pytest.fixture(scope='module')
def bundle() -> Bundle:
    """Return the shipped bundle: what robots run is what must agree."""
    try:
        return load_bundle()
    except GrinError as error:
        pytest.skip(f'no shipped bundle: {error}')


def run(model: Any, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def probe_feeds(bundle: Bundle, profile: Profile = PROFILE) -> dict[str, np.ndarray]:
    query = probe_query(bundle, 1)
    k, m = profile.samples, profile.prompts
    return {'image': query.image[None], 'rays': query.rays[None], 'pixels': query.pixels[None],
            'prompt_pixels': np.zeros((1, m, 2), np.float32),
            'x_t': np.repeat(query.noise, k, 0), 'token_mask': np.ones((k, profile.tokens), bool),
            'prompts': np.zeros((k, m, 2), np.float32), 'prompt_mask': np.zeros((k, m), bool)}


def mean_p(result: dict[str, np.ndarray], bundle: Bundle, steps: int) -> float:
    """Return the mean difference in P from what torch answered when the bundle was made."""
    with np.load(bundle.file('probe.npz')) as probe:
        return float(np.abs(result['x_0'] - probe[f'x_0_{steps}']).mean() / X_SCALE)


@pytest.mark.parametrize('steps', [1, 2, 4])
def test_the_fused_graph_answers_as_torch(bundle: Bundle, steps: int) -> None:
    model = GraphMaker(bundle, PROFILE).fused(steps)
    assert mean_p(run(model, probe_feeds(bundle)), bundle, steps) <= FUSED_P


@pytest.mark.parametrize('steps', [1, 2, 4])
def test_fp16_answers_as_torch(bundle: Bundle, steps: int) -> None:
    """Every fp16 tensor is rounded; sums of products are fp32, as on tensor cores."""
    model = rounding(GraphMaker(bundle, PROFILE, to_half, to_half).fused(steps))
    apart = mean_p(run(model, probe_feeds(bundle)), bundle, steps)
    assert 0 < apart <= FP16_P


def test_int8_answers_as_fp32_on_frames_it_was_not_calibrated_on(bundle: Bundle) -> None:
    profile = Profile.of_camera(640, 480, bundle.input_size, bundle.query_stride)
    frames = [(frame.image, frame.camera) for frame in shipped()]
    fp32 = GraphMaker(bundle, profile)
    batches = calibration_batches(bundle, profile, frames[:2])
    int8 = quantised(fp32.denoiser(), batches)
    codes = [node.op_type for node in int8.graph.node]
    assert codes.count('QuantizeLinear') == codes.count('DequantizeLinear') > 20
    feeds = frame_feeds(profile, *frames[2])
    expected = run(fp32.fused(2), feeds)['x_0']
    given = run(GraphMaker(bundle, profile, denoise=lambda model: int8).fused(2), feeds)['x_0']
    assert 0 < np.abs(given - expected).mean() / X_SCALE <= INT8_P


@pytest.mark.parametrize('change', [None, to_half], ids=['fp32', 'fp16'])
@pytest.mark.parametrize('frames, samples', [(1, 3), (2, 1), (2, 3)])
def test_frames_draws_and_prompts_have_their_place(tiny_bundle: Path, frames: int, samples: int,
                                                   change: Any) -> None:
    """With F frames, K draws and M prompts the fused graph answers as each frame's graphs."""
    bundle = load_bundle(tiny_bundle)
    profile = Profile(128, 96, 192, samples, prompts=5, frames=frames)
    rng = np.random.default_rng(2)
    queries = [replace(query, prompts=Prompts(rng.uniform(0, 90, (5, 2)).astype(np.float32),
                                              rng.uniform(-1, 0, (5, 2)).astype(np.float32),
                                              rng.random(5) < 0.7))
               for query in probe_queries(bundle, 2, profile)]
    alone = OnnxRuntimeBackend(bundle, 1)
    expected = np.concatenate([alone.answer([query])[0] for query in queries], axis=1)
    feeds = {name: np.stack([getattr(query, name) for query in queries])
             for name in ('image', 'rays', 'pixels')}
    feeds |= {'x_t': np.concatenate([query.noise for query in queries]),
              'token_mask': np.ones((frames * samples, 192), bool),
              'prompt_pixels': np.stack([query.prompts.pixels for query in queries])}
    for name, field in (('prompts', 'values'), ('prompt_mask', 'mask')):
        each = np.stack([getattr(query.prompts, field) for query in queries])
        feeds[name] = np.repeat(each, samples, axis=0)
    maker = GraphMaker(bundle, profile, *([change] * 2 if change else []))
    result = run(maker.fused(2), feeds)
    tolerance = 1e-4 if change is None else 0.1
    np.testing.assert_allclose([result['x_0'], result['log_b']], expected, atol=tolerance)


def element_types(model: Any) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    return {value.name: value.type.tensor_type.elem_type
            for value in (*inferred.value_info, *inferred.output, *inferred.input)}


@pytest.mark.parametrize('name', ['encoder', 'conditioner', 'denoiser'])
def test_fp16_is_where_it_is_harmless(bundle: Bundle, name: str) -> None:
    """Inputs, outputs, coordinates, features, gamma, statistics and DDIM stay fp32."""
    model = GraphMaker(bundle, PROFILE, to_half, to_half).part(name)
    types = element_types(model)
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.elem_type != half
    exact = kept_exact(GraphMaker(bundle, PROFILE).part(name))
    products = {half: 0, single: 0}
    for node in model.graph.node:
        if node.op_type in ('GridSample', 'LayerNormalization', 'Sin', 'Cos', 'ReduceL2'):
            tensors = (*node.input, *node.output)
            assert {types.get(tensor, single) for tensor in tensors} == {single}
        if node.op_type in ('Conv', 'Gemm', 'MatMul'):
            products[types[node.output[0]]] += 1
        if exact.intersection(node.output):
            assert half not in {types[tensor] for tensor in node.output}, node.name
    assert products[half] > 0.9 * sum(products.values()) or name == 'conditioner'
    # The gamma embedding and the readout, and what constant folding leaves of them.
    assert products[single] <= 4


def test_every_node_has_inputs_of_one_type(bundle: Bundle) -> None:
    """Strong typing: what TensorRT would refuse, shape inference refuses, too."""
    for steps in (1, 2):
        model = GraphMaker(bundle, PROFILE, to_half, to_half).fused(steps)
        onnx.checker.check_model(model, full_check=True)


def test_uint8_pixels_are_cast_before_anything_else(bundle: Bundle) -> None:
    for name in ('encoder', 'conditioner'):
        graph = GraphMaker(bundle, PROFILE).part(name).graph
        readers = [node.op_type for node in graph.node if 'image' in node.input]
        assert readers == ['Cast']


def test_weights_of_unrolled_steps_are_kept_once(bundle: Bundle) -> None:
    maker = GraphMaker(bundle, PROFILE)
    one, four = (maker.fused(steps).ByteSize() for steps in (1, 4))
    assert four < 1.1 * one


def test_the_same_bundle_gives_the_same_bytes(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    first, again = (GraphMaker(bundle, PROFILE, to_half, to_half).frame().SerializeToString()
                    for _ in range(2))
    assert first == again


def test_static_shapes_reach_every_output(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    dim = bundle.metadata['model']['interface_dim']
    model = static_graph(load_graph(bundle.file('denoiser.onnx')), PROFILE.inputs('denoiser', dim))
    for value in model.graph.output:
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim] == [1, 192]


def test_profiles_follow_camera_and_bundle() -> None:
    assert Profile.of_camera(640, 480, (320, 240), 4) == Profile(320, 256, 80 * 64)
    assert Profile.of_camera(640, 480, (320, 240), 4, prompts=64).prompts == 64
    wide = Profile.of_camera(1280, 720, (320, 240), 8, samples=2)
    assert wide.width / wide.height == pytest.approx(16 / 9, rel=0.1) and wide.samples == 2
    for wrong in ((100, 96, 5), (128, 96, 0), (128, 96, 5, 1, 1, 0)):
        with pytest.raises(GrinError):
            Profile(*wrong)
    with pytest.raises(GrinError, match='query_stride'):
        Profile.of_camera(640, 480, (320, 240), 3)


def test_an_engine_of_one_frame_has_the_key_and_name_it_had_before_there_were_more() -> None:
    one, four = Profile(128, 96, 192), Profile(128, 96, 192, frames=4)
    assert one.to_dict() == {'width': 128, 'height': 96, 'tokens': 192, 'samples': 1,
                             'prompts': 1}
    assert str(one) == '128x96_192t_1s_1p'
    assert four.to_dict() == one.to_dict() | {'frames': 4}
    assert str(four) == '128x96_192t_1s_1p_4f'


def test_int8_of_several_frames_is_calibrated(bundle: Bundle) -> None:
    profile = Profile.of_camera(640, 480, (128, 96), 8, frames=2)
    frame = shipped()[0]
    batches = list(calibration_batches(bundle, profile, [(frame.image, frame.camera)]))
    assert all(len(batch['x_t']) == 2 for batch in batches)
    model = quantised(GraphMaker(bundle, profile).denoiser(), batches)
    assert sum(node.op_type == 'QuantizeLinear' for node in model.graph.node) > 20


def test_int8_is_calibrated_on_shards(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    with pytest.raises(GrinError, match='int8 needs frames.*--calibration DIR'):
        graph_bytes(bundle, PROFILE, 'denoiser', 'int8')
    options = EngineOptions(precision='int8', calibration=tmp_path)
    with pytest.raises(GrinError, match='no .*shard'):
        graph_bytes(bundle, PROFILE, 'denoiser', 'int8', options=options)
    frame = shipped()[0]
    with ShardWriter(tmp_path, 'frames') as writer:
        for _ in range(2):
            writer.add(Sample(frame.image, frame.depth, frame.camera))
    profile = Profile.of_camera(frame.camera.width, frame.camera.height, (128, 96), 8)
    model = onnx.load_from_string(graph_bytes(bundle, profile, 'denoiser', 'int8',
                                              options=options))
    assert sum(node.op_type == 'QuantizeLinear' for node in model.graph.node) > 10


def test_int8_without_frames_is_refused(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    with pytest.raises(GrinError, match='--calibration'):
        quantised(GraphMaker(bundle, PROFILE).denoiser(), calibration_batches(bundle, PROFILE, []))
    with pytest.raises(GrinError, match='does not fill'):
        image = np.zeros((90, 300, 3), np.uint8)
        frame_feeds(PROFILE, image, Camera.from_hfov(70, 300, 90))
