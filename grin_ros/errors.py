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


def require(module: str, extra: str = '', *, remedy: str = '') -> ModuleType:
    """
    Import a heavy library on first use.

    :param module: dotted module name, for example ``onnxruntime``.
    :param extra: extra of this package that installs it, for example ``cpu``.
    :param remedy: how it is installed where no extra does that.
    :raises GrinError: when the library is missing, or there and broken; says how to install it.
    """
    if extra:
        remedy = (f'{"source a ROS 2 distribution, or " if extra == "ros" else ""}pip install '
                  f'"grin_ros[{extra}]", or in its source folder pip install ".[{extra}]"')
    try:
        found = importlib.import_module(module)
        _need_code(found)
    except ModuleNotFoundError as error:  # of the library, or of what it needs in turn
        raise GrinError(f'{module} cannot be imported ({error}): {remedy}') from error
    # Compiled modules raise whatever they like: OSError for a library that is not there,
    # RuntimeError for another ABI, TypeError for another protobuf.
    except Exception as error:
        raise GrinError(f'{module} is installed but cannot be imported ({named(error)}): repair '
                        f'it, or remove it and {remedy}') from error
    return found


def _need_code(module: ModuleType) -> None:
    """Refuse a folder that only happens to have the name of a library: it imports as empty."""
    spec = module.__spec__
    if spec is not None and spec.origin is None and spec.submodule_search_locations is not None:
        raise ImportError(f'{", ".join(spec.submodule_search_locations)} is a folder without '
                          'Python code')


def named(error: BaseException) -> str:
    """Return the type of an error and the first line of its text: some libraries write pages."""
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[0]}' if lines else type(error).__name__


def problem_of(error: GrinError) -> str:
    """Return what is wrong without what to do: the text up to a colon outside parentheses."""
    depth, text = 0, str(error)
    for index, character in enumerate(text):
        depth += {'(': 1, ')': -1}.get(character, 0)
        if depth <= 0 and text.startswith(': ', index):
            return text[:index]
    return text
