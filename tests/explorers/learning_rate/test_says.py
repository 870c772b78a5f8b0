"""What the explorer says: the sentence, the theory, the course's tables, gradients by hand."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given as over
from hypothesis import settings as effort
from hypothesis import strategies as st

from course import EXERCISE_1
from gdwidgets import LearningRateExplorer
from gdwidgets.core import (
    Adam,
    Descent,
    GradientDescent,
    Momentum,
    Nesterov,
    PolynomialRegression,
    condition_number,
    training_pairs,
)
from gdwidgets.explorers.learning_rate import why
from gdwidgets.explorers.learning_rate.situations import SITUATIONS
from gdwidgets.ui import text

# -- the sentence ----------------------------------------------------------------------------------


def test_the_first_sentence_asks_and_says_what_to_press(explorer):
    assert "4 learning rates" in explorer.sentence_text
    assert "Press Play" in explorer.sentence_text


def test_in_mid_run_it_names_the_leader_the_limit_and_the_slowest(explorer):
    explorer.step = 60
    said = explorer.sentence_text
    losses = explorer.descent.loss[60]
    leader = explorer.learning_rates[int(np.nanargmin(np.where([0, 1, 1, 1], losses, np.inf)))]
    assert f"Update 60: γ = {leader:g} leads, loss {min(losses[1:]):.4f}" in said
    assert "γ = 1 lies beyond the limit 2/λ = 0.2004, and diverged at update 20" in said
    assert "γ = 0.001 is stable, and a hundred times slower" in said


def test_when_every_lane_diverges_at_the_first_update_nobody_is_told_to_press_play(make):
    explorer = make(learning_rates=(1e6,), init=(1e15, 1e15, 1e15))
    explorer.run()
    assert explorer.step == explorer.end
    assert "diverged at update 1" in explorer.sentence_text
    assert "Play" not in explorer.sentence_text
    assert "Choose a learning rate below 0.2004" in explorer.sentence_text


def test_a_lane_beyond_the_limit_that_has_not_diverged_is_said_to_grow(make):
    explorer = make(learning_rates=(0.21,), max_steps=300)
    explorer.step = 200
    factor = abs(1 - 0.21 * explorer.quadratic.curvatures[-1])
    assert "γ = 0.21 lies beyond the limit" in explorer.sentence_text
    assert text.number(factor) in explorer.sentence_text
    steep = explorer.quadratic.directions[:, -1]
    away = (explorer.descent.params[:, 0].astype(np.float64) - explorer.closed_form[0]) @ steep
    np.testing.assert_allclose(np.abs(away[101:201] / away[100:200]), factor, rtol=1e-3)


@over(
    rates=st.lists(st.floats(0.15, 0.4), min_size=2, max_size=8),
    k=st.integers(1, 200),
)
@effort(max_examples=15)
def test_every_rate_beyond_the_limit_is_named_or_counted(rates, k):
    rates = [round(rate, 4) for rate in rates]
    explorer = LearningRateExplorer(learning_rates=rates, max_steps=200)
    explorer.step = k
    said = explorer.sentence_text
    limit = explorer.quadratic.limit
    beyond = [rate for rate in rates if rate > limit]
    now = explorer.standing(k)
    if beyond and now.lasting:
        if len(beyond) <= 3:
            verb = "lies" if len(beyond) == 1 else "lie"
            named = text.listed([text.number(rate, 6) for rate in beyond])
            assert f"γ = {named} {verb} beyond the limit 2/λ = 0.2004" in said
        else:
            assert f"{len(beyond)} learning rates lie beyond the limit" in said
    else:
        assert beyond or "beyond" not in said
    assert len(said) <= 215
    explorer.close()


def test_of_two_rates_beyond_the_limit_both_are_named_and_the_one_that_diverged(make):
    explorer = make()
    explorer.situate("cliff")
    explorer.run()
    assert (
        "γ = 0.21 and 0.202 lie beyond the limit 2/λ = 0.2004; 0.21 diverged at update "
        f"{explorer.descent.last_step[0] + 1}." in explorer.sentence_text
    )


@over(
    rates=st.lists(st.floats(1e-4, 3.0), min_size=1, max_size=8),
    degree=st.integers(0, 4),
    rule=st.sampled_from(["gd", "momentum", "nesterov", "rmsprop", "adam"]),
    batch=st.sampled_from([None, 1, 10, 100]),
    k=st.integers(0, 60),
)
@effort(max_examples=12)
def test_at_any_setting_the_sentence_is_short_and_its_numbers_are_the_recording_s(
    rates, degree, rule, batch, k
):
    explorer = LearningRateExplorer(
        learning_rates=rates, degree=degree, rule=rule, batch_size=batch, max_steps=60
    )
    explorer.step = k
    said = explorer.sentence_text
    assert len(said) <= 215
    assert "nan" not in said
    assert not re.search(r"\b1 (updates|samples|steps)\b", said)
    now = explorer.standing(explorer.step)
    if now.lasting and explorer.step > 0:
        best = min(now.lasting, key=lambda lane: explorer.losses()[min(k, now.last[lane]), lane])
        assert f"γ = {text.number(rates[best], 6)}" in said
        loss = explorer.losses()[min(explorer.step, now.last[best]), best]
        assert text.fixed(float(loss)) in said
    for update in re.findall(r"diverged at update ([\d,]+)", said):
        assert int(update.replace(",", "")) in [last + 1 for last in now.last]
    explorer.close()


def test_the_answer_about_a_rate_just_beyond_the_limit_fits(explorer):
    explorer.situate("cliff")
    for lane in range(len(explorer.learning_rates)):
        explorer.predict("step", lane)
        explorer.guess(123)
        explorer.run()
        assert len(explorer.sentence_text) <= 215


def test_a_slow_lane_is_compared_with_the_one_that_leads(explorer):
    """With theory's halving times 1/−log₂(ρ): at any step, whichever leads there."""
    explorer.situate("best rate")
    x = training_pairs()[0].double().numpy()
    powers = np.vander(x, 3)
    curvatures = np.linalg.eigvalsh(2 / len(x) * powers.T @ powers)
    contraction = [np.abs(1 - rate * curvatures).max() for rate in explorer.learning_rates]
    halving = -1 / np.log2(contraction)
    for k in (10, 100, 300, explorer.max_steps):
        explorer.seek(k)
        best = int(np.argmin(explorer.losses()[k]))
        slow = re.search(
            r"γ = ([\d.]+) is stable, and ([\d.]+) times slower", explorer.sentence_text
        )
        times = halving.max() / halving[best]
        assert bool(slow) == (times >= 3)
        if slow:
            assert float(slow[2]) == pytest.approx(times, rel=0.05)


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_is_taken_at_step_0_with_its_sentence(explorer, name):
    explorer.step = 10
    explorer.situate(name)
    assert explorer.step == 0
    assert explorer.situation == name
    assert explorer.sentence_text == text.plain(SITUATIONS[name]["sentence"])
    assert len(explorer.sentence_text) <= 205


