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

"""Tables: lights, sky and the arrays of a scene that the compiled loops read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Light(NamedTuple):
    """
    A lamp (a parallelogram), or the sun.

    :param position: centre [m]; for the sun the direction towards it.
    :param edge_a: one edge of the lamp [m].
    :param edge_b: the other edge of the lamp [m].
    :param power: linear RGB.
    :param is_sun: True for parallel light that does not fall off.
    """

    position: Sequence[float] | NDArray
    edge_a: Sequence[float]
    edge_b: Sequence[float]
    power: NDArray
    is_sun: bool = False


class Sky(NamedTuple):
    """Colours of the sky (linear RGB), its clouds (n, n) and the share of them."""

    zenith: NDArray
    horizon: NDArray
    clouds: NDArray
    cloudiness: float


class Tables(NamedTuple):
    """The arrays that the compiled kernels read; F faces, M materials, L lights."""

    uvs: NDArray[np.float32]  # (F, 3, 2)
    normals: NDArray[np.float32]  # (F, 3)
    density: NDArray[np.float32]  # (F,) texels per metre
    face_materials: NDArray[np.int32]  # (F,)
    texel_offsets: NDArray[np.int64]  # (M, MIP_LEVELS)
    texture_sizes: NDArray[np.int32]  # (M, MIP_LEVELS, 2) width, height
    texels: NDArray[np.uint8]  # (T, 4)
    tints: NDArray[np.float32]  # (M, 3)
    opacities: NDArray[np.float32]  # (M,)
    emissions: NDArray[np.float32]  # (M,)
    glosses: NDArray[np.float32]  # (M,)
    grains: NDArray[np.float32]  # (M, 3) amount, layer, texels per metre
    grain_tiles: NDArray[np.int8]  # (layers, texels)
    light_positions: NDArray[np.float32]  # (L, 3)
    light_edges: NDArray[np.float32]  # (L, 2, 3)
    light_powers: NDArray[np.float32]  # (L, 3)
    light_is_sun: NDArray[np.bool_]  # (L,)
