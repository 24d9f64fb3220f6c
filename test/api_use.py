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


"""
Which calls of a library some sources make, and whether a real build of the library has them.

As a program, ``api_use.py MODULE < uses.json`` imports the module, which may need a process with
an environment of its own, and prints what is missing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
import importlib
import json
import re
import sys
from typing import Any


@dataclass(frozen=True)
class Use:
    """
    One use: a dotted path in the module, and how it is called.

    :param arguments: number of positional arguments; None when it is not called.
    :param keywords: names of keyword arguments.
    """

    path: str
    arguments: int | None = None
    keywords: tuple[str, ...] = ()


def dotted(node: ast.AST) -> str:
    """Return a.b.c of a chain of names, else ''."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f'{base}.{node.attr}'
    return ''


def uses_in(source: str, objects: Mapping[str, str]) -> set[Use]:
    """
    Return what a source uses of a library.

    :param objects: name in the source -> class in the module, '' for the module itself.
    """
    found: set[Use] = set()
    tree = ast.parse(source)
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:  # a method that overrides one of the library
                if path := resolved(dotted(base), objects):
                    found |= {Use(f'{path}.{item.name}') for item in node.body
                              if isinstance(item, ast.FunctionDef)}
        if isinstance(node, ast.Attribute) and (path := resolved(dotted(node), objects)):
            call = called.get(id(node))
            if call is None or any(isinstance(each, ast.Starred) for each in call.args):
                found.add(Use(path))
            else:
                found.add(Use(path, len(call.args),
                              tuple(each.arg for each in call.keywords if each.arg)))
    return found


def resolved(path: str, objects: Mapping[str, str]) -> str:
    """Return the path in the module of a chain of names; '' for what is not the library's."""
    for name, owner in objects.items():
        if path.startswith(f'{name}.'):
            return f'{owner}.{path[len(name) + 1:]}'.lstrip('.')
    return ''


def problems(module: Any, uses: list[Use]) -> Iterator[str]:
    """Yield a sentence for each use that the module does not have."""
    for use in uses:
        target, owner = module, module
        for part in use.path.split('.'):
            if isinstance(target, property):
                break  # what a property gives cannot be seen from here
            owner, target = target, getattr(target, part, None)
            if target is None:
                yield f'{module.__name__} has no {use.path}'
                break
        else:
            if use.arguments is not None and not isinstance(target, property):
                yield from misfits(use, target, isinstance(owner, type))


def misfits(use: Use, target: Any, is_method: bool) -> Iterator[str]:
    """Yield a sentence when a call fits none of the signatures in the docstring."""
    documented = target.__init__ if isinstance(target, type) else target
    found = list(signatures(documented.__doc__ or '', documented.__name__))
    bound = is_method or isinstance(target, type)
    for names, required in found:
        # Boost calls the object arg1, and static methods have none.
        count = (use.arguments or 0) + (bound and names[:1] in (['self'], ['arg1']))
        if required <= count + len(use.keywords) and count <= len(names) and (
                set(use.keywords) <= set(names)):
            return
    if found:
        yield f'{use.path} is called with {use.arguments} arguments, it has {found}'


def signatures(doc: str, name: str) -> Iterator[tuple[list[str], int]]:
    """Yield (names, number without default) of signatures as pybind11, Boost and Cython write."""
    for match in re.finditer(rf'(?:^|[\s.]){re.escape(name)}\(', doc):
        depth, text = 1, ''
        for letter in doc[match.end():]:
            depth += (letter in '([{') - (letter in ')]}')
            if depth == 0:
                break
            text += letter
        names: list[str] = []
        required, optional = 0, False
        for part in re.split(r',(?![^\[\](){}]*[\])}])|\[,', text):
            if not (part := re.sub(r'\([^()]*\)', '', part).strip(' ]\n')):
                continue
            names.append(re.split(r'[:=]', part)[0].split()[-1].strip('*'))
            optional = optional or '=' in part
            required += not optional
        yield names, required


def main(name: str) -> int:
    """Print what a module lacks."""
    module = importlib.import_module(name)
    uses = [Use(each['path'], each['arguments'], tuple(each['keywords']))
            for each in json.load(sys.stdin)]
    for problem in problems(module, uses):
        print(problem)
    return 0


def to_json(uses: set[Use]) -> str:
    """Return what main() reads."""
    return json.dumps([asdict(use) for use in sorted(uses, key=lambda use: use.path)])


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
