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


"""Precision: a static fp32 graph in; the same with fp16 arithmetic where that is harmless out."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
# The weights' products: here lie nearly all operations. They run in fp16.
PRODUCTS = ('Conv', 'Gemm', 'MatMul')
# These go on in fp16 where all that comes in is fp16 already. What is in neither list stays fp32:
# LayerNormalization (its statistics), GridSample and its coordinates, Sin and Cos of rays.
FOLLOWERS = ('Add', 'AveragePool', 'Clip', 'Concat', 'Expand', 'Flatten', 'Identity', 'Mul',
             'Relu', 'Reshape', 'Resize', 'Slice', 'Softmax', 'Split', 'Squeeze', 'Transpose',
             'Unsqueeze')
# Of a Resize only the map is a value; its other inputs say how.
VALUES_ONLY_FIRST = ('Resize',)
MASKS = ('Where',)  # their numbers are constants, which may take either type


# The gamma embedding follows from these alone; the answers end in the readout and DDIM.
EXACT_INPUTS, EXACT_OUTPUTS = ('step',), ('x_next', 'x_0', 'log_b')


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """
    Return a strongly typed graph that multiplies in fp16; inputs and outputs stay fp32.

    Stays fp32: all before the first product (coordinates, ray features), the gamma embedding,
    readout and DDIM, and the sums of fp32 tensors with fp16 ones (the residual stream).

    :param model: static graph with fp32 weights.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    types = _types(result)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    kept = kept_exact(result)
    half: set[str] = set()
    free = {name for name in weights if types.get(name) == FLOAT}
    writer = _Writer(weights)
    for node in graph.node:
        values = [name for name in _values(node) if types.get(name) == FLOAT]
        bound = [name for name in values if name not in free]
        keeps = bool(kept.intersection(node.output))
        is_half = not keeps and (node.op_type in PRODUCTS or (
            node.op_type in FOLLOWERS and bool(bound) and all(name in half for name in bound)))
        writer.add(node, values, half, is_half)
        if is_half:
            half.update(node.output)
        elif node.op_type in MASKS or (values and not bound and node.op_type in FOLLOWERS):
            free.update(name for name in node.output if types.get(name) == FLOAT)
    outputs = [(value.name, f'{value.name}.half') for value in graph.output if value.name in half]
    nodes = writer.renamed(dict(outputs))
    nodes += [helper.make_node('Cast', [inside], [name], to=FLOAT) for name, inside in outputs]
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    used = {name for node in nodes for name in node.input}
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for name, tensor in writer.weights.items() if name in used)
    return onnx.shape_inference.infer_shapes(result, data_prop=True)


def kept_exact(model: onnx.ModelProto) -> set[str]:
    """Return the tensors that stay fp32: the gamma embedding, the readout and DDIM."""
    graph = model.graph
    return (_only_from(graph, EXACT_INPUTS, _types(model))
            | _from_last_product(graph, EXACT_OUTPUTS))


class _Writer:
    """Writes nodes in their new type, with each cast made once."""

    def __init__(self, weights: dict[str, onnx.TensorProto]) -> None:
        self.weights = dict(weights)
        self._nodes: list[onnx.NodeProto] = []
        self._casts: dict[str, str] = {}

    def add(self, node: onnx.NodeProto, values: list[str], half: set[str], is_half: bool) -> None:
        """Append a node whose float values are all cast to one type."""
        written = onnx.NodeProto()
        written.CopyFrom(node)
        for index, name in enumerate(node.input):
            if name in values and (name in half) != is_half:
                written.input[index] = self._cast(name, is_half)
        self._nodes.append(written)

    def renamed(self, names: dict[str, str]) -> list[onnx.NodeProto]:
        """Return the nodes with some tensors called otherwise."""
        for node in self._nodes:
            node.input[:] = [names.get(name, name) for name in node.input]
            node.output[:] = [names.get(name, name) for name in node.output]
        return self._nodes

    def _cast(self, name: str, to_half: bool) -> str:
        cast = self._casts.get(name)
        if cast is None:
            cast = self._casts[name] = f'{name}.as_{"half" if to_half else "float"}'
            if name in self.weights:
                values = numpy_helper.to_array(self.weights[name]).astype(np.float16)
                self.weights[cast] = numpy_helper.from_array(values, cast)
            else:
                self._nodes.append(helper.make_node(
                    'Cast', [name], [cast], to=HALF if to_half else FLOAT))
        return cast


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the element type of every tensor."""
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type
             for value in (*inferred.value_info, *graph.input, *graph.output)}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _values(node: onnx.NodeProto) -> list[str]:
    """Return the inputs that hold what the node computes with."""
    return list(node.input[:1] if node.op_type in VALUES_ONLY_FIRST else node.input)


def _only_from(graph: onnx.GraphProto, names: Collection[str],
               types: dict[str, int]) -> set[str]:
    """Return the tensors whose float ancestors among the inputs are all in names."""
    origins: dict[str, set[str]] = {value.name: {value.name} for value in graph.input}
    for node in graph.node:
        origin = set().union(*(origins.get(name, set()) for name in _values(node)
                               if types.get(name) == FLOAT))
        origins |= dict.fromkeys(node.output, origin)
    return {name for name, origin in origins.items() if origin and origin <= set(names)}


def _from_last_product(graph: onnx.GraphProto, names: Collection[str]) -> set[str]:
    """Return the tensors from the last products before some outputs on."""
    makers = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    todo = [name for name in names if name in makers]
    while todo:
        name = todo.pop()
        if name not in found and name in makers:
            found.add(name)
            if makers[name].op_type not in PRODUCTS:
                todo += makers[name].input
    return found
