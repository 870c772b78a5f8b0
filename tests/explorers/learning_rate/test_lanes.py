"""The lanes without a browser: rates, handles, the live table, fits and losses on the screen."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets import LearningRateExplorer
from gdwidgets.core import (
    RULES,
    Descent,
    GradientDescent,
    Momentum,
    Nesterov,
    PolynomialRegression,
    RMSprop,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.rules.schedules import Cosine, Exponential
from gdwidgets.explorers.learning_rate import track, why
from gdwidgets.explorers.learning_rate.losses import Losses
from gdwidgets.explorers.learning_rate.text import _cell
from gdwidgets.ui import text
from gdwidgets.ui.plots import labels, palette


def test_the_defaults_are_the_course_s_exercise():
    explorer = LearningRateExplorer()
    assert explorer.learning_rates == (1.0, 0.1, 0.01, 0.001)
    assert (explorer.max_steps, explorer.degree, explorer.rule) == (4000, 2, "gd")
    assert (explorer.speed, explorer.log_steps) == ("auto", True)
    torch.manual_seed(1)
    drawn = torch.stack([torch.randn(()) for _ in range(3)])
    np.testing.assert_array_equal(explorer.descent.start[0], drawn)
    np.testing.assert_array_equal(explorer.regression.x, training_pairs()[0])
    explorer.close()


# -- lanes -----------------------------------------------------------------------------------------


def test_a_lane_has_one_colour_and_marker_everywhere(explorer):
    explorer.add_rate(0.05)
    explorer.run()
    explorer.step = 100
    runs = palette.RUNS[:5]
    assert explorer.fits.fits.colors == [run.colour for run in runs]
    assert explorer.loss_plot.past.colors == [run.colour for run in runs]
    assert list(explorer.loss_plot.present.text) == [run.glyph for run in runs]
    for lane, run in enumerate(runs):
        assert run.glyph in explorer.lanes.rows[lane].children[0].value
        assert f'"{run.glyph}"' in track.STYLE


def test_lanes_are_edited_removed_and_added_in_place(explorer, cells):
    lanes = explorer.lanes
    lanes.fields[1].value = "0.05"
    assert explorer.learning_rates == (1.0, 0.05, 0.01, 0.001)
    lanes.removers[0].click()
    assert explorer.learning_rates == (0.05, 0.01, 0.001)
    lanes.add.click()
    assert explorer.learning_rates == (0.05, 0.01, 0.001, 0.19)
    assert [row.layout.display for row in lanes.rows] == [None] * 4 + ["none"] * 4
    assert [handle.layout.display for handle in explorer.track.handles[3:5]] == [None, "none"]
    assert [field.value for field in lanes.fields[:4]] == ["0.05", "0.01", "0.001", "0.19"]
    assert len(cells(explorer)) == 1 + 4 + 1


def test_eight_lanes_are_the_most_and_one_the_least(make):
    explorer = make(learning_rates=0.1)
    with pytest.raises(ValueError, match="the last one stays"):
        explorer.remove_rate(0)
    assert explorer.lanes.removers[0].disabled
    for _ in range(7):
        explorer.lanes.add.click()
    assert explorer.problem == ""
    assert len(set(explorer.learning_rates)) == 8
    with pytest.raises(ValueError, match="1 to 8 numbers, got 9"):
        explorer.add_rate()
    assert explorer.lanes.add.disabled
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


def test_lanes_are_chosen_by_their_markers_and_rates(make):
    explorer = make(learning_rates=(1.0, 0.1, 0.19984))
    chooser = explorer.form.field("lane").list
    assert list(chooser.options) == [("● γ = 1", 0), ("▲ γ = 0.1", 1), ("■ γ = 0.19984", 2)]
    assert chooser.value == explorer.lane == 1
    explorer.lane = 2
    explorer.change_rate(2, 0.05)
    assert (chooser.label, chooser.value, explorer.lane) == ("■ γ = 0.05", 2, 2)
    chooser.value = 0
    assert explorer.lane == 0
    explorer.add_rate(0.3)
    assert (chooser.options[-1], chooser.value, explorer.lane) == (("◆ γ = 0.3", 3), 0, 0)
    explorer.lane = 3
    explorer.remove_rate(0)
    assert (chooser.label, chooser.value, explorer.lane) == ("■ γ = 0.3", 2, 2)
    assert len(chooser.options) == 3
    explorer.rate_schedule = Cosine()
    assert chooser.label == "■ γ₀ = 0.3"


# -- the track -------------------------------------------------------------------------------------


def test_a_dragged_handle_redraws_the_run_at_the_same_step(explorer):
    explorer.step = 60
    before = np.asarray(explorer.fits.fits.y).copy()
    explorer.track.handles[1].value = 0.02
    assert explorer.learning_rates == (1.0, 0.02, 0.01, 0.001)
    assert explorer.step == 60
    assert explorer.lanes.fields[1].value == "0.02"
    alone = Descent(explorer.regression, initial_parameters(), 0.02, max_steps=60)
    alone.advance_to(60)
    np.testing.assert_allclose(explorer.descent.params[60, 1], alone.params[60, 0], rtol=1e-4)
    assert not np.array_equal(before, explorer.fits.fits.y)


def test_what_the_browser_repeats_moves_no_lane(explorer):
    handle = explorer.track.handles[1]
    explorer.learning_rates = (1.0, 0.3, 0.01, 0.001)
    sent = handle.value
    assert sent == pytest.approx(0.3, rel=0.012)
    explorer.learning_rates = (1.0, 0.05, 0.01, 0.001)
    handle.value = sent * (1 + 1e-12)  # the answer to the message before
    assert explorer.learning_rates == (1.0, 0.05, 0.01, 0.001)


def test_a_rate_beyond_the_track_stands_at_its_end(make):
    explorer = make(learning_rates=(1e5, 0.1, 1e-20))
    low, high = track.ends(explorer.quadratic.limit)
    assert explorer.track.handles[0].value == pytest.approx(high)
    assert explorer.track.handles[2].value == pytest.approx(low)
    assert explorer.learning_rates == (1e5, 0.1, 1e-20)
    assert explorer.lanes.fields[0].value == "100000"


def test_the_limit_on_the_track_is_that_of_the_data_and_the_rule(make):
    regression = PolynomialRegression(*training_pairs())
    limit = learning_rate_limit(regression, (0.0, 0.0, 0.0))
    explorer = make()
    assert f"limit <b>{limit:.4f}</b>" in explorer.track.marks.value
    place = 100 * explorer.track.position(limit)
    assert f"left:{place:.2f}%;width:{100 - place:.2f}%" in explorer.track.marks.value
    explorer.rule = "momentum"
    assert f"limit <b>{1.9 * limit:.4f}</b>" in explorer.track.marks.value
    explorer.rule = "nesterov"
    assert f"limit <b>{1.9 / 2.8 * limit:.3f}</b>" in explorer.track.marks.value
    explorer.rule = Nesterov(beta=0.5)
    assert f"limit <b>{0.75 * limit:.4f}</b>" in explorer.track.marks.value
    explorer.rule = "adam"
    assert "limit <b>" not in explorer.track.marks.value


@pytest.mark.parametrize(
    ("settings", "just_stable"),
    [
        ({}, 1.0),
        ({"rule": "momentum"}, 1.9),
        ({"rule": "nesterov"}, 1.9 / 2.8),
        ({"rule": Nesterov(beta=0.0)}, 1.0),
    ],
    ids=str,
)
def test_a_rate_just_below_the_limit_is_stable_and_one_just_above_is_not(
    make, settings, just_stable
):
    limit = just_stable * make().quadratic.limit
    explorer = make(learning_rates=(0.99 * limit, 1.05 * limit), max_steps=4000, **settings)
    explorer.run()
    assert list(explorer.descent.outcomes) == ["max_steps", "diverged"]


@pytest.mark.parametrize(
    ("rule", "whose"),
    [
        ("gd", "the"),
        ("momentum", "momentum's"),
        ("nesterov", "Nesterov's"),
        (GradientDescent(weight_decay=0.5), "weight decay's"),
    ],
)
def test_it_is_said_whose_limit_is_on_the_track_and_in_the_sentence(make, rule, whose):
    explorer = make(rule=rule, learning_rates=(1.0, 0.1))
    explorer.step = 100
    written = text.plain(re.sub("<[^>]*>", "", explorer.track.marks.value))
    assert f"{whose} limit" in explorer.sentence_text
    assert (f"{whose} limit" in written) == (whose != "the")
    said = re.search(r"lies beyond .*?limit (?:2/λ = )?([\d.]+)", explorer.sentence_text).group(1)
    assert said in written
    curvature = float(explorer.quadratic.curvatures[-1])
    assert said == text.number(why.rule_limit(explorer.present_rule, curvature)[0])


# -- the numbers -----------------------------------------------------------------------------------


def test_the_live_table_shows_the_records_and_the_closed_form_last(explorer, cells):
    explorer.step = 100
    rows = cells(explorer)
    assert rows[0] == ["a", "b", "c", "loss", "distance", "outcome"]
    assert rows[2][:3] == ["0.8828", "−0.4756", "0.9729"]
    assert rows[-1] == ["1.8195", "−3.0787", "2.2214", "0.0503", "0", "least squares"]
    best, _ = explorer.closed_form
    apart = np.linalg.norm(explorer.descent.params[100, 1] - best)
    assert rows[2][4] == f"{apart:.4f}"


def test_a_diverged_lane_leaves_the_plot_and_its_row_says_when(explorer, cells):
    explorer.run()
    last = int(explorer.descent.last_step[0])
    assert cells(explorer)[1] == ["∞"] * 5 + [f"diverged at {last + 1}"]
    assert cells(explorer)[2][-1] == "end of run"
    assert (np.asarray(explorer.fits.fits.y)[0] > 1).all()
    plot = explorer.loss_plot
    left = np.flatnonzero(plot._values.place(explorer.descent.loss[: last + 1, 0]) <= 1)[-1] + 1
    assert list(plot.leavers.text) == [f"● 1: off the plot from update {left}"]
    assert f"diverged at update {last + 1}" in explorer.sentence_text
    explorer.step = last
    assert cells(explorer)[1][-1] == f"diverged at {last + 1}"
    explorer.step = last - 1
    assert cells(explorer)[1][-1] == "running"


def test_where_one_lane_diverges_and_another_grows_it_is_told_where_both_leave(explorer):
    explorer.situate("cliff")
    explorer.run()
    (told,) = explorer.loss_plot.leavers.text
    axis, losses = explorer.loss_plot._values, explorer.descent.loss
    left = [np.flatnonzero(axis.place(losses[:, lane]) <= 1)[-1] + 1 for lane in (0, 1)]
    assert told == f"off the plot from: ● {left[0]}, ▲ {left[1]}"
    assert left[0] < left[1]


@pytest.mark.parametrize("steps", [20, 300, 1000])
def test_a_lane_whose_loss_grew_to_the_end_says_so_in_its_row_and_in_compare(make, cells, steps):
    explorer = make(learning_rates=(0.205, 0.199, 0.19), max_steps=steps)
    explorer.run()
    start, *_, before, end = explorer.descent.loss[: explorer.descent.last_step[0] + 1, 0]
    assert end > before > start
    said = "still growing" if steps < 1000 else f"diverged at {explorer.descent.last_step[0] + 1}"
    assert [row[-1] for row in cells(explorer)[1:4]] == [said, "end of run", "end of run"]
    table = explorer.run_table()
    assert table.count(f">{said}<") == 1
    assert table.count(">end of run<") == 2
    explorer.step -= 1
    assert cells(explorer)[1][-1] == ("running" if steps < 1000 else said)


def test_the_update_that_diverges_is_the_one_that_is_not_finite(explorer):
    explorer.run()
    x, y = training_pairs()
    c = initial_parameters().clone().requires_grad_()
    updates = 0
    while True:
        loss = (c[0] + c[1] * x + c[2] * x**2 - y).square().mean()
        loss.backward()
        if not (torch.isfinite(loss) and torch.isfinite(c.grad).all()):
            break
        with torch.no_grad():
            c -= 1.0 * c.grad
        c.grad = None
        updates += 1
    assert int(explorer.descent.last_step[0]) + 1 == updates == 20


def test_the_axes_do_not_move_while_a_run_goes_on(explorer):
    explorer.run()

    def ticks():
        axes = (explorer.fits.axis_x, explorer.fits.axis_y)
        axes += (explorer.loss_plot.axis_x, explorer.loss_plot.axis_y)
        return [(axis.tick_values.tolist(), dict(axis.tick_labels)) for axis in axes]

    before = ticks()
    for k in (1, 15, 19, 20, 100, 200):
        explorer.step = k
        assert ticks() == before


def test_every_fit_drawn_is_the_lane_s_polynomial(explorer):
    explorer.step = 50
    plot = explorer.fits
    x = plot._x
    heights = np.asarray(plot.fits.y, np.float64) * plot._span + plot._low
    for lane in (1, 2, 3):
        expected = np.polyval(explorer.descent.params[50, lane][::-1].astype(np.float64), x)
        inside = np.abs((expected - plot._low) / plot._span) < 3
        np.testing.assert_allclose(heights[lane][inside], expected[inside], rtol=1e-4, atol=1e-4)
    best, _ = explorer.closed_form
    closed = np.asarray(plot.closed.y, np.float64) * plot._span + plot._low
    np.testing.assert_allclose(closed, np.polyval(best[::-1], x), rtol=1e-4, atol=1e-4)


def test_the_closed_form_of_years_is_the_least_squares_fit(make):
    """Raw powers of 1990 … 2020 lose it; numpy's fit on scaled inputs does not."""
    x = np.arange(1990, 2021)
    y = np.sin(x / 3.0) + 0.01 * (x - 2000)
    explorer = make(x=x, y=y, degree=3, learning_rates=(1e-20,), max_steps=10)
    fitted = np.polynomial.Polynomial.fit(x, np.float32(y).astype(np.float64), 3)
    residuals = fitted(x) - np.float32(y)
    assert explorer.closed_form.loss == pytest.approx(float(np.mean(residuals**2)), rel=1e-6)
    plot = explorer.fits
    drawn = np.asarray(plot.closed.y, np.float64) * plot._span + plot._low
    np.testing.assert_allclose(drawn, fitted(plot._x), atol=1e-4)


