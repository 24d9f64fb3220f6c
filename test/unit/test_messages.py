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

"""Messages: every encoding, every way an image can be wrong, camera_info of a moved grid."""

import cv2
import numpy as np
import pytest

from grin_ros import messages
from grin_ros.errors import GrinError

msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
Header = pytest.importorskip('std_msgs.msg').Header

RNG = np.random.default_rng(0)
PICTURE = cv2.resize(RNG.integers(0, 255, (6, 8, 3), np.uint8), (64, 48))  # RGB, smooth


def message(array: np.ndarray, encoding: str, /, **changes: object) -> msgs.Image:
    """Pack an array; ``changes`` go over what belongs to it."""
    msg = messages.image_to_msg(array, encoding, Header(frame_id='camera'))
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


@pytest.mark.parametrize('encoding, code', [
    ('rgb8', None), ('bgr8', cv2.COLOR_RGB2BGR), ('rgba8', cv2.COLOR_RGB2RGBA),
    ('bgra8', cv2.COLOR_RGB2BGRA), ('8UC3', cv2.COLOR_RGB2BGR)])
def test_colour_encodings_give_the_same_rgb(encoding: str, code: int | None) -> None:
    packed = PICTURE if code is None else cv2.cvtColor(PICTURE, code)
    assert np.array_equal(messages.image_from_msg(message(packed, encoding)), PICTURE)


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_becomes_three_equal_channels(encoding: str) -> None:
    grey = PICTURE[..., 0].copy()
    assert np.array_equal(messages.image_from_msg(message(grey, encoding)),
                          np.stack([grey] * 3, -1))


@pytest.mark.parametrize('encoding, order', [('rgb16', 1), ('bgr16', -1)])
def test_colours_of_16_bits_give_the_same_rgb(encoding: str, order: int) -> None:
    packed = PICTURE[..., ::order].astype(np.uint16) * 257
    assert np.array_equal(messages.image_from_msg(message(packed, encoding)), PICTURE)


@pytest.mark.parametrize('big', [False, True])
def test_mono16_is_scaled_to_the_whole_range_in_either_byte_order(big: bool) -> None:
    values = np.array([[0, 257, 32896, 65535]], np.uint16)
    packed = values.astype('>u2' if big else '<u2')
    image = messages.image_from_msg(message(packed, 'mono16', is_bigendian=int(big)))
    assert image[0, :, 1].tolist() == [0, 1, 128, 255]


@pytest.mark.parametrize('encoding', ['yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'])
def test_yuv422_keeps_the_colour(encoding: str) -> None:
    # Full red in BT.601 of limited range, which is what cameras send.
    y, u, v = 82, 90, 240
    pair = [[u, y], [v, y]] if encoding in ('yuv422', 'uyvy') else [[y, u], [y, v]]
    image = messages.image_from_msg(message(np.array([pair * 4] * 6, np.uint8), encoding))
    assert np.abs(image.astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
def test_nv12_has_half_a_plane_of_colour(encoding: str) -> None:
    planes = np.vstack([np.full((48, 64), 126, np.uint8), np.full((24, 64), 128, np.uint8)])
    image = messages.image_from_msg(message(planes, encoding, height=48))
    assert image.shape == (48, 64, 3) and abs(image.astype(int) - 128).max() <= 1


@pytest.mark.parametrize('bits', [8, 16])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_show_the_colour_they_were_taken_of(pattern: str, bits: int) -> None:
    colour = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (16, 16)).astype(f'u{bits // 8}') * (1 if bits == 8 else 257)
    image = messages.image_from_msg(message(mosaic, f'bayer_{pattern}{bits}'))
    assert np.array_equal(image[8, 8], [200, 120, 40])


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'mono8', 'mono16'])
def test_padded_rows_change_nothing(encoding: str) -> None:
    kind, channels, _ = messages.LAYOUTS[encoding]
    array = RNG.integers(0, 255, (5, 7, channels)).astype(kind)
    rows = array.reshape(5, -1).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, 9)), constant_values=77)
    plain = messages.image_from_msg(message(array, encoding))
    other = messages.image_from_msg(
        message(padded, encoding, width=7, step=padded.shape[1]))
    assert np.array_equal(plain, other)


@pytest.mark.parametrize('encoding', sorted(messages.LAYOUTS))
def test_every_encoding_may_have_padded_rows_of_either_byte_order(encoding: str) -> None:
    kind, channels, _ = messages.LAYOUTS[encoding]
    rows = 12 if encoding in ('nv12', 'nv21') else 8
    array = RNG.integers(0, 255 if kind == 'u1' else 65535, (rows, 8, channels)).astype(kind)
    plain = messages.image_from_msg(message(array, encoding, height=8, width=8))
    big = array.astype(array.dtype.newbyteorder('>'))
    padded = np.pad(big.reshape(rows, -1).view(np.uint8), ((0, 0), (0, 5)))
    other = message(padded, encoding, height=8, width=8, step=padded.shape[1], is_bigendian=1)
    assert plain.shape == (8, 8, 3)
    assert np.array_equal(plain, messages.image_from_msg(other))


