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

"""A wall with a picture on it, as cameras see it from any place."""

import cv2
import numpy as np

from grin_ros.camera import Camera


def wall(camera: Camera, at: np.ndarray, depth: float) -> np.ndarray:
    """Return what a camera at a pose sees of a wall with a picture on it, at z = depth."""
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (900, 1200, 3)).astype(
        np.uint8), (0, 0), 4)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    rays = camera.rays().astype(np.float64) @ at[:3, :3].T
    hit = at[:3, 3] + rays * ((depth - at[2, 3]) / rays[..., 2])[..., None]
    u, v = hit[..., 0] * 180 + 600, hit[..., 1] * 180 + 450
    return cv2.remap(picture, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR)
