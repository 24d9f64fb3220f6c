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

"""Worlds: a seed in, a world and its frames out; many seeds to a folder of shards."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
import json
import multiprocessing
import os
from pathlib import Path
import signal

import numpy as np
from tqdm import tqdm

from grin_ros.data.sample import Sample
from grin_ros.data.shards import count_samples, encode_sample, shard_path, write_shard
from grin_ros.errors import GrinError, require
from grin_ros.synth.assets import load_library, Model
from grin_ros.synth.cameras import draw_camera, draw_pose
from grin_ros.synth.furniture import Furniture
from grin_ros.synth.places import Place
from grin_ros.synth.render import render
from grin_ros.synth.rooms import build_room
from grin_ros.synth.sensor import expose
from grin_ros.synth.streets import build_street

MIX = {'room': 0.44, 'corridor': 0.09, 'table': 0.18, 'street': 0.29}
RENDERER = 4  # raised when the same settings give other frames
FRAMES_PER_WORLD = 12
WORLDS_PER_SHARD = 20
TRIES_PER_FRAME = 6


@dataclass(frozen=True)
class Settings:
    """
    What determines every byte of the shards.

    :param seed: world n of the run has the seed (seed, n).
    :param kinds: kinds of world, drawn with the weights of MIX.
    :param supersample: rays per pixel and axis.
    :param hfov_deg: limits of the lenses' horizontal field of view; None for the usual mix.
    """

    seed: int = 0
    width: int = 160
    height: int = 120
    supersample: int = 1
    kinds: tuple[str, ...] = tuple(MIX)
    hfov_deg: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        unknown = set(self.kinds) - set(MIX)
        if unknown or not self.kinds:
            raise GrinError(f'unknown kinds {sorted(unknown)}: use some of {", ".join(MIX)}')
        if min(self.width, self.height) < 16 or self.supersample < 1:
            raise GrinError(f'cannot render {self.width}x{self.height} with {self.supersample} '
                            'samples: give a size of at least 16x16 and at least one sample')
        if self.hfov_deg is not None and not 1 <= self.hfov_deg[0] <= self.hfov_deg[1] <= 150:
            raise GrinError(f'--hfov {self.hfov_deg[0]} {self.hfov_deg[1]}: give the least and '
                            'the largest field of view within 1 to 150 deg')


def build_world(rng: np.random.Generator, furniture: Furniture, kind: str) -> Place:
    """Build the place of one kind of world."""
    if kind == 'street':
        return build_street(rng, furniture)
    return build_room(rng, furniture, corridor=kind == 'corridor')


def world_frames(settings: Settings, furniture: Furniture, number: int) -> Iterator[Sample]:
    """Yield the FRAMES_PER_WORLD frames of one world; a world too tight gets a successor."""
    done = attempt = 0
    while done < FRAMES_PER_WORLD:
        rng = np.random.default_rng((settings.seed, number, attempt))
        chances = np.array([MIX[kind] for kind in settings.kinds])
        kind = str(rng.choice(settings.kinds, p=chances / chances.sum()))
        place = build_world(rng, furniture, kind)
        attempt += 1
        if kind == 'table' and not place.spots:
            continue  # nothing is there to look at
        for _ in range(TRIES_PER_FRAME * FRAMES_PER_WORLD):
            camera = draw_camera(rng, settings.width, settings.height, kind,
                                 settings.hfov_deg)
            pose = draw_pose(rng, place, kind)
            if pose is None:
                continue
            image, range_m = render(place.scene, camera, pose.position, pose.rotation, rng,
                                    settings.supersample)
            if not worth_keeping(range_m, kind, rng):
                continue
            meta = {'kind': kind, 'seed': settings.seed,
                    'index': number * FRAMES_PER_WORLD + done,
                    'height_m': round(float(pose.position[1]), 3),
                    'pitch_deg': round(float(np.degrees(np.arcsin(pose.rotation[1, 2]))), 1)}
            yield Sample(expose(rng, image, kind == 'street'), range_m, camera, meta)
            done += 1
            if done == FRAMES_PER_WORLD:
                return


def worth_keeping(range_m: np.ndarray, kind: str, rng: np.random.Generator) -> bool:
    """Return False for views from inside things, onto a near wall or into nothing."""
    known = range_m[np.isfinite(range_m)]
    if len(known) < 0.3 * range_m.size or np.percentile(known, 2) < 0.12:
        return False
    middle = np.median(known)
    if middle < 0.3 or (kind != 'table' and middle < 0.6):
        return False
    if kind == 'street':
        return bool(middle > 1.5)
    # A bare wall, seen head-on, says nothing about its distance.
    near, far = np.percentile(known, (5, 95))
    bare = far < 1.4 * near or known.std() < 0.08
    # What lies on a table tells its size, however flat it is.
    return not (bare and rng.random() < (0.3 if kind == 'table' else 0.8))


def generate(directory: Path, frames: int, settings: Settings, workers: int = 1,
             assets: Path | None = None) -> int:
    """
    Render frames into shards; complete shards of an earlier run are kept.

    :returns: number of frames rendered now.
    :raises GrinError: when the folder holds frames of other settings.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _check_settings(directory / 'worlds.json', settings)
    per_shard = WORLDS_PER_SHARD * FRAMES_PER_WORLD
    library = load_library(assets)
    missing = []
    for shard in range(-(-frames // per_shard)):
        wanted = min(per_shard, frames - shard * per_shard)
        path = shard_path(directory, 'worlds', shard)
        if not path.is_file() or count_samples(path) < wanted:
            missing.append((shard, wanted))
    numbers = [shard * WORLDS_PER_SHARD + world for shard, wanted in missing
               for world in range(-(-wanted // FRAMES_PER_WORLD))]
    todo = sum(wanted for _, wanted in missing)
    worlds = _encoded_worlds(settings, library, numbers, workers)
    rendered = 0
    with tqdm(total=frames, initial=frames - todo, unit='frame', desc=str(directory)) as bar:
        for shard, wanted in missing:
            samples: list[tuple[str, dict[str, bytes]]] = []
            while len(samples) < wanted:
                new = next(worlds)[:wanted - len(samples)]
                samples += new
                bar.update(len(new))
            write_shard(shard_path(directory, 'worlds', shard), samples)
            rendered += len(samples)
    return rendered


def _encoded_worlds(settings: Settings, library: list[Model], numbers: list[int], workers: int
                    ) -> Iterator[list[tuple[str, dict[str, bytes]]]]:
    """Yield the encoded frames of worlds in order, whatever the number of workers."""
    if workers <= 1:
        _start_worker(settings, library)
        yield from map(_render_world, numbers)
        return
    # Forked workers share the mapped library; numba and Embree start no threads of their own.
    executor = ProcessPoolExecutor(workers, multiprocessing.get_context('fork'), _start_process,
                                   (settings, library))
    try:
        yield from executor.map(_render_world, numbers)
    except BrokenProcessPool as error:
        raise GrinError(f'a worker process died ({error}), perhaps for want of memory: run the '
                        'same command with fewer --workers, complete shards are kept') from error
    finally:
        executor.shutdown(cancel_futures=True)


_worker: tuple[Settings, Furniture] | None = None  # of this process


def _start_process(settings: Settings, library: list[Model]) -> None:
    """Start a worker process; Ctrl-C is for its parent, which then ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _start_worker(settings, library)


def _start_worker(settings: Settings, library: list[Model]) -> None:
    """Keep what every world of this process needs."""
    global _worker
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    require('cv2', 'train').setNumThreads(1)
    _worker = settings, Furniture(library)


def _render_world(number: int) -> list[tuple[str, dict[str, bytes]]]:
    """Render one world and encode its frames."""
    assert _worker is not None, 'the pool starts its workers with _start_worker'
    settings, furniture = _worker
    return [encode_sample(sample, sample.meta['index'])
            for sample in world_frames(settings, furniture, number)]


def _check_settings(path: Path, settings: Settings) -> None:
    """
    Write the settings beside the shards, or refuse to mix two runs in one folder.

    :raises GrinError: when they are other settings, or cannot be read.
    """
    values = {name: value for name, value in json.loads(json.dumps(asdict(settings))).items()
              if value is not None} | {'renderer': RENDERER}
    if not path.is_file():
        unfinished = path.with_name(path.name + '.tmp')
        unfinished.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
        unfinished.replace(path)
        return
    try:
        found = json.loads(path.read_text('utf-8'))
    except (OSError, ValueError) as error:
        raise GrinError(f'{path} is damaged ({error}): choose another --out, or delete that file '
                        'if you are sure that the shards beside it have these settings') from error
    if found != values:
        raise GrinError(f'{path.parent} holds worlds of other settings ({path.name}: '
                        f'{found}): choose another --out, or the same '
                        f'seed, size, supersample and kinds; this version is renderer {RENDERER}')
