"""Formulas that are worked off without a graph give autograd's numbers, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.core import Descent, LinearNeuron, Surface
from gdwidgets.core.descent.formula import formula
from gdwidgets.core.objectives.named_surfaces import SURFACES

LISTED = ("himmelblau", "rosenbrock", "beale", "booth", "matyas", "saddle", "narrow valley")
CONSTANTS = st.sampled_from([-7, -1, 0.1, 0.5, 1, 2, 3.3, 11, 100])
TERMS = st.recursive(
    st.sampled_from([("u",), ("v",)]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*"), inner, inner),
        st.tuples(st.sampled_from(["c+", "c-", "c*", "+c", "-c", "*c", "/c"]), inner, CONSTANTS),
        st.tuples(st.just("**"), inner, st.sampled_from([2, 3])),
        st.tuples(st.just("neg"), inner),
    ),
    max_leaves=12,
)
WORKED = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "c+": lambda a, c: c + a,
    "c-": lambda a, c: c - a,
    "c*": lambda a, c: c * a,
    "+c": lambda a, c: a + c,
    "-c": lambda a, c: a - c,
    "*c": lambda a, c: a * c,
    "/c": lambda a, c: a / c,
    "**": lambda a, n: a**n,
    "neg": lambda a: -a,
}


def worked(term, u, v):
    """A term with numbers, tensors or symbols put in."""
    if term in {("u",), ("v",)}:
        return u if term == ("u",) else v
    sign, *parts = term
    return WORKED[sign](*(worked(p, u, v) if isinstance(p, tuple) else p for p in parts))


def by_autograd(losses, points):
    leaf = points.clone().requires_grad_()
    made = losses(*leaf.unbind())
    made.backward(torch.ones_like(made))
    return made.detach().numpy(), leaf.grad.numpy()


def points(lanes, seed, scale):
    own = torch.Generator().manual_seed(seed)
    return torch.randn(2, lanes, generator=own) * scale


@given(
    term=TERMS,
    lanes=st.sampled_from([1, 2, 5, 9, 64]),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([1e-20, 1e-3, 1.0, 30.0, 1e8, 1e25]),
)
def test_any_formula_gives_autograd_s_numbers(term, lanes, seed, scale):
    def losses(u, v):
        return worked(term, u, v) + 0 * u * v  # depends on both

    at = points(lanes, seed, scale)
    found = formula(losses, torch.ones(2, 1))
    assert found is not None
    for got, wanted in zip(found(at.numpy()), by_autograd(losses, at), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", SURFACES)
def test_of_the_named_surfaces_those_without_transcendental_functions_are_listed(name):
    surface = SURFACES[name]
    assert surface.is_formula
    found = formula(surface.of_columns, torch.ones(2, 1))
    assert (found is not None) == (name in LISTED)
    if found is not None:
        (low, high) = zip(*surface.bounds, strict=True)
        spread = torch.tensor(high)[:, None] - torch.tensor(low)[:, None]
        at = torch.tensor(low)[:, None] + spread * torch.rand(2, 4000)
        for got, wanted in zip(found(at.numpy()), by_autograd(surface.of_columns, at), strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "losses",
    [
        lambda u, v: torch.cos(u) * v,
        lambda u, v: u**4 + v,
        lambda u, v: u / v,
        lambda u, v: u.exp() + v,
        lambda u, v: torch.where(u > 0, u, v),
        lambda u, v: u * 2,  # has no gradient with respect to v
        lambda u, v: (u * v).abs(),
    ],
)
def test_what_cannot_be_listed_is_left_to_torch(losses):
    assert formula(losses, torch.ones(2, 1)) is None


def test_a_list_that_disagrees_with_autograd_is_not_used():
    calls = []

    def another_each_time(u, v):
        calls.append(1)
        return u * v * len(calls)

    assert formula(another_each_time, torch.ones(2, 1)) is None


def test_a_function_of_a_user_s_is_never_taken_for_a_formula():
    factor = [1.0]
    surface = Surface(lambda u, v: factor[0] * (u**2 + v**2), (-2, 2))
    assert not surface.is_formula
    descent = Descent(surface, (1.0, 1.0), 0.1, max_steps=4)
    descent.advance_to(2)
    factor[0] = 3.0
    descent.advance_to(3)
    assert descent.loss[3, 0] == pytest.approx(3 * float((descent.params[3] ** 2).sum()))


SETTINGS = st.fixed_dictionaries(
    {
        "start": st.lists(st.tuples(*[st.floats(-3, 3, width=32)] * 2), min_size=1, max_size=5),
        "learning_rate": st.sampled_from([1e-4, 1e-3, 0.02, 0.5]),
        "rule": st.sampled_from(["gd", "momentum", "nesterov", "rmsprop", "adam"]),
        "clear_every": st.sampled_from([1, 2, None]),
        "loss_tol": st.sampled_from([None, 1e-2]),
    }
)


@given(objective=st.sampled_from([*LISTED, "neuron"]), settings=SETTINGS)
def test_a_descent_is_the_one_that_autograd_makes(objective, settings):
    listed = LinearNeuron() if objective == "neuron" else SURFACES[objective]

    class Plain:
        """The same objective, which does not say that it is a formula."""

        parameter_names = listed.parameter_names

        def __call__(self, params):
            return listed(params)

        def of_columns(self, *columns):
            return listed.of_columns(*columns)

    one, other = (Descent(of, max_steps=40, **settings) for of in (listed, Plain()))
    for descent in (one, other):
        descent.advance_to(40)
    for name in ("params", "loss", "grad", "step_grad"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert list(one.outcomes) == list(other.outcomes)
