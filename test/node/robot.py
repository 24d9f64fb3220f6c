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

"""A robot for the tests: this process is the camera and the recorder, others run the node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.duration import Duration
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from grin_ros.messages import image_to_msg

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / 'config/fastdds_shm.xml'
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
IMAGE, INFO = '/camera/image_raw', '/camera/camera_info'
OUTPUTS = {'depth': Image, 'camera_info': CameraInfo, 'points': PointCloud2, 'sigma': Image,
           'near': Image, 'clearing_points': PointCloud2, 'depth_color': Image,
           'rgb/image': Image, 'rgb/camera_info': CameraInfo}
# The node as its entry point runs it; at the end it says whether torch got in.
RUN_NODE = """
import json, sys
from grin_ros.node.__main__ import main
code = main()
print(json.dumps({'torch': 'torch' in sys.modules}), flush=True)
sys.exit(code)
"""
PATIENCE = 60.0  # [s] a deadline for a machine that is very busy; no test waits for it when fine
Stamp = tuple[int, int]


def stamp_of(msg: Any) -> Stamp:
    """Return the stamp of a message as something to compare."""
    return msg.header.stamp.sec, msg.header.stamp.nanosec


class NodeProcess:
    """The depth node in a process of its own, with namespace /NAME and log file NAME.log."""

    def __init__(self, folder: Path, name: str, profile: bool = True, image: str = IMAGE,
                 info: str = INFO, before: str = '', arguments: Sequence[str] = (),
                 **parameters: object) -> None:
        """Start it; parameters go on the command line as users write them, code runs before."""
        arguments = ['--ros-args', '-r', f'__ns:=/{name}', '-r', f'image:={image}',
                     '-r', f'camera_info:={info}', *arguments]
        for key, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ['-p', f'{key}:={text}']
        environment = {key: value for key, value in os.environ.items()
                       if key not in PROFILE_VARIABLES}
        environment['PYTHONPATH'] = os.pathsep.join(
            [str(ROOT), str(ROOT / 'test'), *filter(None, [os.environ.get('PYTHONPATH')])])
        if profile:
            environment |= dict.fromkeys(PROFILE_VARIABLES, str(PROFILE))
        self.name = name
        self._log = folder / f'{name}.log'
        with open(self._log, 'wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-c', before + RUN_NODE, *arguments], env=environment, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    @property
    def log(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text(encoding='utf-8', errors='replace')

    def wait_for_log(self, text: str) -> None:
        """Wait until it has printed something."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def has_torch(self) -> bool:
        """Return whether torch was imported, after the end."""
        said = [line for line in self.log.splitlines() if line.startswith('{"torch"')]
        assert len(said) == 1, self.log
        return json.loads(said[0])['torch']