# -- mini-batches ----------------------------------------------------------------------------------


def test_with_mini_batches_the_loss_drawn_is_that_of_all_samples(make, cells):
    explorer = make(learning_rates=(0.1, 0.01), batch_size=10, lane=1, max_steps=1000)
    explorer.run()
    full = explorer.losses()
    x, y = training_pairs()
    for k in (0, 1, 50, 200):
        for lane in (0, 1):
            a, b, c = torch.from_numpy(explorer.descent.params[k, lane].copy()).double()
            expected = (a + b * x + c * x**2 - y).square().mean()
            assert full[k, lane] == pytest.approx(float(expected), rel=1e-5)
    assert (full >= explorer.closed_form.loss * (1 - 1e-6)).all()
    assert (explorer.descent.loss < explorer.closed_form.loss).any()
    assert cells(explorer)[0][3] == "loss, all"
    assert "all samples" in explorer.sentence_text
    assert explorer.loss_plot.points.visible
    assert explorer.loss_plot.points.colors == [palette.RUNS[1].colour]
    explorer.batch_size = None
    assert not explorer.loss_plot.points.visible
    assert "all samples" not in explorer.loss_plot.title


def test_mini_batches_are_off_until_a_size_is_chosen(make):
    explorer = make(learning_rates=(0.1, 0.01))
    assert explorer.descent.objective is explorer.regression
    explorer.form.field("batch_size").inputs[0].value = "10"
    assert explorer.batch_size == 10
    explorer.run()
    alone = Descent(
        MiniBatches(explorer.regression, 10), initial_parameters(), (0.1, 0.01), max_steps=200
    )
    alone.advance_to(200)
    np.testing.assert_array_equal(explorer.descent.loss, alone.loss)
    assert (np.diff(explorer.descent.loss[:, 1]) > 0).any()
    explorer.form.field("batch_size").inputs[0].value = ""
    assert explorer.batch_size is None


