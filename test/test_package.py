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

"""What colcon, pip and the README say about the package is true, and the same everywhere."""

import ast
import json
from pathlib import Path
import re
import subprocess
import sys

import pytest

import grin_ros
from grin_ros.bundle import find_bundle, METADATA
from grin_ros.cli import VERBS
from grin_ros.params import docs, FIELDS

ROOT = Path(__file__).parents[1]
LAUNCH_FILES = sorted((ROOT / 'launch').glob('*.launch.py'))


def setup_arguments() -> dict:
    """Run setup.py as far as its arguments."""
    core = pytest.importorskip('setuptools.dist')
    assert core
    from distutils.core import run_setup

    distribution = run_setup(str(ROOT / 'setup.py'), stop_after='init')
    return {'version': distribution.get_version(), 'requires': distribution.install_requires,
            'extras': distribution.extras_require, 'data': distribution.data_files,
            'entry_points': distribution.entry_points}


def readme_section(name: str) -> str:
    """Return the part of the README between two markers."""
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    match = re.search(f'<!-- {name} -->\n(.*?)<!-- /{name} -->', text, re.DOTALL)
    assert match, f'README.md has no section between <!-- {name} --> and <!-- /{name} -->'
    return match.group(1)


def test_package_xml_is_valid() -> None:
    """An invalid one silently turns the package into a plain Python one for colcon."""
    package = pytest.importorskip('catkin_pkg.package').parse_package(str(ROOT))
    warnings: list[str] = []
    package.validate(warnings)
    assert not warnings
    assert package.get_build_type() == 'ament_python'
    assert package.licenses == ['Apache-2.0']


def test_colcon_sees_an_ament_package() -> None:
    pytest.importorskip('colcon_ros', reason='colcon is not installed')
    listed = subprocess.run([sys.executable, '-m', 'colcon', 'list', '--paths', '.'], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout
    assert listed.split()[0] == 'grin_ros'
    assert '(ros.ament_python)' in listed


def test_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    package = pytest.importorskip('catkin_pkg.package').parse_package(str(ROOT))
    changelog = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    assert package.version == setup_arguments()['version'] == grin_ros.__version__
    assert f'\n{grin_ros.__version__} ' in changelog


def test_rclpy_is_never_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ROS 2 distribution's rclpy does not come from pip, so pip would refuse the package."""
    monkeypatch.chdir(ROOT)
    setup = setup_arguments()
    assert not [name for name in setup['requires'] if 'rclpy' in name or name.startswith('ros-')]
    assert 'ros-rclpy' in setup['extras']['ros']
    assert set(setup['extras']) == {'ros', 'ros-jazzy', 'cpu', 'tensorrt', 'train', 'bag', 'test'}
    # A Jetson has these from JetPack.
    assert all('x86_64' in requirement for requirement in setup['extras']['tensorrt']
               if requirement.startswith(('pycuda', 'tensorrt')))


def test_everything_shared_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    installed = {name for _, names in setup_arguments()['data'] for name in names}
    shared = [path for folder in ('launch', 'config') for path in (ROOT / folder).rglob('*')
              if path.is_file() and '__pycache__' not in path.parts]
    assert shared
    missing = {str(path.relative_to(ROOT)) for path in shared} - installed
    assert not missing, 'setup.py does not install these'


@pytest.mark.parametrize('verb', VERBS)
def test_verbs_have_help(verb: str) -> None:
    run = subprocess.run([sys.executable, '-m', 'grin_ros', verb, '--help'], cwd=ROOT,
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert VERBS[verb] in run.stdout.replace('\n', ' ')


def test_readme_lists_the_verbs() -> None:
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert not [verb for verb in VERBS if f'grin {verb}' not in text]


def test_readme_has_the_parameters() -> None:
    assert readme_section('parameters') == docs.to_markdown(), (
        'run `python3 -m grin_ros.params.docs markdown` and paste its output into README.md')


def test_the_model_card_says_what_was_measured() -> None:
    """Its errors are figures of the README, its budget that of the bundle."""
    bundle = find_bundle()
    card = (bundle / 'MODEL_CARD.md').read_text(encoding='utf-8')
    figures = set(re.findall(r'0\.\d{3}', card))
    assert len(figures) >= 5 and figures <= set(re.findall(r'0\.\d{3}', readme_section('figures')))
    facts = json.loads((bundle / METADATA).read_text(encoding='utf-8'))
    steps = facts['provenance']['training_steps']
    assert f'{steps:,} steps'.replace(',', ' ') in card
    assert '{:.0f} to {:.0f} deg'.format(*facts['fov_range_deg']) in card


def test_launch_file_knows_what_the_node_has() -> None:
    """It must be read where the package is installed without its libraries."""
    outputs = pytest.importorskip('grin_ros.node.outputs', reason='ROS 2 is not installed')
    tree = ast.parse((ROOT / 'launch/depth.launch.py').read_text(encoding='utf-8'))
    constants = {ast.unparse(node.targets[0]): node.value for node in tree.body
                 if isinstance(node, ast.Assign)}
    assert ast.literal_eval(constants['OUTPUTS']) == tuple(outputs.TOPICS)
    choices = {call.args[0].value: ast.literal_eval(keyword.value)
               for call in ast.walk(constants['ARGUMENTS']) if isinstance(call, ast.Call)
               for keyword in call.keywords if keyword.arg == 'choices'}
    assert choices['backend'] == ['', *FIELDS['backend'].metadata['choices']]


@pytest.mark.parametrize('path', LAUNCH_FILES, ids=lambda path: path.name)
def test_readme_has_the_launch_arguments(path: Path) -> None:
    """The file is read, not run, so that this is checked where launch is not installed too."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    declared = [call.args[0].value for call in ast.walk(tree)
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
                and call.func.id == 'DeclareLaunchArgument'
                and isinstance(call.args[0], ast.Constant)]
    documented = re.findall(r'^\| `(\w+)` \|', readme_section(path.name), re.MULTILINE)
    assert declared
    assert declared == documented
