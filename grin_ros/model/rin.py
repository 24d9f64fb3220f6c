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

"""Recurrent interface network: latents read tokens, process, write back (Jabri et al. 2022)."""

from __future__ import annotations

import torch
from torch import nn, Tensor
from torch.nn import functional as F


class TokenLinear(nn.Linear):
    """Linear on (B, N, D) tokens as one 2-D product, which runtimes fuse with its bias."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) -> (B, N, D')."""
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Attention(nn.Module):
    """Multi-head attention of queries (B, Q, Dq) over a context (B, K, Dk)."""

    def __init__(self, query_dim: int, context_dim: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = TokenLinear(query_dim, width)
        self.key = TokenLinear(context_dim, width)
        self.value = TokenLinear(context_dim, width)
        self.out = TokenLinear(width, query_dim)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor | None = None) -> Tensor:
        """
        Attend; bias (B, 1, 1, K) is added to the logits (large and negative hides a key).

        :returns: (B, Q, Dq).
        """
        q, k, v = (
            layer(y).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, h, n, width/h)
            for layer, y in ((self.query, x), (self.key, context), (self.value, context)))
        if self.training and x.device.type == 'cpu':
            # There torch's own attention takes 2.7 times as long, most of it backwards.
            logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
            logits = logits if bias is None else logits + bias.to(logits.dtype)
            y = logits.softmax(-1) @ v
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(y.transpose(1, 2).flatten(2))


class Mlp(nn.Sequential):
    """Pre-normalised two-layer perceptron; ReLU, as GELU costs a CPU a tenth of the denoiser."""

    def __init__(self, dim: int, ratio: int) -> None:
        super().__init__(nn.LayerNorm(dim), TokenLinear(dim, dim * ratio), nn.ReLU(),
                         TokenLinear(dim * ratio, dim))


class ProcessLayer(nn.Module):
    """Self-attention and perceptron on the latents."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, dim, dim, heads)
        self.mlp = Mlp(dim, mlp_ratio)

    def forward(self, latents: Tensor) -> Tensor:
        """Transform (B, L, D) latents."""
        y = self.norm(latents)
        latents = latents + self.attention(y, y)
        return latents + self.mlp(latents)


class RinBlock(nn.Module):
    """One read, process, write cycle; read-only context is seen by the latents, never written."""

    def __init__(self, latent_dim: int, interface_dim: int, process_layers: int,
                 latent_heads: int, interface_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm_latents = nn.LayerNorm(latent_dim)
        self.norm_interface = nn.LayerNorm(interface_dim)
        self.read = Attention(latent_dim, interface_dim, interface_dim, interface_heads)
        self.read_mlp = Mlp(latent_dim, mlp_ratio)
        self.process = nn.ModuleList(ProcessLayer(latent_dim, latent_heads, mlp_ratio)
                                     for _ in range(process_layers))
        self.norm_query = nn.LayerNorm(interface_dim)
        self.norm_written = nn.LayerNorm(latent_dim)
        self.write = Attention(interface_dim, latent_dim, interface_dim, interface_heads)
        self.write_mlp = Mlp(interface_dim, mlp_ratio)

    def forward(self, latents: Tensor, interface: Tensor, context: Tensor,
                bias: Tensor) -> tuple[Tensor, Tensor]:
        """
        Run one cycle.

        :param latents: (B, L, Dz).
        :param interface: (B, N, D) pixel tokens.
        :param context: (B, C, D) read-only vectors, already normalised.
        :param bias: (B, 1, 1, N + C) added to the read logits.
        :returns: latents and interface after the cycle.
        """
        readable = torch.cat([self.norm_interface(interface), context], 1)
        latents = latents + self.read(self.norm_latents(latents), readable, bias)
        latents = latents + self.read_mlp(latents)
        for layer in self.process:
            latents = layer(latents)
        interface = interface + self.write(self.norm_query(interface), self.norm_written(latents))
        return latents, interface + self.write_mlp(interface)
