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

"""The depth node: camera topics in; depth, camera_info, points, sigma and colours out."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool, Trigger

from grin_ros.answer import Answerer
from grin_ros.diagnostics import Statistics
from grin_ros.errors import GrinError
from grin_ros.inputs import Inputs, InputTopics
from grin_ros.lifecycle import refuse_impossible_transitions
from grin_ros.outputs import REMAPPING
from grin_ros.params import declare, FIELDS, params_from, strangers
from grin_ros.watchdog import Watchdog

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


class DepthNode(LifecycleNode):
    """Configured it has a model, active it listens; a worker thread answers the newest image."""

    def __init__(self) -> None:
        """Declare parameters and services; nothing is loaded yet."""
        super().__init__('grin_depth', cli_args=REMAPPING)
        self.params = declare(self)
        self.add_on_set_parameters_callback(self._on_parameters)
        self._statistics = Statistics()
        self._topics: InputTopics | None = None
        self._answerer: Answerer | None = None
        self._inputs: Inputs | None = None
        self._watchdog: Watchdog | None = None
        self._active = False
        self._enabled = True
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # The steady clock: with use_sim_time and no /clock the node must still speak.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._each_second, clock=steady)
        self.create_timer(0.25, self._match, clock=steady)
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.create_service(Trigger, '~/reset', self._on_reset)
        refuse_impossible_transitions(self)

    def autostart(self) -> None:
        """Configure and activate, as a lifecycle manager would."""
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and advertise the outputs; fail with one sentence."""
        try:
            self._topics = InputTopics(self, self.params)
        except GrinError as error:
            return self._refuse(error)
        self._answerer = Answerer(self, self._topics, self._statistics, lambda: self.params)
        while not self._answerer.loaded.done():
            time.sleep(0.01)
            if not self.context.ok():  # SIGTERM while loading
                return FAILURE
        if (problem := self._answerer.loaded.exception()) is not None:
            self.release(timeout=1.0)
            return self._refuse(problem)
        self._watchdog = Watchdog(self, self._topics, self._answerer, self._statistics)
        self._statistics.facts['image_is'] = self._topics.rule
        self._statistics.recover()
        facts = self._statistics.facts
        self.get_logger().info(f'bundle {facts["bundle"]} on {facts["backend"]}; images on '
                               f'{self._topics.name} are {self._topics.rule}')
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen."""
        self._active = True
        self._listen()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to listen; the model stays loaded, unless its device failed."""
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
        self.get_logger().error('everything is released: configure the node again; if that fails '
                                'with a CUDA error, start its process again')
        return self.on_cleanup(state)

    def release(self, timeout: float) -> bool:
        """Stop listening, end the worker and its model; False when it still runs then [s]."""
        self._active = False
        self._listen()
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None
        released = self._answerer is None or self._answerer.close(timeout)
        if released:
            self._answerer = None
        return released

    def _refuse(self, problem: BaseException) -> TransitionCallbackReturn:
        """Say why configuring failed: in one sentence when the user can solve it."""
        known = isinstance(problem, GrinError)
        text = str(problem) if known else f'{type(problem).__name__}: {problem}'
        self._statistics.complain(f'not configured: {text}')
        self.get_logger().error(f'cannot configure: {text}')
        if not known:
            self.get_logger().error(''.join(traceback.format_exception(problem)))
        return FAILURE

    def _listen(self) -> None:
        """Subscribe when active and enabled, else unsubscribe and let nothing more out."""
        answerer = self._answerer
        if answerer is None or self._topics is None or self._watchdog is None:
            return
        if self._active and self._enabled and self._inputs is None:
            answerer.open()
            self._inputs = Inputs(self, self._topics, answerer.infos, answerer.put,
                                  self._watchdog.lost)
        elif not (self._active and self._enabled) and self._inputs is not None:
            self._inputs.close()
            self._inputs = None
            answerer.shut()

    def _match(self) -> None:
        """Follow the reliability of the publishers."""
        if self._inputs is not None:
            self._inputs.match()
        if self._active and self._answerer is not None and self._answerer.failure is not None:
            # The only way into ERROR that the state machine has from here.
            self.trigger_deactivate()

    def set_parameters_atomically(self, parameter_list: list[Any]) -> SetParametersResult:
        """Refuse a parameter that does not exist by its name, which rclpy's answer leaves out."""
        names = [each.name for each in parameter_list if not self.has_parameter(each.name)]
        if not names:
            return super().set_parameters_atomically(parameter_list)
        try:
            reason = f'there is no parameter {", ".join(strangers(names))}'
        except GrinError as error:
            reason = str(error)
        return SetParametersResult(successful=False, reason=reason)

    def _on_parameters(self, parameters: list[Any]) -> SetParametersResult:
        """Take new values at once, or say why not."""
        values = {each.name: each.value for each in parameters if each.name in FIELDS}
        try:
            self.params = params_from(values, self.params)
        except GrinError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response
                   ) -> SetBool.Response:
        """Listen or not while active, without a transition."""
        self._enabled = request.data
        self._listen()
        response.success, response.message = True, 'enabled' if self._enabled else 'disabled'
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response
                  ) -> Trigger.Response:
        """Forget the camera and the latencies."""
        self._statistics.reset()
        if self._answerer is not None:
            self._answerer.reset()
        response.success, response.message = True, 'camera and latencies forgotten'
        return response

    def _each_second(self) -> None:
        """Publish diagnostics, and break the silence."""
        if self._inputs is not None and self._watchdog is not None:
            self._watchdog.look(self._inputs)
        state = self._state_machine.current_state[1]
        if state == 'active' and not self._enabled:
            state = 'disabled'
        self._diagnostics.publish(self._statistics.to_msg(
            self.get_fully_qualified_name(), state, self.get_clock().now().to_msg()))


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    rclpy.init(args=args)
    node, executor, code, released = None, None, 0, True
    try:
        executor = SingleThreadedExecutor()
        node = DepthNode()
        executor.add_node(node)
        if node.params.autostart:
            node.autostart()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except GrinError as error:
        rclpy.logging.get_logger('grin_depth').fatal(str(error))
        code = 1
    except Exception:
        if rclpy.ok():
            raise  # else a signal came while something was being made
    finally:
        # A second Ctrl-C (launch sends one too) must not interrupt the way out.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if node is not None:
            released = node.release(timeout=1.0)
        if executor is not None:
            executor.shutdown(timeout_sec=0.5)
        if node is not None and released:
            node.destroy_node()
        rclpy.try_shutdown()
    if not released:  # an inference that takes long: nothing is lost by leaving it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == '__main__':
    sys.exit(main())