@pytest.mark.parametrize(
    ("name", "losses", "learned"),
    [
        ("by hand", ("0.2023", "0.1331", "0.0954", "0.0749"), ("1.4275", "-1.9894", "1.6990")),
        ("by autograd", ("0.1905", "0.1267", "0.0919", "0.0730"), ("1.4430", "-2.0325", "1.7196")),
    ],
)
def test_the_unit_s_worked_examples_iteration_by_iteration(name, losses, learned):
    explorer = LearningRateExplorer()
    explorer.situate(name)
    lines = explorer.training_lines().splitlines()
    assert lines[:4] == [
        f"Iteration {1000 * n} | Loss: {loss}" for n, loss in enumerate(losses, start=1)
    ]
    assert all(number in lines[4] for number in learned)
    explorer.unfold("Tables")
    assert losses[0] in explorer.fold.text.value
    explorer.close()


# -- theory ----------------------------------------------------------------------------------------


def test_the_predicted_loss_is_the_recorded_one(make):
    explorer = make(learning_rates=(0.1, 0.15), max_steps=1000, theory="prediction")
    explorer.run()
    for lane in (0, 1):
        steps, losses = why.prediction(explorer.facts, lane)
        np.testing.assert_allclose(losses, explorer.descent.loss[steps, lane], rtol=2e-4)
    assert explorer.loss_plot.theory.visible
    explorer.theory = "none"
    assert not explorer.loss_plot.theory.visible
    explorer.assign(theory="prediction", rule="adam")
    assert not explorer.loss_plot.theory.visible


def test_updates_to_a_distance_are_predicted_to_the_update(make):
    explorer = make(learning_rates=(0.1,), max_steps=3000)
    said = " ".join(why.paragraphs(explorer.facts))
    assert "2,734 updates at γ = 0.1" in said
    explorer.run()
    apart = np.linalg.norm(explorer.descent.params[:, 0] - explorer.closed_form[0], axis=1)
    assert int(np.flatnonzero(apart <= 0.001)[0]) == pytest.approx(2734, abs=3)


