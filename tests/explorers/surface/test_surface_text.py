"""What the surface explorers say is so: checked against torch and numpy on every surface."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from gdwidgets import HimmelblauExplorer, SurfaceExplorer
from gdwidgets.core import RULES, SURFACES, Descent
from gdwidgets.core.analysis.quadratic import quadratic
from gdwidgets.core.rules.momentum import Momentum, Nesterov
from gdwidgets.explorers.surface import why
from gdwidgets.explorers.surface.text import update_parts
from gdwidgets.ui.text import CIRCLED

NUMBER = r"([−\d.,·⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+?)"
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def parsed(written):
    """A number as it was written in a sentence."""
    plain = written.replace("−", "-").rstrip(".,").replace(",", "")
    if "10⁻" in plain or re.search("10[⁰-⁹¹²³]", plain):
        mantissa, _, power = plain.rpartition("10")
        return float(mantissa.rstrip("·") or 1) * 10.0 ** int(power.translate(RAISED))
    return float(plain)


def losses_and_slopes(function, points):
    """Losses (n,) and lengths of the gradient (n,) in float64."""
    leaf = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    losses = function(leaf[:, 0], leaf[:, 1])
    (slopes,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach().numpy(), np.hypot(*slopes.numpy().T)


def test_what_is_read_out_is_the_record_and_ends_with_the_next_step():
    explorer = HimmelblauExplorer(max_steps=50)
    explorer.read_out(0, 20)
    (u, v), g = explorer.descent.params[20, 0], explorer.descent.step_grad[20, 0]
    said = explorer.sentence_text.replace("−", "-")
    assert f"u = {u:.4f}, v = {v:.4f}, loss = " in said
    assert f"gradient = ({g[0]:.4f}, {g[1]:.4f})" in said
    explorer.step_forward()
    assert "gradient = " not in explorer.sentence_text
    explorer.close()


@pytest.mark.parametrize(
    ("start", "rate", "seen"),
    [((1, 1), 5e-3, True), ((1, 1), 5e-4, False), ((-0.270845, -0.923039), 5e-4, False)],
)
def test_the_start_speaks_of_an_arrow_only_where_one_is_seen(start, rate, seen):
    """An arrow under the start's circle, of radius 9, is not seen."""
    explorer = HimmelblauExplorer(start=start, learning_rate=rate)
    leaf = torch.tensor(start, dtype=torch.float32, requires_grad=True)
    SURFACES["himmelblau"].function(leaf[0], leaf[1]).backward()
    moved = (leaf.detach() - rate * leaf.grad) - leaf.detach()
    pixels = moved.norm().item() / 12 * explorer.map.plot_height * explorer.map.factor
    assert (pixels > 12) == seen
    said = explorer.sentence_text
    assert ("The arrow is the first update" in said) == seen
    length = re.search(rf"The first update, {NUMBER} long, is too short for an arrow", said)
    assert ("The first update changes nothing" in said) == (pixels == 0)
    assert bool(length) == (0 < pixels <= 12)
    if length:
        assert parsed(length[1]) == pytest.approx(moved.norm().item(), rel=1e-2)
    explorer.close()


@pytest.mark.parametrize("rule", [Momentum(0.9), Momentum(0.5, 0.1), Nesterov(0.8, 0.2)])
def test_gradient_and_velocity_make_the_update_of_torch(rule):
    descent = Descent(SURFACES["himmelblau"], (1.0, 1.0), 2e-3, rule=rule, max_steps=20)
    descent.advance_to(20)
    point = torch.nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))
    sgd = torch.optim.SGD(
        [point],
        lr=2e-3,
        momentum=rule.beta,
        weight_decay=rule.weight_decay,
        nesterov=isinstance(rule, Nesterov),
    )
    for k in range(20):
        sgd.zero_grad()
        SURFACES["himmelblau"].function(point[0], point[1]).backward()
        before, buffer = point.detach().clone(), sgd.state[point].get("momentum_buffer")
        kept = torch.zeros(2) if buffer is None else buffer.clone()
        gradient = point.grad + rule.weight_decay * before
        sgd.step()
        own, velocity = update_parts(descent, 0, k)
        times = 1 + rule.beta if isinstance(rule, Nesterov) else 1
        power = 2 if isinstance(rule, Nesterov) else 1
        tolerance = {"rtol": 2e-3, "atol": 2e-6}
        np.testing.assert_allclose(own, -2e-3 * times * gradient.numpy(), **tolerance)
        np.testing.assert_allclose(velocity, -2e-3 * rule.beta**power * kept.numpy(), **tolerance)


