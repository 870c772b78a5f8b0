"""Correct loops agree with their reference, rules are recognised, and nobody is wrongly accused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.core import (
    SURFACES,
    Adam,
    Descent,
    LinearNeuron,
    MiniBatches,
    Momentum,
    Nesterov,
    PolynomialRegression,
    RMSprop,
)
from gdwidgets.core.diagnosis.diagnose import diagnose
from gdwidgets.core.diagnosis.findings import NO_MISTAKES, ORDER, Finding, number
from gdwidgets.core.diagnosis.records import LoopRecord, Reference
from gdwidgets.core.diagnosis.report import report_text
from gdwidgets.core.rules.momentum import GradientDescent
from gdwidgets.core.rules.schedules import Cosine, Exponential, InverseTime, StepDecay, WarmUp
from gdwidgets.core.rules.wrappers import EveryNth
from loops import (
    FIRST,
    X,
    Y,
    accumulate,
    examples,
    fit_polynomial,
    himmelblau,
    himmelblau_reference,
    names,
    neuron_reference,
    optimize_himmelblau,
    regression_reference,
    watched,
)

RIGHT = {"agrees", "plain_descent"}
RATE = 5e-4

# -- the course's reference functions ----------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "loss_tol", "updates"),
    [((1, 1), None, 300), ((-1, -1), None, 300), ((-1, 1), 1e-4, 232)],
)
def test_exercise_3_agrees_to_the_last_bit(start, loss_tol, updates):
    mine = watched(
        lambda: optimize_himmelblau(*start, loss_tol=loss_tol),
        himmelblau_reference(start, loss_tol=loss_tol),
    )
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["bits"]
    assert mine.findings[0].evidence["steps"] == updates
    assert mine.findings[0].sentence == (
        f"Your loop and the reference agree in all {updates} steps, to the last bit."
    )


@pytest.mark.parametrize(("rate", "steps"), [(0.1, 400), (0.01, 1000), (0.001, 400)])
def test_exercise_1_agrees_to_rounding(rate, steps):
    mine = watched(
        lambda: fit_polynomial(rate=rate, steps=steps), regression_reference(rate, steps)
    )
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["steps"] == steps
    assert mine.findings[0].evidence["difference"] < 1e-4


def test_exercise_1_at_rate_1_agrees_and_diverges_beyond_the_limit():
    mine = watched(lambda: fit_polynomial(rate=1.0, steps=400), regression_reference(1.0, 400))
    assert names(mine) == ["agrees", "diverged", "plain_descent"], mine.report()
    assert mine.findings[1].evidence["limit"] == pytest.approx(0.2004, abs=1e-4)


@pytest.mark.parametrize("clear", [True, False])
def test_exercise_2_agrees_to_the_last_bit(clear):
    mine = watched(
        lambda: accumulate(clear=clear), neuron_reference(clear_every=1 if clear else None)
    )
    agrees = mine.findings[0 if clear else 1]
    assert agrees.name == "agrees", mine.report()
    assert agrees.evidence["bits"]
    assert names(mine)[2 - clear :] == ["plain_descent"]


def test_a_loop_that_does_not_clear_is_told_so_also_where_its_reference_does_not():
    """Not as a mistake: both loops of Exercise 2 are to be written."""
    reference = neuron_reference(clear_every=None, title="without clearing")
    told, agrees, _ = watched(lambda: accumulate(clear=False), reference).findings
    assert (told.name, told.step, told.is_mistake) == ("not_cleared", 1, False)
    assert told.sentence.startswith("`.grad` is not cleared: step 2 begins with (−3.75, −2.5)")
    assert told.sentence.endswith("what the reference “without clearing” does as well.")
    assert agrees.sentence == (
        "Your loop and the reference “without clearing” agree in all 10 steps, to the last bit."
    )


# -- Hypothesis: correct loops of many kinds -----------------------------------------------------

OBJECTIVES = {
    "himmelblau": (SURFACES["himmelblau"], 2, lambda p: himmelblau(p[0], p[1])),
    "neuron": (LinearNeuron(), 2, lambda p: (p[0] * 1.5 + p[1] - 2.5) ** 2),
    "polynomial": (
        PolynomialRegression(X, Y),
        3,
        lambda p: torch.nn.functional.mse_loss(p[0] + p[1] * X + p[2] * X * X, Y),
    ),
    "booth": (
        SURFACES["booth"],
        2,
        lambda p: (p[0] + 2 * p[1] - 7).square() + (2 * p[0] + p[1] - 5).square(),
    ),
}
RULES = {
    "gd": ("gd", lambda p, rate: torch.optim.SGD(p, lr=rate)),
    "momentum": ("momentum", lambda p, rate: torch.optim.SGD(p, lr=rate, momentum=0.9)),
    "half momentum": (Momentum(0.5), lambda p, rate: torch.optim.SGD(p, lr=rate, momentum=0.5)),
    "nesterov": (
        "nesterov",
        lambda p, rate: torch.optim.SGD(p, lr=rate, momentum=0.9, nesterov=True),
    ),
    "rmsprop": ("rmsprop", lambda p, rate: torch.optim.RMSprop(p, lr=rate)),
    "slow rmsprop": (RMSprop(0.9), lambda p, rate: torch.optim.RMSprop(p, lr=rate, alpha=0.9)),
    "adam": ("adam", lambda p, rate: torch.optim.Adam(p, lr=rate)),
    "fast adam": (Adam(0.8, 0.99), lambda p, rate: torch.optim.Adam(p, lr=rate, betas=(0.8, 0.99))),
}
FOUND = {
    "gd": "plain_descent",
    "half momentum": "momentum",
    "slow rmsprop": "rmsprop",
    "fast adam": "adam",
}


@st.composite
def loops(draw):
    kind = draw(st.sampled_from(sorted(OBJECTIVES)))
    rule = draw(st.sampled_from(sorted(RULES)))
    objective, count, loss = OBJECTIVES[kind]
    start = draw(st.lists(st.floats(-4, 4, width=32), min_size=count, max_size=count).map(tuple))
    rate = draw(st.floats(-4.5, -0.5).map(lambda power: float(f"{10**power:.3g}")))
    steps = draw(st.integers(1, 60))
    vector = draw(st.booleans())
    every = draw(st.sampled_from([1, 1, 1, None, 3]))
    return objective, loss, rule, start, rate, steps, vector, every


def run_with_optimizer(
    loss, rule, start, rate, steps, *, vector=False, every=1, dtype=torch.float32
):
    def loop():
        if vector:
            p = torch.tensor(start, dtype=dtype, requires_grad=True)
            tensors = [p]
        else:
            tensors = p = [torch.tensor(x, dtype=dtype, requires_grad=True) for x in start]
        optimizer = RULES[rule][1](tensors, rate)
        for step in range(1, steps + 1):
            loss(p).backward()
            optimizer.step()
            if every is not None and step % every == 0:
                optimizer.zero_grad()

    return loop


@given(loops())
@examples(50)
def test_a_correct_loop_is_not_accused_of_anything(case):
    objective, loss, rule, start, rate, steps, vector, every = case
    reference = Reference(objective, start, rate, RULES[rule][0], every, None, steps)
    mine = watched(
        run_with_optimizer(loss, rule, start, rate, steps, vector=vector, every=every), reference
    )
    found = {one.name for one in mine.findings if one.is_mistake}
    assert found <= {"diverged"}, mine.report()
    if "diverged" in found:
        values = np.append(mine.loss, mine.final)
        assert not np.isfinite(values).all() or abs(mine.loss[-1]) > 1e5 * abs(mine.loss[0])
    moved = mine.final is not None and np.isfinite(mine.final).all()
    if moved and (mine.final != mine.params[-1]).all() and (mine.step_grad[0] != 0).any():
        assert "agrees" in names(mine), mine.report()
    # By itself nothing is a mistake but not clearing.
    allowed = NO_MISTAKES | {"diverged"}
    if every != 1:
        allowed |= {"not_cleared", "cleared_every_n"}
    alone = diagnose(mine.records[-1])
    assert {one.name for one in alone} <= allowed, [one.sentence for one in alone]


@given(loops())
@examples(20)
def test_a_loop_in_float64_agrees_to_rounding(case):
    objective, loss, _, start, rate, steps, vector, _ = case
    reference = Reference(objective, start, rate / 10, max_steps=steps)

    def double(p):
        if isinstance(p, torch.Tensor) or len(p) == 2 or p[0].dtype is torch.float32:
            return loss(p)
        return torch.nn.functional.mse_loss(
            p[0] + p[1] * X.double() + p[2] * X.double() ** 2, Y.double()
        )

    if vector and len(start) == 3:
        return
    mine = watched(
        run_with_optimizer(
            double, "gd", start, rate / 10, steps, vector=vector, every=1, dtype=torch.float64
        ),
        reference,
    )
    assert set(names(mine)) <= NO_MISTAKES | {"diverged"}, mine.report()


@given(
    st.sampled_from(sorted(RULES)),
    st.floats(-2.5, -1.5).map(lambda power: float(f"{10**power:.3g}")),
    st.integers(20, 60),
)
@examples(24)
def test_a_rule_is_recognised_with_its_rate_and_constants(rule, rate, steps):
    start = (1.0, -2.0)
    loss = OBJECTIVES["booth"][2]
    mine = watched(run_with_optimizer(loss, rule, start, rate, steps, vector=False, every=1))
    finding = mine.findings[-1]
    assert finding.name == FOUND.get(rule, rule), mine.report()
    low, high = finding.evidence["bounds"]
    assert low * (1 - 1e-6) <= rate <= high * (1 + 1e-6)
    assert low <= finding.evidence["rate"] <= high
    assert high - low < 0.01 * rate
    expected = {
        "momentum": {"beta": 0.9},
        "half momentum": {"beta": 0.5},
        "nesterov": {"beta": 0.9},
        "rmsprop": {"alpha": 0.99},
        "slow rmsprop": {"alpha": 0.9},
        "adam": {"beta1": 0.9, "beta2": 0.999},
        "fast adam": {"beta1": 0.8, "beta2": 0.99},
    }.get(rule, {})
    for name, value in expected.items():
        assert finding.evidence[name] == pytest.approx(value, abs=1e-4)


@given(st.floats(0.05, 0.95).map(lambda beta: round(beta, 3)), st.booleans())
@examples(14)
def test_momentum_is_recognised_with_any_beta(beta, nesterov):
    def loop():
        u, v = (torch.tensor(x, requires_grad=True) for x in (1.0, -2.0))
        optimizer = torch.optim.SGD([u, v], lr=1e-2, momentum=beta, nesterov=nesterov)
        for _ in range(40):
            optimizer.zero_grad()
            OBJECTIVES["booth"][2]((u, v)).backward()
            optimizer.step()

    rule = Nesterov(beta) if nesterov else Momentum(beta)
    mine = watched(loop, Reference(SURFACES["booth"], (1, -2), 1e-2, rule, max_steps=40))
    assert names(mine) == ["agrees", "nesterov" if nesterov else "momentum"], mine.report()
    assert mine.findings[-1].evidence["beta"] == pytest.approx(beta, abs=1e-6)


@given(
    st.sampled_from(["himmelblau", "booth", "polynomial"]),
    st.floats(1e-5, 1e-3),
    st.floats(1.05, 20.0),
)
@examples(16)
def test_another_rate_is_named_with_its_value(kind, rate, ratio):
    objective, count, loss = OBJECTIVES[kind]
    start = (1.0, 0.5, -0.5)[:count]
    mine = watched(
        run_with_optimizer(loss, "gd", start, rate * ratio, 30, vector=False, every=1),
        Reference(objective, start, rate, max_steps=30),
    )
    assert names(mine)[0] == "other_rate", mine.report()
    assert mine.findings[0].evidence["rate"] == pytest.approx(rate * ratio, rel=1e-3)


@given(st.sampled_from(sorted(RULES)), st.integers(2, 60))
@examples(16)
def test_the_wrong_sign_is_uphill_whatever_the_rule(rule, steps):
    def loop():
        u, v = (torch.tensor(x, requires_grad=True) for x in (1.0, -2.0))
        optimizer = RULES[rule][1]([u, v], 1e-3)
        for _ in range(max(steps, 6)):
            optimizer.zero_grad()
            OBJECTIVES["booth"][2]((u, v)).backward()
            u.grad, v.grad = -u.grad, -v.grad
            optimizer.step()

    mine = watched(loop, Reference(SURFACES["booth"], (1, -2), 1e-3, max_steps=max(steps, 6)))
    alone = {one.name for one in diagnose(mine.records[-1])}
    assert "uphill" in alone or rule in {"rmsprop", "adam"}
    assert names(mine)[0] == "uphill", mine.report()


# -- styles of writing -------------------------------------------------------------------------


def detached():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for _ in range(50):
        himmelblau(u, v).backward()
        u = (u - 5e-4 * u.grad).detach().requires_grad_()
        v = (v - 5e-4 * v.grad).detach().requires_grad_()


def data():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for _ in range(50):
        himmelblau(u, v).backward()
        u.data -= 5e-4 * u.grad.data
        v.data = v.data - 5e-4 * v.grad.data
        u.grad.zero_()
        v.grad.data.zero_()


def sub_():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for _ in range(50):
        torch.autograd.backward([himmelblau(u, v)])
        with torch.no_grad():
            u.sub_(u.grad, alpha=5e-4)
            v.add_(v.grad, alpha=-5e-4)
        u.grad = v.grad = None


def autograd_grad():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for _ in range(50):
        du, dv = torch.autograd.grad(himmelblau(u, v), [u, v])
        with torch.no_grad():
            u -= 5e-4 * du
            v -= 5e-4 * dv


def column():
    w = torch.ones(2, 1, requires_grad=True)
    for _ in range(50):
        himmelblau(w[0], w[1]).backward()
        with torch.no_grad():
            w -= 5e-4 * w.grad
        w.grad = None


def in_a_list():
    params = [torch.tensor(1.0, requires_grad=True) for _ in range(2)]
    for _ in range(50):
        himmelblau(*params).backward()
        with torch.no_grad():
            for p in params:
                p -= 5e-4 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


def in_a_dict():
    theta = {name: torch.tensor(1.0, requires_grad=True) for name in "uv"}
    for _ in range(50):
        himmelblau(**theta).backward()
        with torch.no_grad():
            for p in theta.values():
                p -= 5e-4 * p.grad  # noqa: PLW2901 - as students write it
                p.grad = None


def module():
    class Point(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.v = torch.nn.Parameter(torch.tensor(1.0))
            self.u = torch.nn.Parameter(torch.tensor(1.0))

        def forward(self):
            return himmelblau(self.u, self.v)

    model = Point()
    optimizer = torch.optim.SGD(model.parameters(), lr=5e-4)
    for _ in range(50):
        optimizer.zero_grad(set_to_none=False)
        model().backward()
        optimizer.step()


def closures():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.SGD([u, v], lr=5e-4)

    def closure():
        optimizer.zero_grad()
        loss = himmelblau(u, v)
        loss.backward()
        return loss

    for _ in range(50):
        optimizer.step(closure)


def cleared_before_backward():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for _ in range(50):
        loss = himmelblau(u, v)
        if u.grad is not None:
            u.grad.zero_()
            v.grad.zero_()
        loss.backward()
        with torch.no_grad():
            u -= 5e-4 * u.grad
            v -= 5e-4 * v.grad


def a_helper_for_each_step():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))

    def one_step(x, y):
        himmelblau(x, y).backward()
        with torch.no_grad():
            x -= 5e-4 * x.grad
            y -= 5e-4 * y.grad
        x.grad = y.grad = None

    for _ in range(50):
        one_step(u, v)


def expanded():
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for _ in range(50):
        f, g = u * u + v - 11, u + v * v - 7
        loss = f * f + g * g
        loss.backward()
        with torch.no_grad():
            u -= u.grad * 0.0005
            v -= v.grad / 2000
        u.grad = v.grad = None


@pytest.mark.parametrize(
    "loop",
    [
        detached, data, sub_, autograd_grad, column, in_a_list, in_a_dict, module, closures,
        cleared_before_backward, a_helper_for_each_step, expanded,
    ],
)  # fmt: skip
def test_a_correct_loop_agrees_in_any_style(loop):
    mine = watched(loop, himmelblau_reference(max_steps=50))
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["steps"] == 50 or loop is detached
    assert mine.names == ("u", "v")


def test_weights_of_a_layer_are_matched_by_their_losses():
    """A `Linear` layer has its bias, the constant term, last."""

    def loop():
        model = torch.nn.Linear(2, 1)
        with torch.no_grad():
            model.bias.fill_(FIRST[0])
            model.weight.copy_(torch.tensor([FIRST[1:]]))
        features = torch.stack([X, X**2], dim=1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
        for _ in range(200):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(features)[:, 0], Y).backward()
            optimizer.step()

    mine = watched(loop, regression_reference())
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert mine.params[0] == pytest.approx(FIRST)


def test_accumulation_on_purpose_is_asked_about():
    def loop():
        w = torch.zeros(2, requires_grad=True)
        for step in range(1, 25):
            batch = slice(25 * (step % 4), 25 * (step % 4) + 25)
            ((w[0] + w[1] * X[batch] - Y[batch]) ** 2).mean().backward()
            if step % 4 == 0:
                with torch.no_grad():
                    w -= 0.01 * w.grad
                w.grad = None

    mine = watched(loop)
    assert names(mine) == ["updated_every_n", "plain_descent"]
    assert mine.findings[0].evidence["n"] == 4
    assert mine.findings[0].sentence.endswith("Is that on purpose?")


@pytest.mark.parametrize(
    ("schedule", "form"),
    [
        (lambda k: 0.01 * 0.9**k, "exponentially"),
        (lambda k: 0.01 / (1 + 0.1 * k), "1/t"),
        (lambda k: 0.01 * (1 - k / 40), "straight line"),
        (lambda k: 0.01 if k < 12 else 0.002, "0.01 from step 1 on, 0.002 from step 13 on"),
    ],
)
@pytest.mark.parametrize("kind", ["booth", "neuron"])
def test_a_schedule_is_described(schedule, form, kind):
    """On the neuron all gradients are parallel, and only a schedule of a known form is believed."""
    loss = OBJECTIVES[kind][2]

    def loop():
        p = torch.tensor([1.0, -2.0], requires_grad=True)
        for k in range(30):
            loss(p).backward()
            with torch.no_grad():
                p -= schedule(k) * p.grad
            p.grad = None

    mine = watched(loop)
    assert names(mine) == ["schedule"], mine.report()
    assert form in mine.findings[0].sentence


def test_clipped_and_normalised_gradients_are_recognised():
    def loop(limit):
        p = torch.tensor([1.0, -2.0], requires_grad=True)
        optimizer = torch.optim.SGD([p], lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            OBJECTIVES["booth"][2](p).backward()
            torch.nn.utils.clip_grad_norm_([p], limit)
            optimizer.step()

    assert names(watched(lambda: loop(20.0))) == ["clipped"]
    assert names(watched(lambda: loop(0.1))) == ["normalised"]


# -- what is left open -------------------------------------------------------------------------


def loop_of(update, steps=40):
    """A loop with an update rule of its own, on Booth's function."""

    def loop():
        p = torch.tensor([1.0, -2.0], requires_grad=True)
        state = {}
        for k in range(steps):
            OBJECTIVES["booth"][2](p).backward()
            with torch.no_grad():
                update(p, p.grad, k, state)
            p.grad = None

    return loop