def test_halving_is_told_for_the_steepest_and_the_flattest_direction(make):
    explorer = make(learning_rates=(0.1,), max_steps=1000)
    said = " ".join(why.paragraphs(explorer.facts))
    kappa = condition_number(explorer.regression, (0.0, 0.0, 0.0))
    assert f"{kappa:.0f} times less" in said
    explorer.run()
    away = explorer.descent.params[:, 0].astype(np.float64) - explorer.closed_form[0]
    along = np.abs(away @ explorer.quadratic.directions[:, 0])
    assert along[300 + 228] / along[300] == pytest.approx(0.5, rel=0.01)
    assert "228 updates along the flattest" in said


def test_at_the_limit_the_flattest_direction_is_not_given_the_steepest_one_s_time(make):
    explorer = make(learning_rates=(0.2004,))
    curvatures = explorer.quadratic.curvatures
    said = " ".join(why.paragraphs(explorer.facts))
    flat = math.log(0.5) / math.log(abs(1 - 0.2004 * curvatures[0]))
    steep = math.log(0.5) / math.log(abs(1 - 0.2004 * curvatures[-1]))
    assert f"{steep:,.0f} updates along the steepest" in said
    assert f"{flat:,.0f} updates along the flattest" in said


def test_the_best_rate_is_marked_and_no_other_rate_is_faster(make):
    explorer = make(mark_best=True)
    curvatures = explorer.quadratic.curvatures
    best = 2 / (curvatures[0] + curvatures[-1])
    assert f"best <b>{best:.4f}</b>" in explorer.track.marks.value
    worst = np.abs(1 - np.linspace(0.001, 0.3, 3000)[:, None] * curvatures).max(1)
    assert np.abs(1 - best * curvatures).max() <= worst.min() + 1e-9
    assert f"γ* = 2/(λmin + λmax) = **{best:.5f}**" in " ".join(why.paragraphs(explorer.facts))


def test_the_best_momentum_takes_as_many_updates_as_is_said(make):
    explorer = make(rule="momentum")
    said = " ".join(why.paragraphs(explorer.facts))
    kappa = explorer.quadratic.condition
    beta = ((math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)) ** 2
    roots = np.sqrt(explorer.quadratic.curvatures[[0, -1]]).sum()
    updates = int(re.search(r"it takes ([\d,]+) updates", said).group(1))
    explorer.assign(learning_rates=(4 / roots**2,), rule=Momentum(beta=beta))
    explorer.run()
    apart = np.linalg.norm(explorer.descent.params[:, 0] - explorer.closed_form[0], axis=1)
    assert int(np.flatnonzero(apart <= 0.001)[0]) == updates == 104


def test_nesterov_s_lower_limit_is_told_and_only_where_it_is_lower(make):
    said = " ".join(why.paragraphs(make(rule="nesterov").facts))
    assert "lower than plain gradient descent's" in said
    said = " ".join(why.paragraphs(make(rule=Nesterov(beta=0.0)).facts))
    assert "lower" not in said


@pytest.mark.parametrize(
    ("rule", "size"), [("adam", 1.0), ("rmsprop", 10.0), (Adam(bias_correction=False), 10**0.5)]
)
def test_the_first_update_of_rules_that_scale_is_the_one_that_is_told(make, rule, size):
    explorer = make(rule=rule, learning_rates=(0.01,))
    said = " ".join(why.paragraphs(explorer.facts))
    explorer.step = 1
    moved = explorer.descent.params[0, 0] - explorer.descent.params[1, 0]
    sign = np.sign(explorer.descent.grad[0, 0])
    np.testing.assert_allclose(moved, 0.01 * size * sign, rtol=1e-3)
    assert size == 1.0 or f"= {text.number(size)} γ" in said
    assert "No such limit" in said


def test_a_degree_of_eight_is_not_called_flat(make):
    explorer = make(degree=8, learning_rates=(1e-4,), max_steps=20)
    said = " ".join(why.paragraphs(explorer.facts))
    assert math.isfinite(explorer.quadratic.condition)
    assert "Not unique" not in said


def test_inputs_of_one_value_are_said_to_leave_coefficients_open(make):
    explorer = make(x=(1, 1, 2, 2), y=(1, 2, 3, 4), learning_rates=(0.1,), max_steps=20)
    said = " ".join(why.paragraphs(explorer.facts))
    assert "Not unique" in said
    assert "1 direction of the coefficients" in said


def test_the_noise_floor_is_what_mini_batches_leave_on_average():
    explorer = LearningRateExplorer(
        learning_rates=(0.08, 0.05), batch_size=10, max_steps=6_000, lane=0, theory="noise"
    )
    explorer.run()
    excess = (explorer.losses()[2000:] - explorer.closed_form.loss).mean(0)
    for measured, expected in zip(excess, explorer.facts.noise, strict=True):
        assert measured == pytest.approx(expected, rel=0.4)
    assert explorer.loss_plot.band.visible
    said = " ".join(why.paragraphs(explorer.facts))
    assert f"{text.number(explorer.facts.noise[0], 2)} at γ = 0.08" in said
    explorer.rule = "adam"
    assert not explorer.loss_plot.band.visible
    explorer.close()


