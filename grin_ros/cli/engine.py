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


"""``grin engine``: build TensorRT engines before they are needed, and list what is there."""

from __future__ import annotations

import argparse
from dataclasses import replace
import importlib.util
import json
from pathlib import Path
import time
from typing import Any

from grin_ros.bundle import load_bundle
from grin_ros.cli.files import need_place, write_json
from grin_ros.cli.options import complain, show
from grin_ros.engine.build import BuildSettings
from grin_ros.engine.cache import EngineCache
from grin_ros.engine.cuda_memory import MEMORIES
from grin_ros.engine.options import EngineOptions, PRECISIONS
from grin_ros.engine.profile import Profile, PROMPT_COUNTS
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import COARSEST_STRIDE, STRIDES
from grin_ros.messages.ranges import NUM_RANGES

RTX_CAPABILITIES = ('SM86', 'SM89', 'SM120')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the two verbs of this verb."""
    verbs = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    build = verbs.add_parser('build', help='build engines into the cache, and self-test them')
    add_engine_options(build)
    build.add_argument('--image-size', type=int, nargs=2, metavar=('W', 'H'),
                       help="size of the camera's images (default: the input size)")
    build.add_argument('--input-size', type=int, nargs=2, metavar=('W', 'H'),
                       help="area of the network's input (default: the bundle's)")
    build.add_argument('--stride', type=int, choices=STRIDES,
                       help="query stride (default: the bundle's)")
    build.add_argument('--steps', type=int, metavar='N',
                       help="denoising steps of a fused engine (default: the bundle's)")
    build.add_argument('--samples', type=int, default=1, metavar='K', help='draws at once')
    build.add_argument('--prompts', type=int, default=1, choices=PROMPT_COUNTS,
                       help=f'known ranges of a frame, {NUM_RANGES} for a node with ranges_type')
    build.add_argument('--fused', action='store_true',
                       help='one engine for the whole frame and this step count')
    build.add_argument('--rtx-aot', nargs='*', metavar='SM', help='compile plans for TensorRT for '
                       f'RTX without a device (default for {" ".join(RTX_CAPABILITIES)})')
    build.add_argument('--output', type=Path, default=Path('engines'), metavar='DIR',
                       help='where --rtx-aot writes its plans (default %(default)s)')
    build.add_argument('--json', type=Path, metavar='OUT', help='write the figures here')
    info = verbs.add_parser('info', help='list the engines in the cache')
    info.add_argument('--cache', type=Path, metavar='DIR', help="default: the user's")
    info.add_argument('--json', type=Path, metavar='OUT', help='write the list here')


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add what engine_options reads."""
    parser.add_argument('--bundle', metavar='DIR', help='default: the shipped one')
    parser.add_argument('--device-id', type=int, default=0, metavar='N', help='CUDA device')
    parser.add_argument('--precision', choices=PRECISIONS, default='fp16')
    parser.add_argument('--calibration', type=Path, metavar='DIR',
                        help='folder of shards that int8 is calibrated on')
    parser.add_argument('--memory', choices=MEMORIES, default='auto',
                        help='CUDA library (default: cuda-python where installed, else pycuda)')
    parser.add_argument('--frames', type=int, default=1, metavar='N',
                        help='frames at once, of several cameras with one input size')
    parser.add_argument('--no-cuda-graph', action='store_true', help='enqueue engines one by one')
    parser.add_argument('--optimization-level', type=int, default=3, metavar='0-5',
                        help='higher builds take longer (default %(default)s)')
    parser.add_argument('--workspace-mib', type=int, default=1024, metavar='MIB',
                        help='scratch memory a layer may use (default %(default)s)')
    parser.add_argument('--cache', type=Path, metavar='DIR', help="default: the user's")


def engine_options(options: argparse.Namespace, **more: Any) -> EngineOptions:
    """Return what add_engine_options chose."""
    return EngineOptions(
        device_id=options.device_id, precision=options.precision, memory=options.memory,
        cuda_graph=not options.no_cuda_graph, cache=options.cache,
        calibration=options.calibration, frames=options.frames,
        settings=BuildSettings(options.optimization_level, options.workspace_mib),
        report=show, warn=complain, **more)