def heavy_noise(p, g, k, state):
    state.setdefault("g", torch.Generator().manual_seed(1))
    p -= 0.01 * g + 0.1 * torch.randn(2, generator=state["g"])


def rotated(p, g, k, state):
    p -= 0.01 * g.flip(0) * torch.tensor([1.0, 2.0])


def preconditioned(p, g, k, state):
    p -= torch.tensor([[0.02, 0.005], [0.005, 0.03]]) @ g


def clamped(p, g, k, state):
    p -= 0.05 * g
    p.clamp_(-2, 2)


@pytest.mark.parametrize("update", [heavy_noise, preconditioned, clamped, rotated])
def test_what_does_not_fit_is_not_recognised(update):
    mine = watched(loop_of(update), Reference(SURFACES["booth"], (1, -2), 0.01, max_steps=40))
    assert names(mine)[0] == "unknown_rule", mine.report()
    assert set(names(mine)) == {"unknown_rule"}
    assert mine.findings[0].sentence.startswith("I do not recognise this update.")


def test_a_loop_at_the_minimum_is_not_accused_of_standing_still():
    def loop():
        p = torch.tensor([1.0, 3.0], requires_grad=True)
        for _ in range(5):
            OBJECTIVES["booth"][2](p).backward()
            with torch.no_grad():
                p -= 0.01 * p.grad
            p.grad = None

    assert (
        set(names(watched(loop, Reference(SURFACES["booth"], (1, 3), 0.01, max_steps=5)))) <= RIGHT
    )


