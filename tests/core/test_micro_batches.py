"""A batch in parts gives the update of the whole batch; never clearing is momentum with β = 1."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.core import Descent, LinearNeuron, training_pairs
from gdwidgets.core.analysis.accumulation import largest_difference, micro_batch_descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.momentum import UndampedMomentum
from gdwidgets.core.rules.wrappers import EveryNth


def plain_loop(pairs, parts, start, rate, updates):
    """The accumulation loop as it is written in training scripts."""
    x, y = pairs
    a, b = (torch.tensor(value, requires_grad=True) for value in start)
    points = [start]
    cuts = [len(x) * i // parts for i in range(parts + 1)]
    for _ in range(updates):
        for first, last in pairwise(cuts):
            loss = (a * x[first:last] + b - y[first:last]).square().sum() / len(x)
            loss.backward()
        with torch.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
        a.grad = b.grad = None
        points.append((a.item(), b.item()))
    return np.array(points)


@given(
    parts=st.integers(1, 8),
    rate=st.floats(1e-3, 0.2),
    start=st.tuples(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32)),
)
def test_parts_together_make_the_update_of_the_whole_batch(parts, rate, start):
    x, y = training_pairs(8)
    descent = micro_batch_descent(MicroBatches(x, y, parts), start, rate, 5 * parts)
    descent.advance_to(5 * parts)
    assert largest_difference(descent, 5 * parts) < 1e-5
    for lane, n in ((0, parts), (1, 1)):
        expected = plain_loop((x, y), n, start, rate, 5)
        np.testing.assert_allclose(descent.params[::parts, lane], expected, rtol=1e-5, atol=1e-6)


def test_the_buffer_fills_part_by_part_up_to_the_whole_gradient():
    x, y = training_pairs(8)
    descent = micro_batch_descent(MicroBatches(x, y, 4), (0.5, 0.5), 0.1, 8)
    descent.advance_to(8)
    np.testing.assert_allclose(descent.grad[:4, 0], descent.step_grad[:4, 0].cumsum(0), rtol=1e-6)
    np.testing.assert_allclose(descent.grad[3, 0], descent.grad[3, 1], rtol=1e-6)
    assert (descent.grad[:3, 1] == 0).all()
    assert (descent.params[:4] == descent.params[0]).all()
    assert (descent.params[4] != descent.params[0]).all()
    np.testing.assert_allclose(descent.loss[:4, 0].sum(), descent.loss[3, 1], rtol=1e-6)


def test_the_batch_loss_is_the_mean_squared_error():
    x, y = training_pairs(8)
    batch = MicroBatches(x, y, 4)
    points = np.array([[[0.5, 0.5], [1.0, -1.0]]], np.float32)
    expected = [[float((a * x + b - y).square().mean()) for a, b in points[0]]]
    np.testing.assert_allclose(batch.batch_loss(points), expected, rtol=1e-6)
    nearby = batch.batch_loss(np.add(batch.minimum, [[0, 0], [0.01, 0], [0, -0.01]]))
    assert nearby.argmin() == 0


@given(x=st.floats(-4, 4), share=st.floats(0.01, 0.99))
def test_never_clearing_is_undamped_momentum_bit_for_bit(x, share):
    neuron = LinearNeuron(x, 2.5)
    rate = share * 4 / (2 * (x**2 + 1))
    kept = Descent(neuron, (0.5, 0.5), rate, clear_every=None, max_steps=60)
    moved = Descent(neuron, (0.5, 0.5), rate, rule=UndampedMomentum(), max_steps=60)
    kept.advance_to(60)
    moved.advance_to(60)
    np.testing.assert_array_equal(kept.params, moved.params)


def test_undamped_momentum_is_torch_s_own():
    point = torch.tensor([0.5, 0.5], requires_grad=True)
    optimizer = torch.optim.SGD([point], lr=0.1, momentum=1.0)
    points = []
    for _ in range(11):
        points.append(point.detach().numpy().copy())
        optimizer.zero_grad()
        ((point[0] * 1.5 + point[1] - 2.5) ** 2).backward()
        optimizer.step()
    descent = Descent(LinearNeuron(), (0.5, 0.5), 0.1, rule=UndampedMomentum(), max_steps=10)
    descent.advance_to(10)
    np.testing.assert_allclose(descent.params[:, 0], points, rtol=1e-5)


@pytest.mark.parametrize("x", [0.3, 1.5, -4.0])
@pytest.mark.parametrize("share", [0.5, 0.98, 0.9999])
def test_below_four_over_lambda_it_swings_for_ever_within_a_sharp_bound(x, share):
    # r oscillates as cos(k θ + θ/2) with sin²(θ/2) = γ λ / 4, so |r| ≤ |r₀| / cos(θ/2).
    rate = share * 4 / (2 * (x**2 + 1))
    descent = Descent(LinearNeuron(x, 2.5), (0.5, 0.5), rate, clear_every=None, max_steps=5000)
    descent.advance_to(5000)
    residual = np.abs(descent.params[:, 0] @ np.array([x, 1]) - 2.5)
    bound = residual[0] / np.sqrt(1 - share)
    assert descent.outcomes[0] == "max_steps"
    assert residual.max() <= 1.001 * bound
    assert residual[-300:].max() >= 0.7 * bound


@pytest.mark.parametrize("x", [0.3, 1.5, -4.0])
def test_above_four_over_lambda_it_diverges(x):
    rate = 1.02 * 4 / (2 * (x**2 + 1))
    descent = Descent(LinearNeuron(x, 2.5), (0.5, 0.5), rate, clear_every=None, max_steps=500)
    descent.advance_to(500)
    assert descent.outcomes[0] == "diverged"


@pytest.mark.parametrize(
    ("x", "y", "parts"), [([1, 2], [1, 2], 3), ([1, 2], [1], 1), ([1, 2], [1, 2], 0)]
)
def test_what_is_no_batch_is_refused(x, y, parts):
    with pytest.raises(ValueError, match="must"):
        MicroBatches(x, y, parts)
    with pytest.raises(ValueError, match="two lanes"):
        Descent(MicroBatches([1, 2], [1, 2], 2), (0.0, 0.0), 0.1, max_steps=2)
    with pytest.raises(ValueError, match="n must be"):
        EveryNth(0)
