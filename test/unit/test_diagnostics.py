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

"""Diagnostics: what came in is what was answered, dropped or is in work."""

import time

import pytest

from grin_ros.node.diagnostics import LEVELS, ModelStatus, Statistics


def test_every_image_is_accounted_for() -> None:
    statistics = Statistics()
    for _ in range(6):
        statistics.receive()
    statistics.drop('newer_frame')
    statistics.drop('newer_frame')
    statistics.drop('bad_image')
    statistics.answer({'total': 5.0})
    statistics.lose(3)
    values = statistics.values()
    assert (values['received'], values['answered'], values['dropped']) == ('6', '1', '3')
    assert values['in_flight'] == '2' and values['lost_in_dds'] == '3'
    assert values['dropped_newer_frame'] == '2' and values['dropped_bad_image'] == '1'


def test_latencies_are_percentiles_of_the_last_frames() -> None:
    statistics = Statistics()
    for value in range(1000):
        statistics.answer({'total': float(value)})
    assert statistics.values()['latency_total_ms'] == 'p50 899.5, p99 997.0'
    statistics.reset()
    assert 'latency_total_ms' not in statistics.values()
    assert statistics.values()['answered'] == '1000'


def test_rate_counts_every_answer_of_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, 'monotonic', lambda: now)
    statistics = Statistics()
    for _ in range(700):
        now += 1 / 128
        statistics.answer({'total': 1.0})
    assert statistics.values()['rate_hz'] == '128.0'
    now += 10.0
    assert statistics.values()['rate_hz'] == '0.0'


def test_message_has_the_level_of_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('diagnostic_msgs', reason='ROS 2 is not installed')
    statistics = Statistics()

    def status(state: str, is_idle: bool = False) -> object:
        return statistics.to_status('/grin/grin_depth', state, is_idle)

    assert status('active').level == LEVELS['ok']
    assert status('inactive').level == LEVELS['warn']
    statistics.complain('/camera/image is upside down')
    assert status('active').level == LEVELS['error']
    assert status('active').message == '/camera/image is upside down'
    assert status('active').name == 'grin/grin_depth: depth'
    assert status('active', True).level == LEVELS['error'], 'a problem stays one for some seconds'
    statistics.recover()
    assert status('active', True).level == LEVELS['ok']
    assert status('active', True).message == 'idle, as nobody subscribes'
    assert status('inactive', True).message.startswith('inactive')
    statistics.complain('no bundle', lasting=True)
    later = time.monotonic() + 1000.0
    monkeypatch.setattr(time, 'monotonic', lambda: later)
    statistics.reset()
    assert status('unconfigured').level == LEVELS['error']
    statistics.recover()
    assert status('active').level == LEVELS['ok']


def test_cameras_have_counters_of_their_own_and_share_the_model() -> None:
    pytest.importorskip('diagnostic_msgs', reason='ROS 2 is not installed')
    model = ModelStatus({'backend': 'onnxruntime'})
    front, rear = Statistics('front', model), Statistics('rear', model)
    front.receive()
    assert (front.values()['received'], rear.values()['received']) == ('1', '0')
    assert rear.values()['backend'] == 'onnxruntime'
    model.busy = 'building frame'
    status = rear.to_status('/grin/grin_depth', 'active')
    assert status.name == 'grin/grin_depth: rear'
    assert (status.level, status.message) == (LEVELS['warn'], 'active, building frame')
