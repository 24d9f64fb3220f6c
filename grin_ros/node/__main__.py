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

"""The node's entry point, which can be left while ROS, numpy and OpenCV still load."""

from __future__ import annotations

import signal
import sys
from typing import Any

from grin_ros.errors import GrinError, require


def leave(number: int, frame: Any) -> None:
    """End the process as a node ends after a signal."""
    sys.exit(0)


def main() -> int:
    """Run the node until SIGINT or SIGTERM and return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    # Here and not above: it takes a second or more, and Ctrl-C would end in a traceback.
    try:
        require('rclpy', 'ros')
    except GrinError as error:
        print(f'depth_node: {error}', file=sys.stderr)
        return 1
    from grin_ros import depth_node
    return depth_node.main()


if __name__ == '__main__':
    sys.exit(main())
