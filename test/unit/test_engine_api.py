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
Every call that the engine's code makes exists in the real Python bindings it may meet.

TensorRT's bindings are wheels that import over a stub of nine C functions; pycuda is built over a
stub of the driver; cuda-python's runtime imports as it is. That a call exists does not prove that
it does what is hoped: nothing runs here.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile

from api_use import problems, to_json, Use, uses_in
import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / 'grin_ros/engine'
VERSIONS = ('10.3.0', '10.13.3.9', '11.4.0.106')
RTX_ONLY = ('ComputeCapability', 'IBuilderConfig.num_compute_capabilities',
            'IBuilderConfig.set_compute_capability')
TENSORRT = {
    'build.py': {'trt': '', 'builder': 'Builder', 'network': 'INetworkDefinition',
                 'parser': 'OnnxParser', 'parser_error': 'ParserError',
                 'config': 'IBuilderConfig', 'cache': 'ITimingCache', 'tensor': 'ITensor'},
    'runtime.py': {'trt': '', 'self._trt': '', 'runtime': 'Runtime', 'engine': 'ICudaEngine',
                   'self._engine': 'ICudaEngine', 'made': 'IExecutionContext',
                   'self._context': 'IExecutionContext'},
    'maker.py': {'trt': '', 'self._trt': ''},
}
PYCUDA = {'cuda': '', 'self._cuda': '', 'device': 'Device', 'self._device': 'Device',
          'self._context': 'Context', 'self._stream': 'Stream', 'buffer': 'DeviceAllocation'}
CUDA_PYTHON = {'self._cuda': '', 'properties': 'cudaDeviceProp', 'kinds': 'cudaMemcpyKind'}
DUNDER = re.compile(r'\.__\w+__$')


def tensorrt_uses() -> set[Use]:
    """Return what the sources use of TensorRT, but for RTX's own."""
    found = set().union(*(uses_in((ENGINE / name).read_text(encoding='utf-8'), objects)
                          for name, objects in TENSORRT.items()))
    return {use for use in found
            if not use.path.startswith(RTX_ONLY) and not DUNDER.search(use.path)}


def download(requirement: str, folder: Path) -> Path:
    """Fetch a wheel or source of a package from PyPI, once, or skip."""
    name = requirement.partition('==')[0]
    if not folder.is_dir() or not any(folder.iterdir()):
        binary = '--no-binary' if name == 'pycuda' else '--only-binary'
        run = subprocess.run(
            [sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps',
             '--no-build-isolation', binary, name, '--dest', str(folder), requirement],
            capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f'{requirement} cannot be had from PyPI: {run.stderr.strip()[-200:]}')
    return next(folder.iterdir())


@pytest.fixture(scope='session')
def shelf(request: pytest.FixtureRequest) -> Path:
    """Return a folder that outlives the test run: what was downloaded and built."""
    if not shutil.which('gcc'):
        pytest.skip('gcc is not installed, which makes the stubs of C libraries')
    return Path(request.config.cache.mkdir('bindings'))


def stub(folder: Path, library: str, functions: list[str], answer: int) -> None:
    """Make a shared library whose functions do nothing and return a number."""
    folder.mkdir(parents=True, exist_ok=True)
    code = ''.join(f'long {name}(void) {{ return {answer}; }}\n' for name in functions)
    subprocess.run(['gcc', '-shared', '-fPIC', '-w', '-x', 'c', '-', '-o', str(folder / library),
                    f'-Wl,-soname,{library}'], input=code, text=True, check=True)


def missing(module: str, uses: set[Use], *paths: Path) -> list[str]:
    """Return what a module lacks, imported in a process of its own."""
    places = os.pathsep.join(map(str, [*paths, sysconfig.get_paths()['purelib']]))
    run = subprocess.run(
        [sys.executable, str(ROOT / 'test/api_use.py'), module], input=to_json(uses), text=True,
        capture_output=True, env=os.environ | {'PYTHONPATH': places, 'LD_LIBRARY_PATH': places})
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


