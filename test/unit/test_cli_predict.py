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

"""The verb predict: its files, its refusals, and that torch stays at home."""

from __future__ import annotations

import json
from pathlib import Path
import resource
import subprocess
import sys

import cv2
import numpy as np
import pytest

from grin_ros.cli import main

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')
ROOT = Path(__file__).parents[2]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    path = tmp_path / 'photo.png'
    cv2.imwrite(str(path), image)
    return path


def predict(tiny_bundle: Path, *arguments: str | Path) -> int:
    return main(['predict', *map(str, arguments), '--bundle', str(tiny_bundle), '--threads', '1'])


@pytest.mark.parametrize('camera', [
    ('--intrinsics', '70', '70', '39.5', '29.5'), ('--hfov', '60'), ('--no-intrinsics',)])
def test_every_image_gets_its_four_files(tiny_bundle: Path, tmp_path: Path, photo: Path,
                                         camera: tuple[str, ...],
                                         capsys: pytest.CaptureFixture[str]) -> None:
    out, figures = tmp_path / 'out', tmp_path / 'figures.json'
    assert predict(tiny_bundle, photo, *camera, '--output', out, '--json', figures) == 0
    depth, sigma = np.load(out / 'photo_depth.npy'), np.load(out / 'photo_sigma.npy')
    assert depth.shape == sigma.shape == (60, 80) and depth.dtype == np.float32
    assert cv2.imread(str(out / 'photo_depth.png')).shape[0] == 60
    assert (out / 'photo_points.ply').read_bytes().startswith(b'ply')
    row = json.loads(figures.read_text())['images'][0]
    assert row['metric'] is (camera != ('--no-intrinsics',))
    assert ('scale not metric' in capsys.readouterr().out) is not row['metric']


