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

"""Validation on held-out worlds: the figures that choose a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
import torch

from grin_ros.data.sample import Sample
from grin_ros.depth_codec import angular_pitch, X_SCALE
from grin_ros.model.grin import Grin
from grin_ros.sampler import ddim_steps

NUM_PIXELS = 512
GRID = 4  # px, of the pictures


@torch.no_grad()
def predict_pixels(model: Grin, image: NDArray[np.uint8], rays: NDArray[np.float32],
                   pixels: NDArray[np.float32], seed: int, num_inference_steps: int = 1,
                   ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Run the network in torch on one frame of its own size.

    :returns: range (N,) [m] and Laplace scale b (N,) in nats.
    """
    frame, directions = torch.from_numpy(image)[None], torch.from_numpy(rays)[None]
    where = torch.from_numpy(pixels.astype(np.float32))[None]
    local_2, local_4, global_ = model.encode(frame, directions)
    conditioning = model.condition(frame, directions, local_2, local_4, where)
    everything = torch.ones(1, len(pixels), dtype=torch.bool)
    nothing = torch.zeros(1, 1, dtype=torch.bool)
    x = torch.randn(1, len(pixels), generator=torch.Generator().manual_seed(seed))
    for step in ddim_steps(num_inference_steps):
        x, _, log_b = model.ddim_step(
            x, conditioning, everything, torch.zeros(1, 1, 2),
            torch.zeros(1, 1, conditioning.shape[-1]), nothing, global_,
            torch.from_numpy(step)[None])
    range_m = model.config.codec.decode(x / X_SCALE, angular_pitch(directions)[:, None])
    return range_m[0].numpy(), log_b[0].exp().numpy()


def validate(model: Grin, samples: Sequence[Sample], size: tuple[int, int],
             count: int) -> dict[str, float]:
    """
    Score one-step depth on evenly chosen samples, by kind of world.

    :param size: network size (width, height).
    :returns: abs_rel, delta1, nll (mean over kinds) and abs_rel_<kind>, delta1_<kind>.
    """
    model.eval()
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for index in np.unique(np.linspace(0, len(samples) - 1, count).astype(int)):
        sample = samples[int(index)]
        rng = np.random.default_rng(int(index))
        known = np.stack(np.nonzero(np.isfinite(sample.range_m)), -1)
        if len(known) == 0:
            continue
        known = known[rng.choice(len(known), min(NUM_PIXELS, len(known)), replace=False)]
        truth = sample.range_m[known[:, 0], known[:, 1]]
        scale = np.array(size) / (sample.camera.width, sample.camera.height)
        pixels = (known[:, ::-1] + 0.5) * scale - 0.5
        range_m, b = predict_pixels(model, *network_input(sample, size),
                                    pixels.astype(np.float32), int(index))
        residual = np.abs(np.log(range_m / truth))
        rows.setdefault(str(sample.meta.get('kind', 'all')), []).append((
            float(np.mean(np.abs(range_m - truth) / truth)),
            float(np.mean(residual < np.log(1.25))), float(np.mean(residual / b + np.log(b)))))
    means = {kind: np.mean(values, 0) for kind, values in rows.items()}
    overall = np.mean(list(means.values()), 0)
    figures: dict[str, Any] = dict(zip(('abs_rel', 'delta1', 'nll'), overall, strict=True))
    for kind, values in means.items():
        figures |= {f'abs_rel_{kind}': values[0], f'delta1_{kind}': values[1]}
    return {name: float(value) for name, value in figures.items()}


def network_input(sample: Sample, size: tuple[int, int],
                  ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Resize a sample's image and camera to a network size: image and rays."""
    shrinks = size[0] <= sample.camera.width
    image = cv2.resize(sample.image, size,
                       interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return image, np.nan_to_num(sample.camera.scaled(*size).rays())


def picture(model: Grin, sample: Sample, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return photo | predicted | true range side by side as (H, 3 W, 3) uint8."""
    image, rays = network_input(sample, size)
    columns, rows = np.meshgrid(np.arange(GRID / 2 - 0.5, size[0], GRID),
                                np.arange(GRID / 2 - 0.5, size[1], GRID))
    pixels = np.stack([columns.ravel(), rows.ravel()], -1).astype(np.float32)
    range_m, _ = predict_pixels(model, image, rays, pixels, 0)

    def colour(values: NDArray[np.float32]) -> NDArray[np.uint8]:
        level = np.log(np.clip(np.nan_to_num(values, nan=0.1), 0.1, 100) / 0.1) / np.log(1000)
        turbo = cv2.applyColorMap((255 - 255 * level).astype(np.uint8), cv2.COLORMAP_TURBO)
        return cv2.resize(turbo[..., ::-1], size, interpolation=cv2.INTER_NEAREST)

    return np.hstack([image, colour(range_m.reshape(rows.shape)), colour(sample.range_m)])