@pytest.fixture(params=VERSIONS)
def bindings(request: pytest.FixtureRequest, shelf: Path) -> Path:
    """Return a folder to import tensorrt_bindings of a version from."""
    folder = shelf / f'tensorrt-{request.param}'
    wheel = download(f'tensorrt-cu12-bindings=={request.param}', folder / 'wheel')
    place = folder / 'site'
    if not place.is_dir():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
        binary = next(place.glob('tensorrt_bindings/tensorrt*.so'))
        major = request.param.partition('.')[0]
        names = sorted(set(re.findall(
            rb'\b(?:create\w+_INTERNAL|get(?:BuilderPluginRegistry|PluginRegistry|'
            rb'NvOnnxParserVersion)|initLibNvInferPlugins|getInferLib\w+)\b',
            binary.read_bytes())))
        functions = [name.decode() for name in names]
        for library in ('nvinfer', 'nvinfer_plugin', 'nvonnxparser'):
            stub(place, f'lib{library}.so.{major}', functions, 0)  # nothing can be made
    return place


def test_tensorrt_has_what_is_used(bindings: Path) -> None:
    uses = tensorrt_uses()
    paths = {use.path for use in uses}
    assert len(uses) > 40
    assert {'IExecutionContext.execute_async_v3', 'IExecutionContext.set_tensor_address',
            'IProgressMonitor.step_complete', 'MemoryPoolType.WORKSPACE',
            'ICudaEngine.device_memory_size_v2'} <= paths
    assert missing('tensorrt_bindings', uses, bindings) == []


def test_removed_calls_are_noticed(bindings: Path) -> None:
    """The check has teeth: what TensorRT 8 had fails it, and so do wrong arguments."""
    source = ('made.execute_async_v2(bindings, stream)\n'
              'engine.num_bindings\n'
              'made.execute_async_v3()\n'
              'made.set_tensor_address(name, address, 3)\n'
              'made.set_tensor_address(name, pointer=address)\n'
              'trt.MemoryPoolType.WORKSPAZE\n')
    found = '\n'.join(missing('tensorrt_bindings', uses_in(source, TENSORRT['runtime.py']),
                              bindings))
    for words in ('no IExecutionContext.execute_async_v2', 'no ICudaEngine.num_bindings',
                  'execute_async_v3 is called with 0', 'set_tensor_address is called with 3',
                  'set_tensor_address is called with 1', 'no MemoryPoolType.WORKSPAZE'):
        assert words in found
    assert len(found.splitlines()) == 6


def test_without_a_device_the_reason_is_said(bindings: Path) -> None:
    """Our logger and monitor are made from the real classes; builder and runtime cannot be."""
    code = ('import tensorrt_bindings as trt\n'
            'from types import SimpleNamespace\n'
            'from grin_ros.engine.build import _monitor, build_plan, logger\n'
            'from grin_ros.engine.maker import EngineMaker\n'
            'from grin_ros.engine.options import EngineOptions\n'
            'from grin_ros.errors import GrinError\n'
            'monitor = _monitor(trt, None)\n'
            'monitor.phase_start("build", None, 3)\n'
            'assert monitor.step_complete("build", 1) is True\n'
            'log = logger(trt)\n'
            'log.log(trt.ILogger.Severity.ERROR, "no driver")\n'
            'assert log.last_error == "no driver"\n'
            'for work in (lambda: build_plan(trt, b""),\n'
            '             lambda: EngineMaker(trt, None, None, EngineOptions())):\n'
            '    try:\n        work()\n'
            '    except GrinError as error:\n        print(error)\n')
    environment = os.environ | {
        'PYTHONPATH': f'{ROOT}:{bindings}', 'LD_LIBRARY_PATH': str(bindings),
        'GRIN_ENGINE_CACHE': str(bindings.parent / 'engines')}
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT,
                         env=environment)
    assert run.returncode == 0, run.stderr
    builder, runtime = run.stdout.splitlines()
    assert 'cannot start a builder' in builder and 'grin doctor' in builder
    assert 'cannot start' in runtime


def test_rtx_has_what_is_used_of_it() -> None:
    trt = pytest.importorskip('tensorrt_rtx', reason='no TensorRT for RTX')
    source = (ENGINE / 'build.py').read_text(encoding='utf-8')
    uses = {use for use in uses_in(source, TENSORRT['build.py']) if not DUNDER.search(use.path)}
    assert any(use.path in RTX_ONLY for use in uses)
    assert list(problems(trt, sorted(uses, key=lambda use: use.path))) == []


