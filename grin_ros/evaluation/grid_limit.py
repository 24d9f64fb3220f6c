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

"""Grid limit: what a perfect network could answer, as it is only asked on the query grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grin_ros.data.sample import Sample
from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.inference.decode import Decoder, nearest_valid
from grin_ros.inference.preprocess import View


def through_grid(sample: Sample, codec: DepthCodec, input_size: tuple[int, int], stride: int,
                 ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Sample the truth at the query grid and bring it to the image's size again.

    :param sample: with dense truth.
    :param codec: of the bundle.
    :param input_size: as of the estimator; so is stride.
    :returns: z-depth (H, W) [m] interpolated as the estimator does, guided by the image, and
        z-depth interpolated linearly.
    """
    view = View.of(sample.camera, input_size, stride)
    decoder = Decoder(view, codec)
    height, width = sample.range_m.shape
    # Pixel u' of the network's image is u = (u' + 0.5) / s - 0.5 of the camera's.
    scale = np.array([width / view.network.width, height / view.network.height])
    column, row = np.round((view.grid + 0.5) * scale - 0.5).astype(int).T
    row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    nearest = nearest_valid(~np.isnan(sample.range_m)).reshape(height, width)[row, column]
    range_m = sample.range_m.ravel()[nearest].clip(codec.range_min, codec.range_max)
    guided = decoder.depth(codec.encode(range_m, view.alpha), decoder.ray_z,
                           view.image(sample.image))
    # spread() interpolates any values of the grid linearly; inverse range is what is linear.
    linear = decoder.ray_z / decoder.spread((1 / range_m).astype(np.float32))
    return guided, linear
