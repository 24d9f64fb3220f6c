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

"""Batches: step number in, a batch of tensors out, the same one however often a run resumes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset

from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError
from grin_ros.train.augment import Example, make_example
from grin_ros.train.config import TrainConfig

Batch = dict[str, Tensor]


class StepBatches(Dataset[Batch]):
    """Map-style dataset whose item k is the batch of step k: resuming needs no sampler state."""

    def __init__(self, samples: ConcatDataset[Sample], config: TrainConfig, rank: int = 0,
                 ) -> None:
        self.samples, self.config, self.rank = samples, config, rank

    def __len__(self) -> int:
        """Return the number of steps of the run."""
        return self.config.steps

    def __getitem__(self, step: int) -> Batch:
        """Draw samples, one network size, and augmentations from (seed, rank, step)."""
        config, stage = self.config, self.config.stage_at(step)
        rng = np.random.default_rng((config.seed, self.rank, step))
        size = stage.sizes[rng.integers(len(stage.sizes))]
        chosen = draw(rng, self.samples.cumulative_sizes, config.data_shares, stage.batch_size)
        return collate([make_example(
            self.samples[int(i)], size, stage.num_tokens, config.max_prompts, rng,
            prompt_rate=config.prompt_rate, no_intrinsics_rate=config.no_intrinsics_rate,
            restyle_rate=config.restyle_rate)
            for i in chosen])


def plainly(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Pass batches on; what a worker process cannot read is named without a page of its code."""
    try:
        yield from batches
    except GrinError as error:
        raise GrinError(str(error).rpartition(f'{GrinError.__name__}: ')[2].strip()) from error


def draw(rng: np.random.Generator, ends: Sequence[int], shares: Sequence[float], count: int,
         ) -> NDArray[np.int64]:
    """
    Draw indices of frames of several folders.

    :param ends: index after the last frame of each folder.
    :param shares: how often each folder is drawn from; empty for its number of frames.
    """
    if not shares:
        return rng.integers(ends[-1], size=count)
    folder = rng.choice(len(ends), count, p=np.array(shares) / sum(shares))
    starts = np.array([0, *ends[:-1]])
    return rng.integers(starts[folder], np.array(ends)[folder])


def collate(examples: Sequence[Example]) -> Batch:
    """Stack examples; prompts are padded to the longest list (at least one) and masked."""
    count = max(1, *(len(example.prompt_range_m) for example in examples))
    batch = {name: torch.from_numpy(np.stack([getattr(e, name) for e in examples]))
             for name in ('image', 'rays', 'pixels', 'range_m', 'mask')}
    pixels = torch.zeros(len(examples), count, 2)
    ranges, sigmas = torch.ones(len(examples), count), torch.ones(len(examples), count)
    mask = torch.zeros(len(examples), count, dtype=torch.bool)
    for i, example in enumerate(examples):
        n = len(example.prompt_range_m)
        pixels[i, :n] = torch.from_numpy(example.prompt_pixels)
        ranges[i, :n] = torch.from_numpy(example.prompt_range_m)
        sigmas[i, :n] = torch.from_numpy(example.prompt_sigma)
        mask[i, :n] = True
    return batch | {'prompt_pixels': pixels, 'prompt_range_m': ranges,
                    'prompt_sigma': sigmas, 'prompt_mask': mask}
