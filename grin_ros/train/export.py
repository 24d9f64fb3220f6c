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

"""Export: a checkpoint in, a bundle out that needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import hashlib
import json
import logging
from pathlib import Path
import tempfile
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn, Tensor

from grin_ros import backends
from grin_ros.bundle import (
    FORMAT_VERSION,
    FOV_RANGE_DEG,
    GRAPHS,
    INPUT_SIZE,
    INT8_DENOISER,
    load_bundle,
    METADATA,
    PROBE,
    QUERY_STRIDE,
    WEIGHTS,
)
from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.diffusion.depth_codec import X_SCALE
from grin_ros.diffusion.noise import noise_at
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.errors import GrinError
from grin_ros.inference.prompts import Prompts
from grin_ros.model.encoder import FrozenNormConv
from grin_ros.model.grin import Grin
from grin_ros.train import checkpoint as checkpoints
from grin_ros.train.calibrate import calibrate
from grin_ros.train.onnx_weights import share_weights, write_int8
from grin_ros.train.whole import whole

OPSET = 18
STEP_COUNTS = (1, 2, 4, 8)
PARITY_P = 1e-4  # largest difference in P between torch and ONNX Runtime
WRITTEN = (*GRAPHS, INT8_DENOISER, 'weights.bin', WEIGHTS, PROBE)  # beside grin.json
PROBE_SIZE, PROBE_PIXELS = (128, 96), 192


class _Graph(nn.Module):
    """One method of the network as a module of its own, as the exporter wants it."""

    def __init__(self, grin: Grin, method: str) -> None:
        super().__init__()
        self.grin, self.method = grin, method

    def forward(self, *inputs: Tensor) -> Any:
        """Call the method."""
        return getattr(self.grin, self.method)(*inputs)


def export_bundle(checkpoint: checkpoints.Checkpoint, folder: Path, *, name: str = 'grin_small',
                  input_size: tuple[int, int] = INPUT_SIZE, query_stride: int = QUERY_STRIDE,
                  held_out: Sequence[Sample] = (), provenance: dict[str, Any] | None = None,
                  licence: str = 'Apache-2.0', fov_range_deg: tuple[float, float] = FOV_RANGE_DEG,
                  ) -> dict[str, float]:
    """
    Write a bundle and check it against torch; only then are files of an older one replaced.

    :param folder: created; what else is in it stays.
    :param input_size: (width, height) [px] the network is meant for.
    :param held_out: rendered samples that sigma is calibrated on; none leaves it at 1.
    :param fov_range_deg: horizontal fields of view that training saw; others are warned of.
    :returns: the largest difference in P per step count.
    :raises GrinError: for weights that are not finite, or answers further apart than PARITY_P.
    """
    if not all(tensor.half().isfinite().all() for tensor in checkpoint.ema.values()):
        raise GrinError('the checkpoint holds weights that are not finite in fp16: export an '
                        'earlier one')
    torch.set_num_threads(1)  # a busy machine slows two torch threads more than it speeds them
    # The graphs are made of the weights that ship, so that they can be made again of those.
    checkpoint = replace(checkpoint, model={}, optimizer={}, ema={
        name: tensor.half() for name, tensor in checkpoint.ema.items()})
    model = deployable(checkpoint)
    with whole(folder, METADATA) as partial:
        probe = make_probe(model)
        _write(partial, model, checkpoint, probe, {
            'format_version': FORMAT_VERSION, 'name': name, 'model': checkpoint.config.to_dict(),
            'input_size': list(input_size), 'query_stride': query_stride, 'default_steps': 1,
            'fov_range_deg': list(fov_range_deg),
            **calibrate(model, held_out, input_size, STEP_COUNTS),
            'provenance': {'training_steps': checkpoint.step, 'held_out': checkpoint.metrics,
                           **(provenance or {})},
            'licence': licence})
        differences = check_parity(partial, probe)
        if not max(differences.values()) <= PARITY_P:  # NaN, too
            raise GrinError(f'ONNX Runtime differs from torch by more than {PARITY_P:g} in P '
                            f'({differences}), so no bundle is written: export with another '
                            'release of onnxruntime or torch')
    return differences


def _write(folder: Path, model: Grin, checkpoint: checkpoints.Checkpoint, probe: dict[str, Any],
           facts: dict[str, Any]) -> None:
    """Write the files of a bundle; facts get the sha256 of each."""
    graphs = export_graphs(model)
    write_int8(graphs['denoiser.onnx'], folder / INT8_DENOISER)
    share_weights(graphs, folder, 'weights.bin')
    checkpoints.save(folder / WEIGHTS, checkpoint)
    np.savez_compressed(folder / PROBE, **probe)
    facts['files'] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                      for path in sorted(folder / name for name in WRITTEN)}
    (folder / METADATA).write_text(json.dumps(facts, indent=1) + '\n', encoding='utf-8')


def deployable(checkpoint: checkpoints.Checkpoint) -> Grin:
    """Return the network with norms folded in and weights rounded to fp16, in fp32."""
    model = Grin(checkpoint.config)
    model.load_state_dict(checkpoint.ema)
    model.eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, FrozenNormConv):
            module.weight.mul_(module.scale[:, None, None, None])
            module.scale.fill_(1.0)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.copy_(tensor.half().float())
    return model


def export_graphs(model: Grin) -> dict[str, onnx.ModelProto]:
    """Return file name -> ONNX model of the three graphs, all sizes symbolic."""
    b, h, w, n, m, g = 2, 64, 96, 40, 3, 0
    d = model.config.interface_dim
    image = torch.randint(0, 255, (b, h, w, 3), dtype=torch.uint8)
    rays = torch.nn.functional.normalize(torch.randn(b, h, w, 3), dim=-1)
    local_2, local_4, global_ = model.encode(image, rays)
    g = global_.shape[1]
    dim = torch.export.Dim
    batch, tokens, prompts, vectors = dim('B'), dim('N'), dim('M'), dim('G', min=2)
    rows, columns = dim('H32', min=1), dim('W32', min=1)
    frame = {0: batch, 1: 32 * rows, 2: 32 * columns}
    per_token, per_prompt = {0: batch, 1: tokens}, {0: batch, 1: prompts}
    specs = {
        'encoder': ('encode', (image, rays), ['image', 'rays'],
                    ['local_2', 'local_4', 'global'], (frame, frame)),
        'conditioner': ('condition', (image, rays, local_2, local_4, torch.rand(b, n, 2) * h),
                        ['image', 'rays', 'local_2', 'local_4', 'pixels'], ['conditioning'],
                        (frame, frame, {0: batch, 2: 16 * rows, 3: 16 * columns},
                         {0: batch, 2: 8 * rows, 3: 8 * columns}, per_token)),
        'denoiser': ('ddim_step', (
            torch.randn(b, n), torch.randn(b, n, d), torch.ones(b, n) > 0, torch.randn(b, m, 2),
            torch.randn(b, m, d), torch.ones(b, m) > 0, torch.randn(b, g, d), torch.rand(b, 4)),
            ['x_t', 'conditioning', 'token_mask', 'prompts', 'prompt_conditioning',
             'prompt_mask', 'global', 'step'], ['x_next', 'x_0', 'log_b'],
            (per_token, per_token, per_token, per_prompt, per_prompt, per_prompt,
             {0: batch, 1: vectors}, {0: batch})),
    }
    graphs = {}
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    for name, (method, inputs, input_names, output_names, shapes) in specs.items():
        program = torch.onnx.export(
            _Graph(model, method).eval(), inputs, input_names=input_names,
            output_names=output_names, dynamic_shapes=(shapes,), opset_version=OPSET,
            dynamo=True, verbose=False)
        with tempfile.TemporaryDirectory() as scratch:
            program.save(f'{scratch}/{name}.onnx')
            graphs[f'{name}.onnx'] = without_traces(onnx.load(f'{scratch}/{name}.onnx'))
    return graphs


def without_traces(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Drop the exporter's notes: they hold paths of the machine and half of the file."""
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.value_info,
                 *graph.graph.input, *graph.graph.output, *graph.graph.initializer,
                 *graph.functions, *(node for each in graph.functions for node in each.node)):
        part.ClearField('metadata_props')
        part.ClearField('doc_string')
    return graph


