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

"""Start the depth node on a camera's topics; see README for a table of the arguments."""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = get_package_share_directory('grin_ros')
SHIPPED = os.path.join(SHARE, 'config', 'depth.param.yaml')
PROFILE_VARIABLES = {'new': 'FASTDDS_DEFAULT_PROFILES_FILE',
                     'old': 'FASTRTPS_DEFAULT_PROFILES_FILE'}
BEFORE_KILTED = ('humble', 'iron', 'jazzy')
OUTPUTS = ('depth', 'camera_info', 'points', 'sigma', 'near', 'clearing_points', 'depth_color',
           'rgb/image', 'rgb/camera_info')
# Where cameras usually publish.
TOPICS = {'image_topic': 'image_raw', 'camera_info_topic': 'camera_info'}
# Left empty these do not touch what params_file says.
OPTIONAL = {'backend': str, 'use_sim_time': bool, 'autostart': bool}

ARGUMENTS = [
    DeclareLaunchArgument(
        'image_topic', default_value='',
        description='image to listen to, with image_transport: compressed its /compressed; '
        '{camera} stands for the name of each of several; empty: as in params_file, with the one '
        'that ships /camera/image_raw or /{camera}/image_raw'),
    DeclareLaunchArgument(
        'camera_info_topic', default_value='',
        description='calibration of the image; empty: as in params_file, with the one that ships '
        '/camera/camera_info or /{camera}/camera_info'),
    DeclareLaunchArgument(
        'cameras', default_value='',
        description='names of several cameras, with a space between; empty: as in params_file'),
    DeclareLaunchArgument(
        'params_file', default_value=SHIPPED,
        description='YAML file with parameters'),
    DeclareLaunchArgument(
        'namespace', default_value='grin',
        description='namespace of the node and its topics'),
    DeclareLaunchArgument(
        'backend', default_value='', choices=['', 'auto', 'tensorrt', 'onnxruntime', 'torch'],
        description='library that runs the model; empty: as in params_file'),
    DeclareLaunchArgument(
        'rviz', default_value='false', choices=['true', 'false'],
        description='start rviz2 too, on the first of the cameras given here; set its Fixed Frame '
        'to that of the camera'),
    DeclareLaunchArgument(
        'use_sim_time', default_value='', choices=['', 'true', 'false'],
        description='take the time from /clock; empty: as in params_file'),
    DeclareLaunchArgument(
        'log_level', default_value='info', choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='least severe log messages shown'),
    DeclareLaunchArgument(
        'autostart', default_value='', choices=['', 'true', 'false'],
        description='configure and activate at start; empty: as in params_file'),
]


def chosen(context: LaunchContext) -> tuple[dict, list[tuple[str, str]]]:
    """
    Return parameters that go over those of params_file, and remappings.

    :raises RuntimeError: for arguments that cannot be meant.
    """
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    path = value('params_file')
    if not os.path.isfile(path):
        raise RuntimeError(f'params_file: there is no file {path}')
    cameras = value('cameras').split()
    topics = {name: value(name) for name in TOPICS if value(name)}
    given: dict = {name: ParameterValue(LaunchConfiguration(name), value_type=kind)
                   for name, kind in OPTIONAL.items() if value(name)}
    for name, topic in topics.items():
        if '{camera}' in topic and not cameras:
            raise RuntimeError(f'{name} is {topic}: name the cameras, as in cameras:="front rear"')
    if not cameras:
        remappings = [('image', '/camera/image_raw'), ('camera_info', '/camera/camera_info')]
        return given | topics, remappings
    if path == SHIPPED:
        topics = {name: f'/{{camera}}/{topic}' for name, topic in TOPICS.items()} | topics
    own = {f'{camera}.{name}': topic.replace('{camera}', camera)
           for camera in cameras for name, topic in topics.items()}
    return given | {'cameras': cameras} | own, []


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Start the node, and rviz2 when asked."""
    given, remappings = chosen(context)
    namespace = LaunchConfiguration('namespace').perform(context).strip('/')
    first = LaunchConfiguration('cameras').perform(context).split()[:1]
    shown = '/'.join(filter(None, [namespace, *first]))
    # Best-effort images between two processes need more shared memory than Fast DDS takes by
    # itself. A profile that the user has set stays.
    environment = {}
    if not any(variable in os.environ for variable in PROFILE_VARIABLES.values()):
        profile = os.path.join(SHARE, 'config', 'fastdds_shm.xml')
        age = 'old' if os.environ.get('ROS_DISTRO') in BEFORE_KILTED else 'new'
        environment = {PROFILE_VARIABLES[age]: profile}
    clock = {name: given[name] for name in given if name == 'use_sim_time'}
    return [  # rviz2 first: without it launch ends here, and would leave a node behind
        Node(
            package='rviz2', executable='rviz2', output='screen', additional_env=environment,
            arguments=['-d', os.path.join(SHARE, 'config', 'depth.rviz')],
            parameters=[clock] if clock else [],
            remappings=[(f'/grin/{topic}', f'/{shown}/{topic}'.replace('//', '/'))
                        for topic in OUTPUTS],
            condition=IfCondition(LaunchConfiguration('rviz'))),
        LifecycleNode(
            package='grin_ros', executable='depth_node', name='grin_depth', namespace=namespace,
            output='screen', additional_env=environment,
            parameters=[LaunchConfiguration('params_file'), *([given] if given else [])],
            remappings=remappings,
            arguments=['--ros-args', '--log-level', LaunchConfiguration('log_level')]),
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and what they start."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])
