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

"""Torch backend: the network itself from the bundle's checkpoint, for parity and development."""

from __future__ import annotations

from typing import Any

import numpy as np

from grin_ros.backends import Array, GraphBackend
from grin_ros.bundle import Bundle, WEIGHTS
from grin_ros.errors import GrinError, require


class TorchBackend(GraphBackend):
    """
    The network in eager torch, on CUDA where there is a device.

    :param bundle: checked bundle that holds weights.safetensors.
    :param cpu_threads: threads of torch; 0 leaves its own choice.
    :param why: why this backend was chosen, for the log.
    """

    name = 'torch'

    def __init__(self, bundle: Bundle, cpu_threads: int = 0, why: str = 'as asked') -> None:
        """Read the checkpoint; nothing in it is executed."""
        self._torch = torch = require('torch', 'train')
        if not bundle.file(WEIGHTS).is_file():
            raise GrinError(f'{bundle.folder} has no {WEIGHTS}, which backend torch needs: use '
                            'backend onnxruntime, or export the bundle again')
        require('onnx', 'train')  # export, which rounds the weights as the graphs', needs it
        from grin_ros.train.checkpoint import load
        from grin_ros.train.export import deployable

        if cpu_threads:
            torch.set_num_threads(cpu_threads)
        self._device = 'cuda' if torch.cuda.is_available() else 'cpu'
        if self._device == 'cuda':
            self.max_batch = 4  # one frame does not fill a GPU; never measured by us
        self._grin = deployable(load(bundle.file(WEIGHTS))).to(self._device)
        self.reason = f'torch {torch.__version__}, {self._device} ({why})'

    def _call(self, method: str, *inputs: Array) -> Any:
        """Call a method of the network on numpy arrays."""
        torch = self._torch
        tensors = [torch.from_numpy(np.array(value)).to(self._device) for value in inputs]
        with torch.inference_mode():
            outputs = getattr(self._grin, method)(*tensors)
        if isinstance(outputs, tuple):
            return tuple(output.cpu().numpy() for output in outputs)
        return outputs.cpu().numpy()

    def encoder(self, image: Array, rays: Array) -> tuple[Array, Array, Array]:
        """Run the encoder, once per frame."""
        return self._call('encode', image, rays)

    def conditioner(self, image: Array, rays: Array, local_2: Array, local_4: Array,
                    pixels: Array) -> Array:
        """Run the conditioner: what the network knows at the asked pixels."""
        return self._call('condition', image, rays, local_2, local_4, pixels)

    def denoiser(self, x_t: Array, conditioning: Array, token_mask: Array, prompts: Array,
                 prompt_conditioning: Array, prompt_mask: Array, global_: Array,
                 step: Array) -> tuple[Array, Array, Array]:
        """Run one denoising step."""
        return self._call('ddim_step', x_t, conditioning, token_mask, prompts,
                          prompt_conditioning, prompt_mask, global_, step)
