"""A script made from a descent is plain PyTorch and gives the descent's numbers."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import cos

from gdwidgets.core import (
    RULES,
    SURFACES,
    Adam,
    Descent,
    LinearNeuron,
    Momentum,
    Nesterov,
    PolynomialRegression,
    Surface,
    initial_parameters,
    training_pairs,
)
from gdwidgets.core.scripts.descent import descent_script
from gdwidgets.core.scripts.source import function_source

HIMMELBLAU = SURFACES["himmelblau"]
SHIFT = 0.25
CENTRE = torch.tensor([0.5, -0.5])


def run(descent, steps=None):
    text = descent_script(descent, steps)
    assert "gdwidgets" not in text
    assert max(map(len, text.splitlines())) < 160
    namespace = {}
    exec(compile(text, "script", "exec"), namespace)
    return namespace["results"]


def assert_same(descent, results, *, bitwise, rtol=1e-5):
    descent.advance_to(descent.max_steps)
    assert len(results) == descent.lanes
    for lane, result in enumerate(results):
        last = int(descent.last_step[lane])
        assert result["steps"] == last
        expected = descent.params[last, lane]
        if bitwise:
            assert result["parameters"] == expected.tolist()
        else:
            np.testing.assert_allclose(result["parameters"], expected, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("loss_tol", [None, 1e-3])
@pytest.mark.parametrize("clear_every", [1, None, 3])
@pytest.mark.parametrize("rule", RULES)
def test_rules_clearing_and_tolerance_on_a_surface(rule, clear_every, loss_tol):
    rate = 0.05 if rule in {"adam", "rmsprop"} else 2e-4
    descent = Descent(
        HIMMELBLAU,
        (1, 1),
        rate,
        rule=rule,
        clear_every=clear_every,
        loss_tol=loss_tol,
        max_steps=60,
    )
    descent.advance_to(60)  # not clearing diverges under some rules, which a script must know
    assert_same(descent, run(descent), bitwise=rule in {"gd", "momentum", "nesterov"})


@pytest.mark.parametrize("rule", RULES)
def test_rules_on_the_neuron_and_the_regression(rule):
    neuron = Descent(LinearNeuron(), (0.5, 0.5), 0.05, rule=rule, max_steps=15)
    assert_same(neuron, run(neuron), bitwise=False)
    for degree in (0, 1, 2, 4):
        regression = PolynomialRegression(*training_pairs(), degree)
        start = initial_parameters(degree + 1)
        descent = Descent(regression, start, 1e-3, rule=rule, max_steps=60)
        assert_same(descent, run(descent), bitwise=False, rtol=1e-4)


def test_several_lanes_of_different_settings():
    lanes = Descent(
        HIMMELBLAU,
        [(1, 1), (-1, 1), (2, 0), (0, 3)],
        (5e-4, 1e-4, 0.05, 1e-3),
        rule=["gd", "momentum", "adam", Nesterov(0.5)],
        clear_every=(1, None, 2, 1),
        max_steps=50,
    )
    assert_same(lanes, run(lanes), bitwise=False)
    alike = Descent(HIMMELBLAU, [(1, 1), (-1, 1)], 5e-4, loss_tol=1e-4, max_steps=300)
    assert_same(alike, run(alike), bitwise=True)


def test_rules_with_constants_of_their_own():
    for rule in (Momentum(0.3), Nesterov(0.0), Adam(0.5, 0.9, 1e-3)):
        descent = Descent(HIMMELBLAU, (1, 1), 1e-3, rule=rule, max_steps=30)
        assert_same(descent, run(descent), bitwise=False)


def test_a_lane_seen_to_diverge_stops_at_its_last_finite_record():
    for start, rate in (((4, 4), 0.5), ((1, 1), 1e38)):
        descent = Descent(HIMMELBLAU, start, rate, max_steps=100)
        descent.advance_to(100)
        assert_same(descent, run(descent), bitwise=True)


def test_own_data_are_written_out():
    descent = Descent(PolynomialRegression([0, 1, 2.5], [1, 2, 4], 1), (0, 0), 0.1, max_steps=20)
    assert_same(descent, run(descent), bitwise=False)


def test_the_final_line_is_the_course_s(capsys):
    run(Descent(HIMMELBLAU, (-1, 1), 5e-4, loss_tol=1e-4, max_steps=300))
    assert capsys.readouterr().out.splitlines() == [
        "Step  100 | u = -2.4022, v = 2.9422, loss = 5.786583",
        "Step  200 | u = -2.7859, v = 3.1270, loss = 0.012538",
        "Stopping early at step 233: loss change = 0.000098 < loss_tol = 0.0001",
        "Final: u = -2.7986, v = 3.1301, final loss = 0.001436",
    ]


def test_fewer_steps_can_be_asked_for():
    descent = Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=300)
    descent.advance_to(20)
    assert run(descent, 20)[0]["parameters"] == descent.params[20, 0].tolist()
    with pytest.raises(ValueError, match="steps"):
        descent_script(descent, 301)


@pytest.mark.parametrize("name", SURFACES)
def test_every_named_surface_has_a_script(name):
    surface = SURFACES[name]
    descent = Descent(surface, surface.start, surface.learning_rate, max_steps=10)
    assert_same(descent, run(descent), bitwise=True)


def test_a_script_is_clean_to_linters():
    texts = [
        descent_script(Descent(HIMMELBLAU, (1, 1), 5e-4, max_steps=9)),
        descent_script(Descent(LinearNeuron(), (1, 1), (0.1, 0.2), rule="adam", max_steps=9)),
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
    assert_same(descent, run(descent), bitwise=True)


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


def test_other_objectives_and_rules_have_no_script():
    class Bowl:
        parameter_names = ("p",)

        def __call__(self, params):
            return params[:, 0] ** 2

    with pytest.raises(ValueError, match="a script can be made for"):
        descent_script(Descent(Bowl(), (1,), 0.1, max_steps=5))
