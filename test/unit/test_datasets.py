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

"""Datasets: tiny files in the layout of each give back the depth and the camera they hold."""

from __future__ import annotations

import json
from pathlib import Path
import sys

import cv2
import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.data.datasets import chosen, DATASETS, open_dataset
from grin_ros.data.frames import read_image
from grin_ros.data.sample import evenly, Sample
from grin_ros.data.shards import ShardWriter
from grin_ros.errors import GrinError
from grin_ros.evaluation.evaluate import true_depth

RNG = np.random.default_rng(0)
P2 = '7.2e+02 0 2.9e+01 4.4e+01 0 7.1e+02 1.9e+01 2.1e-01 0 0 1 2.7e-03'


def write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


def frame(image: Path, depth: Path, units: float, size: tuple[int, int] = (60, 40),
          ) -> tuple[np.ndarray, np.ndarray]:
    """Write an image and 16-bit depth with holes; return RGB and depth [m]."""
    rgb = RNG.integers(0, 255, (*size[::-1], 3)).astype(np.uint8)
    codes = RNG.integers(1, 60_000, size[::-1]).astype(np.uint16)
    codes[:3] = 0
    write(image, rgb[..., ::-1])
    write(depth, codes)
    return rgb, np.where(codes > 0, codes / units, np.nan)


def check(sample: Sample, rgb: np.ndarray, depth: np.ndarray, k: tuple[float, ...],
          atol: float = 0) -> None:
    assert np.abs(sample.image.astype(int) - rgb).max() <= atol
    np.testing.assert_allclose(true_depth(sample), depth, rtol=1e-5)
    found = sample.camera.intrinsics
    np.testing.assert_allclose((found[0, 0], found[1, 1], found[0, 2], found[1, 2]), k)


def test_kitti_raw_with_annotated_depth(tmp_path: Path) -> None:
    drive, number = '2011_09_26_drive_0002_sync', '0000000069.png'
    truth = {}
    for camera, root in (('image_02', 'data_depth_annotated/train'), ('image_03', 'val')):
        truth[camera] = frame(
            tmp_path / '2011_09_26' / drive / camera / 'data' / number,
            tmp_path / root / drive / 'proj_depth' / 'groundtruth' / camera / number, 256)
    (tmp_path / '2011_09_26' / 'calib_cam_to_cam.txt').write_text(
        f'calib_time: now\nP_rect_02: {P2}\nP_rect_03: {P2.replace("7.2", "7.3")}\n')
    samples = open_dataset('kitti', tmp_path)
    assert len(samples) == 2
    found = {sample.meta['name']: sample for sample in (samples[0], samples[1])}
    check(found[f'{drive}_image_02_0000000069'], *truth['image_02'], (720, 710, 29, 19))
    check(found[f'{drive}_image_03_0000000069'], *truth['image_03'], (730, 710, 29, 19))
    assert samples[0].meta['kind'] == 'driving'

    lines = [f'2011_09_26/{drive}/image_02/data/{number} {drive}/proj_depth/groundtruth/image_02/'
             f'{number} 721.5', f'2011_09_26/{drive}/image_02/data/0000000070.png None 721.5']
    (tmp_path / 'eigen_test_files_with_gt.txt').write_text('\n'.join(lines))
    listed = open_dataset('kitti', tmp_path)
    assert len(listed) == 1 and listed[0].meta['name'] == f'{drive}_image_02_0000000069'

    (tmp_path / 'eigen_test_files_with_gt.txt').write_text('a.png b.png 1')
    with pytest.raises(GrinError, match='b.png'):
        open_dataset('kitti', tmp_path)
    (tmp_path / 'eigen_test_files_with_gt.txt').write_bytes(b'\xff\xfe')
    with pytest.raises(GrinError, match='is no list of frames'):
        open_dataset('kitti', tmp_path)

    (tmp_path / 'eigen_test_files_with_gt.txt').unlink()
    (tmp_path / '2011_09_26' / drive / 'image_03' / 'data' / number).unlink()
    (left,) = open_dataset('kitti', tmp_path)
    assert left.meta['name'] == f'{drive}_image_02_0000000069'


