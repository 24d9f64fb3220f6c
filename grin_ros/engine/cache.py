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
from contextlib import contextmanager, suppress
import fcntl
import hashlib
import json
import os
from pathlib import Path
import tempfile
import time
from typing import Any, IO

from grin_ros.engine.build import Cancelled
from grin_ros.errors import GrinError

SCHEMA = 1  # raise it when graphs or runtime change what a plan must be
ROOT = 0  # user id of whom everybody has to trust
Facts = Mapping[str, Any]


class CacheError(GrinError):
    """A folder that can neither give nor take an engine."""


def default_folder() -> Path:
    """Return where engines are kept: GRIN_ENGINE_CACHE, else the user's cache folder."""
    base = Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
    try:
        return Path(os.environ.get('GRIN_ENGINE_CACHE') or base / 'grin_ros/engines').expanduser()
    except RuntimeError as error:  # a container's user without a name
        raise CacheError('this user has no home folder to keep engines in: set GRIN_ENGINE_CACHE '
                         'to a folder of its own') from error


def key_of(facts: Facts) -> str:
    """Return the name of an engine: a hash of all that it depends on."""
    text = json.dumps({**facts, 'schema': SCHEMA}, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class EngineCache:
    """
    Plans by the facts they depend on; a plan is code, so only this user, or root, may write them.

    A folder that cannot be written will do where the engines are there: part of an image, or
    mounted read-only.

    :param folder: None for the default one.
    :param warn: told when a new engine cannot be kept.
    """

    def __init__(self, folder: Path | None = None,
                 warn: Callable[[str], None] = lambda text: None) -> None:
        """Make the folder, private, or look who may write to the one that is there."""
        self.folder, self._warn = folder or default_folder(), warn
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.folder.stat().st_uid == os.geteuid():
                with suppress(OSError):  # on a read-only file system it must be right already
                    self.folder.chmod(self.folder.stat().st_mode & 0o700)
            status = self.folder.stat()
        except OSError as error:
            raise CacheError(f'engine cache {self.folder} cannot be made ({error.strerror}): set '
                             'GRIN_ENGINE_CACHE to a folder of your own') from error
        _need_trust(f'engine cache {self.folder}', status)
        # Nobody else reaches a file in a private folder, whatever its own permissions are.
        self._private = not status.st_mode & 0o077

    def need_use(self) -> None:
        """Refuse a folder that gives no engine and takes none, as one that sudo has made."""
        may_read, may_write = (os.access(self.folder, mode | os.X_OK, effective_ids=True)
                               for mode in (os.R_OK, os.W_OK))
        if not may_read or not (may_write or any(self.folder.glob('*.plan'))):
            raise CacheError(f'engine cache {self.folder} has no engine for this user, and takes '
                             'no new one: `sudo chown -R $USER` it, or set GRIN_ENGINE_CACHE to a '
                             'folder of your own')

    def path(self, facts: Facts, suffix: str = '.plan') -> Path:
        """Return where a plan is kept, whether it is there or not."""
        return self.folder / f'{facts.get("graph", "engine")}-{key_of(facts)}{suffix}'

    def read(self, facts: Facts) -> bytes | None:
        """
        Return a plan whose JSON and hash agree with it, else None.

        :raises GrinError: when it is there, and this user may not read it or others may write it.
        """
        try:
            data = self._read(self.path(facts))
            note = json.loads(self._read(self.path(facts, '.json')))
            good = (note['plan_sha256'] == hashlib.sha256(data).hexdigest()
                    and key_of(note['facts']) == key_of(facts))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return data if good else None

    def _read(self, path: Path) -> bytes:
        """Read a file that only trusted users may have written."""
        try:
            with open(path, 'rb') as stream:
                if not self._private:
                    _need_trust(str(path), os.fstat(stream.fileno()))
                return stream.read()
        except PermissionError as error:  # an image whose engines were made by another user
            raise GrinError(f'{path} cannot be read ({error.strerror}): `chmod -R a+rX '
                            f'{self.folder}` as its owner, or set GRIN_ENGINE_CACHE to another '
                            'folder') from error

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
            raise _not_written(path, error) from error

    @contextmanager
    def lock(self, facts: Facts, cancelled: Callable[[], bool] | None = None) -> Iterator[None]:
        """
        Keep other processes from building the same engine.

        :raises Cancelled: when asked to while it waits.
        :raises GrinError: when the folder cannot be written.
        """
        path = self.path(facts, '.lock')
        with _open_lock(path) as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if cancelled is not None and cancelled():
                        raise Cancelled('waiting for another process that builds the same engine '
                                        'was cancelled') from None
                    time.sleep(0.1)
                except OSError as error:  # a network's file system may have no locks
                    raise _not_written(path, error) from error
            yield  # closing the file ends the lock, and so does the end of the process

    def timings(self, facts: Facts) -> Path:
        """Return the file of the timing cache, one per TensorRT and device."""
        shared = {name: facts.get(name) for name in ('tensorrt', 'device')}
        return self.folder / f'timing-{key_of(shared)}.cache'

    def get(self, facts: Facts, make: Callable[[bytes], tuple[bytes, bytes]] | None,
            use: Callable[[bytes], Any], cancelled: Callable[[], bool] | None = None) -> Any:
        """
        Return use(plan) of a stored plan, or of a new one.

        A plan that is damaged, foreign or refused by use() is built again once. One that is good
        is only read: without locks, and from a folder that cannot be written.

        :param make: takes the timing cache, returns a plan and the timing cache after it. None
            builds nothing: where there is no good plan, None is returned.
        :param use: returns None for a plan that it cannot use.
        :raises GrinError: when a fresh plan cannot be used either.
        """
        data = self.read(facts)
        result = None if data is None else use(data)
        if result is not None or make is None:
            return result
        with self.lock(facts, cancelled):
            refused, data = data, self.read(facts)  # another process may have built it meanwhile
            if data is not None and data != refused:
                result = use(data)
            return self._build(facts, make, use) if result is None else result

    def _build(self, facts: Facts, make: Callable[[bytes], tuple[bytes, bytes]],
               use: Callable[[bytes], Any]) -> Any:
        """Return use(plan) of a new plan, and keep that for the next time."""
        timings = b''
        with suppress(OSError):  # it saves time, no more
            timings = self.timings(facts).read_bytes()
        with suppress(OSError):  # what is there is no good, and takes room
            self.remove(facts)
        fresh, timings = make(timings)
        result = use(fresh)
        if result is None:
            raise GrinError(f'TensorRT {facts.get("tensorrt")} cannot load the engine it has '
                            f'just built for {facts.get("graph")}: run `grin doctor` and '
                            'report what it says')
        try:
            self.write(facts, fresh)
            if timings:
                self._replace(self.timings(facts), timings)
        except GrinError as error:  # minutes of work: use it, as long as this process lasts
            self._warn(f'the new engine is used, and not kept for the next start: {error}')
        return result


def _need_trust(what: str, status: os.stat_result) -> None:
    """Refuse a folder or file of plans that somebody else could put code into."""
    if status.st_uid not in (os.geteuid(), ROOT):
        raise CacheError(f'{what} belongs to another user, who could put code into plans: set '
                         'GRIN_ENGINE_CACHE to a folder of your own, or of root')
    if status.st_mode & 0o022:
        raise CacheError(f'{what} can be written by other users, who could put code into plans: '
                         '`chmod go-w` it, or set GRIN_ENGINE_CACHE to a folder of your own')


def _open_lock(path: Path) -> IO[str]:
    try:
        return open(path, 'w')
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> GrinError:
    return GrinError(f'{path} cannot be written ({error.strerror}), as a new engine needs: make '
                     'room, or set GRIN_ENGINE_CACHE to a folder that can be written')
