"""A basin map labels every start with the minimum its own descent reaches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdwidgets.core import (
    DIVERGED,
    SURFACES,
    UNSETTLED,
    BasinMap,
    BasinSearch,
    Descent,
    Surface,
    basins,
)

HIMMELBLAU = SURFACES["himmelblau"]


def test_every_label_is_where_that_start_s_descent_ends():
    found = basins(HIMMELBLAU, 0.01, resolution=9)
    assert (DIVERGED, UNSETTLED) == (BasinMap.DIVERGED, BasinMap.UNSETTLED) == (-1, -2)
    np.testing.assert_array_equal(found.minima, HIMMELBLAU.minima)
    reach = 0.02 * np.hypot(12, 12)
    for i, v in enumerate(found.v):
        for j, u in enumerate(found.u):
            descent = Descent(HIMMELBLAU, (u, v), 0.01, max_steps=300)
            descent.advance_to(300)
            distances = np.hypot(*(descent.params[-1, 0] - found.minima).T)
            if descent.outcomes[0] == "diverged":
                assert found.labels[i, j] == DIVERGED
            elif distances.min() <= reach:
                assert found.labels[i, j] == distances.argmin()
            else:
                assert found.labels[i, j] == UNSETTLED


def test_in_slices_it_is_the_same_map():
    search = BasinSearch(HIMMELBLAU, 5e-4, resolution=30, max_steps=100)
    seen = [search.progress]
    while not search.advance(0):
        seen.append(search.progress)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert len(seen) > 5
    assert search.progress == 1
    whole = basins(HIMMELBLAU, 5e-4, resolution=30, max_steps=100)
    np.testing.assert_array_equal(search.result().labels, whole.labels)


def test_unknown_minima_are_found():
    wells = Surface(lambda u, v: (u**2 - 1) ** 2 + v**2, (-2, 2))
    found = basins(wells, 0.05, resolution=20)
    np.testing.assert_allclose(found.minima, [(-1, 0), (1, 0)], atol=1e-3)
    assert (found.labels[:, :10] == 0).all()
    assert (found.labels[:, 10:] == 1).all()


def test_rastrigin_s_local_minima_are_told_apart():
    found = basins(SURFACES["rastrigin"], 5e-4)
    assert len(found.minima) == 121
    assert found.minima[0].tolist() == [0, 0]
    losses = SURFACES["rastrigin"].values(found.minima)
    assert (np.diff(losses) > -1e-3).all()
    assert (found.labels >= 0).all()


def test_there_are_at_most_200_further_minima():
    valley = Surface(lambda u, v: torch.cos(40 * u) + torch.cos(40 * v), (-5, 5))
    assert len(basins(valley, 5e-4, resolution=60).minima) <= 200


def test_a_start_that_rests_on_a_saddle_is_unsettled():
    found = basins(Surface(lambda u, v: u**2 - v**2, (-2, 2)), 0.1, resolution=3, max_steps=60)
    assert found.labels[1, 1] == UNSETTLED
    assert len(found.minima) == 0


def test_a_tolerance_or_another_rule_is_taken_along():
    found = basins(HIMMELBLAU, 0.05, rule="adam", resolution=10, loss_tol=1e-7)
    assert (found.labels >= 0).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((3, 0.1), {}, "surface must be a Surface"),
        ((HIMMELBLAU, 0), {}, "learning_rate must be greater than 0"),
        ((HIMMELBLAU, 0.1), {"resolution": 1}, "resolution must be a whole number from 2 to 500"),
        ((HIMMELBLAU, 0.1), {"max_steps": 0}, "max_steps"),
        ((HIMMELBLAU, 0.1), {"rule": "sgd"}, "rule must be one of"),
    ],
)
def test_bad_settings_are_refused(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        basins(*arguments, **keywords)
