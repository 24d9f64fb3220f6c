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

"""Texels: a picture that repeats, and compiled code that is of the sources beside it."""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys

import numpy as np
import pytest

import grin_ros

pytest.importorskip('numba', reason='worlds need numba: pip install "grin_ros[train]"')
texels = pytest.importorskip('grin_ros.synth.texels')

CALLER = """
from grin_ros.synth.texels import around, compiled

@compiled
def nearest(x):
    return around(x, 0.0, 4, 4)[0][0]

print(nearest(2.0))
"""


@pytest.mark.parametrize('x, y', [(0.0, 0.0), (2.25, 1.5), (-0.5, -0.5), (4.75, 2.9)])
def test_a_value_is_that_of_the_four_texels_around_it(x: float, y: float) -> None:
    """A picture of 5x3 goes on beyond its borders, and is linear between its texels."""
    picture = np.random.default_rng(0).random((3, 5))
    found = sum(weight * picture.ravel()[texel] for texel, weight in texels.around(x, y, 5, 3))
    left, upper = int(np.floor(x)), int(np.floor(y))
    four = picture.take([upper, upper + 1], 0, mode='wrap').take([left, left + 1], 1, mode='wrap')
    expected = np.array([upper + 1 - y, y - upper]) @ four @ np.array([left + 1 - x, x - left])
    assert found == pytest.approx(expected)


def test_what_was_compiled_of_other_sources_is_not_used(tmp_path: Path) -> None:
    """
    A change in one file counts in the files whose code calls it.

    numba kept their code as long as they themselves were the same, so that after an update
    worlds were rendered as before, or partly so.
    """
    package = tmp_path / 'grin_ros'
    shutil.copytree(Path(grin_ros.__file__).parent, package,
                    ignore=shutil.ignore_patterns('bundles', '__pycache__'))
    (package / 'synth' / 'caller.py').write_text(CALLER)
    source = package / 'synth' / 'texels.py'

    def answer() -> str:
        return subprocess.run(
            [sys.executable, '-m', 'grin_ros.synth.caller'], cwd=tmp_path, check=True, text=True,
            env=os.environ | {'PYTHONPATH': str(tmp_path)}, capture_output=True).stdout.strip()
    assert answer() == '2'
    source.write_text(source.read_text().replace('((upper + left,', '((upper + right,'))
    assert answer() == '3'


def test_sources_are_all_that_is_compiled() -> None:
    files = Path(texels.__file__).parent.glob('*.py')
    assert {file.stem for file in files if '@compiled' in file.read_text()} <= set(texels.SOURCES)
