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


"""Graphs: the bundle's three in; static ones, the frame graph and the fused graph out (onnx)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto

from grin_ros.bundle import Bundle
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.engine.profile import Profile

OPSET, IR_VERSION = 18, 9
# What comes once per camera or frame, and what the last step answers.
FRAME_INPUTS = ('image', 'rays', 'pixels', 'prompt_pixels')
TOKEN_INPUTS = ('x_t', 'token_mask', 'prompts', 'prompt_mask')


def load_graph(path: Path) -> onnx.ModelProto:
    """Read a graph of a bundle with its weights as plain fp32 initialisers."""
    model = onnx.load(path)
    casts = {node.input[0]: node for node in model.graph.node if node.op_type == 'Cast'}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, node in casts.items():
        tensor = stored.get(name)
        if tensor is not None and tensor.data_type == TensorProto.FLOAT16:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
            model.graph.node.remove(node)
    return model


def static_graph(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """
    Return the graph with fixed input shapes; uint8 inputs become float before anything else.

    :param shapes: input -> shape; 0 keeps a dimension that is a number already.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, shapes[value.name], strict=True):
            if size:
                dim.dim_value = size
    for value in graph.input:
        # TensorRT takes uint8 only where a cast follows at once.
        if value.type.tensor_type.elem_type == TensorProto.UINT8:
            as_float = f'{value.name}_float'
            for node in graph.node:
                node.input[:] = [as_float if name == value.name else name for name in node.input]
            graph.node.insert(0, helper.make_node('Cast', [value.name], [as_float],
                                                  to=TensorProto.FLOAT))
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField('shape')
    return onnx.shape_inference.infer_shapes(result, data_prop=True)


class Composition:
    """A graph put together from others; weights of a part that occurs twice are kept once."""

    def __init__(self) -> None:
        """Start empty."""
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, values: np.ndarray) -> str:
        """Add a constant and return its name."""
        self._weights[name] = numpy_helper.from_array(values, name)
        return name

    def node(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **facts: Any) -> None:
        """Add one node."""
        self._nodes.append(helper.make_node(op, inputs, outputs, **facts))

    def add(self, model: onnx.ModelProto, part: str, copy: str,
            inputs: Mapping[str, str]) -> dict[str, str]:
        """
        Add all nodes of a graph.

        :param part: prefix of its weights, the same for every copy.
        :param copy: prefix of its tensors.
        :param inputs: input of the graph -> tensor in here.
        :returns: output of the graph -> tensor in here.
        """
        names = dict(inputs)
        for tensor in model.graph.initializer:
            names[tensor.name] = f'{part}/{tensor.name}'
            if names[tensor.name] not in self._weights:
                copied = onnx.TensorProto()
                copied.CopyFrom(tensor)
                copied.name = names[tensor.name]
                self._weights[copied.name] = copied
        for node in model.graph.node:
            added = onnx.NodeProto()
            added.CopyFrom(node)
            added.name = f'{copy}/{node.name or node.output[0]}'
            names |= {name: f'{copy}/{name}' for name in node.output if name}
            added.input[:] = [names[name] if name else '' for name in node.input]
            added.output[:] = [names[name] if name else '' for name in node.output]
            self._nodes.append(added)
        return {value.name: names[value.name] for value in model.graph.output}

    def model(self, name: str, inputs: Iterable[onnx.ValueInfoProto],
              outputs: Mapping[str, tuple[str, Sequence[int]]]) -> onnx.ModelProto:
        """Return the graph; outputs are name -> (tensor in here, shape), all fp32."""
        for output, (tensor, _) in outputs.items():
            self.node('Identity', [tensor], [output])
        graph = helper.make_graph(
            self._nodes, name, list(inputs),
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
             for output, (_, shape) in outputs.items()], list(self._weights.values()))
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', OPSET)],
                                 ir_version=IR_VERSION)
        onnx.checker.check_model(made)
        return onnx.shape_inference.infer_shapes(made, data_prop=True)


def _inputs(profile: Profile, dim: int, names: Iterable[str]) -> list[onnx.ValueInfoProto]:
    """Return graph inputs of the frame and the fused graph."""
    f, n, m = profile.frames, profile.tokens, profile.prompts
    shapes = {**profile.inputs('encoder', dim), **profile.inputs('denoiser', dim),
              'pixels': (f, n, 2), 'prompt_pixels': (f, m, 2)}
    kinds = {'image': TensorProto.UINT8, 'token_mask': TensorProto.BOOL,
             'prompt_mask': TensorProto.BOOL}
    return [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shapes[name])
            for name in names]


