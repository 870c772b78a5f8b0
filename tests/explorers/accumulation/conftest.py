"""What the tests of this explorer start from."""

from __future__ import annotations

import pytest

from gdwidgets import AccumulationComparer


@pytest.fixture(scope="module")
def shared():
    made = AccumulationComparer()
    yield made
    made.close()


@pytest.fixture
def explorer(shared):
    """One explorer for all tests, as it opens: making one takes a while."""
    shared.momentum, shared.loss_log = False, True
    shared.unpin_all()
    shared.apply_preset("the course's")
    shared.reset()
    for toggle in shared.fold.toggles.values():
        toggle.value = False
    return shared