@pytest.fixture
def cuda_python(shelf: Path) -> Path:
    """Return a folder to import cuda.bindings from."""
    place = shelf / 'cuda-python-site'
    for requirement in ('cuda-bindings', 'cuda-pathfinder'):
        wheel = download(requirement, shelf / requirement)
        if not (place / 'cuda' / requirement.partition('-')[2]).is_dir():
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(place)
    return place


def cuda_python_uses(source: str) -> set[Use]:
    """Return attributes, and the names that _call() and _copy() get as text."""
    uses = {Use(node.args[0].value, len(node.args) - 1) for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            and node.func.attr == '_call' and isinstance(node.args[0], ast.Constant)}
    named = set(re.findall(r"'(cuda[A-Z]\w+)'", source)) - {use.path for use in uses}
    uses |= {Use(f'cudaMemcpyKind.{name}' if re.match('cudaMemcpy[HD]', name) else name)
             for name in named}
    return uses | uses_in(source, CUDA_PYTHON)


def test_cuda_python_has_what_is_used(cuda_python: Path) -> None:
    uses = cuda_python_uses((ENGINE / 'cuda_python.py').read_text(encoding='utf-8'))
    assert {'cudaGraphLaunch', 'cudaStreamBeginCapture', 'cudaMemcpyKind.cudaMemcpyHostToDevice',
            'cudaFreeHost', 'cudaDeviceProp.multiProcessorCount'} <= {use.path for use in uses}
    assert missing('cuda.bindings.runtime', uses, cuda_python) == []
    wrong = cuda_python_uses("self._call('cudaMallocc', 3)\nself._call('cudaMalloc', 3, 4)\n")
    assert len(missing('cuda.bindings.runtime', wrong, cuda_python)) == 2


def test_without_a_driver_cuda_python_says_so(cuda_python: Path) -> None:
    if Path('/dev/nvidia0').exists():
        pytest.skip('there is a device')
    code = ('from grin_ros.engine.cuda_memory import open_device\n'
            'from grin_ros.errors import GrinError\n'
            'try:\n    open_device(0, "cuda-python")\n'
            'except GrinError as error:\n    print(error)\n')
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT,
                         env=os.environ | {'PYTHONPATH': f'{ROOT}:{cuda_python}'})
    assert 'finds no CUDA device' in run.stdout, run.stdout + run.stderr


