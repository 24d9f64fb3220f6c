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

"""Properties of the network, proved on a tiny real one."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='the network needs torch')

from tiny import tiny_config, tiny_grin  # noqa: E402

from grin_ros.camera import Camera  # noqa: E402
from grin_ros.diffusion.depth_codec import X_SCALE  # noqa: E402
from grin_ros.diffusion.sampler import ddim_steps  # noqa: E402
from grin_ros.model.rin import Attention  # noqa: E402

HEIGHT, WIDTH, TOKENS, PROMPTS = 64, 96, 30, 4


@pytest.fixture(scope='module')
def frame() -> dict:
    """Return a random frame, its rays, pixels, noise and prompts as tensors."""
    generator = torch.Generator().manual_seed(1)
    rays = torch.from_numpy(Camera.from_hfov(70, WIDTH, HEIGHT).rays())[None]
    size = torch.tensor([WIDTH - 1.0, HEIGHT - 1.0])
    return {
        'image': torch.randint(0, 255, (1, HEIGHT, WIDTH, 3), generator=generator,
                               dtype=torch.uint8),
        'rays': rays, 'pixels': torch.rand(1, TOKENS, 2, generator=generator) * size,
        'x_t': torch.randn(1, TOKENS, generator=generator),
        'prompts': torch.tensor([[[0.1, -3.0], [-0.4, -2.0], [0.3, -5.0], [0.0, -3.0]]]),
        'prompt_pixels': torch.rand(1, PROMPTS, 2, generator=generator) * size}


@torch.no_grad()
def run(grin, frame, *, order=None, pad=0, pad_prompts=0, num_prompts=PROMPTS, steps=2):
    """Return x_0 and log_b of the frame's tokens after DDIM, padded and permuted as asked."""
    order = torch.arange(frame['pixels'].shape[1]) if order is None else order
    maps = grin.encode(frame['image'], frame['rays'])
    pixels = torch.cat([frame['pixels'][:, order], torch.full((1, pad, 2), 7.0)], 1)
    x = torch.cat([frame['x_t'][:, order], torch.full((1, pad), 99.0)], 1)
    mask = torch.arange(pixels.shape[1])[None] < len(order)
    prompts = torch.cat([frame['prompts'], torch.full((1, pad_prompts, 2), 55.0)], 1)
    prompt_pixels = torch.cat([frame['prompt_pixels'], torch.zeros(1, pad_prompts, 2)], 1)
    prompt_mask = torch.arange(prompts.shape[1])[None] < num_prompts
    local = grin.condition(frame['image'], frame['rays'], *maps[:2], pixels)
    known = grin.condition(frame['image'], frame['rays'], *maps[:2], prompt_pixels)
    for step in ddim_steps(steps):
        x, x_0, log_b = grin.ddim_step(x, local, mask, prompts, known, prompt_mask, maps[2],
                                       torch.from_numpy(step)[None])
    return x_0[0, :len(order)].numpy(), log_b[0, :len(order)].numpy()


@pytest.fixture(scope='module')
def grin():
    """Return the tiny network."""
    return tiny_grin(num_blocks=2)


def test_token_order_does_not_matter(grin, frame) -> None:
    """A permutation of the asked pixels permutes the answers and nothing else."""
    order = torch.randperm(TOKENS, generator=torch.Generator().manual_seed(2))
    straight, permuted = run(grin, frame), run(grin, frame, order=order)
    for a, b in zip(straight, permuted, strict=True):
        np.testing.assert_allclose(a[order], b, atol=2e-5)
    assert np.ptp(straight[0]) > 0.05, 'the tokens differ, or the test proves nothing'


