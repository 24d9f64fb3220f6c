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

"""CPUs: how many cores this process may keep busy, by affinity and by the limit of its cgroup."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
import os
from pathlib import Path, PurePosixPath


def usable_cpus(root: Path = Path('/')) -> int:
    """
    Return how many threads are worth starting, at least 1.

    Affinity knows nothing of `docker --cpus=2` on 64 cores: 64 threads would use up each period's
    time at once and then stand still until the next.

    :param root: where proc and sys are.
    """
    cores = len(os.sched_getaffinity(0))
    limit = cgroup_cpus(root)
    # Rounded down: what is left is for the rest of the process, and a thread that is kept
    # waiting keeps the others of its pool waiting, too.
    return cores if limit is None else max(1, min(cores, int(limit)))


def cgroup_cpus(root: Path = Path('/')) -> float | None:
    """Return the CPUs that this process's cgroup, or one around it, may use; None for all."""
    try:
        text = (root / 'proc/self/cgroup').read_text(encoding='utf-8')
    except (OSError, ValueError):
        return None
    limits: list[float] = []
    groups = (line.split(':', 2) for line in text.splitlines() if line.count(':') >= 2)
    for _, controllers, path in groups:
        for folder in _folders(root, controllers, path):
            # A file that is missing or odd limits nothing.
            with suppress(OSError, ValueError, ZeroDivisionError):
                limits += _limit(folder, controllers == '')
    return min(limits, default=None)


def _folders(root: Path, controllers: str, path: str) -> Iterator[Path]:
    """
    Yield the folders of a cgroup and of those around it, where the CPU controller may be.

    A container may see the host's path in /proc while its own cgroup is mounted at the top: the
    folders in between are not there then, and are passed over.
    """
    names = controllers.split(',')
    if controllers and 'cpu' not in names:
        return
    own = PurePosixPath('/', *(part for part in PurePosixPath(path).parts if part != '..'))
    for mount in (controllers, 'cpu') if controllers else ('', 'unified'):
        for level in (own, *own.parents):
            yield root / 'sys/fs/cgroup' / mount / str(level).lstrip('/')


def _limit(folder: Path, unified: bool) -> list[float]:
    """Return the limit of a cgroup, if it has one: quota and period in files of either version."""
    if unified:
        quota, period = (folder / 'cpu.max').read_text(encoding='utf-8').split()
    else:
        quota, period = ((folder / f'cpu.cfs_{name}_us').read_text(encoding='utf-8').strip()
                         for name in ('quota', 'period'))
    if quota in ('max', '-1'):
        return []
    return [int(quota) / int(period)]
