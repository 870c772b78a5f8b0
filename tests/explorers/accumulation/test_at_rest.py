"""What the comparer says where its loops start at a minimum, or so near that nothing moves.

The oracle is the course's own loop in float32: whether a parameter ever changes in it.
"""

from __future__ import annotations

import pytest

from course_loops import accumulation
from gdwidgets import AccumulationComparer

STEPS = 40


@pytest.mark.parametrize("clear_every", [None, 1, 3])
@pytest.mark.parametrize(
    ("start", "rate"),
    [
        ((1.0, 1.0), 0.1),
        ((1.0, 1.0), 0.7),
        ((-3.0, 7.0), 0.4),
        ((1.0, 1.0000001), 1e-9),
        ((1.0, 1.0000005), 0.4),
        ((1.0, 1.0000005), 0.1),
    ],
)
def test_it_is_said_to_rest_exactly_where_no_update_changes_a_number(start, rate, clear_every):
    loops = [
        accumulation(1.5, 2.5, start, rate, STEPS, clear_every=every)[1]
        for every in (clear_every, 1)
    ]
    left, right = (len({values[:2] for values in loop}) == 1 for loop in loops)
    explorer = AccumulationComparer(
        start=start, learning_rate=rate, clear_every=clear_every, max_steps=STEPS
    )
    explorer.unfold("Why")
    for k in (0, 1, STEPS):
        explorer.step = k
        rests = "nothing moves" in explorer.sentence_text
        assert rests == (left and right)
        if rests:
            for word in ("oscillat", "diverge", "converge"):
                assert word not in explorer.sentence_text
    why = explorer.fold.text.value
    first, second = why.rsplit("So at γ", 1)[1].split(" and the loop ")
    assert ("stays where it is" in first) == left
    assert ("stays where it is" in second) == right
    if left:
        assert "with a period of" not in why
    elif clear_every is None and rate * 6.5 < 4:
        assert "with a period of" in why
    explorer.close()
