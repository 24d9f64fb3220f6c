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

"""Lifecycle: a request for a transition in; a refusal out where rclpy would end the node."""

from __future__ import annotations

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode


def refuse_impossible_transitions(node: LifecycleNode) -> None:
    """
    Answer a request for a transition that the state does not have, as Kilted does.

    Until Jazzy rclpy lets the exception out of spin, so that anybody's mistake ends the node.
    """
    service = node._service_change_state
    change = service.callback

    def answer(request: ChangeState.Request, response: ChangeState.Response
               ) -> ChangeState.Response:
        states = node._state_machine
        possible = {number: label for number, label, *_ in states.available_transitions}
        if request.transition.label or request.transition.id in possible:
            return change(request, response)
        node.get_logger().error(
            f'there is no transition {request.transition.id} in state '
            f'{states.current_state[1]}: ask for one of '
            + ', '.join(f'{number} ({label})' for number, label in possible.items()))
        response.success = False
        return response

    service.callback = answer
