"""What the tests of this explorer start from."""

from __future__ import annotations

import re

import pytest

from gdwidgets import LearningRateExplorer


@pytest.fixture
def make():
    made = []

    def build(**settings):
        made.append(LearningRateExplorer(**({"max_steps": 200} | settings)))
        return made[-1]

    yield build
    for explorer in made:
        explorer.close()


@pytest.fixture
def explorer(make):
    return make()


@pytest.fixture
def cells():
    """A function that reads the live table: a list of cells for each row, the head first."""

    def read(explorer):
        rows = re.findall("<tr>(.*?)</tr>", explorer.lanes.table.value)
        return [re.findall("<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]

    return read
