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


"""The life of the node's process: from rclpy.init over Ctrl-C to the exit code."""

from __future__ import annotations

from collections.abc import Callable
import os
import signal
import sys
from typing import TYPE_CHECKING

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from grin_ros.errors import GrinError

if TYPE_CHECKING:
    from grin_ros.depth_node import DepthNode


def run_until_signal(make_node: Callable[[], DepthNode], args: list[str] | None = None) -> int:
    """
    Make the node, start it, spin until SIGINT or SIGTERM and release what it holds.

    :param args: ROS arguments; the process's own when None.
    :return: the exit code: 0 after a signal, 1 when the user has something to mend.
    """
    # rclpy puts its handlers before these: they end the context, so that spin ends. Python's own
    # would raise KeyboardInterrupt in the midst of whatever callback runs.
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: signals.append(number))
    try:
        rclpy.init(args=args)
    except Exception as error:  # rcl's own, when a file or a rule cannot be parsed
        rclpy.logging.get_logger('grin_depth').fatal(
            f'look at params_file and remappings, as ROS refuses them: {error}')
        return 1
    node, executor, code, released = None, None, 0, True
    try:
        executor = SingleThreadedExecutor()
        node = make_node()
        executor.add_node(node)
        node.autostart()
        if not signals:  # one that came before the context was there ended none
            executor.spin()
    except ExternalShutdownException:
        pass
    except GrinError as error:
        rclpy.logging.get_logger('grin_depth').fatal(str(error))
        code = 1
    except Exception:
        if rclpy.ok() and not signals:
            raise  # else the context ended while something was being made
    finally:
        if node is not None:
            released = node.release(timeout=1.0)
        if executor is not None:
            executor.shutdown(timeout_sec=0.5)
        if node is not None and released:
            node.destroy_node()
        rclpy.try_shutdown()
        # Python ends with the system's own handlers, by which a second signal is the death.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
    if not released:  # an inference that takes long: nothing is lost by leaving it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
