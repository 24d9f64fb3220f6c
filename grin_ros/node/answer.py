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


"""Answer: the thread that owns the model takes image messages in and sends messages out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time
import traceback
from typing import Any

from rclpy.lifecycle import LifecycleNode

from grin_ros.engine.build import Cancelled
from grin_ros.engine.cuda_memory import CudaError
from grin_ros.errors import GrinError
from grin_ros.messages.intake import Frame, Rejected
from grin_ros.node.channel import Channel
from grin_ros.node.diagnostics import ModelStatus
from grin_ros.node.engine_news import EngineNews
from grin_ros.node.mailbox import Mailbox, Worker
from grin_ros.params import DepthParams

# Stages of an estimate: what a CPU runs one by one is one of TensorRT's.
NETWORKS = ('encoder', 'conditioner', 'denoiser', 'networks')
LITTLE = 0.01  # of depth that is known: whoever set it so did not mean to


@dataclass(frozen=True)
class Job:
    """
    An image that is to be answered.

    :param params: as they were when its turn came, with what TF says of them.
    :param wanted: outputs that somebody subscribes to.
    :param start: when its turn came [s, of perf_counter].
    :param decoded: when it was decoded.
    """

    channel: Channel
    msg: Any
    params: DepthParams
    frame: Frame
    wanted: set[str]
    start: float
    decoded: float

    @classmethod
    def of(cls, channel: Channel, msg: Any) -> Job:
        """
        Read an image message.

        :raises Rejected: when it is not to be answered.
        """
        start = time.perf_counter()
        frame, params, wanted = channel.read(msg)
        return cls(channel, msg, params, frame, wanted, start, time.perf_counter())

    @property
    def options(self) -> tuple[int, int, int, int]:
        """Return what images that are estimated together must have in common."""
        params = self.params
        return (params.num_inference_steps, params.num_samples, params.output_scale, params.seed)


class Answerer:
    """
    The model in its thread, which serves all cameras.

    :param mailbox: where messages wait, each sent by its Channel.
    :param params: returns the parameters that all cameras share.
    :param model: where facts about the model are noted.
    """

    def __init__(self, node: LifecycleNode, mailbox: Mailbox, params: Callable[[], DepthParams],
                 model: ModelStatus) -> None:
        """Start to load the model."""
        self._node, self._params, self._model = node, params, model
        self._closing = threading.Event()
        self._news = EngineNews(model, node.get_logger())
        self.failure: GrinError | None = None
        # Last: a thread that nobody knows of because this failed would outlive the node.
        self._worker = Worker(mailbox, self._load, self._answer, self._free,
                              lambda estimator: estimator.max_batch)
        self.loaded = self._worker.loaded

    def close(self, timeout: float) -> bool:
        """End the thread and free the model; False when it still runs after that [s]."""
        self._closing.set()
        return self._worker.stop(timeout)

    def _load(self) -> Any:
        """Load the model."""
        # Here and not above: the import takes as long as the rest of the node together.
        from grin_ros.engine.options import EngineOptions
        from grin_ros.estimator import DepthEstimator
        params = self._params()
        engine = EngineOptions(
            device_id=params.device_id, allow_build=params.engine_build == 'background',
            frames=params.max_batch,
            report=self._news.report, warn=self._news.warn, cancelled=self._closing.is_set)
        estimator = DepthEstimator.load(
            params.bundle or None, backend=params.backend, cpu_threads=params.cpu_threads,
            cpu_precision=params.cpu_precision, query_stride=params.query_stride or None,
            seed=params.seed, engine=engine)
        self._model.strange_lens = estimator.bundle.strange_lens
        self._model.facts |= {
            'backend': f'{estimator.backend.name} ({estimator.backend.reason})',
            'bundle': f'{estimator.bundle.name} ({estimator.bundle.folder})',
            'query_stride_px': str(estimator.query_stride)}
        return estimator

    def _free(self, estimator: Any) -> None:
        """Give back what the model holds, in the thread that used it."""
        estimator.close()

    def _answer(self, estimator: Any, items: list[tuple[Channel, Any]]) -> None:
        """Answer images, or count why not; those asked for alike go through together."""
        self._news.built = False
        groups: dict[tuple, list[Job]] = {}
        # In one order: rays that stay in their place need not go to the GPU again.
        for channel, msg in sorted(items, key=lambda item: item[0].statistics.camera):
            with self._accounted([channel]):
                job = Job.of(channel, msg)
                groups.setdefault(job.options, []).append(job)
        for jobs in groups.values():
            self._estimate(estimator, jobs)
        self._model.busy = ''

    def _estimate(self, estimator: Any, jobs: list[Job]) -> None:
        """Estimate depth of images and send it."""
        if self.failure is not None:
            _drop([job.channel for job in jobs], 'device_failed')
            return
        steps, num_samples, output_scale, estimator.seed = jobs[0].options
        with self._accounted([job.channel for job in jobs]):
            try:
                estimates = estimator.estimate_batch(
                    [(job.frame.image, job.frame.camera) for job in jobs],
                    num_inference_steps=steps or None, num_samples=num_samples,
                    output_scale=output_scale, prompts=[job.frame.prompts for job in jobs])
            except GrinError as error:
                if len(jobs) == 1 or isinstance(error, (CudaError, Cancelled)):
                    raise
                for job in jobs:  # what is wrong with one camera must not silence the others
                    self._estimate(estimator, [job])
                return
            estimated = time.perf_counter()
            for job, estimate in zip(jobs, estimates, strict=True):
                with self._accounted([job.channel]):
                    job.channel.statistics.facts['num_inference_steps'] = str(
                        steps or estimator.bundle.default_steps)
                    self._send(job, estimate, estimated)

    def _send(self, job: Job, estimate: Any, estimated: float) -> None:
        """Publish what was estimated [s, of perf_counter] of an image, and count it."""
        if self._news.built:  # it took minutes: whoever acts on depth wants it of now
            raise Rejected('engine_building', '')
        channel = job.channel
        messages = channel.outputs.build(job.wanted, job.frame, estimate,
                                         channel.topics.rectified, job.params)
        channel.scale_notes.take(job.frame, estimate.sigma_scale, job.params)
        channel.statistics.facts['depth_known'] = f'{channel.outputs.known:.0%}'
        if channel.outputs.known < LITTLE:
            channel.voice.warn('unknown', f'all depth of {channel.topics.name} is NaN: look at '
                               'max_sigma and body_mask')
        built = time.perf_counter()
        channel.publish(messages)
        end = time.perf_counter()
        seconds = {'decode': job.decoded - job.start, 'estimate': estimated - job.decoded,
                   'build': built - estimated, 'publish': end - built, 'total': end - job.start}
        latencies = {stage: 1000 * value for stage, value in seconds.items()}
        latencies |= {f'estimate_{stage}': ms for stage, ms in estimate.timing.items()}
        latencies['outside_networks'] = (
            latencies['total'] - sum(estimate.timing.get(stage, 0.0) for stage in NETWORKS))
        latencies['since_stamp'] = 1000 * channel.age(job.msg)
        channel.statistics.answer(latencies)

    @contextmanager
    def _accounted(self, channels: list[Channel]) -> Iterator[None]:
        """Count by the cause an image of each channel that is not answered; the next may be."""
        try:
            yield
        except CudaError as error:  # the node goes to ERROR, see DepthNode
            self.failure = error
            _drop(channels, 'device_failed', str(error))
        except Cancelled:
            _drop(channels, 'inactive')
        except Rejected as error:
            _drop(channels, error.cause, str(error))
        except GrinError as error:
            _drop(channels, 'not_estimated', f'{channels[0].topics.name}: {error}')
        except Exception as error:
            if not self._node.context.ok():  # a signal came while it was published
                _drop(channels, 'inactive')
                return
            _drop(channels, 'internal_error',
                  f'{type(error).__name__}: {error}\n{traceback.format_exc()}')


def _drop(channels: list[Channel], cause: str, problem: str = '') -> None:
    """Count an image of each channel as dropped; say why where there is a problem."""
    for channel in channels:
        channel.statistics.drop(cause)
        if problem:
            channel.voice.complain(cause, problem)
