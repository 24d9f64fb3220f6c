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

"""How much scale flickers from image to image, with and without scale_smoothing."""

from __future__ import annotations

import argparse
from pathlib import Path
import sys

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the benchmark runs from a source tree

from bench_drive import CAMERA, images  # noqa: E402
import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

from grin_ros.estimator import DepthEstimator  # noqa: E402
from grin_ros.postprocess.steady_scale import SteadyScale  # noqa: E402
from grin_ros.synth.assets import load_library  # noqa: E402
from grin_ros.synth.furniture import Furniture  # noqa: E402

PERIOD = 0.1  # [s]
SPEEDS = (0.0, 0.3, 1.0)  # [m/s]
CONSTANTS = (0.0, 0.1, 0.2, 0.5)  # [s]


def flicker(errors: np.ndarray) -> float:
    """Return the standard deviation of an image's scale (log), of how it differs from the next."""
    return float(np.std(np.diff(errors)) / np.sqrt(2))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--worlds', type=int, default=40)
    parser.add_argument('--bundle')
    options = parser.parse_args()
    furniture = Furniture(load_library())
    estimator = DepthEstimator.load(options.bundle, 'onnxruntime', cpu_threads=1)
    ray_z = CAMERA.rays()[..., 2]
    for speed in SPEEDS:
        rows: dict[float, list[tuple[float, float, float]]] = {}
        for number in tqdm(range(options.worlds), f'drives at {speed} m/s'):
            steady = {seconds: SteadyScale() for seconds in CONSTANTS}
            errors: dict[float, list[float]] = {seconds: [] for seconds in CONSTANTS}
            for moment, image, range_m in images(number, furniture, PERIOD, PERIOD, speed):
                depth, true = estimator.estimate(image, CAMERA).depth, range_m < np.inf
                error = float(np.nanmedian(np.log(depth[true] / (range_m * ray_z)[true])))
                for seconds, scale in steady.items():
                    factor = scale.factor(depth, CAMERA, 1 + round(1e9 * moment), seconds)
                    errors[seconds].append(error + float(np.log(factor)))
            for seconds, each in errors.items():
                if each:
                    rows.setdefault(seconds, []).append(
                        (flicker(np.array(each)), float(np.mean(np.abs(each))),
                         float(np.mean(each))))
        for seconds, values in rows.items():
            print('{} m/s, scale_smoothing {} s, {} drives: flicker {:.4f}, mean |log| of the '
                  'scale {:.4f}, mean {:+.4f}'.format(speed, seconds, len(values),
                                                      *np.mean(values, 0)), flush=True)


if __name__ == '__main__':
    main()