def test_a_rate_lost_in_rounding_is_not_called_a_missing_update():
    def loop():
        p = torch.tensor([1.0, 1.0], requires_grad=True)
        for _ in range(5):
            himmelblau(*p).backward()
            with torch.no_grad():
                p -= 1e-12 * p.grad
            p.grad = None

    mine = watched(loop, himmelblau_reference(rate=1e-12, max_steps=5))
    assert set(names(mine)) <= RIGHT, mine.report()


def test_findings_do_not_contradict_each_other():
    """Whatever is planted together, agreement excludes mistakes, and one update is one rule."""
    rules = {
        "unknown_rule", "plain_descent", "momentum", "nesterov", "rmsprop", "adam", "adagrad",
        "schedule", "clipped", "normalised", "updated_every_n", "stale_gradient", "swapped",
        "adamw", "weight_decay", "sign_descent", "off_by_one",
    }  # fmt: skip

    @given(
        st.tuples(
            st.sampled_from([1e-3, -1e-3, 1.0, 0.0]),
            st.sampled_from([1.0, 0.5, 7.0]),
            st.sampled_from(["each", "never", "third", "early"]),
            st.sampled_from([(1.0, -2.0), (0.0, 0.0)]),
            st.sampled_from([0.0, 0.9]),
            st.integers(1, 25),
        )
    )
    @examples(40)
    def check(planted):
        rate, factor, clear, start, beta, steps = planted

        def loop():
            u, v = (torch.tensor(x, requires_grad=True) for x in start)
            velocity = torch.zeros(2)
            for k in range(steps):
                (factor * OBJECTIVES["booth"][2]((u, v))).backward()
                if clear == "early":
                    u.grad.zero_()
                    v.grad.zero_()
                with torch.no_grad():
                    velocity = beta * velocity + torch.stack([u.grad, v.grad])
                    u -= rate * velocity[0]
                    v -= rate * velocity[1]
                if clear == "each" or (clear == "third" and k % 3 == 2):
                    u.grad = v.grad = None

        mine = watched(loop, Reference(SURFACES["booth"], (1, -2), 1e-3, max_steps=20))
        found = names(mine)
        assert len(found) == len(set(found)), mine.report()
        assert len(rules & set(found)) <= 1, mine.report()
        if "agrees" in found:
            right = rate == 1e-3 and factor == 1 and start == (1.0, -2.0) and steps == 20
            assert right, mine.report()
            assert set(found) <= NO_MISTAKES
        assert set(found) <= set(ORDER)

    check()


