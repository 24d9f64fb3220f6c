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
from dataclasses import dataclass
import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor

from grin_ros.data.sample import evenly, Sample
from grin_ros.data.sparse import choose_pixels
from grin_ros.diffusion.depth_codec import angular_pitch, X_SCALE
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import View
from grin_ros.model.grin import Grin
from grin_ros.visualise import colour_depth, limits

NUM_PIXELS = 512
GRID = 4  # px, of the pictures
HEAD = 1 << 16  # bytes of a shard that tell it from others


@dataclass(frozen=True)
class Frame:
    """One image at a network size with the pixels to predict and, where known, their range."""

    image: NDArray[np.uint8]
    rays: NDArray[np.float32]
    pixels: NDArray[np.float32]
    truth: NDArray[np.float32]
    seed: int

    @classmethod
    def of(cls, sample: Sample, input_size: tuple[int, int], seed: int) -> Frame:
        """See a sample as the deployed network would, at NUM_PIXELS of its labelled pixels."""
        known = choose_pixels(np.isfinite(sample.range_m), NUM_PIXELS, np.random.default_rng(seed))
        view = View.of(sample.camera, input_size, GRID)
        return cls(view.image(sample.image), view.rays, view.to_network(known[:, ::-1]),
                   sample.range_m[known[:, 0], known[:, 1]], seed)

    @torch.no_grad()
    def encode(self, model: Grin) -> Encoded:
        """Run the encoder and the conditioner once, for any number of steps."""
        image, rays = torch.from_numpy(self.image)[None], torch.from_numpy(self.rays)[None]
        local_2, local_4, global_ = model.encode(image, rays)
        pixels = torch.from_numpy(self.pixels)[None]
        conditioning = model.condition(image, rays, local_2, local_4, pixels)
        return Encoded(model, conditioning, global_, angular_pitch(rays)[:, None], self.seed)


@dataclass(frozen=True)
class Encoded:
    """A frame after the encoder; the denoiser may run on it with any number of steps."""

    model: Grin
    conditioning: Tensor
    global_: Tensor
    alpha: Tensor
    seed: int

    @torch.no_grad()
    def predict(self, num_inference_steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return range (N,) [m] and Laplace scale b (N,) in nats."""
        count, width = self.conditioning.shape[1:]
        x = torch.randn(1, count, generator=torch.Generator().manual_seed(self.seed))
        everything = torch.ones(1, count, dtype=torch.bool)
        nothing = torch.zeros(1, 1, dtype=torch.bool)
        for step in ddim_steps(num_inference_steps):
            x, _, log_b = self.model.ddim_step(
                x, self.conditioning, everything, torch.zeros(1, 1, 2), torch.zeros(1, 1, width),
                nothing, self.global_, torch.from_numpy(step)[None])
        range_m = self.model.config.codec.decode(x / X_SCALE, self.alpha)
        return range_m[0].numpy(), log_b[0].exp().numpy()


def worlds_id(folder: Path, count: int, input_size: tuple[int, int]) -> str:
    """Return what tells figures that may be compared: same shards, frames and input size."""
    paths = sorted(folder.glob('*.tar')) if folder.is_dir() else [folder]
    digest = hashlib.sha256(repr((count, tuple(input_size))).encode())
    # `grin scenes` writes worlds.json, `grin shards` does not.
    for path in filter(Path.is_file, [*paths, folder / 'worlds.json']):
        digest.update(f'{path.name} {path.stat().st_size} '.encode())
        with open(path, 'rb') as stream:  # tars end on full blocks: many are of one size
            digest.update(stream.read(HEAD))
    return digest.hexdigest()[:16]


def need_labels(samples: Sequence[Sample], count: int, val: str) -> None:
    """Refuse held-out frames of which validate() could score none."""
    if not any(np.isfinite(samples[index].range_m).any()
               for index in evenly(len(samples), count)):
        raise GrinError(f'val: none of the held-out frames looked at in {val} has a label: give '
                        'a folder whose frames have depth')


def validate(model: Grin, samples: Sequence[Sample], input_size: tuple[int, int],
             count: int) -> dict[str, float]:
    """
    Score one-step depth on evenly chosen samples, by kind of world.

    :param input_size: (width, height) that the network is trained for.
    :raises GrinError: when no frame has a label.
    :returns: abs_rel, delta1, nll (mean over kinds) and abs_rel_<kind>, delta1_<kind>.
    """
    model.eval()
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for index in evenly(len(samples), count):
        sample = samples[index]
        frame = Frame.of(sample, input_size, seed=index)
        if len(frame.truth) == 0:
            continue
        range_m, b = frame.encode(model).predict(1)
        error = np.abs(np.log(range_m / frame.truth))
        rows.setdefault(str(sample.meta.get('kind', 'all')), []).append((
            float(np.mean(np.abs(range_m - frame.truth) / frame.truth)),
            float(np.mean(error < np.log(1.25))), float(np.mean(error / b + np.log(b)))))
    if not rows:
        raise GrinError('no held-out frame has a label: give another val')
    means = {kind: np.mean(values, 0) for kind, values in rows.items()}
    figures = dict(zip(('abs_rel', 'delta1', 'nll'), np.mean(list(means.values()), 0),
                       strict=True))
    for kind, values in means.items():
        figures |= {f'abs_rel_{kind}': values[0], f'delta1_{kind}': values[1]}
    return {name: float(value) for name, value in figures.items()}


def picture(model: Grin, sample: Sample, input_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return photo | predicted | true range side by side as (H, 3 W, 3) uint8."""
    view = View.of(sample.camera, input_size, GRID)
    image, size = view.image(sample.image), (view.network.width, view.network.height)
    frame = Frame(image, view.rays, view.grid, np.zeros(0, np.float32), 0)
    range_m, _ = frame.encode(model).predict(1)
    near, far = limits(sample.range_m)
    coloured = (colour_depth(values, near, far)
                for values in (range_m.reshape(view.grid_size[::-1]), sample.range_m))
    return np.hstack([image, *(cv2.resize(each, size, interpolation=cv2.INTER_NEAREST)
                               for each in coloured)])
