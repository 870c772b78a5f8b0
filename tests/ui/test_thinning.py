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


def test_no_more_is_kept_than_two_records_a_column_and_the_ends():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50_000).astype(np.float32)
    assert len(column_extremes(values, np.arange(0, 50_000, 500), 50_000)) <= 202
