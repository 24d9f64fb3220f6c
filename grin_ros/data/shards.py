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

"""Shards: samples in, WebDataset tar files with JPEG and 16-bit range PNG out, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import io
import json
from pathlib import Path
import tarfile
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.camera import Camera
from grin_ros.data.frames import visible
from grin_ros.data.sample import Sample
from grin_ros.errors import GrinError

RANGE_MIN_M, RANGE_MAX_M = 0.05, 1000.0
UNKNOWN, SKY = 0, 65535
JPEG_QUALITY = 92
SUFFIXES = ('jpg', 'range.png', 'json')
REMEDY = ('delete this shard and run again what wrote it: `grin scenes` renders only what is '
          'missing, `grin shards` wants a new folder')


def encode_range(range_m: NDArray) -> NDArray[np.uint16]:
    """Code range along the ray [m] in log steps of 0.015 %: 0 for NaN, 65535 for +Inf (sky)."""
    range_m = np.asarray(range_m, np.float64)
    with np.errstate(invalid='ignore', divide='ignore'):
        share = np.log(range_m / RANGE_MIN_M) / np.log(RANGE_MAX_M / RANGE_MIN_M)
        code = 1 + np.round(65533 * np.clip(share, 0, 1))
    code = np.where(np.isposinf(range_m), SKY, code)
    return np.where(np.isnan(range_m) | (range_m <= 0), UNKNOWN, code).astype(np.uint16)


def decode_range(code: NDArray) -> NDArray[np.float32]:
    """Return the range along the ray [m] of codes: NaN for 0, +Inf for 65535."""
    code = np.asarray(code)
    share = (code.astype(np.float64) - 1) / 65533
    range_m = RANGE_MIN_M * (RANGE_MAX_M / RANGE_MIN_M) ** share
    range_m[code == UNKNOWN] = np.nan
    range_m[code == SKY] = np.inf
    return range_m.astype(np.float32)


def encode_sample(sample: Sample, index: int) -> tuple[str, dict[str, bytes]]:
    """Return the key of a sample and its three files."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    bgr = cv2.cvtColor(sample.image, cv2.COLOR_RGB2BGR)
    meta = {'camera': sample.camera.to_dict(), **sample.meta}
    return f'{index:09d}', {
        'jpg': cv2.imencode('.jpg', bgr, quality)[1].tobytes(),
        'range.png': cv2.imencode('.png', encode_range(sample.range_m))[1].tobytes(),
        'json': json.dumps(meta).encode()}


def decode_sample(files: dict[str, bytes], source: str) -> Sample:
    """
    Return the sample of three files.

    :param source: named in errors.
    :raises GrinError: when a file is missing or damaged.
    """
    try:
        meta = json.loads(files['json'])
        camera = Camera.from_dict(meta.pop('camera'))
        image, code = (cv2.imdecode(np.frombuffer(files[suffix], np.uint8), flag) for suffix, flag
                       in (('jpg', cv2.IMREAD_COLOR), ('range.png', cv2.IMREAD_UNCHANGED)))
    except (KeyError, TypeError, ValueError, cv2.error) as error:
        raise GrinError(f'{source}: damaged sample ({error!r}): {REMEDY}') from error
    size = (camera.height, camera.width)
    if image is None or code is None or image.shape[:2] != size or code.shape != size:
        raise GrinError(f'{source}: damaged sample (no {size[1]}x{size[0]} picture and range): '
                        f'{REMEDY}')
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)
    return Sample(rgb, decode_range(code), camera, meta)


def shard_path(directory: Path, name: str, number: int) -> Path:
    """Return the path of a shard."""
    return Path(directory) / f'{name}-{number:06d}.tar'


def write_shard(path: Path, samples: Iterable[tuple[str, dict[str, bytes]]]) -> None:
    """Write encoded samples to a tar; it appears under its name only when it is complete."""
    unfinished = path.with_name(path.name + '.tmp')
    try:
        with tarfile.open(unfinished, 'w') as tar:
            for key, files in samples:
                for suffix, data in files.items():
                    # A fresh TarInfo has no time and no owner: same samples, same bytes.
                    member = tarfile.TarInfo(f'{key}.{suffix}')
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)


