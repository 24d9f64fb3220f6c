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


"""Clearing: an obstacle comes and goes in a voxel map, and what is unknown never erases it."""

from typing import Any

import numpy as np
import pytest
import yaml

from grin_ros.camera import Camera
from grin_ros.cli.nav2_layers import voxel_layer
from grin_ros.postprocess.clearing import clearing_points, near_depth
from grin_ros.postprocess.pointcloud import CloudGrid

CAMERA_HEIGHT, WALL, MAX_DEPTH = 0.5, 6.0, 80.0
CAMERA = Camera.from_hfov(80, 160, 120)
GRID = CloudGrid(CAMERA, 2)
IMAGE = np.zeros((120, 160, 3), np.uint8)
LAYER = yaml.safe_load(voxel_layer('/grin', 5.0, 8.0, 0.1, 2.0, CAMERA_HEIGHT))['voxel_layer']
BOX = (slice(55, 75), slice(60, 100))  # where the obstacle is seen [px]


class VoxelMap:
    """A map of 5 cm cells in front of a robot, updated as Nav2's voxel layer does it."""

    CELL = 0.05

    def __init__(self, layer: dict[str, Any]) -> None:
        """Take the sources from the parameters."""
        self.mark, self.clear = (layer[name] for name in layer['observation_sources'].split())
        self.top = layer['origin_z'] + layer['z_voxels'] * layer['z_resolution']
        self.cells = np.zeros((200, 400, round(self.top / self.CELL)), bool)  # 10 x 20 m

    @staticmethod
    def _world(points: np.ndarray, source: dict[str, Any]) -> np.ndarray:
        """Return points with x forward, y left, z up that pass the heights of a source."""
        x, y, z = points.reshape(-1, points.shape[-1])[:, :3].T
        world = np.stack([z, -x, CAMERA_HEIGHT - y], -1)
        inside = ((world[:, 2] >= source['min_obstacle_height'])
                  & (world[:, 2] <= source['max_obstacle_height']))  # False for NaN and Inf
        return world[inside]

    def _set(self, points: np.ndarray, value: bool) -> None:
        """Mark or clear the cells of points."""
        cells = np.floor(points / self.CELL).astype(int) + [0, 200, 0]
        cells = cells[((cells >= 0) & (cells < self.cells.shape)).all(-1)]
        self.cells[tuple(cells.T)] = value

    def update(self, points: np.ndarray, ends: np.ndarray) -> None:
        """Clear, then mark."""
        origin = np.array([0, 0, CAMERA_HEIGHT])
        rays = self._world(ends, self.clear) - origin
        length = np.linalg.norm(rays, axis=-1, keepdims=True)
        # Nav2 stops two cells early, and at the ranges and the borders of the map.
        free = np.minimum(length - 2 * self.CELL, self.clear['raytrace_max_range'])
        for share in np.arange(0, 1, 0.5 * self.CELL / 8):
            self._set(origin + rays / length * free * share, False)
        marked = self._world(points, self.mark)
        distance = np.linalg.norm(marked - origin, axis=-1)
        self._set(marked[distance <= self.mark['obstacle_max_range']], True)

    def near(self) -> int:
        """Return how many cells of the obstacle, 2 m ahead, are marked."""
        return int(self.cells[38:44].sum())


def room(sky: bool = False) -> np.ndarray:
    """Return the depth of a floor and a wall, or the sky."""
    slope = CAMERA.rays()[..., 1] / CAMERA.rays()[..., 2]
    with np.errstate(divide='ignore'):
        floor = np.where(slope > 0, CAMERA_HEIGHT / slope, np.inf)
    depth = np.minimum(floor, np.inf if sky else WALL)
    return np.where(depth > MAX_DEPTH, np.inf, depth).astype(np.float32)


def blocked(depth: np.ndarray) -> np.ndarray:
    """Return depth with a box 2 m ahead."""
    depth = depth.copy()
    depth[BOX] = 2.0
    return depth


def see(world: VoxelMap, depth: np.ndarray, spread: np.ndarray | float = 0.1) -> None:
    """Update a map as the node's clouds do."""
    spread = np.broadcast_to(np.float32(spread), depth.shape)
    world.update(GRID.points(depth, IMAGE),
                 clearing_points(GRID, depth, spread, spread, MAX_DEPTH, 8.0, 0.6))


@pytest.mark.parametrize('sky', [False, True], ids=['before a wall', 'under the sky'])
def test_an_obstacle_appears_and_disappears(sky: bool) -> None:
    world = VoxelMap(LAYER)
    see(world, room(sky))
    assert world.near() == 0
    see(world, blocked(room(sky)))
    assert world.near() > 50
    see(world, blocked(room(sky)))  # its own rays do not erode it
    assert world.near() > 50
    see(world, room(sky))
    assert world.near() == 0


def test_one_source_for_both_would_leave_it_there() -> None:
    """Why there are two: within heights for obstacles, floor and sky give no rays."""
    single = LAYER | {'grin_clear': LAYER['grin_clear'] | {
        height: LAYER['grin_mark'][height]
        for height in ('min_obstacle_height', 'max_obstacle_height')}}
    world = VoxelMap(single)
    see(world, blocked(room(sky=True)))
    see(world, room(sky=True))
    assert world.near() > 10


