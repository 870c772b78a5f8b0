"""A script made from a descent is plain PyTorch and gives the descent's numbers."""

from __future__ import annotations

import builtins
import io
import math
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from torch import cos

from gdwidgets.core import (
    RULES,
    SURFACES,
    Adam,
    Descent,
    GradientDescent,
    LinearNeuron,
    MiniBatches,
    Momentum,
    Nesterov,
    PolynomialRegression,
    RMSprop,
    Surface,
    initial_parameters,
    tables,
    training_pairs,
)
from gdwidgets.core.analysis.accumulation import micro_batch_descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.schedules import Cosine, Exponential, InverseTime, StepDecay, WarmUp
from gdwidgets.core.rules.torch_optim import OptimizerRule
from gdwidgets.core.rules.wrappers import EveryNth
from gdwidgets.core.scripts.descent import descent_script, lane_names
from gdwidgets.core.scripts.source import function_source
from gdwidgets.core.scripts.update_rules import _EACH_NUMBER_BY_ITSELF
from script_results import execute, left_by

HIMMELBLAU = SURFACES["himmelblau"]
SHIFT = 0.25
CENTRE = torch.tensor([0.5, -0.5])


def run(descent, steps=None, **given):
    """What the script of a descent leaves of each lane, after a look at its text."""
    text = descent_script(descent, steps)
    assert "gdwidgets" not in text
    assert max(map(len, text.splitlines())) <= 80
    namespace = execute(text, **given)
    shadowed = {name for name in namespace if hasattr(builtins, name)}
    assert shadowed <= {
        "__builtins__",
        "__name__",
        "__doc__",
        "__loader__",
        "__spec__",
        "__package__",
    }
    return left_by(namespace, descent)


def printed(descent):
    """What the script of a descent prints."""
    with redirect_stdout(io.StringIO()) as out:
        run(descent)
    return out.getvalue().strip("\n")


def assert_same(descent, lanes, *, exact=True, rtol=1e-6, atol=1e-7):
    """Losses and last parameters are the recording's, as far as it is finite."""
    descent.advance_to(descent.max_steps)
    assert len(lanes) == descent.lanes
    for lane, left in enumerate(lanes):
        last = int(descent.last_step[lane])
        outcome = descent.outcomes[lane]
        count = last if outcome == "max_steps" else last + 1
        losses = descent.loss[:count, lane]
        if exact:
            np.testing.assert_array_equal(left.losses[:count], losses)
        else:
            np.testing.assert_allclose(left.losses[:count], losses, rtol=rtol, atol=atol)
        if outcome == "diverged":
            held = tables.held(descent, lane).params[-1]
            np.testing.assert_array_equal(np.isfinite(left.parameters), np.isfinite(held))
            continue
        assert left.updates == last
        params = descent.params[last, lane]
        if exact:
            np.testing.assert_array_equal(left.parameters, params)
        else:
            np.testing.assert_allclose(left.parameters, params, rtol=rtol, atol=atol)


# -- the same numbers, whatever the settings -------------------------------------------------------

