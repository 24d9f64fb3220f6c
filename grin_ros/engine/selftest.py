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


"""Self-test: the probe through ONNX Runtime and through an engine; the difference in P out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.backends import Query
from grin_ros.bundle import Bundle, PROBE, REMEDY
from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import X_SCALE
from grin_ros.diffusion.noise import noise_at
from grin_ros.diffusion.sampler import ddim_steps
from grin_ros.engine.profile import Profile
from grin_ros.errors import GrinError
from grin_ros.inference.prompts import Prompts

Answer = Callable[[Sequence[Query]], list[tuple[NDArray[np.float32], NDArray[np.float32]]]]
REFERENCE_P = 1e-3  # largest difference in P that ONNX Runtime may have from the probe's answers
STEP_COUNTS = (1, 2)


def probe_query(bundle: Bundle, steps: int, profile: Profile | None = None,
                frame: int = 0) -> Query:
    """
    Return the bundle's probe as a question.

    :param profile: size that the probe is brought to; None for its own, which has stored answers.
    :param frame: shifts the picture and draws other pixels and noise.
    """
    with np.load(bundle.file(PROBE)) as probe:
        image, rays, pixels, seed = (probe[name] for name in ('image', 'rays', 'pixels', 'seed'))
    noise = noise_at(pixels, int(seed))[None]
    if profile is not None:
        size = profile.width, profile.height
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        image = np.roll(image, 32 * frame, axis=1)
        rays = Camera.from_hfov(70 - frame, *size).rays()
        first = int(seed) + 1000 * frame
        rng = np.random.default_rng(first)
        corner = np.array(size) - 1
        pixels = (rng.random((profile.tokens, 2)) * corner).astype(np.float32)
        noise = np.stack([noise_at(pixels, first + k) for k in range(profile.samples)])
    return Query(image, rays, pixels, np.ones(len(pixels), bool), noise, Prompts.none(),
                 ddim_steps(steps), len(pixels))


def probe_queries(bundle: Bundle, steps: int, profile: Profile) -> list[Query]:
    """Return as many different questions as a profile has frames."""
    return [probe_query(bundle, steps, profile, frame) for frame in range(profile.frames)]


def reference_answer(bundle: Bundle) -> Answer:
    """
    Return ONNX Runtime's way to answer, after checking that it answers the probe as torch did.

    It answers each query alone, whatever company that has on an engine.

    :raises GrinError: when it does not, or is not installed.
    """
    from grin_ros.backends.onnxruntime import OnnxRuntimeBackend

    backend = OnnxRuntimeBackend(bundle, 0, 'reference of the self-test')
    with np.load(bundle.file(PROBE)) as probe:
        for steps in STEP_COUNTS:
            [(x_0, _)] = backend.answer([probe_query(bundle, steps)])
            error = float(np.abs(x_0[0] - probe[f'x_0_{steps}']).max() / X_SCALE)
            if not error <= REFERENCE_P:
                raise GrinError(f'ONNX Runtime differs from the probe of {bundle.name} by '
                                f'{error:.1e} in P at {steps} steps, so there is nothing to '
                                f'measure an engine with: {REMEDY}')
    return lambda queries: [backend.answer([query])[0] for query in queries]


def difference(answer: Answer, reference: Answer, queries: Sequence[Query]) -> dict[str, Any]:
    """Return how far two ways to answer are apart, in P and in log b; means of the worst frame."""
    x_0, log_b = np.stack(answer(queries), 1)  # (frames, K, N) each
    true_x_0, true_log_b = np.stack(reference(queries), 1)
    in_p = np.abs(x_0 - true_x_0) / X_SCALE
    in_log_b = np.abs(log_b - true_log_b)
    return {'steps': len(queries[0].steps), 'mean_p': float(in_p.mean((1, 2)).max()),
            'max_p': float(in_p.max()), 'mean_log_b': float(in_log_b.mean((1, 2)).max())}
