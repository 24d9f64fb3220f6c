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

"""GrinConfig: every choice that shapes the network, stored inside checkpoints and bundles."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from grin_ros.diffusion.depth_codec import DepthCodec

PREDICTION_TYPES = ('x_0', 'v', 'epsilon')
MAPS = 5  # of the encoder, at strides 2 to 32


@dataclass(frozen=True)
class GrinConfig:
    """
    Sizes of the GRIN network (design of the small model; torch is not needed to read it).

    :param encoder_stages: (channels, repeats, kernel, stride, expansion) of each stage, as in
        EfficientNet-lite0; the first stage follows a stride-2 stem of stem_channels.
    :param frozen_stages: leading stages (with the stem) that keep their ImageNet weights.
    :param pyramid_channels: widths at strides 2, 4, 8, 16, 32; the first two are the local
        conditioning, strides 8 and 16 the global conditioning.
    :param interface_dim: width D of pixel tokens and conditioning vectors.
    :param num_latents: latents of the RIN, the gamma latent not counted.
    """

    codec: DepthCodec = field(default_factory=DepthCodec)
    prediction_type: str = 'x_0'
    stem_channels: int = 32
    encoder_stages: tuple[tuple[int, int, int, int, int], ...] = (
        (16, 1, 3, 1, 1), (24, 2, 3, 2, 6), (40, 2, 5, 2, 6), (80, 3, 3, 2, 6),
        (112, 3, 5, 1, 6), (192, 4, 5, 2, 6), (320, 1, 3, 1, 6))
    frozen_stages: int = 2
    pyramid_channels: tuple[int, int, int, int, int] = (16, 32, 64, 64, 64)
    interface_dim: int = 96
    num_latents: int = 64
    latent_dim: int = 192
    num_blocks: int = 2
    process_layers: int = 2
    latent_heads: int = 6
    interface_heads: int = 3
    mlp_ratio: int = 2

    def __post_init__(self) -> None:
        """Refuse choices the network does not have."""
        if self.prediction_type not in PREDICTION_TYPES:
            raise ValueError(f'prediction_type must be one of {", ".join(PREDICTION_TYPES)}')
        for item in fields(self):
            least = 0 if item.name in ('frozen_stages', 'process_layers') else 1
            value = getattr(self, item.name)
            if item.type == 'int' and (type(value) is not int or value < least):
                raise ValueError(f'model: {item.name} must be a whole number of at least {least}, '
                                 f'not {value}')
        for heads, width in (('interface_heads', 'interface_dim'), ('latent_heads', 'latent_dim')):
            if getattr(self, width) % getattr(self, heads):
                raise ValueError(f'model: {width} {getattr(self, width)} must be a multiple of '
                                 f'{heads} {getattr(self, heads)}')
        if len(self.pyramid_channels) != MAPS or any(
                len(stage) != 5 for stage in self.encoder_stages) or [
                    stage[3] for stage in self.encoder_stages].count(2) != MAPS - 1:
            raise ValueError(f'model: give {MAPS} pyramid_channels, and encoder_stages of five '
                             f'numbers each, {MAPS - 1} of them with stride 2')

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GrinConfig:
        """Read what to_dict wrote; a surplus key is an error."""
        known = {item.name for item in fields(cls)}
        surplus = sorted(set(values) - known)
        if surplus:
            raise ValueError(f'unknown model config keys {surplus}: known are {sorted(known)}')
        values = dict(values)
        if 'codec' in values:
            values['codec'] = DepthCodec(**values['codec'])
        if 'encoder_stages' in values:
            values['encoder_stages'] = tuple(tuple(stage) for stage in values['encoder_stages'])
        if 'pyramid_channels' in values:
            values['pyramid_channels'] = tuple(values['pyramid_channels'])
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)
