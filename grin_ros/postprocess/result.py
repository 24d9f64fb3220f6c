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


"""Result: a frame and its estimate in; gated depth, image and sigma on the published grid out."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.messages.intake import Frame
from grin_ros.messages.ranges import nanoseconds
from grin_ros.params import DepthParams
from grin_ros.postprocess.body_mask import BodyMask
from grin_ros.postprocess.carried_scale import CarriedScale
from grin_ros.postprocess.floor import FloorScale, Mount
from grin_ros.postprocess.gates import apply_gates
from grin_ros.postprocess.rectify import rectified_camera, Rectifier
from grin_ros.postprocess.steady_scale import SteadyScale

if TYPE_CHECKING:  # what loads the model is imported when it is loaded
    from grin_ros.estimator import DepthEstimate

Array = NDArray[np.float32]


class Results:
    """
    Makes results; remembers what depends on the camera, and the scale that it was told.

    :param body_mask: tells which pixels are the robot itself.
    """

    def __init__(self, body_mask: BodyMask | None = None) -> None:
        """Start without a camera."""
        self._body_mask = body_mask
        self._rectifiers: list[Rectifier] = []
        self.floor = FloorScale()
        self.carried = CarriedScale()
        self._steady = SteadyScale()

    def make(self, frame: Frame, estimate: DepthEstimate, params: DepthParams) -> Result:
        """Return what is published of an estimate, whose depth is gated in place."""
        if self._body_mask is not None:
            np.copyto(estimate.depth, np.nan, where=self._body_mask.on(*estimate.depth.shape))
        camera, moment = _grid_camera(frame, estimate), nanoseconds(frame.header.stamp)
        if frame.num_ranges:  # they went into the estimate
            self.floor.skip()
            self.carried.keep(estimate.depth, camera, moment)
        else:
            estimate = self._scaled(estimate, frame, params)
        factor = self._steady.factor(
            estimate.depth, camera, moment, 0.0 if frame.num_ranges else params.scale_smoothing,
            self._told_by(frame, params))
        estimate = estimate if factor == 1 else estimate.scaled(factor)
        return Result(frame, estimate, params, self.rectifier)

    def _told_by(self, frame: Frame, params: DepthParams) -> tuple[Any, ...]:
        """Return what tells the scale of a frame; what a user sets counts at once."""
        # What TF tells of a mount differs from frame to frame.
        mount = () if params.floor_frame else (params.camera_height, params.camera_pitch_deg)
        return bool(frame.num_ranges), self.floor.factor is None, params.depth_scale, *mount

    def _scaled(self, estimate: DepthEstimate, frame: Frame, params: DepthParams
                ) -> DepthEstimate:
        """Return an estimate without known ranges at the scale that is known otherwise."""
        mount = (Mount(params.camera_height, params.camera_pitch_deg)
                 if params.camera_height > 0 else None)
        # Where TF is silent for an image, or the robot leans for one, the scale must not jump.
        if mount is not None or params.floor_frame:
            estimate = self.floor.apply(estimate, _grid_camera(frame, estimate), mount,
                                        nanoseconds(frame.header.stamp))
        else:
            self.floor.forget()
        factor, self.carried.factor = params.depth_scale, None
        if self.floor.factor is not None:
            return estimate
        if frame.prompts is not None:  # there is a sensor, which is silent
            factor = self.carried.blend(estimate.depth, _grid_camera(frame, estimate),
                                        nanoseconds(frame.header.stamp), factor)
        return estimate if factor == 1 else estimate.scaled(factor)

    def rectifier(self, source: Camera, target: Camera) -> Rectifier:
        """Return the one between two cameras; a depth and an image size are kept."""
        for known in self._rectifiers:
            if (known.source, known.target) == (source, target):
                return known
        self._rectifiers = [*self._rectifiers[-1:], Rectifier(source, target)]
        return self._rectifiers[-1]


class Result:
    """
    All pictures of one answer, on one grid.

    :param rectifier: returns the Rectifier between two cameras.
    """

    def __init__(self, frame: Frame, estimate: DepthEstimate, params: DepthParams,
                 rectifier: Any) -> None:
        """Gate depth, then move it to the grid; all else is made when it is read."""
        self._frame, self._estimate, self._rectifier = frame, estimate, rectifier
        height, width = estimate.depth.shape
        self._source = _camera(frame)
        self.rectified = params.output == 'rectified'
        self.image_camera = (rectified_camera(frame.info, self._source) if self.rectified
                             else self._source)
        self.camera = self.image_camera.scaled(width, height)
        sigma = estimate.depth * estimate.spread if params.max_sigma > 0 else None
        depth = estimate.depth
        apply_gates(depth, estimate.ray_z, sigma, params.min_depth, params.max_depth,
                    params.max_sigma, params.edge_gate)
        self.depth: Array = self._moved.depth(depth) if self._moved else depth  # (H, W) [m]

    def described(self, rectified: bool) -> tuple[Any, bool]:
        """
        Return the camera_info that the grid's own follows, if any, and whether D is zero there.

        :param rectified: whether the image was rectified when it came.
        """
        # On a grid of our own P and R are ours, too.
        info = None if self.rectified and not rectified else self._frame.info
        return info, rectified or self.rectified

    @cached_property
    def _moved(self) -> Rectifier | None:
        """Return what moves pictures of the size of depth; None when they stay."""
        if self.image_camera is self._source:
            return None
        source = self._source.scaled(self.camera.width, self.camera.height)
        return self._rectifier(source, self.camera)

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """Return the (H', W', 3) RGB image; H' and W' are output_scale times H and W."""
        if self.image_camera is self._source:
            return self._frame.image
        return self._rectifier(self._source, self.image_camera).image(self._frame.image)

    @cached_property
    def spread(self) -> Array:
        """Return the (H, W) standard deviation as a share of depth."""
        seen = self._estimate.spread
        return self._moved.nearest(seen) if self._moved else seen

    @cached_property
    def shape_spread(self) -> Array:
        """Return the spread that is left when the scale of the frame is known."""
        seen = self._estimate.shape_spread()
        return self._moved.nearest(seen) if self._moved else seen

    @cached_property
    def sigma(self) -> Array:
        """Return the (H, W) standard deviation [m]; NaN where depth is not finite."""
        known = np.where(np.isfinite(self.depth), self.depth, np.float32(np.nan))
        return np.asarray(known * self.spread)


def _grid_camera(frame: Frame, estimate: DepthEstimate) -> Camera:
    """Return the camera of the grid of an estimate."""
    height, width = estimate.depth.shape
    return _camera(frame).scaled(width, height)


def _camera(frame: Frame) -> Camera:
    """Return the camera of a frame, which may be unknown."""
    return frame.camera or Camera.default_pinhole(*frame.image.shape[1::-1])
