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

"""Mailbox and worker: the newest item wins, and stopping always ends."""

import threading

import pytest

from grin_ros.errors import GrinError
from grin_ros.node.mailbox import Mailbox, Worker


def test_a_newer_item_replaces_the_one_nobody_took() -> None:
    box = Mailbox()
    assert box.put('front', 'old') is None
    assert box.put('front', 'new') == 'old'
    assert box.take() == [('front', 'new')] and box.empty('front') is None


def test_senders_take_turns_however_fast_they_are() -> None:
    box, taken = Mailbox(), []
    for turn in range(6):
        for i in range(5):
            box.put('fast', (turn, i))
        if turn in (0, 2, 4):
            box.put('slow', turn)
        taken += box.take()
    assert [sender for sender, _ in taken] == ['fast', 'slow'] * 3
    assert [item for sender, item in taken if sender == 'fast'] == [(0, 4), (2, 4), (4, 4)]


def test_several_are_taken_at_once_but_one_of_each_sender() -> None:
    box = Mailbox()
    for sender in ('a', 'b', 'a', 'c'):
        box.put(sender, sender)
    assert box.take(2) == [('a', 'a'), ('b', 'b')] and box.take(2) == [('c', 'c')]


def test_emptying_leaves_the_items_of_others() -> None:
    box = Mailbox()
    box.put('a', 1)
    box.put('b', 2)
    assert box.empty('a') == 1 and box.empty('a') is None and box.take() == [('b', 2)]


def test_closing_wakes_whoever_waits() -> None:
    box, taken = Mailbox(), []
    waiting = threading.Thread(target=lambda: taken.append(box.take()))
    waiting.start()
    box.close()
    waiting.join(10)
    assert taken == [[]]


def test_the_model_is_loaded_and_used_in_one_thread() -> None:
    threads, done = [], threading.Event()

    def load() -> str:
        threads.append(threading.current_thread())
        return 'model'

    def work(model: str, items: list) -> None:
        threads.append(threading.current_thread())
        assert (model, items) == ('model', [('sender', 'item')])
        done.set()

    box = Mailbox()
    worker = Worker(box, load, work)
    assert worker.loaded.result(10) is None
    box.put('sender', 'item')
    assert done.wait(10) and worker.stop(10)
    assert len(set(threads)) == 1 and threads[0] is not threading.main_thread()


def test_a_model_that_does_not_load_says_why() -> None:
    def load() -> None:
        raise GrinError('no such bundle')

    worker = Worker(Mailbox(), load, lambda model, items: None)
    with pytest.raises(GrinError, match='no such bundle'):
        worker.loaded.result(10)
    assert worker.stop(10)


def test_stop_says_when_the_work_goes_on() -> None:
    started, finish = threading.Event(), threading.Event()

    def work(model: None, items: list) -> None:
        started.set()
        finish.wait(10)

    box = Mailbox()
    worker = Worker(box, lambda: None, work)
    box.put('sender', 'item')
    assert started.wait(10)
    assert not worker.stop(0.01)
    finish.set()
    assert worker.stop(10)
