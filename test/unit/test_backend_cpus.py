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

"""CPUs: limits of cgroups of both versions, wherever a container shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grin_ros.backends.cpus import cgroup_cpus, usable_cpus

V1 = '4:memory:/docker/ab\n3:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n'


def machine(root: Path, cgroup: str, **files: str) -> Path:
    """Write what a process sees of its cgroups; names of files have __ for each slash."""
    for name, text in {'proc__self__cgroup': cgroup, **files}.items():
        path = root / name.replace('__', '/')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    return root


def v2(*levels: str) -> str:
    """Return the name of a cpu.max."""
    return '__'.join(['sys', 'fs', 'cgroup', *levels, 'cpu.max'])


def v1(mount: str, *levels: str, quota: str, period: str = '100000\n') -> dict[str, str]:
    """Return the files of a limit of version 1."""
    folder = '__'.join(['sys', 'fs', 'cgroup', mount, *levels])
    return {f'{folder}__cpu.cfs_quota_us': quota, f'{folder}__cpu.cfs_period_us': period}


@pytest.mark.parametrize('cgroup, files, limit', [
    ('0::/\n', {v2(): '200000 100000\n'}, 2.0),  # docker --cpus=2
    ('0::/\n', {v2(): 'max 100000\n'}, None),
    ('0::/\n', {}, None),  # no controller, or the root of a machine
    ('0::/robot.slice/depth.service\n',
     {v2('robot.slice', 'depth.service'): 'max 100000\n', v2('robot.slice'): '150000 100000\n',
      v2('other.slice'): '10000 100000\n'}, 1.5),  # the limit of the one around it
    ('0::/a/b\n', {v2('a', 'b'): '50000 100000\n', v2('a'): '400000 100000\n'}, 0.5),
    # Without a namespace of its own a container sees the host's path, and its files at the top.
    ('0::/docker/ab\n', {v2(): '300000 100000\n'}, 3.0),
    ('0::/../cd\n', {v2('cd'): '300000 100000\n'}, 3.0),
    (V1, v1('cpu,cpuacct', 'docker', 'ab', quota='250000\n'), 2.5),
    (V1, v1('cpu,cpuacct', quota='150000\n', period='50000\n'), 3.0),
    (V1, v1('cpu', 'docker', 'ab', quota='250000\n'), 2.5),
    (V1, v1('cpu', quota='-1\n'), None),
    (V1, v1('memory', quota='100000\n'), None),
    ('1:cpu:/\n0::/\n', v1('cpu', quota='-1\n') | {v2('unified'): '100000 100000\n'}, 1.0),
    ('0::/\n', {v2(): 'nonsense\n'}, None),
    ('0::/\n', {v2(): '100000 0\n'}, None),
    ('nonsense\n\n', {v2(): '100000 100000\n'}, None),
])
def test_the_limit_of_a_cgroup(tmp_path: Path, cgroup: str, files: dict[str, str],
                               limit: float | None) -> None:
    assert cgroup_cpus(machine(tmp_path, cgroup, **files)) == limit


def test_where_there_are_no_cgroups_nothing_is_limited(tmp_path: Path) -> None:
    assert cgroup_cpus(tmp_path) is None
    assert usable_cpus(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize('quota, cpus', [(10_000, 1), (100_000, 1), (250_000, 2), (6_400_000, 8)])
def test_the_smaller_of_affinity_and_limit_counts(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: int, cpus: int) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(8)))
    root = machine(tmp_path, '0::/\n', **{v2(): f'{quota} 100000\n'})
    assert usable_cpus(root) == cpus