def _same(model: onnx.ModelProto) -> onnx.ModelProto:
    return model


class GraphMaker:
    """
    Makes the graphs of one profile from a bundle.

    :param encode: changes the static encoder and conditioner, as to_half does.
    :param denoise: changes the static denoiser, as to_half and quantised do.
    """

    def __init__(self, bundle: Bundle, profile: Profile,
                 encode: Callable[[onnx.ModelProto], onnx.ModelProto] = _same,
                 denoise: Callable[[onnx.ModelProto], onnx.ModelProto] = _same) -> None:
        """Read nothing yet."""
        self.bundle, self.profile = bundle, profile
        self.dim = int(bundle.metadata['model']['interface_dim'])
        self._change = {'encoder': encode, 'conditioner': encode, 'denoiser': denoise}

    def part(self, name: str) -> onnx.ModelProto:
        """Return the static encoder, conditioner or denoiser."""
        model = load_graph(self.bundle.file(f'{name}.onnx'))
        return self._change[name](static_graph(model, self.profile.inputs(name, self.dim)))

    def frame(self) -> onnx.ModelProto:
        """Return encoder and conditioner as one graph: what a frame needs once."""
        made = Composition()
        outputs = self._add_frame(made)
        p = self.profile
        shapes = {'conditioning': p.tokens, 'prompt_conditioning': p.prompts,
                  'global': p.global_vectors}
        return made.model('frame', _inputs(p, self.dim, FRAME_INPUTS),
                          {name: (outputs[name], (p.draws, count, self.dim))
                           for name, count in shapes.items()})

    def denoiser(self) -> onnx.ModelProto:
        """Return the static denoiser."""
        return self.part('denoiser')

    def fused(self, steps: int) -> onnx.ModelProto:
        """Return encoder, conditioner and all steps as one graph with x_0 and log_b out."""
        made, profile = Composition(), self.profile
        given = {name: name for name in TOKEN_INPUTS} | self._add_frame(made)
        denoiser = self.part('denoiser')
        outputs: dict[str, str] = {}
        for index, row in enumerate(ddim_steps(steps)):
            given['step'] = made.constant(f'step_{index}', np.tile(row, (profile.draws, 1)))
            outputs = made.add(denoiser, 'denoiser', f'step{index}', given)
            given['x_t'] = outputs['x_next']
        shape = (profile.draws, profile.tokens)
        inputs = _inputs(profile, self.dim, FRAME_INPUTS + TOKEN_INPUTS)
        return made.model(f'fused_{steps}', inputs,
                          {name: (outputs[name], shape) for name in ('x_0', 'log_b')})

    def _add_frame(self, made: Composition) -> dict[str, str]:
        """Add encoder and conditioner; return what the denoiser takes from them."""
        profile = self.profile
        frame = {'image': 'image', 'rays': 'rays'}
        encoded = made.add(self.part('encoder'), 'encoder', 'encoder', frame)
        made.node('Concat', ['pixels', 'prompt_pixels'], ['all_pixels'], axis=1)
        conditioned = made.add(
            self.part('conditioner'), 'conditioner', 'conditioner',
            {**frame, 'local_2': encoded['local_2'], 'local_4': encoded['local_4'],
             'pixels': 'all_pixels'})
        sizes = made.constant('split_sizes', np.array([profile.tokens, profile.prompts]))
        made.node('Split', [conditioned['conditioning'], sizes],
                  ['at_tokens', 'at_prompts'], axis=1)
        outputs = {'conditioning': 'at_tokens', 'prompt_conditioning': 'at_prompts',
                   'global': encoded['global']}
        if profile.samples > 1:
            # The draws of a frame lie one after the other.
            axis = made.constant('axis_of_samples', np.array([1]))
            count = made.constant('samples', np.array([1, profile.samples, 1, 1]))
            flat = made.constant('frames_x_samples', np.array([profile.draws, -1, self.dim]))
            for name, tensor in outputs.items():
                made.node('Unsqueeze', [tensor, axis], [f'{name}_once'])
                made.node('Expand', [f'{name}_once', count], [f'{name}_repeated'])
                made.node('Reshape', [f'{name}_repeated', flat], [f'{name}_of_samples'])
                outputs[name] = f'{name}_of_samples'
        return outputs