@pytest.mark.parametrize('encoding', sorted(messages.LAYOUTS))
def test_the_largest_number_is_that_of_16_bits_in_either_byte_order(encoding: str) -> None:
    kind, channels, _ = messages.LAYOUTS[encoding]
    array = np.full((12, 8, channels), 7, kind)
    array[4, 5] = 200 if kind == 'u1' else 0x0ffe
    for order in '<>':
        packed = array.astype(array.dtype.newbyteorder(order)).reshape(12, -1).view(np.uint8)
        packed = np.pad(packed, ((0, 0), (0, 6)), constant_values=255)
        msg = message(packed, encoding, height=8, width=8, is_bigendian=int(order == '>'))
        assert messages.max_level(messages.raw_pixels(msg)) == (
            None if kind == 'u1' else 0x0ffe)


@pytest.mark.parametrize('changes, words', [
    ({'encoding': '32FC1'}, ['32FC1', 'rgb8']),
    ({'encoding': ''}, ['""', 'rgb8']),
    ({'width': 0}, ['empty', '0x48']),
    ({'height': 0}, ['empty', '64x0']),
    ({'step': 0}, ['step 0', '>= 192']),
    ({'step': 191}, ['step 191', '>= 192']),
    ({'height': 49}, ['9216 bytes', '9408']),
    ({'width': 65}, ['65x48']),
    ({'encoding': 'rgba8'}, ['rgba8', '>= 256']),
    ({'encoding': 'yuv422', 'width': 63}, ['yuv422', 'even']),
    ({'encoding': 'nv12', 'height': 1}, ['nv12', 'even']),
])
def test_wrong_image_is_refused_with_its_facts(changes: dict, words: list[str]) -> None:
    with pytest.raises(GrinError) as error:
        messages.image_from_msg(message(PICTURE, 'rgb8', **changes))
    assert all(word in str(error.value) for word in words)


def test_truncated_data_is_refused() -> None:
    msg = message(PICTURE, 'rgb8')
    msg.data = msg.data[:-1]
    with pytest.raises(GrinError, match='9215 bytes.*truncated'):
        messages.image_from_msg(msg)


def test_last_row_needs_no_padding() -> None:
    padded = np.pad(PICTURE.reshape(48, -1), ((0, 0), (0, 8)))
    msg = message(padded, 'rgb8', width=64, step=200)
    msg.data = msg.data[:-8]
    assert np.array_equal(messages.image_from_msg(msg), PICTURE)


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_compressed_images(extension: str) -> None:
    _, data = cv2.imencode(extension, PICTURE[..., ::-1])
    msg = msgs.CompressedImage(format=extension[1:], data=data.tobytes())
    image = messages.pixels_from_compressed(msg)
    assert np.abs(image.astype(int) - PICTURE).mean() < 6


def test_a_compressed_mosaic_is_no_grey_picture() -> None:
    mosaic = np.tile(np.array([[200, 120], [120, 40]], np.uint8), (16, 16))
    _, data = cv2.imencode('.png', mosaic)
    msg = msgs.CompressedImage(format='bayer_rggb8; png compressed ', data=data.tobytes())
    assert messages.pixels_from_compressed(msg)[8, 8].tolist() == [200, 120, 40]


def test_a_mosaic_that_has_become_colours_on_the_way_keeps_them() -> None:
    """It was read as grey, and that as a mosaic: red and blue were lost."""
    _, data = cv2.imencode('.png', PICTURE[..., ::-1])
    msg = msgs.CompressedImage(format='bayer_rggb8; png compressed bgr8', data=data.tobytes())
    assert np.array_equal(messages.pixels_from_compressed(msg), PICTURE)


@pytest.mark.parametrize('encoding', ['mono16', 'bayer_rggb16', 'bgr16'])
def test_compressed_images_of_16_bits_are_as_raw_ones(encoding: str) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (48, 64, 3), np.uint16)
    values = values if encoding == 'bgr16' else values[..., 0].copy()
    _, data = cv2.imencode('.png', values)
    pixels = messages.pixels_from_compressed(
        msgs.CompressedImage(format=f'{encoding}; png compressed ', data=data.tobytes()))
    raw = message(values, encoding)
    assert messages.max_level(pixels) == messages.max_level(messages.raw_pixels(raw)) > 4000
    assert np.abs(messages.of_8_bits(pixels).astype(int) - messages.image_from_msg(raw)).max() <= 1


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.9])
def test_cut_compressed_image_is_refused(extension: str, share: float) -> None:
    data = cv2.imencode(extension, PICTURE)[1].tobytes()
    msg = msgs.CompressedImage(format='image', data=data[:int(share * len(data))])
    with pytest.raises(GrinError, match='truncated|does not decode'):
        messages.pixels_from_compressed(msg)