@pytest.mark.parametrize("degree", [0, 1, 5, 10])
def test_the_loss_over_all_samples_is_the_regression_s(degree):
    regression = PolynomialRegression(*training_pairs(), degree)
    descent = Descent(
        MiniBatches(regression, 7), initial_parameters(degree + 1), 1e-6, max_steps=30
    )
    descent.advance_to(30)
    params = torch.from_numpy(descent.params[:, 0].copy())
    np.testing.assert_allclose(Losses(regression, descent)()[:, 0], regression(params), rtol=1e-4)


# -- changing a rate in mid-run --------------------------------------------------------------------


def test_a_changed_rate_keeps_the_step_and_can_restart_instead(explorer):
    explorer.step = 50
    explorer.change_rate(1, 0.05)
    assert explorer.step == 50
    assert explorer.schedule == ()
    explorer.on_change = "restart"
    explorer.change_rate(1, 0.06)
    assert explorer.step == 0


def test_a_changed_rate_can_hold_from_the_cursor_on(make):
    explorer = make(on_change="continue", learning_rates=(0.1, 0.01))
    explorer.step = 50
    before = explorer.descent.params[:51].copy()
    explorer.lanes.fields[0].value = "0.02"
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
    assert explorer.rates_at(49) == (0.1, 0.01)
    assert explorer.rates_at(50) == (0.02, 0.01)