def count_samples(path: Path) -> int:
    """Return the number of samples in a shard; 0 when it cannot be read."""
    try:
        with tarfile.open(path) as tar:
            return sum(name.endswith('.json') for name in tar.getnames())
    except (OSError, tarfile.TarError):
        return 0


class ShardWriter:
    """Cuts a stream of samples into shards of equal length."""

    def __init__(self, directory: Path, name: str, per_shard: int = 240) -> None:
        """Write directory/name-000000.tar and so on, per_shard samples each."""
        self.directory, self.name, self.per_shard = Path(directory), name, per_shard
        self.directory.mkdir(parents=True, exist_ok=True)
        self.count = 0
        self._pending: list[tuple[str, dict[str, bytes]]] = []

    def add(self, sample: Sample) -> None:
        """Take one sample; its shard is written when it is full."""
        self._pending.append(encode_sample(sample, self.count))
        self.count += 1
        if len(self._pending) == self.per_shard:
            self._flush()

    def close(self) -> None:
        """Write the last, shorter shard."""
        if self._pending:
            self._flush()

    def _flush(self) -> None:
        number = (self.count - 1) // self.per_shard
        write_shard(shard_path(self.directory, self.name, number), self._pending)
        self._pending = []

    def __enter__(self) -> ShardWriter:
        """Return the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Write what is left, unless something went wrong."""
        if kind is None:
            self.close()


class ShardDataset:
    """
    Random access to the samples of shards; also by several processes at once.

    :param source: a folder with tars, one tar, or a list of tars.
    :raises GrinError: when there is no shard, or one is damaged.
    """

    def __init__(self, source: Path | str | Sequence[Path | str]) -> None:
        """Index the offsets of all members; nothing is decoded yet."""
        if isinstance(source, (str, Path)):
            root = Path(source)
            self.paths = visible(root, '*.tar') if root.is_dir() else [root]
        else:
            self.paths = [Path(path) for path in source]
        if not self.paths or not all(path.exists() for path in self.paths):
            raise GrinError(f'no shards (*.tar) in {source}: render some with `grin scenes '
                            f'--out {source}`, or write your own frames with `grin shards`')
        keys: list[str] = []
        places: list[list[tuple[int, int]]] = []
        owners: list[int] = []
        for number, path in enumerate(self.paths):
            for key, place in self._index(path).items():
                keys.append(key)
                places.append(place)
                owners.append(number)
        self.keys = keys
        # Arrays, not objects: worker processes share their pages after a fork.
        self._places = np.array(places, np.int64).reshape(-1, len(SUFFIXES), 2)
        self._owners = np.array(owners, np.int32)

    @staticmethod
    def _index(path: Path) -> dict[str, list[tuple[int, int]]]:
        """Return key -> (offset, size) of each of SUFFIXES."""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    key, _, suffix = member.name.partition('.')
                    found.setdefault(key, {})[suffix] = (member.offset_data, member.size)
            return {key: [files[suffix] for suffix in SUFFIXES] for key, files in found.items()}
        except (OSError, tarfile.TarError, KeyError) as error:
            raise GrinError(f'{path}: damaged shard ({error!r}): {REMEDY}') from error

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._owners)

    def __getitem__(self, index: int) -> Sample:
        """Read and decode one sample."""
        if not -len(self) <= index < len(self):
            raise IndexError(f'sample {index} of {len(self)}')
        path = self.paths[self._owners[index]]
        files: dict[str, bytes] = {}
        # Opened per sample: an open file would be shared by forked workers, with its position.
        with open(path, 'rb') as shard:
            for suffix, (offset, size) in zip(SUFFIXES, self._places[index].tolist()):
                shard.seek(offset)
                files[suffix] = shard.read(size)
        sample = decode_sample(files, f'{path}: {self.keys[index]}')
        sample.meta.setdefault('source', path.name)
        return sample

    def meta(self, index: int) -> dict[str, Any]:
        """Read only the JSON of one sample: kind, seed, index, camera."""
        offset, size = self._places[index, SUFFIXES.index('json')].tolist()
        with open(self.paths[self._owners[index]], 'rb') as shard:
            shard.seek(offset)
            return dict(json.loads(shard.read(size)))
