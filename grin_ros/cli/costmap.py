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


"""The verb costmap: a camera_info file in; a costmap layer for Nav2 out, on standard output."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from grin_ros.camera.files import read_camera_info
from grin_ros.cli.nav2_layers import CELLS_SHORT, LAYERS, stvl_layer, voxel_layer
from grin_ros.cli.options import chosen_namespace
from grin_ros.errors import GrinError
from grin_ros.params import FIELDS

LENGTHS = (
    ('marking-range', 5.0, 'obstacles farther away are not marked'),
    ('clearing-range', FIELDS['clearing_range'].default, "the node's parameter clearing_range"),
    ('min-height', 0.1, 'lowest obstacle above the floor'),
    ('max-height', 2.0, 'highest obstacle above the floor'),
    ('camera-height', 0.5, 'the camera above the floor'))
DEFAULTS = {name: default for name, default, _ in LENGTHS}
VOXEL_ALONE = ('clearing-range', 'camera-height')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this verb."""
    parser.add_argument('--camera-info', metavar='FILE', type=Path, required=True,
                        help='YAML of camera_calibration, OpenCV, Kalibr or of '
                             '`ros2 topic echo --once`')
    parser.add_argument('--rectified', action='store_true',
                        help='the images are rectified: use P and no D')
    parser.add_argument('--layer', choices=LAYERS, default='voxel',
                        help='VoxelLayer of Nav2 (default) or spatio_temporal_voxel_layer')
    parser.add_argument('--namespace', default='/grin', metavar='NS',
                        help='namespace of the depth node (default /grin)')
    for name, default, text in LENGTHS:
        parser.add_argument(f'--{name}', type=float, default=default, metavar='M',
                            help=f'{text} (default {default:g} m)')


def run(options: argparse.Namespace) -> None:
    """Print the layer."""
    namespace = chosen_namespace(options)
    camera = read_camera_info(options.camera_info, options.rectified)
    for name, _, _ in LENGTHS:
        if not math.isfinite(length := getattr(options, name.replace('-', '_'))):
            raise GrinError(f'--{name} {length:g} must be a number of metres')
    if options.marking_range <= 0:
        raise GrinError(f'--marking-range {options.marking_range:g} must be above 0')
    if options.camera_height <= 0:
        raise GrinError(f'--camera-height {options.camera_height:g} must be above 0')
    alone = [name for name in VOXEL_ALONE
             if getattr(options, name.replace('-', '_')) != DEFAULTS[name]]
    if options.layer == 'stvl' and alone:
        raise GrinError(f'--{alone[0]} is of --layer voxel, whose rays clear: STVL forgets what '
                        'is in view after a time')
    reach = round(options.clearing_range - CELLS_SHORT, 6)
    if options.layer == 'voxel' and options.marking_range > reach:
        raise GrinError(f'--marking-range {options.marking_range:g} must be at most {reach:g}, '
                        f'which is --clearing-range {options.clearing_range:g} less two cells: '
                        'what is marked farther than rays reach stays for ever')
    if not options.min_height < options.max_height:
        raise GrinError(f'--min-height {options.min_height:g} must be below --max-height '
                        f'{options.max_height:g}')
    if options.layer == 'stvl':
        print(stvl_layer(camera, namespace, options.marking_range, options.min_height,
                         options.max_height), end='')
    else:
        print(voxel_layer(namespace, options.marking_range, options.clearing_range,
                          options.min_height, options.max_height, options.camera_height),
              end='')