def test_going_back_before_a_change_and_changing_again_forgets_the_later_one(make):
    explorer = make(on_change="continue", learning_rates=(0.1,))
    explorer.step = 80
    explorer.learning_rates = (0.05,)
    explorer.step = 30
    explorer.learning_rates = (0.02,)
    assert explorer.schedule == ((30, (0.1,)),)
    explorer.learning_rates = (0.03,)
    assert explorer.schedule == ((30, (0.1,)),)
    explorer.on_change = "keep"
    explorer.learning_rates = (0.04,)
    assert explorer.schedule == ()


# -- rules and their constants ---------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in RULES if name != "gd"])
def test_every_rule_runs_with_its_constants(make, name):
    explorer = make(rule=name)
    explorer.run()
    alone = Descent(explorer.regression, initial_parameters(), 0.01, rule=name, max_steps=200)
    alone.advance_to(200)
    np.testing.assert_allclose(
        explorer.descent.params[200, 2], alone.params[200, 0], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("rule", "optimizer"),
    [
        (Momentum(beta=0.5), lambda p: torch.optim.SGD(p, 0.01, momentum=0.5)),
        (RMSprop(alpha=0.9, eps=1e-4), lambda p: torch.optim.RMSprop(p, 0.01, 0.9, 1e-4)),
        (torch.optim.AdamW, lambda p: torch.optim.AdamW(p, 0.01)),
    ],
    ids=["momentum", "rmsprop", "AdamW"],
)
def test_rules_with_their_constants_and_optimizers_are_torch_s(make, rule, optimizer):
    explorer = make(rule=rule, learning_rates=(0.01,), max_steps=50)
    explorer.run()
    x, y = training_pairs()
    c = initial_parameters().clone().requires_grad_()
    steps = optimizer([c])
    for _ in range(50):
        steps.zero_grad()
        (c[0] + c[1] * x + c[2] * x**2 - y).square().mean().backward()
        steps.step()
    np.testing.assert_allclose(explorer.descent.params[50, 0], c.detach(), rtol=1e-4, atol=1e-5)


