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

"""ROS messages in, arrays out, and back, without rclpy: images, calibrations, and ranges."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.errors import GrinError, require

# Encoding -> dtype, numbers per pixel, OpenCV conversion to RGB. OpenCV names a Bayer pattern
# after its second row, ROS after its first: bayer_rggb8 is OpenCV's BayerBG, as in cv_bridge.
LAYOUTS: dict[str, tuple[str, int, int | None]] = {
    'rgb8': ('u1', 3, None),
    'bgr8': ('u1', 3, cv2.COLOR_BGR2RGB),
    'rgba8': ('u1', 4, cv2.COLOR_RGBA2RGB),
    'bgra8': ('u1', 4, cv2.COLOR_BGRA2RGB),
    'mono8': ('u1', 1, cv2.COLOR_GRAY2RGB),
    'rgb16': ('u2', 3, None),
    'bgr16': ('u2', 3, cv2.COLOR_BGR2RGB),
    'mono16': ('u2', 1, cv2.COLOR_GRAY2RGB),
    # What cv_bridge calls the pictures of those who name no encoding, which OpenCV has as BGR.
    '8UC1': ('u1', 1, cv2.COLOR_GRAY2RGB),
    '8UC3': ('u1', 3, cv2.COLOR_BGR2RGB),
    'yuv422': ('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': ('u1', 2, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': ('u1', 2, cv2.COLOR_YUV2RGB_YUY2),
    'yuyv': ('u1', 2, cv2.COLOR_YUV2RGB_YUY2),
    'nv12': ('u1', 1, cv2.COLOR_YUV2RGB_NV12),
    'nv21': ('u1', 1, cv2.COLOR_YUV2RGB_NV21),
    **{f'bayer_{pattern}{bits}': (f'u{bits // 8}', 1, code) for bits in (8, 16)
       for pattern, code in (('rggb', cv2.COLOR_BayerBG2RGB), ('bggr', cv2.COLOR_BayerRG2RGB),
                             ('gbrg', cv2.COLOR_BayerGR2RGB), ('grbg', cv2.COLOR_BayerGB2RGB))},
}
# What every cv_bridge converts to rgb8; the rest it refuses, or OpenCV does it as well.
BRIDGED = tuple(encoding for encoding in LAYOUTS if encoding not in (
    'rgb8', 'rgb16', 'bgr16', '8UC1', '8UC3', 'uyvy', 'yuv422_yuy2', 'yuyv', 'nv12', 'nv21'))
# Where channels only change places OpenCV alone takes a third of the time of cv_bridge.
SWAPPED = 'bgr8', 'rgba8', 'bgra8'


@functools.cache
def bridge() -> Any:
    """Return a cv_bridge.CvBridge that works, or None."""
    try:
        found = importlib.import_module('cv_bridge').CvBridge()
        pixel = require('sensor_msgs.msg', 'ros').Image(
            height=1, width=1, step=1, encoding='mono8', data=b'\7')
        return found if found.imgmsg_to_cv2(pixel, 'rgb8').tolist() == [[[7, 7, 7]]] else None
    # One built for another NumPy imports, then fails with whatever comes first.
    except (ImportError, AttributeError, KeyError, TypeError, RuntimeError, SystemError):
        return None


def raw_pixels(msg: Any) -> NDArray:
    """
    Return an Image's pixels as they are, (H, W, C) in native byte order, without a copy.

    :raises GrinError: when encoding, size, step and data do not belong together.
    """
    width, height, step, encoding = msg.width, msg.height, msg.step, msg.encoding
    if encoding not in LAYOUTS:
        raise GrinError(f'encoding "{encoding}" is not a colour image that this node reads: '
                        f'publish one of {", ".join(LAYOUTS)}')
    if width < 1 or height < 1:
        raise GrinError(f'the image is empty ({width}x{height}): check the camera driver')
    kind, channels, _ = LAYOUTS[encoding]
    dtype = np.dtype(kind)
    planar = encoding in ('nv12', 'nv21')
    rows = height * 3 // 2 if planar else height
    if (channels == 2 and width % 2) or (planar and (width % 2 or height % 2)):
        raise GrinError(f'{encoding} needs even sizes, not {width}x{height}: set an even size '
                        'in the camera driver')
    row_bytes = width * channels * dtype.itemsize
    needed = step * (rows - 1) + row_bytes
    if step < row_bytes or len(msg.data) < needed:
        raise GrinError(f'{encoding} {width}x{height} needs step >= {row_bytes} and >= {needed} '
                        f'bytes, but the message has step {step} and {len(msg.data)} bytes: it '
                        'was truncated, or the driver fills it wrongly')
    if dtype.itemsize > 1:
        dtype = dtype.newbyteorder('>' if msg.is_bigendian else '<')
    pixels = np.ndarray((rows, width, channels), dtype, np.frombuffer(msg.data, np.uint8),
                        strides=(step, channels * dtype.itemsize, dtype.itemsize))
    return pixels.astype(dtype.newbyteorder('='), copy=False)


def image_from_msg(msg: Any) -> NDArray[np.uint8]:
    """
    Return a sensor_msgs/Image as (H, W, 3) uint8 RGB.

    :raises GrinError: for an encoding, a size or data that is no colour image; names the remedy.
    """
    pixels = raw_pixels(msg)
    code = LAYOUTS[msg.encoding][2]
    # Some cv_bridges take padding for pixels, others fail on big-endian data with NumPy 2.
    plain = msg.step == pixels.strides[0] == pixels[0].nbytes and not msg.is_bigendian
    bridged = msg.encoding in BRIDGED and msg.encoding not in SWAPPED
    if plain and bridged and bridge() is not None:
        return np.asarray(bridge().imgmsg_to_cv2(msg, 'rgb8'))
    pixels = np.ascontiguousarray(pixels)
    if msg.encoding.startswith('bayer') and min(pixels.shape[:2]) < 2:
        raise GrinError(f'{msg.encoding} needs at least 2x2 pixels')
    return of_8_bits(pixels if code is None else cv2.cvtColor(pixels, code))


def of_8_bits(pixels: NDArray) -> NDArray[np.uint8]:
    """Return pixels of 8 or 16 bits in 8; 65535 becomes 255, as in cv_bridge."""
    if pixels.dtype.itemsize > 1:
        pixels = cv2.convertScaleAbs(pixels, alpha=255.0 / 65535.0)
    return np.asarray(pixels, np.uint8)


def max_level(pixels: NDArray) -> int | None:
    """
    Return the largest number of pixels of 16 bits; None for those of 8 bits.

    A camera of 10, 12 or 14 bits whose driver leaves the upper ones empty never sends more than
    1023, 4095 or 16383 of 65535: an almost black picture. One image cannot tell it from the dark,
    and a scale that changed in between would change depth, so none is guessed.
    """
    return int(pixels.max()) if pixels.dtype.itemsize > 1 else None


def pixels_from_compressed(msg: Any) -> NDArray:
    """
    Return a sensor_msgs/CompressedImage (JPEG, PNG, ...) as (H, W, 3) RGB of 8 bits, or 16.

    :raises GrinError: for data that does not decode, or a JPEG whose end is missing.
    """
    data = np.frombuffer(msg.data, np.uint8)
    # OpenCV fills what a cut JPEG lacks with grey, which would become phantom depth.
    # Small cameras send hundreds of bytes after the end; a scan that begins behind the last end
    # mark has none, as that one is of a thumbnail.
    content = data.tobytes() if data[:2].tobytes() == b'\xff\xd8' else b'\xff\xd9'
    end = content.rfind(b'\xff\xd9')
    if end < 0 or b'\xff\xda' in content[end:]:
        raise GrinError(f'the JPEG of {len(data)} bytes is truncated (no end mark): messages '
                        'are cut on the way, or the driver stops early')
    # compressed_image_transport sends a mosaic as grey and names it before the semicolon.
    encoding = msg.format.split(';')[0].strip()
    mosaic = encoding.startswith('bayer_') and encoding in LAYOUTS
    # A mosaic that somebody has made colours of on the way keeps its name.
    flags = cv2.IMREAD_ANYCOLOR if mosaic else cv2.IMREAD_COLOR
    if data[:4].tobytes() == b'\x89PNG' and len(data) > 24 and data[24] == 16:  # bits
        flags |= cv2.IMREAD_ANYDEPTH
    try:
        image = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None:
        raise GrinError(f'compressed image of format "{msg.format}" ({len(data)} bytes) does '
                        'not decode: publish JPEG or PNG, or set image_transport: raw')
    mosaic = image.ndim == 2
    if mosaic and min(image.shape) < 2:
        raise GrinError(f'{encoding} needs at least 2x2 pixels')
    return cv2.cvtColor(image, LAYOUTS[encoding][2] if mosaic else cv2.COLOR_BGR2RGB)


def set_data(msg: Any, pixels: NDArray) -> None:
    """Let a message have an array's bytes; they are copied only when they lie apart."""
    # What serialises a message takes any buffer, and copies it then. The property wants an
    # array.array: to make one costs more than all else, and to assign bytes where fields are
    # checked one by one 140 ms per VGA image.
    msg._data = np.ascontiguousarray(pixels).reshape(-1).view(np.uint8)


def image_to_msg(pixels: NDArray, encoding: str, header: Any) -> Any:
    """Return a sensor_msgs/Image of (H, W) or (H, W, C) pixels with their header."""
    msg = require('sensor_msgs.msg', 'ros').Image(
        header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
        is_bigendian=0, step=pixels.nbytes // pixels.shape[0])
    set_data(msg, pixels)
    return msg


def depth_to_msg(depth: NDArray[np.float32], encoding: str, header: Any) -> Any:
    """Return depth [m] as 32FC1, or as 16UC1 [mm] with 0 for NaN, +-Inf and beyond 65.5 m."""
    if encoding == '16UC1':
        with np.errstate(invalid='ignore'):
            mm = np.rint(depth * np.float32(1000))
            depth = np.where((mm >= 1) & (mm <= 65535), mm, 0).astype(np.uint16)
    return image_to_msg(depth, encoding, header)
