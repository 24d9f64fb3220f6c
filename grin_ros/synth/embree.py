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

"""Embree: triangles in, a ray-casting tree that compiled code can call out."""

from __future__ import annotations

import ctypes
from functools import lru_cache
import os
from pathlib import Path
import weakref

import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError, require

# From embree4/rtcore_common.h, rtcore_buffer.h and rtcore_geometry.h.
TRIANGLES, INDEX_BUFFER, VERTEX_BUFFER, UINT3, FLOAT3 = 0, 0, 1, 0x5003, 0x9003
RAY_HIT_BYTES = 96  # struct RTCRayHit, padded to its alignment of 16


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """
    Load the Embree 4 that the embreex wheel brings along.

    Its Python binding copies triangles one by one and casts from Python: calling the library
    directly makes worlds four times as fast to build and lets compiled loops cast rays.
    """
    folder = Path(str(require('embreex', 'train').__file__)).parent
    found = sorted([*folder.parent.glob('embreex.libs/libembree4*'),
                    *folder.glob('.dylibs/libembree4*'), *folder.glob('*embree4*')])
    if not found:
        raise GrinError(f'no Embree 4 library beside {folder}: pip install --force-reinstall '
                        'embreex (the wheel, not a build from source)')
    embree = ctypes.CDLL(str(found[0]))
    pointer = ctypes.c_void_p
    for name, result, arguments in (
            ('rtcNewDevice', pointer, [ctypes.c_char_p]),
            ('rtcGetDeviceError', ctypes.c_int, [pointer]),
            ('rtcNewScene', pointer, [pointer]),
            ('rtcNewGeometry', pointer, [pointer, ctypes.c_int]),
            ('rtcSetSharedGeometryBuffer', None,
             [pointer, ctypes.c_int, ctypes.c_uint, ctypes.c_int, pointer]
             + [ctypes.c_size_t] * 3),
            ('rtcCommitGeometry', None, [pointer]),
            ('rtcAttachGeometry', ctypes.c_uint, [pointer, pointer]),
            ('rtcReleaseGeometry', None, [pointer]),
            ('rtcCommitScene', None, [pointer]),
            ('rtcReleaseScene', None, [pointer])):
        function = getattr(embree, name)
        function.restype, function.argtypes = result, arguments
    return embree


@lru_cache(maxsize=1)
def _device(process: int) -> int:
    """Open a device with one thread: the worker processes are the parallelism."""
    return int(library().rtcNewDevice(b'threads=1,set_affinity=0'))


@lru_cache(maxsize=1)
def intersect_address() -> int:
    """Return the address of ``rtcIntersect1(scene, ray_hit, arguments)``."""
    return int(ctypes.cast(library().rtcIntersect1, ctypes.c_void_p).value or 0)


class RayTree:
    """
    A ray-casting tree over (n, 3, 3) triangles.

    ``handle`` is the RTCScene for compiled code; it lives as long as this object.
    """

    def __init__(self, triangles: NDArray[np.float32]) -> None:
        """Build the tree."""
        embree, device = library(), _device(os.getpid())
        count = len(triangles)
        # Embree reads 16 bytes per vertex: one spare vertex at the end.
        self._vertices = np.zeros((3 * count + 1, 3), np.float32)
        self._vertices[:-1] = triangles.reshape(-1, 3)
        self._indices = np.arange(3 * count, dtype=np.uint32)
        self.handle = int(embree.rtcNewScene(device))
        geometry = embree.rtcNewGeometry(device, TRIANGLES)
        embree.rtcSetSharedGeometryBuffer(geometry, VERTEX_BUFFER, 0, FLOAT3,
                                          self._vertices.ctypes.data, 0, 12, 3 * count)
        embree.rtcSetSharedGeometryBuffer(geometry, INDEX_BUFFER, 0, UINT3,
                                          self._indices.ctypes.data, 0, 12, count)
        embree.rtcCommitGeometry(geometry)
        embree.rtcAttachGeometry(self.handle, geometry)
        embree.rtcReleaseGeometry(geometry)
        embree.rtcCommitScene(self.handle)
        error = embree.rtcGetDeviceError(device)
        if error:
            raise GrinError(f'Embree error {error} with {count} triangles: is memory short?')
        weakref.finalize(self, embree.rtcReleaseScene, self.handle)


def ray_hit_buffer() -> NDArray[np.uint8]:
    """Return a zeroed RTCRayHit, aligned to 16 bytes."""
    raw = np.zeros(RAY_HIT_BYTES + 16, np.uint8)
    start = -raw.ctypes.data % 16
    return raw[start:start + RAY_HIT_BYTES]
