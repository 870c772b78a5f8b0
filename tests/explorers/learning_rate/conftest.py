"""What the tests of this explorer start from."""

from __future__ import annotations

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