@pytest.mark.parametrize('pad, pad_prompts', [(17, 0), (0, 9), (5, 5)])
def test_padding_changes_no_output(grin, frame, pad: int, pad_prompts: int) -> None:
    """Padding tokens and prompts, whatever they hold, leave the answers as they were."""
    for a, b in zip(run(grin, frame), run(grin, frame, pad=pad, pad_prompts=pad_prompts),
                    strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_pixels_weigh_alike_however_many_are_asked(grin, frame) -> None:
    """Each pixel asked nine times weighs as much beside image and prompts as asked once."""
    once, often = run(grin, frame), run(grin, frame, order=torch.arange(TOKENS).repeat(9))
    for a, b in zip(once, often, strict=True):
        np.testing.assert_allclose(np.tile(a, 9), b, atol=2e-5)


def test_attention_is_the_same_where_it_is_trained() -> None:
    """A CPU trains by products of its own, which are faster there; what is hidden stays hidden."""
    torch.manual_seed(0)
    attention, x, context = Attention(12, 8, 16, 2), torch.randn(2, 5, 12), torch.randn(2, 7, 8)
    bias = torch.zeros(2, 1, 1, 7)
    bias[..., 4:] = -1e4
    for hidden in (None, bias):
        torch.testing.assert_close(attention.train()(x, context, hidden),
                                   attention.eval()(x, context, hidden))
    torch.testing.assert_close(attention.train()(x, context, bias), attention(x, context[:, :4]))


def test_prompts_reach_the_answers(grin, frame) -> None:
    """Masking the prompts changes the depth: they are read, not ignored."""
    assert np.abs(run(grin, frame)[0] - run(grin, frame, num_prompts=0)[0]).max() > 1e-3


def test_one_step_returns_x_0(grin, frame) -> None:
    """With a single DDIM step the next x is the predicted x_0 itself."""
    local_2, local_4, vectors = grin.encode(frame['image'], frame['rays'])
    with torch.no_grad():
        local = grin.condition(frame['image'], frame['rays'], local_2, local_4, frame['pixels'])
        empty = torch.zeros(1, 1, local.shape[-1])
        x_next, x_0, _ = grin.ddim_step(
            frame['x_t'], local, frame['x_t'] == frame['x_t'], empty[..., :2], empty,
            torch.zeros(1, 1, dtype=torch.bool), vectors, torch.from_numpy(ddim_steps(1)))
    torch.testing.assert_close(x_next, x_0)
    assert x_0.abs().max() <= X_SCALE


@pytest.mark.parametrize('change, message', [
    ({'interface_dim': 25}, 'interface_dim 25 must be a multiple of interface_heads 2'),
    ({'latent_heads': 3}, 'latent_dim 32 must be a multiple of latent_heads 3'),
    ({'latent_heads': 0}, 'latent_heads must be a whole number of at least 1'),
    ({'num_latents': 2.5}, 'num_latents must be a whole number'),
    ({'pyramid_channels': (4, 8)}, 'five'), ({'encoder_stages': ((8, 1, 3, 1, 1),)}, 'stride 2'),
    ({'encoder_stages': ((8, 1, 3),)}, 'five numbers each')])
def test_a_network_that_cannot_be_is_refused(change: dict, message: str) -> None:
    """It says which choice, where torch would stumble over a shape."""
    with pytest.raises(ValueError, match=message):
        tiny_config(**change)


@pytest.mark.parametrize('prediction_type', ['x_0', 'v', 'epsilon'])
def test_prediction_types_recover_x_0(prediction_type: str) -> None:
    """An output that is exactly right decodes to the true x_0, whatever the network predicts."""
    grin = tiny_grin(prediction_type=prediction_type)
    x_0, noise, gamma = torch.randn(1, 8), torch.randn(1, 8), torch.tensor([[0.3]])
    x_t = gamma.sqrt() * x_0 + (1 - gamma).sqrt() * noise
    output = {'x_0': x_0, 'epsilon': noise,
              'v': gamma.sqrt() * noise - (1 - gamma).sqrt() * x_0}[prediction_type]
    torch.testing.assert_close(grin._to_x_0(output, x_t, gamma), x_0, atol=1e-5, rtol=1e-5)


def test_conditioning_samples_the_pixel_it_is_asked_for(grin) -> None:
    """The colour a token sees is the image's at that pixel: integers are pixel centres."""
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.integers(0, 255, (1, HEIGHT, WIDTH, 3), dtype=np.uint8))
    rays = torch.from_numpy(Camera.from_hfov(70, WIDTH, HEIGHT).rays())[None]
    pixels = torch.tensor([[[10.0, 20.0], [95.0, 63.0], [0.0, 0.0]]])
    maps = grin.encode(image, rays)
    seen = []
    handle = grin.local.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        grin.condition(image, rays, *maps[:2], pixels)
    handle.remove()
    start = sum(grin.config.pyramid_channels[:2])
    colours = (seen[0][0, :, start:start + 3].numpy() + 1) * 127.5
    u, v = pixels[0].int().T.numpy()
    np.testing.assert_allclose(colours, image[0].numpy()[v, u], atol=0.02)
