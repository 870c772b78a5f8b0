"""The run table writes numbers as sentences do: one kind of minus, powers of ten."""

from __future__ import annotations

import re

import pytest

from gdwidgets import AccumulationComparer, LearningRateExplorer, SurfaceExplorer


@pytest.mark.parametrize(
    ("make", "written"),
    [
        (lambda: AccumulationComparer(x=-1.5, y=-2.25, learning_rate=5e-7), ("−1.5", "−2.25")),
        (lambda: SurfaceExplorer(start=(-1.5, 2.0), learning_rate=5e-7), ("−1.5",)),
        (lambda: LearningRateExplorer(learning_rates=(5e-7, 0.1), max_steps=5), ()),
    ],
    ids=["accumulation", "surface", "learning rates"],
)
def test_numbers_are_written_as_in_sentences(make, written):
    explorer = make()
    table = re.sub(r"<[^>]+>", "|", explorer.run_table())
    assert "5·10⁻⁷" in table
    for number in written:
        assert number in table
    assert not re.search(r"\d[eE]-?\d|-\d", table)
    explorer.close()