def check_sentence(explorer, k):
    """Every claim of the sentence at step k."""
    said = explorer.sentence_text
    path = explorer.descent.params[: k + 1, explorer.lane].astype(np.float64)
    u, v = (parsed(x) for x in re.search(rf"u = {NUMBER}, v = {NUMBER},", said).groups())
    np.testing.assert_allclose((u, v), path[k], atol=5.1e-5, rtol=1e-2)
    losses, slopes = losses_and_slopes(explorer.surface.function, path)
    loss = parsed(re.search(rf"loss = {NUMBER}\.? ", said).group(1))
    rounding = 1e-5 * (1 + np.abs(losses).max())
    assert loss == pytest.approx(losses[k], rel=1e-3, abs=rounding)
    steps = np.diff(path, axis=0)
    lengths = np.hypot(*steps.T)
    if "shorter, because" in said:
        assert lengths[-1] < lengths[-2]
        assert slopes[k - 1] < slopes[k - 2] * (1 + 1e-5)
    if "longer, because" in said:
        assert lengths[-1] > lengths[-2]
        assert slopes[k - 1] > slopes[k - 2] * (1 - 1e-5)
    if "nearly opposite" in said:
        assert steps[-1] @ steps[-2] < -0.5 * lengths[-1] * lengths[-2]
    if raised := re.search(rf"raised the loss from {NUMBER}\. ", said + " "):
        assert losses[k] > losses[k - 1] - rounding
        assert parsed(raised.group(1)) == pytest.approx(losses[k - 1], rel=1e-3, abs=rounding)
    if "a shorter one would have lowered it" in said:
        start = path[k - 1] + np.array([1e-4, 1e-3, 1e-2])[:, None] * steps[-1]
        assert losses_and_slopes(explorer.surface.function, start)[0].min() < losses[k - 1]
    if "changed nothing" in said:
        assert lengths[-1] == 0
    if long := re.search(rf"last update was {NUMBER} long", said):
        assert parsed(long.group(1)) == pytest.approx(lengths[-1], rel=1e-2)
    if near := re.search(rf"[Mm]inimum (.)(?:,| is) {NUMBER} away", said):
        distances = np.hypot(*(np.array(explorer.surface.minima) - path[k]).T)
        assert CIRCLED.index(near.group(1)) == distances.argmin()
        assert parsed(near.group(2)) == pytest.approx(distances.min(), rel=0.06)


@pytest.mark.parametrize(
    ("surface", "situation"), [("rastrigin", "trapped"), ("six-hump camel", "")]
)
def test_rises_within_the_rounding_of_the_loss_are_not_told(surface, situation):
    """Float32's last digits of a loss go up and down along a path that only goes down."""
    explorer = SurfaceExplorer(surface)
    if situation:
        explorer.situate(situation)
    explorer.run()
    recorded = explorer.descent.loss[:, explorer.lane]
    path = explorer.descent.params[:, explorer.lane].astype(np.float64)
    exact, _ = losses_and_slopes(explorer.surface.function, path)
    assert (np.diff(recorded) > 0).any()
    assert (np.diff(exact) <= 1e-9).all()
    for k in np.flatnonzero(np.diff(recorded) > 0)[:12] + 1:
        explorer.seek(int(k))
        assert "raised" not in explorer.sentence_text
    explorer.predict("minimum")
    explorer.run()
    assert "of its" not in explorer.sentence_text
    explorer.close()


def onward(explorer, updates=1500):
    """Where plain descent goes from the end of the run, in torch: (updates + 1, 2)."""
    p = torch.tensor(explorer.descent.params[explorer.end, explorer.lane], requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=explorer.learning_rate)
    points = [p.detach().numpy().copy()]
    for _ in range(updates):
        optimizer.zero_grad()
        explorer.surface.function(p[0], p[1]).backward()
        optimizer.step()
        points.append(p.detach().numpy().copy())
        if not np.isfinite(points[-1]).all():
            break
    return np.array(points, np.float64)