# -- pure functions of arrays ------------------------------------------------------------------


def record_of(descent):
    """A descent's own records as a loop's."""
    params = descent.params[:, 0].astype(float)
    grad = descent.grad[:, 0].astype(float)
    return LoopRecord(
        tuple(descent.objective.parameter_names),
        params[:-1],
        descent.loss[:-1, 0].astype(float),
        grad[:-1],
        (grad - descent.step_grad[:, 0])[:-1],
        params[-1],
    )


@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov", "rmsprop", "adam"])
@pytest.mark.parametrize("name", ["himmelblau", "rosenbrock", "beale", "matyas", "mccormick"])
def test_a_descent_agrees_with_itself(rule, name):
    surface = SURFACES[name]
    descent = Descent(surface, surface.start, surface.learning_rate / 10, rule=rule, max_steps=80)
    descent.advance_to(80)
    found = diagnose(record_of(descent), Reference.of(descent))
    expected = {"gd": "plain_descent"}.get(rule, rule)
    assert [one.name for one in found] == ["agrees", expected], [one.sentence for one in found]


def test_reference_of_a_lane_has_its_settings():
    descent = Descent(
        LinearNeuron(),
        [(0.5, 0.5), (1, 2)],
        (0.1, 0.2),
        rule=["gd", "adam"],
        clear_every=(1, None),
        loss_tol=1e-5,
        max_steps=30,
    )
    reference = Reference.of(descent, 1)
    assert reference.start == (1.0, 2.0)
    assert reference.learning_rate == 0.2
    assert reference.rule.name == "adam"
    assert reference.clear_every is None
    assert reference.loss_tol == 1e-5
    assert reference.max_steps == 30


