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


"""Calibrate: a network and held-out worlds in; what makes its sigma mean what it says out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.data.sample import evenly, Sample
from grin_ros.model.grin import Grin
from grin_ros.train.augment import restyle
from grin_ros.train.validate import Frame

ONE_SIGMA = 0.683
FEWEST = 8  # frames that tell something about a kind of world


def calibrate(model: Grin, samples: Sequence[Sample], input_size: tuple[int, int],
              step_counts: Sequence[int], count: int = 96) -> dict[str, Any]:
    """
    Fit sigma, which has two parts: of each pixel, and of the scale of its whole frame.

    The network's Laplace scale b tells the pixels of a frame apart. How wrong the scale of a
    frame is it cannot tell, and that part is the larger one where the world is new; so it is
    judged with the look of each image replaced.

    :param samples: held-out frames; without any, sigma stays as the network says.
    :returns: ``sigma_calibration``, the factor of b per number of steps at which 68.3 % of the
        errors lie within sqrt(2) times it when the median error of the frame is taken out; and
        ``sigma_frame``, the root mean square over frames of that median, in log range, when
        each image is replaced by a random convolution of itself; kinds of worlds count alike.
    """
    ratios: dict[str, list[np.ndarray]] = {str(steps): [] for steps in step_counts}
    scales: dict[str, list[float]] = {}
    for index in evenly(len(samples), count):
        sample = samples[index]
        frame = Frame.of(sample, input_size, seed=index)
        if len(frame.truth) == 0:
            continue
        encoded = frame.encode(model)
        unseen = replace(frame, image=strange(frame.image, index)).encode(model)
        scales.setdefault(str(sample.meta.get('kind', '')), []).append(
            float(np.median(np.log(unseen.predict(step_counts[0])[0] / frame.truth))))
        for steps in step_counts:
            range_m, b = encoded.predict(steps)
            error = np.log(range_m / frame.truth)
            ratios[str(steps)].append(np.abs(error - np.median(error)) / (np.sqrt(2) * b))
    variances = [float(np.mean(np.square(of_kind))) for of_kind in scales.values()
                 if len(of_kind) >= FEWEST]
    return {'sigma_calibration': {
        steps: float(np.quantile(np.concatenate(values), ONE_SIGMA)) if values else 1.0
        for steps, values in ratios.items()},
        'sigma_frame': float(np.sqrt(np.mean(variances))) if variances else 0.0}


def strange(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return an (H, W, 3) image whose shapes stay while its colours and textures do not."""
    convolved = restyle(image.astype(np.float32) / np.float32(255), np.random.default_rng(seed),
                        share=0.0)
    return (convolved * 255 + 0.5).astype(np.uint8)