def test_kitti_depth_selection(tmp_path: Path) -> None:
    start, end = '2011_09_26_drive_0002_sync_', '_0000000005_image_02'
    truth = frame(tmp_path / 'image' / f'{start}image{end}.png',
                  tmp_path / 'groundtruth_depth' / f'{start}groundtruth_depth{end}.png', 256)
    (tmp_path / 'intrinsics').mkdir()
    (tmp_path / 'intrinsics' / f'{start}image{end}.txt').write_text('720 0 30 0 710 20 0 0 1\n')
    (sample,) = open_dataset('kitti', tmp_path)
    check(sample, *truth, (720, 710, 30, 20))


def test_nyu_pairs(tmp_path: Path) -> None:
    rgb, depth = frame(tmp_path / 'test' / 'bathroom' / 'rgb_00045.png',
                       tmp_path / 'test' / 'bathroom' / 'sync_depth_00045.png', 1000, (640, 480))
    (sample,) = open_dataset('nyu', tmp_path)
    check(sample, rgb, depth, (518.8579, 519.46961, 324.58245, 252.73617))
    assert sample.meta['name'] == 'bathroom_rgb_00045'


def test_nyu_labelled(tmp_path: Path) -> None:
    path = tmp_path / 'nyu_depth_v2_labeled.mat'
    rgb = RNG.integers(0, 255, (480, 640, 3)).astype(np.uint8)
    depth = RNG.uniform(1, 9, (480, 640)).astype(np.float32)
    h5py = pytest.importorskip('h5py', reason='h5py is not installed: pip install h5py')
    with h5py.File(path, 'w') as file:
        file['images'], file['rawDepths'] = rgb.transpose(2, 1, 0)[None], depth.T[None]
        file['depths'] = np.full_like(depth.T[None], 3.0)  # filled in: not what is scored
    (sample,) = open_dataset('nyu', tmp_path)
    check(sample, rgb, depth, (518.8579, 519.46961, 324.58245, 252.73617))


def test_what_reads_nyu_labelled_is_named_where_it_is_missing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'nyu_depth_v2_labeled.mat').touch()
    monkeypatch.setitem(sys.modules, 'h5py', None)  # importing it fails
    with pytest.raises(GrinError, match='labeled.mat cannot be read.*pip install h5py'):
        open_dataset('nyu', tmp_path)


def test_tum_matches_times(tmp_path: Path) -> None:
    folder = tmp_path / 'rgbd_dataset_freiburg2_desk'
    truth = frame(folder / 'rgb' / '1.00.png', folder / 'depth' / '1.01.png', 5000, (640, 480))
    frame(folder / 'rgb' / '2.00.png', folder / 'depth' / '2.03.png', 5000, (640, 480))
    (folder / 'rgb.txt').write_text('# color\n1.00 rgb/1.00.png\n2.00 rgb/2.00.png\n')
    (folder / 'depth.txt').write_text('# depth\n1.01 depth/1.01.png\n2.03 depth/2.03.png\n')
    (sample,) = open_dataset('tum', folder)
    assert sample.camera.distortion[0] == 0.231222
    rgb, depth = truth
    check(sample, rgb, depth, (520.90862, 521.007327, 325.141442, 249.701764))
    (folder / 'depth.txt').write_text('1.03 depth/1.01.png\n')
    with pytest.raises(GrinError, match='at most 0.02 s apart'):
        open_dataset('tum', folder)
    named = folder.rename(tmp_path / 'desk')
    with pytest.raises(GrinError, match='camera.yaml'):
        open_dataset('tum', named)


def test_a_sequence_of_ones_own_says_its_camera_and_what_1_m_is(tmp_path: Path) -> None:
    """Its depth_scale was not read, and millimetres were fifths of them."""
    truth = frame(tmp_path / '1.png', tmp_path / 'd1.png', 1000)
    (tmp_path / 'rgb.txt').write_text('1.00 1.png\n')
    (tmp_path / 'depth.txt').write_text('1.01 d1.png\n')
    camera = tmp_path / 'camera.yaml'
    camera.write_text('{fx: 50, fy: 51, cx: 29, cy: 19, width: 60, height: 40, '
                      'depth_scale: 1000, kind: driving}')
    (sample,) = open_dataset('tum', tmp_path)
    check(sample, *truth, (50, 51, 29, 19))
    assert sample.meta['kind'] == 'driving'
    camera.write_text(camera.read_text().replace('1000', 'mm'))
    with pytest.raises(GrinError, match="depth_scale must be .* not 'mm'"):
        open_dataset('tum', tmp_path)[0]


