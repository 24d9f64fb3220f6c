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


"""Build process: a build in a process of its own, so that it can be stopped at any moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
import importlib
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time

from grin_ros.engine.build import build_plan, BuildSettings, Cancelled, Plan, Progress, Tensor
from grin_ros.errors import GrinError

POLL = 0.05  # [s]
GRACE = 0.5  # [s] for the builder to end by itself before it is killed
KNOWN_PROBLEM = 2  # exit code of an error that the user can solve


def build_apart(library: str, model: bytes, settings: BuildSettings, *, device_id: int = 0,
                progress: Progress | None = None, cancelled: Callable[[], bool] | None = None,
                timings: bytes | None = None) -> Plan:
    """
    Do what build_plan does in another process, and end it within a second when cancelled.

    A builder asks its progress monitor only between steps, and one step can take many seconds.
    Its memory is given back, too, and a crash of it is an error here and no more.

    :param library: tensorrt or tensorrt_rtx.
    :param device_id: CUDA device to build for.
    """
    package_root = str(Path(__file__).parents[2])
    environment = os.environ | {
        'PYTHONPATH': os.pathsep.join(filter(None, [package_root, os.environ.get('PYTHONPATH')])),
        'CUDA_VISIBLE_DEVICES': _visible(device_id)}
    with ExitStack() as stack:
        folder = _scratch(stack, model, settings, timings)
        with open(folder / 'log', 'wb') as log:
            process = subprocess.Popen(
                [sys.executable, '-m', __name__, library, str(folder)], env=environment,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        reader = threading.Thread(target=_report, args=(process, progress), daemon=True)
        reader.start()
        try:
            while process.poll() is None:
                if cancelled is not None and cancelled():
                    raise Cancelled('the engine build was cancelled')
                time.sleep(POLL)
        finally:
            _end(process)
            reader.join(GRACE)
        return _result(process.returncode, folder)


def _scratch(stack: ExitStack, model: bytes, settings: BuildSettings, timings: bytes | None
             ) -> Path:
    """Return a folder with what a builder needs; where it has no room, the user can solve it."""
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='grin_build_')))
        (folder / 'model.onnx').write_bytes(model)
        (folder / 'settings.json').write_text(json.dumps(settings.to_dict()), encoding='utf-8')
        if timings is not None:
            (folder / 'timings').write_bytes(timings)
    except OSError as error:
        raise GrinError(f'the engine cannot be built ({error}): make room for temporary files, or '
                        'set TMPDIR to a folder that has some') from error
    return folder


def _visible(device_id: int) -> str:
    """Return CUDA_VISIBLE_DEVICES that leaves this process's device device_id alone."""
    visible = [name for name in os.environ.get('CUDA_VISIBLE_DEVICES', '').split(',') if name]
    return visible[device_id] if device_id < len(visible) else str(device_id)


def _report(process: subprocess.Popen, progress: Progress | None) -> None:
    """Hand on the lines of progress."""
    for line in process.stdout or ():
        phase, _, share = line.rstrip('\n').rpartition('\t')
        if progress is not None and phase:
            with suppress(ValueError):  # the library may print, too
                progress(phase, float(share))


def _end(process: subprocess.Popen) -> None:
    """End the process: kindly, then not."""
    if process.stdin:
        process.stdin.close()  # the child sees this, and ends
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _result(code: int, folder: Path) -> Plan:
    """Read what the process left."""
    if code != 0:
        log = (folder / 'log').read_text(encoding='utf-8', errors='replace').strip()
        last = log.splitlines()[-1] if log else 'it said nothing'
        if code == KNOWN_PROBLEM:
            raise GrinError(last)
        raise GrinError(f'the engine build ended with code {code}: {last}')
    facts = json.loads((folder / 'tensors.json').read_text(encoding='utf-8'))
    tensors = tuple(Tensor(each['name'], tuple(each['shape']), each['kind'], each['is_input'])
                    for each in facts)
    timings = folder / 'timings.new'
    return Plan((folder / 'plan').read_bytes(), tensors,
                timings.read_bytes() if timings.is_file() else b'')


def main(library: str, scratch: str) -> int:
    """Build what the folder describes; the parent reads progress from stdout."""
    folder = Path(scratch)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def progress(phase: str, share: float) -> None:
        print(f'{phase}\t{share:.4f}', flush=True)

    facts = json.loads((folder / 'settings.json').read_text(encoding='utf-8'))
    facts['compute_capabilities'] = tuple(facts['compute_capabilities'])
    timings = folder / 'timings'
    try:
        trt = importlib.import_module(library)
        plan = build_plan(trt, (folder / 'model.onnx').read_bytes(), BuildSettings(**facts),
                          progress=progress,
                          timings=timings.read_bytes() if timings.is_file() else None)
    except (GrinError, ImportError) as error:
        print(' '.join(str(error).split()), file=sys.stderr)
        return KNOWN_PROBLEM
    (folder / 'plan').write_bytes(plan.data)
    (folder / 'timings.new').write_bytes(plan.timings)
    (folder / 'tensors.json').write_text(
        json.dumps([vars(tensor) for tensor in plan.tensors]), encoding='utf-8')
    return 0


def _end_with_parent() -> None:
    """End at once when the parent is gone or closes our input."""
    sys.stdin.read()
    os._exit(1)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
