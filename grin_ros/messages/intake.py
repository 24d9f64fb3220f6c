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

"""Intake: an image message and the camera_info that belongs to it in; RGB and Camera out."""

from __future__ import annotations

from collections import OrderedDict
import copy
from dataclasses import dataclass
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.errors import GrinError, problem_of
from grin_ros.messages import (
    image_from_msg,
    max_level,
    of_8_bits,
    pixels_from_compressed,
    raw_pixels,
)

REMEMBERED = 64  # camera_info messages, to find the one with the stamp of the image
PATIENCE = 0.1  # [s] an image waits for a camera_info, which is often sent just after it
OVERTAKING = 0.03  # [s] it waits for its own, where those before had theirs, to come after it
IN_A_ROW = 3  # images with their own: a camera_info at half of the rate, or two thirds, has fewer


def rectified_rule(topic: str, setting: str) -> tuple[bool, str]:
    """
    Return whether the images of a topic are rectified, and how that is known.

    image_raw and image_rect carry the same camera_info, so it must be told, or be in the name.

    :param topic: full name, without /compressed.
    :param setting: the parameter rectified.
    """
    named = 'rect' in topic.rsplit('/', 1)[-1]
    rectified = named if setting == 'auto' else setting == 'true'
    reason = (f'{topic} {"contains" if named else "has no"} "rect" in its last part'
              if setting == 'auto' else 'set by the parameter')
    return rectified, ('rectified: P is used, D is not' if rectified
                       else 'raw: K and D are used') + f' ({reason})'


class Rejected(GrinError):
    """A frame that cannot be answered; ``cause`` is its counter in /diagnostics."""

    def __init__(self, cause: str, message: str) -> None:
        """Keep the cause beside the sentence for the user."""
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Frame:
    """
    One image and its camera.

    :param image: (H, W, 3) uint8 RGB.
    :param camera: camera of the image; None when nothing is known of it.
    :param info: the CameraInfo it came from, None without.
    :param prompts: known ranges as ranges.known_ranges makes them, None without a sensor.
    :param max_level: largest number of an image of 16 bits, of 65535; None for other images.
    """

    header: Any
    image: NDArray[np.uint8]
    camera: Camera | None
    info: Any | None
    prompts: NDArray[np.float64] | None = None
    max_level: int | None = None

    @property
    def num_ranges(self) -> int:
        """Return how many ranges are known; one tells the scale."""
        return 0 if self.prompts is None else int(np.isfinite(self.prompts[:, 2]).sum())


@dataclass(frozen=True)
class _Calibration:
    info: Any
    camera: Camera | None
    problem: str


