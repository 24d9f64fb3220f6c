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

"""A real GRIN, a thousand times smaller than the shipped one, and its bundle, for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
import shutil
import sys
import tempfile
from typing import Any

ROOT = Path(__file__).parents[1]
# What a bundle depends on: when one of these changes, it is exported again.
SOURCES = ('grin_ros/diffusion', 'grin_ros/model', 'grin_ros/train/checkpoint.py',
           'grin_ros/train/export.py', 'grin_ros/train/onnx_weights.py', 'test/tiny.py')


def tiny_config(**changes: Any) -> Any:
    """Return a GrinConfig a thousand times smaller than the shipped one."""
    from grin_ros.model.config import GrinConfig
    sizes: dict[str, Any] = {
        'stem_channels': 8, 'pyramid_channels': (4, 8, 8, 8, 8), 'frozen_stages': 0,
        'encoder_stages': ((8, 1, 3, 1, 1), (8, 1, 3, 2, 2), (8, 1, 5, 2, 1), (8, 1, 3, 2, 1),
                           (16, 1, 5, 2, 1)),
        'interface_dim': 24, 'num_latents': 8, 'latent_dim': 32, 'num_blocks': 1,
        'process_layers': 1, 'latent_heads': 2, 'interface_heads': 2}
    return GrinConfig(**{**sizes, **changes})


def tiny_grin(seed: int = 0, **changes: Any) -> Any:
    """Return a real, untrained, tiny network in eval mode whose answers vary over the image."""
    import torch

    from grin_ros.model.grin import Grin
    torch.manual_seed(seed)
    grin = Grin(tiny_config(**changes))
    torch.nn.init.normal_(grin.readout[1].weight, 0.0, 0.2)
    return grin.eval()


def kept() -> Path:
    """Return the folder of the bundle of these sources, which need not exist yet."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob('*.py')) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return ROOT / 'build/tiny_bundle' / digest.hexdigest()[:16]


def exported() -> Path:
    """Return the bundle of tiny_grin; only the first call for these sources needs torch."""
    folder = kept()
    if not folder.exists():
        from grin_ros.train.checkpoint import Checkpoint
        from grin_ros.train.export import export_bundle
        grin = tiny_grin()
        # Test runs may overlap: each exports for itself and the first one to finish stays.
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder.parent))
        export_bundle(Checkpoint(grin.config, grin.state_dict(), {}, {}, 0, {}), partial,
                      name='tiny', input_size=(128, 96))
        try:
            partial.rename(folder)
        except OSError:
            shutil.rmtree(partial)
    return folder


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    print(exported())
