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

"""Embeddings: rays, noisy depth, gamma and prompts as features a network can read."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grin_ros.diffusion.depth_codec import ALPHA_0, angular_pitch

RAY_BANDS = 8
RAY_FEATURES = 3 + 2 * 3 * RAY_BANDS + 1
DEPTH_BANDS = 8
DEPTH_FEATURES = 1 + 2 * DEPTH_BANDS
GAMMA_BANDS = 16
GAMMA_FEATURES = 1 + 2 * GAMMA_BANDS


def fourier(values: Tensor, bands: int, lowest: float, highest: float) -> Tensor:
    """Return [v, sin(f v), cos(f v)] for K log-spaced f: (..., C) -> (..., C (1 + 2 K))."""
    exponents = torch.linspace(math.log(lowest), math.log(highest), bands, device=values.device)
    frequencies = exponents.exp()
    angles = (values[..., None] * frequencies).flatten(-2)  # (..., C K)
    return torch.cat([values, angles.sin(), angles.cos()], -1)


def ray_features(rays: Tensor, log_alpha: Tensor) -> Tensor:
    """
    Return what the network knows of the geometry: Fourier features of the ray and log alpha.

    :param rays: (B, ..., 3) unit rays; zeros where the camera has no ray.
    :param log_alpha: (B,) log of the angular pixel pitch over ALPHA_0.
    :returns: (B, ..., RAY_FEATURES).
    """
    alpha = log_alpha.reshape(-1, *([1] * (rays.ndim - 1))).expand(*rays.shape[:-1], 1)
    return torch.cat([fourier(rays, RAY_BANDS, math.pi, 16 * math.pi), alpha], -1)


def log_alpha_of(rays: Tensor) -> Tensor:
    """Return (B,) log(alpha / ALPHA_0) of (B, H, W, 3) rays; finite where the centre has none."""
    return (angular_pitch(rays).clamp(1e-4, 0.2) / ALPHA_0).log()


def depth_features(x: Tensor) -> Tensor:
    """Embed (noisy) depth in diffusion units, finest wave 0.25: (...) -> (..., DEPTH_FEATURES)."""
    return fourier(x[..., None], DEPTH_BANDS, math.pi / 2, 8 * math.pi)


def gamma_features(gamma: Tensor) -> Tensor:
    """Embed the signal level gamma in [0, 1]: (B,) -> (B, GAMMA_FEATURES)."""
    bands = math.pi * torch.linspace(1, 16, GAMMA_BANDS, device=gamma.device)
    angles = gamma[:, None] * bands
    return torch.cat([gamma[:, None], angles.sin(), angles.cos()], -1)
