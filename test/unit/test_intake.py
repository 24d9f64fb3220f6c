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

"""Intake: an image finds the camera_info that belongs to it, or a sentence says why not."""

from collections.abc import Callable
import threading

import cv2
import numpy as np
import pytest

from grin_ros.messages import image_to_msg, intake
from grin_ros.messages.grid_info import camera_info_fields
from grin_ros.messages.intake import CameraInfos, read_frame, Rejected

msgs = pytest.importorskip('sensor_msgs.msg', reason='ROS 2 is not installed')
Header = pytest.importorskip('std_msgs.msg').Header

TOPIC = '/camera/camera_info'


def info(width: int = 64, height: int = 48, f_px: float = 60.0, sec: int = 1,
         **changes: object) -> msgs.CameraInfo:
    """Return a calibration with a stamp."""
    msg = msgs.CameraInfo(width=width, height=height, distortion_model='plumb_bob',
                          k=[f_px, 0.0, width / 2, 0.0, f_px, height / 2, 0.0, 0.0, 1.0])
    msg.header.stamp.sec = sec
    for name, value in changes.items():
        setattr(msg, name, value)
    return msg


def image(width: int = 64, height: int = 48, sec: int = 1) -> msgs.Image:
    """Return a black image with a stamp."""
    header = Header(frame_id='eye')
    header.stamp.sec = sec
    return image_to_msg(np.zeros((height, width, 3), np.uint8), 'rgb8', header)


def infos(required: bool = True) -> CameraInfos:
    """Return a store for raw images."""
    return CameraInfos(TOPIC, rectified=False, required=required)


def test_the_camera_is_made_once_per_calibration() -> None:
    store = infos()
    store.put(info(sec=1))
    first = read_frame(image(sec=1), False, store, '/image').camera
    store.put(info(sec=2))
    assert read_frame(image(sec=2), False, store, '/image').camera is first
    store.put(info(sec=3, f_px=70.0))
    assert read_frame(image(sec=3), False, store, '/image').camera.intrinsics[0, 0] == 70


def test_the_info_with_the_stamp_of_the_image_wins() -> None:
    """A zoom changes K with every frame; the newest K is not that of an older image."""
    store = infos()
    for sec in (1, 2, 3):
        store.put(info(sec=sec, f_px=60.0 + sec))
    assert read_frame(image(sec=2), False, store, '/image').camera.intrinsics[0, 0] == 62


def test_why_a_camera_info_is_not_used_is_known() -> None:
    store = infos(required=False)
    assert store.unfit(64, 48) == '' and not store.is_blank
    store.put(info(width=32, height=24))
    assert store.unfit(64, 48) == 'it describes 32x24, and the image is 64x48'
    assert store.unfit(32, 24) == '' and not store.is_blank
    store.put(info(k=[0.0] * 9))
    assert store.unfit(64, 48).endswith('K[0] = 0, so the camera is not calibrated')
    assert store.is_blank
    store.put(info(k=[0.0] * 8 + [1.0]))  # damaged, not left empty
    assert store.unfit(64, 48) and not store.is_blank


def test_an_image_waits_for_the_info_that_follows_it() -> None:
    store = infos()
    timer = threading.Timer(0.02, store.put, [info()])
    timer.start()
    assert read_frame(image(), False, store, '/image').camera is not None


def test_an_image_that_overtakes_its_info_does_not_take_the_one_before() -> None:
    """They come on two topics: the lens has moved, and the image is here first."""
    store = infos()
    for sec in (1, 2, 3):
        store.put(info(sec=sec))
        assert read_frame(image(sec=sec), False, store, '/image').camera.intrinsics[0, 0] == 60
    timer = threading.Timer(0.005, store.put, [info(sec=4, f_px=70.0)])
    timer.start()
    assert read_frame(image(sec=4), False, store, '/image').camera.intrinsics[0, 0] == 70


class LateDriver:
    """Sends each camera_info when its image waits for it, else after it; no clock is needed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the waiting."""
        self.store = infos()
        self._late: list[object] = []
        monkeypatch.setattr(self.store._changed, 'wait_for', self._wait)

    def _wait(self, fits: Callable[[], bool], seconds: float) -> bool:
        if seconds and not fits():
            self._send()
        return fits()

    def _send(self) -> None:
        while self._late:
            self.store.put(self._late.pop())

    def used(self, sec: int, is_lost: bool = False) -> float:
        """Return f of the camera that an image gets; its own has 100 and its second."""
        self._late = [] if is_lost else [info(sec=sec, f_px=100.0 + sec)]
        frame = read_frame(image(sec=sec), False, self.store, '/image')
        self._send()
        return float(frame.camera.intrinsics[0, 0])


