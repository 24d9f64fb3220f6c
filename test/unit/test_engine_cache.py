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


"""Engine cache: a key for all that matters, private files, one builder at a time."""

from __future__ import annotations

import errno
import json
from multiprocessing import get_context
import os
from pathlib import Path
import stat
import tempfile
import threading
import time
from typing import Any

import pytest

from grin_ros.engine import cache as caches
from grin_ros.engine.build import Cancelled
from grin_ros.engine.cache import CacheError, EngineCache, key_of
from grin_ros.errors import GrinError

NOBODY = 65534  # user id
FACTS: dict[str, Any] = {
    'graph': 'denoiser', 'onnx_sha256': 'ab', 'tensorrt': 'tensorrt 10.3.0', 'steps': 0,
    'device': {'name': 'Orin', 'compute_capability': '8.7', 'sm_count': 16, 'driver': '12060',
               'cuda': '12.6'}, 'precision': 'fp16', 'profile': {'width': 320, 'height': 256},
    'settings': {'optimization_level': 3}}


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / 'engines')


def changes(value: Any) -> Any:
    """Yield copies of nested facts with one leaf changed each."""
    for name, item in value.items():
        if isinstance(item, dict):
            for changed in changes(item):
                yield {**value, name: changed}
        else:
            yield {**value, name: f'{item}x'}


def test_everything_that_matters_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [key_of(FACTS), *map(key_of, changes(FACTS))]
    assert len(set(keys)) == len(keys) == 14
    assert key_of(dict(reversed(list(FACTS.items())))) == keys[0]
    monkeypatch.setattr(caches, 'SCHEMA', 99)
    assert key_of(FACTS) not in keys


def test_a_plan_is_found_again_and_only_with_its_facts(cache: EngineCache) -> None:
    cache.write(FACTS, b'plan')
    assert cache.read(FACTS) == b'plan'
    assert cache.read({**FACTS, 'steps': 2}) is None
    cache.remove(FACTS)
    assert cache.read(FACTS) is None


@pytest.mark.parametrize('damage', ['plan', 'json', 'no json', 'other facts', 'list'])
def test_a_damaged_plan_is_no_plan(cache: EngineCache, damage: str) -> None:
    cache.write(FACTS, b'plan')
    note = cache.path(FACTS, '.json')
    if damage == 'plan':
        cache.path(FACTS).write_bytes(b'plam')
    elif damage == 'json':
        note.write_text('{', encoding='utf-8')
    elif damage == 'no json':
        note.unlink()
    elif damage == 'list':
        note.write_text('[]', encoding='utf-8')
    else:
        noted = json.loads(note.read_text(encoding='utf-8'))
        note.write_text(json.dumps(noted | {'facts': {**FACTS, 'steps': 1}}), encoding='utf-8')
    assert cache.read(FACTS) is None


def test_only_this_user_may_touch_it(cache: EngineCache) -> None:
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    cache.folder.chmod(0o777)
    EngineCache(cache.folder)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    cache.write(FACTS, b'plan')
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600
               for path in cache.folder.iterdir())


def become_another(monkeypatch: pytest.MonkeyPatch, root: int = -1) -> None:
    """Make what is there somebody else's: root's, where that is the user id of now."""
    owner = os.geteuid()
    monkeypatch.setattr(os, 'geteuid', lambda: owner + 1)
    monkeypatch.setattr(caches, 'ROOT', root)


