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


"""Engine news: builds keep depth from coming and say so, until they are over."""

from grin_ros.node.diagnostics import ModelStatus, Statistics
from grin_ros.node.engine_news import EngineNews


class Log(list):
    """A logger that remembers."""

    info = warning = list.append


def test_progress_is_in_diagnostics_and_milestones_are_in_the_log() -> None:
    model, log = ModelStatus(), Log()
    statistics = Statistics('front', model)
    model.facts['engine_warning'] = 'of an earlier time'
    news = EngineNews(model, log)
    assert 'engine_warning' not in model.facts
    news.report('building frame')
    for share in (10, 50):
        news.report(f'building frame: tactics {share}%')
    assert model.busy == statistics.values()['engine'] == 'building frame: tactics 50%'
    assert log == ['engine: building frame'] and not news.built
    news.report('built frame in 60 s')
    assert news.built and not model.busy
    news.warn('engine fp16 is refused')
    assert statistics.values()['engine_warning'] == log[-1] == 'engine fp16 is refused'
