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

"""Parameters of the depth node: the one place where their defaults, ranges and words live."""

from __future__ import annotations

from dataclasses import dataclass, Field, field, fields
import math
from typing import Any

from grin_ros import backends
from grin_ros.diffusion.noise import MAX_SAMPLES
from grin_ros.diffusion.sampler import MAX_STEPS
from grin_ros.engine.options import MAX_FRAMES
from grin_ros.errors import GrinError
from grin_ros.inference.preprocess import STRIDES
from grin_ros.inference.prompts import SIGMA_LIMITS

# What tells ranges, and the type of its messages.
RANGES_TYPES = {'scan': 'sensor_msgs/LaserScan', 'cloud': 'sensor_msgs/PointCloud2',
                'range': 'sensor_msgs/Range', 'odometry': 'nav_msgs/Odometry'}


def _parameter(default: Any, text: str, unit: str = '', low: float | None = None,
               high: float | None = None, choices: tuple[Any, ...] = (),
               dynamic: bool = False, shared: bool = False) -> Any:
    """Describe one: ``dynamic`` may change at run time, ``shared`` is the same for all cameras."""
    return field(default=default, metadata={
        'text': text, 'unit': unit, 'low': low, 'high': high, 'choices': choices,
        'dynamic': dynamic, 'shared': shared})


