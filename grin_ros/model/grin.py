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

"""GRIN: pixel tokens with local and global conditioning, denoised by a RIN (arXiv 2409.09896)."""

from __future__ import annotations

import torch
from torch import nn, Tensor
from torch.nn import functional as F

from grin_ros.diffusion.depth_codec import X_SCALE
from grin_ros.model.config import GrinConfig
from grin_ros.model.embeddings import (
    DEPTH_FEATURES,
    depth_features,
    GAMMA_FEATURES,
    gamma_features,
    log_alpha_of,
    RAY_FEATURES,
    ray_features,
)
from grin_ros.model.encoder import Encoder
from grin_ros.model.rin import RinBlock, TokenLinear

HIDDEN = -1e4  # read logit of a padded token: exp() of it is exactly 0 in fp32 and fp16
# All tokens together weigh as this many in what the latents read beside the image's vectors:
# training takes hundreds of them, a robot asks for thousands.
TOKENS_READ = 512.0


class Grin(nn.Module):
    """
    The network in its three graphs: encode (once per frame), condition, denoise (each step).

    Pixels are (u, v) with centres at integers. Depth is in diffusion units x = X_SCALE * P.
    """

    def __init__(self, config: GrinConfig) -> None:
        super().__init__()
        self.config = config
        d, dz = config.interface_dim, config.latent_dim
        self.encoder = Encoder(config)
        local = config.pyramid_channels[0] + config.pyramid_channels[1] + 3 + RAY_FEATURES
        self.local = TokenLinear(local, d)
        self.embed_depth = TokenLinear(DEPTH_FEATURES, d)
        self.embed_prompt = TokenLinear(DEPTH_FEATURES + 1, d)
        self.norm_prompt = nn.LayerNorm(d)
        self.embed_gamma = nn.Sequential(
            nn.Linear(GAMMA_FEATURES, dz), nn.SiLU(), nn.Linear(dz, dz))
        self.latents = nn.Parameter(torch.randn(config.num_latents, dz) * 0.02)
        self.blocks = nn.ModuleList(
            RinBlock(dz, d, config.process_layers, config.latent_heads, config.interface_heads,
                     config.mlp_ratio) for _ in range(config.num_blocks))
        self.readout = nn.Sequential(nn.LayerNorm(d), TokenLinear(d, 2))
        last = self.readout[1]
        nn.init.zeros_(last.weight)
        # Start at 3 m with a Laplace scale of e^-1 nats, the spread of an untaught guess.
        last.bias.data.copy_(torch.tensor([X_SCALE * -0.1, -1.0]))

    def encode(self, image: Tensor, rays: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Encode frames once.

        :param image: (B, H, W, 3) uint8 RGB, H and W multiples of 32.
        :param rays: (B, H, W, 3) unit rays, zeros where the camera has none.
        :returns: local_2, local_4 (maps) and global (B, G, D).
        """
        features = ray_features(F.avg_pool2d(rays.permute(0, 3, 1, 2), 8).permute(0, 2, 3, 1),
                                log_alpha_of(rays))
        return self.encoder(image.permute(0, 3, 1, 2).float(), features.permute(0, 3, 1, 2))

    def condition(self, image: Tensor, rays: Tensor, local_2: Tensor, local_4: Tensor,
                  pixels: Tensor) -> Tensor:
        """
        Return the local conditioning (B, N, D) of any set of pixels.

        :param pixels: (B, N, 2) pixel coordinates (u, v) of the network's image.
        """
        u, v = pixels.unbind(-1)
        # grid_sample without align_corners puts -1 and 1 on the outer edges of the image.
        grid = torch.stack([(u + 0.5) * (2 / image.shape[2]) - 1,
                            (v + 0.5) * (2 / image.shape[1]) - 1], -1)[:, :, None]  # (B, N, 1, 2)
        rgb = image.permute(0, 3, 1, 2).float() / 127.5 - 1
        maps = (local_2, local_4, torch.cat([rgb, rays.permute(0, 3, 1, 2)], 1))
        local_2, local_4, rest = (
            F.grid_sample(m, grid, mode='bilinear', padding_mode='border', align_corners=False)
            [..., 0].transpose(1, 2) for m in maps)  # (B, N, C)
        direction = rest[..., 3:] / rest[..., 3:].norm(dim=-1, keepdim=True).clamp(min=1e-6)
        geometry = ray_features(direction, log_alpha_of(rays))
        return self.local(torch.cat([local_2, local_4, rest[..., :3], geometry], -1))

    def denoise(self, x_t: Tensor, conditioning: Tensor, token_mask: Tensor, prompts: Tensor,
                prompt_conditioning: Tensor, prompt_mask: Tensor, global_: Tensor,
                gamma: Tensor) -> tuple[Tensor, Tensor]:
        """
        Predict the clean depth of the tokens.

        :param x_t: (B, N) noisy depth, x_t = sqrt(gamma) x_0 + sqrt(1 - gamma) noise.
        :param conditioning: (B, N, D) from condition().
        :param token_mask: (B, N) bool, False for padding.
        :param prompts: (B, M, 2) known (P, log sigma) of prompt pixels.
        :param prompt_conditioning: (B, M, D) from condition() at the prompt pixels.
        :param prompt_mask: (B, M) bool, False for padding.
        :param global_: (B, G, D) from encode().
        :param gamma: (B,) signal level, 0 = pure noise.
        :returns: x_0 (B, N) and log_b (B, N), the log Laplace scale in nats of range.
        """
        # The residual stream and the answer are fp32 under mixed precision too.
        interface = conditioning.float() + self.embed_depth(depth_features(x_t))
        known = torch.cat([depth_features(X_SCALE * prompts[..., 0]), prompts[..., 1:]], -1)
        prompt_tokens = self.norm_prompt(prompt_conditioning + self.embed_prompt(known))
        context = torch.cat([prompt_tokens, global_], 1)
        count = token_mask.float().sum(1, keepdim=True).clamp(min=1.0)
        weight = torch.log(TOKENS_READ / count)  # (B, 1)
        bias = torch.cat([torch.where(token_mask, weight, HIDDEN),
                          torch.where(prompt_mask, 0.0, HIDDEN),
                          torch.zeros_like(global_[..., 0])], 1)[:, None, None]
        latents = torch.cat([self.latents.expand(x_t.shape[0], -1, -1),
                             self.embed_gamma(gamma_features(gamma))[:, None]], 1)
        for block in self.blocks:
            latents, interface = block(latents, interface, context, bias)
        with torch.autocast(x_t.device.type, enabled=False):
            prediction, log_b = self.readout(interface).unbind(-1)
        return self._to_x_0(prediction, x_t, gamma[:, None]), log_b.clamp(-6, 2)

    def ddim_step(self, x_t: Tensor, conditioning: Tensor, token_mask: Tensor, prompts: Tensor,
                  prompt_conditioning: Tensor, prompt_mask: Tensor, global_: Tensor,
                  step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Denoise and take one DDIM step; this is the denoiser graph of the bundle.

        :param step: (B, 4) rows of sampler.ddim_steps: gamma_t, gamma_next, c_x0, c_xt.
        :returns: x_next, x_0 and log_b, each (B, N).
        """
        x_0, log_b = self.denoise(x_t, conditioning, token_mask, prompts, prompt_conditioning,
                                  prompt_mask, global_, step[:, 0])
        limit = X_SCALE * self.config.codec.p_limit
        x_0 = x_0.clamp(-limit, limit)
        return step[:, 2:3] * x_0 + step[:, 3:4] * x_t, x_0, log_b

    def _to_x_0(self, prediction: Tensor, x_t: Tensor, gamma: Tensor) -> Tensor:
        """Turn the network's output into x_0, whatever it predicts."""
        if self.config.prediction_type == 'v':
            return gamma.sqrt() * x_t - (1 - gamma).sqrt() * prediction
        if self.config.prediction_type == 'epsilon':
            # At gamma = 0 epsilon says nothing of x_0; the floor keeps it finite.
            return (x_t - (1 - gamma).sqrt() * prediction) / gamma.clamp(min=1e-4).sqrt()
        return prediction
