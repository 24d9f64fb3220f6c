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

"""``grin train``: train GRIN on shards, resumable at any step."""

from __future__ import annotations

import argparse
from contextlib import redirect_stderr, redirect_stdout, suppress
import math
import os
from pathlib import Path
import signal
import sys
import time
from typing import Any, cast, TextIO

from grin_ros.errors import GrinError, require


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument('--config', type=Path, required=True, help='YAML file, see config/train/')
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE',
                        help='override a setting of the file; may be repeated')
    parser.add_argument('--resume', choices=('auto', 'none'), default='auto',
                        help='auto: continue from the last checkpoint in the output folder')
    parser.add_argument('--minutes', type=float, help='stop with a checkpoint after this time')


def run(options: argparse.Namespace) -> int:
    """Train; under ``accelerate launch`` the same command uses every process."""
    if options.minutes is not None and not options.minutes > 0:  # of NaN no time is the end
        raise GrinError(f'--minutes {options.minutes:g} must be a number above 0')
    require('torch', 'train')
    require('accelerate', 'train')
    from accelerate import PartialState

    from grin_ros.train.config import load_config
    from grin_ros.train.loop import train

    config = load_config(options.config, options.set)
    with (redirect_stdout(cast(TextIO, Unheard(sys.stdout))),
          redirect_stderr(cast(TextIO, Unheard(sys.stderr))), Stop(options.minutes) as stop):
        path = train(config, resume=options.resume == 'auto', stop=stop)
    if PartialState().is_main_process:  # the others choose none
        print(f'checkpoint to export: {path}')
    return stop.code


class Stop:
    """Tells when to end: after some minutes, or at Ctrl-C; a second one ends at once."""

    def __init__(self, minutes: float | None) -> None:
        """Start the clock."""
        self._end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        self.code = 0  # what a shell is told

    def __enter__(self) -> Stop:
        """Listen to signals."""
        self._before = {number: signal.signal(number, self._interrupt)
                        for number in (signal.SIGINT, signal.SIGTERM)
                        if signal.getsignal(number) != signal.SIG_IGN}  # as nohup wants it
        return self

    def __exit__(self, *_: object) -> None:
        """Leave them to whom they went before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Return whether it is time."""
        return self.code > 0 or time.monotonic() > self._end

    def _interrupt(self, number: int, _: object) -> None:
        """Note a signal; the next of its kind does what it did before."""
        self.code = 128 + number
        signal.signal(number, self._before[signal.Signals(number)])
        # It may have come amid a write to the same stream, which takes no other then.
        with suppress(OSError, RuntimeError):
            print('saving after this step; once more to end at once', file=sys.stderr, flush=True)


class Unheard:
    """
    A stream whose reader may go: what is lost are words, and not what was learnt.

    In ``grin train 2>&1 | tee log`` Ctrl-C ends tee, too, and what follows has nowhere to go.
    """

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Be like the stream in all else."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Flush what can be."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Send what follows nowhere, or Python tries the rest again as it ends, and fails."""
        if isinstance(error, BrokenPipeError):
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
