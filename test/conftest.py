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

"""Fixtures shared by all tests: a real but tiny GRIN and its bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path
import shutil
import tempfile

import pytest
from tiny import tiny_grin

ROOT = Path(__file__).parents[1]
# What a bundle depends on: when one of these changes, the cached tiny bundle is made again.
SOURCES = ('grin_ros/export.py', 'grin_ros/onnx_weights.py', 'grin_ros/depth_codec.py',
           'grin_ros/noise.py', 'grin_ros/sampler.py', 'grin_ros/train/checkpoint.py',
           'grin_ros/model', 'test/tiny.py')


@pytest.fixture(scope='session')
def tiny_bundle(request: pytest.FixtureRequest) -> Path:
    """Return a bundle exported from tiny_grin by the product's own export."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob('*.py')) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    folder = Path(request.config.cache.mkdir('tiny_bundle')) / digest.hexdigest()[:16]
    if not (folder / 'grin.json').exists():
        pytest.importorskip('torch', reason='no torch: nothing to export the tiny bundle from')
        from grin_ros.export import export_bundle
        from grin_ros.train.checkpoint import Checkpoint
        grin = tiny_grin()
        # Test runs may overlap: each exports for itself and the first one to finish stays.
        partial = Path(tempfile.mkdtemp(dir=folder.parent))
        export_bundle(Checkpoint(grin.config, grin.state_dict(), {}, {}, 0, {}), partial,
                      name='tiny', input_size=(128, 96))
        try:
            partial.rename(folder)
        except OSError:
            shutil.rmtree(partial)
    return folder
