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

"""Recorded: an open bag in, the images of one camera out, each with its calibration and ranges."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from grin_ros.errors import GrinError, require
from grin_ros.messages.contrast import check_contrast
from grin_ros.messages.grid_info import camera_info_fields
from grin_ros.messages.intake import CameraInfos, Frame, read_frame, rectified_rule
from grin_ros.messages.odometry import make_ranges
from grin_ros.messages.ranges import Ranges
from grin_ros.params import DepthParams, RANGES_TYPES
from grin_ros.postprocess.result import Result

IMAGE, COMPRESSED, INFO = (f'sensor_msgs/msg/{name}' for name in (
    'Image', 'CompressedImage', 'CameraInfo'))


def damages() -> tuple[type[Exception], ...]:
    """Return what rosbags raises where a bag is damaged."""
    errors = [getattr(require(f'rosbags.{module}', 'bag'), name) for module, name in (
        ('highlevel', 'AnyReaderError'), ('rosbag1', 'ReaderError'), ('rosbag2', 'ReaderError'),
        ('rosbag2', 'WriterError'))]
    for module in ('sqlite3', 'apsw'):  # which of them reads a .db3 depends on its version
        with suppress(ImportError):
            errors.append(import_module(module).Error)
    return tuple(errors)


class Recorded:
    """
    The images of a bag in turn, and the camera of each: that with its stamp, or the one before.

    Of what a sensor of ranges sent, that counts which was recorded before the image.

    :param reader: an open rosbags.highlevel.AnyReader.
    :raises GrinError: when the bag lacks a topic; names those that it has.
    """

    def __init__(self, reader: Any, image_topic: str, info_topic: str, params: DepthParams
                 ) -> None:
        """Read every camera_info."""
        self._reader = reader
        self._images = self._connections(image_topic, (IMAGE, COMPRESSED))
        self._compressed = self._images[0].msgtype == COMPRESSED
        base = image_topic.removesuffix('/compressed')
        self.rectified, self.rule = rectified_rule(base, params.rectified)
        self._topic, self._params = image_topic, params
        self.ranges: Ranges | None = None
        self._scans: list[Any] = []
        if params.ranges_type:
            topic = params.ranges_topic
            if not topic.startswith('/'):
                raise GrinError(f'ranges_topic "{topic}" is relative to a node, which a bag does '
                                'not know: give its full name in --params-file')
            self.ranges = make_ranges(params.ranges_type, topic, params.body_mask)
            sensed = RANGES_TYPES[params.ranges_type].replace('/', '/msg/')
            self._scans = self._connections(topic, (sensed,))
        self._infos = CameraInfos(info_topic, self.rectified, params.needs_camera_info,
                                  params.hfov_deg)
        self._by_stamp: dict[tuple[int, int], Any] = {}
        needed = params.needs_camera_info
        infos = self._connections(info_topic, (INFO,), needed)
        self._damage: Exception | None = None
        try:
            for connection, _, data in reader.messages(infos) if infos else ():
                msg = self._reader.deserialize(data, connection.msgtype)
                # ROS 1 writes K, D, R and P.
                info = SimpleNamespace(**{name.lower(): getattr(msg, name)
                                          for name in msg.__dataclass_fields__})
                self._by_stamp[msg.header.stamp.sec, msg.header.stamp.nanosec] = info
        except damages() as error:  # raised when the images that there are have been read
            self._damage = error
        self._stamps = sorted(self._by_stamp)

    def _connections(self, topic: str, kinds: tuple[str, ...], needed: bool = True) -> list[Any]:
        """Return the connections of a topic."""
        found = [each for each in self._reader.connections
                 if each.topic == topic and each.msgtype in kinds]
        if not found and needed:
            there = sorted({each.topic for each in self._reader.connections
                            if each.msgtype in kinds})
            raise GrinError(f'the bag has no {" or ".join(kinds)} on {topic}: '
                            + (f'choose one of {", ".join(there)}' if there
                               else 'it has none anywhere'
                               + (', so set hfov_deg in --params-file' if INFO in kinds else '')))
        return found

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(each.msgcount for each in self._images)

    def __iter__(self) -> Any:
        """Read (time in the bag [ns], message) of each image."""
        for connection, moment, data in self._reader.messages([*self._scans, *self._images]):
            msg = self._reader.deserialize(data, connection.msgtype)
            if self.ranges is not None and connection in self._scans:
                self.ranges.put(msg)
            else:
                yield moment, msg
        if self._damage is not None:
            raise self._damage

    def frame(self, msg: Any) -> Frame:
        """
        Decode an image and find its camera.

        :raises Rejected: as read_frame.
        """
        stamp = msg.header.stamp.sec, msg.header.stamp.nanosec
        if self._stamps:  # its own, the one before it, or the first
            latest = max(0, bisect_right(self._stamps, stamp) - 1)
            self._infos.put(self._by_stamp[self._stamps[latest]])
        frame = read_frame(msg, self._compressed, self._infos, self._topic)
        check_contrast(frame, self._topic)
        return self.ranges.attach(frame, self._params) if self.ranges is not None else frame

    def description(self, result: Result) -> dict[str, Any]:
        """Return the fields of the camera_info of depth."""
        info, flat = result.described(self.rectified)
        return camera_info_fields(info, result.camera, flat)