def make_probe(model: Grin, seed: int = 7) -> dict[str, Any]:
    """Return an input and the network's answers to it, for self-tests on any machine."""
    width, height = PROBE_SIZE
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(u / 9 + c) * np.cos(v / 7 - c) for c in range(3)]
    image = np.clip(np.stack(waves, -1) + rng.normal(0, 8, (height, width, 3)), 0, 255)
    image = image.astype(np.uint8)
    rays = Camera.from_hfov(70, width, height).rays()
    pixels = (rng.random((PROBE_PIXELS, 2)) * (width - 1, height - 1)).astype(np.float32)
    probe = {'image': image, 'rays': rays, 'pixels': pixels, 'seed': np.int64(seed),
             'x_T': noise_at(pixels, seed)}
    for steps in STEP_COUNTS:
        x_0, log_b = run_torch(model, probe, steps)
        probe |= {f'x_0_{steps}': x_0, f'log_b_{steps}': log_b}
    return probe


@torch.no_grad()
def run_torch(model: Grin, probe: dict[str, Any], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Answer the probe with the torch network."""
    def one(array: Any) -> Tensor:
        return torch.from_numpy(np.asarray(array))[None]

    image, rays, pixels, x = (one(probe[key]) for key in ('image', 'rays', 'pixels', 'x_T'))
    local_2, local_4, global_ = model.encode(image, rays)
    conditioning = model.condition(image, rays, local_2, local_4, pixels)
    empty = torch.zeros(1, 1, conditioning.shape[-1])
    for step in ddim_steps(steps):
        x, x_0, log_b = model.ddim_step(
            x, conditioning, x == x, torch.zeros(1, 1, 2), empty,
            torch.zeros(1, 1, dtype=torch.bool), global_, one(step))
    return x_0[0].numpy(), log_b[0].numpy()


def run_backend(backend: backends.Backend, probe: dict[str, Any], steps: int,
                ) -> tuple[np.ndarray, np.ndarray]:
    """Answer the probe with the graphs of a bundle."""
    pixels = probe['pixels']
    x_0, log_b = backend.answer([backends.Query(
        probe['image'], probe['rays'], pixels, np.ones(len(pixels), bool), probe['x_T'][None],
        Prompts.none(), ddim_steps(steps), len(pixels))])[0]
    return x_0[0], log_b[0]


def check_parity(folder: Path, probe: dict[str, Any]) -> dict[str, float]:
    """Return the largest |difference| in P from the probe's answers, per step count."""
    backend = backends.load(load_bundle(folder), 'onnxruntime', cpu_threads=1)
    return {str(steps): float(np.abs(run_backend(backend, probe, steps)[0]
                                     - probe[f'x_0_{steps}']).max() / X_SCALE)
            for steps in STEP_COUNTS}
