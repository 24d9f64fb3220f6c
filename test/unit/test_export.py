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

"""The exported graphs answer as torch does, at every step count and size."""

from __future__ import annotations

from pathlib import Path
import shutil

import numpy as np
import pytest
from tiny import tiny_grin

torch = pytest.importorskip('torch', reason='export needs torch')
onnx = pytest.importorskip('onnx', reason='export needs onnx')

from grin_ros import backends  # noqa: E402
from grin_ros.bundle import GRAPHS, load_bundle  # noqa: E402
from grin_ros.camera import Camera  # noqa: E402
from grin_ros.errors import GrinError  # noqa: E402
from grin_ros.train import checkpoint, export  # noqa: E402
from grin_ros.train.checkpoint import Checkpoint  # noqa: E402
from grin_ros.train.whole import whole  # noqa: E402


@pytest.fixture(scope='module')
def rounded(tiny_bundle: Path):
    """Return the torch network with the weights the tiny bundle holds."""
    return export.deployable(checkpoint.load(tiny_bundle / 'weights.safetensors'))


@pytest.fixture(scope='module')
def onnx_runtime(tiny_bundle: Path) -> backends.Backend:
    """Return the tiny bundle's graphs in ONNX Runtime."""
    return backends.load(load_bundle(tiny_bundle), 'onnxruntime', cpu_threads=1)


@pytest.mark.parametrize('steps', export.STEP_COUNTS)
def test_onnx_runtime_agrees_with_torch(tiny_bundle: Path, onnx_runtime, rounded,
                                        steps: int) -> None:
    """The largest difference in P is at most 1e-4 at 1, 2, 4 and 8 steps."""
    probe = dict(np.load(tiny_bundle / 'probe.npz'))
    x_0, log_b = export.run_backend(onnx_runtime, probe, steps)
    expected_x_0, expected_log_b = export.run_torch(rounded, probe, steps)
    assert np.abs(x_0 - expected_x_0).max() / export.X_SCALE <= export.PARITY_P
    np.testing.assert_allclose(log_b, expected_log_b, atol=1e-3)
    np.testing.assert_allclose(x_0, probe[f'x_0_{steps}'], atol=1e-3)
    assert np.ptp(x_0) > 0.05, 'the answers vary, or agreement proves nothing'


def test_graphs_are_of_the_weights_that_ship(tiny_bundle: Path, rounded) -> None:
    """
    What is made of weights.safetensors is what the exporter saw, to the last bit but one.

    Graphs were once made of finer weights: two roundings, 1.7e-4 apart in P.
    """
    probe = dict(np.load(tiny_bundle / 'probe.npz'))
    for steps in (1, 8):
        for made, kept in zip(export.run_torch(rounded, probe, steps),
                              (probe[f'x_0_{steps}'], probe[f'log_b_{steps}']), strict=True):
            np.testing.assert_allclose(made, kept, atol=1e-6)


@pytest.mark.parametrize('width, height, tokens', [(96, 32, 1), (64, 128, 77)])
def test_sizes_are_symbolic(onnx_runtime, rounded, width: int, height: int,
                            tokens: int) -> None:
    """The same graphs serve sizes and token counts that the exporter never saw."""
    rng = np.random.default_rng(3)
    pixels = (rng.random((tokens, 2)) * (width - 1, height - 1)).astype(np.float32)
    probe = {'image': rng.integers(0, 255, (height, width, 3), dtype=np.uint8),
             'rays': Camera.from_hfov(90, width, height).rays(), 'pixels': pixels,
             'x_T': rng.standard_normal(tokens).astype(np.float32)}
    for a, b in zip(export.run_backend(onnx_runtime, probe, 2),
                    export.run_torch(rounded, probe, 2), strict=True):
        np.testing.assert_allclose(a, b, atol=2.5e-4)