def test_a_folder_of_somebody_else_is_refused(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become_another(monkeypatch)
    with pytest.raises(GrinError, match='another user.*GRIN_ENGINE_CACHE'):
        EngineCache(tmp_path)


def baked(cache: EngineCache) -> EngineCache:
    """Store a plan as an image or a read-only mount has it: everybody may read it."""
    cache.write(FACTS, b'plan')
    for path in cache.folder.iterdir():
        path.chmod(0o444)
    cache.folder.chmod(0o555)
    return cache


def state(cache: EngineCache) -> dict[str, int]:
    """Return what is there, and its permissions."""
    return {path.name: path.stat().st_mode for path in (cache.folder, *cache.folder.iterdir())}


def never(timings: bytes) -> tuple[bytes, bytes]:
    raise AssertionError('it was built')


def test_engines_that_root_has_baked_in_are_only_read(
        cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(baked(cache))
    become_another(monkeypatch, root=os.geteuid())
    for make in (never, None):
        assert EngineCache(cache.folder).get(FACTS, make, bytes.decode) == 'plan'
    assert state(cache) == before, 'no lock, no other permissions'


def test_engines_on_a_read_only_file_system_are_only_read(
        cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(baked(cache))

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as mounted:
        mounted.setattr(Path, 'chmod', refuse)
        mounted.setattr(tempfile, 'mkstemp', refuse)
        assert EngineCache(cache.folder).get(FACTS, never, bytes.decode) == 'plan'
        assert state(cache) == before
    EngineCache(cache.folder)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o500, 'sealed by its owner, it stays so'


@pytest.mark.parametrize('target, mode', [('folder', 0o775), ('folder', 0o557), ('.plan', 0o464),
                                          ('.plan', 0o446), ('.json', 0o446)])
def test_engines_that_others_may_write_are_not_loaded(
        cache: EngineCache, monkeypatch: pytest.MonkeyPatch, target: str, mode: int) -> None:
    baked(cache)
    path = cache.folder if target == 'folder' else cache.path(FACTS, target)
    path.chmod(mode)
    become_another(monkeypatch, root=os.geteuid())
    with pytest.raises(GrinError, match=f'{path.name} can be written by other.*`chmod go-w`'):
        EngineCache(cache.folder).get(FACTS, never, bytes.decode)


def test_a_baked_engine_that_this_user_may_not_read_is_named(
        cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(FACTS, b'plan')

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(caches, 'open', refuse, raising=False)
    with pytest.raises(GrinError, match=r'plan cannot be read \(Permission denied\).*a\+rX'):
        cache.get(FACTS, never, bytes.decode)


@pytest.mark.parametrize('mode', [0o700, 0o755])
def test_a_folder_that_sudo_has_made_is_no_use_until_it_holds_an_engine(
        request: pytest.FixtureRequest, mode: int) -> None:
    if os.geteuid() != 0:
        pytest.skip('only root can be somebody else')
    request.addfinalizer(lambda: os.seteuid(0))
    with tempfile.TemporaryDirectory() as home:  # all folders above are open, unlike pytest's
        os.chmod(home, 0o755)
        cache = EngineCache(Path(home) / 'engines')
        cache.need_use()
        cache.folder.chmod(mode)
        os.seteuid(NOBODY)
        with pytest.raises(CacheError, match='sudo chown.*GRIN_ENGINE_CACHE'):
            EngineCache(cache.folder).need_use()
        os.seteuid(0)
        baked(cache)
        os.seteuid(NOBODY)
        EngineCache(cache.folder).need_use()
        os.seteuid(0)


def test_building_needs_a_folder_that_can_be_written(cache: EngineCache) -> None:
    cache.path(FACTS, '.lock').mkdir()  # as root opens everything else
    with pytest.raises(GrinError, match='lock cannot be written.*GRIN_ENGINE_CACHE'):
        cache.get(FACTS, never, bytes.decode)
    cache.write(FACTS, b'plan')
    assert cache.get(FACTS, never, bytes.decode) == 'plan'


def test_what_must_not_be_built_is_not_locked_either(cache: EngineCache) -> None:
    assert cache.get(FACTS, None, bytes.decode) is None
    assert not list(cache.folder.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('', encoding='utf-8')
    with pytest.raises(GrinError, match='cannot be made.*GRIN_ENGINE_CACHE'):
        EngineCache(tmp_path / 'file' / 'engines')


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GRIN_ENGINE_CACHE', '/some/where')
    assert caches.default_folder() == Path('/some/where')
    monkeypatch.delenv('GRIN_ENGINE_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', '/cache')
    assert caches.default_folder() == Path('/cache/grin_ros/engines')
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', '/home/robot')
    assert caches.default_folder() == Path('/home/robot/.cache/grin_ros/engines')
    monkeypatch.setenv('GRIN_ENGINE_CACHE', '~/engines')  # as no shell has expanded it
    assert caches.default_folder() == Path('/home/robot/engines')


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container with --user 1234: backend auto ended in a traceback."""
    for name in ('GRIN_ENGINE_CACHE', 'XDG_CACHE_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, 'getuid', lambda: 3_999_999_999)  # nobody has it
    with pytest.raises(CacheError, match='GRIN_ENGINE_CACHE'):
        EngineCache()


def test_get_builds_once_and_hands_the_timings_on(cache: EngineCache) -> None:
    given: list[bytes] = []

    def make(timings: bytes) -> tuple[bytes, bytes]:
        given.append(timings)
        return b'plan', timings + b'+'

    assert cache.get(FACTS, make, bytes.decode) == 'plan'
    assert cache.get(FACTS, make, bytes.decode) == 'plan'
    assert cache.get({**FACTS, 'graph': 'frame'}, make, bytes.decode) == 'plan'
    assert given == [b'', b'+']
    assert cache.get({**FACTS, 'tensorrt': 'tensorrt 11.4.0'}, make, bytes.decode) == 'plan'
    assert given[2] == b'', 'timings of another TensorRT mean nothing'


def test_a_plan_that_is_never_any_good_ends_in_an_error(cache: EngineCache) -> None:
    made = []
    for _ in range(2):
        with pytest.raises(GrinError, match='cannot load the engine it has just built'):
            cache.get(FACTS, lambda timings: (made.append(1) or b'bad', b''), lambda plan: None)
    assert len(made) == 2, 'once for each call'
    assert cache.read(FACTS) is None


def test_a_plan_that_is_refused_is_tried_once(cache: EngineCache) -> None:
    """However often it is read: TensorRT takes its time to refuse one."""
    cache.write(FACTS, b'foreign')
    tried: list[bytes] = []

    def use(plan: bytes) -> str | None:
        tried.append(plan)
        return None if plan == b'foreign' else plan.decode()

    assert cache.get(FACTS, lambda timings: (b'plan', b''), use) == 'plan'
    assert tried == [b'foreign', b'plan'] and cache.read(FACTS) == b'plan'


def test_a_good_engine_is_used_where_it_cannot_be_kept(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    cache = EngineCache(tmp_path / 'engines', warned.append)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, 'fsync', full)
    assert cache.get(FACTS, lambda timings: (b'plan', b'+'), bytes.decode) == 'plan'
    assert len(warned) == 1 and 'is used' in warned[0] and 'No space left' in warned[0]
    assert cache.read(FACTS) is None and not list(cache.folder.glob('timing-*'))


def build_slowly(folder: Path, log: Path) -> None:
    def make(timings: bytes) -> tuple[bytes, bytes]:
        with open(log, 'a', encoding='utf-8') as stream:
            stream.write('b')
        time.sleep(0.3)
        return b'plan', b''

    assert EngineCache(folder).get(FACTS, make, bytes.decode) == 'plan'


def test_two_processes_build_once(cache: EngineCache, tmp_path: Path) -> None:
    context, log = get_context('spawn'), tmp_path / 'log'
    nodes = [context.Process(target=build_slowly, args=(cache.folder, log)) for _ in range(3)]
    for node in nodes:
        node.start()
    for node in nodes:
        node.join()
    assert [node.exitcode for node in nodes] == [0, 0, 0]
    assert log.read_text(encoding='utf-8') == 'b'


def test_waiting_for_the_lock_can_be_cancelled(cache: EngineCache) -> None:
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    with cache.lock(FACTS), pytest.raises(Cancelled):
        with cache.lock(FACTS, cancel.is_set):
            pass
    with cache.lock(FACTS):
        pass


def test_a_write_that_fails_leaves_the_old_plan(
        cache: EngineCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write(FACTS, b'plan')

    def full(*_: Any) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(GrinError, match='No space left'):
        cache.write(FACTS, b'new')
    monkeypatch.undo()
    assert cache.read(FACTS) == b'plan'
    assert not list(cache.folder.glob('.partial*'))
