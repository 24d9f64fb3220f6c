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

"""Scale notes: what tells the scale of a camera's frames, in its diagnostics and in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grin_ros.messages.intake import CameraInfos, Frame
from grin_ros.messages.ranges import Ranges
from grin_ros.node.diagnostics import Statistics
from grin_ros.node.voice import Voice
from grin_ros.params import DepthParams
from grin_ros.postprocess.floor import SIGMA

if TYPE_CHECKING:
    from grin_ros.node.outputs import Outputs

UNSEEN = 100  # first frames without a floor that are worth a word


class ScaleNotes:
    """
    What is said about the scale of one camera.

    :param outputs: they know what the floor tells.
    :param ranges: the sensor of ranges, None without one.
    """

    def __init__(self, statistics: Statistics, voice: Voice, infos: CameraInfos,
                 outputs: Outputs, ranges: Ranges | None) -> None:
        """Say nothing yet."""
        self._statistics, self._voice, self._infos = statistics, voice, infos
        self._outputs, self._ranges = outputs, ranges

    def take(self, frame: Frame, sigma_scale: float, params: DepthParams) -> None:
        """
        Note what told the scale of an answered frame, and what could have and did not.

        :param sigma_scale: relative sigma of the scale, as the network and known ranges tell it.
        """
        facts = self._statistics.facts
        if self._ranges is not None:
            facts['ranges'] = self._of_ranges(self._ranges, frame)
        floor_tells = self._outputs.floor.known and not frame.num_ranges
        doubt = SIGMA if floor_tells else sigma_scale
        facts['sigma_scale'] = f'{doubt:.2f}'
        self._check_limits(doubt, params)
        held = self._outputs.floor.factor is not None  # also of an image without a mount of TF
        if frame.num_ranges or not (params.camera_height or held):
            facts.pop('floor', None)
        else:
            facts['floor'] = self._of_floor(frame, params)

    def _of_ranges(self, ranges: Ranges, frame: Frame) -> str:
        """Return what known ranges told; warn when there are none."""
        if frame.num_ranges:
            return f'{frame.num_ranges} pixels known from {ranges.topic}'
        self._voice.warn('ranges', f'no known ranges: {ranges.problem}')
        factor = self._outputs.carried.factor
        carried = '' if factor is None else (
            f'; depth is multiplied by {factor:.2f}, as earlier ones told, and soon no more')
        return ranges.problem + carried

    def _of_floor(self, frame: Frame, params: DepthParams) -> str:
        """Return what the floor told; warn when it was never seen."""
        floor = self._outputs.floor
        if floor.factor is not None:
            return (f'depth is multiplied by {floor.factor:.2f}, in place of depth_scale; seen '
                    f'{floor.unseen} frames ago')
        if frame.camera is None:
            self._voice.warn('floor', f'camera_height needs a calibration on {self._infos.topic}'
                             ', or hfov_deg: without one nobody knows how rays fall')
        elif floor.unseen >= UNSEEN:
            self._voice.warn('floor', f'no floor {params.camera_height} m below the camera was '
                             f'seen in {floor.unseen} frames, so that the scale stays as the '
                             'network says: check camera_height and camera_pitch_deg')
        return f'not seen in {floor.unseen} frames'

    def _check_limits(self, doubt: float, params: DepthParams) -> None:
        """Warn of a limit of sigma that the uncertainty of the scale alone exceeds."""
        for name, limit in (('max_sigma', params.max_sigma),
                            ('clearing_max_sigma', params.clearing_max_sigma)):
            if 0 < limit <= doubt:
                self._voice.warn(name, f'{name} ({limit}) leaves nothing: the scale of a frame '
                                 f'alone has a sigma of {doubt:.2f} of depth. Set it above that, '
                                 'or tell the scale: ranges_type, or camera_height while the '
                                 'floor is seen')
