"""LearningRateExplorer without a browser: tables, lanes, schedule, marks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from traitlets import TraitError

from course import EXERCISE_1
from gdwidgets import LearningRateExplorer
from gdwidgets.core import (
    RULES,
    Descent,
    PolynomialRegression,
    condition_number,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.explorers.learning_rate.loss import RateThinner, log_ticks
from gdwidgets.ui.plots import palette
from gestures import cells

# -- the course's numbers --------------------------------------------------------------------------


def test_the_table_prints_the_course_s_three_tables_from_one_run(monkeypatch):
    explorer = LearningRateExplorer()
    steps = []
    advance = Descent.advance_to

    def counted(self, k, **budget):
        before = self.recorded
        reached = advance(self, k, **budget)
        steps.append(reached - before)
        return reached

    monkeypatch.setattr(Descent, "advance_to", counted)
    explorer.step = 5
    assert explorer.table() == EXERCISE_1
    assert explorer.table() == EXERCISE_1
    assert sum(steps) == 8000
    assert explorer.step == 5
    explorer.close()


def test_the_defaults_are_the_course_s_exercise():
    explorer = LearningRateExplorer()
    assert explorer.learning_rates == (1.0, 0.1, 0.01, 0.001)
    assert (explorer.max_steps, explorer.degree, explorer.rule) == (4000, 2, "gd")
    torch.manual_seed(1)
    drawn = torch.stack([torch.randn(()) for _ in range(3)])
    np.testing.assert_array_equal(explorer.descent.start[0], drawn)
    np.testing.assert_array_equal(explorer.regression.x, training_pairs()[0])
    explorer.close()


def test_headings_show_rates_with_the_digits_they_need(make):
    table = make(learning_rates=(0.15, 0.02), max_steps=40).table()
    assert "Learning rate 1.5e-01 |" in table
    assert "(fixed learning_rate = 1.5e-1)" in table
    assert "(fixed learning_rate = 2e-2)" in table
    assert "Iterations    1         |" in table


def test_the_limit_and_the_condition_number_come_from_the_data(explorer):
    regression = PolynomialRegression(*training_pairs())
    point = (0.0, 0.0, 0.0)
    curvature = explorer.curvature
    assert curvature.limit == pytest.approx(learning_rate_limit(regression, point))
    assert curvature.condition == pytest.approx(condition_number(regression, point))
    said = explorer.controls.panel.why.value
    assert "0.2004" in said
    assert "328 times" in said
    assert "so 1 diverges" in said
    assert "228 updates at 0.1" in said
    assert "limit 0.2004" in explorer.controls.panel.strip.value


def test_the_error_halves_as_fast_as_the_sentence_says(make):
    explorer = make(learning_rates=(0.1,), max_steps=1000)
    explorer.run()
    best, _ = explorer.closed_form
    apart = np.linalg.norm(explorer.descent.params[:, 0] - best, axis=1)
    updates = round(explorer.curvature.halving(0.1))
    assert apart[300 + updates] / apart[300] == pytest.approx(0.5, rel=0.01)


def test_a_rate_just_below_the_limit_is_stable_and_one_just_above_is_not(make):
    limit = make().curvature.limit
    explorer = make(learning_rates=(0.99 * limit, 1.05 * limit), max_steps=2000)
    explorer.run()
    assert list(explorer.descent.outcomes) == ["max_steps", "diverged"]


@pytest.mark.parametrize("name", [name for name in RULES if name != "gd"])
def test_for_other_rules_the_limit_is_said_not_to_apply(make, name):
    explorer = make(rule=name)
    assert "does not apply to" in explorer.controls.panel.why.value
    assert "limit" not in explorer.controls.panel.strip.value
    explorer.run()
    alone = Descent(explorer.regression, initial_parameters(), 0.01, rule=name, max_steps=200)
    alone.advance_to(200)
    np.testing.assert_allclose(
        explorer.descent.params[200, 2], alone.params[200, 0], rtol=1e-4, atol=1e-5
    )


# -- lanes -----------------------------------------------------------------------------------------


def test_a_lane_has_one_colour_in_both_figures_and_its_row(explorer):
    explorer.add_rate(0.05)
    colours = list(palette.LANES[:5])
    assert explorer.fits.fits.colors == colours
    assert explorer.loss_plot.lines.colors == colours
    for row, colour in zip(explorer.controls.panel.rows, colours, strict=False):
        assert colour in row.children[0].value
    for colour in colours:
        assert colour in explorer.controls.panel.strip.value


def test_lanes_are_edited_removed_and_added_in_place(explorer):
    panel = explorer.controls.panel
    panel.fields[1].value = "0.05"
    assert explorer.learning_rates == (1.0, 0.05, 0.01, 0.001)
    panel.removers[0].click()
    assert explorer.learning_rates == (0.05, 0.01, 0.001)
    panel.add.click()
    assert explorer.learning_rates == (0.05, 0.01, 0.001, 0.19)
    assert [row.layout.display for row in panel.rows] == [None] * 4 + ["none"] * 4
    assert [field.value for field in panel.fields[:4]] == ["0.05", "0.01", "0.001", "0.19"]
    assert len(cells(explorer)) == 1 + 4 + 1


def test_eight_lanes_are_the_most_and_one_the_least(make):
    explorer = make(learning_rates=0.1)
    with pytest.raises(TraitError, match="at least one"):
        explorer.remove_rate(0)
    assert explorer.controls.panel.removers[0].disabled
    for _ in range(7):
        explorer.controls.panel.add.click()
    assert explorer.problem == ""
    assert len(set(explorer.learning_rates)) == 8
    with pytest.raises(TraitError, match="1 to 8 numbers, not 9"):
        explorer.add_rate()
    assert explorer.controls.panel.add.disabled
    assert explorer.descent.lanes == 8


def test_the_chosen_lane_follows_when_lanes_go(make):
    explorer = make(lane=3)
    explorer.remove_rate(3)
    assert explorer.lane == 2
    explorer.learning_rates = (0.1,)
    assert explorer.lane == 0
    with pytest.raises(ValueError, match="from 0 to 0"):
        explorer.lane = 1
    assert explorer.lane == 0


def test_a_diverged_lane_leaves_quietly_and_its_row_says_when(explorer):
    limits = [explorer.loss_plot._y.min, explorer.loss_plot._y.max]
    explorer.run()
    last = int(explorer.descent.last_step[0])
    assert cells(explorer)[1][-1] == f"diverged at step {last + 1}"
    assert cells(explorer)[2][-1] == "end of run"
    assert [explorer.loss_plot._y.min, explorer.loss_plot._y.max] == limits
    assert len(explorer.loss_plot.present.x) == 3
    assert (explorer.fits.fits.y[0] > explorer.fits.y.max).all()
    assert f"Diverged: 1 at update {last + 1}" in explorer.status.value
    explorer.step = last
    assert cells(explorer)[1][-1] == f"diverged at step {last + 1}"
    explorer.step = last - 1
    assert cells(explorer)[1][-1] == "running"


def test_the_axes_do_not_move_while_a_run_goes_on(explorer):
    def limits():
        scales = (explorer.fits.x, explorer.fits.y, explorer.loss_plot._x, explorer.loss_plot._y)
        return [(scale.min, scale.max) for scale in scales]

    before = limits()
    for k in (1, 15, 19, 20, 100, 200):
        explorer.step = k
        assert limits() == before


def test_the_live_table_shows_the_records_and_the_closed_form_last(explorer):
    explorer.step = 100
    rows = cells(explorer)
    assert rows[0] == ["a", "b", "c", "loss", "distance", "outcome"]
    assert rows[2][:3] == ["0.8828", "-0.4756", "0.9729"]
    assert rows[-1] == ["1.8195", "-3.0787", "2.2214", "0.0503", "0.0000", "least squares"]
    best, _ = explorer.closed_form
    apart = np.linalg.norm(explorer.descent.params[100, 1] - best)
    assert rows[2][4] == f"{apart:.4f}"


def test_every_fit_drawn_is_the_lane_s_polynomial(explorer):
    explorer.step = 50
    x, y = np.asarray(explorer.fits.fits.x), np.asarray(explorer.fits.fits.y)
    for lane in (1, 2, 3):
        expected = explorer.regression.predict(explorer.descent.params[50, lane].copy(), x)[0]
        np.testing.assert_allclose(y[lane], expected, rtol=1e-4, atol=1e-5)
    best, _ = explorer.closed_form
    np.testing.assert_allclose(
        explorer.fits.closed.y, np.polyval(best[::-1], np.asarray(explorer.fits.closed.x)), 1e-4
    )


@pytest.mark.parametrize("log", [False, True])
def test_the_losses_drawn_are_recorded_losses(make, log):
    explorer = make(log_steps=log, max_steps=3000)
    explorer.step = 2500
    x, y = np.asarray(explorer.loss_plot.lines.x), np.asarray(explorer.loss_plot.lines.y)
    for lane in (1, 2, 3):
        steps = np.round(10.0 ** x[lane].astype(float) - 1 if log else x[lane]).astype(int)
        np.testing.assert_array_equal(y[lane], explorer.descent.loss[steps, lane])
        assert steps[0] == 0
        assert steps[-1] == 2500
    label = "iteration (step + 1)" if log else "step"
    assert explorer.loss_plot._axis_x.label == label


def test_a_spike_of_one_record_survives_thinning_on_a_logarithmic_axis():
    values = np.ones(5000, np.float32)
    values[3333] = 9
    thinner = RateThinner(lambda: values, 5000, 40)
    for count in (3334, 4000, 5000):
        picked = thinner.indices(count)
        assert 3333 in picked
        assert picked[0] == 0
        assert picked[-1] == count - 1
        assert len(picked) <= 84
    assert 3333 not in thinner.indices(3000)
    assert thinner.indices(1).tolist() == [0]


@pytest.mark.parametrize(("low", "high"), [(0.04, 2.4), (1e-9, 3.0), (5e-30, 1e9), (0.5, 0.6)])
def test_ticks_lie_within_the_axis(low, high):
    ticks = log_ticks(low, high)
    assert ((ticks >= low) & (ticks <= high)).all()
    assert len(ticks) <= 12


# -- changing a rate in mid-run --------------------------------------------------------------------


def test_a_changed_rate_restarts_by_default(explorer):
    explorer.step = 50
    explorer.change_rate(1, 0.05)
    assert explorer.step == 0
    assert explorer.schedule == ()


def test_a_changed_rate_can_continue_from_the_cursor(make):
    explorer = make(on_change="continue", learning_rates=(0.1, 0.01))
    explorer.step = 50
    before = explorer.descent.params[:51].copy()
    explorer.controls.panel.fields[0].value = "0.02"
    assert explorer.step == 50
    assert explorer.schedule == ((50, (0.1, 0.01)),)
    explorer.run()
    np.testing.assert_array_equal(explorer.descent.params[:51], before)
    x, y = training_pairs()
    c = torch.tensor(before[0, 0], requires_grad=True)
    for k in range(200):
        (c[0] + c[1] * x + c[2] * x**2 - y).square().mean().backward()
        with torch.no_grad():
            c -= (0.1 if k < 50 else 0.02) * c.grad
        c.grad = None
    np.testing.assert_allclose(explorer.descent.params[200, 0], c.detach(), rtol=1e-4)
    again = make(**explorer.settings())
    again.run()
    np.testing.assert_array_equal(again.descent.params, explorer.descent.params)
    assert explorer.loss_plot.changes.visible


def test_going_back_before_a_change_and_changing_again_forgets_the_later_one(make):
    explorer = make(on_change="continue", learning_rates=(0.1,))
    explorer.step = 80
    explorer.learning_rates = (0.05,)
    explorer.step = 30
    explorer.learning_rates = (0.02,)
    assert explorer.schedule == ((30, (0.1,)),)
    explorer.learning_rates = (0.03,)
    assert explorer.schedule == ((30, (0.1,)),)
    explorer.rule = "momentum"
    assert explorer.schedule == ()


# -- mini-batches ----------------------------------------------------------------------------------


def test_mini_batches_are_off_until_a_size_is_chosen(make):
    explorer = make(learning_rates=(0.1, 0.01))
    assert explorer.descent.objective is explorer.regression
    explorer.controls.batch_size.value = "10"
    assert explorer.batch_size == 10
    explorer.run()
    alone = Descent(
        MiniBatches(explorer.regression, 10), initial_parameters(), (0.1, 0.01), max_steps=200
    )
    alone.advance_to(200)
    np.testing.assert_array_equal(explorer.descent.loss, alone.loss)
    assert (np.diff(explorer.descent.loss[:, 1]) > 0).any()
    assert explorer.loss_plot._axis_y.label == "loss of the mini-batch"
    assert "batch loss" in cells(explorer)[0]
    assert "of all pairs together" in explorer.controls.panel.why.value
    explorer.controls.batch_size.value = ""
    assert explorer.batch_size is None
    assert explorer.loss_plot._axis_y.label == "loss"


# -- manual beside autograd ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, 20])
def test_the_formula_and_autograd_agree_at_every_step(make, size):
    explorer = make(batch_size=size, lane=1)
    explorer.run()
    manual = explorer.manual_gradients()
    assert manual.shape == (201, 3)
    np.testing.assert_allclose(manual, explorer.descent.step_grad[:, 1], rtol=1e-4, atol=1e-6)


def test_the_manual_gradients_of_an_ended_lane_are_those_of_its_last_batch(make):
    explorer = make(learning_rates=(2.0, 0.1), batch_size=7, lane=0)
    explorer.run()
    assert explorer.descent.outcomes[0] == "diverged"
    np.testing.assert_allclose(
        explorer.manual_gradients(), explorer.descent.step_grad[:, 0], rtol=1e-3, atol=1e-3
    )


def test_the_switch_shows_both_gradients_and_their_difference(explorer):
    explorer.fold.toggles["Manual gradient"].value = True
    explorer.step = 100
    shown = explorer.fold.body.value
    for text in ("∂L/∂a by hand", "a.grad", "difference", "2/N Σ", "Learning rate 0.1"):
        assert text in shown
    assert f"{explorer.descent.grad[100, 1, 0]:.6f}" in shown
    explorer.controls.lane.value = 2
    assert explorer.lane == 2
    assert "Learning rate 0.01" in explorer.fold.body.value
