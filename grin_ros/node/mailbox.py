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

"""Mailbox and worker: the newest frames in, one thread that owns the model takes them out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
import ctypes
import threading
from typing import Any


class Mailbox:
    """
    A box with a place for each sender, who take turns.

    A newer item replaces what nobody has taken of its sender, and keeps the place in the queue:
    a fast sender starves none.
    """

    def __init__(self) -> None:
        """Start empty and open."""
        self._changed = threading.Condition()
        self._items: dict[Any, Any] = {}  # who has waited longest comes first
        self._closed = False

    def put(self, sender: Any, item: Any) -> Any:
        """Leave an item and return the one it replaces, or None."""
        with self._changed:
            replaced = self._items.get(sender)
            self._items[sender] = item
            self._changed.notify()
            return replaced

    def take(self, limit: int = 1) -> list[tuple[Any, Any]]:
        """Wait; return (sender, item) of those who waited longest; [] when the box is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if self._closed:
                return []
            return [(sender, self._items.pop(sender)) for sender in list(self._items)[:limit]]

    def empty(self, sender: Any) -> Any:
        """Remove the item of a sender and return it, or None."""
        with self._changed:
            return self._items.pop(sender, None)

    def close(self) -> None:
        """End every wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Worker:
    """
    One thread that loads the model and is the only one to touch it (CUDA contexts need that).

    :param mailbox: where the work comes from; stop() closes it.
    :param load: called once in the thread; returns the model.
    :param work: called in the thread with the model and what take() returned; must not raise.
    :param limit: of items taken at once, asked of the model.
    :param free: called in the thread with the model at the end.
    """

    def __init__(self, mailbox: Mailbox, load: Callable[[], Any],
                 work: Callable[[Any, list[tuple[Any, Any]]], None],
                 free: Callable[[Any], None] = lambda model: None,
                 limit: Callable[[Any], int] = lambda model: 1) -> None:
        """Start the thread; ``loaded`` tells how the loading went."""
        self.loaded: Future = Future()
        self._mailbox, self._load, self._work, self._free = mailbox, load, work, free
        self._limit = limit
        # A daemon, so that an inference that hangs cannot keep a stopped node alive.
        self._thread = threading.Thread(target=self._run, name='grin_worker', daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            model = self._load()
        except BaseException as error:  # handed to the thread that waits for it
            self.loaded.set_exception(error)
            return
        self.loaded.set_result(None)  # not the model: it ends with the thread
        while items := self._mailbox.take(self._limit(model)):
            self._work(model, items)
        self._free(model)

    def stop(self, timeout: float) -> bool:
        """Finish the item in work and end the thread; False when that takes longer [s]."""
        self._mailbox.close()
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        # glibc keeps what an ended thread has freed; each next one would start beside it.
        if trim := getattr(ctypes.CDLL(None), 'malloc_trim', None):
            trim(0)
        return True
