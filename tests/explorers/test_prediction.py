"""Predict first: what comes is hidden until the run is over; then it is said how close it came."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdwidgets import (
    AccumulationComparer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
)
from gdwidgets.core import SURFACES

CIRCLES = "①②③④"
MINIMA = np.array(SURFACES["himmelblau"].minima)


@pytest.fixture(scope="module")
def opened():
    """One explorer of each kind for all tests: making them takes the time."""
    explorers = HimmelblauExplorer(), LearningRateExplorer()
    yield explorers
    for explorer in explorers:
        explorer.close()


@pytest.fixture
def landscape(opened):
    opened[0].situate("the exercise")
    return opened[0]


@pytest.fixture
def rates(opened):
    opened[1].situate("exercise")
    return opened[1]


def future_is_drawn(explorer):
    return explorer.map.coming.visible and explorer.loss_plot.future


def rises(descent, surface):
    """How much each update raises the loss in float64, as parts of the loss or of 0.001."""
    path = torch.from_numpy(descent.params[:, 0].astype(np.float64))
    losses = surface.function(path[:, 0], path[:, 1]).numpy()
    return np.diff(losses) / np.maximum(np.abs(losses[1:]), 1e-3)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    rate=st.sampled_from([1e-4, 5e-4, 5e-3, 0.02, 1.0]),
    guess=st.none() | st.integers(1, 4),
)
def test_the_minimum_named_is_the_one_the_run_ends_at(landscape, start, rate, guess):
    landscape.assign(start=start, learning_rate=rate)
    landscape.predict("minimum")
    assert not landscape.shows_future
    assert "minimum" in landscape.sentence_text
    landscape.guess(guess)
    landscape.run()
    end = landscape.descent.params[landscape.descent.last_step[0], 0]
    near = np.hypot(*(MINIMA - end).T) <= 0.02 * np.hypot(12, 12)
    if landscape.descent.outcomes[0] == "diverged":
        near[:] = False
    said = landscape.sentence_text
    if near.any():
        assert f"ends at minimum {CIRCLES[near.argmax()]}" in said
    else:
        assert "ends at none of them" in said
    right = near.argmax() + 1 == guess if near.any() else guess is None
    assert ("Right" in said) == right
    parts = rises(landscape.descent, SURFACES["himmelblau"])
    if near.any() and (parts <= 0).all():
        assert "No update raised the loss" in said
    if near.any() and (parts > 1e-5).any():
        assert "No update raised the loss" not in said
    assert landscape.shows_future


def test_the_future_is_hidden_while_asked_and_the_setting_stays(landscape):
    assert future_is_drawn(landscape)
    landscape.predict()
    assert not future_is_drawn(landscape)
    assert landscape.future
    landscape.step_forward(20)
    assert not future_is_drawn(landscape)
    assert "Step 20" in landscape.sentence_text
    landscape.end_prediction()
    assert future_is_drawn(landscape)
    assert landscape.prediction is None


def test_nothing_waits_for_a_guess(landscape):
    landscape.predict("minimum")
    landscape.run()
    assert landscape.step == landscape.end
    assert "The run ends at minimum ①." in landscape.sentence_text
    with pytest.raises(ValueError, match="predict"):
        landscape.guess(1)
    landscape.step_back()
    assert "Step 299" in landscape.sentence_text


def test_a_click_on_the_map_is_a_guess_and_moves_no_start(landscape):
    landscape.predict("minimum")
    landscape.click((-3.0, -3.0))
    assert landscape.start == (1.0, 1.0)
    assert "Your guess: minimum ③" in landscape.sentence_text
    landscape.end_prediction()
    landscape.click((-3.0, -3.0))
    assert landscape.start == (-3.0, -3.0)


def test_another_run_is_asked_the_same_and_a_bad_setting_changes_nothing(landscape):
    landscape.predict("minimum")
    landscape.guess(2)
    asked = landscape.prediction
    with pytest.raises(ValueError, match="learning_rate"):
        landscape.learning_rate = -1
    assert landscape.prediction == asked
    landscape.start = (-1.0, -1.0)
    assert landscape.prediction.guess == "no guess"
    landscape.race = True
    assert landscape.prediction is None
    assert landscape.shows_future


def test_basins_would_tell_and_wait(landscape):
    landscape.assign(basins=True, max_steps=20)
    assert landscape.basin_key.layout.display is None
    landscape.predict("minimum")
    assert landscape.basin_key.layout.display == "none"
    landscape.run()
    assert landscape.basin_key.layout.display is None


def test_an_order_is_as_close_as_its_pairs(rates):
    rates.predict()
    assert rates.prediction.kind == "order"
    rates.guess((0, 1, 2, 3))
    rates.run()
    assert "3 of 6 pairs right" in rates.sentence_text
    assert "0.1, 0.01, 0.001, 1" in rates.sentence_text
    assert "limit 2/λ = 0.2004" in rates.sentence_text
    rates.predict("order")
    rates.guess([1, 2, 3, 0])
    rates.run()
    assert "Right" in rates.sentence_text


def test_the_step_named_is_the_one_at_which_it_happens(rates):
    rates.compute(rates.max_steps)
    floor = rates.closed_form.loss
    losses = rates.descent.loss.astype(float)
    target = float(f"{floor + 0.01 * (losses[0, 0] - floor):.3g}")  # what is read is asked
    for lane in range(4):
        rates.predict("step", lane)
        rates.run()
        said = rates.sentence_text
        if lane == 0:
            assert "reaches inf or NaN at update 20" in said
        elif losses[4000, lane] <= target:
            first = int(np.flatnonzero(losses[:, lane] > target)[-1]) + 1
            assert f"below {target:.3g} for good at update {first:,}" in said
        else:
            assert f"stays finite for 4,000 updates, but not below {target:.3g} for good" in said


def test_the_run_that_is_over_speaks_while_others_play_on(rates):
    rates.predict("step", 0)
    rates.guess(25)
    rates.compute(rates.max_steps)
    rates.seek(18)
    assert "Update 18" in rates.sentence_text
    rates.step_forward()
    assert "inf or NaN at update 20. Your guess, 25, is 5 too high" in rates.sentence_text
    rates.step_forward()
    assert "Update 20" in rates.sentence_text


@pytest.mark.parametrize("name", ["roles reversed", "both diverge", "every third", "the exercise"])
@pytest.mark.parametrize("lane", [0, 1])
def test_an_answer_about_a_loop_contradicts_nothing_and_fits(name, lane):
    """A loop that stays finite may diverge in the long run; inf is called inf."""
    explorer = AccumulationComparer()
    explorer.situate(name)
    explorer.predict("step", lane)
    explorer.guess(5)
    explorer.run()
    said = explorer.sentence_text
    losses = explorer.losses()[:, lane].astype(float)
    assert len(said) <= 205
    down = losses[-1] <= 0.0156
    assert ("below 0.0156 for good at update" in said) == down
    assert ("stays finite for" in said and "but not below 0.0156 for good." in said) != down
    factor = 1 - explorer.learning_rate * 6.5
    bounded = abs(factor) < 1 if lane else explorer.learning_rate * 6.5 < 4
    if lane or explorer.clear_every is None:
        assert ("In the long run it diverges" in said) == (not bounded)
    else:  # measured: over nine updates the loss grows
        assert ("In the long run it diverges" in said) == (losses[27] > losses[18] > losses[9])
    assert said.count("diverges") <= 1
    explorer.close()


@pytest.mark.parametrize(
    ("name", "start"),
    [("booth", (1, 3)), ("himmelblau", (3, 2)), ("six-hump camel", (0.0898, -0.7126))],
)
def test_no_step_is_asked_of_a_run_that_starts_at_the_lowest_loss(name, start):
    explorer = SurfaceExplorer(name, start=start)
    assert "step" not in explorer.prediction_kinds
    with pytest.raises(ValueError, match="starts at the lowest loss"):
        explorer.predict("step")
    explorer.predict("minimum")
    explorer.run()
    assert "It starts there" in explorer.sentence_text or "downhill" in explorer.sentence_text
    explorer.loss_tol = 1e-6  # then it is asked when it stops
    explorer.predict("step")
    explorer.close()


@pytest.mark.parametrize("name", ["mccormick", "styblinski-tang", "himmelblau", "six-hump camel"])
def test_a_step_is_asked_in_the_terms_of_the_loss_axis(name):
    explorer = SurfaceExplorer(name)
    explorer.predict("step")
    said = explorer.sentence_text
    losses = explorer.descent.loss[:, 0].astype(float)
    lowest = float(explorer.surface.values(explorer.surface.minima).min())
    above = explorer.loss_plot.title != "loss"
    form = r"within ([\d.]+) of the lowest minimum" if above else r"below ([\d.]+) for"
    asked = float(re.search(form, said)[1])
    assert asked == pytest.approx(0.01 * (losses[0] - lowest), rel=0.11)
    explorer.run()
    losses = explorer.descent.loss[:, 0].astype(float) - (lowest if above else 0)
    over = np.flatnonzero(losses > asked)
    if over[-1] == len(losses) - 1:
        assert "stays finite" in explorer.sentence_text
    else:
        assert f"for good at update {over[-1] + 1}." in explorer.sentence_text
    explorer.close()


def test_where_there_is_one_minimum_nobody_speaks_of_several():
    explorer = SurfaceExplorer("booth", max_steps=3)
    explorer.predict("minimum")
    said = [explorer.sentence_text]
    explorer.guess(None)
    said.append(explorer.sentence_text)
    explorer.run()
    said.append(explorer.sentence_text)
    explorer.max_steps = 300
    explorer.predict("minimum")
    explorer.run()
    said.append(explorer.sentence_text)
    assert "does not end at the minimum" in said[2]
    assert not re.search("none of them|which minimum|nearest|nearer", " ".join(said))
    explorer.close()


def test_the_roles_of_the_two_loops_are_ordered():
    explorer = AccumulationComparer(learning_rate=0.4, max_steps=30)
    explorer.predict()
    explorer.guess((1, 0))
    explorer.run()
    assert "The other way round" in explorer.sentence_text
    assert "roles are reversed" in explorer.sentence_text
    explorer.micro_batches = 4
    with pytest.raises(ValueError, match="nothing to predict"):
        explorer.predict()
    explorer.close()


@pytest.mark.parametrize(
    ("kind", "bad"),
    [("order", (0, 1, 2)), ("order", (0, 0, 1, 2)), ("order", 3), ("step", 0), ("step", "soon")],
)
def test_a_guess_that_does_not_fit_is_refused(rates, kind, bad):
    rates.predict(kind)
    with pytest.raises(ValueError, match="guess must"):
        rates.guess(bad)
    assert rates.prediction.guess == "no guess"


def test_a_question_that_does_not_fit_is_refused(rates, landscape):
    for explorer, kind in ((rates, "minimum"), (landscape, "order"), (rates, "winner")):
        with pytest.raises(ValueError, match="kind"):
            explorer.predict(kind)
        assert explorer.prediction is None


def test_a_watched_loop_ends_the_question(landscape):
    landscape.predict()
    with landscape.watch():
        pass
    assert landscape.prediction is None


# -- the fold --------------------------------------------------------------------------------------


def test_the_fold_asks_takes_an_order_and_lets_it_be_changed(rates):
    rates.unfold("Predict")
    panel = rates._panel
    panel.questions["order"].click()
    answers = panel.answers.children
    for lane in (1, 2, 3):
        answers[lane].click()
    assert rates.prediction.guess == (1, 2, 3, 0)
    assert [one.description.split()[0] for one in answers] == ["4.", "1.", "2.", "3."]
    answers[2].click()
    assert rates.prediction.guess == "no guess"
    answers[2].click()
    assert rates.prediction.guess == (1, 3, 0, 2)
    rates.run()
    assert all(one.disabled for one in answers)
    assert "pairs right" in rates.sentence_text
    assert rates.fold.text.value == ""
    rates.step_back()  # then the sentence speaks of the step
    assert "pairs right" not in rates.sentence_text
    assert "pairs right" in rates.fold.text.value


def test_the_fold_takes_a_step_or_never_and_says_what_is_none(rates):
    rates.unfold("Predict")
    panel = rates._panel
    panel.lane.value = 2
    panel.questions["step"].click()
    assert rates.prediction.lane == 2
    number, never = panel.answers.children
    number.value = "1,200"
    assert rates.prediction.guess == 1200
    number.value = "soon"
    assert "guess must" in rates.problem
    assert number.value == "1,200"
    never.click()
    assert rates.prediction.guess is None
    assert number.value == "never"
    panel.skip.click()
    assert rates.prediction is None
    assert not panel.answers.children


def test_the_fold_takes_a_minimum(landscape):
    landscape.unfold("Predict")
    landscape._panel.questions["minimum"].click()
    four = landscape._panel.answers.children
    four[1].value = True
    assert landscape.prediction.guess == 1
    four[3].value = True
    assert [one.value for one in four] == [False, False, False, True, False]
    landscape.run()
    assert "your guess was minimum ④" in landscape.sentence_text
