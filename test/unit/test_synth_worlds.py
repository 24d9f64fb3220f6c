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

"""Worlds are the same for the same seed, however they are rendered."""

from __future__ import annotations

from pathlib import Path
import zipfile

import numpy as np
import pytest

from grin_ros.cli import main
from grin_ros.data.shards import ShardDataset
from grin_ros.errors import GrinError
from grin_ros.synth import assets, worlds

pytest.importorskip('numba', reason='worlds need numba: pip install "grin_ros[train]"')
pytest.importorskip('embreex', reason='worlds need embreex: pip install "grin_ros[train]"')

BOX_OBJ = """mtllib box.mtl
v 0 0 0
v 2 0 0
v 2 3 0
v 0 3 0
v 0 0 4
v 2 0 4
v 2 3 4
v 0 3 4
vt 0 0
vt 1 0
vt 1 1
usemtl wood
f 1/1 2/2 3/3 4
f 5 8 7 6
usemtl glass pane
f 1 5 6 2
f 2 6 7 3
f -5 -6 -2 -1
f 5 1 4 8
"""
BOX_MTL = 'newmtl wood\nKd 0.5 0.3 0.1\nnewmtl glass pane\nKd 1 1 1\nd 0.2\n'
PIECES = (('Table', 'Living room', 120, 75, 60), ('Cupboard', 'Bedroom', 80, 180, 50),
          ('Cup', 'Kitchen', 8, 10, 8), ('Car', 'Vehicles', 180, 150, 420),
          ('Man', 'Characters', 50, 180, 40), ('Bench', 'Exterior', 150, 80, 60))


@pytest.fixture(scope='module')
def furniture_dir(tmp_path_factory) -> Path:
    """Return a folder with a tiny furniture library in the package's format."""
    folder = tmp_path_factory.mktemp('furniture')
    catalogue = 'id=test\n'
    for number, (name, category, width, height, depth) in enumerate(PIECES, 1):
        catalogue += (f'name#{number}={name}\ncategory#{number}={category}\n'
                      f'model#{number}=/box/box.obj\nwidth#{number}={width}\n'
                      f'height#{number}={height}\ndepth#{number}={depth}\n')
    with zipfile.ZipFile(folder / 'Test.sh3f', 'w') as archive:
        archive.writestr('box/box.obj', BOX_OBJ)
        archive.writestr('box/box.mtl', BOX_MTL)
        archive.writestr('PluginFurnitureCatalog.properties', catalogue)
    return folder


@pytest.fixture
def small_worlds(monkeypatch, tmp_path) -> None:
    """Make shards of two worlds with two frames each, and keep the user's cache out of it."""
    monkeypatch.setattr(worlds, 'FRAMES_PER_WORLD', 2)
    monkeypatch.setattr(worlds, 'WORLDS_PER_SHARD', 2)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def scenes(furniture: Path, out: Path, *options: str) -> int:
    """Run ``grin scenes`` with tiny frames."""
    return main(['scenes', '--out', str(out), '--assets', str(furniture), '--size', '40x30',
                 '--seed', '7', *options])


def contents(folder: Path) -> dict[str, bytes]:
    """Return the shards of a folder."""
    return {path.name: path.read_bytes() for path in folder.glob('*.tar')}


def test_workers_do_not_change_a_byte(small_worlds, furniture_dir, tmp_path):
    """One process and two write the same shards."""
    assert scenes(furniture_dir, tmp_path / 'one', '--frames', '10') == 0
    assert scenes(furniture_dir, tmp_path / 'two', '--frames', '10', '--workers', '2') == 0
    one = contents(tmp_path / 'one')
    assert one == contents(tmp_path / 'two') and len(one) == 3
    dataset = ShardDataset(tmp_path / 'one')
    assert len(dataset) == 10
    for sample in (dataset[index] for index in range(10)):
        assert sample.meta['kind'] in worlds.MIX and sample.meta['seed'] == 7
        assert np.isfinite(sample.range_m).mean() > 0.3 and sample.image.std() > 1


def test_a_stopped_run_goes_on(small_worlds, furniture_dir, tmp_path, capsys):
    """Complete shards stay, missing and short ones are rendered again, with the same bytes."""
    out, kinds = tmp_path / 'worlds', ('--kinds', 'room', 'table')
    scenes(furniture_dir, out, '--frames', '6', *kinds)
    first = contents(out)
    (out / 'worlds-000000.tar').unlink()
    (out / 'worlds-000001.tar.tmp').write_bytes(b'half a shard')
    scenes(furniture_dir, out, '--frames', '6', *kinds)
    assert '4 frames rendered, 2 were there already' in capsys.readouterr().out
    assert contents(out) == first
    scenes(furniture_dir, out, '--frames', '8', *kinds)  # the last shard was cut short
    assert '4 frames rendered, 4 were there already' in capsys.readouterr().out
    assert contents(out)['worlds-000000.tar'] == first['worlds-000000.tar']