def test_a_reference_refuses_settings_that_do_not_fit():
    with pytest.raises(ValueError, match="start"):
        Reference(LinearNeuron(), (1, 2, 3), 0.1)
    with pytest.raises(ValueError, match="learning_rate"):
        Reference(LinearNeuron(), (1, 2), -0.1)


def test_diagnosis_changes_nothing_of_its_arguments():
    descent = Descent(LinearNeuron(), (0.5, 0.5), 0.1, max_steps=10)
    descent.advance_to(10)
    record = record_of(descent)
    before = [part.copy() for part in (record.params, record.loss, record.grad, record.before)]
    state = torch.get_rng_state()
    assert diagnose(record, Reference.of(descent)) == diagnose(record, Reference.of(descent))
    after = (record.params, record.loss, record.grad, record.before)
    assert all(map(np.array_equal, before, after))
    assert torch.equal(state, torch.get_rng_state())


# -- the report -----------------------------------------------------------------------------


def test_hints_come_one_at_a_time():
    findings = (Finding("uphill", "What.", where="Where.", why="Why."), Finding("cleared", "More."))
    empty = LoopRecord(("u",), *(np.zeros(shape) for shape in ((1, 1), (1,), (1, 1), (1, 1))))
    assert report_text(findings, empty, hints=1) == "Where."
    assert report_text(findings, empty, hints=2) == "Where.\nWhat."
    assert report_text(findings, empty, hints=3) == "Where.\nWhat.\n    Why."
    everything = report_text(findings, empty)
    assert all(part in everything for part in ("What.", "Why.", "More."))
    held = report_text(findings, empty, hints=False)
    assert "1 step recorded" in held
    assert "What." not in held
    with pytest.raises(ValueError, match="hints"):
        report_text(findings, empty, hints=4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0005, "−0.0005"),
        (1234.5678, "1235"),
        (1e-12, "1e−12"),
        (float("nan"), "NaN"),
        (-np.inf, "−inf"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers_have_few_digits_and_a_true_minus(value, text):
    assert number(value) == text


# -- other objectives and rules ------------------------------------------------------------------


def by_batches(pairs, steps=60):
    """A regression loop that takes the pairs of step k from ``pairs(k)``."""

    def loop():
        a, b, c = (torch.tensor(x, requires_grad=True) for x in FIRST)
        for k in range(steps):
            x, y = X[pairs(k)], Y[pairs(k)]
            (a + b * x + c * x**2 - y).pow(2).mean().backward()
            with torch.no_grad():
                a -= 1e-2 * a.grad
                b -= 1e-2 * b.grad
                c -= 1e-2 * c.grad
            a.grad = b.grad = c.grad = None

    return loop


def test_mini_batches_agree_where_they_are_the_same_and_are_let_be_where_not():
    batches = MiniBatches(PolynomialRegression(X, Y), 16, seed=3)
    reference = Reference(batches, FIRST, 1e-2, max_steps=60)
    assert names(watched(by_batches(batches.pairs), reference)) == ["agrees", "plain_descent"]
    generator = torch.Generator().manual_seed(9)
    other = by_batches(lambda k: torch.randperm(100, generator=generator)[:16])
    assert names(watched(other, reference)) == ["plain_descent"]


def test_a_reference_with_any_rule_of_its_own_is_compared():
    def loop():
        w = torch.tensor([0.5, 0.5], requires_grad=True)
        for step in range(1, 13):
            ((w[0] * 1.5 + w[1] - 2.5) ** 2).backward()
            if step % 3 == 0:
                with torch.no_grad():
                    w -= 0.1 * w.grad
                w.grad = None

    reference = Reference(LinearNeuron(), (0.5, 0.5), 0.1, EveryNth(3), 3, max_steps=12)
    mine = watched(loop, reference)
    assert set(names(mine)) <= NO_MISTAKES, mine.report()
    assert names(mine)[0] == "agrees"


def by_rates(rate, steps=60, beta=0.0):
    """A loop whose learning rate is a function of the step."""

    def loop():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        optimizer = torch.optim.SGD([u, v], lr=1.0, momentum=beta)
        for k in range(steps):
            optimizer.param_groups[0]["lr"] = rate(k)
            optimizer.zero_grad()
            himmelblau(u, v).backward()
            optimizer.step()

    return loop


SCHEDULE_KINDS = [
    StepDecay(5e-4, 0.5, 20), Exponential(5e-4, 0.98), Cosine(5e-4, 0.1, 50),
    InverseTime(5e-4, 0.05), WarmUp(5e-4, 10), lambda k: 5e-4 / (1 + k % 3),
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULE_KINDS)
@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_reference_s_schedule_agrees_and_another_is_told(schedule, beta):
    rule = Momentum(beta) if beta else "gd"
    reference = himmelblau_reference(rate=schedule, rule=rule, max_steps=60)
    found = watched(by_rates(schedule, beta=beta), reference).findings
    assert found[0].name == "agrees"
    assert found[0].evidence["steps"] == 60
    for other in (lambda k: 5e-4, lambda k: schedule(k + 1)):
        mine = watched(by_rates(other, beta=beta), reference)
        assert "agrees" not in names(mine), mine.report()
        if not beta:
            differs = next(k for k in range(60) if abs(other(k) / schedule(k) - 1) > 1e-6)
            assert (names(mine)[0], mine.findings[0].step) == ("other_rate", differs)
            assert mine.findings[0].evidence["rate"] == pytest.approx(other(differs), rel=1e-3)


def test_a_schedule_uphill_is_uphill():
    rate = Exponential(5e-4, 0.98)
    for reference in (himmelblau_reference(max_steps=60), himmelblau_reference(rate=rate)):
        assert names(watched(by_rates(lambda k: -rate(k)), reference))[0] == "uphill"


def test_rates_that_were_changed_on_the_way_are_the_reference_s():
    descent = Descent(SURFACES["himmelblau"], (1, 1), (5e-4, 1e-3), max_steps=60)
    descent.advance_to(60)
    forked = descent.fork(30, learning_rate=(2e-4, 1e-3))
    first, second = (Reference.of(forked, lane) for lane in (0, 1))
    mine = watched(by_rates(lambda k: 5e-4 if k < 30 else 2e-4), first)
    assert names(mine) == ["agrees", "schedule"], mine.report()
    assert second.schedule is None
    assert second.learning_rate == 1e-3


OPTIMIZERS = {
    **{
        name: getattr(torch.optim, name)
        for name in ("AdamW", "Adagrad", "NAdam", "Adamax", "RAdam", "Adadelta", "SGD")
    },
    "amsgrad": lambda p, **more: torch.optim.Adam(p, amsgrad=True, **more),
    "centered": lambda p, **more: torch.optim.RMSprop(p, centered=True, momentum=0.5, **more),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_any_optimizer_agrees_with_itself_and_no_other_does(name):
    make = OPTIMIZERS[name]

    def loop(rate=5e-3, make=make):
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        optimizer = make([u, v], lr=rate)
        for _ in range(24):
            optimizer.zero_grad()
            himmelblau(u, v).backward()
            optimizer.step()

    reference = himmelblau_reference(rate=5e-3, rule=make, max_steps=24)
    mine = watched(loop, reference)
    assert names(mine)[0] == "agrees"
    for other in (lambda: loop(6e-3), lambda: loop(make=torch.optim.Rprop)):
        assert "agrees" not in names(watched(other, reference))
    alone = {one.name for one in diagnose(mine.records[-1], himmelblau_reference(max_steps=24))}
    assert alone <= NO_MISTAKES | {"unknown_rule", "other_rate"}


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_weight_decay_agrees_where_both_have_it(beta):
    def loop(decay):
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        optimizer = torch.optim.SGD([u, v], lr=1e-4, momentum=beta, weight_decay=decay)
        for _ in range(40):
            optimizer.zero_grad()
            himmelblau(u, v).backward()
            optimizer.step()

    decaying = Momentum(beta, 0.01) if beta else GradientDescent(0.01)
    plain = Momentum(beta) if beta else "gd"
    for decay, rule, agree in (
        (0.01, decaying, True),
        (0.0, decaying, False),
        (0.01, plain, False),
    ):
        reference = himmelblau_reference(rate=1e-4, rule=rule, max_steps=40)
        mine = watched(lambda decay=decay: loop(decay), reference)
        assert (names(mine)[0] == "agrees") == agree, mine.report()
        assert not any(one.is_mistake for one in mine.findings if one.name != "unknown_rule")


def ahead_in_place():
    p, velocity = torch.ones(2, requires_grad=True), torch.zeros(2)
    for _ in range(60):
        with torch.no_grad():
            p += 0.9 * velocity
        himmelblau(*p).backward()
        with torch.no_grad():
            p -= 0.9 * velocity
            velocity = 0.9 * velocity - RATE * p.grad
            p += velocity
        p.grad = None


def ahead_in_a_tensor_of_its_own():
    p, velocity = torch.ones(2), torch.zeros(2)
    for _ in range(60):
        ahead = (p + 0.9 * velocity).requires_grad_()
        himmelblau(*ahead).backward()
        velocity = 0.9 * velocity - RATE * ahead.grad
        p = p + velocity


def ahead_in_the_graph():
    p, velocity = torch.ones(2, requires_grad=True), torch.zeros(2)
    for _ in range(60):
        himmelblau(*(p + 0.9 * velocity)).backward()
        with torch.no_grad():
            velocity = 0.9 * velocity - RATE * p.grad
            p += velocity
        p.grad = None


@pytest.mark.parametrize("loop", [ahead_in_place, ahead_in_a_tensor_of_its_own, ahead_in_the_graph])
def test_nesterov_s_own_form_is_the_reference_s(loop):
    mine = watched(loop, himmelblau_reference(rule="nesterov", max_steps=60))
    assert names(mine) == ["agrees", "nesterov"], mine.report()
    assert names(watched(loop, himmelblau_reference(max_steps=60))) == ["nesterov"]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "several_passes"),
        ({"max_iter": 1}, "unknown_rule"),
        ({"line_search_fn": "strong_wolfe"}, "several_passes"),
    ],
)
def test_l_bfgs_is_called_what_it_is_and_not_accused(more, found):
    passes = []

    def loop():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        optimizer = torch.optim.LBFGS([u, v], **more)

        def closure():
            passes[-1] += 1
            optimizer.zero_grad()
            loss = himmelblau(u, v)
            loss.backward()
            return loss

        for _ in range(5):
            passes.append(0)
            optimizer.step(closure)

    mine = watched(loop, himmelblau_reference(max_steps=60))
    assert names(mine) == [found], mine.report()
    assert "LBFGS" in mine.findings[0].sentence
    if found == "several_passes":
        evidence = mine.findings[0].evidence
        assert (evidence["calls"], evidence["passes"]) == (5, sum(passes))
        assert f"up to {max(passes)} in one call" in mine.findings[0].sentence
        assert f"{sum(passes)} backward passes recorded" in mine.report()


