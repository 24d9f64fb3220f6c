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


"""Watch: stamps and counters in; a sentence out when time or pace is not what it should be."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from grin_ros.params import DepthParams

FUTURE = 0.1  # [s] ahead of the clock before it counts as wrong
WINDOW = 10  # [s] that pace looks back on
TOO_SLOW = 0.5  # share of the images that should be answered at least


class Stamps:
    """Looks at the stamps of images, one after the other."""

    def __init__(self, topic: str) -> None:
        """Start without a stamp."""
        self._topic = topic
        self._last = 0

    def forget(self) -> None:
        """Start anew: whatever comes next is no jump."""
        self._last = 0

    def check(self, stamp_ns: int, now_ns: int) -> dict[str, str]:
        """
        Return what is wrong with a stamp, as name of the warning -> sentence.

        :param stamp_ns: of the image; 0 for none.
        :param now_ns: of the node's clock; 0 while it waits for /clock.
        """
        found = {}
        if stamp_ns and 0 < stamp_ns < self._last:
            back = (self._last - stamp_ns) / 1e9
            found['stamps_go_back'] = (
                f'images on {self._topic} went back by {back:.2f} s: a bag that loops, a clock '
                'that was set, or two cameras on one topic (remap one)')
        self._last = stamp_ns
        if stamp_ns and not now_ns:
            found['no_clock'] = ('use_sim_time is true, but nothing arrives on /clock: play the '
                                 'bag with --clock, or set use_sim_time: false')
        elif stamp_ns - now_ns > FUTURE * 1e9:
            found['future'] = (
                f'images on {self._topic} are stamped {(stamp_ns - now_ns) / 1e9:.2f} s in the '
                'future, so TF cannot place them: synchronise the clocks of the computers '
                '(chrony, PTP), or set use_sim_time: true when a bag is played')
        return found


class Pace:
    """Looks at the counters once a second."""

    def __init__(self, topic: str) -> None:
        """Start without counters."""
        self._topic = topic
        self._seconds: deque[tuple[int, int, int]] = deque(maxlen=WINDOW + 1)
        self._max_rate = 0.0

    def check(self, received: int, answered: int, overtaken: int, max_rate: float = 0.0) -> str:
        """
        Return a sentence when too few images get answered, else ''.

        :param received: images so far.
        :param answered: of them, those with an answer.
        :param overtaken: of them, those that a newer one replaced before their turn came.
        :param max_rate: images per second that are to be answered at most; 0 for all.
        """
        if max_rate != self._max_rate:  # what was wanted before was as much as it was to be
            self._seconds.clear()
            self._max_rate = max_rate
        self._seconds.append((received, answered, overtaken))
        if len(self._seconds) <= WINDOW:
            return ''
        first = self._seconds[0]
        received, answered, overtaken = received - first[0], answered - first[1], (
            overtaken - first[2])
        # What is dropped for another cause has a sentence of its own.
        wanted = min(answered + overtaken, max_rate * WINDOW or float('inf'))
        if wanted == 0 or answered >= TOO_SLOW * wanted:
            return ''
        return (f'too slow: of {received / WINDOW:.1f} images per second on {self._topic} '
                f'{answered / WINDOW:.1f} are answered')


def faster(params: DepthParams, facts: Mapping[str, str]) -> str:
    """
    Return what makes answers come sooner and is not so already, in words.

    :param facts: what diagnostics say of the model and of the latest answer.
    """
    remedies = {
        'num_inference_steps: 1': int(facts.get('num_inference_steps', 1)) > 1,
        'num_samples: 1': params.num_samples > 1,
        'query_stride: 8': int(facts.get('query_stride_px', 8)) < 8,
        'output_scale: 2': params.output_scale < 2,
        'cpu_precision: int8': (params.cpu_precision == 'fp32'
                                and facts.get('backend', '').startswith('onnxruntime'))}
    named = ', '.join(remedy for remedy, is_left in remedies.items() if is_left)
    return ((f'faster with {named}; or ' if named else '') + 'set max_rate to as many as will do, '
            'or lower the rate of the camera')
