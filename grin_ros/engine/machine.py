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


"""Machine: what is installed here, and how long a function takes on it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
import os
from pathlib import Path
import platform
import time
from typing import Any

import numpy as np

from grin_ros import __version__

LIBRARIES = ('numpy', 'onnx', 'onnxruntime', 'opencv-python-headless', 'tensorrt', 'tensorrt-rtx',
             'tensorrt-cu12', 'tensorrt-cu13', 'pycuda', 'cuda-python', 'cuda-bindings', 'torch')
WARM_UP = 5  # runs that do not count


def versions() -> tuple[str, dict[str, Any]]:
    """Return what is installed, as a sentence and by name."""
    found: dict[str, Any] = {'grin_ros': __version__, 'python': platform.python_version(),
                             'machine': platform.machine(), 'system': platform.platform(),
                             'cpus': os.cpu_count(), 'ros': os.environ.get('ROS_DISTRO', '')}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    jetson = Path('/etc/nv_tegra_release')
    if jetson.is_file():
        found['jetson'] = jetson.read_text(encoding='utf-8', errors='replace').strip()
    return ', '.join(f'{name} {value}' for name, value in found.items() if value), found


def percentiles(work: Callable[[], Any], runs: int) -> dict[str, float]:
    """Return the median and the 95th percentile of a function's milliseconds."""
    times = []
    for _ in range(runs + WARM_UP):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    p50, p95 = np.percentile(times[WARM_UP:], (50, 95))
    return {'p50': float(p50), 'p95': float(p95)}
