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
fp16 on a CPU: every fp16 tensor of a graph becomes fp32 that is rounded to fp16's 11 bits.

ONNX Runtime has few fp16 kernels on a CPU: it computes in fp32 and leaves most roundings out, so
a comparison of fp16 graphs with it would prove little. Products accumulate in fp32 here, as on
tensor cores.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def rounding(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph in fp32 with a rounding after each node that gives fp16."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    half = {value.name for value in inferred.value_info
            if value.type.tensor_type.elem_type == HALF}
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    for tensor in graph.initializer:
        if tensor.data_type == HALF:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    # Veltkamp's splitting: with c = (2^13 + 1) x, c - (c - x) is x with 24 - 13 bits.
    graph.initializer.append(numpy_helper.from_array(np.float32(2**13 + 1), 'splitter'))
    nodes = []
    for node in graph.node:
        written = onnx.NodeProto()
        written.CopyFrom(node)
        for attribute in written.attribute:
            if attribute.name == 'to' and attribute.i == HALF:
                attribute.i = FLOAT
        nodes.append(written)
        for index, name in enumerate(node.output):
            if name in half:
                raw = written.output[index] = f'{name}.raw'
                nodes += [helper.make_node('Mul', [raw, 'splitter'], [f'{name}.c']),
                          helper.make_node('Sub', [f'{name}.c', raw], [f'{name}.d']),
                          helper.make_node('Sub', [f'{name}.c', f'{name}.d'], [name])]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return result