def test_runs_do_not_mix(small_worlds, furniture_dir, tmp_path, capsys):
    """Another seed in the same folder is refused; so is a kind that does not exist."""
    scenes(furniture_dir, tmp_path / 'worlds', '--frames', '2', '--kinds', 'room')
    assert scenes(furniture_dir, tmp_path / 'worlds', '--frames', '2', '--supersample', '2') == 2
    assert 'choose another --out' in capsys.readouterr().err
    with pytest.raises(GrinError, match='room, corridor, table, street'):
        worlds.Settings(kinds=('moon',))
    with pytest.raises(GrinError, match='16x16'):
        worlds.Settings(width=8)
    with pytest.raises(GrinError, match='--hfov 40 15'):
        worlds.Settings(hfov_deg=(40, 15))


def test_settings_that_were_cut_short_are_named(small_worlds, furniture_dir, tmp_path, capsys):
    assert scenes(furniture_dir, tmp_path / 'w', '--frames', '2', '--kinds', 'room') == 0
    assert not list((tmp_path / 'w').glob('*.tmp'))
    for content in ('', '{"seed": 7, "wid', '\xff'):
        (tmp_path / 'w' / 'worlds.json').write_text(content, 'latin-1')
        assert scenes(furniture_dir, tmp_path / 'w', '--frames', '2', '--kinds', 'room') == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert f'{tmp_path / "w" / "worlds.json"} is damaged' in said and '--out' in said


def test_lenses_are_as_asked(small_worlds, furniture_dir, tmp_path):
    assert scenes(furniture_dir, tmp_path / 'w', '--frames', '4', '--hfov', '20', '25') == 0
    lenses = [sample.camera.hfov_deg for sample in ShardDataset(tmp_path / 'w')]
    assert len(set(lenses)) == 4 and all(19.5 < hfov < 25.5 for hfov in lenses)


def test_preview_is_a_picture(small_worlds, furniture_dir, tmp_path):
    """The contact sheet holds pictures and depths side by side."""
    sheet = tmp_path / 'sheet.png'
    scenes(furniture_dir, tmp_path / 'w', '--frames', '2', '--kinds', 'street', '--preview',
           str(sheet))
    assert sheet.read_bytes().startswith(b'\x89PNG')


def test_a_preview_that_is_no_picture_is_refused_before_the_work(
        small_worlds, furniture_dir, tmp_path, capsys):
    assert scenes(furniture_dir, tmp_path / 'w', '--frames', '2', '--preview', 'pv') == 2
    assert '--preview pv: give a name that ends with .png' in capsys.readouterr().err
    nowhere = str(tmp_path / 'no' / 'pv.png')
    assert scenes(furniture_dir, tmp_path / 'w', '--frames', '2', '--preview', nowhere) == 2
    assert f'--preview {nowhere} cannot be written' in capsys.readouterr().err
    assert not list(tmp_path.glob('w/*'))


def test_furniture_has_its_real_size(small_worlds, furniture_dir):
    """A model is scaled to its catalogue's size and stands on the floor."""
    for _ in range(2):  # parsed first, read from the cache then
        library = assets.load_library(furniture_dir)
        table = next(model for model in library if model.name == 'Table')
        corners = table.mesh.triangles.reshape(-1, 3)
        np.testing.assert_allclose(corners.min(0), [-0.6, 0, -0.3], atol=1e-6)
        np.testing.assert_allclose(corners.max(0), [0.6, 0.75, 0.3], atol=1e-6)
        assert len(table.mesh.triangles) == 12
        assert [look.opacity for look in table.mesh.materials] == [1.0, 0.2]


@pytest.mark.parametrize('left', ['', '{"format": 3, "models": [{"na', '[]', '{"format": 1}'])
def test_a_damaged_or_older_cache_is_made_anew(small_worlds, furniture_dir, left):
    """Every `grin scenes` ended in a traceback then, until somebody found the file."""
    library = assets.load_library(furniture_dir)
    catalogue = assets._cache_of(furniture_dir) / 'catalogue.json'
    catalogue.write_text(left)
    assert [model.name for model in assets.load_library(furniture_dir)] == [
        model.name for model in library]


def test_missing_furniture_names_the_remedy(small_worlds, tmp_path, monkeypatch):
    """Without apt-get the message says what to download and how to pass it."""
    with pytest.raises(GrinError, match='holds neither'):
        assets.load_library(tmp_path)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(GrinError, match='--assets DIR'):
        assets.load_library()