def test_a_range_that_is_known_changes_depth(tiny_bundle: Path, tmp_path: Path, photo: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    here = '--hfov', '60', '--output'
    assert predict(tiny_bundle, photo, *here, tmp_path / 'without') == 0
    known = '--range', '10', '20', '1.5', '--range', '5', '5', '2'
    assert predict(tiny_bundle, photo, *here, tmp_path / 'with', *known) == 0
    without, with_ranges = (np.load(tmp_path / name / 'photo_depth.npy')
                            for name in ('without', 'with'))
    assert not np.allclose(without, with_ranges, rtol=1e-3, equal_nan=True)
    for arguments, words in (
            ((*here, tmp_path / 'no', *known, '--camera-height', '1'), '--camera-height'),
            ((*here, tmp_path / 'no', '--range', '1e5', '5', '2'), 'in the image'),
            ((*here, tmp_path / 'no', '--range', '5', '5', 'nan'), 'as numbers'),
            ((photo, *here, tmp_path / 'no', *known), 'overwrite each other'),
            (('--no-intrinsics', *known, '--output', tmp_path / 'no'), 'known camera')):
        assert predict(tiny_bundle, photo, *arguments) == 2
        assert words in capsys.readouterr().err


def test_a_floor_that_is_not_seen_is_named(tiny_bundle: Path, tmp_path: Path, photo: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    """Without a floor depth is what it is without the height, and the user is told."""
    here = '--hfov', '60', '--output'
    assert predict(tiny_bundle, photo, *here, tmp_path / 'without') == 0
    assert predict(tiny_bundle, photo, *here, tmp_path / 'with', '--camera-height', '50',
                   '--camera-pitch', '-80') == 0
    assert 'no floor was seen' in capsys.readouterr().err
    np.testing.assert_array_equal(*(np.load(tmp_path / name / 'photo_depth.npy')
                                    for name in ('without', 'with')))
    for arguments, words in (
            ((*here, tmp_path / 'no', '--camera-height', '-1'), 'camera_height'),
            ((*here, tmp_path / 'no', '--camera-pitch', '9'), 'goes with --camera-height'),
            (('--no-intrinsics', '--camera-height', '1', '--output', tmp_path / 'no'),
             'needs a known camera')):
        assert predict(tiny_bundle, photo, *arguments) == 2
        assert words in capsys.readouterr().err


def test_a_camera_must_be_given(tiny_bundle: Path, photo: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        predict(tiny_bundle, photo, '--output', tmp_path)
    assert stop.value.code == 2


def test_problems_of_the_user_end_with_one_sentence(
        tiny_bundle: Path, photo: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    notes = tmp_path / 'notes.txt'
    notes.write_text('no image')
    for path, reason in ((tmp_path / 'missing.png', 'cannot be read'), (notes, 'no image that')):
        assert predict(tiny_bundle, path, '--hfov', '60', '--output', tmp_path) == 2
        assert reason in capsys.readouterr().err
    other = tmp_path / 'other' / 'photo.jpg'
    assert predict(tiny_bundle, photo, other, '--hfov', '60', '--output', tmp_path) == 2
    assert 'overwrite' in capsys.readouterr().err
    assert main(['predict', str(photo), '--hfov', '60', '--output', str(tmp_path),
                 '--bundle', str(tmp_path)]) == 2
    assert 'grin.json is missing' in capsys.readouterr().err


def test_a_folder_is_all_its_images_but_those_that_cannot_be_read(
        tiny_bundle: Path, photo: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / 'photos', tmp_path / 'out'
    folder.mkdir()
    for name in ('b.JPG', 'a.png', 'c_depth.png'):
        cv2.imwrite(str(folder / name), cv2.imread(str(photo)))
    (folder / 'notes.txt').write_text('no image')
    (folder / '._a.png').write_bytes(b'what another system keeps beside an image')
    arguments = folder, '--hfov', '60', '--output', out, '--json', out / 'figures.json'
    assert predict(tiny_bundle, *arguments) == 0
    (folder / 'b2.png').write_bytes(b'cut')
    cv2.imwrite(str(folder / 'b3.png'), np.zeros((4, 4, 3), np.uint8))
    assert predict(tiny_bundle, *arguments) == 1
    rows = json.loads((out / 'figures.json').read_text())['images']
    assert [Path(row['image']).name for row in rows] == ['a.png', 'b.JPG']
    printed = capsys.readouterr()
    assert printed.err.count('left out') == 2
    assert printed.err.count('b2.png') == printed.err.count('b3.png') == 1  # each is named, once
    assert '2 of 4 images were left out' in printed.out
    assert sorted(path.name for path in out.glob('*.ply')) == ['a_points.ply', 'b_points.ply']
    assert predict(tiny_bundle, *arguments, '--steps', '99') == 2  # the same for all: once
    assert capsys.readouterr().err.count('steps') == 1
    out.joinpath('empty').mkdir()
    assert predict(tiny_bundle, out / 'empty', *arguments[1:]) == 2
    assert 'holds no image' in capsys.readouterr().err


def test_an_image_of_a_huge_size_is_left_out(
        tiny_bundle: Path, photo: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'huge.ppm').write_bytes(b'P6\n100000 100000\n255\n')
    assert predict(tiny_bundle, tmp_path, '--hfov', '60', '--output', tmp_path / 'out') == 1
    assert 'huge.ppm cannot be decoded' in capsys.readouterr().err
    assert (tmp_path / 'out' / f'{photo.stem}_depth.npy').exists()


def test_a_full_disk_does_not_stop_the_next_run(
        tiny_bundle: Path, photo: Path, tmp_path: Path) -> None:
    arguments = [photo, '--hfov', '60', '--output', tmp_path / 'out']
    run = subprocess.run(
        [sys.executable, '-m', 'grin_ros', 'predict', *map(str, arguments), '--bundle',
         str(tiny_bundle), '--threads', '1'], cwd=ROOT, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    assert run.returncode == 2, run.stderr
    assert 'out cannot be written' in run.stderr and 'Traceback' not in run.stderr
    assert predict(tiny_bundle, *arguments) == 0


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='this system has no /dev/full')
def test_figures_are_written_before_anything_is_printed(
        tiny_bundle: Path, photo: Path, tmp_path: Path) -> None:
    figures = tmp_path / 'figures.json'
    with open('/dev/full', 'w') as full:
        run = subprocess.run(
            [sys.executable, '-u', '-m', 'grin_ros', 'predict', str(photo), '--hfov', '60',
             '--output', str(tmp_path / 'out'), '--bundle', str(tiny_bundle), '--threads', '1',
             '--json', str(figures)], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 2 and 'Traceback' not in run.stderr
    assert len(json.loads(figures.read_text())['images']) == 1


def test_what_was_measured_beside_a_photo_is_not_overwritten(
        tiny_bundle: Path, photo: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    here = ('--hfov', '60', '--output', photo.parent)
    for end in ('depth.png', 'depth.npy', 'points.ply'):
        truth = photo.with_name(f'{photo.stem}_{end}')
        truth.write_bytes(b'measured')
        assert predict(tiny_bundle, photo, *here) == 2
        assert f'{truth.name} is there already' in capsys.readouterr().err
        assert truth.read_bytes() == b'measured'
        truth.unlink()
    for _ in range(2):  # results of its own are replaced
        assert predict(tiny_bundle, photo, *here) == 0


def test_a_place_that_is_none_is_named_with_its_option(
        tiny_bundle: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(tiny_bundle, photo, '--hfov', '60', '--output', photo) == 2
    assert f'--output {photo} cannot be made: File exists: give a' in capsys.readouterr().err


def test_the_camera_of_another_size_is_refused(
        tiny_bundle: Path, photo: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    info = tmp_path / 'camera.yaml'
    info.write_text('{width: 640, height: 480, k: [500, 0, 320, 0, 500, 240, 0, 0, 1]}')
    assert predict(tiny_bundle, photo, '--camera-info', info, '--output', tmp_path) == 2
    assert 'is of 640x480, and the image of 80x60: give' in capsys.readouterr().err


def test_predicting_never_imports_torch(tiny_bundle: Path, photo: Path, tmp_path: Path) -> None:
    code = ('import sys; from grin_ros.cli import main; code = main(sys.argv[1:]); '
            'sys.exit("torch was imported" if "torch" in sys.modules else code)')
    run = subprocess.run(
        [sys.executable, '-c', code, 'predict', str(photo), '--hfov', '60', '--output',
         str(tmp_path), '--bundle', str(tiny_bundle), '--threads', '1'],
        cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_a_photo_is_turned_as_its_exif_says_unless_intrinsics_are_those_of_the_sensor(
        tiny_bundle: Path, tmp_path: Path) -> None:
    """Orientation 6: the camera was held upright, the sensor's rows are columns."""
    jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), 128, np.uint8))[1].tobytes()
    tiff = (b'MM\0*\0\0\0\x08' + b'\0\x01' + b'\x01\x12\0\x03\0\0\0\x01\0\x06\0\0'
            + b'\0\0\0\0')
    exif = b'Exif\0\0' + tiff
    path = tmp_path / 'phone.jpg'
    path.write_bytes(jpeg[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + jpeg[2:])
    for camera, shape in ((('--hfov', '60'), (64, 48)), (('--no-intrinsics',), (64, 48)),
                          (('--intrinsics', '70', '70', '31.5', '23.5'), (48, 64))):
        assert predict(tiny_bundle, path, *camera, '--output', tmp_path / 'out') == 0
        assert np.load(tmp_path / 'out' / 'phone_depth.npy').shape == shape


def test_a_lens_unlike_those_of_training_is_named(
        tiny_bundle: Path, photo: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    assert predict(tiny_bundle, photo, '--hfov', '150', '--output', tmp_path) == 0
    assert 'field of view across is 150 deg' in capsys.readouterr().err
    assert predict(tiny_bundle, photo, '--hfov', '90', '--output', tmp_path) == 0
    assert 'field of view' not in capsys.readouterr().err