@pytest.mark.parametrize('layout', ['beside', 'folders'])
def test_a_plain_folder(tmp_path: Path, layout: str) -> None:
    image, depth = ((tmp_path / 'a.png', tmp_path / 'a_depth.png') if layout == 'beside' else
                    (tmp_path / 'rgb' / 'a.png', tmp_path / 'depth' / 'a.png'))
    truth = frame(image, depth, 4000)
    with pytest.raises(GrinError, match=f'has no camera: put a.yaml into {image.parent}, '):
        open_dataset('folder', tmp_path)[0]
    with pytest.raises(GrinError, match='there are no frames'):
        open_dataset('folder', image)
    facts = {'fx': 50, 'fy': 51, 'cx': 29, 'cy': 19, 'width': 60, 'height': 40}
    for scale in ('millimetres', 0, -1000, [1000]):
        (tmp_path / 'camera.json').write_text(json.dumps({**facts, 'depth_scale': scale}))
        with pytest.raises(GrinError, match='depth_scale must be'):
            open_dataset('folder', tmp_path)[0]
    for lens in ({'k1': 0.1, 'k2': 0}, {'D': [0.1, 0, 0, 0, 0]},  # taken for none it would bend
                 {'distortion': [[0], [0, 0.1]]}, {'distortion': {'k1': 0.1, 'k2': 0}}):
        (tmp_path / 'camera.json').write_text(json.dumps({**facts, **lens}))
        with pytest.raises(GrinError, match=f'camera.json has {next(iter(lens))} beside fx'):
            open_dataset('folder', tmp_path)[0]
    (tmp_path / 'camera.json').write_text(json.dumps({
        **facts, 'depth_scale': '4e3', 'kind': 'driving', 'k1': 0.0, 'D': [0, 0, 0, 0, 0],
        'distortion': 'none', 'coeffs': {'k1': 0.0}}))
    (sample,) = open_dataset('folder', tmp_path)
    check(sample, *truth, (50, 51, 29, 19))
    assert sample.meta['kind'] == 'driving'


def test_a_plain_folder_with_metres_and_camera_info(tmp_path: Path) -> None:
    write(tmp_path / 'b.jpg', np.full((40, 60, 3), 90, np.uint8))
    depth = RNG.uniform(1, 9, (40, 60)).astype(np.float32)
    np.save(tmp_path / 'b_depth.npy', depth)
    (tmp_path / 'b.yaml').write_text(
        'width: 60\nheight: 40\ndistortion_model: plumb_bob\nd: [0.1, 0, 0, 0, 0]\n'
        'k: [50, 0, 29, 0, 51, 19, 0, 0, 1]\n')
    (sample,) = open_dataset('folder', tmp_path)
    check(sample, np.full((40, 60, 3), 90), depth, (50, 51, 29, 19), atol=2)
    assert sample.camera.distortion[0] == 0.1
    np.save(tmp_path / 'b_depth.npy', depth[:20])
    with pytest.raises(GrinError, match='register depth'):
        open_dataset('folder', tmp_path)[0]
    np.save(tmp_path / 'b_depth.npy', (1000 * depth).astype(np.uint16))
    with pytest.raises(GrinError, match='b_depth.npy: depth must be metres.*divide'):
        open_dataset('folder', tmp_path)[0]


def test_a_folder_takes_every_camera_file(tmp_path: Path) -> None:
    """What `ros2 topic echo --once` prints, what OpenCV writes, each with a line of one's own."""
    truth = frame(tmp_path / 'a.png', tmp_path / 'a_depth.png', 5000)
    camera = tmp_path / 'camera.yaml'
    for text in ('depth_scale: 5e3\nkind: driving\nwidth: 60\nheight: 40\n'
                 'k: [50, 0, 29, 0, 51, 19, 0, 0, 1]\n---\n',
                 '%YAML 1.2\n---\ndepth_scale: 5000.\nkind: driving\nimage_width: 60\n'
                 'image_height: 40\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n'
                 '   dt: d\n   data: [ 50., 0., 29., 0., 51., 19., 0., 0., 1. ]\n'):
        camera.write_text(text)
        (sample,) = open_dataset('folder', tmp_path)
        check(sample, *truth, (50, 51, 29, 19))
        assert sample.meta['kind'] == 'driving'
    camera.write_bytes(b'\xff\xfe')
    with pytest.raises(GrinError, match='camera.yaml is no YAML'):
        open_dataset('folder', tmp_path)