single = st.floats(-2, 2, width=32)
learning_rates = st.floats(-5, -0.5).map(lambda exponent: float(f"{10**exponent:.3g}"))
betas = st.floats(0, 0.99)
decays = st.sampled_from([0.0, 0.01, 0.3])
rules = (
    st.sampled_from(list(RULES))
    | st.builds(GradientDescent, decays)
    | st.builds(Momentum, betas, decays)
    | st.builds(Nesterov, betas, decays)
    | st.builds(RMSprop, st.floats(0.1, 0.999), st.sampled_from([1e-8, 1e-4]), decays)
    | st.builds(
        Adam, betas, st.floats(0.5, 0.9999), st.sampled_from([1e-8, 1e-3]), st.booleans(), decays
    )
)
FACTORIES = [
    *(getattr(torch.optim, name) for name in _EACH_NUMBER_BY_ITSELF),
    partial(torch.optim.SGD, momentum=0.8, dampening=0.1),
    partial(torch.optim.Adam, lr=0.02, amsgrad=True, betas=(0.8, 0.9)),
    lambda groups: torch.optim.AdamW(groups, lr=0.05, weight_decay=0.1),
]
SCHEDULERS = [
    None,
    None,
    lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma=0.5),
    lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=60),
]
torch_rules = st.builds(
    OptimizerRule, st.sampled_from(FACTORIES), st.sampled_from(SCHEDULERS), st.booleans()
)
any_rule = rules | torch_rules
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failing example of so many parts says enough as it is; to make it small takes minutes."""

schedules = (
    st.builds(StepDecay, learning_rates, st.sampled_from([1e-5, 0.5, 1.0]), st.integers(1, 9))
    | st.builds(Exponential, learning_rates, st.sampled_from([1e-3, 0.9, 0.99]))
    | st.builds(Cosine, learning_rates, st.sampled_from([0.01, 0.5]), st.integers(1, 40))
    | st.builds(InverseTime, learning_rates, st.sampled_from([0.0, 0.01, 3.0]))
    | st.builds(WarmUp, learning_rates, st.integers(1, 40))
    | st.just(lambda k: 0.01 / (1 + k % 3))
)
any_rate = learning_rates | learning_rates | schedules
clearing = st.sampled_from([1, 1, None, 2, 3, 7])


@st.composite
def objectives(draw):
    kind = draw(st.sampled_from(["surface", "neuron", "regression", "mini-batches"]))
    if kind == "surface":
        return SURFACES[draw(st.sampled_from(list(SURFACES)))]
    if kind == "neuron":
        return LinearNeuron(*draw(st.tuples(single, single)))
    pairs = training_pairs(draw(st.sampled_from([11, 40, 100])))
    if draw(st.booleans()):
        pairs = pairs[0] - 0.3, pairs[1]  # not the course's: written out
    regression = PolynomialRegression(*pairs, draw(st.integers(0, 10)))
    if kind == "regression":
        return regression
    return MiniBatches(regression, draw(st.integers(1, 11)), draw(st.integers(0, 3)))


@st.composite
def descents(draw):
    objective = draw(objectives())
    lanes = draw(st.integers(1, 4))
    count = len(objective.parameter_names)

    def for_each(strategy):
        return draw(strategy) if draw(st.booleans()) else [draw(strategy) for _ in range(lanes)]

    rule = for_each(any_rule)
    own = [getattr(one, "scheduler", None) for one in (rule if isinstance(rule, list) else [rule])]
    return Descent(
        objective,
        [[draw(single) for _ in range(count)] for _ in range(lanes)],
        for_each(learning_rates if any(own) else any_rate),  # a scheduler changes them itself
        rule=rule,
        clear_every=for_each(clearing),
        loss_tol=draw(st.none() | st.sampled_from([1e-6, 1e-3, 0.1])),
        max_steps=draw(st.integers(1, 50)),
    )


@given(descent=descents())
@settings(phases=NO_SHRINKING)
def test_a_script_gives_the_recording_s_bits(descent):
    with redirect_stdout(io.StringIO()):
        assert_same(descent, run(descent), exact=True)


@given(beta=betas, decay=st.floats(0.001, 1), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_weight_decay_without_bias_correction_gives_the_recording_s_bits(beta, decay, seed):
    start = np.random.default_rng(seed).uniform(-2, 2, 2)
    rule = Adam(beta, 0.9, 1e-8, False, decay)
    with redirect_stdout(io.StringIO()):
        descent = Descent(HIMMELBLAU, start, 0.05, rule=rule, max_steps=40)
        assert_same(descent, run(descent))


@given(descent=descents())
@settings(max_examples=30)
def test_a_script_does_not_depend_on_how_far_the_descent_is_recorded(descent):
    before = descent_script(descent)
    descent.advance_to(descent.max_steps)
    assert descent_script(descent) == before


@given(
    first=any_rate,
    second=any_rate,
    rule=rules | st.sampled_from(FACTORIES),
    at=st.integers(1, 20),
    kind=st.sampled_from(["surface", "regression", "mini-batches"]),
)
def test_a_changed_learning_rate_is_repeated_at_its_step(first, second, rule, at, kind):
    regression = PolynomialRegression(*training_pairs(), 3)
    objective = {
        "surface": HIMMELBLAU,
        "regression": regression,
        "mini-batches": MiniBatches(regression, 30),
    }[kind]
    start = initial_parameters(len(objective.parameter_names))
    descent = Descent(objective, start, first, rule=rule, max_steps=40)
    descent.advance_to(at)
    if descent.recorded < at:  # diverged before
        return
    changed = descent.fork(at, learning_rate=second, max_steps=50)
    with redirect_stdout(io.StringIO()):
        assert_same(changed, run(changed), exact=True)


def test_lanes_whose_rates_change_alike_or_not():
    descent = Descent(HIMMELBLAU, [(1, 1), (-1, 1)], (5e-4, 1e-3), max_steps=30)
    descent.advance_to(10)
    for rates in (1e-4, (1e-4, 1e-3), (5e-4, 2e-4)):
        changed = descent.fork(10, learning_rate=rates)
        assert_same(changed, run(changed))


@given(clear_every=clearing, other=clearing, tolerances=st.permutations([None, 1e-3, 10.0]))
def test_a_fork_that_changed_anything_else_is_repeated_or_refused(clear_every, other, tolerances):
    descent = Descent(
        HIMMELBLAU,
        (1, 1),
        2e-3,
        clear_every=clear_every,
        loss_tol=tolerances[0],
        max_steps=40,
    )
    descent.advance_to(15)
    changed = descent.fork(descent.recorded, clear_every=other, loss_tol=tolerances[1])
    with redirect_stdout(io.StringIO()):
        try:
            assert_same(changed, run(changed))
        except ValueError as error:
            refusal = str(error)
        else:
            return
    assert "no script: this fork changed" in refusal
    assert clear_every != other or tolerances[0] != tolerances[1]


def test_a_fork_that_changed_the_rule_has_no_script():
    descent = Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=40)
    descent.advance_to(15)
    with pytest.raises(ValueError, match="one update rule, and this fork changed it at step 15"):
        descent_script(descent.fork(15, rule="adam"))


@given(
    parts=st.integers(1, 8),
    steps=st.integers(1, 40),
    rate=learning_rates,
    start=st.tuples(single, single),
)
def test_micro_batches_in_parts_and_at_once(parts, steps, rate, start):
    descent = micro_batch_descent(MicroBatches(*training_pairs(8), parts), start, rate, steps)
    with redirect_stdout(io.StringIO()):
        in_parts, at_once = run(descent)
    descent.advance_to(steps)
    if "diverged" in descent.outcomes:
        return
    updates = steps // parts
    assert in_parts.parameters == descent.params[-1, 0].tolist()
    assert at_once.parameters == descent.params[-1, 1].tolist()
    assert in_parts.losses == descent.loss[: updates * parts, 0].tolist()
    assert at_once.losses == descent.loss[parts - 1 : updates * parts : parts, 1].tolist()


def test_micro_batches_of_other_settings_have_no_script():
    batch = MicroBatches(*training_pairs(8), 4)
    for settings_ in ({"rule": "gd"}, {"learning_rate": Exponential(0.1)}, {"clear_every": 2}):
        given_settings = {"learning_rate": 0.1, "rule": EveryNth(4), "clear_every": 4} | settings_
        descent = Descent(batch, [(0, 0)] * 2, **given_settings, max_steps=8)
        with pytest.raises(ValueError, match="micro-batches whose lanes have one learning rate"):
            descent_script(descent)


def test_many_samples_give_the_same_numbers_to_rounding():
    """Beyond 20,000 products the recording multiplies matrices, in an order of their own."""
    descent = Descent(
        PolynomialRegression(*training_pairs(3000)), (0, 0, 0), (0.1, 0.01, 0.2), max_steps=100
    )
    assert_same(descent, run(descent), exact=False, rtol=1e-4)


# -- the same lines --------------------------------------------------------------------------------


@given(
    start=st.tuples(single, single),
    rate=learning_rates,
    steps=st.integers(1, 230),
    loss_tol=st.none() | st.sampled_from([1e-4, 1.0]),
)
@example((-1.0, 1.0), 5e-4, 300, 1e-4)
@example((2.0, 2.0), 0.5, 120, None)
@settings(max_examples=30)
def test_a_surface_prints_exercise_3(start, rate, steps, loss_tol):
    descent = Descent(HIMMELBLAU, start, rate, loss_tol=loss_tol, max_steps=steps)
    assert printed(descent) == tables.exercise_3(descent)


def test_lanes_of_a_surface_print_it_one_after_another():
    descent = Descent(HIMMELBLAU, [(1, 1), (-1, -1)], (5e-4, 1e-3), max_steps=150)
    assert printed(descent).split("\nInit") == [
        tables.exercise_3(descent, 0),
        tables.exercise_3(descent, 1).removeprefix("Init"),
    ]


@pytest.mark.parametrize("rate", [0.1, 0.7, 10.0])
def test_the_comparer_prints_exercise_2(rate):
    descent = Descent(LinearNeuron(), (0.5, 0.5), rate, clear_every=(None, 1), max_steps=60)
    target = "loss = (a * x + b - y)**2 with x = 1.5, y = 2.5"
    expected = [
        tables.exercise_2(descent, lane, title, target)
        for lane, title in enumerate(("Without gradient clearing", "With gradient clearing"))
    ]
    assert printed(descent) == "\n".join(expected)


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_a_regression_prints_the_worked_example(rate):
    regression = PolynomialRegression(*training_pairs())
    descent = Descent(regression, initial_parameters(), rate, max_steps=2000)
    assert printed(descent) == tables.training_lines(descent)


# -- how it looks ----------------------------------------------------------------------------------


def test_the_comparer_is_two_loops_with_the_clearing_commented_out_in_one():
    descent = Descent(LinearNeuron(), (0.5, 0.5), 0.1, clear_every=(None, 1), max_steps=10)
    text = descent_script(descent)
    first, second = text.split("# With gradient clearing")
    assert "\n    # a.grad = None\n    # b.grad = None\n" in first
    assert "\n    a.grad = None\n    b.grad = None\n" in second
    assert lane_names(descent) == ("without_clearing", "with_clearing")


def test_a_parameter_is_made_as_a_teacher_would():
    surface = descent_script(Descent(HIMMELBLAU, (2.4, 0.1), 5e-4, rule="adam", max_steps=9))
    assert "u = torch.tensor(2.4, requires_grad=True)\n" in surface
    assert "v = torch.tensor(0.1, requires_grad=True)\n" in surface
    assert "    optimizer.zero_grad()\n" in surface


def test_lanes_are_named_by_what_tells_them_apart():
    def names(start=(1, 1), rate=0.1, **settings):
        return lane_names(Descent(HIMMELBLAU, start, rate, max_steps=9, **settings))

    assert names(clear_every=(None, 3, 1)) == (
        "without_clearing",
        "clearing_every_3",
        "with_clearing",
    )
    assert names(rule=["gd", "adam"], rate=(0.1, 0.2)) == ("gd", "adam")
    assert names(rate=(1, 1e-3, 5e-4)) == ("rate_1", "rate_0_001", "rate_0_0005")
    assert names(start=[(1, 1), (2, 2)]) == ("start_1", "start_2")
    assert names(start=[(1, 1), (1, 1)]) == ("lane_1", "lane_2")
    assert names(rule=[Momentum(0.1), Momentum(0.2)]) == ("lane_1", "lane_2")


def test_few_samples_are_written_out_exactly():
    x = [0.1, 1 / 3, 16777216.0, 1e-20, 3e38]
    descent = Descent(PolynomialRegression(x, x, 0), (0.7,), 1e-3, max_steps=3)
    namespace = execute(descent_script(descent))
    assert namespace["x"].dtype == torch.float32
    assert torch.equal(namespace["x"], torch.tensor(x))


def test_many_samples_are_the_user_s_own():
    x = np.linspace(0, 1, 100_000)
    y = x**2
    descent = Descent(PolynomialRegression(x, y, 1), (0, 0), 0.1, max_steps=3)
    text = descent_script(descent)
    assert len(text) < 2000
    assert "# x and y are your data, as given: 100,000 samples\n" in text
    assert_same(descent, run(descent, x=x, y=y), exact=False)


def test_a_function_without_a_gradient_for_v():
    descent = Descent(Surface(lambda u, v: (u - 1) ** 2, (-2, 2)), (0.5, 0.5), 0.1, max_steps=9)
    for rule in RULES:
        descent = Descent(descent.objective, (0.5, 0.5), 0.1, rule=rule, max_steps=9)
        assert_same(descent, run(descent))


def test_a_function_that_needs_a_dimension():
    def masked(u, v):
        return torch.stack([u, v])[:, : len(u)].square().sum(0)

    descent = Descent(Surface(masked, (-2, 2)), (0.5, 0.25), 0.1, max_steps=9)
    assert_same(descent, run(descent))


def test_fewer_steps_can_be_asked_for():
    descent = Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=300)
    descent.advance_to(20)
    assert run(descent, 20)[0].parameters == descent.params[20, 0].tolist()
    with pytest.raises(ValueError, match="steps"):
        descent_script(descent, 301)


@pytest.mark.parametrize("name", SURFACES)
def test_every_named_surface_has_a_script(name):
    surface = SURFACES[name]
    descent = Descent(surface, surface.start, surface.learning_rate, max_steps=10)
    assert_same(descent, run(descent))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_script_is_written_for_the_session_as_it_is(dtype):
    regression = PolynomialRegression(*training_pairs(), 5)
    runs = [
        Descent(HIMMELBLAU, (1.1, 0.3), 5e-4, rule="adam", max_steps=30),
        Descent(MiniBatches(regression, 30), initial_parameters(6), (0.1, 0.01), max_steps=30),
        Descent(PolynomialRegression([0.1, 1, 2], [1, 2, 4.3]), (0, 0.3, 0), 0.1, max_steps=30),
        micro_batch_descent(MicroBatches(*training_pairs(8), 4), (0.1, 0.3), 0.1, 30),
    ]
    expected = [run(descent) for descent in runs]
    torch.set_default_dtype(dtype)
    with torch.autograd.set_detect_anomaly(True):
        assert [run(descent) for descent in runs] == expected
    torch.set_default_device("meta")
    assert [run(descent) for descent in runs] == expected


def test_a_script_is_clean_to_linters():
    texts = [
        descent_script(Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=9)),
        descent_script(Descent(LinearNeuron(), (1, 1), (0.1, 0.2), rule="adam", max_steps=9)),
        descent_script(Descent(SURFACES["ackley"], [(1, 1), (2, 2)], 5e-4, max_steps=9)),
        descent_script(micro_batch_descent(MicroBatches([1, 2], [2, 4], 2), (0, 0), 0.1, 9)),
    ]
    for text in texts:
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "check", "--isolated", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


# -- no script, and why ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Damped(Momentum):
    """Momentum that updates in its own way."""

    def update(self, params, grad, state, learning_rate, step):
        new, state = super().update(params, grad, state, learning_rate / (step + 1), step)
        return new, state


def test_a_subclass_of_a_rule_does_not_get_the_rule_s_script():
    for rule in (Damped(), ["gd", Damped()]):
        descent = Descent(HIMMELBLAU, (1, 1), 5e-4, rule=rule, max_steps=5)
        with pytest.raises(ValueError, match="no script: how Damped updates"):
            descent_script(descent)


class OwnOptimizer(torch.optim.SGD):
    """SGD of a user's own."""


