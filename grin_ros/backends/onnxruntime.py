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

"""ONNX Runtime backend: the three graphs on the CPU."""

from __future__ import annotations

import numpy as np

from grin_ros.backends import Array, GraphBackend
from grin_ros.backends.cpus import usable_cpus
from grin_ros.bundle import Bundle, INT8_DENOISER, REMEDY
from grin_ros.errors import GrinError, require


class OnnxRuntimeBackend(GraphBackend):
    """
    Three sessions that share one thread pool size and one set of weights on disk.

    :param bundle: checked bundle.
    :param cpu_threads: threads per session; 0 for all cores this process may use.
    :param why: why this backend was chosen, for the log.
    :param precision: of the denoiser: fp32, or int8 where the bundle has one: its products take
        less time, and each answer depends a little on the others, whose span sets the steps.
    :raises GrinError: when there is no such denoiser, or the library refuses a graph.
    """

    name = 'onnxruntime'

    def __init__(self, bundle: Bundle, cpu_threads: int = 0, why: str = 'as asked',
                 precision: str = 'fp32') -> None:
        """Open the graphs; a graph the library refuses is named."""
        ort = require('onnxruntime', 'cpu')
        threads = cpu_threads or usable_cpus()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning workers burn the cores that DDS and the camera driver need: on a busy 2-core
        # machine they doubled the CPU time of a frame and slowed it down.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        self._sessions = {}
        for graph in ('encoder', 'conditioner', 'denoiser'):
            path = bundle.file(f'{graph}.onnx')
            if graph == 'denoiser' and precision == 'int8':
                path = bundle.file(INT8_DENOISER)
                if path.name not in bundle.metadata['files']:  # whose sha256 were compared
                    raise GrinError(f'there is no {path}, so cpu_precision must be fp32; '
                                    '`grin export` writes it')
            try:
                self._sessions[graph] = ort.InferenceSession(
                    str(path), options, providers=['CPUExecutionProvider'])
            except Exception as error:  # its exceptions have no common base class
                raise GrinError(f'onnxruntime {ort.__version__} cannot load {path}: {error}. '
                                f'To cure it, {REMEDY}') from error
        self.reason = f'onnxruntime {ort.__version__}, CPU, {threads} threads, {precision} ({why})'

    def _run(self, graph: str, outputs: list[str], **inputs: Array) -> list[Array]:
        """Run one graph; arrays come back as named."""
        session = self._sessions[graph]
        feeds = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        return session.run(outputs, feeds)

    def encoder(self, image: Array, rays: Array) -> tuple[Array, Array, Array]:
        """Run the encoder, once per frame."""
        local_2, local_4, global_ = self._run(
            'encoder', ['local_2', 'local_4', 'global'], image=image, rays=rays)
        return local_2, local_4, global_

    def conditioner(self, image: Array, rays: Array, local_2: Array, local_4: Array,
                    pixels: Array) -> Array:
        """Run the conditioner: what the network knows at the asked pixels."""
        return self._run('conditioner', ['conditioning'], image=image, rays=rays,
                         local_2=local_2, local_4=local_4, pixels=pixels)[0]

    def denoiser(self, x_t: Array, conditioning: Array, token_mask: Array, prompts: Array,
                 prompt_conditioning: Array, prompt_mask: Array, global_: Array,
                 step: Array) -> tuple[Array, Array, Array]:
        """Run one denoising step."""
        x_next, x_0, log_b = self._run(
            'denoiser', ['x_next', 'x_0', 'log_b'], x_t=x_t, conditioning=conditioning,
            token_mask=token_mask, prompts=prompts, prompt_conditioning=prompt_conditioning,
            prompt_mask=prompt_mask, step=step, **{'global': global_})
        return x_next, x_0, log_b
