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

"""Shards give back what was put in, at random, and name what is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.data.shards import (
    decode_range,
    encode_range,
    ShardDataset,
    ShardWriter,
    write_shard,
)
from grin_ros.errors import GrinError


def make_sample(number: int) -> Sample:
    """Return a smooth picture with unknown, sky and finite ranges."""
    v, u = np.mgrid[:24, :32]
    image = np.stack([u * 7, v * 9, 0 * u + number * 20], -1).astype(np.uint8)
    range_m = (0.3 + u + v + number).astype(np.float32)
    range_m[0, :5], range_m[1, :5] = np.nan, np.inf
    return Sample(image, range_m, Camera.from_hfov(60 + number, 32, 24), {'kind': 'room'})


def test_range_code_keeps_four_digits():
    """The step is 0.015 %, so the round trip is off by less than 1e-4."""
    range_m = np.geomspace(0.05, 1000, 100_001)
    assert np.abs(decode_range(encode_range(range_m)) / range_m - 1).max() < 1e-4


def test_range_code_tells_unknown_from_sky():
    """Unknown and sky survive; what is beyond the code is clipped, nonsense is unknown."""
    code = encode_range(np.array([np.nan, np.inf, 0.01, 5000, -1, 0]))
    assert code.tolist() == [0, 65535, 1, 65534, 0, 0]
    back = decode_range(code)
    assert np.isnan(back[[0, 4, 5]]).all() and np.isposinf(back[1])
    np.testing.assert_allclose(back[2:4], [0.05, 1000], rtol=1e-6)


def test_dataset_reads_any_sample(tmp_path):
    """Seven samples in shards of three come back in any order, with camera and meta."""
    with ShardWriter(tmp_path, 'some', per_shard=3) as writer:
        for number in range(7):
            writer.add(make_sample(number))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        'some-000000.tar', 'some-000001.tar', 'some-000002.tar']
    dataset = ShardDataset(tmp_path)
    assert len(dataset) == 7
    for number in (6, 0, 4, -1):
        sample, truth = dataset[number], make_sample(number % 7)
        assert np.abs(sample.image.astype(int) - truth.image).mean() < 4  # it is a JPEG
        np.testing.assert_allclose(sample.range_m, truth.range_m, rtol=1e-4)
        assert sample.camera.to_dict() == truth.camera.to_dict()
        assert sample.meta['kind'] == dataset.meta(number)['kind'] == 'room'
    with pytest.raises(IndexError):
        dataset[7]


def test_same_samples_give_same_bytes(tmp_path):
    """No time and no owner is stored."""
    for name in ('a', 'b'):
        with ShardWriter(tmp_path, name) as writer:
            writer.add(make_sample(1))
    assert (tmp_path / 'a-000000.tar').read_bytes() == (tmp_path / 'b-000000.tar').read_bytes()


def test_interrupted_writer_leaves_no_shard(tmp_path):
    """A shard appears only when it is complete."""
    with pytest.raises(KeyboardInterrupt), ShardWriter(tmp_path, 'some') as writer:
        writer.add(make_sample(0))
        raise KeyboardInterrupt
    assert not list(tmp_path.glob('*.tar'))


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    """A sample that fails, as a full disk does, takes the half shard with it."""
    def samples():
        yield '0', {'jpg': b'picture'}
        raise OSError('full')
    with pytest.raises(OSError, match='full'):
        write_shard(tmp_path / 'some-000000.tar', samples())
    assert not list(tmp_path.iterdir())


def test_errors_name_file_and_remedy(tmp_path):
    """An empty folder, a truncated shard and a damaged picture are told apart."""
    with pytest.raises(GrinError, match='grin scenes'):
        ShardDataset(tmp_path)
    with pytest.raises(GrinError, match='no shards .* in nowhere: render some'):
        ShardDataset('nowhere')
    with ShardWriter(tmp_path, 'some') as writer:
        writer.add(make_sample(0))
    path = tmp_path / 'some-000000.tar'
    whole = path.read_bytes()
    path.write_bytes(whole[:700])
    with pytest.raises(GrinError, match='some-000000.tar'):
        ShardDataset(tmp_path)
    path.write_bytes(whole[:512] + bytes(900) + whole[512 + 900:])
    with pytest.raises(GrinError, match='some-000000.tar: 000000000'):
        ShardDataset(tmp_path)[0]
