"""The inner step: torch's engine entered directly does what its public function does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_the_direct_entrance_is_taken_with_the_torch_that_is_tested():
    assert engine.direct_entrance_works()


@pytest.mark.parametrize("case", CASES)
def test_every_record_has_the_bits_that_the_public_function_gives(case, monkeypatch):
    direct = _records(SURFACES["himmelblau"], **CASES[case])
    monkeypatch.setattr(engine, "direct_entrance_works", lambda: False)
    public = _records(SURFACES["himmelblau"], **CASES[case])
    for one, other in zip(direct, public, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("found", [None, object()], ids=["gone", "without its method"])
def test_a_torch_without_that_entrance_is_served_by_the_public_function(found, monkeypatch):
    expected = _records(PolynomialRegression(*training_pairs()), start=(0.0, 0.0, 0.0))
    monkeypatch.setattr(engine, "_ENGINE", found)
    engine.direct_entrance_works.cache_clear()
    try:
        assert not engine.direct_entrance_works()
        records = _records(PolynomialRegression(*training_pairs()), start=(0.0, 0.0, 0.0))
    finally:
        engine.direct_entrance_works.cache_clear()
    np.testing.assert_array_equal(records[0], expected[0])


def test_an_entrance_that_ignores_which_leaves_are_meant_is_not_used(monkeypatch):
    class Careless:
        def run_backward(self, losses, ones, *_, **__):
            torch.autograd.backward(losses, ones)

    monkeypatch.setattr(engine, "_ENGINE", Careless())
    engine.direct_entrance_works.cache_clear()
    try:
        assert not engine.direct_entrance_works()
    finally:
        engine.direct_entrance_works.cache_clear()


def plain_records(function, start, steps, periods, rate=5e-4):
    """A loop of plain torch for each lane, with a leaf for each number as the course writes it."""
    lanes = []
    for point, period in zip(start, periods, strict=True):
        leaves = [torch.tensor(float(x), requires_grad=True) for x in point]
        records = []
        for step in range(1, steps + 2):
            loss = function(*leaves)
            own = torch.autograd.grad(loss, leaves, retain_graph=True)
            loss.backward()
            grads = [leaf.grad for leaf in leaves]
            record = [[number.item() for number in part] for part in (leaves, grads, own)]
            records.append([*record, loss.item()])
            with torch.no_grad():
                for leaf in leaves:
                    leaf.sub_(rate * leaf.grad)
                    if period is not None and step % period == 0:
                        leaf.grad = None
        lanes.append(records)
    columns = [
        np.array([[record[i] for record in lane] for lane in lanes], np.float32) for i in range(4)
    ]
    params, grad, step_grad, loss = [column.swapaxes(0, 1) for column in columns]
    return params, loss, grad, step_grad


@settings(max_examples=25)
@given(
    st.lists(st.tuples(*[st.floats(-4, 4, width=32)] * 2), min_size=1, max_size=9),
    st.sampled_from(["himmelblau", "rosenbrock", "beale", "booth"]),
    st.data(),
)
def test_every_record_of_every_lane_has_the_bits_of_a_plain_loop(start, name, data):
    periods = [data.draw(st.sampled_from([None, 1, 2, 5])) for _ in start]
    surface = SURFACES[name]
    descent = Descent(surface, start, 5e-4, clear_every=periods, max_steps=12)
    descent.advance_to(12)
    expected = plain_records(surface.function, start, 12, periods)
    for field, plain in zip(("params", "loss", "grad", "step_grad"), expected, strict=True):
        for lane, last in enumerate(descent.last_step):
            rows = slice(last + 1)
            np.testing.assert_array_equal(getattr(descent, field)[rows, lane], plain[rows, lane])


@settings(max_examples=15)
@given(st.lists(st.tuples(*[st.floats(-4, 4, width=32)] * 2), min_size=1, max_size=9))
def test_an_objective_of_columns_has_the_bits_of_the_same_objective_of_rows(start):
    class Rows:
        parameter_names = ("u", "v")

        def __call__(self, params):
            assert params.is_contiguous()
            return SURFACES["himmelblau"].function(*params.t().contiguous())

    periods = [(None, 1, 3)[i % 3] for i in range(len(start))]
    by_columns = _records(SURFACES["himmelblau"], start=start, clear_every=periods)
    by_rows = _records(Rows(), start=start, clear_every=periods)
    for one, other in zip(by_columns, by_rows, strict=True):
        np.testing.assert_array_equal(one, other)


class Halved:
    """A user's rule that inherits nothing: plain descent at half the rate."""

    name = label = "halved"

    def init(self, params):
        return ()

    def update(self, params, grad, state, learning_rate, step):
        assert params.shape == grad.shape
        assert learning_rate.shape == (len(params), 1)
        return params - 0.5 * learning_rate * grad, state


@pytest.mark.parametrize("case", CASES)
def test_a_user_s_rule_sees_lanes_in_rows(case):
    # A power of two as a factor rounds nothing, so the bits are those of the full rate's.
    halved = Descent(
        SURFACES["himmelblau"], learning_rate=1e-3, rule=Halved(), max_steps=60, **CASES[case]
    )
    halved.advance_to(60)
    for one, name in zip(
        _records(SURFACES["himmelblau"], **CASES[case]),
        ("params", "loss", "grad", "step_grad"),
        strict=True,
    ):
        np.testing.assert_array_equal(one, getattr(halved, name))


def test_the_buffer_is_pytorch_s_own_accumulation(monkeypatch):
    accumulated = []

    class Watched:
        parameter_names = ("a",)

        def __call__(self, params):
            params.register_hook(lambda grad: None)
            accumulated.append(None if params.grad is None else params.grad.item())
            return params.square().sum(-1)

    descent = Descent(Watched(), [1.0], 0.25, clear_every=None, max_steps=3)
    descent.advance_to(3)
    # In the buffer before backward(): nothing, then what the record before holds.
    assert accumulated[1:] == [None, *descent.grad[:3, 0, 0].tolist()]


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
