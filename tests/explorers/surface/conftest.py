"""What the tests of this explorer start from."""

from __future__ import annotations

import pytest

from gdwidgets import HimmelblauExplorer


@pytest.fixture
def explorer():
    made = HimmelblauExplorer()
    yield made
    made.close()