def check_ending(explorer):
    """What is said of the end of a plain run against the same run going on."""
    said = explorer.sentence_text
    if explorer.descent.outcomes[explorer.lane] == "diverged":
        assert "inf or NaN" in said
        return
    further = onward(explorer)
    with np.errstate(invalid="ignore"):
        lengths = np.hypot(*np.diff(further, axis=0).T)
    size = float(np.hypot(*np.diff(explorer.surface.bounds, axis=1)[:, 0]))
    if "converges" in said or "rests at" in said:
        assert np.isfinite(further).all()
        assert lengths[-1] <= lengths[0]
        assert np.hypot(*(further[-1] - further[0])) < 0.02 * size
        if named := re.search("minimum ([①-⑳])", said):
            minimum = np.array(explorer.surface.minima[CIRCLED.index(named.group(1))])
            distances = np.hypot(*(further - minimum).T)
            assert distances[-1] <= max(distances[0], 1e-4 * size)
            assert distances[-1] < 0.01 * size
    elif "oscillates" in said:
        assert np.isfinite(further).all()
        assert lengths[-50:].min() > 1e-6 * size
    elif "goes away" in said:
        assert not np.isfinite(further).all() or np.abs(further[-1]).max() > 3 * size
    elif "has not converged" in said:
        assert np.hypot(*(further[-1] - further[0])) > 1e-3 * size
    else:
        raise AssertionError(f"no word about the end: {said}")
    assert len(said) < 230


def test_a_minimum_far_off_is_not_denied():
    """From the map nobody can tell |u − 1000| from −u: what is said holds for both."""
    for function in (lambda u, v: (u - 1000).abs() + 0 * v, lambda u, v: -u + 0 * v):
        explorer = SurfaceExplorer(function, bounds=(-2, 2), learning_rate=0.05, max_steps=300)
        explorer.run()
        assert "while the loss falls: further updates lead" in explorer.sentence_text
        check_ending(explorer)
        explorer.close()


@pytest.mark.parametrize("name", list(SURFACES))
def test_on_every_surface_every_sentence_is_so(name):
    explorer = SurfaceExplorer(name)
    rate = explorer.learning_rate
    for factor in (1.0, 4.0):
        explorer.learning_rate = factor * rate
        end = explorer.compute(300)
        for k in sorted({1, 2, 3, 7, 20, 60, 150, 299} & set(range(end))):
            explorer.step = k
            check_sentence(explorer, k)
        explorer.run()
        check_sentence(explorer, explorer.step) if explorer.step else None
        check_ending(explorer)
    explorer.close()


@pytest.mark.parametrize("name", list(RULES))
def test_of_every_rule_the_sentences_are_so(name):
    explorer = HimmelblauExplorer(rule=name, learning_rate=0.003, max_steps=120)
    for k in (1, 2, 5, 20, 50, 119):
        explorer.step = k
        check_sentence(explorer, k)
        if name != "gd":
            assert "because" not in explorer.sentence_text
    explorer.close()


# -- situations ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ended():
    """Explorers at the end of each situation, by name."""
    made = {}
    for name in SurfaceExplorer.SITUATIONS:
        made[name] = explorer = HimmelblauExplorer()
        explorer.situate(name)
        assert explorer.step == 0
        assert explorer.situation == name
        watch = explorer.SITUATIONS[name]["sentence"]
        assert explorer.sentence_text == watch
        assert len(watch) < 200
        explorer.run()
    yield made
    for explorer in made.values():
        explorer.close()


def path_of(explorer):
    return explorer.descent.params[: explorer.end + 1, 0].astype(float)


def test_the_exercise_goes_downhill_to_minimum_1(ended):
    explorer = ended["the exercise"]
    losses = explorer.descent.loss[:, 0]
    assert (np.diff(losses) < 0).all()
    assert np.hypot(*(path_of(explorer)[-1] - (3, 2))) < 0.02
    ratios = losses[1:] / losses[:-1]
    assert ratios[:120].mean() < ratios[-100:].mean()  # quickly at first, then slowly


def test_the_hilltop_is_near_the_top_and_the_side_decides(ended):
    explorer = ended["hilltop"]
    start = torch.tensor(explorer.start, dtype=torch.float64)
    matrix = torch.autograd.functional.hessian(
        lambda p: explorer.surface.function(p[0], p[1]), start
    )
    assert torch.linalg.eigvalsh(matrix).max() < 0  # a hill
    reached = set()
    for shift in (-0.3, 0.3):
        for other in (-0.3, 0.3):
            explorer.start = (-0.25 + shift, -0.9 + other)
            end = explorer.descent.params
            explorer.run()
            end = explorer.descent.params[-1, 0]
            distances = np.hypot(*(np.array(explorer.surface.minima) - end).T)
            reached.add(int(distances.argmin()))
    assert len(reached) >= 3


