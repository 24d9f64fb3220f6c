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

"""Start recorder, node and camera, wait for the camera to finish, and report what was heard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, ExitStack
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from grin_ros.demo.frames import motorcycle, shipped
from grin_ros.demo.report import figures, print_table, write_cloud, write_picture
from grin_ros.errors import GrinError

REMAP = ['-r', '__ns:=/grin', '-r', 'image:=/camera/image_rect',
         '-r', 'camera_info:=/camera/camera_info']
START_TIMEOUT = 30.0  # s until the first depth image
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


def demo(output: Path, rate: float, repeat: int, json_path: Path | None = None,
         photo: bool = True, node_options: Sequence[str] = ()) -> int:
    """
    Play every picture `repeat` times at `rate` [Hz] and write the results to a folder.

    :param photo: play the photo from PyPI, too.
    :param node_options: ROS arguments of the node.
    """
    output.mkdir(parents=True, exist_ok=True)
    frames = shipped()
    camera_options: list[str] = []
    try:
        if photo:
            frames.insert(0, motorcycle(output / 'motorcycle'))
            camera_options = ['--motorcycle', str(output / 'motorcycle')]
    except GrinError as error:
        print(f'{error}\nGoing on with the {len(frames)} rendered frames.', file=sys.stderr)
    sent_path, recorded_path = output / 'sent.json', output / 'recorded.npz'
    for path in (sent_path, recorded_path):
        path.unlink(missing_ok=True)

    with ExitStack() as stack:
        start = time.time()
        recorder = stack.enter_context(process(
            'recorder', ['grin_ros.demo.recorder_process', '--output', str(recorded_path)],
            output))
        node = stack.enter_context(process(
            'node', ['grin_ros.node', '--ros-args', *REMAP, *node_options],
            output))
        camera = stack.enter_context(process(
            'camera', ['grin_ros.demo.camera_process', *camera_options, '--rate', str(rate),
                       '--repeat', str(repeat), '--report', str(sent_path)], output))
        print(f'Playing {len(frames)} pictures x {repeat} at {rate:g} Hz to /grin ...', flush=True)
        deadline = start + START_TIMEOUT + 2 * len(frames) * repeat / rate
        while camera.poll() is None and time.time() < deadline:
            for name, child in (('node', node), ('recorder', recorder)):
                if child.poll() is not None:
                    raise GrinError(f'the {name} stopped: {last_words(output, name)}')
            time.sleep(0.1)
        time.sleep(1.0)  # the last answers are under way
        for child in (camera, recorder, node):
            stop(child)
    if not sent_path.is_file() or not recorded_path.is_file():
        raise GrinError(f'the camera or the recorder failed: see {output}/*.log')

    sent = json.loads(sent_path.read_text(encoding='utf-8'))
    result = figures(frames, sent, recorded_path, start)
    print_table(result)
    if json_path:
        json_path.write_text(json.dumps(result, indent=2), encoding='utf-8')
    if not result['received']:
        print(f'No depth came back: {last_words(output, "node")}', file=sys.stderr)
        return 1
    print(f'picture: {write_picture(frames, recorded_path, output / "demo.png")}')
    print(f'cloud:   {write_cloud(frames, recorded_path, output / "cloud.ply")}')
    return 0


@contextmanager
def process(name: str, module: list[str], output: Path) -> Iterator[subprocess.Popen]:
    """Run a Python module in a process of its own; its log is NAME.log."""
    with open(output / f'{name}.log', 'wb') as log:
        child = subprocess.Popen([sys.executable, '-m', *module], env=environment(), stdout=log,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            yield child
        finally:
            stop(child)


def environment() -> dict[str, str]:
    """Return that of the processes: with our DDS profile, unless the user has set another."""
    if any(variable in os.environ for variable in PROFILE_VARIABLES):
        return dict(os.environ)
    profile = str(shared_file('config/fastdds_shm.xml'))
    return {**os.environ, **dict.fromkeys(PROFILE_VARIABLES, profile)}


def stop(child: subprocess.Popen) -> None:
    """End a process as Ctrl-C does, and by force when it does not listen."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def shared_file(name: str) -> Path:
    """Find a file of share/grin_ros: installed by colcon or pip, or in the source tree."""
    candidates = [Path(prefix) / 'share/grin_ros' / name
                  for prefix in [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep),
                                 sys.prefix] if prefix]
    candidates.append(Path(__file__).parents[2] / name)
    for path in candidates:
        if path.is_file():
            return path
    raise GrinError(f'{name} was not installed: install grin_ros again')


def last_words(output: Path, name: str) -> str:
    """Quote the end of a log."""
    path = output / f'{name}.log'
    lines = path.read_text(encoding='utf-8', errors='replace').strip().splitlines()
    return ' | '.join(lines[-3:] or ['it said nothing']) + f' (all of it: {path})'