@pytest.fixture(scope='session')
def pycuda(shelf: Path) -> Path:
    """Return a folder to import pycuda from: built from source over a stub of the driver."""
    place = shelf / 'pycuda-site'
    if (place / 'pycuda').is_dir():
        return place
    nvcc = shutil.which('nvcc')
    root = next((path for path in (Path('/usr/local/cuda'), *(
        [Path(nvcc).resolve().parents[1]] if nvcc else []))
        if (path / 'include/cuda.h').is_file()), None)
    if root is None:
        pytest.skip('no cuda.h: pycuda cannot be built')
    source = download('pycuda==2026.1', shelf / 'pycuda-source')
    work = shelf / 'pycuda-build'
    shutil.rmtree(work, ignore_errors=True)
    header = (root / 'include/cuda.h').read_text(encoding='utf-8', errors='replace')
    functions = set(re.findall(r'\bcu[A-Z]\w*\b', header))
    functions |= {'cuProfilerInitialize', 'cuProfilerStart', 'cuProfilerStop'}
    stub(work, 'libcuda.so.1', sorted(functions), 999)  # CUDA_ERROR_UNKNOWN
    (work / 'libcuda.so').symlink_to('libcuda.so.1')
    shutil.unpack_archive(source, work)
    folder = next(work.glob('pycuda-*'))
    tools = work / 'tools'
    python = [sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check']
    environment = os.environ | {'PYTHONPATH': str(tools), 'CFLAGS': '-O0'}
    for command in (
            [*python, 'install', '--target', str(tools), 'setuptools', 'wheel', 'mako', 'pytools',
             'platformdirs', 'siphash24', 'numpy'],
            [sys.executable, 'configure.py', f'--cuda-root={root}', '--no-cuda-enable-curand',
             f'--cudadrv-lib-dir={work}', f'--cudart-lib-dir={root}/lib64'],
            [*python, 'install', '--no-build-isolation', '--no-deps', '--target', str(place),
             '.']):
        run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if run.returncode:
            pytest.skip(f'pycuda cannot be built here: {run.stderr.strip()[-300:]}')
    return place


@pytest.mark.soak
def test_pycuda_has_what_is_used(pycuda: Path) -> None:
    source = (ENGINE / 'pycuda.py').read_text(encoding='utf-8')
    uses = uses_in(source, PYCUDA)
    assert {'Device.retain_primary_context', 'Context.push', 'Context.pop', 'memcpy_htod_async',
            'pagelocked_empty', 'DeviceAllocation.free'} <= {use.path for use in uses}
    places = pycuda, pycuda.parent / 'pycuda-build', pycuda.parent / 'pycuda-build/tools'
    assert missing('pycuda.driver', uses, *places) == []
    wrong = uses_in('cuda.mem_allok(3)\ncuda.mem_alloc(3, 4)\n', PYCUDA)
    assert len(missing('pycuda.driver', wrong, *places)) == 2


RUN_PYCUDA = """
import ctypes, threading
import numpy as np
from grin_ros.engine.cuda_memory import CudaError, open_device
from grin_ros.errors import GrinError
driver = ctypes.CDLL('libcuda.so.1')
def count(name):
    return ctypes.c_long.in_dll(driver, f'fake_{name}').value
for lost in (False, False, True):
    ctypes.c_long.in_dll(driver, 'fake_depth').value = 0  # what ended with a thread
    device = open_device(0, 'pycuda')
    assert count('depth') == 0 and count('retained') == 1
    facts = device.facts()
    assert (facts.name, facts.compute_capability, facts.sm_count) == ('Driver of ours', '8.7', 14)
    def work():
        with device.current():
            assert count('depth') == 1
            host = device.pinned((3, 5), np.float32)
            assert not host.any()
            host[:] = np.arange(15).reshape(3, 5)
            address = device.allocate(host.nbytes)
            assert address % 256 == 0
            device.upload(address, host)
            back = device.pinned((3, 5), np.float32)
            device.download(back, address)
            device.synchronize()
            assert (back == host).all() and device.free_memory() == 123
            try:
                device.allocate(1 << 50)
            except CudaError as error:
                assert 'allocate' in str(error)
            else:
                raise AssertionError('it has endless memory')
        assert count('depth') == 0
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (count('buffers'), count('streams'), count('pinned')) == (1, 1, 2)
    if lost:
        ctypes.c_long.in_dll(driver, 'fake_lost').value = 1
        with device.current():
            try:
                device.synchronize()
            except CudaError as error:
                assert 'finish its work' in str(error)
            else:
                raise AssertionError('the device is lost and nobody said so')
    device.close()
    device.close()
    assert count('retained') == 0
    if not lost:
        assert (count('buffers'), count('streams'), count('pinned')) == (0, 0, 0)
try:
    open_device(1, 'pycuda')
except GrinError as error:
    assert 'device_id must be 0 to 0, not 1' in str(error)
print('all is well')
"""


@pytest.mark.soak
def test_pycuda_takes_our_calls(pycuda: Path, tmp_path: Path) -> None:
    """The real pycuda on a driver of ours: copies arrive, contexts and memory are given back."""
    binary = next((pycuda / 'pycuda').glob('_driver*.so')).read_bytes()
    source = (ROOT / 'test/fake_driver.c').read_text(encoding='utf-8')
    made = set(re.findall(r'^int (cu\w+)\(', source, re.MULTILINE))
    others = {name.decode() for name in re.findall(rb'\bcu[A-Z]\w+\b', binary)} - made
    code = source + ''.join(f'int {name}(void) {{ return 999; }}\n' for name in sorted(others))
    subprocess.run(['gcc', '-shared', '-fPIC', '-w', '-x', 'c', '-', '-o',
                    str(tmp_path / 'libcuda.so.1'), '-Wl,-soname,libcuda.so.1'],
                   input=code, text=True, check=True)
    tools = pycuda.parent / 'pycuda-build/tools'
    places = os.pathsep.join(map(str, [ROOT, pycuda, tools]))
    run = subprocess.run(
        [sys.executable, '-c', RUN_PYCUDA], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {'PYTHONPATH': places, 'LD_LIBRARY_PATH': str(tmp_path)})
    assert run.stdout == 'all is well\n' and run.returncode == 0, run.stdout + run.stderr