def test_an_optimizer_that_might_give_other_numbers_has_no_script():
    for factory in (OwnOptimizer, torch.optim.Adafactor):
        descent = Descent(HIMMELBLAU, (1, 1), 5e-4, rule=OptimizerRule(factory), max_steps=5)
        with pytest.raises(ValueError, match=r"no script: a recording gives .* one tensor"):
            descent_script(descent)


def test_a_function_that_cannot_be_written_down_is_named():
    unwritable = ANYTHING

    def factory(groups):
        return torch.optim.SGD(groups, momentum=0.5, nesterov=unwritable is None)

    def schedule(k):
        return 0.01 if unwritable is not None else k

    for settings_, name in (
        ({"rule": OptimizerRule(factory)}, "rule"),
        ({"rule": OptimizerRule(torch.optim.SGD, SCHEDULERS[-1].__call__)}, "scheduler"),
        ({"learning_rate": schedule}, "learning rate"),
    ):
        descent = Descent(HIMMELBLAU, (1, 1), **({"learning_rate": 0.1} | settings_), max_steps=5)
        with pytest.raises(ValueError, match=f"no script: the source of .*{name}"):
            descent_script(descent)


def test_a_rate_that_changes_under_a_scheduler_has_no_script():
    rule = OptimizerRule(torch.optim.SGD, SCHEDULERS[2])
    descent = Descent(HIMMELBLAU, (1, 1), 5e-4, rule=rule, max_steps=20)
    descent.advance_to(5)
    scheduled = Descent(HIMMELBLAU, (1, 1), Exponential(5e-4), rule=rule, max_steps=20)
    for changing in (descent.fork(5, learning_rate=1e-4), scheduled):
        with pytest.raises(ValueError, match=r"scheduler of torch.optim sets the learning rate"):
            descent_script(changing)