def test_too_fast_jumps_and_a_lower_rate_is_smooth(ended):
    explorer = ended["too fast"]
    changes = np.diff(explorer.descent.loss[:, 0])
    assert (changes > 0).any()
    assert (changes < 0).any()
    explorer.learning_rate = 0.002
    assert (np.diff(explorer.descent.loss[:, 0]) <= 0).all()


def test_the_saddle_is_left_faster_and_faster(ended):
    path = path_of(ended["saddle"])
    lengths = np.hypot(*np.diff(path, axis=0).T)
    slowest = int(lengths.argmin())
    assert 20 < slowest < len(lengths) - 20
    assert np.hypot(*path[slowest]) < 1
    assert (np.diff(lengths[slowest:]) > 0).all()


def test_the_ravine_is_slow_and_momentum_is_faster(ended):
    explorer = ended["ravine"]
    plain = np.hypot(*path_of(explorer)[-1])
    explorer.rule = "momentum"
    assert np.hypot(*path_of(explorer)[-1]) < 0.01 * plain
    explorer.rule = "gd"


def test_nesterov_diverges_where_plain_descent_and_momentum_do_not(ended):
    explorer = ended["Nesterov"]
    assert explorer.descent.outcomes[0] == "diverged"
    for rule in ("gd", "momentum"):
        explorer.rule = rule
        explorer.run()
        assert np.hypot(*path_of(explorer)[-1]) < 0.1
    explorer.rule = "nesterov"
    explorer.unfold("Why")
    assert "0.0136" in explorer.fold.text.value


def test_trapped_ends_in_a_minimum_that_is_not_the_lowest(ended):
    explorer = ended["trapped"]
    assert explorer.descent.loss[-1, 0] > 1
    assert "none of those numbered" in explorer.sentence_text


# -- why -------------------------------------------------------------------------------------------


def reasons(explorer):
    k = min(explorer.step, int(explorer.descent.last_step[0]))
    return why.paragraphs(explorer.descent, 0, k, explorer.surface, explorer.quadratic)


def test_predicted_losses_and_updates_are_those_of_the_run():
    explorer = SurfaceExplorer("booth", max_steps=400, theory=True)
    explorer.run()
    steps, predicted = explorer._drawn_theory
    recorded = explorer.descent.loss[steps, 0]
    np.testing.assert_allclose(recorded, predicted, rtol=2e-3, atol=1e-9)
    assert explorer.loss_plot.theory.visible
    distances = np.hypot(*(explorer.descent.params[:, 0] - (1.0, 3.0)).T)
    first = int(np.flatnonzero(distances <= 1e-3)[0])
    assert f"after {first} updates" in " ".join(reasons(explorer))
    explorer.surface = "himmelblau"
    assert explorer._drawn_theory is None
    assert not explorer.loss_plot.theory.visible
    explorer.close()


def test_the_best_rates_do_what_is_said_of_them():
    explorer = SurfaceExplorer("narrow valley", start=(-9, 2), max_steps=700)
    said = " ".join(reasons(explorer))
    rate = parsed(re.search(rf"γ\* = 2/\(λmin \+ λmax\) = \*\*{NUMBER}\*\*", said).group(1))
    count = int(re.search(r"\(κ − 1\)/\(κ \+ 1\).*?after (\d+) updates", said).group(1))
    assert rate == pytest.approx(2 / 101, rel=1e-3)
    explorer.learning_rate = 2 / 101
    explorer.run()
    distances = np.hypot(*explorer.descent.params[:, 0].T)
    assert abs(int(np.flatnonzero(distances <= 1e-3)[0]) - count) <= 1
    beta, heavy, steps = re.search(
        rf"heavy ball\*\* has β\* = .*? = {NUMBER} and γ\* = {NUMBER}: .*?after (\d+) updates\.",
        said,
    ).groups()
    descent = Descent(
        explorer.surface,
        (-9, 2),
        parsed(heavy),
        rule=Momentum(beta=parsed(beta)),
        max_steps=300,
    )
    descent.advance_to(300)
    distances = np.hypot(*descent.params[:, 0].T)
    assert abs(int(np.flatnonzero(distances <= 1e-3)[0]) - int(steps)) <= 2
    explorer.close()