def run(options: argparse.Namespace) -> int:
    """Build or list."""
    need_place(options.json, '--json')
    if options.action == 'info':
        return info(options)
    bundle = load_bundle(options.bundle)
    input_size = tuple(options.input_size or bundle.input_size)
    width, height = options.image_size or input_size
    if min(width, height) < 8 or min(input_size) < COARSEST_STRIDE:
        raise GrinError('--image-size must be at least 8 8, and --input-size at least '
                        f'{COARSEST_STRIDE} {COARSEST_STRIDE}')
    profile = Profile.of_camera(width, height, input_size,
                                options.stride or bundle.query_stride, options.samples,
                                options.frames, options.prompts)
    steps = bundle.default_steps if options.steps is None else options.steps
    if options.rtx_aot is not None:
        return build_ahead_of_time(options, bundle, profile, steps)
    from grin_ros.backends.tensorrt import TensorRtBackend

    start = time.monotonic()
    backend = TensorRtBackend(bundle, engine_options(options, fused=options.fused))
    try:
        precision = backend.prepare(profile, steps)
    finally:
        backend.close()
    seconds = time.monotonic() - start
    print(f'\n{backend.reason}: {precision} {profile} ready after {seconds:.0f} s')
    write_json(options.json, {'backend': backend.reason, 'precision': precision,
                              'profile': profile.to_dict(), 'seconds': seconds,
                              'self_tests': backend.self_tests})
    return 0


def build_ahead_of_time(options: argparse.Namespace, bundle: Any, profile: Profile,
                        steps: int) -> int:
    """Write plans for RTX desktops; no device is needed, and none of them is run."""
    from grin_ros.engine.maker import build_without_device

    if importlib.util.find_spec('tensorrt_rtx') is None:
        raise GrinError('--rtx-aot needs TensorRT for RTX (x86_64): pip install tensorrt-rtx')
    capabilities = tuple(options.rtx_aot or RTX_CAPABILITIES)
    chosen = engine_options(options)
    chosen = replace(chosen, settings=replace(chosen.settings, compute_capabilities=capabilities))
    options.output.mkdir(parents=True, exist_ok=True)
    written: list[dict[str, Any]] = []
    for graph in ['fused'] if options.fused else ['frame', 'denoiser']:
        start = time.monotonic()
        plan = build_without_device('tensorrt_rtx', bundle, profile, graph,
                                    steps if options.fused else 0, chosen)
        name = f'{graph}{f"{steps}" if options.fused else ""}-{options.precision}-{profile}.plan'
        (options.output / name).write_bytes(plan.data)
        written.append({
            'plan': str(options.output / name), 'bytes': len(plan.data),
            'seconds': time.monotonic() - start, 'compute_capabilities': list(capabilities),
            'tensors': [vars(tensor) for tensor in plan.tensors]})
        print(f'{options.output / name}: {len(plan.data) / 1e6:.1f} MB for '
              f'{" ".join(capabilities)}, {written[-1]["seconds"]:.1f} s')
    print('Compiled, not run: only a GPU can do that.')
    write_json(options.json, {'plans': written})
    return 0


def info(options: argparse.Namespace) -> int:
    """List the engines in the cache."""
    cache = EngineCache(options.cache)
    rows = []
    for path in sorted(cache.folder.glob('*.json')):
        try:
            facts = json.loads(path.read_text(encoding='utf-8'))['facts']
            whole = cache.read(facts) is not None and cache.path(facts, '.json') == path
        except (OSError, ValueError, KeyError, TypeError):
            facts, whole = {}, False
        plan = path.with_suffix('.plan')
        size = plan.stat().st_size if plan.is_file() else 0
        rows.append({'plan': str(plan), 'bytes': size, 'whole': whole, 'facts': facts})
        device = facts.get('device', {}).get('name', '?')
        print(f'{plan.name}: {"" if whole else "DAMAGED, "}{size / 1e6:.1f} MB, '
              f'{facts.get("tensorrt", "?")}, {device}, {facts.get("precision", "?")}')
    print(f'{len(rows)} engines in {cache.folder}')
    write_json(options.json, {'folder': str(cache.folder), 'engines': rows})
    return 0