def test_the_controls_of_constants_appear_with_their_rule(explorer):
    explorer.unfold("Settings")
    constants = explorer.form.field("rule").constants
    assert "beta" not in constants.inputs
    explorer.rule = "nesterov"
    assert "beta" in constants.inputs
    constants.inputs["beta"].value = 0.5
    assert explorer.descent.rule == Nesterov(beta=0.5)
    explorer.rule = "adam"
    assert {"beta1", "beta2", "eps", "bias_correction"} <= set(constants.inputs)


# -- schedules -------------------------------------------------------------------------------------


def test_a_schedule_begins_at_every_lane_s_own_rate(make):
    explorer = make(learning_rates=(0.1, 0.02), rate_schedule=Exponential(factor=0.99))
    explorer.run()
    x, y = training_pairs()
    for lane, start in enumerate((0.1, 0.02)):
        c = initial_parameters().clone().requires_grad_()
        optimizer = torch.optim.SGD([c], start)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
        for _ in range(200):
            optimizer.zero_grad()
            (c[0] + c[1] * x + c[2] * x**2 - y).square().mean().backward()
            optimizer.step()
            scheduler.step()
        np.testing.assert_allclose(explorer.descent.params[200, lane], c.detach(), rtol=1e-4)
    assert explorer.rates_at(100) == pytest.approx((0.1 * 0.99**100, 0.02 * 0.99**100))
    assert "γ₀ = 0.1" in explorer.sentence_text


