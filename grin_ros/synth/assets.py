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

"""Furniture with real sizes: the Debian package sweethome3d-furniture in, a model library out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
import json
import os
from pathlib import Path
import re
import shutil
import subprocess
import tempfile
import zipfile

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError, require
from grin_ros.synth.obj import Mesh, ModelMaterial, read_obj

PACKAGE = 'sweethome3d-furniture'
FORMAT = 3  # of the cache; raise it when what is stored changes
MAX_FILE_BYTES = 2_500_000
MAX_TRIANGLES = 60_000
MAX_SIZE_M = 25.0


@dataclass(frozen=True, eq=False)
class Model:
    """
    One piece of furniture; x right, y up, z to its front, its foot at the origin.

    :param size: width (x), height (y), depth (z) [m].
    :param elevation: height above the floor where it usually hangs or stands [m].
    """

    name: str
    category: str
    library: str
    size: tuple[float, float, float]
    elevation: float
    door_or_window: bool
    mesh: Mesh

    @property
    def longest(self) -> float:
        """Return the longest of its three sizes [m]."""
        return max(self.size)


def default_cache() -> Path:
    """Return the folder that keeps the parsed library between runs."""
    root = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(root) / 'grin_ros' / 'assets'


def load_library(assets: Path | None = None) -> list[Model]:
    """
    Return the furniture, from the cache or else from the Debian package.

    :param assets: a folder with the package's .deb, its .sh3f files, or a cache written before;
        None downloads the package with apt-get into the user's cache.
    :raises GrinError: when the package can neither be found nor downloaded.
    """
    if assets is not None and not Path(assets).is_dir():
        raise GrinError(f'--assets {assets} is no folder: give one that holds '
                        f'{PACKAGE}_*.deb or its .sh3f files')
    cache = default_cache() if assets is None else _cache_of(Path(assets))
    if not _is_usable(cache):
        with tempfile.TemporaryDirectory() as scratch:
            _write_cache(_parse(_unpack(assets, Path(scratch)), Path(scratch)), cache)
    return _read_cache(cache)


def _is_usable(cache: Path) -> bool:
    """Return whether a cache is there, whole and of this version."""
    try:  # a machine that lost its power leaves what it wrote last empty
        return bool(json.loads((cache / 'catalogue.json').read_text())['format'] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _cache_of(assets: Path) -> Path:
    """Return the folder itself if it is a cache, else a place for what is parsed from it."""
    if (assets / 'catalogue.json').is_file():
        return assets
    files = sorted([*assets.rglob('*.sh3f'), *assets.glob(f'{PACKAGE}_*.deb')])
    content = repr([(file.name, file.stat().st_size) for file in files])
    return default_cache().with_name('assets-' + sha256(content.encode()).hexdigest()[:12])


def _unpack(assets: Path | None, scratch: Path) -> list[Path]:
    """Return the .sh3f libraries, fetching and unpacking the Debian package if need be."""
    if assets is not None:
        libraries = sorted(Path(assets).rglob('*.sh3f'))
        if libraries:
            return libraries
    packages = sorted(Path(assets).glob(f'{PACKAGE}_*.deb')) if assets else []
    if assets and not packages:
        raise GrinError(f'--assets {assets} holds neither {PACKAGE}_*.deb nor *.sh3f files')
    try:
        if not packages:
            # apt drops its rights to a user of its own, who must be able to write here.
            scratch.chmod(0o777)
            subprocess.run(['apt-get', 'download', PACKAGE], cwd=scratch, check=True,
                           capture_output=True, text=True)
            packages = sorted(scratch.glob(f'{PACKAGE}_*.deb'))
        subprocess.run(['dpkg', '-x', str(packages[-1]), str(scratch / 'package')], check=True,
                       capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, 'stderr', '') or str(error)).strip().splitlines()[-1]
        raise GrinError(
            f'the Debian package {PACKAGE} (models with real sizes) cannot be had: {reason}. '
            f'Download https://deb.debian.org/debian/pool/main/s/{PACKAGE}/ into a folder and '
            'pass that folder with --assets DIR') from error
    return sorted((scratch / 'package').rglob('*.sh3f'))


def _parse(libraries: list[Path], scratch: Path) -> Iterator[Model]:
    """Yield every usable model of the libraries, parsed on all cores."""
    tqdm = require('tqdm', 'train').tqdm
    jobs = []
    for library in libraries:
        folder = scratch / 'sh3f' / library.stem
        with zipfile.ZipFile(library) as archive:
            archive.extractall(folder)
        for entry in read_catalogue(folder / 'PluginFurnitureCatalog.properties'):
            jobs.append((folder, library.stem, entry))
    with ProcessPoolExecutor() as pool:
        models = pool.map(_read_model, *zip(*jobs), chunksize=8)
        for model in tqdm(models, total=len(jobs), desc='parsing furniture', unit='model'):
            if model is not None:
                yield model


def read_catalogue(path: Path) -> list[dict[str, str]]:
    """Read the numbered entries (``width#12=59.4``) of a Sweet Home 3D catalogue."""
    entries: dict[int, dict[str, str]] = {}
    for key, number, value in re.findall(r'^(\w+)#(\d+)=(.*)$', path.read_text('latin1'), re.M):
        entries.setdefault(int(number), {})[key] = value.strip()
    return [entries[number] for number in sorted(entries)]


def _read_model(folder: Path, library: str, entry: dict[str, str]) -> Model | None:
    """Read one model and scale it to the real size that its catalogue states."""
    path = folder / entry['model'].lstrip('/')
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        return None
    try:
        mesh = read_obj(path)
    except (ValueError, IndexError):
        return None  # a few files of the package are damaged
    size = np.array([float(entry[key]) / 100 for key in ('width', 'height', 'depth')], np.float32)
    if mesh is None or len(mesh.triangles) > MAX_TRIANGLES or size.max() > MAX_SIZE_M:
        return None
    if 'modelRotation' in entry:
        rotation = np.array(entry['modelRotation'].split(), np.float32).reshape(3, 3)
        mesh.triangles = mesh.triangles @ rotation.T
    low, high = mesh.triangles.min((0, 1)), mesh.triangles.max((0, 1))
    mesh.triangles = (mesh.triangles - (low + high) / 2) / np.maximum(high - low, 1e-6) * size
    mesh.triangles[..., 1] += size[1] / 2
    mesh.triangles = mesh.triangles.astype(np.float32)
    return Model(name=entry['name'], category=entry['category'], library=library,
                 mesh=mesh, size=(float(size[0]), float(size[1]), float(size[2])),
                 elevation=float(entry.get('elevation', 0)) / 100,
                 door_or_window=entry.get('doorOrWindow') == 'true')


def _write_cache(models: Iterator[Model], cache: Path) -> None:
    """Store the library as flat arrays that all worker processes can map and share."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    entries, triangles, uvs, face_materials = [], [], [], []
    texels, first_texel = [np.zeros((1, 4), np.uint8)], 1  # an empty array cannot be mapped
    first_face = 0
    for model in models:
        materials = []
        for material in model.mesh.materials:
            values = asdict(material) | {'texture': None}
            if material.texture is not None:
                height, width = material.texture.shape[:2]
                values['texture'] = [first_texel, height, width]
                texels.append(material.texture.reshape(-1, 4))
                first_texel += height * width
            materials.append(values)
        entry = {key: value for key, value in vars(model).items() if key != 'mesh'}
        entries.append(entry | {'first_face': first_face, 'faces': len(model.mesh.triangles),
                                'materials': materials})
        triangles.append(model.mesh.triangles)
        uvs.append(model.mesh.uvs)
        face_materials.append(model.mesh.face_materials)
        first_face += len(model.mesh.triangles)
    if not entries:
        raise GrinError(f'no usable model found: check that --assets holds {PACKAGE}')
    # Written beside and renamed, so that a stopped run leaves no half cache.
    with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
        folder = Path(scratch) / 'assets'
        folder.mkdir()
        for name, arrays in (('triangles', triangles), ('uvs', uvs),
                             ('face_materials', face_materials), ('texels', texels)):
            np.save(folder / f'{name}.npy', np.concatenate(arrays), allow_pickle=False)
        (folder / 'catalogue.json').write_text(json.dumps({'format': FORMAT, 'models': entries}))
        shutil.rmtree(cache, ignore_errors=True)
        folder.rename(cache)


def _read_cache(cache: Path) -> list[Model]:
    """Map the arrays of a cache and cut them into models."""
    def mapped(name: str) -> NDArray:
        return np.load(cache / f'{name}.npy', mmap_mode='r', allow_pickle=False)

    triangles, uvs = mapped('triangles'), mapped('uvs')
    face_materials, texels = mapped('face_materials'), mapped('texels')
    models = []
    for entry in json.loads((cache / 'catalogue.json').read_text())['models']:
        materials = []
        for values in entry.pop('materials'):
            if values['texture'] is not None:
                first, height, width = values['texture']
                part = texels[first:first + height * width]
                values['texture'] = part.reshape(height, width, 4)
            materials.append(ModelMaterial(**values))
        first, count = entry.pop('first_face'), entry.pop('faces')
        faces = slice(first, first + count)
        mesh = Mesh(triangles[faces], uvs[faces], face_materials[faces], materials)
        models.append(Model(mesh=mesh, **entry | {'size': tuple(entry['size'])}))
    return models