@pytest.mark.parametrize("rule", [Momentum(), Nesterov(), Momentum(beta=0.5), Nesterov(beta=0.3)])
def test_the_limit_of_a_rule_with_momentum_parts_convergence_from_divergence(rule):
    surface = SURFACES["narrow valley"]
    known = quadratic(surface)

    def run(rate):
        descent = Descent(surface, (0, 0.1), rate, rule=rule, max_steps=3000)
        descent.advance_to(3000)
        return descent

    said = " ".join(why.paragraphs(run(0.01), 0, 0, surface, known))
    limit = parsed(re.search(rf"the limit is .*? = \*\*{NUMBER}\*\*", said).group(1))
    for factor, inside in ((0.97, True), (1.03, False)):
        last = run(factor * limit).params[-1, 0]
        assert (np.abs(last[1]) < 0.1) == inside


def test_minima_that_are_called_unstable_hold_no_run():
    explorer = HimmelblauExplorer(learning_rate=0.016, max_steps=1000)
    said = " ".join(reasons(explorer))
    lost = [
        CIRCLED.index(c)
        for c in re.search(r"At this rate (.*?) (?:is|are)", said).group(1)
        if c in CIRCLED
    ]
    assert lost
    for index, (u, v) in enumerate(explorer.surface.minima):
        explorer.start = (u + 0.01, v + 0.01)
        explorer.run()
        last = explorer.descent.params[-1, 0]
        left = not np.isfinite(last).all() or np.hypot(*(last - (u, v))) > 0.02
        assert left == (index in lost)
    explorer.close()


@pytest.mark.parametrize("rule", ["adam", "rmsprop"])
def test_the_first_adaptive_update_is_what_is_said(rule):
    explorer = HimmelblauExplorer(rule=rule, learning_rate=0.05, start=(1, 1))
    p = torch.tensor([1.0, 1.0], requires_grad=True)
    optimizer = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[rule]([p], lr=0.05)
    explorer.surface.function(p[0], p[1]).backward()
    optimizer.step()
    said = reasons(explorer)[0]
    one, two = (parsed(x) for x in re.search(rf"here \({NUMBER}, {NUMBER}\)", said).groups())
    np.testing.assert_allclose((one, two), 1 - p.detach().numpy(), rtol=1e-3)
    explorer.close()


def test_the_velocity_s_two_parts_make_the_next_update():
    explorer = HimmelblauExplorer(rule="momentum")
    explorer.step = 40
    said = reasons(explorer)[0]
    pairs = re.findall(rf"\({NUMBER}, {NUMBER}\)", said)
    carried, own = (np.array([parsed(x) for x in pair]) for pair in pairs)
    points = explorer.descent.params[40:42, 0].astype(float)
    np.testing.assert_allclose(carried + own, points[1] - points[0], rtol=0.02, atol=1e-5)
    explorer.close()


def test_what_loss_tol_leaves_is_what_is_still_lost():
    explorer = HimmelblauExplorer(start=(-1.0, 1.0), loss_tol=1e-4)
    explorer.run()
    said = " ".join(reasons(explorer))
    left = parsed(re.search(rf"still fall by about \*\*{NUMBER}\*\*", said).group(1))
    stopped = float(explorer.descent.loss[explorer.step, 0])
    explorer.assign(loss_tol=None, max_steps=5000)
    explorer.run()
    assert left == pytest.approx(stopped - float(explorer.descent.loss[-1, 0]), rel=0.15)
    explorer.close()


def test_the_sharpness_along_the_path_is_the_largest_eigenvalue():
    explorer = HimmelblauExplorer()
    explorer.run()
    found = why.path_sharpness(explorer.descent, 0)
    assert found.shape == (301,)
    for k in (0, 50, 300):
        point = torch.tensor(explorer.descent.params[k, 0], dtype=torch.float64)
        matrix = torch.autograd.functional.hessian(
            lambda p: explorer.surface.function(p[0], p[1]), point
        )
        assert found[k] == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-9)
    explorer.unfold("Why")
    assert explorer.sharpness_plot.past.visible
    explorer.close()


BOUNDED = {
    "root": (lambda u, v: torch.sqrt(u + 2) + v**2, (1.0, 0.2), 1.2),
    "reciprocal": (lambda u, v: 1 / (4 - u) + v**2 - u.clamp(max=0), (3.0, 0.2), 20.0),
    "arc": (lambda u, v: 2 + torch.asin(u) + v**2, (0.5, 0.2), 0.4),
}
BOTTOMLESS = {
    "cubic": (lambda u, v: u**3 + v**2, (-1.0, 0.2), 0.2),
    "exponential": (lambda u, v: v**2 - torch.exp(u), (1.0, 0.2), 0.3),
    "quartic": (lambda u, v: v**2 - u**4, (0.5, 0.2), 0.3),
}


