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

"""
Run Python with the cv_bridge of Debian or Ubuntu: ``with_cv_bridge.py FOLDER [python options]``.

Its packages and the libraries they need are unpacked into the folder, nothing is installed. The
distribution's is ROS 1's, whose conversions are the code of ROS 2's. It was built for NumPy 1.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path
import shutil
import subprocess
import sys
import sysconfig

ROOT = Path(__file__).parents[2]
PACKAGE = 'python3-cv-bridge'
PATIENCE = 120  # [s] for one call of apt
CHECK = ('import cv_bridge.boost.cv_bridge_boost; from grin_ros.messages import bridge; '
         'assert bridge() is not None, "cv_bridge imports, but does not convert"')


class Unavailable(Exception):
    """There is no cv_bridge to be had here, which is nobody's fault."""


def fetch(folder: Path) -> None:
    """
    Unpack cv_bridge and the libraries that this system lacks into ``folder/root``.

    :raises Unavailable: when there is no apt, no archive, or no build for this Python.
    """
    if not (shutil.which('apt-get') and shutil.which('dpkg')):
        raise Unavailable('this is neither Debian nor Ubuntu')
    shutil.rmtree(folder, ignore_errors=True)
    debs, lists = folder / 'cache/archives', folder / 'state/lists'
    for path in (debs, lists):
        (path / 'partial').mkdir(parents=True)
    # Lists and archives of our own, so that neither root nor fresh lists are needed.
    options = [part for option in (
        f'Dir::State={folder}/state', 'Dir::State::status=/var/lib/dpkg/status',
        f'Dir::Cache={folder}/cache', 'Debug::NoLocking=true', 'APT::Sandbox::User=root',
        'Acquire::Retries=1', 'Acquire::http::Timeout=20') for part in ('-o', option)]

    def apt(*command: str) -> str:
        try:
            return subprocess.run(
                [command[0], *options, *command[1:]], cwd=debs, env={**os.environ, 'LC_ALL': 'C'},
                check=True, text=True, timeout=PATIENCE, capture_output=True).stdout
        except subprocess.CalledProcessError as error:
            raise Unavailable(f'{" ".join(command)}: {error.stderr.strip()[-300:]}') from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f'{" ".join(command)} takes too long') from error

    def unpack() -> None:
        for deb in sorted(debs.glob('*.deb')):
            subprocess.run(['dpkg', '-x', deb, folder / 'root'], check=True)
            deb.unlink()

    # Other archives of this machine may be out of reach; what is missing, download will say.
    with contextlib.suppress(Unavailable):
        apt('apt-get', 'update', '-q')
    apt('apt-get', 'download', '-q', PACKAGE)
    unpack()
    module = folder / 'root/usr/lib/python3/dist-packages/cv_bridge'
    if not (module / f'boost/cv_bridge_boost{sysconfig.get_config_var("EXT_SUFFIX")}').exists():
        raise Unavailable(f'{PACKAGE} is for another Python than {sys.version.split()[0]}')
    needed = [line.split()[1] for line in apt('apt-cache', 'depends', PACKAGE).splitlines()
              if line.strip().startswith('Depends: lib')]
    pythons = [name for name in needed if name.startswith('libpython')]
    apt('apt-get', 'install', '-q', '--yes', '--download-only', '--no-install-recommends',
        *(name for name in needed if name not in pythons))
    # A Python that runs from a libpython must not find the distribution's before its own.
    if missing := [name for name in pythons if not loads(f'{name}.so.1.0')]:
        apt('apt-get', 'download', '-q', *missing)
    unpack()
    for path in (folder / 'cache', folder / 'state'):
        shutil.rmtree(path)
    # The module alone: beside it may lie messages of ROS 1.
    (folder / 'python').mkdir()
    (folder / 'python/cv_bridge').symlink_to(module)


def loads(library: str) -> bool:
    """Tell whether a library is loaded already or found."""
    try:
        return bool(ctypes.CDLL(library))
    except OSError:
        return False


def environment(folder: Path) -> dict[str, str]:
    """Return the variables with which Python finds what was fetched."""
    libraries = {str(path.parent) for path in (folder / 'root').rglob('lib*.so*')}
    return {**os.environ,
            'LD_LIBRARY_PATH': os.pathsep.join(filter(None, [
                os.environ.get('LD_LIBRARY_PATH'), *sorted(libraries)])),
            'PYTHONPATH': os.pathsep.join(filter(None, [
                str(folder / 'python'), str(ROOT), os.environ.get('PYTHONPATH')]))}


def main() -> None:
    """Fetch cv_bridge once, check that it works, and become the Python that was asked for."""
    folder = Path(sys.argv[1]).absolute()
    try:
        if not (folder / 'python/cv_bridge').exists():
            fetch(folder)
    except Unavailable as error:
        print(f'SKIPPED, there is no cv_bridge to compare with: {error}', file=sys.stderr)
        return
    variables = environment(folder)
    if subprocess.run([sys.executable, '-c', CHECK], env=variables).returncode:
        sys.exit(f'the cv_bridge in {folder} is for this Python, but does not work')
    os.execve(sys.executable, [sys.executable, *sys.argv[2:]], variables)


if __name__ == '__main__':
    main()
