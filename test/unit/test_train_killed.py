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

"""Training killed at random moments: what was saved is whole, the end as if undisturbed."""

from dataclasses import asdict
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny import tiny_config
import yaml

torch = pytest.importorskip('torch', reason='needs grin_ros[train]')
pytest.importorskip('accelerate', reason='needs grin_ros[train]')

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.data.sample import Sample  # noqa: E402
from grin_ros.data.shards import encode_sample, shard_path, write_shard  # noqa: E402
from grin_ros.train import checkpoint as checkpoints  # noqa: E402

STEPS, SAVE_EVERY, KILLS = 300, 5, 10


@pytest.fixture
def settings(tmp_path: Path) -> dict:
    """Return the settings of a run of STEPS steps on six random frames."""
    rng = np.random.default_rng(0)
    frames = [Sample(rng.integers(0, 255, (32, 64, 3), np.uint8),
                     rng.uniform(1, 9, (32, 64)).astype(np.float32),
                     Camera.from_hfov(80, 64, 32), {'kind': 'noise'}) for _ in range(6)]
    for name in ('train', 'val'):
        (tmp_path / name).mkdir()
        write_shard(shard_path(tmp_path / name, 'noise', 0),
                    [encode_sample(frame, i) for i, frame in enumerate(frames)])
    return {'data': [str(tmp_path / 'train')], 'val': str(tmp_path / 'val'), 'init': 'none',
            'model': asdict(tiny_config()), 'save_every': SAVE_EVERY, 'eval_every': 10 ** 6,
            'val_frames': 2, 'input_size': [64, 32], 'warmup_steps': 2, 'max_prompts': 8,
            'stages': [{'until': STEPS, 'sizes': [[64, 32]], 'batch_size': 2, 'num_tokens': 32}]}


def start(folder: Path, settings: dict, stderr: int = subprocess.DEVNULL,
          ) -> tuple[subprocess.Popen, Path]:
    """Start ``grin train`` in a group; return the process and the place of its last checkpoint."""
    folder.mkdir(exist_ok=True)
    config = folder / 'config.yaml'
    config.write_text(yaml.safe_dump(settings | {'output': str(folder)}))
    # A shell's background job ignores SIGINT, and so would what is started in it.
    process = subprocess.Popen([sys.executable, '-m', 'grin_ros', 'train', '--config', config],
                               stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    return process, folder / checkpoints.LAST


@pytest.mark.soak
def test_sigkill_loses_only_the_steps_since_the_last_checkpoint(
        tmp_path: Path, settings: dict) -> None:
    """After each of ten kills the checkpoint is whole and no older; the end is the same."""
    rng = np.random.default_rng(1)
    undisturbed, whole = start(tmp_path / 'whole', settings)
    assert undisturbed.wait(300) == 0
    steps = [0]
    for _ in range(KILLS):
        process, last = start(tmp_path / 'killed', settings)
        before = last.stat().st_mtime_ns if last.exists() else 0
        until = time.monotonic() + 120
        while not last.exists() or last.stat().st_mtime_ns == before:  # it trains, and has saved
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        process.wait(30)
        steps.append(checkpoints.load(last).step)
        if steps[-1] > STEPS - 40:
            break
    assert len(steps) == KILLS + 1 and np.all(np.diff(steps) >= SAVE_EVERY), steps
    process, last = start(tmp_path / 'killed', settings)
    assert process.wait(300) == 0
    expected, found = checkpoints.load(whole), checkpoints.load(last)
    assert found.step == expected.step == STEPS
    for name, value in expected.model.items():
        torch.testing.assert_close(found.model[name], value, rtol=0, atol=0)


def start_without_end(folder: Path, settings: dict, workers: int
                      ) -> tuple[subprocess.Popen, Path]:
    """Start a long run, as start() does, and return when it has begun."""
    settings['stages'][0]['until'] = 10 ** 6
    process, last = start(folder, settings | {'save_every': 10 ** 6, 'num_workers': workers},
                          subprocess.PIPE)
    until = time.monotonic() + 120
    while not (folder / 'tensorboard').is_dir():
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)
    return process, last


@pytest.mark.parametrize('number, workers', [(signal.SIGINT, 0), (signal.SIGTERM, 2)])
def test_a_signal_ends_with_a_checkpoint(tmp_path: Path, settings: dict, number: signal.Signals,
                                         workers: int) -> None:
    """
    What was learnt since the last one is not lost.

    The whole group gets the signal: Ctrl-C ends tee in ``grin train 2>&1 | tee log`` as well, so
    that nobody reads any more, and timeout sends SIGTERM to workers, too.
    """
    process, last = start_without_end(tmp_path / 'run', settings, workers)
    process.stderr.close()
    os.killpg(process.pid, number)
    assert process.wait(60) == 128 + number
    assert checkpoints.load(last).step > 0


def test_a_worker_that_is_lost_ends_the_run(tmp_path: Path, settings: dict) -> None:
    """As one is for want of memory; the others, which ignore signals, must not be waited for."""
    process, _ = start_without_end(tmp_path / 'run', settings, 2)
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    workers = [int(child) for child in children
               if b'resource_tracker' not in Path(f'/proc/{child}/cmdline').read_bytes()]
    os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and b'DataLoader worker' in said


def test_what_a_worker_cannot_read_is_said_in_a_line(tmp_path: Path, settings: dict) -> None:
    """It came as a page of the worker's code, and torch mourned the worker in another page."""
    (shard,) = (tmp_path / 'train').glob('*.tar')
    data = bytearray(shard.read_bytes())
    while (start_of_jpeg := data.find(b'\xff\xd8\xff')) >= 0:
        data[start_of_jpeg:start_of_jpeg + 64] = bytes(64)
    shard.write_bytes(data)
    process, _ = start(tmp_path / 'run', settings | {'num_workers': 1}, subprocess.PIPE)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 2 and b'Traceback' not in said
    assert f'grin train: {shard}: 00000000'.encode() in said and b'damaged sample' in said
