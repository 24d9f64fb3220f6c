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


"""News: what engines report in; a log line where it is worth one, and diagnostics out."""

from __future__ import annotations

from typing import Any

from grin_ros.node.diagnostics import ModelStatus

BUSY = ('building', 'calibrating', 'testing')
FACTS = ('engine', 'engine_warning')


class EngineNews:
    """
    Listens to the TensorRT backend for the node.

    :param model: gets the facts ``engine`` and ``engine_warning``, and what is going on.
    :param logger: has info() and warning().
    """

    def __init__(self, model: ModelStatus, logger: Any) -> None:
        """Forget what engines of an earlier time said."""
        self._model, self._logger = model, logger
        self.built = False  # since somebody last set it to False
        for fact in FACTS:
            model.facts.pop(fact, None)

    def report(self, text: str) -> None:
        """Note what the engine is at; progress in percent goes to diagnostics alone."""
        self.built = self.built or text.startswith('built')
        self._model.busy = text if text.startswith(BUSY) else ''
        self._model.facts['engine'] = text
        if '%' not in text:
            self._logger.info(f'engine: {text}')

    def warn(self, text: str) -> None:
        """Say what an engine is not, and keep it in diagnostics."""
        self._model.facts['engine_warning'] = text
        self._logger.warning(text)