def test_one_lost_info_does_not_end_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that sends each camera_info after its image is still waited for."""
    driver = LateDriver(monkeypatch)
    used = [driver.used(sec, is_lost=sec == 6) for sec in range(1, 13)]
    assert used == [101, 101, 102, 104, 105, 105, 105, 107, 108, 110, 111, 112]


def test_a_camera_info_that_is_forgotten_before_the_next_image_was_its_own(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """With max_rate, or a slow computer, more come in between than are remembered."""
    driver = LateDriver(monkeypatch)
    used = [driver.used(sec) for sec in range(100, 800, 100)
            if [driver.store.put(info(sec=sec - 99 + between))
                for between in range(intake.REMEMBERED + 6)]]
    assert used == [60, 60, 60, 500, 600, 700, 800]


@pytest.mark.parametrize('has_own', [
    lambda sec: sec == 1, lambda sec: sec % 2, lambda sec: sec % 3], ids=[
        'latched', 'half', 'two_thirds'])
def test_infos_that_come_more_seldom_than_images_keep_none_waiting(
        monkeypatch: pytest.MonkeyPatch, has_own: Callable[[int], int]) -> None:
    """Every second image waited for what never comes."""
    store = infos()
    waits: list[float] = []
    wait_for = store._changed.wait_for
    monkeypatch.setattr(store._changed, 'wait_for',
                        lambda fits, time: (waits.append(time), wait_for(fits, time))[1])
    for sec in range(1, 20):
        if has_own(sec):
            store.put(info(sec=sec))
        assert read_frame(image(sec=sec), False, store, '/image').camera is not None
    assert intake.OVERTAKING not in waits


def test_a_camera_without_its_info_waits_once_and_keeps_nobody_else_waiting(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The second image is refused at once; when an info has come, images wait for theirs again."""
    store = infos()
    waits: list[float] = []
    wait_for = store._changed.wait_for
    monkeypatch.setattr(store._changed, 'wait_for',
                        lambda fits, time: (waits.append(time), wait_for(fits, time))[1])
    for _ in range(3):
        with pytest.raises(Rejected):
            read_frame(image(), False, store, '/image')
    assert waits[0] > 0 and waits[1:] == [0, 0]
    for sec in (1, 2, 3):
        store.put(info(sec=sec))
        assert read_frame(image(sec=sec), False, store, '/image').camera is not None
    store.put(info(width=640))
    with pytest.raises(Rejected):
        read_frame(image(sec=9), False, store, '/image')
    assert waits[-2:] == [intake.OVERTAKING, waits[0]]


@pytest.mark.parametrize('message, cause, words', [
    (None, 'no_camera_info', 'require_camera_info'),
    (info(k=[0.0] * 9), 'bad_camera_info', 'not calibrated'),
    (info(f_px=float('nan')), 'bad_camera_info', 'finite'),
    (info(distortion_model='plumb_bob', d=[0.1] * 8), 'bad_camera_info', 'rational_polynomial'),
    (info(distortion_model='bent', d=[0.1]), 'bad_camera_info', 'bent'),
    (info(width=640), 'camera_info_size', '64x48.*640x48'),
    (info(width=0), 'bad_camera_info', '0x48.*fill in width and height'),
])
def test_what_is_wrong_is_said_with_the_topic(message: object, cause: str, words: str) -> None:
    store = infos()
    if message is not None:
        store.put(message)
    with pytest.raises(Rejected, match=words) as error:
        read_frame(image(), False, store, '/image')
    assert error.value.cause == cause and TOPIC in str(error.value)


def test_rectified_images_need_a_finite_p() -> None:
    store = CameraInfos(TOPIC, rectified=True, required=True)
    store.put(info(p=[float('nan')] * 12))
    with pytest.raises(Rejected, match=r'not finite: \[nan, nan.*parameter rectified') as error:
        read_frame(image(), False, store, '/image')
    assert error.value.cause == 'bad_camera_info' and 'float64' not in str(error.value)


def test_raw_images_do_without_p_and_r() -> None:
    """Neither is used, and neither goes on as NaN: the P of what is published is K's."""
    sent = info(p=[float('nan')] * 12, r=[float('inf')] * 9)
    store = infos()
    store.put(sent)
    frame = read_frame(image(), False, store, '/image')
    assert frame.camera.intrinsics[0, 0] == 60
    assert not frame.info.p.any() and frame.info.r.tolist() == np.eye(3).ravel().tolist()
    assert np.isnan(sent.p).all() and np.isinf(sent.r).all()  # the sender's own
    fields = camera_info_fields(frame.info, frame.camera, False)
    assert all(np.isfinite(fields[name]).all() for name in 'dkrp')
    store.put(info(sec=2))
    assert read_frame(image(sec=2), False, store, '/image').info.r.tolist() == [0.0] * 9


@pytest.mark.parametrize('message', [None, info(k=[0.0] * 9), info(width=640)])
def test_without_a_usable_info_the_scale_is_not_metric_when_allowed(message: object) -> None:
    store = infos(required=False)
    if message is not None:
        store.put(message)
    frame = read_frame(image(), False, store, '/image')
    assert frame.camera is None and frame.info is None


def test_a_usable_info_is_used_even_when_not_required() -> None:
    store = infos(required=False)
    store.put(info())
    assert read_frame(image(), False, store, '/image').camera is not None


def test_a_frame_tells_how_many_bits_its_camera_uses() -> None:
    """12 bits in 16 are an almost black picture, of which the node can warn."""
    store = infos()
    store.put(info())
    dim = np.full((48, 64), 100, np.uint16)
    dim[3, 5] = 4095
    header = Header()
    header.stamp.sec = 1
    frame = read_frame(image_to_msg(dim, 'mono16', header), False, store, '/image')
    assert frame.max_level == 4095 and frame.image.max() == 16
    assert read_frame(image(), False, store, '/image').max_level is None
    packed = msgs.CompressedImage(header=header, format='mono16; png compressed ',
                                  data=cv2.imencode('.png', dim)[1].tobytes())
    assert read_frame(packed, True, store, '/image').max_level == 4095
    store = infos(required=False)
    assert read_frame(image_to_msg(dim, 'mono16', header), False, store, '/image'
                      ).max_level == 4095


def test_a_bad_image_names_its_topic() -> None:
    msg = image()
    msg.encoding = 'thermal'
    with pytest.raises(Rejected, match='/camera/image.*thermal') as error:
        read_frame(msg, False, infos(), '/camera/image')
    assert error.value.cause == 'bad_image'


def test_old_infos_are_forgotten() -> None:
    store = infos()
    for sec in range(1000):
        store.put(info(sec=sec))
    assert len(store._by_stamp) < 100
    store.forget()
    with pytest.raises(Rejected, match='no camera_info'):
        read_frame(image(sec=999), False, store, '/image')
