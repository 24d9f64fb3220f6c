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
import threading
import time
import traceback
from typing import Any

from rclpy.lifecycle import LifecycleNode

from grin_ros.channel import Channel
from grin_ros.diagnostics import ModelStatus
from grin_ros.engine.build import Cancelled
from grin_ros.engine.cuda_memory import CudaError
from grin_ros.engine.news import EngineNews
from grin_ros.errors import GrinError
from grin_ros.intake import Rejected
from grin_ros.mailbox import Mailbox, Worker
from grin_ros.params import DepthParams

# Stages of an estimate: what a CPU runs one by one is one of TensorRT's.
NETWORKS = ('encoder', 'conditioner', 'denoiser', 'networks')


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
        self._worker = Worker(mailbox, self._load, self._answer, self._free)
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
            report=self._news.report, warn=self._news.warn, cancelled=self._closing.is_set)
        estimator = DepthEstimator.load(
            params.bundle or None, backend=params.backend, cpu_threads=params.cpu_threads,
            query_stride=params.query_stride or None, seed=params.seed, engine=engine)
        self._model.facts |= {
            'backend': f'{estimator.backend.name} ({estimator.backend.reason})',
            'bundle': f'{estimator.bundle.name} ({estimator.bundle.folder})',
            'query_stride_px': str(estimator.query_stride)}
        return estimator

    def _free(self, estimator: Any) -> None:
        """Give back what the model holds, in the thread that used it."""
        estimator.close()

    def _answer(self, estimator: Any, items: list[tuple[Channel, Any]]) -> None:
        """Answer images, or count why not."""
        for channel, msg in items:
            if self.failure is not None:
                channel.statistics.drop('device_failed')
                continue
            with self._accounted(channel):
                self._answer_or_raise(estimator, channel, msg)
        self._model.busy = ''

    @contextmanager
    def _accounted(self, channel: Channel) -> Iterator[None]:
        """Count an image that is not answered by the cause; the next one may be fine."""
        drop, voice = channel.statistics.drop, channel.voice
        try:
            yield
        except CudaError as error:  # the node goes to ERROR, see DepthNode
            drop('device_failed')
            voice.complain('device_failed', str(error))
            self.failure = error
        except Cancelled:
            drop('inactive')
        except Rejected as error:
            drop(error.cause)
            if str(error):
                voice.complain(error.cause, str(error))
        except GrinError as error:
            drop('not_estimated')
            voice.complain('not_estimated', f'{channel.topics.name}: {error}')
        except Exception as error:
            if not self._node.context.ok():  # a signal came while it was published
                drop('inactive')
                return
            drop('internal_error')
            voice.complain('internal_error', f'{type(error).__name__}: {error}\n'
                           + traceback.format_exc())

    def _answer_or_raise(self, estimator: Any, channel: Channel, msg: Any) -> None:
        params, start, self._news.built = channel.params(), time.perf_counter(), False
        frame, wanted = channel.read(msg)
        decoded = time.perf_counter()
        estimator.seed = params.seed
        steps = params.num_inference_steps or estimator.bundle.default_steps
        estimate = estimator.estimate(frame.image, frame.camera, num_inference_steps=steps,
                                      num_samples=params.num_samples,
                                      output_scale=params.output_scale)
        estimated = time.perf_counter()
        if self._news.built:  # it took minutes: whoever acts on depth wants it of now
            raise Rejected('engine_building', '')
        messages = channel.outputs.build(wanted, frame, estimate, channel.topics.rectified, params)
        built = time.perf_counter()
        channel.publish(messages)
        end = time.perf_counter()
        seconds = {'decode': decoded - start, 'estimate': estimated - decoded,
                   'build': built - estimated, 'publish': end - built, 'total': end - start}
        latencies = {stage: 1000 * value for stage, value in seconds.items()}
        latencies |= {f'estimate_{stage}': ms for stage, ms in estimate.timing.items()}
        latencies['outside_networks'] = (
            latencies['total'] - sum(estimate.timing.get(stage, 0.0) for stage in NETWORKS))
        latencies['since_stamp'] = 1000 * channel.age(msg)
        channel.statistics.facts['num_inference_steps'] = str(steps)
        channel.statistics.answer(latencies)
