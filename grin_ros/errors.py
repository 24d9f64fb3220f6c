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

"""Errors meant for users, and lazy imports that name the extra to install."""

from __future__ import annotations

import importlib
from types import ModuleType


class GrinError(RuntimeError):
    """A problem the user can solve; the message says how. The CLI prints it without a trace."""


def require(module: str, extra: str) -> ModuleType:
    """
    Import a heavy library on first use.

    :param module: dotted module name, for example ``onnxruntime``.
    :param extra: extra of this package that installs it, for example ``cpu``.
    :raises GrinError: when the library is missing; names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise GrinError(
            f'{module} cannot be imported ({error}): pip install "grin_ros[{extra}]", '
            f'or in its source folder pip install ".[{extra}]"') from error
