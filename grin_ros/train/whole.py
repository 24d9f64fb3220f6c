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

"""Whole: a folder in, a place to write beside its files out, which then replaces all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
import shutil
import tempfile

from grin_ros.errors import GrinError

PREFIX = '.export.'


@contextmanager
def whole(folder: Path, last: str) -> Iterator[Path]:
    """
    Give a place to write files to that go into a folder when all are written.

    Whatever else lies in the folder stays; after an error or Ctrl-C amid the writing, so do
    older files. One amid the moving leaves a mixture, which its hashes refuse. What a killed
    process left goes when the next one begins.

    :param folder: created.
    :param last: name of the file without which the others are nothing; it is moved last.
    :raises GrinError: when the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f'{PREFIX}*'):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        # In the folder itself, which may be a mount, or the only place to write to.
        place = tempfile.TemporaryDirectory(prefix=PREFIX, dir=folder)
    except OSError as error:
        raise GrinError(f'{folder} cannot be written to ({error.strerror}): give another folder'
                        ) from error
    try:
        with place:
            partial = Path(place.name)
            yield partial
            for path in sorted(partial.iterdir(), key=lambda path: path.name == last):
                path.replace(folder / path.name)
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # if it is empty, as a new one is
        raise
