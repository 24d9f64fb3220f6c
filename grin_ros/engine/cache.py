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


"""Cache: plans in a private folder, each beside a JSON of all that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import fcntl
import hashlib
import json
import os
from pathlib import Path
import tempfile
import time
from typing import Any

from grin_ros.engine.build import Cancelled
from grin_ros.errors import GrinError

SCHEMA = 1  # raise it when graphs or runtime change what a plan must be
Facts = Mapping[str, Any]


def default_folder() -> Path:
    """Return where engines are kept: GRIN_ENGINE_CACHE, else the user's cache folder."""
    if chosen := os.environ.get('GRIN_ENGINE_CACHE'):
        return Path(chosen)
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'grin_ros' / 'engines'


def key_of(facts: Facts) -> str:
    """Return the name of an engine: a hash of all that it depends on."""
    text = json.dumps({**facts, 'schema': SCHEMA}, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class EngineCache:
    """
    Plans by the facts they depend on; a plan is code, so only this user may write them.

    :param folder: None for the default one.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Make the folder, private."""
        self.folder = folder or default_folder()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            status = self.folder.stat()
            if status.st_uid == os.geteuid():
                self.folder.chmod(0o700)
        except OSError as error:
            raise GrinError(f'engine cache {self.folder} cannot be made ({error.strerror}): set '
                            'GRIN_ENGINE_CACHE to a folder of your own') from error
        if status.st_uid != os.geteuid():
            raise GrinError(f'engine cache {self.folder} belongs to another user, who could put '
                            'code into plans: set GRIN_ENGINE_CACHE to a folder of your own')

    def path(self, facts: Facts, suffix: str = '.plan') -> Path:
        """Return where a plan is kept, whether it is there or not."""
        return self.folder / f'{facts.get("graph", "engine")}-{key_of(facts)}{suffix}'

    def read(self, facts: Facts) -> bytes | None:
        """Return a plan whose JSON and hash agree with it, else None."""
        try:
            data = self.path(facts).read_bytes()
            note = json.loads(self.path(facts, '.json').read_text(encoding='utf-8'))
            good = (note['plan_sha256'] == hashlib.sha256(data).hexdigest()
                    and key_of(note['facts']) == key_of(facts))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return data if good else None

    def write(self, facts: Facts, data: bytes, **notes: Any) -> None:
        """Store a plan: a reader sees the old one, none, or this one, never half of it."""
        self._replace(self.path(facts, '.json'), json.dumps({
            'facts': dict(facts), 'plan_sha256': hashlib.sha256(data).hexdigest(),
            'bytes': len(data), **notes}, indent=1).encode())
        self._replace(self.path(facts), data)

    def remove(self, facts: Facts) -> None:
        """Forget a plan."""
        for suffix in ('.plan', '.json'):
            self.path(facts, suffix).unlink(missing_ok=True)

    def _replace(self, path: Path, data: bytes) -> None:
        try:
            handle, partial = tempfile.mkstemp(dir=self.folder, prefix='.partial-')
            try:
                with os.fdopen(handle, 'wb') as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(partial, path)
            except BaseException:
                os.unlink(partial)
                raise
        except OSError as error:
            raise GrinError(f'{path} cannot be written ({error.strerror}): make room, or set '
                            'GRIN_ENGINE_CACHE to another folder') from error

    @contextmanager
    def lock(self, facts: Facts, cancelled: Callable[[], bool] | None = None) -> Iterator[None]:
        """Keep other processes from building the same engine; raises Cancelled when asked to."""
        with open(self.path(facts, '.lock'), 'w') as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if cancelled is not None and cancelled():
                        raise Cancelled('waiting for another process that builds the same engine '
                                        'was cancelled') from None
                    time.sleep(0.1)
            yield  # closing the file ends the lock, and so does the end of the process

    def timings(self, facts: Facts) -> Path:
        """Return the file of the timing cache, one per TensorRT and device."""
        shared = {name: facts.get(name) for name in ('tensorrt', 'device')}
        return self.folder / f'timing-{key_of(shared)}.cache'

    def get(self, facts: Facts, make: Callable[[bytes], tuple[bytes, bytes]],
            use: Callable[[bytes], Any], cancelled: Callable[[], bool] | None = None) -> Any:
        """
        Return use(plan) of a stored plan, or of a new one.

        A plan that is damaged, foreign or refused by use() is built again once.

        :param make: takes the timing cache, returns a plan and the timing cache after it.
        :param use: returns None for a plan that it cannot use.
        :raises GrinError: when a fresh plan cannot be used either.
        """
        with self.lock(facts, cancelled):
            data = self.read(facts)
            result = None if data is None else use(data)
            if result is not None:
                return result
            self.remove(facts)
            path = self.timings(facts)
            fresh, timings = make(path.read_bytes() if path.is_file() else b'')
            if timings:
                self._replace(path, timings)
            result = use(fresh)
            if result is None:
                raise GrinError(f'TensorRT {facts.get("tensorrt")} cannot load the engine it has '
                                f'just built for {facts.get("graph")}: run `grin doctor` and '
                                'report what it says')
            self.write(facts, fresh)
            return result