def test_a_long_loop_is_compared_number_by_number_at_its_beginning(monkeypatch):
    monkeypatch.setattr("gdwidgets.core.diagnosis.comparison._MOST_COMPARED", 50)
    mine = watched(lambda: optimize_himmelblau(1, 1), himmelblau_reference())
    evidence = mine.findings[0].evidence
    assert (evidence["steps"], evidence["compared"]) == (300, 50)
    assert "in the first 50 steps" in mine.findings[0].sentence


def test_a_direction_without_gradient_is_not_called_uphill():
    """The gradient of v is rounding noise; only u has a rate of its own to speak of."""

    def loop():
        u, v = (torch.tensor(x, requires_grad=True) for x in (1.0, 0.0))
        for _ in range(30):
            (u**2 + 1e-9 * torch.sin(1e6 * v)).backward()
            with torch.no_grad():
                u -= 0.02 * u.grad
                v -= 0.01 * v.grad
            u.grad = v.grad = None

    assert "uphill" not in names(watched(loop))


# -- how a loop ends -----------------------------------------------------------------------------


def small_change(loss, last, tol):
    return last is not None and abs(loss - last) < tol


def test_before_backward(u, v, update, steps, tol):
    last = None
    for _ in range(steps):
        loss = himmelblau(u, v)
        if small_change(loss.item(), last, tol):
            break
        last = loss.item()
        loss.backward()
        update()


