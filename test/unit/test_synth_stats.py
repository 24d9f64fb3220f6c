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

"""Statistics of shards: known frames give known percentiles."""

import numpy as np

from grin_ros.camera import Camera
from grin_ros.data.sample import Sample
from grin_ros.data.shards import ShardWriter
from grin_ros.synth.stats import world_stats


def frame(range_m, hfov_deg, **meta):
    """Return a frame of one range."""
    return Sample(np.zeros((24, 32, 3), np.uint8), np.full((24, 32), range_m, np.float32),
                  Camera.from_hfov(hfov_deg, 32, 24), meta)


def test_percentiles_by_kind(tmp_path):
    """Ranges, views, pitch and height of each kind come out; an unknown pose is said."""
    with ShardWriter(tmp_path, 'worlds') as writer:
        for _ in range(3):
            writer.add(frame(2.0, 60, kind='room', pitch_deg=-10.0, height_m=1.5))
        writer.add(frame(20.0, 90, kind='street'))
    table = world_stats(tmp_path).splitlines()
    assert [line.split()[:2] for line in table[1:]] == [
        ['room', '3'], ['street', '1'], ['together', '4']]
    room, street, together = (line.split()[2:] for line in table[1:])
    np.testing.assert_allclose([float(value) for value in room[:6]], 2.0, rtol=0.01)
    assert room[9:] == ['-10.00'] * 3 + ['1.50'] * 3
    assert street[9:] == ['unknown', 'unknown']
    assert float(together[2]) > 19  # the 95th percentile sees the street
