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

"""Mailbox and worker: the newest frame in, one thread that owns the model takes it out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
import ctypes
import threading
from typing import Any


class Mailbox:
    """A box for one item: a newer one replaces what nobody has taken."""

    def __init__(self) -> None:
        """Start empty and open."""
        self._changed = threading.Condition()
        self._item: Any = None
        self._closed = False

    def put(self, item: Any) -> Any:
        """Leave an item and return the one it replaces, or None."""
        with self._changed:
            replaced, self._item = self._item, item
            self._changed.notify()
            return replaced

    def take(self) -> Any:
        """Wait for an item; None when the box is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            return None if self._closed else item

    def empty(self) -> Any:
        """Remove the item and return it, or None."""
        with self._changed:
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Let everybody who waits go home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Worker:
    """
    One thread that loads the model and is the only one to touch it (CUDA contexts need that).

    :param load: called once in the thread; returns the model.
    :param work: called in the thread with the model and each item; must not raise.
    :param free: called in the thread with the model at the end.
    """

    def __init__(self, load: Callable[[], Any], work: Callable[[Any, Any], None],
                 free: Callable[[Any], None] = lambda model: None) -> None:
        """Start the thread; ``loaded`` tells how the loading went."""
        self.mailbox = Mailbox()
        self.loaded: Future = Future()
        self._load, self._work, self._free = load, work, free
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
        while (item := self.mailbox.take()) is not None:
            self._work(model, item)
        self._free(model)

    def stop(self, timeout: float) -> bool:
        """Finish the item in work and end the thread; False when that takes longer [s]."""
        self.mailbox.close()
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        # glibc keeps what an ended thread has freed; each next one would start beside it.
        if trim := getattr(ctypes.CDLL(None), 'malloc_trim', None):
            trim(0)
        return True
