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


@pytest.mark.parametrize(
    "make",
    [
        lambda: AccumulationComparer(learning_rate=0.7, max_steps=400),
        lambda: SurfaceExplorer(start=(-1.5, 2.0), learning_rate=0.5),
        lambda: LearningRateExplorer(learning_rates=(1.0, 0.1), max_steps=30),
    ],
    ids=["accumulation", "surface", "learning rates"],
)
def test_a_diverged_lane_has_no_finite_numbers_and_says_at_which_update(make):
    explorer = make()
    explorer.run()
    rows = re.findall(r"<tr>(.*?)</tr>", explorer.run_table())
    head, *rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
    descent = explorer.descent
    for lane in range(descent.lanes):
        cells = dict(zip(head, rows[lane], strict=True))
        gone = descent.outcomes[lane] == "diverged"
        for name in ("loss", *descent.objective.parameter_names):
            assert (cells[name] == "∞") == gone
        last = int(descent.last_step[lane])
        assert cells["step"] == f"{last + gone:,}"
        assert (cells["outcome"] == f"diverged at {last + 1:,}") == gone
    assert "diverged" in descent.outcomes
    explorer.close()
