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
Roofline: the graphs in; operations, bytes and the least time a frame can take on a GPU out.

``python3 -m grin_ros.engine.roofline`` prints the tables of docs/gpu.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from grin_ros.bundle import Bundle, load_bundle
from grin_ros.engine.profile import Profile
from grin_ros.errors import require

HALF_BYTES = 2
PEAK_SHARE, BANDWIDTH_SHARE = 0.30, 0.70  # of the data sheet that small layers may hope for
STEPS = (1, 2, 4)
PERIOD_MS = 1000 / 30


@dataclass(frozen=True)
class Gpu:
    """
    What a data sheet says.

    :param tflops: dense fp16 tensor operations with fp32 sums [10^12/s], GPU alone.
    :param gb_per_s: memory bandwidth [10^9 bytes/s].
    """

    name: str
    tflops: float
    gb_per_s: float

    def bound_ms(self, cost: Cost) -> float:
        """Return the least milliseconds that operations and traffic need, overlapped."""
        compute = cost.flops / (PEAK_SHARE * self.tflops * 1e12)
        traffic = cost.bytes / (BANDWIDTH_SHARE * self.gb_per_s * 1e9)
        return 1e3 * max(compute, traffic)


GPUS = (Gpu('Orin NX 16GB', 15, 102), Gpu('AGX Orin 64GB', 42.5, 205),
        Gpu('Thor T5000', 258, 273), Gpu('RTX 4090', 165, 1008))


@dataclass(frozen=True)
class Cost:
    """
    What the products of weights and attention take; everything else is fused into them at best.

    :param flops: operations, two per multiply-add.
    :param bytes: fp16 inputs, weights and outputs of each product, once each.
    """

    flops: float
    bytes: float  # noqa: A003, RUF100

    def __add__(self, other: Cost) -> Cost:
        """Return the sum."""
        return Cost(self.flops + other.flops, self.bytes + other.bytes)

    def __mul__(self, count: int) -> Cost:
        """Return the cost of doing it several times."""
        return Cost(count * self.flops, count * self.bytes)


def cost_of(model: Any) -> Cost:
    """Return the cost of a static graph; shapes are those of a run on zeros."""
    ort, onnx = require('onnxruntime', 'cpu'), require('onnx', 'tensorrt')
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    products = [node for node in shown.graph.node if node.op_type in ('Conv', 'Gemm', 'MatMul')]
    weights = {tensor.name: tuple(tensor.dims) for tensor in shown.graph.initializer}
    outputs = {value.name for value in shown.graph.output}
    given = {value.name for value in shown.graph.input}
    asked = sorted({name for node in products for name in (*node.input[:2], *node.output)
                    if name not in weights and name not in given})
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in asked
                              if name not in outputs)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(shown.SerializeToString(), options,
                                   providers=['CPUExecutionProvider'])
    feeds = {value.name: np.zeros(value.shape, _numpy_type(value.type))
             for value in session.get_inputs()}
    shapes = {name: array.shape for name, array in zip(asked, session.run(asked, feeds))}
    shapes |= weights | {name: array.shape for name, array in feeds.items()}
    total = Cost(0, 0)
    for node in products:
        left, right, out = (shapes[name] for name in (*node.input[:2], node.output[0]))
        if node.op_type == 'Conv':
            depth = float(np.prod(right[1:]))
        else:
            transposed = any(attribute.name == 'transA' and attribute.i
                             for attribute in node.attribute)
            depth = left[-2] if transposed else left[-1]
        numbers = sum(float(np.prod(shape)) for shape in (left, right, out))
        total += Cost(2 * depth * float(np.prod(out)), HALF_BYTES * numbers)
    return total


def _numpy_type(name: str) -> Any:
    return {'tensor(float)': np.float32, 'tensor(uint8)': np.uint8, 'tensor(bool)': np.bool_}[name]


def costs(bundle: Bundle, profile: Profile) -> tuple[Cost, Cost]:
    """Return the cost of encoder and conditioner, and of one step."""
    from grin_ros.engine.graphs import GraphMaker

    maker = GraphMaker(bundle, profile)
    return cost_of(maker.frame()), cost_of(maker.denoiser())


def profiles(bundle: Bundle) -> Iterator[Profile]:
    """Yield the sizes of the table: the node's default first."""
    for size, stride in ((bundle.input_size, 4), (bundle.input_size, 2), (bundle.input_size, 1),
                         ((640, 480), 4), ((640, 480), 2)):
        yield Profile.of_camera(640, 480, size, stride)


def to_markdown(bundle: Bundle, sizes_asked: int | None = None) -> str:
    """Return the tables of docs/gpu.md, or those of the first few sizes."""
    lines = ['| input, stride (tokens) | encoder + conditioning | each step | GPU | '
             + ' | '.join(f'{steps} step{"s" * (steps > 1)}' for steps in STEPS) + ' |',
             '|---|---|---|---|---|---|---|']
    default: list[str] = []
    for index, profile in enumerate(islice(profiles(bundle), sizes_asked)):
        frame, step = costs(bundle, profile)
        name = f'{profile.width}x{profile.height}, {profile.stride} ({profile.tokens})'
        sizes = [f'{cost.flops / 1e9:.2f} GFLOP, {cost.bytes / 1e6:.0f} MB'
                 for cost in (frame, step)]
        for gpu in GPUS:
            bounds = [gpu.bound_ms(frame + step * steps) for steps in STEPS]
            lines.append(f'| {name} | {sizes[0]} | {sizes[1]} | {gpu.name} | '
                         + ' | '.join(f'{bound:.2f} ms' for bound in bounds) + ' |')
            name, sizes = '', ['', '']
            if index == 0:
                factors = ' | '.join(f'{PERIOD_MS / bound:.0f} x' for bound in bounds)
                default.append(f'| {gpu.name} | {factors} |')
    return '\n'.join([*lines, '', '| 30 Hz holds, at best, for a model of | '
                      + ' | '.join(f'{steps} step{"s" * (steps > 1)}' for steps in STEPS) + ' |',
                      '|---|---|---|---|', *default]) + '\n'


if __name__ == '__main__':
    print(to_markdown(load_bundle()), end='')