def test_weight_decay_moves_the_limit_and_nothing_is_predicted_with_it(make):
    explorer = make(rule=GradientDescent(weight_decay=10.0), learning_rates=(0.09, 0.11))
    limit = 2 / (explorer.quadratic.curvatures[-1] + 10)
    assert f"**{text.number(limit)}**" in " ".join(why.paragraphs(explorer.facts))
    assert why.prediction(explorer.facts, 0) is None
    assert 0.09 < limit < 0.11
    explorer.max_steps = 2000
    explorer.run()
    assert list(explorer.descent.outcomes) == ["max_steps", "diverged"]


@over(
    rates=st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=4),
    degree=st.integers(0, 6),
    rule=st.sampled_from(["gd", "momentum", "nesterov", "rmsprop", "adam"]),
    batch=st.sampled_from([None, 5]),
)
@effort(max_examples=12)
def test_there_is_theory_for_any_setting(rates, degree, rule, batch):
    explorer = LearningRateExplorer(
        learning_rates=rates, degree=degree, rule=rule, batch_size=batch, max_steps=20
    )
    said = " ".join(why.paragraphs(explorer.facts))
    assert "nan" not in said
    assert not re.search(r"\b1 (updates|directions|samples)\b", said)
    explorer.close()


# -- tables ----------------------------------------------------------------------------------------


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


def test_headings_show_rates_with_the_digits_they_need(make):
    table = make(learning_rates=(0.15, 0.02), max_steps=40).table()
    assert "Learning rate 1.5e-01 |" in table
    assert "(fixed learning_rate = 1.5e-1)" in table
    assert "(fixed learning_rate = 2e-2)" in table
    assert "Iterations    1         |" in table


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


def test_manual_gradients_of_a_step_that_is_not_recorded_are_refused(explorer):
    with pytest.raises(ValueError, match="steps must be"):
        explorer.manual_gradients([1])


def test_the_tables_show_both_gradients_and_their_difference(explorer):
    explorer.step = 100
    explorer.unfold("Tables")
    explorer.form.field("shown_table").inputs[0].value = "gradients"
    shown = explorer.fold.text.value
    for part in ("∂L/∂a by hand", "a.grad", "difference", "2/N Σ", "γ = 0.1,"):
        assert part in shown
    assert text.fixed(explorer.descent.grad[100, 1, 0], 6) in shown
    explorer.form.field("lane").inputs[0].value = 2
    assert explorer.lane == 2
    assert "γ = 0.01," in explorer.fold.text.value


def test_the_loss_at_the_closed_form_is_the_smallest_there_is():
    x, y = training_pairs()
    regression = PolynomialRegression(x, y)
    best, least = regression.closed_form()
    near = torch.from_numpy(best).float() + 0.01 * torch.randn(50, 3)
    assert (regression(near) >= least).all()


def test_where_coefficients_are_open_the_distance_is_that_from_all_best_fits(make):
    explorer = make(x=[1, 1, 2], y=[0, 1, 2], degree=2, learning_rates=(0.01,), max_steps=1000)
    explorer.run()
    said = " ".join(why.paragraphs(explorer.facts))
    updates = int(re.search(r"from the fits of the smallest loss it takes (\d+) updates", said)[1])
    powers = np.vander([1.0, 1.0, 2.0], 3, increasing=True)
    least = np.linalg.lstsq(powers, np.array([0.0, 1.0, 2.0]))[0]
    onto = np.linalg.pinv(powers) @ powers
    away = (explorer.descent.params[:, 0].astype(np.float64) - least) @ onto
    assert abs(int(np.argmax(np.linalg.norm(away, axis=1) <= 1e-3)) - updates) <= 1
    assert "1 direction of the coefficients leaves" in said


def test_numbers_of_badly_scaled_inputs_can_be_read(make):
    x = np.arange(1990, 2021)
    explorer = make(x=x, y=np.sin(x / 5), degree=3, learning_rates=(1e-20,), max_steps=20)
    explorer.step = 20
    said = " ".join([explorer.sentence_text, *why.paragraphs(explorer.facts)])
    assert not re.search(r"\d(,\d{3}){4}", said)
    assert "no number of updates" not in said
    assert "(κ + 1) = 1 an" not in said
    assert " 0 % below" not in said