def test_other_objectives_have_no_script():
    class Bowl:
        parameter_names = ("p",)

        def __call__(self, params):
            return params[:, 0] ** 2

    class Steeper(PolynomialRegression):
        def __call__(self, params):
            return 2 * super().__call__(params)

    for objective, start in ((Bowl(), (1,)), (Steeper([1, 2], [1, 2], 0), (1,))):
        with pytest.raises(ValueError, match="a script can be made for"):
            descent_script(Descent(objective, start, 0.1, max_steps=5))


# -- sources of users' functions ---------------------------------------------------------------


def helper(t, power=2):
    return (t - SHIFT) ** power


def with_helper(u, v):
    """A docstring."""
    return helper(u) + helper(v, power=4)


def with_default(u, v, shift=SHIFT, /, *, scale=math.pi):
    return scale * (u - shift) ** 2 + cos(v)


def with_tensor(u, v):
    return (u - CENTRE[0]) ** 2 + (v - CENTRE[1]) ** 2


def loss(u, v):
    return u**2 + v**2


def closure(amount):
    def inner(u, v):
        return amount * u**2 + v**2

    return inner


MAKERS = {"lambda": lambda k: lambda u, v: k * u**2 + v**2}

u = 3.0  # a name the script uses too

FUNCTIONS = {
    "helper": with_helper,
    "defaults": with_default,
    "tensor": with_tensor,
    "name of the loop's": loss,
    "closure": closure(2.5),
    "lambda": lambda u, v: torch.sin(u) + v**2,
    "closed lambda": MAKERS["lambda"](1.5),
    "second lambda of a line": (lambda u, v: u - v, lambda u, v: 3 * u**2 + v**2)[1],
    "lambda over lines": (
        lambda u, v: (
            u**2 + 2 * v**2  # a comment
        )
    ),
    "global named as a parameter": lambda p, q: (p - u) ** 2 + q**2,
    "default of a loop": [lambda u, v, k=k: k * u**2 + v**2 for k in (1, 2)][-2],
    "nested": lambda u, v: sum(map(lambda t: t**2 * SHIFT, (u, v))),  # noqa: C417,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_user_s_function_is_carried_along(name):
    function = FUNCTIONS[name]
    text = function_source(function)
    assert text is not None
    namespace = {}
    exec(text, namespace)
    descent = Descent(Surface(function, (-2, 2)), (0.4, 0.3), 0.05, max_steps=10)
    assert_same(descent, run(descent))


class Callable:
    def __call__(self, u, v):
        return u**2 + v**2


ANYTHING = object()

WITHOUT_SOURCE = {
    "object": Callable(),
    "partial": partial(loss),
    "builtin": torch.hypot,
    "made by exec": eval("lambda u, v: u**2 + v**2"),
    "refers to an object": lambda u, v: u**2 + v**2 + (ANYTHING is None),
}


@pytest.mark.parametrize("name", WITHOUT_SOURCE)
def test_without_a_source_there_is_no_script_and_it_says_why(name):
    function = WITHOUT_SOURCE[name]
    assert function_source(function) is None
    descent = Descent(Surface(function, (1, 2)), (1.5, 1.5), 0.05, max_steps=10)
    with pytest.raises(ValueError, match=r"source of .* cannot be had"):
        descent_script(descent)


def test_a_definition_is_carried_without_annotations_and_fits_80_columns():
    def wide(u: torch.Tensor, v: "Unknown") -> torch.Tensor:  # noqa: F821, UP037
        """A docstring that is wider than a script may be, and so is left out of it, all of it."""
        # A comment that is wider than a script may be, and so is broken, which is what it can be.
        return (u - 1.2345) ** 2 + (v - 1.2345) ** 2 + (u - 5.4321) ** 2 + (v - 5.4321) ** 2 - 1.25

    text = function_source(wide)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("def wide(u, v):\n    # A comment")
    namespace = execute(text)
    points = torch.linspace(-2, 2, 9)
    assert torch.equal(namespace["wide"](points, points), wide(points, points))


# fmt: off
def on_one_line(u, v): return (u - 1.23456) ** 2 + 10 * (v - 2.34567) ** 2 + 0.5 * (u - v) ** 2
# fmt: on


def test_a_definition_on_one_line_fits_80_columns():
    text = function_source(on_one_line)
    assert max(map(len, text.splitlines())) <= 80
    points = torch.linspace(-2, 2, 9)
    assert torch.equal(execute(text)["on_one_line"](points, points), on_one_line(points, points))


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("degree", [0, 9, 10])
def test_every_rule_s_loop_fits_at_every_degree(lanes, degree):
    regression = PolynomialRegression(*training_pairs(11), degree)
    start = torch.linspace(-0.5, 0.5, lanes * (degree + 1)).reshape(lanes, -1)
    beta, decay = 0.12345678901234567, 0.0123456789
    for rule in (
        GradientDescent(decay),
        Momentum(beta, decay),
        Nesterov(beta, decay),
        RMSprop(beta, 1.234e-7, decay),
        Adam(beta, 0.9876543210987654, 1.234e-7, True, decay),
        Adam(beta, 0.9876543210987654, 1.234e-7, False, decay),
    ):
        other = GradientDescent()
        rules = rule if lanes == 1 else [rule, other, rule]
        descent = Descent(regression, start, 0.01, rule=rules, max_steps=5)
        assert_same(descent, run(descent))


@pytest.mark.parametrize("clear_every", [[1, 7, None], [3, 2, 1000]])
@pytest.mark.parametrize("rate", [0.00012345678806, 1.2345678901e-05, 1.0000000000000002e-05])
def test_a_lane_s_heading_fits_with_every_digit_of_its_learning_rate(rate, clear_every):
    regression = PolynomialRegression(*training_pairs(11), 0)
    rules = [Nesterov(0.5), Momentum(0.5), Nesterov(0.25)]
    rates = [rate, StepDecay(0.0012345678901234, 1e-5, 7), StepDecay(2 * rate, 0.5, 3)]
    descent = Descent(
        regression, torch.zeros(3, 1), rates, rule=rules, clear_every=clear_every, max_steps=6
    )
    assert_same(descent, run(descent))
