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

"""Files that verbs write: refused before the work, whole or not there, and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import tempfile
from typing import Any

from grin_ros.errors import GrinError

PICTURES = ('.png', '.jpg', '.jpeg')


def need_place(path: Path | None, option: str) -> None:
    """Refuse a file that could not be written when the work is done."""
    if path is None:
        return
    target = path if path.exists() else path.parent
    if path.is_dir() or not path.parent.is_dir() or not os.access(target, os.W_OK):
        raise GrinError(f'{option} {path} cannot be written: give a file in a folder that is '
                        'there and that you may write to')


def need_picture(path: Path | None, option: str) -> None:
    """Refuse a name whose ending is none of PICTURES; OpenCV has more, some without colours."""
    if path is not None and path.suffix.lower() not in PICTURES:
        raise GrinError(f'{option} {path}: give a name that ends with .png or .jpg')


@contextmanager
def finished(path: Path) -> Iterator[Path]:
    """
    Give a place to write a file or folder to; under path it appears only when it is whole.

    :raises GrinError: when it cannot be put there.
    """
    path = path.resolve()  # what a link points to is replaced, not the link
    with tempfile.TemporaryDirectory(prefix=f'.{path.name}.', dir=path.parent) as folder:
        partial = Path(folder) / path.name
        yield partial
        try:
            partial.replace(path)
        except OSError as error:
            raise GrinError(f'{path} cannot be put in place: {error.strerror}') from error


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures; NaN becomes null, as JSON has none."""
    if path is None:
        return
    try:
        path.write_text(json.dumps(_plain(figures), indent=1) + '\n', encoding='utf-8')
    except OSError as error:
        raise GrinError(f'{path} cannot be written: {error.strerror}') from error


def _plain(value: Any) -> Any:
    """Replace numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float('inf') else value