def test_in_the_head(u, v, update, steps, tol):
    loss, last, k = himmelblau(u, v), float("inf"), 0
    while k < steps and abs(last - loss.item()) >= tol:
        last = loss.item()
        loss.backward()
        update()
        loss, k = himmelblau(u, v), k + 1


def test_after_backward(u, v, update, steps, tol):
    last = None
    for _ in range(steps):
        loss = himmelblau(u, v)
        loss.backward()
        if small_change(loss.item(), last, tol):
            break
        last = loss.item()
        update()


def one_pass_more(u, v, update, steps, tol):
    test_after_backward(u, v, update, steps, tol)
    himmelblau(u, v).backward()


STYLES = (test_before_backward, test_in_the_head, test_after_backward)
for _style in STYLES:
    _style.__test__ = False  # of a loop, not of ours


def ending(style, start, rate, steps, tol):
    u, v = (torch.tensor(float(value), requires_grad=True) for value in start)

    def update():
        with torch.no_grad():
            u.sub_(rate * u.grad)
            v.sub_(rate * v.grad)
        u.grad = v.grad = None

    style(u, v, update, steps, tol)


@examples(40)
@given(
    st.sampled_from(STYLES),
    st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    st.floats(1e-4, 5e-3),
    st.integers(2, 120),
    st.sampled_from([0.0, 1e-6, 1e-4, 1e-2, 1.0, 30.0]),
)
def test_a_right_test_is_right_wherever_it_stands(style, start, rate, steps, tol):
    loss_tol = tol or None
    reference = himmelblau_reference(start, rate, max_steps=steps, loss_tol=loss_tol)
    mine = watched(lambda: ending(style, start, rate, steps, tol), reference)
    assert not [one.name for one in mine.findings if one.is_mistake], mine.report()
    agrees = [one for one in mine.findings if one.name == "agrees"]
    assert agrees, mine.report()
    last = int(reference.descent().advance_to(steps))
    assert agrees[0].evidence["steps"] == last