class CameraInfos:
    """
    The latest camera_info messages, turned into cameras once per calibration.

    :param rectified: how images relate to K, D and P (see Camera.from_camera_info).
    :param required: False to go on without a camera when there is no usable one.
    :param hfov_deg: field of view of the camera then; 0 when it is unknown.
    """

    def __init__(self, topic: str, rectified: bool, required: bool, hfov_deg: float = 0.0
                 ) -> None:
        """Start without any camera_info."""
        self.topic, self.rectified, self.required = topic, rectified, required
        self._hfov_deg = hfov_deg
        self.received = 0
        self._changed = threading.Condition()
        self._key = ''
        self._latest: _Calibration | None = None
        self._patient = True  # until an image has waited for nothing
        self._paired = 0  # images in a row that had a camera_info of their own, late or not
        self._asked: tuple[int, int] | None = None  # stamp of the latest image
        self._had_own = False  # whether its own has come; it may be forgotten before the next
        self._by_stamp: OrderedDict[tuple[int, int], _Calibration] = OrderedDict()

    def put(self, msg: Any) -> None:
        """Take a sensor_msgs/CameraInfo."""
        roi = msg.roi
        facts = (msg.width, msg.height, msg.distortion_model, tuple(msg.d), tuple(msg.k),
                 tuple(msg.p), tuple(msg.r), msg.binning_x, msg.binning_y, roi.x_offset,
                 roi.y_offset, roi.width, roi.height)
        # As text, since NaN differs from itself and would count as a new calibration each time.
        key = repr(facts)
        with self._changed:
            self.received += 1
            if self._latest is None or key != self._key:
                self._key, self._latest = key, self._calibration(msg)
            stamp = msg.header.stamp.sec, msg.header.stamp.nanosec
            self._by_stamp[stamp] = self._latest
            self._had_own = self._had_own or stamp == self._asked
            while len(self._by_stamp) > REMEMBERED:
                self._by_stamp.popitem(last=False)
            self._changed.notify_all()

    def _calibration(self, msg: Any) -> _Calibration:
        """Read a calibration that was not seen before."""
        try:
            msg = _finite(msg, self.rectified)
            return _Calibration(msg, Camera.from_camera_info(msg, self.rectified), '')
        except GrinError as error:
            return _Calibration(msg, None, str(error))

    def find(self, stamp: Any, width: int, height: int) -> _Calibration | None:
        """
        Return the calibration of an image, waiting a moment for one that fits.

        An image that waited for nothing is the last that does until there is one: waiting keeps
        the model from other cameras. Where images have a camera_info of their own, one may
        overtake it, and the one before is another's as soon as the lens has moved.

        :raises Rejected: when there is none that fits and one is required.
        """
        own = stamp.sec, stamp.nanosec

        def look() -> _Calibration | None:
            return self._by_stamp.get(own, self._latest)

        def fits() -> bool:
            camera = found.camera if (found := look()) else None
            return camera is not None and (camera.width, camera.height) == (width, height)

        with self._changed:
            self._paired = self._paired + 1 if self._had_own else 0
            self._asked = own
            if self._paired >= IN_A_ROW:
                self._changed.wait_for(lambda: own in self._by_stamp, OVERTAKING)
            wait = self.required and self._patient
            self._patient = self._changed.wait_for(fits, PATIENCE if wait else 0.0)
            self._had_own = own in self._by_stamp
            found = look()
        if self._patient:
            return found
        if not self.required:
            return None
        if found is None:
            raise Rejected('no_camera_info', f'no camera_info on {self.topic} yet: set '
                           'camera_info_topic, hfov_deg if the camera has none, or '
                           'require_camera_info: false for depth without metric scale')
        if found.camera is None:
            raise Rejected('bad_camera_info', f'{self.topic}: {found.problem}')
        raise Rejected('camera_info_size', f'the image is {width}x{height}, but {self.topic} '
                       f'describes {found.camera.width}x{found.camera.height}: publish the '
                       'camera_info of this image (with its binning and roi), or resize neither')

    def assumed(self, width: int, height: int) -> Camera | None:
        """Return the camera of images without camera_info; None when nothing is known of it."""
        return Camera.from_hfov(self._hfov_deg, width, height) if self._hfov_deg else None

    def unfit(self, width: int, height: int) -> str:
        """Return why the latest camera_info is not used for images of a size; '' without one."""
        with self._changed:
            latest = self._latest
        if latest is None:
            return ''
        if latest.camera is None:
            return problem_of(GrinError(latest.problem))
        size = latest.camera.width, latest.camera.height
        return '' if size == (width, height) else (
            f'it describes {size[0]}x{size[1]}, and the image is {width}x{height}')

    @property
    def is_blank(self) -> bool:
        """Return whether camera_info says of itself that nobody calibrated: K and P are zero."""
        with self._changed:
            info = self._latest.info if self._latest else None
        return info is not None and not (np.any(info.k) or np.any(info.p))

    def rewind(self) -> None:
        """Forget the stamps, not the calibration: time went back."""
        with self._changed:
            self._by_stamp.clear()

    def forget(self) -> None:
        """Drop every calibration, so that the next camera_info counts as new."""
        with self._changed:
            self._key, self._latest, self.received, self._had_own = '', None, 0, False
            self._by_stamp.clear()


def _finite(msg: Any, rectified: bool) -> Any:
    """
    Return a CameraInfo whose P and R are finite: what images do not need counts as absent.

    :raises GrinError: when P is not, and the images are rectified.
    """
    p, r = (np.asarray(each, np.float64) for each in (msg.p, msg.r))
    if np.isfinite(p).all() and np.isfinite(r).all():
        return msg
    msg = copy.copy(msg)  # whoever sent it keeps it
    if not np.isfinite(p).all():
        if rectified:
            raise GrinError(f'camera_info has a P that is not finite: {p.tolist()}: calibrate '
                            'the camera, or set the parameter rectified if the image is raw')
        msg.p = np.zeros(12)
    if not np.isfinite(r).all():
        msg.r = np.eye(3).ravel()
    return msg


def read_frame(msg: Any, compressed: bool, infos: CameraInfos, topic: str) -> Frame:
    """
    Decode an image message and find its camera.

    :raises Rejected: with a sentence that names the topic and the remedy.
    """
    try:
        pixels = pixels_from_compressed(msg) if compressed else raw_pixels(msg)
        image = of_8_bits(pixels) if compressed else image_from_msg(msg)
    except GrinError as error:
        raise Rejected('bad_image', f'{topic}: {error}') from error
    (height, width), level = image.shape[:2], max_level(pixels)
    found = infos.find(msg.header.stamp, width, height)
    if found is None:
        return Frame(msg.header, image, infos.assumed(width, height), None, max_level=level)
    return Frame(msg.header, image, found.camera, found.info, max_level=level)
