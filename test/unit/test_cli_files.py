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

"""What verbs write is whole or not there, and nothing that is there is lost to an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from grin_ros.cli.files import finished, need_picture, need_place
from grin_ros.errors import GrinError


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / 'film.mp4'
    path.write_text('old')
    with pytest.raises(ZeroDivisionError), finished(path) as partial:
        partial.write_text('half')
        raise ZeroDivisionError
    assert path.read_text() == 'old'
    with finished(path) as partial:
        assert partial.name == path.name
        partial.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_came_in_between_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / 'bag'
    with pytest.raises(GrinError, match='cannot be put in place'), finished(path) as partial:
        partial.mkdir()
        path.mkdir()
        (path / 'precious').touch()
    assert list(tmp_path.iterdir()) == [path]
    assert [file.name for file in path.iterdir()] == ['precious']


def test_a_link_stays_one(tmp_path: Path) -> None:
    link, path = tmp_path / 'link', tmp_path / 'file'
    path.write_text('old')
    link.symlink_to(path)
    with finished(link) as partial:
        partial.write_text('new')
    assert link.is_symlink() and path.read_text() == 'new'


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    need_place(None, '--json')
    need_place(tmp_path / 'new.json', '--json')
    for path in (tmp_path, tmp_path / 'no' / 'new.json', Path('.')):
        with pytest.raises(GrinError, match='--json'):
            need_place(path, '--json')


def test_pictures_have_colours() -> None:
    need_picture(None, '--report')
    need_picture(Path('report.JPG'), '--report')
    for name in ('report', 'report.pdf', 'report.pbm'):
        with pytest.raises(GrinError, match='--report'):
            need_picture(Path(name), '--report')