def test_a_schedule_is_chosen_by_hand_and_its_constants_are_live(make):
    explorer = make(learning_rates=(0.1,))
    explorer.step = 60
    explorer.unfold("Settings")
    field = explorer.form.fields["rate_schedule"]
    field.list.value = "cosine"
    assert isinstance(explorer.rate_schedule, Cosine)
    assert explorer.step == 60
    field.constants.inputs["steps"].value = 50
    assert explorer.rate_schedule == Cosine(steps=50)
    assert "<svg" in field.curve.value
    again = make(**explorer.settings())
    again.step = 60
    np.testing.assert_array_equal(again.descent.params[:61], explorer.descent.params[:61])
    field.list.value = "constant"
    assert explorer.rate_schedule is None


def test_a_schedule_and_a_rate_changed_in_mid_run_go_together(make):
    explorer = make(learning_rates=(0.1,), rate_schedule="step_decay", on_change="continue")
    explorer.step = 150
    explorer.change_rate(0, 0.02)
    explorer.run()
    assert explorer.rates_at(99) == (0.1,)
    assert explorer.rates_at(149) == (0.05,)
    assert explorer.rates_at(150) == (0.01,)
    moved = explorer.descent.params[150, 0] - explorer.descent.params[151, 0]
    np.testing.assert_allclose(moved, 0.01 * explorer.descent.grad[150, 0], rtol=1e-3)


@given(st.floats(-9, 38), st.sampled_from([-1.0, 1.0]))
def test_no_number_of_the_table_is_wider_than_its_column(exponent, sign):
    """80 pixels, of which 8 part it from the next, and a little of that for a large exponent."""
    assert labels.tick_width(_cell(sign * 10**exponent), 14) <= 73
    assert [_cell(value) for value in (np.nan, np.inf, 0.0)] == ["NaN", "∞", "0.0000"]
