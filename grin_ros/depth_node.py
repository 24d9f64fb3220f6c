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

"""The depth node: topics of cameras in; depth, camera_info, points, sigma and colours out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
import sys
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool, Trigger

from grin_ros.errors import GrinError
from grin_ros.node.answer import Answerer
from grin_ros.node.channel import Channel
from grin_ros.node.diagnostics import ModelStatus, Statistics
from grin_ros.node.inputs import check_distinct
from grin_ros.node.lifecycle import refuse_impossible_transitions
from grin_ros.node.mailbox import Mailbox
from grin_ros.node.outputs import remapping
from grin_ros.node.parameters import NodeParameters
from grin_ros.node.process import run_until_signal
from grin_ros.node.qos import ignored_overrides
from grin_ros.node.transforms import Transforms

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


class DepthNode(LifecycleNode):
    """
    Configured it has a model, active it listens; a worker thread answers the newest images.

    :param cli_args: ROS arguments of this node alone, such as remappings.
    :param options: what rclpy's Node takes beside its name, such as parameter_overrides.
    """

    def __init__(self, *, cli_args: Sequence[str] = (), **options: Any) -> None:
        """Declare parameters and services; nothing is loaded yet."""
        # First: a node that ROS or a parameter refuses is destroyed, too.
        self._channels: list[Channel] = []
        self._answerer: Answerer | None = None
        self._transforms: Transforms | None = None
        self._active = False
        self._enabled = True
        arguments = [*remapping([*sys.argv, *cli_args]), *cli_args]
        super().__init__('grin_depth', cli_args=arguments, **options)
        self._settings = NodeParameters(self)
        self._model = ModelStatus()
        self._statistics = {camera: Statistics(camera, self._model)
                            for camera in self._settings.cameras}
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # The steady clock: with use_sim_time and no /clock the node must still speak.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._each_second, clock=steady)
        self.create_timer(0.25, self._match, clock=steady)
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.create_service(Trigger, '~/reset', self._on_reset)
        refuse_impossible_transitions(self)

    def autostart(self) -> None:
        """Configure and activate, as a lifecycle manager would, unless parameters forbid."""
        if self._settings.shared.autostart and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and advertise the outputs; fail with one sentence."""
        mailbox = Mailbox()
        try:
            if any(self._settings.of(camera).needs_tf for camera in self._statistics):
                self._transforms = Transforms(self)
            for camera, statistics in self._statistics.items():
                self._channels.append(Channel(
                    self, camera, partial(self._settings.of, camera), statistics, mailbox,
                    self._transforms))
            check_distinct([channel.topics for channel in self._channels])
            for sentence in ignored_overrides(
                    self._parameter_overrides,
                    [topic for channel in self._channels for topic in channel.topics.heard],
                    [topic for channel in self._channels for topic in channel.outputs.sent]):
                self.get_logger().warning(sentence)
        except Exception as error:  # rclpy would take it for an ERROR, and not say why
            self.release(timeout=1.0)
            return self._refuse(error) if self.context.ok() else FAILURE  # SIGTERM meanwhile
        self._answerer = Answerer(self, mailbox, lambda: self._settings.shared, self._model)
        while not self._answerer.loaded.done():
            time.sleep(0.01)
            if not self.context.ok():  # SIGTERM while loading
                return FAILURE
        if (problem := self._answerer.loaded.exception()) is not None:
            self.release(timeout=1.0)
            return self._refuse(problem)
        facts = self._model.facts
        self.get_logger().info(f'bundle {facts["bundle"]} on {facts["backend"]}; ' + '; '.join(
            f'images on {channel.topics.name} are {channel.topics.rule}'
            for channel in self._channels))
        for statistics in self._statistics.values():
            statistics.recover()
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen."""
        self._active = True
        self._listen()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening; the model stays loaded, unless its device failed."""
        self._active = False
        self._listen()
        if self._answerer is not None and self._answerer.failure is not None:
            return ERROR
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and take the outputs back."""
        return SUCCESS if self.release(timeout=60.0) else FAILURE

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, whatever the state was."""
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything and become unconfigured; from there it can be configured again."""
        failed = self._answerer is not None and self._answerer.failure is not None
        self.get_logger().error('everything is released: configure the node again' + (
            '; if that fails with a CUDA error, start its process again' if failed else ''))
        return self.on_cleanup(state)

    def release(self, timeout: float) -> bool:
        """Stop listening, end the worker and its model; False when it still runs then [s]."""
        self._active = False
        self._listen()
        if self._answerer is not None and not self._answerer.close(timeout):
            return False
        self._answerer = None
        while self._channels:
            self._channels.pop().close()
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None
        return True

    def _refuse(self, problem: BaseException) -> TransitionCallbackReturn:
        """Say why configuring failed: in one sentence when the user can solve it."""
        known = isinstance(problem, GrinError)
        text = str(problem) if known else f'{type(problem).__name__}: {problem}'
        for statistics in self._statistics.values():
            statistics.complain(f'not configured: {text}', lasting=True)
        self.get_logger().error(f'cannot configure: {text}')
        if not known:
            self.get_logger().error(''.join(traceback.format_exception(problem)))
        return FAILURE

    def _listen(self) -> None:
        """Listen when active and enabled, else let nothing more in or out."""
        for channel in self._channels:
            if self._active and self._enabled:
                channel.open()
            else:
                channel.shut()

    def _match(self) -> None:
        """Follow whoever subscribes and publishes."""
        for channel in self._channels:
            channel.match()
        if self._active and self._answerer is not None and self._answerer.failure is not None:
            # The only way into ERROR that the state machine has from here.
            self.trigger_deactivate()

    def destroy_node(self) -> None:
        """End the worker and its model with the node: another of this process may go on."""
        self.release(timeout=1.0)
        super().destroy_node()

    def set_parameters(self, parameter_list: list[Any]) -> list[SetParametersResult]:
        """Set each that can be; those of a single camera are declared when they are set."""
        return [self.set_parameters_atomically([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: list[Any]) -> SetParametersResult:
        """Set all or none; a parameter that does not exist is refused by its name."""
        return self._settings.set_atomically(parameter_list, super().set_parameters_atomically)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response
                   ) -> SetBool.Response:
        """Listen or not while active, without a transition."""
        self._enabled = request.data
        self._listen()
        response.success, response.message = True, 'enabled' if self._enabled else 'disabled'
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response
                  ) -> Trigger.Response:
        """Forget the cameras, what their floors told, and the latencies."""
        for statistics in self._statistics.values():
            statistics.reset()
        for channel in self._channels:
            channel.reset()
        response.success, response.message = True, 'cameras, scales and latencies forgotten'
        return response

    def _each_second(self) -> None:
        """Publish diagnostics, and break the silence."""
        state = self._state_machine.current_state[1]
        if state == 'active' and not self._enabled:
            state = 'disabled'
        for channel in self._channels:
            channel.look()
        idle = {channel.statistics.camera for channel in self._channels if channel.is_idle}
        name = self.get_fully_qualified_name()
        msg = DiagnosticArray(status=[each.to_status(name, state, camera in idle)
                                      for camera, each in self._statistics.items()])
        msg.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(msg)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM and return the exit code."""
    return run_until_signal(DepthNode, args)


if __name__ == '__main__':
    sys.exit(main())
