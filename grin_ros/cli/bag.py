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


"""The verb ``bag``: a recorded camera in, a bag of its depth and camera_info out, without ROS."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grin_ros.cli.camera_options import floor_note
from grin_ros.cli.files import finished, need_place, write_json
from grin_ros.cli.options import (
    add_estimator_options,
    chosen_namespace,
    complain,
    load_estimator,
    progress,
)
from grin_ros.cli.recorded import damages, IMAGE, INFO, Recorded
from grin_ros.errors import GrinError, require
from grin_ros.messages.intake import Frame, Rejected
from grin_ros.params import DepthParams
from grin_ros.params.file import read_params
from grin_ros.postprocess.body_mask import BodyMask
from grin_ros.postprocess.result import Results

INTERRUPTED = 'interrupted'
ENDINGS = ('.db3', '.mcap', '.bag')  # of files that rosbags reads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('input', type=Path, metavar='BAG', help='of ROS 2 (a folder) or ROS 1')
    parser.add_argument('output', type=Path, metavar='OUT', help='a new bag of ROS 2')
    parser.add_argument('--image-topic', required=True, metavar='TOPIC',
                        help='Image or CompressedImage')
    parser.add_argument('--camera-info-topic', required=True, metavar='TOPIC')
    parser.add_argument('--namespace', default='/grin', metavar='NAME',
                        help='the topics are NAME/depth and NAME/camera_info (default: /grin)')
    parser.add_argument('--params-file', type=Path, metavar='YAML',
                        help='parameters of the node, as in config/depth.param.yaml; two are '
                        'not followed: depth is 32FC1 whatever depth_encoding says, and every '
                        'image is answered whatever max_rate says')
    add_estimator_options(parser)
    # None is what the command line leaves to the parameters of the node.
    parser.set_defaults(backend=None, samples=None, seed=None, threads=None, cpu_precision=None)


def run(options: argparse.Namespace) -> int:
    """Answer every image; outputs carry its header and its time in the bag."""
    highlevel, rosbag2 = require('rosbags.highlevel', 'bag'), require('rosbags.rosbag2', 'bag')
    typesys = require('rosbags.typesys', 'bag')
    damaged = damages()
    check(options)
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    namespace = chosen_namespace(options)
    topics = [f'{namespace}/{name}' for name in ('depth', 'camera_info')]
    answers = Answers(options, store)
    try:
        with (finished(options.output) as partial,
              highlevel.AnyReader([options.input], default_typestore=store) as reader):
            source = Recorded(reader, options.image_topic, options.camera_info_topic,
                              answers.params)
            # The version that Humble reads, too.
            with rosbag2.Writer(partial, version=8) as writer:
                outs = [writer.add_connection(topic, kind, typestore=store)
                        for topic, kind in zip(topics, (IMAGE, INFO), strict=True)]
                try:
                    answers.write(source, writer, outs)
                # What there is by then is worth keeping: the writer drops all on an error.
                except KeyboardInterrupt:
                    answers.stopped = INTERRUPTED
                except damaged as error:
                    if not answers.count:
                        raise
                    answers.stopped = str(error)
            if answers.stopped == INTERRUPTED and not answers.count:
                raise KeyboardInterrupt
    except damaged as error:
        raise GrinError(f'{options.input} or {options.output}: {error}') from error
    answers.report(source, topics)
    if answers.stopped:
        complain(f'stopped before the end of {options.input}: {answers.stopped}')
    return 130 if answers.stopped == INTERRUPTED else int(
        bool(answers.stopped) or not answers.count)


def check(options: argparse.Namespace) -> None:
    """
    Refuse what is no bag to read, or no place for a new one, before anything is loaded.

    :raises GrinError: naming it.
    """
    if not options.input.exists():
        raise GrinError(f'there is no bag {options.input}')
    if options.input.is_dir() and not (options.input / 'metadata.yaml').exists():
        raise GrinError(f'{options.input} has no metadata.yaml: run "ros2 bag reindex", or give '
                        'the .db3 or .mcap file itself')
    if options.input.is_file() and options.input.suffix not in ENDINGS:
        raise GrinError(f'{options.input} is no bag: give its folder, or a file that ends in '
                        f'{", ".join(ENDINGS)}')
    if options.output.exists():
        raise GrinError(f'{options.output} is there already: give the name of a new bag')
    need_place(options.output, 'OUT')


class Answers:
    """
    The images of a bag that were answered, and what became of the others.

    :param store: rosbags' types.
    """

    def __init__(self, options: argparse.Namespace, store: Any) -> None:
        """Read the parameters and load the model."""
        self._options, self._store = options, store
        self.params = apply_params(options)
        self._results = Results(
            BodyMask(self.params.body_mask) if self.params.body_mask else None)
        self._estimator = load_estimator(options)
        self._dropped, self._without, self._reason = Counter[str](), 0, ''
        self.count, self.stopped = 0, ''  # images answered; why the end was not reached

    def write(self, source: Recorded, writer: Any, outs: list[Any]) -> None:
        """Write depth and camera_info of each image to the connections outs."""
        options, params, store = self._options, self.params, self._store
        for moment, msg, frame in frames(source, self._dropped):
            estimate = self._estimator.estimate(
                frame.image, frame.camera, options.steps, options.samples,
                output_scale=params.output_scale, prompts=frame.prompts)
            if source.ranges is not None and not frame.num_ranges:
                self._without, self._reason = self._without + 1, source.ranges.problem
            result = self._results.make(frame, estimate, params)
            header = header_of(store, msg, params.frame_id)
            made = (depth_of(store, result.depth, header),
                    info_of(store, source.description(result), header))
            for out, each in zip(outs, made, strict=True):
                writer.write(out, moment, bytes(store.serialize_cdr(each, out.msgtype)))
            self.count += 1

    def report(self, source: Recorded, topics: list[str]) -> None:
        """Say what became of all images, and write it as JSON if asked to."""
        lost = ''.join(f', {count} dropped: {cause}'
                       for cause, count in sorted(self._dropped.items()))
        if self.params.camera_height:
            print(floor_note(self._results.floor))
        if self._without:
            complain(f'{self._without} images without known ranges: {self._reason}')
        backend = self._estimator.backend.reason
        print(f'{self.count} images answered{lost}; {source.rule}\n'
              f'{backend}; {self._options.output} has {" and ".join(topics)}')
        write_json(self._options.json, {
            'answered': self.count, 'dropped': dict(self._dropped), 'stopped': self.stopped,
            'bundle': self._estimator.bundle.name, 'backend': backend})


def frames(source: Recorded, dropped: Counter[str]) -> Iterator[tuple[int, Any, Frame]]:
    """Yield the time, message and frame of each image; count those that cannot be answered."""
    for moment, msg in progress(source, 'bag'):
        try:
            frame = source.frame(msg)
        except Rejected as error:
            if not dropped[error.cause]:
                complain(str(error))
            dropped[error.cause] += 1
        else:
            yield moment, msg, frame


def apply_params(options: argparse.Namespace) -> DepthParams:
    """Return the node's parameters; what the command line leaves open follows them."""
    params = read_params(options.params_file, options.image_topic)
    if params.needs_tf:
        raise GrinError('grin bag reads no TF: in place of floor_frame and ranges_from_tf set '
                        'camera_height, camera_pitch_deg and ranges_camera_pose')
    for option, value in (
            ('bundle', params.bundle or None), ('backend', params.backend),
            ('stride', params.query_stride or None), ('steps', params.num_inference_steps or None),
            ('samples', params.num_samples), ('seed', params.seed),
            ('threads', params.cpu_threads), ('cpu_precision', params.cpu_precision)):
        if getattr(options, option) is None:
            setattr(options, option, value)
    return params


def header_of(store: Any, msg: Any, frame_id: str) -> Any:
    """Return the header of an output: the stamp of the image, and its frame unless set."""
    kinds, stamp = store.types, msg.header.stamp
    return kinds['std_msgs/msg/Header'](
        kinds['builtin_interfaces/msg/Time'](stamp.sec, stamp.nanosec),
        frame_id or msg.header.frame_id)


def depth_of(store: Any, depth: NDArray[np.float32], header: Any) -> Any:
    """Return depth as an Image of 32FC1."""
    height, width = depth.shape
    return store.types[IMAGE](header, height, width, '32FC1', 0, 4 * width,
                              np.ascontiguousarray(depth).view(np.uint8).ravel())


def info_of(store: Any, fields: dict[str, Any], header: Any) -> Any:
    """Return the CameraInfo of depth."""
    region = store.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
    fields = fields | {'d': np.array(fields['d'], np.float64)}
    return store.types[INFO](header=header, binning_x=0, binning_y=0, roi=region, **fields)
