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

"""Answer: the thread that owns the model takes an image message in and sends messages out."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time
import traceback
from typing import Any

from rclpy.lifecycle import LifecycleNode

from grin_ros.diagnostics import Statistics
from grin_ros.engine.build import Cancelled
from grin_ros.engine.cuda_memory import CudaError
from grin_ros.engine.news import EngineNews
from grin_ros.errors import GrinError
from grin_ros.inputs import InputTopics
from grin_ros.intake import CameraInfos, Frame, read_frame, Rejected
from grin_ros.mailbox import Worker
from grin_ros.outputs import Outputs
from grin_ros.params import DepthParams
from grin_ros.watch import Stamps

# Stages of an estimate: what a CPU runs one by one is one of TensorRT's.
NETWORKS = ('encoder', 'conditioner', 'denoiser', 'networks')
PAUSE = 5.0  # [s] between two log lines about the same problem


class Answerer:
    """
    The model in its thread, and what it takes to answer an image.

    Every image that put() gets is answered or counted as dropped with the cause.

    :param params: returns the parameters as they are now.
    """

    def __init__(self, node: LifecycleNode, topics: InputTopics, statistics: Statistics,
                 params: Callable[[], DepthParams]) -> None:
        """Advertise the outputs and start to load the model."""
        self._node, self._topics, self._statistics = node, topics, statistics
        self._params = params
        self.infos = CameraInfos(topics.camera_info, topics.rectified,
                                 params().require_camera_info)
        self._publishing = threading.Lock()
        self._open = False
        self._camera: Any = None
        self._next_frame = 0.0
        self._stamps = Stamps(topics.name)
        self._told: dict[str, float] = {}
        self._outputs = Outputs(node)
        self._closing = threading.Event()
        self._news = EngineNews(statistics, node.get_logger())
        self.failure: GrinError | None = None
        # Last: a thread that nobody knows of because this failed would outlive the node.
        self._worker = Worker(self._load, self._answer, self._free)
        self.loaded = self._worker.loaded

    def open(self) -> None:
        """Let answers out."""
        with self._publishing:
            self._open = True

    def put(self, msg: Any) -> None:
        """Take an image message; the newest one wins."""
        self._statistics.receive()
        if self._worker.mailbox.put(msg) is not None:
            self._statistics.drop('engine_building' if self._statistics.busy else 'newer_frame')

    def shut(self) -> None:
        """Let nothing more out; what waits or is in work counts as dropped."""
        with self._publishing:
            self._open = False
        if self._worker.mailbox.empty() is not None:
            self._statistics.drop('inactive')

    def reset(self) -> None:
        """Forget the calibration and what was said before."""
        self.infos.forget()
        self._camera = None
        self._told.clear()

    def close(self, timeout: float) -> bool:
        """End the thread and take the outputs back; False when it still runs after that [s]."""
        self._closing.set()
        self.shut()
        if not self._worker.stop(timeout):
            return False
        self._outputs.close()
        return True

    def tell(self, about: str, text: str, problem: bool = True) -> None:
        """Log what may repeat with every frame, at most every few seconds."""
        if problem:
            self._statistics.complain(text)
        now = time.monotonic()
        if now - self._told.get(about, -PAUSE) >= PAUSE:
            self._told[about] = now
            logger = self._node.get_logger()
            if problem:
                logger.error(text)
            else:
                logger.warning(text)

    def warn(self, about: str, text: str) -> None:
        """Note in diagnostics and in the log what is wrong but stops nothing."""
        self._statistics.warn(about, text)
        self.tell(about, text, problem=False)

    def unheard(self) -> dict[str, str]:
        """Return a sentence for each output with subscribers that cannot hear it."""
        return self._outputs.unheard()

    def rewind(self) -> None:
        """Forget which calibration had which stamp: time went back."""
        self.infos.rewind()
        self._stamps.forget()

    def _load(self) -> Any:
        """Load the model."""
        # Here and not above: the import takes as long as the rest of the node together.
        from grin_ros.engine.options import EngineOptions
        from grin_ros.estimator import DepthEstimator
        params = self._params()
        engine = EngineOptions(
            device_id=params.device_id, allow_build=params.engine_build == 'background',
            report=self._news.report, warn=self._news.warn, cancelled=self._closing.is_set)
        estimator = DepthEstimator.load(
            params.bundle or None, backend=params.backend, cpu_threads=params.cpu_threads,
            query_stride=params.query_stride or None, seed=params.seed, engine=engine)
        self._statistics.facts |= {
            'backend': f'{estimator.backend.name} ({estimator.backend.reason})',
            'bundle': f'{estimator.bundle.name} ({estimator.bundle.folder})',
            'query_stride_px': str(estimator.query_stride)}
        return estimator

    def _free(self, estimator: Any) -> None:
        """Give back what the model holds, in the thread that used it."""
        estimator.close()

    def _answer(self, estimator: Any, msg: Any) -> None:
        """Answer one image, or count why not."""
        if self.failure is not None:
            self._statistics.drop('device_failed')
            return
        try:
            self._answer_or_raise(estimator, msg)
        except CudaError as error:  # the node goes to ERROR, see DepthNode
            self._statistics.drop('device_failed')
            self.tell('device_failed', str(error))
            self.failure = error
        except Cancelled:
            self._statistics.drop('inactive')
        except Rejected as error:
            self._statistics.drop(error.cause)
            if str(error):
                self.tell(error.cause, str(error))
        except GrinError as error:
            self._statistics.drop('not_estimated')
            self.tell('not_estimated', f'{self._topics.name}: {error}')
        except Exception as error:  # the next image may be fine
            if not self._node.context.ok():  # a signal came while it was published
                self._statistics.drop('inactive')
                return
            self._statistics.drop('internal_error')
            self.tell('internal_error', f'{type(error).__name__}: {error}\n'
                      + traceback.format_exc())
        finally:
            self._statistics.busy = ''

    def _answer_or_raise(self, estimator: Any, msg: Any) -> None:
        params, topics = self._params(), self._topics
        start, self._news.built = time.perf_counter(), False
        wanted = self._outputs.wanted(params)
        self._check_due(msg, wanted, params)
        frame = read_frame(msg, topics.compressed, self.infos, topics.name)
        self._note_camera(frame)
        decoded = time.perf_counter()
        estimator.seed = params.seed
        steps = params.num_inference_steps or estimator.bundle.default_steps
        estimate = estimator.estimate(frame.image, frame.camera, num_inference_steps=steps,
                                      num_samples=params.num_samples,
                                      output_scale=params.output_scale)
        estimated = time.perf_counter()
        if self._news.built:  # it took minutes: whoever acts on depth wants it of now
            raise Rejected('engine_building', '')
        messages = self._outputs.build(wanted, frame, estimate, topics.rectified, params)
        built = time.perf_counter()
        with self._publishing:
            if not self._open:
                raise Rejected('inactive', '')
            self._outputs.publish(messages, params)
        end = time.perf_counter()
        seconds = {'decode': decoded - start, 'estimate': estimated - decoded,
                   'build': built - estimated, 'publish': end - built, 'total': end - start}
        latencies = {stage: 1000 * value for stage, value in seconds.items()}
        latencies |= {f'estimate_{stage}': ms for stage, ms in estimate.timing.items()}
        latencies['outside_networks'] = (
            latencies['total'] - sum(estimate.timing.get(stage, 0.0) for stage in NETWORKS))
        latencies['since_stamp'] = 1000 * self._age(msg)
        self._statistics.facts['num_inference_steps'] = str(steps)
        self._statistics.answer(latencies)

    def _check_due(self, msg: Any, wanted: set[str], params: DepthParams) -> None:
        """Reject a frame that nobody wants, that is too old, or that exceeds the rate."""
        if not wanted:
            raise Rejected('not_wanted', '')
        age = self._age(msg)
        self._check_stamp(msg)
        if 0 < params.max_age < age:
            raise Rejected('too_old', f'images on {self._topics.name} are {age:.2f} s old when '
                           'their turn comes: raise max_age, or set use_sim_time: true when '
                           'a bag is played')
        now = time.monotonic()
        if params.max_rate > 0:
            if now < self._next_frame:
                raise Rejected('max_rate', '')
            # On time on average; after a pause the next one still waits half a period.
            period = 1 / params.max_rate
            self._next_frame = max(self._next_frame + period, now + period / 2)

    def _check_stamp(self, msg: Any) -> None:
        """Say what is wrong with the time of an image; it is answered all the same."""
        found = self._stamps.check(_nanoseconds(msg), self._node.get_clock().now().nanoseconds)
        for about, text in found.items():
            self.warn(about, f'{text} ({self._topics.publishers()})')
        if 'stamps_go_back' in found:
            self.infos.rewind()

    def _age(self, msg: Any) -> float:
        """Return the seconds since the stamp of a message; 0 for one without."""
        moment = _nanoseconds(msg)
        return (self._node.get_clock().now().nanoseconds - moment) / 1e9 if moment else 0.0

    def _note_camera(self, frame: Frame) -> None:
        """Say once per camera what is known about it."""
        camera, facts = frame.camera, self._statistics.facts
        if camera is None:
            facts |= {'camera': 'default pinhole', 'scale': 'not metric'}
            self.tell('scale', f'no usable camera_info on {self.infos.topic}: the default '
                      'pinhole is used, and the scale is not metric', problem=False)
        elif camera is not self._camera:
            k = camera.intrinsics
            facts |= {'scale': 'metric', 'camera': (
                f'{camera.width}x{camera.height}, fx {k[0, 0]:.1f} fy {k[1, 1]:.1f} '
                f'cx {k[0, 2]:.1f} cy {k[1, 2]:.1f} px, {camera.model}, from '
                f'{self.infos.topic}')}
            self._node.get_logger().info(f'camera: {facts["camera"]}')
            facts['grid'] = self._params().output if not camera.is_pinhole else 'undistorted'
            if facts['grid'] == 'input':
                facts['grid'] = 'distorted'
                self._node.get_logger().warning(
                    'depth lies on the distorted grid of the image: our cloud is right, but '
                    'depth_image_proc, nvblox and rtabmap need output: rectified')
        self._camera = camera


def _nanoseconds(msg: Any) -> int:
    """Return the stamp of a message; 0 for one without."""
    return int(msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec)
