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

"""Procedural textures stay in range, repeat without a seam and follow their seed."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.synth import materials, outdoors

MAKERS = {
    **{kind: lambda rng, kind=kind: materials.texture(rng, kind) for kind in materials.KINDS},
    **{maker.__name__: maker for maker in (
        materials.paint, materials.picture, materials.page, materials.landscape,
        materials.label, materials.shapes,
        outdoors.asphalt, outdoors.grass, outdoors.bark, outdoors.wall, outdoors.facade,
        outdoors.shopfront, outdoors.roof, outdoors.worn_paint)},
}


@pytest.mark.parametrize('name', MAKERS)
def test_texture_is_an_image(name):
    """Square RGB in 0..1; the same seed gives the same texture, another seed another one."""
    first, again, other = (MAKERS[name](np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.ndim == 3 and first.shape[2] == 3 and first.shape[0] == first.shape[1]
    assert np.isfinite(first).all() and first.min() >= -1e-6 and first.max() <= 1.3
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_noise_has_no_seam():
    """The step over the edge is like the steps inside."""
    noise = materials.fbm(np.random.default_rng(0), exponent=1.8)
    inside = np.abs(np.diff(noise, axis=0)).mean()
    assert np.abs(noise[0] - noise[-1]).mean() < 2 * inside
    assert abs(noise.mean()) < 1e-3 and abs(noise.std() - 1) < 1e-3


def test_paint_is_even():
    """Painted walls of real rooms have no stains: what varies on them is the light."""
    spreads = [materials.paint(np.random.default_rng(seed)).std((0, 1)).max()
               for seed in range(40)]
    assert np.median(spreads) > 0.002 and max(spreads) < 0.015


def test_labels_have_print_of_all_sizes():
    """Most of a label are plain areas, some of it is print as fine as the texture."""
    steps = np.array([np.abs(np.diff(materials.label(np.random.default_rng(seed)), axis=1)).max(2)
                      for seed in range(40)])
    assert (steps == 0).mean() > 0.3 and (steps > 0.2).mean() > 0.012


def test_leaves_have_gaps():
    """A leaf card is neither empty nor full."""
    card = outdoors.leaves(np.random.default_rng(3))
    assert card.shape[2] == 4 and 0.15 < (card[..., 3] > 127).mean() < 0.9
