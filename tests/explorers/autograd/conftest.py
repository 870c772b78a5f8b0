"""What the tests of this explorer start from."""

from __future__ import annotations

import pytest

from gdwidgets import AutogradExplorer


@pytest.fixture
def explorer():
    made = AutogradExplorer()
    yield made
    made.close()
