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

"""Diffusion loss: a batch of sparse labels in, one scalar and its parts out."""

from __future__ import annotations

import torch
from torch import nn, Tensor

from grin_ros.diffusion.depth_codec import angular_pitch, X_SCALE
from grin_ros.diffusion.sampler import gamma as gamma_at
from grin_ros.model.grin import Grin
from grin_ros.train.batches import Batch

FIRST_STEP_RATE = 1 / 3  # share of the second passes at t = 1, where prompts are met first
UNROLLED_RATE = 0.5  # share of the rest whose x_t comes from the model's own first answer
PAIR_WEIGHT = 0.5
SCALE_WEIGHT = 0.1


class DiffusionLoss(nn.Module):
    """
    Two denoising passes per encoded image, in one forward call for distributed training.

    The first pass is what every frame runs: pure noise, no prompts. Nearly all of the scale is
    learnt there, since noisy depth and prompts give it away. The second pass takes prompts and
    any step. The encoder, most of the work, runs once for both.
    """

    def __init__(self, grin: Grin, objective: str = 'diffusion') -> None:
        super().__init__()
        self.grin, self.objective = grin, objective

    def forward(self, batch: Batch, noise_seed: int) -> dict[str, Tensor]:
        """
        Return the loss and its parts, all in nats of range (0.1 is 10 %).

        :param batch: from train.batches.collate.
        :param noise_seed: seeds the times and the noise of this step.
        """
        grin, codec = self.grin, self.grin.config.codec
        device = batch['range_m'].device
        generator = torch.Generator().manual_seed(noise_seed)
        alpha = angular_pitch(batch['rays'])[:, None]
        mask = batch['mask']
        x_0 = X_SCALE * codec.encode(batch['range_m'], alpha)  # (B, N)
        noise = torch.randn(x_0.shape, generator=generator).to(device)
        t, unrolled = (value.to(device) for value in sample_times(len(x_0), generator))
        partner = torch.randperm(x_0.shape[1], generator=generator).to(device)

        local_2, local_4, global_ = grin.encode(batch['image'], batch['rays'])
        maps = (batch['image'], batch['rays'], local_2, local_4)
        conditioning = grin.condition(*maps, batch['pixels'])
        prompt_p = codec.encode(batch['prompt_range_m'], alpha)
        prompts = (torch.stack([prompt_p, batch['prompt_sigma'].log()], -1),
                   grin.condition(*maps, batch['prompt_pixels']), batch['prompt_mask'])

        def denoise(x_t: Tensor, prompts: tuple[Tensor, Tensor, Tensor], gamma: Tensor
                    ) -> tuple[Tensor, dict[str, Tensor]]:
            predicted, log_b = grin.denoise(x_t, conditioning, mask, *prompts, global_, gamma)
            error = (predicted - x_0) * (codec.nats_per_unit / X_SCALE)
            return predicted, _losses(error, log_b, mask, partner)

        values, at_prompts, is_prompt = (part[:, :0] for part in prompts)
        answer, first = denoise(noise, (values, at_prompts, is_prompt), torch.zeros_like(t))
        if self.objective == 'regression':
            return {'loss': first['loss'], 'l1_first': first['l1']}
        # Step-unrolled: later steps meet the model's own answer, not the truth; without this
        # they learn to copy x_0 out of x_t and freeze the first answer.
        clean = torch.where(unrolled[:, None], answer.detach().float(), x_0)
        gamma = gamma_at(t)
        x_t = gamma.sqrt()[:, None] * clean + (1 - gamma).sqrt()[:, None] * noise
        _, later = denoise(x_t, prompts, gamma)
        return {'loss': first['loss'] + later['loss'], 'l1_first': first['l1'], **{
            name: later[name] for name in ('l1', 'pair', 'nll')}}


def _losses(error: Tensor, log_b: Tensor, mask: Tensor, partner: Tensor) -> dict[str, Tensor]:
    """Return the means over tokens of |error|, of pairs and of the scale's likelihood."""
    absolute = masked_mean(error.abs(), mask)
    pair = masked_mean((error - error[:, partner]).abs(), mask & mask[:, partner])
    residual = error.detach().abs()
    likelihood = masked_mean(residual * (-log_b).exp() + log_b, mask)
    loss = absolute + PAIR_WEIGHT * pair + SCALE_WEIGHT * likelihood
    return {name: value.mean() for name, value in (
        ('loss', loss), ('l1', absolute), ('pair', pair), ('nll', likelihood))}


def sample_times(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return t (B,) in (0, 1], t = 1 for a third and denser towards 1, and who is unrolled."""
    u = torch.rand(3, count, generator=generator)
    t = torch.where(u[0] < FIRST_STEP_RATE, 1.0, u[1].sqrt().clamp(1e-3, 0.999))
    return t, (t < 1) & (u[2] < UNROLLED_RATE)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over tokens of (B, N) values where mask is True; 0 where none is."""
    return (values * mask).sum(1) / mask.sum(1).clamp(min=1)
