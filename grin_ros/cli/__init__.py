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

"""Metric depth from one camera: use a model, measure it, make one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import importlib
import io
import os
import sys

from grin_ros import __version__
from grin_ros.errors import GrinError

VERBS = {
    'predict': 'metric depth of image files',
    'eval': 'score a bundle against ground truth',
    'video': 'a film beside its depth',
    'bag': 'depth of a recorded bag, as a bag',
    'view': 'turn the cloud of a photo by hand, or as a film',
    'bench': 'measure how long a frame takes on this machine',
    'scale-check': 'compare depth with distances that were measured',
    'costmap': 'print a costmap layer for Nav2 that marks and clears with the clouds',
    'ablate': 'measure what steps and draws buy',
    'demo': 'run the node between a camera and a recorder',
    'scenes': 'render training worlds with true depth',
    'shards': 'turn a dataset on disk into shards to train on',
    'train': 'train GRIN on shards',
    'export': 'turn a checkpoint into a bundle',
    'engine': 'build and list TensorRT engines',
    'doctor': 'check TensorRT and the GPU of this machine',
}


# Each verb is a module of this package with add_arguments and run.
def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code: 0 done, 2 a problem the user can solve."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog='grin', description=__doc__)
    parser.add_argument('--version', action='version', version=f'grin_ros {__version__}')
    verbs = parser.add_subparsers(dest='verb', metavar='VERB', required=True)
    # Only the chosen verb is imported: `grin predict` must not pay for torch.
    for name, summary in VERBS.items():
        verb = verbs.add_parser(name, help=summary, description=summary)
        if name in arguments:
            module = importlib.import_module(f'grin_ros.cli.{name.replace("-", "_")}')
            module.add_arguments(verb)
            verb.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == 'strict':
        sys.stdout.reconfigure(errors='backslashreplace')  # a file may be called anything
    try:
        try:
            return int(options.run(options) or 0)
        finally:
            flush_output()
    except BrokenPipeError:  # whoever read has enough, as `| head` has
        return 141
    except (GrinError, OSError) as error:
        print(f'grin {options.verb}: {error}', file=sys.stderr)
        return 2
    except MemoryError as error:
        print(f'grin {options.verb}: the memory of this machine is too small ({error}): give '
              'smaller images or sizes', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def flush_output() -> None:
    """Write what was printed; where that fails drop it, or Python tries again as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
