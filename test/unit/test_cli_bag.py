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

"""The verb bag: every image of a recorded camera gets its depth, and nothing of ROS is needed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recorded_bag import HEIGHT, K, outputs, PICTURES, record, TOPICS, WIDTH

from grin_ros.camera import Camera
from grin_ros.cli import bag, main
from grin_ros.estimator import DepthEstimator

pytest.importorskip('onnxruntime', reason='no ONNX Runtime: pip install "grin_ros[cpu]"')


@pytest.mark.parametrize('form', [{}, {'compressed': True}, {'is_1': True}],
                         ids=['raw', 'compressed', 'ros1'])
def test_every_image_gets_the_depth_that_the_estimator_gives_it(
        tiny_bundle: Path, tmp_path: Path, form: dict) -> None:
    source = record(tmp_path / ('run.bag' if form.get('is_1') else 'run'), **form)
    topics = list(TOPICS)
    if form.get('compressed'):
        topics[1] += '/compressed'
    (tmp_path / 'params.yaml').write_text(
        '/**:\n  ros__parameters: {edge_gate: false, frame_id: base, max_depth: 5.0}\n')
    assert main(['bag', str(source), str(tmp_path / 'out'), *topics, '--bundle', str(tiny_bundle),
                 '--threads', '1', '--params-file', str(tmp_path / 'params.yaml'),
                 '--json', str(tmp_path / 'figures.json')]) == 0
    assert json.loads((tmp_path / 'figures.json').read_text())['answered'] == 3
    found = outputs(tmp_path / 'out')
    estimator = DepthEstimator.load(tiny_bundle, 'onnxruntime', cpu_threads=1)
    camera = Camera(np.array(K).reshape(3, 3), WIDTH, HEIGHT)
    assert sorted(found) == ['/grin/camera_info', '/grin/depth']
    for seconds, (rgb, (moment, depth), (_, description)) in enumerate(
            zip(PICTURES, found['/grin/depth'], found['/grin/camera_info'], strict=True), 1):
        assert moment == seconds * 10**9 and depth.header == description.header
        assert (depth.header.stamp.sec, depth.header.stamp.nanosec) == (seconds, 5)
        assert (depth.header.frame_id, depth.encoding) == ('base', '32FC1')
        estimate = estimator.estimate(rgb, camera)
        expected = np.where(estimate.depth > 5, np.inf, np.where(
            (estimate.depth < 0.1) & (estimate.range < 0.1), -np.inf, estimate.depth))
        np.testing.assert_array_equal(depth.data.view(np.float32).reshape(HEIGHT, WIDTH), expected)
        assert description.k.tolist() == K and description.p[0] == 70


def test_images_without_a_fitting_camera_info_are_counted(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = record(tmp_path / 'run', width=640)
    assert main(['bag', str(source), str(tmp_path / 'out'), *TOPICS,
                 '--bundle', str(tiny_bundle)]) == 1
    said = capsys.readouterr()
    assert '0 images answered, 3 dropped: camera_info_size' in said.out
    assert said.err.count('describes 640x64') == 1


@pytest.mark.parametrize('also', ['', 'require_camera_info: false'], ids=['lens', 'optional'])
def test_parameters_are_those_of_the_node(tiny_bundle: Path, tmp_path: Path, also: str) -> None:
    """Seed, stride, lens and one of several cameras; what concerns the node alone may be there."""
    source = record(tmp_path / 'run', width=640)  # its camera_info does not fit
    (tmp_path / 'params.yaml').write_text(f"""/**:
  ros__parameters:
    use_sim_time: true
    cameras: ['front', 'rear']
    bundle: {tiny_bundle}
    query_stride: 2
    seed: 5
    {also}
    edge_gate: false
    scale_smoothing: 0.0
    rear: {{image_topic: /eye/image_raw, hfov_deg: 60.0}}
""")
    assert main(['bag', str(source), str(tmp_path / 'out'), *TOPICS, '--threads', '1',
                 '--namespace', 'robot/', '--params-file', str(tmp_path / 'params.yaml')]) == 0
    estimator = DepthEstimator.load(tiny_bundle, 'onnxruntime', cpu_threads=1, query_stride=2,
                                    seed=5)
    camera = Camera.from_hfov(60, WIDTH, HEIGHT)
    found = outputs(tmp_path / 'out')['/robot/depth']
    for rgb, (_, depth) in zip(PICTURES, found, strict=True):
        expected = estimator.estimate(rgb, camera).depth
        depth = depth.data.view(np.float32).reshape(HEIGHT, WIDTH)
        known = np.isfinite(depth)
        assert known.mean() > 0.5
        np.testing.assert_array_equal(depth[known], expected[known])


def test_the_command_line_wins_over_the_parameters(tmp_path: Path) -> None:
    (tmp_path / 'params.yaml').write_text("""/**:
  ros__parameters: {backend: onnxruntime, num_samples: 4, seed: 7, cpu_threads: 1}
""")
    parser = argparse.ArgumentParser()
    bag.add_arguments(parser)
    ask = ['in', 'out', *TOPICS, '--params-file', str(tmp_path / 'params.yaml')]
    for more, expected in (((), ('onnxruntime', 4, 7, 1)),
                           (('--samples', '2', '--seed', '0', '--backend', 'torch'),
                            ('torch', 2, 0, 1))):
        options = parser.parse_args([*ask, *more])
        bag.apply_params(options)
        assert (options.backend, options.samples, options.seed, options.threads) == expected


def test_what_was_answered_before_the_end_is_kept(
        tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C after the second image: the output is a whole bag of two."""
    source, estimate, calls = record(tmp_path / 'run'), DepthEstimator.estimate, []

    def until_tired(self: DepthEstimator, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return estimate(self, *arguments, **options)
    monkeypatch.setattr(DepthEstimator, 'estimate', until_tired)
    assert main(['bag', str(source), str(tmp_path / 'out'), *TOPICS,
                 '--bundle', str(tiny_bundle)]) == 130
    assert len(outputs(tmp_path / 'out')['/grin/depth']) == 2
    assert '2 images answered' in capsys.readouterr().out


def test_a_bag_without_metadata_is_told_what_helps(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record(tmp_path / 'run') / 'metadata.yaml').unlink()
    arguments = [str(tmp_path / 'out'), *TOPICS, '--bundle', str(tiny_bundle)]
    assert main(['bag', str(tmp_path / 'run'), *arguments]) == 2
    assert 'run has no metadata.yaml: run "ros2 bag reindex"' in capsys.readouterr().err
    assert main(['bag', str(tmp_path / 'run' / 'run.db3'), *arguments]) == 0


def test_the_help_says_which_parameters_are_not_followed() -> None:
    parser = argparse.ArgumentParser()
    bag.add_arguments(parser)
    assert 'depth_encoding' in parser.format_help() and 'max_rate' in parser.format_help()


@pytest.mark.parametrize('arguments, words', [
    (['missing', 'out', *TOPICS], 'there is no bag missing'),
    (['run', 'run', *TOPICS], 'is there already'),
    (['run', 'out', '--image-topic', '/eye/image', *TOPICS[2:]], 'choose one of /eye/image_raw'),
    (['run/metadata.yaml', 'out', *TOPICS], 'run/metadata.yaml is no bag: give its folder'),
    (['run', 'out', *TOPICS, '--namespace', '/left eye'], '--namespace /left eye: give words'),
    (['run', 'out', *TOPICS, '--params-file', 'run/metadata.yaml'], 'is no parameter file'),
])
def test_problems_of_the_user_end_with_one_sentence(
        tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list,
        words: str, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    record(tmp_path / 'run')
    assert main(['bag', *arguments, '--bundle', str(tiny_bundle)]) == 2
    assert words in capsys.readouterr().err


def test_a_bag_without_any_camera_info_says_what_stands_in_for_it(
        tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a webcam: `grin bag` wanted another topic, and there was none."""
    source = record(tmp_path / 'run', infos=False)
    arguments = ['bag', str(source), str(tmp_path / 'out'), *TOPICS, '--bundle', str(tiny_bundle)]
    assert main(arguments) == 2
    assert 'it has none anywhere, so set hfov_deg in --params-file' in capsys.readouterr().err
    (tmp_path / 'lens.yaml').write_text('/**: {ros__parameters: {hfov_deg: 60.0}}')
    assert main([*arguments, '--params-file', str(tmp_path / 'lens.yaml')]) == 0
    assert len(outputs(tmp_path / 'out')['/grin/depth']) == len(PICTURES)


def test_an_error_leaves_no_half_bag(tiny_bundle: Path, tmp_path: Path,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / 'run')
    arguments = ['bag', str(tmp_path / 'run'), str(tmp_path / 'out'), *TOPICS, '--bundle',
                 str(tiny_bundle), '--threads', '1']
    assert main([*arguments, '--steps', '99']) == 2
    assert 'steps' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
    assert main(arguments) == 0
