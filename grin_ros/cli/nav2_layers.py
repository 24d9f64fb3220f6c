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


"""Nav2 layers: a camera in; the parameters of a Nav2 costmap layer for our clouds out, as YAML."""

from __future__ import annotations

import math

import numpy as np

from grin_ros.camera import Camera
from grin_ros.errors import GrinError

# Both plugins refuse a whole number for a length, so all are written as floats.
LAYERS = ('voxel', 'stvl')
Z_VOXELS = 16  # the most that a voxel layer has
# Rays to the floor end this share of the camera's height above it: a tenth of surfaces are
# nearer, at the sigma of 0.11 that the shipped model has at floors, its scale's left out.
FLOOR_GAP = 0.12
CELLS_SHORT = 0.1  # [m] Nav2 ends rays two cells early


def frustum(camera: Camera) -> tuple[float, float]:
    """
    Return the horizontal and the vertical angle [rad] of the symmetric view inside the camera's.

    The narrower half counts twice: what the camera does not see must not be cleared.
    """
    k = camera.intrinsics
    u, v = np.arange(camera.width), np.arange(camera.height)
    row = camera.rays_at(np.stack([u, np.full(len(u), k[1, 2])], -1))
    column = camera.rays_at(np.stack([np.full(len(v), k[0, 2]), v], -1))
    angles = []
    for rays, axis in ((row, 0), (column, 1)):
        rays = rays[rays[:, 2] > 0]  # False for NaN
        off_axis = np.arctan2(rays[:, axis], rays[:, 2])
        if not len(off_axis) or not off_axis.min() < 0 < off_axis.max():
            raise GrinError('the optical axis is outside of the image, so the view has no '
                            'symmetric frustum: use --layer voxel')
        angles.append(2 * float(min(-off_axis.min(), off_axis.max())))
    # Corners see less than the sides where the lens is a pincushion, or folds, or is round.
    while not _sees(camera, *np.tan(np.divide(angles, 2))):
        angles = [0.99 * angle for angle in angles]
    return angles[0], angles[1]


def _sees(camera: Camera, slope_x: float, slope_y: float) -> bool:
    """Return whether a camera sees all of the border of a frustum with these slopes."""
    along, across = np.tile(np.linspace(-1, 1, 33), 2), np.repeat([-1.0, 1.0], 33)
    border = np.column_stack([slope_x * np.append(along, across),
                              slope_y * np.append(across, along), np.ones(4 * 33)])
    pixels = camera.project(border)
    # Where its polynomial folds, a lens sends back into the image what it does not see.
    back = np.cross(camera.rays_at(pixels), border / np.linalg.norm(border, axis=1)[:, None])
    inside = (pixels > -0.5) & (pixels < np.array([camera.width, camera.height]) - 0.5)
    return bool(inside.all() and (np.abs(back) < 1e-3).all())


def voxel_layer(namespace: str, marking_range: float, clearing_range: float, min_height: float,
                max_height: float, camera_height: float) -> str:
    """
    Return a nav2_costmap_2d::VoxelLayer that marks with points and clears with clearing_points.

    :param namespace: of the depth node.
    :param marking_range: obstacles farther away are not marked [m].
    :param clearing_range: the node's parameter of that name [m].
    :param min_height: lowest obstacle above the floor [m].
    :param max_height: highest one [m].
    :param camera_height: of the camera above the floor [m].
    :raises GrinError: where nothing that could be marked would be cleared.
    """
    # A layer without the camera inside clears nothing.
    tall = max(max_height, camera_height + 0.1)
    z_resolution = math.ceil(round(tall / Z_VOXELS / 0.01, 6)) * 0.01
    # A voxel that no ray reaches keeps its obstacle for ever.
    first = math.floor((FLOOR_GAP * camera_height + CELLS_SHORT / 2) / z_resolution)
    lowest = float(max(min_height, round(first * z_resolution, 2)))
    if lowest >= max_height:
        raise GrinError(f'from {camera_height:g} m up no ray clears what is lower than {lowest:g} '
                        'm, so that nothing would be marked: raise --max-height above that, or '
                        'use --layer stvl')
    return f"""\
# Nav2 drops points outside of a source's heights before it marks and before it clears. So the
# floor and the sky would clear nothing, had they not a source with wide limits of their own.
# The node needs clearing_range: {clearing_range:g}
# What is lower than {lowest!r} m is not marked: no ray would clear it.
# A voxel layer clears only while the camera is inside: below {Z_VOXELS * z_resolution:.2f} m.
voxel_layer:
  plugin: "nav2_costmap_2d::VoxelLayer"
  enabled: true
  publish_voxel_map: true
  origin_z: 0.0
  z_resolution: {z_resolution:.2f}
  z_voxels: {Z_VOXELS}
  min_obstacle_height: {min(0.0, float(min_height))!r}
  max_obstacle_height: {float(max_height)!r}
  mark_threshold: 0
  unknown_threshold: 15
  combination_method: 1
  observation_sources: grin_mark grin_clear
  grin_mark:
    topic: {namespace}/points
    data_type: "PointCloud2"
    marking: true
    clearing: false
    min_obstacle_height: {lowest!r}
    max_obstacle_height: {float(max_height)!r}
    obstacle_min_range: 0.0
    obstacle_max_range: {float(marking_range)!r}
  grin_clear:
    topic: {namespace}/clearing_points
    data_type: "PointCloud2"
    marking: false
    clearing: true
    min_obstacle_height: -1000.0
    max_obstacle_height: 1000.0
    raytrace_min_range: 0.0
    raytrace_max_range: {float(clearing_range)!r}
"""


def stvl_layer(camera: Camera, namespace: str, marking_range: float, min_height: float,
               max_height: float) -> str:
    """Return a spatio_temporal_voxel_layer that clears in the camera's frustum."""
    horizontal, vertical = frustum(camera)
    return f"""\
# STVL clears by time, and faster inside of the frustum, whatever was measured there: unlike
# rays of clearing_points, it also forgets an obstacle that depth has only lost (glass).
stvl_layer:
  plugin: "spatio_temporal_voxel_layer/SpatioTemporalVoxelLayer"
  enabled: true
  voxel_decay: 15.0
  decay_model: 0
  voxel_size: 0.05
  track_unknown_space: true
  unknown_threshold: 15
  mark_threshold: 0
  update_footprint_enabled: true
  combination_method: 1
  origin_z: 0.0
  publish_voxel_map: true
  transform_tolerance: 0.2
  mapping_mode: false
  observation_sources: grin_mark grin_clear
  grin_mark:
    topic: {namespace}/points
    data_type: PointCloud2
    marking: true
    clearing: false
    obstacle_range: {float(marking_range)!r}
    min_obstacle_height: {float(min_height)!r}
    max_obstacle_height: {float(max_height)!r}
    expected_update_rate: 0.0
    observation_persistence: 0.0
    inf_is_valid: false
    filter: "voxel"
    voxel_min_points: 0
    clear_after_reading: true
  grin_clear:
    topic: {namespace}/points
    data_type: PointCloud2
    marking: false
    clearing: true
    min_z: 0.1
    max_z: {float(marking_range + 1)!r}
    horizontal_fov_angle: {math.floor(1000 * horizontal) / 1000:.3f}
    vertical_fov_angle: {math.floor(1000 * vertical) / 1000:.3f}
    decay_acceleration: 15.0
    model_type: 0
"""
