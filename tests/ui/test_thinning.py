"""Thinning keeps what can be seen: both ends, and the extremes of every column of a plot."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gdwidgets.ui.plots.thinning import column_extremes

VALUES = hnp.arrays(
    np.float32,
    st.integers(1, 300),
    elements=st.one_of(
        st.floats(-1e6, 1e6, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 0.0])
    ),
)


@given(VALUES, st.data())
def test_every_column_keeps_its_range_and_the_series_its_ends(values, data):
    count = data.draw(st.integers(1, len(values)))
    inner = data.draw(st.sets(st.integers(1, len(values)), max_size=20))
    edges = np.array([0, *sorted(inner)])
    picked = column_extremes(values, edges, count)
    assert (np.diff(picked) > 0).all()
    assert (picked[0], picked[-1]) == (0, count - 1)
    for first, last in zip(edges, [*edges[1:], len(values)], strict=True):
        column = values[first : min(last, count)]
        kept = values[picked[(picked >= first) & (picked < last)]]
        finite, shown = column[np.isfinite(column)], kept[np.isfinite(kept)]
        if len(finite):
            assert (shown.min(), shown.max()) == (finite.min(), finite.max())


@given(st.integers(0, 99), st.integers(1, 6), st.sampled_from([0.0, 0.3, 1.0]))
def test_long_columns_are_looked_through_one_by_one_with_the_same_result(seed, columns, bad):
    rng = np.random.default_rng(seed)
    values = rng.integers(-50, 50, 700).astype(np.float32)
    values[rng.random(700) < bad / 2] = np.nan
    edges = np.unique([0, *rng.integers(1, 700, columns - 1)])
    wanted = {0, 699}
    for first, last in zip(edges, [*edges[1:], 700], strict=True):
        column = values[first:last]
        if np.isfinite(column).any():
            wanted |= {first + np.nanargmin(column), first + np.nanargmax(column)}
        else:
            wanted.add(first)
    assert set(column_extremes(values, edges, 700)) == wanted


def test_no_more_is_kept_than_two_records_a_column_and_the_ends():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50_000).astype(np.float32)
    assert len(column_extremes(values, np.arange(0, 50_000, 500), 50_000)) <= 202
