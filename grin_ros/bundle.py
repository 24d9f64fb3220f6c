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

"""Bundle: a folder of graphs, weights and facts in; checked paths and numbers out."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
from importlib import resources
import json
import os
from pathlib import Path
from typing import Any

from grin_ros.camera import Camera
from grin_ros.diffusion.depth_codec import DepthCodec
from grin_ros.diffusion.sampler import MAX_STEPS
from grin_ros.errors import GrinError

FORMAT_VERSION = 1
FOV_RANGE_DEG = (25.0, 110.0)  # of the lenses that training saw often; crops reach beyond
INPUT_SIZE, QUERY_STRIDE = (320, 240), 4  # (width, height) and spacing [px] of a new bundle
SHIPPED = 'grin_small'
METADATA, WEIGHTS, PROBE = 'grin.json', 'weights.safetensors', 'probe.npz'
GRAPHS = ('encoder.onnx', 'conditioner.onnx', 'denoiser.onnx')
INT8_DENOISER = 'denoiser_int8.onnx'  # a bundle may have it
REMEDY = 'install grin_ros again, or write the bundle again with `grin export`'


@dataclass(frozen=True)
class Bundle:
    """
    What the deployed half knows of a trained model.

    :param folder: where the files are.
    :param name: name of the model.
    :param codec: how the network's output codes range.
    :param input_size: (width, height) [px] the network was trained for.
    :param query_stride: spacing [px] of the asked pixels on the network's input.
    :param default_steps: denoising steps used unless asked otherwise.
    :param fov_range_deg: horizontal fields of view [deg] seen in training.
    :param sigma_calibration: factor of the Laplace scale b per number of steps.
    :param sigma_frame: relative standard deviation of the scale of a whole frame.
    :param metadata: all of grin.json.
    """

    folder: Path
    name: str
    codec: DepthCodec
    input_size: tuple[int, int]
    query_stride: int
    default_steps: int
    fov_range_deg: tuple[float, float]
    sigma_calibration: dict[int, float]
    sigma_frame: float
    metadata: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuse what no model has."""
        low, high = self.fov_range_deg
        if not 1 <= self.default_steps <= MAX_STEPS:
            raise ValueError(f'default_steps {self.default_steps} is not 1 to {MAX_STEPS}')
        if not 0 < low <= high <= 360:
            raise ValueError(f'fov_range_deg {low} to {high} is no range of angles')
        if not all(0 <= sigma < 100 for sigma in (self.sigma_frame,
                                                  *self.sigma_calibration.values())):
            raise ValueError('sigma_frame and sigma_calibration must be 0 or more, below 100')

    def file(self, name: str) -> Path:
        """Return the path of one of the bundle's files."""
        return self.folder / name

    def strange_lens(self, camera: Camera) -> str:
        """Return a sentence when a camera sees much more or less than those of training, or ''."""
        low, high = self.fov_range_deg
        hfov = camera.hfov_deg
        if not (hfov < low - 0.5 or hfov > high + 0.5):
            return ''
        return (f'the field of view across is {hfov:.0f} deg, and {self.name} was trained on '
                f'{low:.0f} to {high:.0f} deg, with few exceptions: look at its depth before '
                'relying on it')

    def calibration(self, steps: int) -> float:
        """Return the factor of b for a number of steps, or for the nearest one measured."""
        if not self.sigma_calibration:
            return 1.0
        return self.sigma_calibration[min(self.sigma_calibration, key=lambda n: abs(n - steps))]


def find_bundle(bundle: str | os.PathLike[str] | None = None) -> Path:
    """
    Return the folder of a bundle.

    :param bundle: a folder, the name of a shipped bundle, or None for the shipped default.
    :raises GrinError: when there is no such folder.
    """
    shipped = Path(str(resources.files('grin_ros'))) / 'bundles'
    if bundle is None or not os.fspath(bundle):
        folder = shipped / SHIPPED
    else:
        folder = Path(bundle).expanduser()
        if not folder.is_dir() and len(folder.parts) == 1:
            folder = shipped / folder
    if not folder.is_dir():
        raise GrinError(f'there is no bundle at {folder}: give the folder that `grin export` '
                        'wrote, or install grin_ros again for the shipped one')
    return folder


def load_bundle(bundle: str | os.PathLike[str] | None = None) -> Bundle:
    """
    Read grin.json and check every file against its sha256.

    :param bundle: as in find_bundle.
    :raises GrinError: naming the file that is missing, damaged or of another format.
    """
    folder = find_bundle(bundle)
    path = folder / METADATA
    try:
        facts = json.loads(path.read_text(encoding='utf-8'))
        version = facts['format_version']
    except FileNotFoundError:
        raise GrinError(f'{path} is missing, so this is no bundle: {REMEDY}') from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise GrinError(f'{path} is damaged ({error}): {REMEDY}') from error
    if version != FORMAT_VERSION:
        raise GrinError(f'{path} has format_version {version}, this grin_ros reads '
                        f'{FORMAT_VERSION}: use the matching grin_ros, or export again')
    try:
        files = dict(facts['files'])
        loaded = Bundle(
            folder=folder,
            name=str(facts['name']),
            codec=DepthCodec(**facts['model']['codec']),
            input_size=(int(facts['input_size'][0]), int(facts['input_size'][1])),
            query_stride=int(facts['query_stride']),
            default_steps=int(facts['default_steps']),
            fov_range_deg=(float(facts['fov_range_deg'][0]), float(facts['fov_range_deg'][1])),
            sigma_calibration={int(steps): float(factor)
                               for steps, factor in facts['sigma_calibration'].items()},
            sigma_frame=float(facts.get('sigma_frame', 0.0)),
            metadata=facts)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise GrinError(
            f'{path} is damaged ({type(error).__name__}: {error}): {REMEDY}') from error
    for name in GRAPHS:
        if name not in files:
            raise GrinError(f'{path} does not list {name}: {REMEDY}')
    for name, digest in files.items():
        _check_file(folder, str(name), str(digest))
    return loaded


def _check_file(folder: Path, name: str, digest: str) -> None:
    """Refuse a file that is missing or is not the one that was exported."""
    if Path(name).name != name:
        raise GrinError(f'{folder / METADATA} lists "{name}", which is no plain file name: '
                        f'{REMEDY}')
    hasher = hashlib.sha256()
    try:
        with open(folder / name, 'rb') as stream:
            while block := stream.read(1 << 20):
                hasher.update(block)
    except OSError as error:
        raise GrinError(f'{folder / name} cannot be read ({error.strerror}): {REMEDY}') from error
    if hasher.hexdigest() != digest.lower():
        raise GrinError(f'{folder / name} is damaged, its sha256 is not the one in grin.json: '
                        f'{REMEDY}')
