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

"""Evaluation report: scored frames in; one picture of the worst of them and a table out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grin_ros.evaluation.evaluate import badness, Scored
from grin_ros.visualise import (
    BACKGROUND,
    colour_depth,
    colour_sigma,
    Image,
    limits,
    put_text,
    scale_bar,
    write_picture,
)

HEIGHT, WIDTH = 180, 400  # [px] that a picture fits into
TEXT_WIDTH = 250  # [px]
LINE = 18  # [px]
ERROR_TOP = 0.5  # relative error at the red end of the colours
FIGURES = ('abs_rel', 'delta1', 'scale', 'within_1_sigma', 'ause', 'edge_abs_rel', 'flying')


class WorstFrames:
    """
    Keeps pictures of the worst frames of a run, whatever its length.

    :param count: how many.
    """

    def __init__(self, count: int = 24) -> None:
        """Start with none."""
        self._count = count
        self._rows: list[tuple[float, int, Image]] = []
        self._seen = 0

    def add(self, scored: Scored) -> None:
        """Look at one frame."""
        self._seen += 1
        key = badness(scored.row)
        if len(self._rows) < self._count or key < self._rows[-1][0]:
            self._rows.append((key, self._seen, frame_picture(scored)))
            self._rows = sorted(self._rows, key=lambda row: row[:2])[:self._count]

    def write(self, path: Path, title: str, means: Sequence[dict[str, Any]]) -> None:
        """Write the table of means and the frames, the worst first, as one PNG."""
        lines = [*title.splitlines(),
                 f'{len(self._rows)} of {self._seen} frames, the worst first; '
                 f'error: blue 0, red {ERROR_TOP:.0%} and more of the true depth']
        pictures = [_text_block(lines, 1200), _table(means), *(row for *_, row in self._rows)]
        width = max(picture.shape[1] for picture in pictures)
        sheet = np.vstack([_padded(picture, width, picture.shape[0] + 2) for picture in pictures])
        write_picture(path, sheet)


def frame_picture(scored: Scored) -> Image:
    """Put figures, photo, depth, truth, their scale and the error side by side."""
    photo, row = scored.sample.image, scored.row
    scale = min(HEIGHT / photo.shape[0], WIDTH / photo.shape[1])
    size = max(1, round(scale * photo.shape[1])), max(1, round(scale * photo.shape[0]))
    near, far = limits(scored.truth)
    error = np.abs(scored.depth - scored.truth) / scored.truth
    lines = [row['name'][:34], f'{row["kind"]}, {row["fov_deg"]:.0f} deg, n {row["n"]}',
             *(f'{name} {row[name]:.3f}' for name in FIGURES if not np.isnan(row[name]))]
    shown = [np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8),
             colour_depth(_shrunk(scored.answer, size), near, far),
             colour_depth(_shrunk(scored.truth, size), near, far)]
    last = colour_sigma(_shrunk(error, size), ERROR_TOP)
    for picture, label in zip((*shown, last), ('photo', 'depth', 'truth', 'error')):
        put_text(picture, label, (8, 18))
    pictures = _padded(np.hstack([*shown, scale_bar(near, far, size[1]), last]), height=HEIGHT)
    return np.hstack([_text_block(lines, TEXT_WIDTH, HEIGHT), pictures])


def _shrunk(values: NDArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize (H, W) values that may be NaN; sparse ones grow, or they would get lost."""
    known = np.where(np.isnan(values), -1, values).astype(np.float32)
    if np.mean(known >= 0) < 0.5:
        reach = int(np.ceil(values.shape[0] / size[1])) + 1
        known = cv2.dilate(known, np.ones((2 * reach - 1, 2 * reach - 1), np.uint8))
    small = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_NEAREST), np.float32)
    return np.where(small < 0, np.float32(np.nan), small)


def _table(means: Sequence[dict[str, Any]]) -> Image:
    """Draw FIGURES of the means, a line each."""
    columns = ('frames', *FIGURES)
    picture = np.full((LINE * (len(means) + 1) + 12, TEXT_WIDTH + 110 * len(columns), 3),
                      BACKGROUND, np.uint8)
    for line, row in enumerate([None, *means]):
        for column, name in enumerate(columns):
            value = name if row is None else '-' if np.isnan(row[name]) else (
                f'{row[name]:d}' if isinstance(row[name], int) else f'{row[name]:.3f}')
            put_text(picture, value, (TEXT_WIDTH + 110 * column, LINE * (line + 1)))
        put_text(picture, '' if row is None else row['name'], (8, LINE * (line + 1)))
    return picture


def _text_block(lines: Sequence[str], width: int, height: int | None = None) -> Image:
    picture = np.full((height or LINE * len(lines) + 12, width, 3), BACKGROUND, np.uint8)
    for number, line in enumerate(lines):
        put_text(picture, line, (8, LINE * (number + 1)))
    return picture


def _padded(picture: Image, width: int = 0, height: int = 0) -> Image:
    """Fill up to a width and a height with the background."""
    below, right = max(0, height - picture.shape[0]), max(0, width - picture.shape[1])
    return np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT,
                                         value=BACKGROUND), np.uint8)
