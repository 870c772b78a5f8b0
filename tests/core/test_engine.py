"""The inner step: torch's engine entered directly does what its public function does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdwidgets.core import SURFACES, Descent, PolynomialRegression, Surface, training_pairs
from gdwidgets.core.descent import engine

CASES = {
    "one lane": {"start": (1.0, 1.0)},
    "lanes": {"start": [(1.0, 1.0), (-1.0, 1.0), (4.0, -3.0)]},
    "not cleared": {"start": (1.0, 1.0), "clear_every": None},
    "cleared now and then": {"start": [(1.0, 1.0), (0.0, 0.0)], "clear_every": (3, 1)},
}


def _records(objective, steps=60, **settings):
    descent = Descent(objective, learning_rate=5e-4, max_steps=steps, **settings)
    descent.advance_to(steps)
    return descent.params, descent.loss, descent.grad, descent.step_grad


def test_the_shortcut_is_taken_with_the_torch_that_is_tested():
    assert engine.shortcut_works()


@pytest.mark.parametrize("case", CASES)
def test_every_record_has_the_bits_that_the_public_function_gives(case, monkeypatch):
    direct = _records(SURFACES["himmelblau"], **CASES[case])
    monkeypatch.setattr(engine, "shortcut_works", lambda: False)
    public = _records(SURFACES["himmelblau"], **CASES[case])
    for ours, theirs in zip(direct, public, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("found", [None, object()], ids=["gone", "without its method"])
def test_a_torch_without_that_entrance_is_served_by_the_public_function(found, monkeypatch):
    expected = _records(PolynomialRegression(*training_pairs()), start=(0.0, 0.0, 0.0))
    monkeypatch.setattr(engine, "_ENGINE", found)
    engine.shortcut_works.cache_clear()
    try:
        assert not engine.shortcut_works()
        records = _records(PolynomialRegression(*training_pairs()), start=(0.0, 0.0, 0.0))
    finally:
        engine.shortcut_works.cache_clear()
    np.testing.assert_array_equal(records[0], expected[0])


def test_an_entrance_that_ignores_which_leaves_are_meant_is_not_used(monkeypatch):
    class Careless:
        def run_backward(self, losses, ones, *_, **__):
            torch.autograd.backward(losses, ones)

    monkeypatch.setattr(engine, "_ENGINE", Careless())
    engine.shortcut_works.cache_clear()
    try:
        assert not engine.shortcut_works()
    finally:
        engine.shortcut_works.cache_clear()


class Halved:
    """Plain descent at half the rate; says nothing of how it treats columns."""

    name = label = "halved"

    def init(self, params):
        assert params.ndim == 2
        return ()

    def update(self, params, grad, state, learning_rate, step):
        assert params.ndim == grad.ndim == learning_rate.ndim == 2
        return params - 0.5 * learning_rate * grad, state


@pytest.mark.parametrize("case", CASES)
def test_a_leaf_for_each_column_gives_the_bits_of_one_leaf_for_all(case):
    # A power of two as a factor rounds nothing, so the same updates come out of another path.
    whole = Descent(
        SURFACES["himmelblau"], learning_rate=1e-3, rule=Halved(), max_steps=60, **CASES[case]
    )
    whole.advance_to(60)
    columns = _records(SURFACES["himmelblau"], **CASES[case])
    for ours, theirs in zip(
        columns, (whole.params, whole.loss, whole.grad, whole.step_grad), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("clear_every", [1, None, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_column_that_the_function_does_not_look_at_has_gradient_zero(clear_every, weighted):
    weight = torch.ones((), requires_grad=weighted)
    surface = Surface(lambda u, v: weight * u**2, (-2, 2))
    descent = Descent(surface, [(1.0, 1.5), (0.5, -1.0)], 0.1, clear_every=clear_every, max_steps=9)
    descent.advance_to(9)
    np.testing.assert_array_equal(descent.grad[:, :, 1], 0)
    np.testing.assert_array_equal(descent.step_grad[:, :, 1], 0)
    np.testing.assert_array_equal(descent.params[:, :, 1], np.tile([1.5, -1.0], (10, 1)))
    np.testing.assert_array_equal(descent.step_grad[:, :, 0], 2 * descent.params[:, :, 0])
    assert weight.grad is None


def test_losses_that_change_their_shape_later_are_refused_with_the_step():
    class Fickle:
        parameter_names = ("a",)
        calls = 0

        def __call__(self, params):
            self.calls += 1
            losses = (params**2).sum(-1)
            return losses if self.calls < 6 else losses.sum()

    descent = Descent(Fickle(), [[1.0], [2.0]], 0.1, max_steps=50)
    with pytest.raises(ValueError, match=r"losses of shape \(2,\)") as caught:
        descent.advance_to(50)
    assert f"step {descent.recorded + 1}" in caught.value.__notes__[0]
    assert np.isfinite(descent.loss).all()
