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

"""A real GRIN, a thousand times smaller than the shipped one, for tests."""

from __future__ import annotations

from typing import Any


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
