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


"""Watch: stamps that cannot be, and a node that is too slow, are named with their remedy."""

from grin_ros.node.diagnostics import Statistics
from grin_ros.node.watch import faster, Pace, Stamps, WINDOW
from grin_ros.params import DepthParams

SECOND = 10**9


def test_steady_stamps_are_nothing_to_say() -> None:
    stamps = Stamps('/camera/image')
    for i in range(5):
        assert stamps.check((100 + i) * SECOND, (100 + i) * SECOND + 30_000_000) == {}
    assert stamps.check(0, 200 * SECOND) == {}  # no stamp at all


def test_stamps_from_the_future_are_named() -> None:
    found = Stamps('/camera/image').check(103 * SECOND, 100 * SECOND)
    assert list(found) == ['future']
    assert '/camera/image' in found['future'] and '3.00 s' in found['future']
    assert 'use_sim_time: true' in found['future']


def test_stamps_that_go_back_are_named_once() -> None:
    stamps = Stamps('/camera/image')
    stamps.check(100 * SECOND, 100 * SECOND)
    found = stamps.check(90 * SECOND, 100 * SECOND)
    assert '10.00 s' in found['stamps_go_back']
    assert stamps.check(91 * SECOND, 100 * SECOND) == {}
    stamps.forget()
    assert stamps.check(1 * SECOND, 100 * SECOND) == {}


def test_sim_time_without_a_clock_is_named() -> None:
    found = Stamps('/camera/image').check(100 * SECOND, 0)
    assert list(found) == ['no_clock'] and '/clock' in found['no_clock']


def test_too_slow_is_when_less_than_half_is_answered() -> None:
    def after(seconds: int, received: int, answered: int, overtaken: int, max_rate: float = 0
              ) -> str:
        pace, sentence = Pace('/camera/image'), ''
        for i in range(seconds + 1):
            sentence = pace.check(i * received, i * answered, i * overtaken, max_rate)
        return sentence
    assert after(WINDOW, 30, 5, 25).startswith('too slow: of 30.0 images per second on '
                                               '/camera/image 5.0 are answered')
    assert after(WINDOW - 1, 30, 5, 25) == ''  # a moment is nothing
    assert after(WINDOW, 30, 16, 14) == ''
    assert after(WINDOW, 30, 0, 0) == ''  # nobody listens
    assert after(WINDOW, 30, 2, 28, max_rate=2.0) == ''  # as many as are wanted
    assert after(WINDOW, 30, 2, 28, max_rate=5.0).startswith('too slow')


def test_only_what_is_not_so_already_makes_it_faster() -> None:
    """num_inference_steps: 1 was advised to whoever had left it at that."""
    cpu = {'backend': 'onnxruntime (CPU)', 'num_inference_steps': '1', 'query_stride_px': '4'}
    assert faster(DepthParams(), cpu) == (
        'faster with query_stride: 8, output_scale: 2, cpu_precision: int8; or set max_rate to '
        'as many as will do, or lower the rate of the camera')
    slow = faster(DepthParams(num_samples=4), cpu | {'num_inference_steps': '2'})
    assert slow.startswith('faster with num_inference_steps: 1, num_samples: 1, query_stride: 8')
    gpu = {'backend': 'tensorrt 10.3', 'num_inference_steps': '1', 'query_stride_px': '8'}
    assert faster(DepthParams(output_scale=2), gpu).startswith('set max_rate')


def test_what_kept_to_a_rate_is_not_too_slow_once_more_is_wanted() -> None:
    """Clouds had points_rate alone; then somebody wants depth, of each image."""
    pace, told = Pace('/camera/image'), []
    for i in range(2 * WINDOW):
        told.append(pace.check(30 * i, 2 * i, 4 * i, 2.0))
    for i in range(1, 2 * WINDOW):
        told.append(pace.check(60 * WINDOW + 30 * i, 4 * WINDOW + 15 * i, 8 * WINDOW + i))
    assert not any(told)


def test_warnings_show_in_the_level_until_they_are_old() -> None:
    statistics = Statistics()
    statistics.warn('future', 'images come from tomorrow')
    assert statistics.warnings() == {'warning_future': 'images come from tomorrow'}
    statistics.reset()
    assert statistics.warnings() == {}
