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

"""Start one depth node for several cameras; every argument of depth.launch.py works here, too."""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

ARGUMENTS = [
    DeclareLaunchArgument(
        'cameras', default_value='front rear',
        description='names of the cameras, with a space between; they go before those of '
        'params_file'),
]


def generate_launch_description() -> LaunchDescription:
    """Return depth.launch.py with other defaults."""
    path = os.path.join(get_package_share_directory('grin_ros'), 'launch', 'depth.launch.py')
    return LaunchDescription([*ARGUMENTS, IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path))])
