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

"""Augmentation: one Sample in, one training example at a network size out (numpy only)."""

from __future__ import annotations

from dataclasses import dataclass
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.data.sparse import choose_pixels, label_mask, make_prompts
from grin_ros.synth.sensor import contrast

MIN_HFOV_DEG = 17.0


@dataclass
class Example:
    """
    What the network sees of one sample; pixels are (u, v) of the network's image.

    image (H, W, 3) uint8, rays (H, W, 3), pixels (N, 2), range_m (N,), mask (N,) bool,
    prompt_pixels (M, 2), prompt_range_m (M,), prompt_sigma (M,) relative.
    """

    image: NDArray[np.uint8]
    rays: NDArray[np.float32]
    pixels: NDArray[np.float32]
    range_m: NDArray[np.float32]
    mask: NDArray[np.bool_]
    prompt_pixels: NDArray[np.float32]
    prompt_range_m: NDArray[np.float32]
    prompt_sigma: NDArray[np.float32]


def make_example(sample: Sample, size: tuple[int, int], num_tokens: int, max_prompts: int,
                 rng: np.random.Generator, *, prompt_rate: float = 0.5,
                 no_intrinsics_rate: float = 0.1, restyle_rate: float = 0.2) -> Example:
    """Crop, flip, recolour and sparsify a sample for a network of size (width, height)."""
    width, height = size
    image, range_m, camera = random_crop(sample, size, rng)
    scale = np.array([width / camera.width, height / camera.height])
    shrinks = width <= camera.width
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if rng.random() < no_intrinsics_rate:
        rays = Camera.default_pinhole(width, height).rays()
    else:
        rays = np.nan_to_num(camera.scaled(width, height).rays())
    mask = label_mask(range_m, rng)

    def network_pixels(rows_columns: NDArray[np.int64]) -> NDArray[np.float64]:
        return (rows_columns[:, ::-1] + 0.5) * scale - 0.5

    chosen = choose_pixels(mask, num_tokens, rng)
    pixels = network_pixels(chosen)
    known = range_m[chosen[:, 0], chosen[:, 1]]
    prompts = np.zeros((0, 2), np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32)
    if max_prompts and rng.random() < prompt_rate:
        prompts = make_prompts(range_m, max_prompts, rng)
    prompt_pixels = network_pixels(prompts[0])
    if rng.random() < 0.5:
        image, rays = image[:, ::-1], rays[:, ::-1] * np.array([-1, 1, 1], np.float32)
        pixels[:, 0] = width - 1 - pixels[:, 0]
        prompt_pixels[:, 0] = width - 1 - prompt_pixels[:, 0]
    valid = np.arange(num_tokens) < len(pixels)
    padding = num_tokens - len(pixels)
    return Example(
        image=photometric(np.ascontiguousarray(image), rng, restyle_rate),
        rays=np.ascontiguousarray(rays),
        pixels=np.pad(pixels, ((0, padding), (0, 0))).astype(np.float32),
        range_m=np.pad(known, (0, padding), constant_values=1.0), mask=valid,
        prompt_pixels=prompt_pixels.astype(np.float32), prompt_range_m=prompts[1],
        prompt_sigma=prompts[2])


def random_crop(sample: Sample, size: tuple[int, int], rng: np.random.Generator,
                ) -> tuple[NDArray[np.uint8], NDArray[np.float32], Camera]:
    """
    Cut a window of about the aspect of size (width, height), seldom narrower than 17 deg.

    Windows go down to the size itself: a small network then sees the angular pitch and the
    texture of a large one, and what it learns carries over.
    """
    camera = sample.camera
    aspect = size[0] / size[1] * math.exp(rng.normal(0.0, 0.05))
    width = min(camera.width, camera.height * aspect)
    smallest = min(0.5, size[0] / width)
    fraction = rng.uniform(smallest, 1.0) if rng.random() < 0.6 else 1.0
    narrowest = 2 * camera.intrinsics[0, 0] * math.tan(math.radians(MIN_HFOV_DEG) / 2)
    width = min(width, max(width * fraction, narrowest))
    w = min(camera.width, max(16, round(width)))  # frames may be smaller
    h = min(camera.height, max(16, round(w / aspect)))
    x = int(rng.integers(0, camera.width - w + 1))
    y = int(rng.integers(0, camera.height - h + 1))
    window = np.s_[y:y + h, x:x + w]
    return (np.ascontiguousarray(sample.image[window]), sample.range_m[window],
            camera.cropped(x, y, w, h))


def photometric(image: NDArray[np.uint8], rng: np.random.Generator,
                restyle_rate: float = 0.2) -> NDArray[np.uint8]:
    """Vary exposure, contrast, colour, blur, motion, sharpness, noise and JPEG of uint8 RGB."""
    x: NDArray[np.float32] = image.astype(np.float32) / np.float32(255)
    if rng.random() < restyle_rate:
        x = restyle(x, rng)
    x = x ** math.exp(rng.normal(0.0, 0.3))
    x *= np.float32(rng.uniform(0.6, 1.4)) * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    x = contrast(np.clip(x, 0, 1), math.exp(rng.uniform(-0.2, 0.5)))
    grey = x.mean(-1, keepdims=True)
    x = grey + (x - grey) * np.float32(rng.uniform(0.1, 1.4))
    choice = rng.random()
    if choice < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), math.exp(rng.uniform(math.log(0.3), math.log(2.0))))
    elif choice < 0.4:  # the camera moves
        x = cv2.filter2D(x, -1, _streak(rng))
    elif choice < 0.65:  # cameras sharpen, and leave halos
        x += (x - cv2.GaussianBlur(x, (0, 0), rng.uniform(0.6, 1.5))) * rng.uniform(0.2, 1.2)
    # Most photos have little noise (0.003 of white, median of 62), those in the dark much.
    noise = min(rng.exponential(0.006), 0.05)
    x += rng.standard_normal(x.shape, np.float32) * np.float32(noise)
    out = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))]
        out = cv2.imdecode(cv2.imencode('.jpg', out, quality)[1], cv2.IMREAD_COLOR)
    return out


def restyle(image: NDArray[np.float32], rng: np.random.Generator, share: float | None = None,
            ) -> NDArray[np.float32]:
    """
    Blend (H, W, 3) in 0..1 with a random convolution of itself, of the same mean and contrast.

    Shapes stay, textures and colours change: what is learnt must not hang on how renders look
    (RandConv, Xu et al. 2021).

    :param share: of the image that stays; drawn when it is None.
    """
    size = int(rng.choice([1, 3, 5]))
    kernels = rng.standard_normal((3, 3, size, size)).astype(np.float32)
    channels = cv2.split(image)
    mixed = np.dstack([sum(cv2.filter2D(channel, -1, kernel)
                           for channel, kernel in zip(channels, row, strict=True))
                       for row in kernels])
    mixed = (mixed - mixed.mean((0, 1))) / (mixed.std((0, 1)) + 1e-4)
    mixed = mixed * image.std() + image.mean()
    share = rng.uniform(0, 1) if share is None else share
    return np.clip(cv2.addWeighted(image, share, mixed, 1 - share, 0), 0, 1)


def _streak(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the kernel of a straight motion of 2 to 7 px during the exposure."""
    reach, angle = rng.uniform(1.0, 3.5), rng.uniform(0, math.pi)
    kernel = np.zeros((9, 9), np.float32)
    offset = reach * np.array([math.cos(angle), math.sin(angle)])
    ends = [np.rint((4 + side * offset) * 16).astype(int).tolist() for side in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, shift=4)
    return kernel / kernel.sum()
