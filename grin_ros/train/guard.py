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

"""Guard: the loss of each step in, whether training has gone astray out."""

from __future__ import annotations

from dataclasses import dataclass
import math

LEAST = 0.3  # [nats] a mean below counts as that: noise is not a spike


@dataclass
class SpikeGuard:
    """
    Sees the loss step by step.

    :param factor: a loss that many times the running mean is a spike.
    :param patience: spikes in a row that mean that the weights, not the batch, are bad.
    :param memory: steps over which the mean runs.
    :param spikes: in a row, up to now; weights of such a moment are not to be kept.
    :param returns: how often training went back without one good loss in between.
    """

    factor: float = 3.0
    patience: int = 5
    memory: int = 100
    mean: float = 0.0
    seen: int = 0
    spikes: int = 0
    returns: int = 0

    def is_astray(self, loss: float) -> bool:
        """Return True when training must go back to its last checkpoint: NaN, or spikes."""
        if math.isfinite(loss) and (self.seen < self.patience
                                    or loss <= self._highest()):
            self.seen += 1
            self.mean += (loss - self.mean) / min(self.seen, self.memory)
            self.spikes = self.returns = 0
            return False
        self.spikes += 1
        if math.isfinite(loss) and self.spikes < self.patience:
            return False
        self.spikes = 0
        self.returns += 1
        return True

    def _highest(self) -> float:
        """Return the highest loss that is no spike; the mean of one with a likelihood may be 0."""
        return self.mean + (self.factor - 1) * max(abs(self.mean), LEAST)
