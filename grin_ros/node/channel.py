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


"""Channel: one camera's way through the node; its topics, calibration, counters and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import threading
from typing import Any

from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from grin_ros.errors import GrinError
from grin_ros.messages.contrast import check_contrast
from grin_ros.messages.intake import CameraInfos, Frame, read_frame, Rejected
from grin_ros.messages.odometry import make_ranges
from grin_ros.messages.ranges import nanoseconds, Ranges
from grin_ros.node.camera_notes import CameraNotes
from grin_ros.node.diagnostics import Statistics
from grin_ros.node.inputs import Inputs, InputTopics
from grin_ros.node.mailbox import Mailbox
from grin_ros.node.metronome import Metronome
from grin_ros.node.outputs import Outputs
from grin_ros.node.scale_notes import ScaleNotes
from grin_ros.node.transforms import Transforms
from grin_ros.node.voice import Voice
from grin_ros.node.watch import Stamps
from grin_ros.node.watchdog import Watchdog
from grin_ros.params import DepthParams


class Channel:
    """
    A camera of the configured node; every image it gets is answered or counted as dropped.

    :param camera: its name, '' for the only one.
    :param params: returns its parameters as they are now.
    :param statistics: its counters, which outlive it.
    :param mailbox: where images wait for the model.
    :param transforms: TF, None where no parameter needs it.
    :raises GrinError: when its topics, or the picture of its body mask, cannot be.
    """

    def __init__(self, node: LifecycleNode, camera: str, params: Callable[[], DepthParams],
                 statistics: Statistics, mailbox: Mailbox,
                 transforms: Transforms | None = None) -> None:
        """Advertise the outputs; nothing is heard yet."""
        self.topics = InputTopics(node, camera, params())
        self.params, self.statistics = params, statistics
        self.voice = Voice(node.get_logger(), statistics)
        self.infos = CameraInfos(self.topics.camera_info, self.topics.rectified,
                                 params().needs_camera_info, params().hfov_deg)
        self.ranges = (make_ranges(params().ranges_type,
                                   node.resolve_topic_name(self.topics.ranges),
                                   params().body_mask)
                       if params().ranges_type else None)
        self.outputs = Outputs(node, camera, params().body_mask)
        self.scale_notes = ScaleNotes(statistics, self.voice, self.infos, self.outputs,
                                      self.ranges)
        self._node, self._mailbox, self._transforms = node, mailbox, transforms
        self._stamps = Stamps(self.topics.name)
        self._camera_notes = CameraNotes(node, statistics, self.voice, self.infos,
                                         self.topics.name)
        self._frame_pace = Metronome()
        self._publishing = threading.Lock()
        self._open = False
        self._refused = ''  # why a subscription cannot be
        self._inputs: Inputs | None = None
        self._watchdog = Watchdog(node, self.topics, self.outputs, statistics, self.voice,
                                  self.rewind)
        statistics.facts['image_is'] = self.topics.rule

    def open(self) -> None:
        """Listen as long as somebody wants depth, and let answers out."""
        if self._inputs is None:
            with self._publishing:
                self._open = True
            self._inputs = Inputs(self._node, self.topics, self.infos, self.ranges, self._put,
                                  self._watchdog.lost)
            self.match()

    def shut(self) -> None:
        """Stop listening and let nothing more out; what waits or is in work counts as dropped."""
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        with self._publishing:
            self._open = False
        if self._mailbox.empty(self) is not None:
            self.statistics.drop('inactive')

    def close(self) -> None:
        """Take the outputs back; the model must have ended."""
        self._watchdog.close()
        self.outputs.close()

    def match(self) -> None:
        """Follow those who want depth and those who publish images; call it now and then."""
        if self._inputs is not None:
            try:
                self._inputs.follow(bool(self.outputs.listened()))
                self._refused = ''
            except GrinError as error:  # the other cameras go on
                self._refused = str(error)

    def look(self) -> None:
        """Break the silence; call it once a second."""
        if self._refused:
            self.voice.complain('topics', self._refused)
        elif self._inputs is not None:
            self._watchdog.look(self._inputs, self.params())

    @property
    def is_idle(self) -> bool:
        """Return whether it would listen if anybody wanted depth."""
        return self._inputs is not None and not self._inputs.listening

    def reset(self) -> None:
        """Forget the calibration and what was said before."""
        self.infos.forget()
        if self._inputs is not None:
            self._inputs.forget_info()
            self.match()
        self.outputs.forget()
        self._camera_notes.forget()
        self.voice.forget()

    def rewind(self) -> None:
        """Forget which calibration had which stamp: time went back."""
        self.infos.rewind()
        self._stamps.forget()
        if self.ranges is not None:
            self.ranges.forget()
        if self._transforms is not None:
            self._transforms.forget()

    def _put(self, msg: Any) -> None:
        """Take an image message; the newest one wins."""
        self.statistics.receive()
        if self._mailbox.put(self, msg) is not None:
            self.statistics.drop('engine_building' if self.statistics.model.busy
                                 else 'newer_frame')

    def read(self, msg: Any) -> tuple[Frame, DepthParams, set[str]]:
        """
        Return an image that is to be answered, with what parameters, and the wanted outputs.

        :raises Rejected: when nobody wants it, it is too old, exceeds the rate, or is no image.
        """
        params = self.params()
        wanted = self.outputs.wanted(params)
        if not wanted:
            raise Rejected('not_wanted', '')
        self._check_due(msg, params)
        frame = read_frame(msg, self.topics.compressed, self.infos, self.topics.name)
        self._camera_notes.take(frame, params)
        check_contrast(frame, self.topics.name)
        self._camera_notes.check_frozen(frame)  # a covered lens is black to the last bit, too
        if params.frame_id:
            frame = replace(frame, header=Header(stamp=frame.header.stamp,
                                                 frame_id=params.frame_id))
        params = self._mounted(frame, params)
        if self.ranges is not None:
            frame, params = self._ranged(self.ranges, frame, params)
        return frame, params, wanted

    def publish(self, messages: dict[str, Any]) -> None:
        """
        Send an answer.

        :raises Rejected: when the node has become inactive meanwhile.
        """
        with self._publishing:
            if not self._open:
                raise Rejected('inactive', '')
            self.outputs.publish(messages, self.params())

    def age(self, msg: Any) -> float:
        """Return the seconds since the stamp of a message; 0 for one without."""
        moment = nanoseconds(msg.header.stamp)
        return (self._node.get_clock().now().nanoseconds - moment) / 1e9 if moment else 0.0

    def _mounted(self, frame: Frame, params: DepthParams) -> DepthParams:
        """Return parameters with the mount that TF says; as they are where it says none."""
        if self._transforms is None or not params.floor_frame:
            return params
        header, facts = frame.header, self.statistics.facts
        try:
            params = self._transforms.with_mount(params, header.frame_id, header.stamp)
            facts['mount'] = (f'{params.camera_height:.3f} m above {params.floor_frame}, looks '
                              f'{params.camera_pitch_deg:.1f} deg down')
        except GrinError as error:
            facts['mount'] = 'not known from TF'
            self.voice.warn('tf', str(error))
        return params

    def _ranged(self, ranges: Ranges, frame: Frame, params: DepthParams
                ) -> tuple[Frame, DepthParams]:
        """Return a frame with its known ranges, and parameters with the pose that TF says."""
        if self._transforms is not None and params.ranges_from_tf:
            header = frame.header
            try:
                if (sensor := ranges.frame_id) is not None:
                    params = self._transforms.with_ranges(params, header.frame_id, sensor,
                                                          header.stamp)
            except GrinError as error:
                return ranges.without(frame, str(error)), params
        return ranges.attach(frame, params), params

    def _check_due(self, msg: Any, params: DepthParams) -> None:
        """Reject a frame that is too old or exceeds the rate; say what is wrong with its time."""
        age = self.age(msg)
        found = self._stamps.check(nanoseconds(msg.header.stamp),
                                   self._node.get_clock().now().nanoseconds)
        for about, text in found.items():
            self.voice.warn(about, f'{text} ({self.topics.publishers()})')
        if 0 < params.max_age < age:
            raise Rejected('too_old', f'images on {self.topics.name} are {age:.2f} s old when '
                           'their turn comes: raise max_age (0 is off) if this computer is slow, '
                           'synchronise the clocks (chrony, PTP) if the camera is on another, or '
                           'set use_sim_time: true when a bag is played')
        if self._frame_pace.is_early(params.max_rate):
            raise Rejected('max_rate', '')
        self._frame_pace.go(params.max_rate)