def test_weights_are_stored_once_as_half(tiny_bundle: Path) -> None:
    """The bundle is whole, small, and its weights file is about two bytes a parameter."""
    bundle = load_bundle(tiny_bundle)
    grin = tiny_grin()
    parameters = sum(p.numel() for p in grin.parameters() if p.numel() >= 256)
    assert (tiny_bundle / 'weights.bin').stat().st_size < 2.6 * parameters
    assert {'encoder.onnx', 'conditioner.onnx', 'denoiser.onnx', 'weights.bin', 'probe.npz',
            'weights.safetensors'} <= set(bundle.metadata['files'])


def test_export_notices_graphs_that_disagree(tiny_bundle: Path) -> None:
    """A probe that the graphs do not answer as torch did is noticed."""
    probe = dict(np.load(tiny_bundle / 'probe.npz'))
    probe['x_0_1'] = probe['x_0_1'] + 0.01
    assert export.check_parity(tiny_bundle, probe)['1'] > export.PARITY_P


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, those in folders of it, too."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


def test_a_bundle_is_replaced_whole_or_not_at_all(tiny_bundle: Path, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused or interrupted, an export leaves what was there; what is no bundle's stays."""
    # What takes long is taken from the bundle: its graphs, which are those of its weights alone.
    monkeypatch.setattr(export, 'export_graphs', lambda model: {
        name: onnx.load(tiny_bundle / name) for name in GRAPHS})
    folder, new = tmp_path / 'bundle', tmp_path / 'new' / 'bundle'
    shutil.copytree(tiny_bundle, folder)
    (folder / 'MODEL_CARD.md').write_text('of the user')
    before = contents(folder)
    other, same = (Checkpoint(grin.config, grin.state_dict(), {}, {}, 1, {})
                   for grin in (tiny_grin(1), tiny_grin()))
    for place in (folder, new):
        with pytest.raises(GrinError, match='ONNX Runtime differs from torch'):
            export.export_bundle(other, place, name='other')
    assert contents(folder) == before and not new.exists()
    with pytest.raises(KeyboardInterrupt):
        export.export_bundle(same, folder, name='other', held_out=Interrupted())
    assert contents(folder) == before
    export.export_bundle(same, folder, name='other')
    assert load_bundle(folder).name == 'other' and contents(folder).keys() == before.keys()
    assert (folder / 'MODEL_CARD.md').read_text() == 'of the user'


def test_what_a_killed_export_left_goes(tmp_path: Path) -> None:
    """Nobody tidies up after SIGKILL; the next export does, and leaves what is not its own."""
    (tmp_path / '.export.k1ll3d').mkdir()
    (tmp_path / '.export.k1ll3d' / 'weights.bin').write_bytes(b'half')
    (tmp_path / 'MODEL_CARD.md').touch()
    with whole(tmp_path, 'grin.json') as partial:
        (partial / 'grin.json').touch()
    assert contents(tmp_path).keys() == {'MODEL_CARD.md', 'grin.json'}
    assert not list(tmp_path.glob('.*'))


class Interrupted:
    """Held-out frames during which somebody presses Ctrl-C."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise KeyboardInterrupt


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    for place in (tmp_path / 'file', tmp_path / 'file' / 'bundle'):
        with pytest.raises(GrinError, match='give another folder'), whole(place, 'grin.json'):
            pytest.fail('there is no place to write to')


def test_weights_that_fp16_cannot_hold_are_refused(tmp_path: Path) -> None:
    for value in (float('nan'), 1e6):
        weights = tiny_grin().state_dict()
        weights['latents'] = torch.full_like(weights['latents'], value)
        with pytest.raises(GrinError, match='not finite in fp16'):
            export.export_bundle(Checkpoint(tiny_grin().config, weights, {}, {}, 0, {}),
                                 tmp_path / 'bundle')
    assert not (tmp_path / 'bundle').exists()


def test_graphs_hold_no_path_of_the_machine(tiny_bundle: Path) -> None:
    """The exporter notes source files and lines on every node; they stay at home."""
    for graph in tiny_bundle.glob('*.onnx'):
        assert str(Path(export.__file__).parent).encode() not in graph.read_bytes(), graph.name
        assert b'stack_trace' not in graph.read_bytes(), graph.name