@pytest.mark.parametrize('share', [1.0, 0.9])
def test_bytes_after_a_jpeg_are_no_part_of_it(share: float) -> None:
    """Small cameras send up to thousands; a thumbnail's end mark is not the picture's."""
    data = cv2.imencode('.jpg', PICTURE)[1].tobytes()
    small = cv2.imencode('.jpg', PICTURE[:16, :16])[1].tobytes()
    thumbnail = b'\xff\xe2' + (len(small) + 2).to_bytes(2, 'big') + small
    data = data[:2] + thumbnail + data[2:]
    msg = msgs.CompressedImage(format='jpeg', data=data[:int(share * len(data))] + bytes(600))
    if share == 1.0:
        assert messages.pixels_from_compressed(msg).shape == PICTURE.shape
    else:
        with pytest.raises(GrinError, match='truncated'):
            messages.pixels_from_compressed(msg)


def test_depth_in_millimetres_has_zero_for_every_unknown() -> None:
    depth = np.array([[1.2345, np.nan, np.inf, -np.inf, 65.535, 66.0]], np.float32)
    msg = messages.depth_to_msg(depth, '16UC1', Header())
    assert np.frombuffer(msg.data, np.uint16).tolist() == [1234, 0, 0, 0, 65535, 0]
    assert (msg.encoding, msg.step) == ('16UC1', 12)


def test_depth_in_metres_is_the_array() -> None:
    depth = np.array([[1.5, np.nan], [np.inf, -np.inf]], np.float32)
    header = Header(frame_id='eye')
    header.stamp.sec = 7
    msg = messages.depth_to_msg(depth, '32FC1', header)
    assert np.array_equal(np.frombuffer(msg.data, np.float32).reshape(2, 2), depth,
                          equal_nan=True)
    assert (msg.header, msg.encoding, msg.step, msg.is_bigendian) == (header, '32FC1', 8, 0)


def test_a_message_has_the_memory_of_its_array() -> None:
    depth = np.arange(24, dtype=np.float32).reshape(4, 6)
    msg = messages.image_to_msg(depth, '32FC1', Header())
    assert (msg.step, len(msg.data)) == (24, 96)
    assert np.shares_memory(msg.data, depth)


def test_what_lies_apart_is_copied_in_order() -> None:
    """A part of an array, or its transpose, has other bytes than its memory."""
    whole = np.arange(24, dtype=np.float32).reshape(4, 6)
    for part in (whole[1:], whole[:, :3], whole.T, whole[::-1], whole[:0]):
        msg = messages.image_to_msg(part, '32FC1', Header()) if part.size else msgs.Image()
        messages.set_data(msg, part)
        assert bytes(msg.data) == part.tobytes()


def test_messages_are_serialised_with_what_they_were_given() -> None:
    """By the real rclpy: it takes any buffer."""
    serialization = pytest.importorskip('rclpy.serialization', reason='ROS 2 is not installed')
    for pixels in (np.arange(24, dtype=np.float32).reshape(4, 6), PICTURE, PICTURE[::2, ::3]):
        msg = messages.image_to_msg(pixels, 'any', Header(frame_id='eye'))
        sent = serialization.serialize_message(msg)
        got = serialization.deserialize_message(sent, msgs.Image)
        assert bytes(got.data) == pixels.tobytes()
        assert (got.header, got.step) == (msg.header, pixels.nbytes // len(pixels))


@pytest.mark.parametrize('encoding', sorted(messages.BRIDGED))
def test_cv_bridge_gives_identical_bytes(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if messages.bridge() is None:
        pytest.skip('no cv_bridge for this NumPy: make test-cv-bridge')
    kind, channels, _ = messages.LAYOUTS[encoding]
    msg = message(RNG.integers(0, 255, (48, 64, channels)).astype(kind), encoding)
    bridged = np.asarray(messages.bridge().imgmsg_to_cv2(msg, 'rgb8'))
    assert np.array_equal(bridged, messages.image_from_msg(msg))
    monkeypatch.setattr(messages, 'bridge', lambda: None)
    assert np.array_equal(bridged, messages.image_from_msg(msg))
