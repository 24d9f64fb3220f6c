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

"""Camera: intrinsics, distortion and image size in; one unit ray per pixel out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from grin_ros.camera import fisheye
from grin_ros.camera.distortion import checked_model, undistort
from grin_ros.camera.region import region_of
from grin_ros.errors import GrinError


@dataclass(frozen=True, eq=False)
class Camera:
    """
    A camera model; integer pixel coordinates are pixel centres (OpenCV, ROS).

    Cameras of the same figures are equal, so what depends on one may be kept by it.

    :param intrinsics: (3, 3) float64 K [px].
    :param width: image width [px].
    :param height: image height [px].
    :param distortion: D as in sensor_msgs/CameraInfo; empty or zeros for an ideal pinhole.
    :param model: a key of distortion.DISTORTION_MODELS; without distortion any but a fisheye's.
    :raises GrinError: for a size, K or D that no camera has.
    """

    intrinsics: NDArray[np.float64]
    width: int
    height: int
    distortion: tuple[float, ...] = ()
    model: str = 'plumb_bob'

    def __post_init__(self) -> None:
        """Validate at the border, so that nothing behind it needs to."""
        k = np.array(self.intrinsics, dtype=np.float64)
        if k.shape != (3, 3) or not np.isfinite(k).all() or k[0, 0] <= 0 or k[1, 1] <= 0:
            raise GrinError('intrinsics K must be 3x3, finite, with fx > 0 and fy > 0, not '
                            f'{k.tolist()}')
        if self.width < 1 or self.height < 1:
            raise GrinError(f'camera size must be positive, not {self.width}x{self.height}')
        model, distortion = checked_model(self.model, self.distortion)
        object.__setattr__(self, 'intrinsics', k)
        object.__setattr__(self, 'distortion', distortion)
        object.__setattr__(self, 'model', model)

    def _figures(self) -> tuple[Any, ...]:
        return (self.width, self.height, self.model, self.distortion, *self.intrinsics.flat)

    def __eq__(self, other: object) -> bool:
        """Compare by value."""
        return isinstance(other, Camera) and self._figures() == other._figures()

    def __hash__(self) -> int:
        """Return the same for equal cameras."""
        return hash(self._figures())

    @classmethod
    def pinhole(cls, fx: float, fy: float, cx: float, cy: float,
                width: int, height: int) -> Camera:
        """Build an ideal pinhole from fx, fy, cx, cy [px] and the image size [px]."""
        return cls(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64), width, height)

    @classmethod
    def default_pinhole(cls, width: int, height: int) -> Camera:
        """Build the paper's camera for unknown intrinsics: fx = cx = W/2, fy = cy = H/2."""
        return cls.pinhole(width / 2, height / 2, width / 2, height / 2, width, height)

    @classmethod
    def from_hfov(cls, hfov_deg: float, width: int, height: int) -> Camera:
        """Build a pinhole with square pixels from a horizontal field of view [deg]."""
        if not 0 < hfov_deg < 180:
            raise GrinError(f'horizontal field of view must be in (0, 180) deg, not {hfov_deg}')
        f_px = width / 2 / np.tan(np.deg2rad(hfov_deg) / 2)
        return cls.pinhole(f_px, f_px, (width - 1) / 2, (height - 1) / 2, width, height)

    @classmethod
    def from_camera_info(cls, msg: Any, rectified: bool) -> Camera:
        """
        Read a sensor_msgs/CameraInfo, with its region of interest and binning.

        :param msg: the message (any object with its fields).
        :param rectified: True when the image is rectified: the 3x3 of P (K if P is zero), no D.
        :raises GrinError: when the camera is not calibrated or the message contradicts itself.
        """
        p = np.asarray(msg.p, np.float64).reshape(3, 4)[:, :3]
        k = np.asarray(msg.k, np.float64).reshape(3, 3)
        k = p if rectified and p[0, 0] != 0 else k
        if k[0, 0] == 0:
            raise GrinError('camera_info has K[0] = 0, so the camera is not calibrated: calibrate '
                            'it, set hfov_deg, or require_camera_info: false for depth without '
                            'metric scale')
        d = () if rectified else tuple(msg.d)
        model = msg.distortion_model or 'plumb_bob'
        model = 'plumb_bob' if rectified else {'fisheye': 'equidistant'}.get(model, model)
        x, y, width, height, binning_x, binning_y = region_of(msg)
        camera = cls(k, int(msg.width), int(msg.height), d, model)
        return camera.cropped(x, y, width, height).scaled(width // binning_x, height // binning_y)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Camera:
        """Read what to_dict wrote."""
        return cls(np.array(values['intrinsics'], np.float64), int(values['width']),
                   int(values['height']), tuple(values['distortion']), str(values['model']))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return {'intrinsics': self.intrinsics.tolist(), 'width': self.width,
                'height': self.height, 'distortion': list(self.distortion), 'model': self.model}

    @property
    def is_pinhole(self) -> bool:
        """Tell whether rays are K^-1 [u, v, 1]: no distortion."""
        return not self.distortion and self.model != 'equidistant'

    @property
    def hfov_deg(self) -> float:
        """Return the angle [deg] across the middle row, as far as it has rays; NaN without any."""
        u = np.array([-0.5, *range(self.width), self.width - 0.5])
        rays = self.rays_at(np.stack([u, np.full_like(u, self.height // 2)], -1))
        rays = rays[np.isfinite(rays).all(1)]
        if len(rays) < 2:
            return float('nan')
        # Each side's angle from the axis: together they may exceed 180 degrees.
        left, right = np.degrees(np.arctan2(rays[[0, -1], 0], rays[[0, -1], 2])).tolist()
        return right - left

    def scaled(self, width: int, height: int) -> Camera:
        """Return the camera of the image resized to width x height: u' = (u + 0.5) s - 0.5."""
        sx, sy = width / self.width, height / self.height
        k = self.intrinsics.copy()
        k[0] *= sx
        k[1] *= sy
        k[0, 2] += 0.5 * sx - 0.5
        k[1, 2] += 0.5 * sy - 0.5
        return replace(self, intrinsics=k, width=int(width), height=int(height))

    def cropped(self, x: int, y: int, width: int, height: int) -> Camera:
        """Return the camera of the window whose first pixel is (x, y) [px]."""
        k = self.intrinsics.copy()
        k[0, 2] -= x
        k[1, 2] -= y
        return replace(self, intrinsics=k, width=int(width), height=int(height))

    def same_lens(self, other: Camera) -> bool:
        """Return True for one camera before and after it has focused, which changes f a little."""
        if self == other:  # the same figures: the usual case, and rays take a millisecond
            return True
        if any(getattr(self, name) != getattr(other, name)
               for name in ('width', 'height', 'model', 'is_pinhole')):
            return False
        u, v = np.meshgrid(np.linspace(0, self.width - 1, 5), np.linspace(0, self.height - 1, 5))
        pixels = np.column_stack([u.ravel(), v.ravel()])
        return (np.allclose(self.intrinsics, other.intrinsics, rtol=0.03)
                and np.allclose(self.rays_at(pixels), other.rays_at(pixels), atol=0.03,
                                equal_nan=True))

    def pixel_grid(self) -> NDArray[np.float64]:
        """Return the (H*W, 2) pixel centres (u, v), row by row."""
        v, u = np.mgrid[:self.height, :self.width]
        return np.stack([u.ravel(), v.ravel()], -1).astype(np.float64)

    def normalised(self, u: NDArray[np.float64], v: NDArray[np.float64]
                   ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x and y of K^-1 [u, v, 1]; of a row u and a column v a row and a column."""
        k = self.intrinsics
        y = (v - k[1, 2]) / k[1, 1]
        # Without skew, as of almost all cameras, x does not depend on y.
        return (u - k[0, 2] - (k[0, 1] * y if k[0, 1] else 0.0)) / k[0, 0], y

    def rays(self) -> NDArray[np.float32]:
        """Return (H, W, 3) unit rays, x right, y down, z forward (REP-103 optical frame)."""
        if not self.is_pinhole:
            return self.rays_at(self.pixel_grid()).reshape(self.height, self.width, 3)
        x, y = self.normalised(np.arange(float(self.width)),
                               np.arange(float(self.height))[:, None])
        length = np.sqrt(x * x + y * y + 1)
        rays = np.empty((self.height, self.width, 3), np.float32)
        rays[..., 0], rays[..., 1], rays[..., 2] = x / length, y / length, 1 / length
        return rays

    def rays_at(self, pixels: ArrayLike) -> NDArray[np.float32]:
        """
        Return the unit rays of pixels; NaN where the distortion has no inverse.

        :param pixels: (N, 2) pixel coordinates (u, v).
        :returns: (N, 3) float32.
        """
        pixels = np.asarray(pixels, np.float64).reshape(-1, 2)
        x, y = self.normalised(*pixels.T)
        if self.model == 'equidistant':
            rays = fisheye.rays_of(x, y, self.distortion)
        else:
            if self.distortion:
                x, y = undistort(x, y, self.distortion)
            rays = np.stack([x, y, np.ones_like(x)], -1)
            rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        return rays.astype(np.float32)

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """
        Project points of the optical frame to pixels; NaN where the model cannot see them.

        :param points: (N, 3) [m] (any positive scale).
        :returns: (N, 2) pixel coordinates (u, v).
        """
        points = np.asarray(points, np.float64).reshape(-1, 3)
        k = self.intrinsics
        if self.model == 'equidistant':
            x, y = fisheye.project(points, self.distortion)
        else:
            with np.errstate(divide='ignore', invalid='ignore'):
                z = np.where(points[:, 2] > 0, points[:, 2], np.nan)
                x, y = points[:, 0] / z, points[:, 1] / z
            if self.distortion:
                normal = np.stack([x, y, np.ones_like(x)], -1)
                x, y = cv2.projectPoints(np.nan_to_num(normal), np.zeros(3), np.zeros(3),
                                         np.eye(3), np.array(self.distortion))[0][:, 0].T
                x, y = np.where(np.isfinite(z), x, np.nan), np.where(np.isfinite(z), y, np.nan)
        return np.stack([k[0, 0] * x + k[0, 1] * y + k[0, 2], k[1, 1] * y + k[1, 2]], -1)

    def unproject(self, depth: NDArray) -> NDArray[np.float32]:
        """Lift (H, W) z-depth [m] to (H, W, 3) points [m] in the optical frame."""
        if depth.shape != (self.height, self.width):
            raise GrinError(f'depth is {depth.shape[1]}x{depth.shape[0]}, '
                            f'the camera {self.width}x{self.height}')
        rays = self.rays()
        with np.errstate(invalid='ignore'):  # sky on the axis: 0 times infinity
            return (rays / rays[..., 2:]) * depth[..., None].astype(np.float32)
