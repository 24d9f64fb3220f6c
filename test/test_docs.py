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

"""What README and docs point at is there, and what they tell users to type is accepted."""

import argparse
from collections import Counter
import importlib
from pathlib import Path
import re
import shlex

import pytest
import yaml

from grin_ros.cli import VERBS
from grin_ros.params.file import flat
from grin_ros.params.values import params_by_camera, strangers

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md')),
         *sorted((ROOT / 'grin_ros/bundles').glob('*/*.md'))]
each_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)


def text_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.DOTALL | re.M)


def blocks(page: Path, language: str) -> list[str]:
    """Return a page's blocks of code in a language."""
    return re.findall(rf'^```{language}\n(.*?)^```', page.read_text(encoding='utf-8'),
                      re.DOTALL | re.MULTILINE)


def commands(page: Path, start: str) -> list[list[str]]:
    """Return the commands of a page that begin with a few words, as a shell splits them."""
    lines = [line for block in blocks(page, 'bash') for line in block.splitlines()]
    return [shlex.split(line, comments=True)
            for line in lines if line.startswith(start)]


def anchors(page: Path) -> set[str]:
    """Return what # may lead to on a page: GitHub's names of its headings."""
    names, seen = set(), Counter()
    for heading in re.findall(r'^#+ +(.*?) *$', text_of(page), re.MULTILINE):
        heading = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading)
        name = re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')
        names.add(f'{name}-{seen[name]}' if seen[name] else name)
        seen[name] += 1
    return names


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for target in re.findall(r'\]\(([^)\s]+)\)', text_of(page)):
        if re.match(r'\w+:', target):
            continue
        name, _, anchor = target.partition('#')
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(target)
    assert not lost


def test_every_page_of_docs_is_found_from_the_readme() -> None:
    linked = set(re.findall(r'\]\((docs/\w+\.md)', text_of(ROOT / 'README.md')))
    assert {f'docs/{page.name}' for page in PAGES if page.parent.name == 'docs'} == linked


@each_page
def test_yaml_on_a_page_is_taken_by_the_node(page: Path) -> None:
    for block in blocks(page, 'yaml'):
        values = flat(yaml.safe_load(block)['/**']['ros__parameters'])
        assert not strangers(values, tuple(values.get('cameras', ('',))))
        assert params_by_camera(values)


@each_page
def test_commands_on_a_page_are_taken_by_grin(page: Path) -> None:
    for _, verb, *arguments in commands(page, 'grin '):
        assert verb in VERBS
        parser = argparse.ArgumentParser(prog=f'grin {verb}')
        importlib.import_module(f'grin_ros.cli.{verb.replace("-", "_")}').add_arguments(parser)
        parser.parse_args(arguments)  # exits with the reason


@each_page
def test_launch_arguments_on_a_page_are_declared(page: Path) -> None:
    declared = {file.name: set(re.findall(r"DeclareLaunchArgument\(\s*'(\w+)'",
                                          file.read_text(encoding='utf-8')))
                for file in (ROOT / 'launch').glob('*.launch.py')}
    declared['multi_camera.launch.py'] |= declared['depth.launch.py']
    for _, _, _, file, *arguments in commands(page, 'ros2 launch grin_ros '):
        assert {argument.partition(':=')[0] for argument in arguments} <= declared[file]


@each_page
def test_targets_on_a_page_are_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(encoding='utf-8'),
                             re.MULTILINE))
    used = {words[1] for words in commands(page, 'make ')}
    used |= set(re.findall(r'`make ([a-z-]+)', text_of(page)))
    assert used <= targets