@pytest.mark.parametrize("style", STYLES)
def test_a_wrong_test_is_told_wherever_it_stands(style):
    reference = himmelblau_reference((-1, 1), loss_tol=1e-4)
    mine = watched(lambda: ending(style, (-1, 1), RATE, 300, 1e-2), reference)
    assert names(mine)[0] == "other_stop", mine.report()


def test_a_backward_pass_after_the_last_update_is_no_update():
    reference = himmelblau_reference()
    mine = watched(lambda: ending(one_pass_more, (1, 1), RATE, 300, 0.0), reference)
    assert names(mine) == ["agrees", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["steps"] == 300


def stopped_by_hand(step):
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    for k in range(300):
        himmelblau(u, v).backward()
        if k == step:
            raise RuntimeError("stopped")
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


@pytest.mark.parametrize("step", [1, 2, 42])
def test_an_update_that_did_not_come_is_no_rounding_error(step):
    mine = watched(lambda: stopped_by_hand(step), himmelblau_reference())
    agrees = next(one for one in mine.findings if one.name == "agrees")
    assert agrees.evidence["bits"]
    assert agrees.evidence["steps"] == step


def with_idle(trial, skipped):
    u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
    if trial:
        himmelblau(u, v).backward()
        u.grad = v.grad = None
    for k in range(300):
        himmelblau(u, v).backward()
        if k in skipped:
            u.grad = v.grad = None
            continue
        with torch.no_grad():
            u -= RATE * u.grad
            v -= RATE * v.grad
        u.grad = v.grad = None


def test_a_trial_pass_before_the_loop_is_no_update():
    mine = watched(lambda: with_idle(True, ()), himmelblau_reference())
    assert names(mine) == ["pass_without_update", "agrees", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["passes"] == (0,)
    assert mine.findings[1].evidence["steps"] == 300


@examples(10)
@given(st.sets(st.integers(0, 298), min_size=1, max_size=60))
def test_passes_that_no_update_follows_are_told_apart(skipped):
    mine = watched(lambda: with_idle(False, skipped), himmelblau_reference())
    assert names(mine) == ["pass_without_update", "other_length", "plain_descent"], mine.report()
    assert mine.findings[0].evidence["passes"] == tuple(sorted(skipped))
    assert mine.findings[1].evidence["updates"] == 300 - len(skipped)
