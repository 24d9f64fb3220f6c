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

"""Training on tiny shards: masks, checkpoints and exact resuming."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_config, tiny_grin
import yaml

torch = pytest.importorskip('torch', reason='training needs torch')

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.data.sample import Sample  # noqa: E402
from grin_ros.data.shards import encode_sample, shard_path, write_shard  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402
from grin_ros.model.config import GrinConfig  # noqa: E402
from grin_ros.model.encoder import load_imagenet_weights  # noqa: E402
from grin_ros.model.grin import Grin  # noqa: E402
from grin_ros.train import checkpoint as checkpoints  # noqa: E402
from grin_ros.train.anchor import Anchor  # noqa: E402
from grin_ros.train.batches import draw, StepBatches  # noqa: E402
from grin_ros.train.config import (  # noqa: E402
    config_from_dict,
    load_config,
    Stage,
    TrainConfig,
)
from grin_ros.train.loop import train  # noqa: E402
from grin_ros.train.loss import DiffusionLoss, masked_mean, sample_times  # noqa: E402


def slope(rng: np.random.Generator) -> Sample:
    """Return a floor seen from 1 m: brightness and range both follow the row."""
    camera = Camera.from_hfov(80, 64, 48)
    rays = camera.rays()
    range_m = np.where(rays[..., 1] > 0.05, 1 / np.maximum(rays[..., 1], 0.05), np.inf)
    image = np.clip(255 / (1 + 0.2 * np.nan_to_num(range_m, posinf=30))[..., None]
                    + rng.normal(0, 5, (48, 64, 3)), 0, 255)
    return Sample(image.astype(np.uint8), range_m.astype(np.float32), camera, {'kind': 'floor'})


def folder(samples: list[Sample]) -> torch.utils.data.ConcatDataset:
    """Return samples as those of one folder."""
    return torch.utils.data.ConcatDataset([samples])


def tiny_run(tmp_path: Path) -> TrainConfig:
    """Return a run of eight steps on two shards of floors, which are written."""
    rng = np.random.default_rng(0)
    for name in ('train', 'val'):
        (tmp_path / name).mkdir()
        write_shard(shard_path(tmp_path / name, 'floor', 0),
                    [encode_sample(slope(rng), i) for i in range(6)])
    return TrainConfig(
        data=(str(tmp_path / 'train'),), val=str(tmp_path / 'val'), output=str(tmp_path / 'out'),
        stages=(Stage(8, ((64, 32), (32, 32)), 3, 64),), model=tiny_config(), init='none',
        warmup_steps=2, decay_steps=2, val_frames=2, log_every=2, save_every=2, eval_every=4,
        max_prompts=20)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return tiny_run(tmp_path)


def test_resuming_gives_the_run_that_was_never_interrupted(config: TrainConfig) -> None:
    """Stopped after any step and resumed, a run ends with the very same weights."""
    train(config)
    whole = checkpoints.load(Path(config.output) / checkpoints.LAST)
    pieces = replace(config, output=config.output + '_pieces')
    for _ in range(9):
        train(pieces, stop=lambda: True)  # one step, a checkpoint, and out
    resumed = checkpoints.load(Path(pieces.output) / checkpoints.LAST)
    assert whole.step == resumed.step == 8
    for part in ('model', 'ema', 'optimizer'):
        for name, value in getattr(whole, part).items():
            torch.testing.assert_close(getattr(resumed, part)[name], value, rtol=0, atol=0)


def test_a_new_run_does_not_name_the_best_of_another(config: TrainConfig) -> None:
    """Stopped before its first validation it has a last checkpoint only."""
    assert train(config).name == checkpoints.BEST
    assert train(config, resume=False, stop=lambda: True).name == checkpoints.LAST
    assert train(config, stop=lambda: True).name == checkpoints.LAST  # still none of its own


def test_a_run_gone_astray_goes_back(config: TrainConfig,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    """Weights that burst are those of the last checkpoint again; with none, an error says so."""
    bursting = replace(config, learning_rate=float('inf'))
    with pytest.raises(GrinError, match='learning_rate'):
        train(replace(bursting, output=config.output + '_new'))
    train(config, stop=lambda: True)
    good = checkpoints.load(Path(config.output) / checkpoints.LAST)
    train(bursting)
    assert 'back to the weights of step 1' in capsys.readouterr().out
    last = checkpoints.load(Path(config.output) / checkpoints.LAST)
    assert last.step == good.step == 1
    for name, value in good.model.items():
        torch.testing.assert_close(last.model[name], value, rtol=0, atol=0)


def test_the_pull_draws_the_trunk_back_to_imagenet(config: TrainConfig) -> None:
    """Without learning, n steps leave (1 - pull) ** n of the way; the rest stays put."""
    trunk = Grin(GrinConfig()).encoder.trunk
    load_imagenet_weights(trunk)
    goal = dict(trunk.named_parameters())
    ways = {}
    for pull in (0.0, 0.5):
        pulled = replace(config, output=f'{config.output}_{pull}', model=GrinConfig(),
                         learning_rate=1e-30, encoder_pull=pull, eval_every=100,
                         warmup_steps=1, decay_steps=1,
                         stages=(Stage(2, ((32, 32),), 1, 16),))
        train(pulled)
        ways[pull] = checkpoints.load(Path(pulled.output) / checkpoints.LAST).model
    for name, start in ways[0.0].items():
        end, short = ways[0.5][name], name.removeprefix('encoder.trunk.')
        if short in goal and goal[short].requires_grad:
            torch.testing.assert_close(end, goal[short].lerp(start, 0.25), rtol=1e-4, atol=1e-5)
        else:
            torch.testing.assert_close(end, start, rtol=0, atol=1e-20)


def test_loss_falls_when_there_is_something_to_learn(config: TrainConfig) -> None:
    """A tiny network learns the floor: the error in nats falls to half within 60 steps."""
    rng = np.random.default_rng(1)
    config = replace(config, stages=(Stage(60, ((64, 32),), 4, 64),), learning_rate=5e-3)
    batches = StepBatches(folder([slope(rng) for _ in range(4)]), config)
    grin = tiny_grin()
    objective = DiffusionLoss(grin)
    optimizer = torch.optim.AdamW(grin.parameters(), config.learning_rate)
    losses = []
    for step in range(60):
        parts = objective(batches[step], step)
        optimizer.zero_grad()
        parts['loss'].backward()
        optimizer.step()
        losses.append(parts['l1'].item())
    assert np.mean(losses[-8:]) < 0.5 * np.mean(losses[:4])


def test_the_pull_falls_with_the_learning_rate(config: TrainConfig,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the trunk would go on moving when nothing can adapt to it any more."""
    drawn = []
    monkeypatch.setattr(Anchor, '__init__', lambda self, trunk, share: None)
    monkeypatch.setattr(Anchor, 'draw', lambda self, rate: drawn.append(rate))
    train(replace(config, encoder_pull=0.1, warmup_steps=2, decay_steps=4))
    assert drawn == pytest.approx([0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_a_regression_is_the_first_pass_alone(config: TrainConfig) -> None:
    """The plain objective is that part of diffusion's which needs neither noise nor prompts."""
    batch = StepBatches(folder([slope(np.random.default_rng(2))]), config)[0]
    grin = tiny_grin()
    parts = DiffusionLoss(grin, 'regression')(batch, 5)
    whole = DiffusionLoss(grin)(batch, 5)
    assert parts['l1_first'] == whole['l1_first'] and parts['loss'] < whole['loss']
    parts['loss'].backward()
    assert grin.embed_prompt.weight.grad is None or not grin.embed_prompt.weight.grad.any()


def test_padding_does_not_touch_the_loss(config: TrainConfig) -> None:
    """What padded tokens hold changes neither the loss nor a gradient."""
    batch = StepBatches(folder([slope(np.random.default_rng(2))]), config)[0]
    batch['mask'][:, 40:] = False
    gradients = []
    for value in (1.0, 77.0):
        batch['range_m'][:, 40:] = value
        grin = tiny_grin()
        DiffusionLoss(grin)(batch, 5)['l1'].backward()
        gradients.append(grin.local.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)
    assert masked_mean(torch.ones(1, 4), torch.zeros(1, 4, dtype=torch.bool)).item() == 0


def test_a_third_of_the_times_is_the_first_step() -> None:
    """Times lie in (0, 1], a third at 1, half of the rest unrolled, none of those at 1."""
    t, unrolled = sample_times(4000, torch.Generator().manual_seed(0))
    assert 0.3 < (t == 1).float().mean() < 0.37 and t.min() > 0
    assert 0.45 < unrolled[t < 1].float().mean() < 0.55 and not unrolled[t == 1].any()


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    """A checkpoint that is cut short is refused with its name."""
    grin = tiny_grin()
    path = tmp_path / 'last.safetensors'
    checkpoints.save(path, checkpoints.Checkpoint(grin.config, grin.state_dict(), {}, {}, 3, {}))
    assert checkpoints.load(path).step == 3
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(GrinError, match='last.safetensors'):
        checkpoints.load(path)


STAGE = {'until': 1, 'sizes': [[32, 32]], 'batch_size': 1, 'num_tokens': 1}


@pytest.mark.parametrize('values, message', [
    ({'learnin_rate': 1}, 'did you mean learning_rate'),
    ({'seed': 'x'}, 'seed must be a whole number'),
    ({'ema_decay': 'abc'}, 'ema_decay must be a number'),
    ({'objective': 'gan'}, 'objective must be diffusion or regression'),
    ({'model': {'latent_dmi': 3}}, 'latent_dmi'),
    ({'model': {'interface_dim': 64}}, 'interface_dim 64 must be a multiple of interface_heads'),
    ({'stages': [{'until': 1, 'sizes': [[100, 96]], 'batch_size': 1, 'num_tokens': 1}]},
     'multiples of 32'),
    ({'val': None, 'data': None}, 'data must be a folder of shards, a list'),
    ({'stages': None}, 'stages must be a list of'),
    ({'stages': [{'until': 1, 'sizes': [64, 32], 'batch_size': 1, 'num_tokens': 1}]},
     r'sizes: \[\[width, height\]'),
    ({'input_size': 320}, r'input_size must be \[width, height\], not 320'),
    ({'model': {'codec': 'canonical'}}, 'model must be settings'),
    ({'data': []}, 'data must name at least one folder'),
    ({'data': {'a': 1, 'b': 0}}, 'data_shares must be one number above 0 for each folder'),
    ({'data_shares': [1, 2]}, 'data_shares must be one number'),
    ({'data': {'a': 'often'}}, 'data_shares must be numbers'),
    ({'val': None}, 'val must be text'),
    ({'input_size': [0, 240]}, 'input_size must be at least 32'),
    ({'clip_norm': 0}, 'clip_norm must be above 0'),
    ({'learning_rate': 'inf'}, 'learning_rate must be above 0'),
    ({'seed': 2 ** 33}, 'seed must be at least 0 and at most'),
    ({'seed': -1}, 'seed must be at least 0'),
    ({'learning_rate': 'nan'}, 'learning_rate must be above 0'),
    ({'ema_decay': 1.5}, 'ema_decay must be at least 0 and at most 1, not 1.5'),
    ({'log_every': 0}, 'log_every must be at least 1'),
    ({'stages': []}, 'at least one stage'),
    *(({'stages': [{**STAGE, **change}]}, message) for change, message in (
        ({'until': 0}, 'until must be a step after 0'), ({'until': 'x'}, 'until must be a step'),
        ({'batch_size': 0}, 'batch_size must be'), ({'num_tokens': 2.5}, 'num_tokens must be'),
        ({'sizes': []}, 'sizes must hold'), ({'sizes': [[0, 32]]}, 'multiples of 32'))),
    ({'stages': [STAGE, STAGE]}, 'until must be a step after 1')])
def test_a_wrong_setting_is_named(values: dict, message: str) -> None:
    """Misspelt keys and impossible sizes are refused, with the nearest right key."""
    base = {'data': 'a', 'val': 'b', 'output': 'c', 'stages': [STAGE]}
    with pytest.raises(GrinError, match=message):
        config_from_dict({**base, **values})


def test_a_setting_that_is_missing_is_named() -> None:
    """Of a config without data the error was 'data', with no word more."""
    whole = {'data': 'a', 'val': 'b', 'output': 'c', 'stages': [STAGE]}
    for name in whole:
        with pytest.raises(GrinError, match=f'^{name} is missing: see'):
            config_from_dict({key: value for key, value in whole.items() if key != name})


def test_a_setting_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'run.yaml'
    path.write_text('data: a')
    with pytest.raises(GrinError, match=r'^--set stages=\[\{until: 5: the value is no YAML .*$'):
        load_config(path, ['stages=[{until: 5'])
    path.write_bytes(b'\x7fELF\xff\xfe')
    with pytest.raises(GrinError, match='run.yaml cannot be read'):
        load_config(path)


def test_values_are_what_yaml_makes_of_them() -> None:
    """YAML takes 1e-3 for text and a bare no for false: both mean what was written."""
    written = yaml.safe_load('{data: a, val: b, output: c, learning_rate: 1e-3, '
                             'mixed_precision: no}')
    read = config_from_dict({**written, 'stages': [STAGE]})
    assert (read.learning_rate, read.mixed_precision) == (1e-3, 'no')


def test_folders_are_drawn_from_by_their_shares() -> None:
    """A mapping of folders tells how often each is drawn from, whatever its number of frames."""
    read = config_from_dict({'data': {'a': 3, 'b': 1}, 'val': 'c', 'output': 'd',
                             'stages': [STAGE]})
    assert (read.data, read.data_shares) == (('a', 'b'), (3, 1))
    drawn = draw(np.random.default_rng(0), (10, 1010), read.data_shares, 4000)
    assert 0.7 < (drawn < 10).mean() < 0.8 and set(drawn[drawn < 10]) == set(range(10))
    assert len(set(drawn)) > 500 and drawn.max() < 1010
    drawn = draw(np.random.default_rng(0), (10, 1010), (), 4000)
    assert (drawn < 10).mean() < 0.02, 'without shares every frame is as likely'


def test_missing_shards_say_how_to_render_them(config: TrainConfig, tmp_path: Path) -> None:
    """An empty data folder names the command that fills it."""
    with pytest.raises(GrinError, match='grin scenes'):
        train(replace(config, data=(str(tmp_path / 'nowhere'),)))
