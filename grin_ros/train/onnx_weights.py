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

"""ONNX weights: graphs share one file of fp16 initialisers; one has int8 weights of its own."""

from __future__ import annotations

from collections.abc import Mapping
import hashlib
import logging
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from onnx import helper, numpy_helper, TensorProto
from onnxruntime.quantization import quantize_dynamic, QuantType

SMALLEST = 256  # numbers; shorter initialisers stay in the graph
ALIGNMENT = 64  # bytes


def share_weights(graphs: Mapping[str, onnx.ModelProto], folder: Path, name: str) -> None:
    """
    Write graphs whose large fp32 initialisers live once, as fp16, in one external file.

    Only what fp16 holds without loss is stored so: round the model first (export.deployable).

    :param graphs: file name -> model; the models are changed in place.
    :param folder: where the graphs and the weights file go.
    :param name: name of the weights file.
    """
    offsets: dict[str, int] = {}
    with open(folder / name, 'wb') as stream:
        for model in graphs.values():
            _externalise(model, stream, name, offsets)
    for file_name, model in graphs.items():
        onnx.save(model, folder / file_name)
        onnx.checker.check_model(str(folder / file_name))


def write_int8(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph whose products with weights are in int8; x is quantised as it comes."""
    # It advises to infer shapes first, which changes nothing for this graph.
    logging.disable(logging.WARNING)
    try:
        # 7 bits: without VNNI the sums of two products of 8 bits saturate, which costs 3 % depth.
        quantize_dynamic(model, path, per_channel=True, reduce_range=True,
                         weight_type=QuantType.QInt8)
    finally:
        logging.disable(logging.NOTSET)
    onnx.checker.check_model(str(path))


def _externalise(model: onnx.ModelProto, stream: BinaryIO, name: str,
                 offsets: dict[str, int]) -> None:
    """Move the large initialisers of one graph to the shared file."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        data = half.tobytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in offsets:
            stream.write(b'\0' * (-stream.tell() % ALIGNMENT))
            offsets[digest] = stream.tell()
            stream.write(data)
        full_name = tensor.name
        stored = TensorProto(name=f'{full_name}.half', data_type=TensorProto.FLOAT16,
                             dims=list(values.shape))
        onnx.external_data_helper.set_external_data(
            _with_raw(stored, data), location=name, offset=offsets[digest], length=len(data))
        stored.ClearField('raw_data')
        tensor.CopyFrom(stored)
        casts.append(helper.make_node('Cast', [stored.name], [full_name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)


def _with_raw(tensor: TensorProto, data: bytes) -> TensorProto:
    """Return the tensor with raw data, which set_external_data wants to see."""
    tensor.raw_data = data
    return tensor