@dataclass(frozen=True)
class DepthParams:
    """The values of all parameters, checked; a default lives here and nowhere else."""

    cameras: tuple[str, ...] = _parameter(
        ('',), 'names of the cameras, whose topics lie below their names and for which '
        '`front.max_rate` goes before `max_rate`; one empty name: one camera', shared=True)
    image_topic: str = _parameter(
        'image', 'image to listen to; a name without leading / lies below the name of its '
        'camera and can be remapped')
    camera_info_topic: str = _parameter(
        'camera_info', 'calibration of the image, named likewise')
    autostart: bool = _parameter(
        True, 'configure and activate at start; false under a lifecycle manager '
        '(Nav2: with bond_timeout 0.0)', shared=True)
    bundle: str = _parameter('', 'folder of the model; empty for the one that ships', shared=True)
    backend: str = _parameter(
        'auto', 'library that runs the model; auto takes the best that works and says which, '
        'a named one never falls back', choices=backends.NAMES, shared=True)
    engine_build: str = _parameter(
        'background', 'background: the worker builds a TensorRT engine that is missing; never: '
        'it must be there', choices=('background', 'never'), shared=True)
    device_id: int = _parameter(0, 'CUDA device of TensorRT', low=0, high=63, shared=True)
    max_batch: int = _parameter(
        1, 'images of different cameras that TensorRT takes at once; a lone one then takes as '
        'long as all of them', low=1, high=MAX_FRAMES, shared=True)
    cpu_threads: int = _parameter(
        0, 'threads of the model on the CPU; 0 for all cores that the process may use', low=0,
        high=256, shared=True)
    cpu_precision: str = _parameter(
        'fp32', 'of the denoiser in ONNX Runtime: int8 takes a fifth less of its time, with '
        'AVX-512 VNNI a quarter, and is as good', choices=backends.CPU_PRECISIONS, shared=True)
    image_transport: str = _parameter(
        'raw', 'raw listens to `image`, compressed to `image/compressed`',
        choices=('raw', 'compressed'))
    rectified: str = _parameter(
        'auto', 'true: the image is rectified, P is used; false: it is raw, K and D are used; '
        'auto: true when the last part of the image topic contains `rect`',
        choices=('auto', 'true', 'false'))
    require_camera_info: bool = _parameter(
        True, 'wait for camera_info, unless hfov_deg is set; false: go on without, the scale is '
        'then not metric')
    hfov_deg: float = _parameter(
        0.0, 'field of view across the images, from the data sheet of a camera without '
        'camera_info; one that comes and fits wins; 0: unknown', unit='deg', low=0.0,
        high=175.0)
    output: str = _parameter(
        'input', 'input: depth lies on the grid of the image; rectified: on one without '
        'distortion, of P, for depth_image_proc, nvblox and rtabmap',
        choices=('input', 'rectified'))
    output_scale: int = _parameter(
        1, 'depth has the size of the image divided by this', choices=(1, 2, 4))
    depth_scale: float = _parameter(
        1.0, 'depth is multiplied by this: true over published distance, as `grin scale-check` '
        'measures it', low=0.01, high=100.0, dynamic=True)
    scale_smoothing: float = _parameter(
        0.1, 'time constant with which the scale of an image follows that of the one before, so '
        'that depth of what stands still does not flicker; known ranges are not smoothed; 0 is '
        'off', unit='s', low=0.0, high=10.0, dynamic=True)
    camera_height: float = _parameter(
        0.0, 'height of the lens above the floor: where the floor is seen, depth gets the scale '
        'that puts it there, in place of depth_scale; 0: unknown', unit='m', low=0.0,
        high=100.0, dynamic=True)
    camera_pitch_deg: float = _parameter(
        0.0, 'how far the camera looks down, for camera_height: positive downwards as in REP-103, '
        '0 is level', unit='deg',
        low=-90.0, high=90.0, dynamic=True)
    floor_frame: str = _parameter(
        '', 'frame on the floor with z up, such as base_footprint: camera_height and '
        'camera_pitch_deg are what TF says when the image was taken; empty: they are as set')
    ranges_type: str = _parameter(
        '', ', '.join(f'{kind} ({name})' for kind, name in RANGES_TYPES.items())
        + ': what a sensor sends that measures some ranges, or how the robot moves, which tells '
        'ranges of points that are followed; depth then follows them, and camera_height and '
        'depth_scale count only while there are none. Empty: there is no such sensor',
        choices=('', *RANGES_TYPES))
    ranges_topic: str = _parameter(
        'ranges', 'where it sends them, named as image_topic')
    ranges_camera_pose: tuple[float, ...] = _parameter(
        (0.0, 0.0, 0.0, -1.5708, 0.0, -1.5708), 'x, y, z, roll, pitch, yaw of the optical frame '
        'of the camera in the frame of the sensor (of odometry, in its child_frame_id), as '
        '`tf2_echo SENSOR CAMERA` prints them; the default looks along x of the sensor',
        unit='m, rad', low=-1000.0, high=1000.0, dynamic=True)
    ranges_from_tf: bool = _parameter(
        False, 'ranges_camera_pose is what TF says when the image was taken')
    ranges_sigma: float = _parameter(
        0.02, 'standard deviation of its ranges, or of the way that odometry tells, as a share',
        low=SIGMA_LIMITS[0],
        high=SIGMA_LIMITS[1],
        dynamic=True)
    ranges_max_age: float = _parameter(
        0.25, 'how far in time they may be from the image: twice the time of a turn of a lidar, '
        'which sends it when it is over', unit='s', low=0.0, high=3600.0,
        dynamic=True)
    frame_id: str = _parameter(
        '', 'frame of the outputs, x right, y down, z forward; empty for that of the image')
    num_inference_steps: int = _parameter(
        0, 'denoising steps; 0 for the default of the bundle', low=0, high=MAX_STEPS, dynamic=True)
    num_samples: int = _parameter(
        1, 'draws per frame, depth is their median', low=1, high=MAX_SAMPLES, dynamic=True)
    query_stride: int = _parameter(
        0, 'depth is asked at every n-th pixel of the input of the network, and upsampled; 0 '
        'for the default of the bundle', unit='px', choices=(0, *STRIDES), shared=True)
    seed: int = _parameter(
        0, 'of the noise: same seed and images, same depth', low=0, high=2**31 - 1, dynamic=True)
    min_depth: float = _parameter(
        0.1, 'nearer is published as -Inf', unit='m', low=0.0, high=1000.0, dynamic=True)
    max_depth: float = _parameter(
        80.0, 'farther is published as +Inf', unit='m', low=0.01, high=1000.0, dynamic=True)
    max_sigma: float = _parameter(
        0.0, 'pixels with sigma above this share of their depth become NaN; 0 is off',
        low=0.0, high=10.0, dynamic=True)
    edge_gate: bool = _parameter(
        True, 'pixels that float between a near and a far surface become NaN', dynamic=True)
    body_mask: str = _parameter(
        '', 'picture of what the camera sees of its own robot, black where that is: NaN in depth, '
        'no points; empty: nothing')
    max_age: float = _parameter(
        0.5, 'older frames are dropped; 0 is off', unit='s', low=0.0, high=3600.0, dynamic=True)
    max_rate: float = _parameter(
        0.0, 'frames answered per second at most; 0 is off', unit='Hz', low=0.0, high=1000.0,
        dynamic=True)
    points_stride: int = _parameter(
        2, 'every n-th row and column of depth becomes a point', unit='px', low=1, high=64,
        dynamic=True)
    points_organized: bool = _parameter(
        True, 'rows and columns as in the image, NaN where there is no depth; false: only '
        'points that exist', dynamic=True)
    points_min_range: float = _parameter(
        0.0, 'nearer points are left out of the cloud; 0 is off', unit='m', low=0.0, high=1000.0,
        dynamic=True)
    points_max_range: float = _parameter(
        0.0, 'farther points are left out of the cloud; 0 is off', unit='m', low=0.0,
        high=1000.0, dynamic=True)
    points_min_height: float = _parameter(
        -1000.0, 'points lower than this are left out of the cloud; above the camera, along the '
        'vertical of its image, so for a level camera', unit='m', low=-1000.0, high=1000.0,
        dynamic=True)
    points_max_height: float = _parameter(
        1000.0, 'points higher than this are left out of the cloud, likewise', unit='m',
        low=-1000.0, high=1000.0, dynamic=True)
    points_rate: float = _parameter(
        0.0, 'clouds per second at most; 0 is one per depth', unit='Hz', low=0.0, high=1000.0,
        dynamic=True)
    clearing_range: float = _parameter(
        8.0, 'rays of clearing_points end here at the latest, in the sky too', unit='m', low=0.1,
        high=1000.0, dynamic=True)
    clearing_max_sigma: float = _parameter(
        0.6, 'rays with sigma above this share of their depth clear nothing', low=0.01,
        high=10.0, dynamic=True)
    depth_encoding: str = _parameter(
        '32FC1', '32FC1 is metres, 16UC1 millimetres with 0 for every unknown',
        choices=('32FC1', '16UC1'))
    publish_sigma_field: bool = _parameter(
        False, 'the cloud carries sigma beside x y z rgb')

    def __post_init__(self) -> None:
        """Check what no single parameter can tell."""
        if self.min_depth >= self.max_depth:
            raise GrinError(f'parameter min_depth ({self.min_depth} m) must be below max_depth '
                            f'({self.max_depth} m)')
        if 0.0 < self.points_max_range <= self.points_min_range:
            raise GrinError(f'parameter points_min_range ({self.points_min_range} m) must be '
                            f'below points_max_range ({self.points_max_range} m)')
        if self.points_min_height >= self.points_max_height:
            raise GrinError(f'parameter points_min_height ({self.points_min_height} m) must be '
                            f'below points_max_height ({self.points_max_height} m)')
        if max(map(abs, self.ranges_camera_pose[3:])) > 2 * math.pi:
            raise GrinError('parameter ranges_camera_pose: roll, pitch and yaw are in radian, '
                            f'-90 degrees are -1.5708; not {list(self.ranges_camera_pose[3:])}')

    @property
    def needs_tf(self) -> bool:
        """Return whether TF tells some of them."""
        return bool(self.floor_frame or (self.ranges_type and self.ranges_from_tf))

    @property
    def needs_camera_info(self) -> bool:
        """Return whether no image is answered without a camera_info."""
        return self.require_camera_info and not self.hfov_deg


FIELDS: dict[str, Field] = {entry.name: entry for entry in fields(DepthParams)}


def describe_range(name: str) -> str:
    """Return the allowed values of a parameter in words; empty when all of its type are."""
    spec = FIELDS[name].metadata
    if spec['choices']:
        return ', '.join(map(str, spec['choices']))
    return '' if spec['low'] is None else f'{spec["low"]} to {spec["high"]}'
