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

"""The verb ``scenes``: render worlds with true depth into shards."""

from __future__ import annotations

import argparse
from pathlib import Path
import signal
import sys

from grin_ros.cli.files import need_picture, need_place
from grin_ros.errors import GrinError
from grin_ros.synth import worlds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of shards')
    parser.add_argument('--frames', type=int, default=1200, metavar='N',
                        help='number of frames (default %(default)s)')
    parser.add_argument('--workers', type=int, default=1, metavar='W',
                        help='processes; the frames do not depend on it (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, metavar='S',
                        help='other seeds, other worlds (default %(default)s)')
    parser.add_argument('--size', type=size, default=(160, 120), metavar='WxH',
                        help='pixels of a frame (default 160x120)')
    parser.add_argument('--supersample', type=int, default=1, metavar='N',
                        help='rays per pixel and axis (default %(default)s)')
    parser.add_argument('--kinds', nargs='+', choices=list(worlds.MIX), default=list(worlds.MIX),
                        metavar='KIND', help=f'some of {", ".join(worlds.MIX)} (default all)')
    parser.add_argument('--hfov', type=float, nargs=2, metavar=('MIN', 'MAX'),
                        help='lenses of this horizontal field of view [deg] in place of the '
                             'usual mix of 35 to 105 with some fisheyes')
    parser.add_argument('--assets', type=Path, metavar='DIR',
                        help='folder with sweethome3d-furniture_*.deb (default: apt-get download)')
    parser.add_argument('--preview', type=Path, metavar='FILE',
                        help='write a contact sheet (picture | depth) of some frames')
    parser.add_argument('--stats', action='store_true',
                        help='print what the cameras see: ranges, fields of view, pitch, height')


def size(text: str) -> tuple[int, int]:
    """Read WxH."""
    try:
        width, height = (int(word) for word in text.lower().split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not WxH, for example 160x120') from None
    return width, height


def run(options: argparse.Namespace) -> int:
    """Render what is missing and say where it is."""
    # A plain kill must end the workers, too: leave through the same doors as Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.frames < 1 or options.seed < 0:
        raise GrinError('--frames must be at least 1 and --seed at least 0')
    need_picture(options.preview, '--preview')
    width, height = options.size
    settings = worlds.Settings(options.seed, width, height, options.supersample,
                               tuple(options.kinds),
                               tuple(options.hfov) if options.hfov else None)
    options.out.mkdir(parents=True, exist_ok=True)  # where --preview may be
    need_place(options.preview, '--preview')
    rendered = worlds.generate(options.out, options.frames, settings, options.workers,
                               options.assets)
    print(f'{options.out}: {rendered} frames rendered, '
          f'{options.frames - rendered} were there already')
    if options.preview:
        from grin_ros.synth.preview import write_preview
        write_preview(options.out, options.preview)
        print(options.preview)
    if options.stats:
        from grin_ros.synth.stats import world_stats
        print(world_stats(options.out))
    return 0
