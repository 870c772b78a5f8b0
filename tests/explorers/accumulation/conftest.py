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
    shared.unpin_all()
    shared.situate("the exercise")
    shared.assign(momentum=False, loss_log=True, parameter="a", x=1.5, y=2.5)
    shared.reset()
    shared.situations = None
    if shared.fold.opened is not None:
        shared.unfold(shared.fold.opened, False)
    shared._situation = None
    shared.chips.show(None)
    shared.redraw(full=True)
    return shared
