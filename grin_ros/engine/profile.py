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


"""Profile: the one size an engine is made for; shapes of every graph's tensors out."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import COARSEST_STRIDE, network_size, STRIDES

PROMPT_COUNTS = (1, 16, 64, 256, 1024)  # static sizes; fewer prompts are padded


@dataclass(frozen=True)
class Profile:
    """
    Static sizes of what runs at once: TensorRT's min = opt = max.

    :param width: of the network's input [px], a multiple of COARSEST_STRIDE.
    :param height: of the network's input [px], another one.
    :param tokens: pixels asked, padding included.
    :param samples: draws at once.
    :param prompts: prompt tokens, padding included.
    :param frames: of any cameras, padding included.
    """

    width: int
    height: int
    tokens: int
    samples: int = 1
    prompts: int = 1
    frames: int = 1

    def __post_init__(self) -> None:
        """Refuse what the encoder cannot take."""
        if any(size < 1 or size % COARSEST_STRIDE for size in (self.width, self.height)):
            raise GrinError(f'an engine needs an input of multiples of {COARSEST_STRIDE} px, not '
                            f'{self.width}x{self.height}')
        if min(self.tokens, self.samples, self.prompts, self.frames) < 1:
            raise GrinError('an engine needs at least one token, sample, prompt and frame: '
                            f'{self}')

    @classmethod
    def of_camera(cls, width: int, height: int, input_size: tuple[int, int],
                  query_stride: int, samples: int = 1, frames: int = 1, prompts: int = 1,
                  ) -> Profile:
        """Return the profile of a camera's images on the bundle's input size and stride."""
        if query_stride not in STRIDES:
            raise GrinError(f'query_stride must be one of {STRIDES}, not {query_stride}')
        w, h = network_size(width, height, input_size)
        return cls(w, h, (w // query_stride) * (h // query_stride), samples, prompts, frames)

    @property
    def draws(self) -> int:
        """Return the draws of all frames: the denoiser's batch, those of a frame in a row."""
        return self.frames * self.samples

    @property
    def global_vectors(self) -> int:
        """Return how many global vectors the encoder makes: one per cell of strides 8 and 16."""
        return (self.width // 8) * (self.height // 8) + (self.width // 16) * (self.height // 16)

    @property
    def stride(self) -> int:
        """Return the query stride whose grid has the profile's tokens, or the nearest."""
        return round((self.width * self.height / self.tokens) ** 0.5)

    def inputs(self, graph: str, dim: int) -> dict[str, tuple[int, ...]]:
        """
        Return the input shapes of a graph of the bundle.

        :param graph: encoder, conditioner or denoiser.
        :param dim: width D of tokens.
        """
        w, h, n, m = self.width, self.height, self.tokens, self.prompts
        f, k = self.frames, self.draws
        frame: dict[str, tuple[int, ...]] = {'image': (f, h, w, 3), 'rays': (f, h, w, 3)}
        shapes: dict[str, dict[str, tuple[int, ...]]] = {
            'encoder': frame,
            # Local maps come from the encoder with their channels; only h and w are said here.
            'conditioner': {**frame, 'local_2': (f, 0, h // 2, w // 2),
                            'local_4': (f, 0, h // 4, w // 4), 'pixels': (f, n + m, 2)},
            'denoiser': {'x_t': (k, n), 'conditioning': (k, n, dim), 'token_mask': (k, n),
                         'prompts': (k, m, 2), 'prompt_conditioning': (k, m, dim),
                         'prompt_mask': (k, m), 'global': (k, self.global_vectors, dim),
                         'step': (k, 4)},
        }
        return shapes[graph]

    def to_dict(self) -> dict[str, int]:
        """Return plain values, for JSON and keys; engines of one frame keep the keys they had."""
        return {name: size for name, size in asdict(self).items() if (name, size) != ('frames', 1)}

    def __str__(self) -> str:
        """Return it in one word, for file names and logs."""
        return (f'{self.width}x{self.height}_{self.tokens}t_{self.samples}s_{self.prompts}p'
                + (f'_{self.frames}f' if self.frames > 1 else ''))
