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

"""Labels: what training may see of an image's ranges."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.data.sparse import choose_pixels, label_mask, make_prompts, scan_prompts


def holey_range() -> np.ndarray:
    """Return ranges with unknown pixels (NaN) and sky (+Inf)."""
    range_m = np.random.default_rng(0).uniform(0.5, 30, (48, 64)).astype(np.float32)
    range_m[:8] = np.inf
    range_m[20:30, 10:40] = np.nan
    return range_m


@pytest.mark.parametrize('seed', range(40))
def test_unlabelled_pixels_never_become_tokens(seed: int) -> None:
    """Whatever mask is drawn, no pixel without a label is chosen."""
    rng = np.random.default_rng(seed)
    range_m = holey_range()
    chosen = choose_pixels(label_mask(range_m, rng), 200, rng)
    assert not np.isnan(range_m[chosen[:, 0], chosen[:, 1]]).any()
    assert len(np.unique(chosen, axis=0)) == len(chosen) <= 200


def test_what_a_sensor_measured_in_few_pixels_is_not_thinned() -> None:
    """A lidar labels a few hundredths of an image: dropping most of them leaves nothing."""
    range_m = np.full((60, 80), np.nan, np.float32)
    range_m[20::8, ::4] = 5
    for seed in range(20):
        mask = label_mask(range_m, np.random.default_rng(seed))
        assert np.array_equal(mask, np.isfinite(range_m))


def test_densities_span_a_thousandth_to_all() -> None:
    """Masks reach from a few pixels to every labelled one."""
    range_m = holey_range()
    labelled = (~np.isnan(range_m)).sum()
    shares = [label_mask(range_m, np.random.default_rng(seed)).sum() / labelled
              for seed in range(300)]
    assert min(shares) < 0.02 and max(shares) == 1


def test_prompts_are_finite_exact_or_noisy_and_few_are_wrong() -> None:
    """Prompts come from known, finite ranges; most lie within four of their sigmas."""
    range_m = holey_range()
    counts, off, on_a_row = [], [], []
    for seed in range(200):
        pixels, known, sigma = make_prompts(range_m, 1000, np.random.default_rng(seed))
        truth = range_m[pixels[:, 0], pixels[:, 1]]
        assert np.isfinite(truth).all() and np.isfinite(known).all()
        counts.append(len(known))
        if len(known) > 9:
            on_a_row.append(np.ptp(pixels[:, 0]) < 16)
        off.append(np.mean(np.abs(np.log(known / truth)) > 4 * sigma))
    assert min(counts) <= 2 and max(counts) > 300
    assert 0 < np.mean(off) < 0.1
    assert 0.3 < np.mean(on_a_row) < 0.5


def test_a_scan_sees_known_ranges_near_the_middle_row() -> None:
    range_m = holey_range()
    range_m[17:32, 10:40], range_m[:, 50:] = np.nan, np.nan
    prompts = scan_prompts(range_m, 32, 0.02, np.random.default_rng(0))
    columns, rows = prompts[:, 0].astype(int), prompts[:, 1].astype(int)
    truth = range_m[rows, columns]
    assert np.isfinite(truth).all() and len(np.unique(columns)) == len(columns)
    # Of the hole that leaves nothing near the middle row, and of the unknown part, none.
    assert columns.tolist() == [*range(1, 10, 2), *range(41, 50, 2)]
    assert (np.abs(rows - 23.5) <= 4.8).all()
    errors = np.log(prompts[:, 2] / truth)
    assert 0.01 < errors.std() < 0.03 and (prompts[:, 3] == 0.02).all()
