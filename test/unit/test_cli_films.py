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

"""Films: whole or not there, never too wide, at a rate that MPEG-4 can say."""

from __future__ import annotations

from pathlib import Path
import resource
import subprocess
import sys

import numpy as np
import pytest

from grin_ros.cli.films import Film, new_film
from grin_ros.errors import GrinError

ROOT = Path(__file__).parents[2]
NOISE = """
import sys
from pathlib import Path
import numpy as np
from grin_ros.cli.films import new_film
rng = np.random.default_rng(0)
with new_film(Path(sys.argv[1]), 10, (96, 64)) as write:
    for _ in range(20):
        write(rng.integers(0, 255, (64, 96, 3)).astype(np.uint8))
"""


@pytest.mark.parametrize('size', [(9000, 100), (100, 9000)])
def test_what_mpeg_4_cannot_hold_is_scaled_down(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / 'wide.mp4'
    with new_film(path, 29.97002997 / 7, size) as write:
        write(np.full((*size[::-1], 3), 200, np.uint8))
    film = Film(path)
    assert 8180 <= max(film.width, film.height) <= 8191
    assert min(film.width, film.height) in (90, 91) and film.rate == pytest.approx(4.28)
    (picture,) = film
    assert abs(picture.mean() - 200) < 5


def test_a_slow_film_has_a_rate(tmp_path: Path) -> None:
    with new_film(tmp_path / 'slow.mp4', 0.003, (96, 64)) as write:
        write(np.zeros((64, 96, 3), np.uint8))
    assert len(Film(tmp_path / 'slow.mp4')) == 1


def test_a_film_that_a_full_disk_cut_replaces_nothing(tmp_path: Path) -> None:
    out = tmp_path / 'out.mp4'
    out.write_text('another film')
    run = subprocess.run(
        [sys.executable, '-c', NOISE, str(out)], cwd=ROOT, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)))
    assert 'GrinError' in run.stderr and 'was not written whole' in run.stderr
    assert out.read_text() == 'another film' and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize('name', ['out.xyz', 'out.png', 'out.jpg'])
def test_a_name_that_is_no_film_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(GrinError, match='ends with .mp4'), new_film(
            tmp_path / name, 10, (96, 64)):
        pass
    assert not list(tmp_path.iterdir())
