"""The printed tables are those of the course's own loops, at any setting."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

import course_loops as loops
from course import (
    CLEARED,
    EXERCISE_1,
    EXERCISE_3,
    EXERCISE_3_EARLY,
    UNCLEARED,
    WORKED_EXAMPLES,
)
from gdwidgets.core import (
    SURFACES,
    Descent,
    LinearNeuron,
    PolynomialRegression,
    Surface,
    initial_parameters,
    tables,
    training_pairs,
)
from gdwidgets.core.data import initial_parameters_at_once
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.wrappers import EveryNth

HIMMELBLAU = SURFACES["himmelblau"]
RATES = (1.0, 0.1, 0.01, 0.001)

single = st.floats(-3, 3, width=32)
rates = st.floats(-9, 1).map(lambda exponent: float(f"{10**exponent:.3g}"))


# -- Exercise 3 ------------------------------------------------------------------------------------


@given(
    start=st.tuples(single, single),
    rate=rates,
    steps=st.integers(1, 320),
    loss_tol=st.none() | st.floats(1e-7, 10.0),
)
@example((1.0, 1.0), 5e-4, 250, None)
@example((-1.0, 1.0), 5e-4, 300, 1.0)
@example((1.0, 1.0), 5e-4, 1, 1.0)
@example((3.0, 2.0), 0.1, 40, None)
@example((2.5, 2.5), 1.0, 105, None)
def test_exercise_3_at_any_setting(start, rate, steps, loss_tol):
    lines, point, losses, _ = loops.landscape(loops.himmelblau, start, rate, steps, loss_tol)
    u, v = (float(str(np.float32(value))) for value in start)
    head = f"Initialized at: u = {u}, v = {v}, learning rate = {rate}"
    head += "" if loss_tol is None else f", loss_tol = {loss_tol}"
    descent = Descent(HIMMELBLAU, start, rate, loss_tol=loss_tol, max_steps=steps)
    expected = "\n".join([head, *lines, loops.final(point, losses)])
    assert tables.exercise_3(descent) == expected


def test_exercise_3_of_the_course():
    one = Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=300)
    early = Descent(HIMMELBLAU, (-1, 1), 5e-4, loss_tol=1e-4, max_steps=300)
    assert tables.exercise_3(one) == EXERCISE_3
    assert tables.exercise_3(early) == EXERCISE_3_EARLY


def test_one_lane_s_divergence_is_another_s_table_too():
    starts = [(1.0, 1.0), (3.0, 3.0), (-1.0, 1.0)]
    lanes = Descent(HIMMELBLAU, starts, (5e-4, 0.5, 2e-3), max_steps=120)
    for lane, (start, rate) in enumerate(zip(starts, (5e-4, 0.5, 2e-3), strict=True)):
        alone = Descent(HIMMELBLAU, start, rate, max_steps=120)
        assert tables.exercise_3(lanes, lane) == tables.exercise_3(alone)


# -- Exercise 2 ------------------------------------------------------------------------------------


@given(
    sample=st.tuples(st.floats(-4, 4, width=32), st.floats(-4, 4, width=32)),
    start=st.tuples(single, single),
    rate=rates,
    steps=st.integers(1, 60),
    clear_every=st.none() | st.integers(1, 4),
)
@example((1.5, 2.5), (0.5, 0.5), 0.7, 20, None)
@example((1.5, 2.5), (0.5, 0.5), 10.0, 60, 1)
@example((1.5, 2.5), (0.5, 0.5), 10.0, 60, None)
@example((4.0, 4.0), (3.0, 3.0), 10.0, 60, 3)
def test_exercise_2_at_any_setting(sample, start, rate, steps, clear_every):
    rows, _ = loops.accumulation(*sample, start, rate, steps, clear_every=clear_every)
    descent = Descent(
        LinearNeuron(*sample), start, rate, clear_every=(clear_every, 1), max_steps=steps
    )
    title, target, columns, rule, *printed = tables.exercise_2(
        descent, 0, "Without gradient clearing", "loss"
    ).split("\n")
    assert (title, target) == ("Without gradient clearing:", "Target function: loss")
    assert columns == "Step |       Loss |        a |        b |   grad_a |   grad_b"
    assert rule == "-" * 60
    assert printed == rows


def test_exercise_2_of_the_course():
    descent = Descent(LinearNeuron(), (0.5, 0.5), 0.1, clear_every=(None, 1), max_steps=10)
    for lane, rows in enumerate((UNCLEARED, CLEARED)):
        assert tables.exercise_2(descent, lane, "", "").split("\n", 4)[4] == rows


def test_large_numbers_keep_their_columns_full_of_digits():
    descent = Descent(LinearNeuron(), (0.5, 0.5), 0.7, max_steps=20)
    descent.advance_to(20)
    row = tables.exercise_2(descent, 0, "", "").splitlines()[-1]
    assert f"{descent.loss[19, 0]:10.6f}" in row
    assert "e" not in row


def test_a_batch_at_once_has_rows_only_where_its_backward_pass_runs():
    batch = MicroBatches(*training_pairs(8), 4)
    descent = Descent(batch, [(0, 0)] * 2, 0.1, rule=EveryNth(4), clear_every=4, max_steps=12)
    parts, whole = (tables.exercise_2(descent, lane, "", "").splitlines()[4:] for lane in (0, 1))
    assert [int(row[:4]) for row in parts] == list(range(1, 13))
    assert [int(row[:4]) for row in whole] == [4, 8, 12]


# -- Exercise 1 and the worked examples ------------------------------------------------------------


@pytest.fixture(scope="module")
def regression():
    return PolynomialRegression(*training_pairs())


def test_exercise_1_of_the_course(regression):
    descent = Descent(regression, initial_parameters(), RATES, max_steps=8000)
    table = tables.exercise_1(
        descent, 4000, (100, 2000, 4000, 6000, 8000), regression.closed_form()
    )
    assert table == EXERCISE_1


@given(rate=rates, counts=st.lists(st.integers(1, 150), min_size=1, max_size=4))
@example(1.0, [3, 20, 30, 31, 32, 33, 34, 35, 60, 150])
@example(10.0, [1, 2, 3, 150])
def test_exercise_1_at_any_setting(regression, rate, counts):
    longest = max(counts)
    x, y = loops.training_pairs()
    descent = Descent(regression, initial_parameters(), rate, max_steps=longest)
    table = tables.exercise_1(descent, longest, counts, ((0, 0, 0), 0)).splitlines()
    expected = {}
    for n in {*counts, longest}:
        coefficients, losses = loops.regression(x, y, loops.three_draws(), rate, n)
        expected[n] = loops.regression_row(coefficients, losses[-1])
    assert table[0] == f"Changing the learning rate (fixed num_iterations = {longest}):"
    written = table[1].split(" | ")[0].removeprefix("Learning rate ")
    assert float(written) == rate
    assert same_to_rounding(table[1].split(" | ")[1], expected[longest])
    if descent.outcomes[0] != "diverged":
        heading, *rows = table[3 : 4 + len(counts)]
        assert float(heading.split(" = ")[1].rstrip("):")) == rate
        for n, row in zip(counts, rows, strict=True):
            title, cells = row.split("| ")
            assert title == f"Iterations {n:4}         "
            assert same_to_rounding(cells, expected[n])


def same_to_rounding(one, other):
    """Equal in form; huge numbers, of more digits than a float32 holds, equal as float32."""
    names, numbers = zip(*(cell.split(":") for cell in one.split(", ")), strict=True)
    names_2, numbers_2 = zip(*(cell.split(":") for cell in other.split(", ")), strict=True)
    wide = [len(number) for number in numbers] == [len(number) for number in numbers_2]
    close = np.allclose(
        [float(number) for number in numbers],
        [float(number) for number in numbers_2],
        rtol=1e-6,
        atol=1.01e-4,
        equal_nan=True,
    )
    return names == names_2 and wide and close


@pytest.mark.parametrize("example", WORKED_EXAMPLES)
def test_the_worked_examples(regression, example):
    starts = {"by hand": initial_parameters_at_once(), "by autograd": initial_parameters()}
    descent = Descent(regression, starts[example], 1e-2, max_steps=4000)
    assert tables.training_lines(descent) == WORKED_EXAMPLES[example]


@given(rate=st.floats(1e-6, 0.2), steps=st.integers(1, 60), every=st.integers(1, 20))
def test_worked_examples_at_any_setting(regression, rate, steps, every):
    start = initial_parameters_at_once().tolist()
    descent = Descent(regression, start, rate, max_steps=steps)
    coefficients, losses = loops.by_hand(*loops.training_pairs(), start, rate, steps)
    lines = tables.training_lines(descent, every=every).splitlines()
    expected = [f"Iteration {k:4d} | Loss: " for k in range(every, steps + 1, every)]
    assert [line[: len(head)] for line, head in zip(lines, expected, strict=False)] == expected
    assert len(lines) == len(expected) + 1
    printed = [float(line.split(": ")[1]) for line in lines[:-1]]
    np.testing.assert_allclose(printed, losses[every - 1 :: every], rtol=1e-3, atol=1.01e-4)
    ending = [float(part.split(" = ")[1]) for part in lines[-1].split(", ")]
    np.testing.assert_allclose(ending, coefficients, rtol=1e-3, atol=1.01e-4)


# -- beyond the recording --------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov", "rmsprop", "adam"])
def test_a_diverged_lane_goes_on_as_its_loop_does(rule):
    """The same numbers as a descent of two lanes of which the other keeps it running."""

    def steep(u, v):
        return u**4 + 0 * v

    start, rate, steps = (2.0, 1.0), 0.5, 60
    descent = Descent(Surface(steep, (-3, 3)), start, rate, rule=rule, max_steps=steps)
    run = tables.held(descent, 0)
    made = {
        "gd": lambda p: torch.optim.SGD(p, rate),
        "momentum": lambda p: torch.optim.SGD(p, rate, momentum=0.9),
        "nesterov": lambda p: torch.optim.SGD(p, rate, momentum=0.9, nesterov=True),
        "rmsprop": lambda p: torch.optim.RMSprop(p, rate),
        "adam": lambda p: torch.optim.Adam(p, rate),
    }
    u, v = (loops.number(value) for value in start)
    optimizer = made[rule]([u, v])
    points, losses = [(u.item(), v.item())], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = steep(u, v)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        points.append((u.item(), v.item()))
    np.testing.assert_allclose(run.params, points, rtol=1e-4)
    np.testing.assert_allclose(run.loss, losses, rtol=1e-4)
    if rule in {"gd", "momentum", "nesterov"}:
        assert math.isnan(run.params[-1, 0])


def test_a_function_that_cannot_bear_infinity_leaves_nan():
    def picky(u, v):
        if not bool(torch.isfinite(u).all()):
            raise ArithmeticError("u")
        return u**4 + v**2

    descent = Descent(Surface(picky, (-3, 3)), (2.0, 1.0), 0.5, max_steps=30)
    run = tables.held(descent, 0)
    assert run.steps == 30
    assert math.isnan(run.loss[-1])


def test_anomaly_detection_of_the_session_changes_nothing():
    descent = Descent(HIMMELBLAU, (3, 3), 0.5, max_steps=120)
    descent.advance_to(120)
    before = tables.exercise_3(descent)
    with torch.autograd.set_detect_anomaly(True), torch.no_grad():
        assert tables.exercise_3(descent) == before