@pytest.mark.parametrize('height, at', [(0.5, 1.0), (0.5, 2.0), (0.5, 4.0), (1.0, 2.0),
                                        (1.3, 1.5)])
def test_the_foot_of_an_obstacle_goes_too(height: float, at: float) -> None:
    """With the cells of the printed layer, and a scale that is 30 % uncertain."""
    layer = yaml.safe_load(voxel_layer('/grin', 5.0, 8.0, 0.1, 2.0, height))['voxel_layer']
    cell = np.array([0.05, 0.05, layer['z_resolution']])
    slope_x, slope_y = GRID.slope_x, GRID.slope_y
    with np.errstate(divide='ignore'):
        empty = np.minimum(np.where(slope_y > 0, height / slope_y, np.inf), WALL)
    box = (np.abs(slope_x) < 0.3 / at) & (at * slope_y > height - 0.4) & (empty > at)
    seen = np.stack([np.full(slope_x.shape, at), -at * slope_x, height - at * slope_y], -1)[box]
    seen = seen[seen[:, 2] >= layer['grin_mark']['min_obstacle_height']]
    marked = {tuple(each) for each in np.floor(seen / cell).astype(int)}
    assert len(marked) > 10
    # The box goes: rays to what was behind it pass its cells, but for two before their end.
    depth = np.kron(empty, np.ones((2, 2))).astype(np.float32)
    shape, scale = np.full_like(depth, 0.11), 0.3
    ends = clearing_points(GRID, depth, np.hypot(shape, scale), shape, MAX_DEPTH, 8.0, 0.6)
    length = np.linalg.norm(ends, axis=-1)
    for x in np.arange(at - 0.02, at + 0.07, 0.005):
        reached = ends[x < ends[:, 2] * (1 - 0.1 / length)]
        world = np.stack([np.full(len(reached), x), -reached[:, 0] * x / reached[:, 2],
                          height - reached[:, 1] * x / reached[:, 2]], -1)
        marked -= {tuple(each) for each in np.floor(world / cell).astype(int)}
    assert not marked


@pytest.mark.parametrize('unsure', ['nan', 'too near', 'large sigma', 'sky with large sigma',
                                    'sigma that reaches back'])
def test_what_is_unknown_never_erases(unsure: str) -> None:
    """As glass does: the obstacle is still there, but depth has lost it."""
    world = VoxelMap(LAYER)
    see(world, blocked(room()))
    before = world.near()
    depth, spread = room(), np.full(room().shape, 0.1, np.float32)
    around = (slice(45, 85), slice(50, 110))  # the doubt is as wide as the frame of a door
    if unsure == 'sigma that reaches back':
        depth[around], spread[around] = 3.0, 0.5  # 3 m, but a tenth of such surfaces are at 1.7
    elif 'sigma' in unsure:
        depth[around] = np.inf if 'sky' in unsure else WALL
        spread[around] = 0.7
    else:
        depth[around] = np.nan if unsure == 'nan' else -np.inf
    for _ in range(3):
        see(world, depth, spread)
    assert world.near() == before


def test_rays_end_before_the_surface_and_never_beyond_the_range() -> None:
    depth, spread = room(sky=True), np.full(room().shape, 0.2, np.float32)
    ends = clearing_points(GRID, depth, spread, spread, MAX_DEPTH, 8.0, 0.6)
    assert ends.dtype == np.float32 and np.isfinite(ends).all()
    distance = np.linalg.norm(ends, axis=-1)
    assert distance.max() == pytest.approx(8, rel=1e-4)
    pixels = CAMERA.project(ends)
    near = near_depth(depth, spread)[pixels[:, 1].round().astype(int),
                                     pixels[:, 0].round().astype(int)]
    assert (ends[:, 2] <= near * (1 + 1e-4)).all()
    # Beyond max_depth nothing is known but that: a short one must not make rays longer.
    short = clearing_points(GRID, np.full_like(depth, np.inf), spread, spread, 3.0, 8.0, 0.6)
    assert short[:, 2].max() < 3


def test_a_tenth_of_surfaces_are_nearer_than_the_near_percentile() -> None:
    draws = np.random.default_rng(0).laplace(0, 0.3 / np.sqrt(2), 200_000)
    depth = 4 * np.exp(draws)
    near = near_depth(np.float32([[4.0]]), np.float32([[0.3]]))[0, 0]
    assert (depth < near).mean() == pytest.approx(0.1, abs=0.005)


def test_near_keeps_what_is_not_finite() -> None:
    depth = np.float32([[np.nan, np.inf, -np.inf, 2.0]])
    near = near_depth(depth, np.float32([[0.2, 0.2, 0.2, 0.0]]))
    assert np.array_equal(near, depth, equal_nan=True) and near.dtype == np.float32


def test_without_rays_there_are_no_ends() -> None:
    barrel = CloudGrid(Camera(CAMERA.intrinsics, 160, 120, (-3.0, 0, 0, 0, 0)), 1)
    flat = np.full((120, 160), 2, np.float32)
    ends = clearing_points(barrel, flat, 0 * flat, 0 * flat, MAX_DEPTH, 8.0, 0.6)
    assert 0 < len(ends) < flat.size and np.isfinite(ends).all()