@pytest.mark.parametrize("name", [*BOUNDED, *BOTTOMLESS])
def test_no_lower_bound_is_said_only_where_there_is_none(name):
    function, start, rate = (BOUNDED | BOTTOMLESS)[name]
    explorer = SurfaceExplorer(function, bounds=(-3, 3), start=start, learning_rate=rate)
    explorer.run()
    said = explorer.sentence_text
    assert ("no lower bound" in said) == (name in BOTTOMLESS)
    if explorer.descent.outcomes[0] == "diverged":
        last = int(explorer.descent.last_step[0])
        assert f"Update {last + 1:,} makes inf or NaN" in said
    explorer.close()


def test_a_loss_that_rises_once_and_is_gone_had_too_large_a_rate():
    explorer = SurfaceExplorer("rosenbrock", start=(-2.0, 2.0), learning_rate=0.37)
    explorer.run()
    said = explorer.sentence_text
    assert int(explorer.descent.last_step[0]) == 1
    assert "The last update raised the loss: the learning rate is too large here." in said
    explorer.close()


@pytest.mark.parametrize("rule", RULES)
def test_that_more_updates_come_closer_is_said_of_rules_that_come_to_rest(rule):
    bowl = SurfaceExplorer(
        lambda u, v: -torch.exp(-(u**2) - v**2), bounds=(-3, 3), start=(0.3, -0.4), rule=rule
    )
    bowl.assign(learning_rate=0.24 if rule == "adam" else 0.02, max_steps=300)
    bowl.run()
    said = bowl.sentence_text
    bowl.close()
    if "more updates come closer" in said:
        assert rule not in {"adam", "rmsprop"}


def ended_at(said):
    """Whether a sentence tells that a run has come to a minimum to stay."""
    return "rests at" in said or "converges to" in said or "come closer" in said


@pytest.mark.parametrize(
    ("name", "start", "rule", "rate", "steps"),
    [
        ("six-hump camel", (0.862, -0.006), "rmsprop", 0.002, 1000),
        ("beale", (1.012, 1.87), "adam", 0.308894, 1000),
        ("rosenbrock", (-1.069, 1.318), "adam", 0.71911, 1000),
        ("himmelblau", (5.288, -1.734), "rmsprop", 0.0424, 100),
    ],
)
def test_of_rules_whose_steps_may_grow_again_no_rest_is_promised(name, start, rule, rate, steps):
    explorer = SurfaceExplorer(name, start=start, rule=rule, learning_rate=rate, max_steps=steps)
    explorer.run()
    said = explorer.sentence_text
    assert not ended_at(said), said
    assert len(said) < 230
    explorer.close()


def test_at_a_kink_no_update_is_promised_to_come_closer():
    explorer = SurfaceExplorer(
        "ackley", start=(0.488, -4.171), rule="momentum", learning_rate=0.0107, max_steps=100
    )
    explorer.run()
    assert "come closer" not in explorer.sentence_text
    explorer.close()


def test_what_goes_to_and_fro_by_rounding_rests():
    explorer = SurfaceExplorer("booth", max_steps=300)
    explorer.run()
    last = explorer.descent.params[-32:, 0]
    assert np.ptp(last, axis=0).max() <= 4 * np.spacing(np.abs(last).max())
    assert "rests at minimum ①" in explorer.sentence_text
    explorer.close()


def test_the_length_without_the_velocity_is_that_of_the_gradient_s_part():
    explorer = SurfaceExplorer("narrow valley", rule="momentum")
    explorer.seek(10)
    said = " ".join(reasons(explorer))
    whole = re.search(rf"It is {NUMBER} long; without the velocity it would be {NUMBER} long", said)
    own = explorer.learning_rate * np.hypot(*explorer.descent.step_grad[10, 0].astype(float))
    moved = np.hypot(*(explorer.descent.params[11, 0] - explorer.descent.params[10, 0]))
    assert parsed(whole[1]) == pytest.approx(moved, rel=0.01)
    assert parsed(whole[2]) == pytest.approx(own, rel=0.01)
    explorer.close()
