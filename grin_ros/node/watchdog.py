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


"""Watchdog: looks at topics, clock and counters; says what is wrong in the log and diagnostics."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node

from grin_ros.node.diagnostics import Statistics
from grin_ros.node.inputs import Inputs, InputTopics
from grin_ros.node.outputs import Outputs
from grin_ros.node.voice import Voice
from grin_ros.node.watch import faster, Pace
from grin_ros.params import DepthParams


class Watchdog:
    """
    Breaks the silence of a camera; every sentence names topic, node and remedy.

    :param on_rewind: called when the clock went back.
    """

    def __init__(self, node: Node, topics: InputTopics, outputs: Outputs,
                 statistics: Statistics, voice: Voice, on_rewind: Callable[[], None]) -> None:
        """Listen to jumps of the clock."""
        self._topics, self._outputs, self._statistics = topics, outputs, statistics
        self._voice, self._on_rewind = voice, on_rewind
        self._pace = Pace(topics.name)
        self._jumps = node.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1),
                          on_clock_change=False), post_callback=self._jumped)

    def close(self) -> None:
        """Stop listening."""
        self._jumps.unregister()

    def look(self, inputs: Inputs, params: DepthParams) -> None:
        """Look around once a second while the node listens."""
        if sentence := inputs.silence():
            self._voice.complain('silence', sentence)
        for topic, sentence in (inputs.mismatches() | self._outputs.conflicts()).items():
            if sentence:
                self._voice.warn(f'qos_{topic}', sentence)
        if sentence := self._pace.check(*self._statistics.pace(), self._outputs.most(params)):
            known = self._statistics.model.facts | self._statistics.facts
            self._voice.warn('too_slow', f'{sentence}: {faster(params, known)}')

    def lost(self, count: int) -> None:
        """Count images that DDS lost and say how to lose fewer."""
        self._statistics.lose(count)
        remedies = ['lower its rate' if self._topics.is_reliable() else 'let it publish reliably']
        if not self._topics.compressed:
            remedies.append('set image_transport: compressed')
        self._voice.warn('lost', (
            f'{self._statistics.lost} images on {self._topics.name} were lost in DDS until now '
            f'({self._topics.publishers()}): start the camera with '
            'FASTDDS_DEFAULT_PROFILES_FILE (before Kilted FASTRTPS_DEFAULT_PROFILES_FILE) set to '
            f'config/fastdds_shm.xml (a container with --ipc=host), {" or ".join(remedies)}'))

    def _jumped(self, jump: TimeJump) -> None:
        """Take time that goes back for a new beginning: a bag has looped."""
        self._on_rewind()
        self._voice.warn('clock', (
            f'the clock went back by {-jump.delta.nanoseconds / 1e9:.2f} s: a bag or a '
            'simulation has begun anew (use_sim_time)'))
