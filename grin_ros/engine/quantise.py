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


"""Quantise: a static fp32 denoiser and frames in; the same with int8 Q/DQ around its products."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
import onnx
from onnx import helper, numpy_helper, TensorProto

from grin_ros.bundle import Bundle
from grin_ros.camera import Camera
from grin_ros.diffusion.noise import noise_at
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.engine.graphs import GraphMaker
from grin_ros.engine.precision import kept_exact
from grin_ros.engine.profile import Profile
from grin_ros.errors import GrinError, require
from grin_ros.inference.preprocess import View

Feeds = dict[str, NDArray[Any]]
CALIBRATION_STEPS = 2


def quantised(model: onnx.ModelProto, batches: Iterable[Feeds]) -> onnx.ModelProto:
    """
    Return the graph with explicit int8 quantisation of every Gemm with constant weights.

    Activations get one symmetric scale each, from the largest value seen; weights one per
    output. What must be exact (gamma embedding, readout, DDIM) stays fp32, as in to_half.

    :param model: static fp32 denoiser.
    :param batches: inputs of the denoiser, as calibration_batches makes them.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    kept = kept_exact(result)
    products = [node for node in graph.node if node.op_type == 'Gemm'
                and node.input[1] in weights and not kept.intersection(node.output)]
    scales = _activation_scales(model, {node.input[0] for node in products}, batches)
    zero = numpy_helper.from_array(np.int8(0), 'q.zero')
    graph.initializer.append(zero)
    before: dict[str, list[onnx.NodeProto]] = {}
    for node in products:
        name, weight = node.input[0], node.input[1]
        axis = 0 if _attribute(node, 'transB') else 1
        values = numpy_helper.to_array(weights[weight])
        largest = np.abs(values).max(axis=1 - axis)
        steps = np.maximum(largest / 127, 1e-12).astype(np.float32)
        facts = [(0, name, scales[name], zero.name, {}),
                 (1, weight, steps, 'q.zeros_of_' + weight, {'axis': axis})]
        for index, tensor, scale, zero_name, more in facts:
            done = f'{tensor}.dq'
            if tensor not in before:
                graph.initializer.append(numpy_helper.from_array(scale, f'{tensor}.scale'))
                if more:
                    graph.initializer.append(numpy_helper.from_array(
                        np.zeros(scale.shape, np.int8), zero_name))
                code = [f'{tensor}.scale', zero_name]
                before[tensor] = [
                    helper.make_node('QuantizeLinear', [tensor, *code], [f'{tensor}.q'], **more),
                    helper.make_node('DequantizeLinear', [f'{tensor}.q', *code], [done], **more)]
            node.input[index] = done
    _insert(graph, before)
    return onnx.shape_inference.infer_shapes(result, data_prop=True)


def calibration_batches(bundle: Bundle, profile: Profile,
                        frames: Iterable[tuple[NDArray[np.uint8], Camera]]) -> Iterable[Feeds]:
    """
    Yield what the denoiser gets to see: pure noise first, then its own next steps.

    :param frames: images with their cameras, of the profile's aspect.
    :raises GrinError: when there is no frame, or ONNX Runtime is missing.
    """
    maker = GraphMaker(bundle, profile)
    frame, denoiser = _session(maker.frame()), _session(maker.denoiser())
    count = 0
    for count, (image, camera) in enumerate(frames, 1):
        feeds = frame_feeds(profile, image, camera, seed=count)
        noise = feeds.pop('x_t')
        tokens = {name: feeds.pop(name) for name in ('token_mask', 'prompts', 'prompt_mask')}
        given = dict(zip(('conditioning', 'prompt_conditioning', 'global'),
                         frame.run(None, feeds), strict=True)) | tokens | {'x_t': noise}
        for row in ddim_steps(CALIBRATION_STEPS):
            given = given | {'step': np.tile(row, (profile.draws, 1))}
            yield given
            given = given | {'x_t': denoiser.run(['x_next'], given)[0]}
    if not count:
        raise GrinError('int8 needs frames to calibrate on: give shards with --calibration DIR')


def frame_feeds(profile: Profile, image: NDArray[np.uint8], camera: Camera, seed: int = 0
                ) -> Feeds:
    """Return the inputs of the fused graph, an image in every frame; its grid fills the tokens."""
    f, k, m = profile.frames, profile.draws, profile.prompts
    view = View.of(camera, (profile.width, profile.height), profile.stride)
    pixels = view.grid
    if (view.network.width, view.network.height) != (profile.width, profile.height) \
            or len(pixels) != profile.tokens:
        raise GrinError(f'an image of {camera.width}x{camera.height} does not fill an engine of '
                        f'{profile}: give one of its aspect')
    noise = np.stack([noise_at(pixels, seed + draw) for draw in range(k)])
    return {'image': np.stack([view.image(image)] * f), 'rays': np.stack([view.rays] * f),
            'pixels': np.stack([pixels] * f),
            'prompt_pixels': np.zeros((f, m, 2), np.float32), 'x_t': noise,
            'token_mask': np.tile(view.grid_mask, (k, 1)),
            'prompts': np.zeros((k, m, 2), np.float32), 'prompt_mask': np.zeros((k, m), bool)}


def _session(model: onnx.ModelProto) -> Any:
    ort = require('onnxruntime', 'cpu')
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])


def _activation_scales(model: onnx.ModelProto, names: set[str],
                       batches: Iterable[Feeds]) -> Mapping[str, NDArray[np.float32]]:
    """Return scale = largest |value| / 127 of some tensors, measured by ONNX Runtime."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    asked = sorted(names - {value.name for value in shown.graph.input})
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                              for name in asked)
    session = _session(shown)
    largest = dict.fromkeys(names, 0.0)
    for feeds in batches:
        values = dict(zip(asked, session.run(asked, feeds), strict=True)) | feeds
        for name in names:
            largest[name] = max(largest[name], float(np.abs(values[name]).max()))
    return {name: np.float32(max(value, 1e-6) / 127) for name, value in largest.items()}


def _insert(graph: onnx.GraphProto, after: Mapping[str, list[onnx.NodeProto]]) -> None:
    """Put nodes right behind what makes the tensor they read; weights' come first."""
    made = {name for node in graph.node for name in node.output}
    nodes = [node for name, added in after.items() if name not in made for node in added]
    for node in graph.node:
        nodes.append(node)
        nodes += [each for name in node.output for each in after.get(name, [])]
    del graph.node[:]
    graph.node.extend(nodes)


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)