class Robot:
    """Camera and recorder: publishes images, keeps what the node of one namespace answers."""

    def __init__(self, namespace: str, reliable: bool = True, image: str = IMAGE,
                 info: str = INFO, outputs: tuple[str, ...] = ('depth', 'camera_info', 'points'),
                 camera: str = '') -> None:
        """Advertise the camera and subscribe to the outputs that the node has for it."""
        self.namespace, self.camera = namespace, camera
        self.prefix = f'/{namespace}/{camera}'.rstrip('/')
        self.node = rclpy.create_node(f'robot_{namespace}{camera}')
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=10, reliability=reliability)
        self.image_topic = image
        self._images = self.node.create_publisher(Image, image, qos)
        self._infos = self.node.create_publisher(CameraInfo, info, qos)
        self.answers: dict[str, dict[Stamp, Any]] = {name: {} for name in outputs}
        self.sent: dict[Stamp, str] = {}
        self.diagnostics: dict[str, str] = {}
        self.level = b''
        for name in outputs:
            self.node.create_subscription(OUTPUTS[name], f'{self.prefix}/{name}',
                                          self._keeper(name), 10)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._diagnose, 10)

    def _keeper(self, name: str) -> Callable[[Any], None]:
        def keep(msg: Any) -> None:
            self.answers[name][stamp_of(msg)] = msg
        return keep

    def _diagnose(self, msg: DiagnosticArray) -> None:
        name = f'{self.namespace}/grin_depth: {self.camera or "depth"}'
        for status in (each for each in msg.status if each.name == name):
            self.diagnostics = {each.key: each.value for each in status.values}
            self.diagnostics['message'] = status.message
            self.level = status.level

    def close(self) -> None:
        """Take everything back."""
        self.node.destroy_node()

    def spin(self, seconds: float) -> None:
        """Receive for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            rclpy.spin_once(self.node, timeout_sec=left)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Receive until a condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not (result := condition()):
            assert time.monotonic() < deadline, f'{what}: not within {PATIENCE} s'
            rclpy.spin_once(self.node, timeout_sec=0.05)
        return result

    def wait_until_heard(self) -> None:
        """Wait until the node listens with the reliability that we offer, and we listen to it."""
        offered = self._images.qos_profile.reliability

        def heard() -> bool:
            listeners = self.node.get_subscriptions_info_by_topic(self.image_topic)
            return (any(each.qos_profile.reliability == offered for each in listeners)
                    and self._infos.get_subscription_count() > 0
                    and all(self.node.count_publishers(f'{self.prefix}/{name}')
                            for name in self.answers))
        self.wait(heard, f'the node in /{self.namespace} listens to {self.image_topic}')

    def header(self, frame_id: str = 'camera_optical', ahead: float = 0.0) -> Header:
        """Return a header of now, or of a moment ahead [s], noted as sent."""
        moment = self.node.get_clock().now() + Duration(nanoseconds=round(ahead * 1e9))
        header = Header(frame_id=frame_id, stamp=moment.to_msg())
        self.sent[header.stamp.sec, header.stamp.nanosec] = frame_id
        return header

    def send(self, image: Image | np.ndarray, info: CameraInfo | None,
             frame_id: str = 'camera_optical', ahead: float = 0.0) -> Stamp:
        """Publish a picture (an RGB array or a message) and its camera_info; return the stamp."""
        header = self.header(frame_id, ahead)
        msg = image_to_msg(image, 'rgb8', header) if isinstance(image, np.ndarray) else image
        msg.header = header
        if info is not None:
            info.header = header
            self._infos.publish(info)
        self._images.publish(msg)
        return header.stamp.sec, header.stamp.nanosec

    def replay(self, image: Image, info: CameraInfo) -> None:
        """Publish recorded messages as they are."""
        self._infos.publish(info)
        self._images.publish(image)

    def ask(self, image: Image | np.ndarray, info: CameraInfo | None,
            needs: tuple[str, ...] = (), ahead: float = 0.0) -> Stamp:
        """Publish a picture until one of them is answered on all topics; return its stamp."""
        needs, asked = needs or tuple(self.answers), []
        for attempt in range(8):
            asked.append(self.send(image, info, ahead=ahead))
            # The first may get lost while publishers and subscriptions find each other.
            deadline = time.monotonic() + 0.5 * 2 ** attempt
            while time.monotonic() < deadline:
                rclpy.spin_once(self.node, timeout_sec=0.05)
                for stamp in asked:
                    if all(stamp in self.answers[name] for name in needs):
                        return stamp
        raise AssertionError(f'no answer; diagnostics: {self.diagnostics}')

    def ask_anew(self, image: Image | np.ndarray, info: CameraInfo) -> Stamp:
        """Ask with another calibration, which the first image overtakes on a busy machine."""
        self.ask(image, info)
        return self.ask(image, info)

    def settled(self) -> dict[str, str]:
        """Wait for diagnostics that are newer than now and with nothing in work."""
        self.diagnostics = {}
        return self.wait(lambda: self.diagnostics if self.diagnostics.get('in_flight') == '0'
                         else {}, 'diagnostics with nothing in flight')

    def diagnosed(self, key: str, value: str) -> None:
        """Wait until diagnostics have a value that contains something."""
        try:
            self.wait(lambda: value in self.diagnostics.get(key, ''),
                      f'{key} in diagnostics with "{value}"')
        except AssertionError as error:
            raise AssertionError(f'{error}; it has {self.diagnostics.get(key)!r}') from error

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Call a service of the node and return the response."""
        client = self.node.create_client(kind, f'/{self.namespace}/grin_depth/{name}')
        try:
            self.wait(client.service_is_ready, f'service {name}')
            future = client.call_async(request)
            self.wait(future.done, f'response of {name}')
            return future.result()
        finally:
            self.node.destroy_client(client)

    def set_parameter(self, name: str, value: object) -> Any:
        """Set a parameter of the node; the result has successful and reason."""
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(SetParameters, 'set_parameters', request).results[0]


def pinhole_info(width: int = 640, height: int = 480, f_px: float = 525.0,
                 **changes: object) -> CameraInfo:
    """Return the camera_info of an ideal camera; ``changes`` go over it."""
    cx, cy = width / 2 - 0.3, height / 2 + 0.7
    msg = CameraInfo(width=width, height=height, distortion_model='plumb_bob', d=[0.0] * 5,
                     k=[f_px, 0.0, cx, 0.0, f_px, cy, 0.0, 0.0, 1.0],
                     r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
                     p=[f_px, 0.0, cx, 0.0, 0.0, f_px, cy, 0.0, 0.0, 0.0, 1.0, 0.0])
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


def picture(width: int = 640, height: int = 480, seed: int = 0) -> np.ndarray:
    """Return an RGB picture."""
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