def test_an_image_of_a_huge_size_is_named(tmp_path: Path) -> None:
    (tmp_path / 'huge.ppm').write_bytes(b'P6\n100000 100000\n255\n')
    with pytest.raises(GrinError, match='huge.ppm cannot be decoded'):
        read_image(tmp_path / 'huge.ppm')


def test_middlebury(tmp_path: Path) -> None:
    scene = tmp_path / 'Motorcycle'
    write(scene / 'im0.png', np.zeros((40, 60, 3), np.uint8))
    disparity = RNG.uniform(20, 90, (40, 60)).astype('<f4')
    disparity[0] = np.inf
    (scene / 'disp0.pfm').write_bytes(b'Pf\n60 40\n-0.003922\n' + disparity[::-1].tobytes())
    (scene / 'calib.txt').write_text('cam0=[994.9 0 31.1; 0 994.9 25.4; 0 0 1]\ncam1=[1 0 0]\n'
                                     'doffs=31.186\nbaseline=193.001\nwidth=60\n')
    (sample,) = open_dataset('middlebury', tmp_path)
    depth = 0.193001 * 994.9 / (disparity + 31.186)
    check(sample, np.zeros((40, 60, 3)), np.where(np.isinf(disparity), np.nan, depth),
          (994.9, 994.9, 31.1, 25.4))


def test_shards(tmp_path: Path) -> None:
    camera = Camera.from_hfov(70, 32, 24)
    with ShardWriter(tmp_path, 'worlds') as writer:
        writer.add(Sample(np.zeros((24, 32, 3), np.uint8), np.full((24, 32), 3, np.float32),
                          camera, {'kind': 'room'}))
    samples = open_dataset('shards', tmp_path)
    np.testing.assert_allclose(true_depth(samples[0]), 3 * camera.rays()[..., 2], rtol=1e-3)


def test_what_macos_leaves_beside_files_is_no_frame(tmp_path: Path) -> None:
    """On disks of others it writes ._NAME beside each; one ended a whole evaluation."""
    frame(tmp_path / 'folder/rgb/1.png', tmp_path / 'folder/depth/1.png', 1000)
    frame(tmp_path / 'folder/2.png', tmp_path / 'folder/2_depth.png', 1000)
    frame(tmp_path / 'kitti/image/1.png', tmp_path / 'kitti/groundtruth_depth/1.png', 256)
    (tmp_path / 'npz').mkdir()
    np.savez(tmp_path / 'npz' / '1.npz', rgb=np.zeros((8, 8, 3), np.uint8), K=np.eye(3),
             depth=np.ones((8, 8), np.float32))
    with ShardWriter(tmp_path / 'shards', 'own') as writer:
        writer.add(Sample(np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32),
                          Camera.from_hfov(70, 8, 8)))
    for path in [path for path in tmp_path.rglob('*') if path.is_file()]:
        path.with_name(f'._{path.name}').write_bytes(b'\0\5\x16\7')
    assert {name: len(open_dataset(name, tmp_path / name)) for name in (
        'folder', 'kitti', 'npz', 'shards')} == {'folder': 2, 'kitti': 1, 'npz': 1, 'shards': 1}


@pytest.mark.parametrize('name', sorted(DATASETS))
def test_what_is_no_dataset_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(GrinError, match=str(tmp_path)):
        open_dataset(name, tmp_path)
    with pytest.raises(GrinError, match='nowhere'):
        open_dataset(name, tmp_path / 'nowhere')


def test_frames_are_chosen_evenly() -> None:
    frames = range(10)
    assert chosen(frames, None) == chosen(frames, 12) == list(frames)  # type: ignore[arg-type]
    assert chosen(frames, 3) == [0, 3, 6]  # type: ignore[arg-type]
    assert evenly(10, 4) == [0, 3, 6, 9] and evenly(2, 9) == [0, 1] and evenly(0, 9) == []
