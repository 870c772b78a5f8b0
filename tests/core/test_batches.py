"""Mini-batches: which pairs a step sees, and that recordings, forks and repetitions agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdwidgets.core import (
    Descent,
    PolynomialRegression,
    hessian,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)
from gdwidgets.core.objectives.batches import MiniBatches

RATES = (0.1, 0.01)


@pytest.fixture
def regression():
    return PolynomialRegression(*training_pairs())


def test_an_epoch_deals_out_every_pair_once(regression):
    batches = MiniBatches(regression, 30)
    dealt = [batches.pairs(k) for k in range(batches.batches)]
    assert [len(pairs) for pairs in dealt] == [30, 30, 30, 10]
    assert sorted(torch.cat(dealt).tolist()) == list(range(100))
    assert not torch.equal(batches.pairs(0), batches.pairs(4))


def test_a_descent_follows_a_plain_loop_over_the_batches(regression):
    descent = Descent(MiniBatches(regression, 16, seed=3), initial_parameters(), 0.05, max_steps=40)
    descent.advance_to(40)
    batches = MiniBatches(regression, 16, seed=3)
    c = initial_parameters().requires_grad_()
    for k in range(40):
        np.testing.assert_allclose(descent.params[k, 0], c.detach(), rtol=1e-5)
        x, y = regression.x[batches.pairs(k)], regression.y[batches.pairs(k)]
        loss = (c[0] + c[1] * x + c[2] * x**2 - y).square().mean()
        loss.backward()
        np.testing.assert_allclose(descent.loss[k, 0], loss.detach(), rtol=1e-5)
        np.testing.assert_allclose(
            batches.manual_gradient(c.detach()[None], k)[0], c.grad, rtol=1e-4, atol=1e-6
        )
        with torch.no_grad():
            c -= 0.05 * c.grad
        c.grad = None


def test_recordings_forks_and_pieces_agree(regression):
    objective = MiniBatches(regression, 7)
    start = initial_parameters()
    whole = Descent(objective, start, RATES, max_steps=60)
    whole.advance_to(60)
    pieces = Descent(objective, start, RATES, max_steps=60)
    for k in (1, 2, 17, 60):
        pieces.advance_to(k)
    fork = whole.fork(23)
    fork.advance_to(60)
    np.testing.assert_array_equal(pieces.params, whole.params)
    np.testing.assert_array_equal(fork.params, whole.params)
    np.testing.assert_array_equal(fork.loss, whole.loss)


def test_a_batch_of_all_pairs_is_the_regression_s_own_loss(regression):
    params = torch.tensor([[1.0, -1.0, 0.5]])
    torch.testing.assert_close(MiniBatches(regression, 100)(params), regression(params))


def test_batches_leave_the_global_generator_alone(regression):
    before = torch.get_rng_state()
    Descent(MiniBatches(regression, 5), (0, 0, 0), 0.01, max_steps=50).advance_to(50)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [0, 101, 2.5, "10", None, True])
def test_a_size_that_does_not_fit_is_refused(regression, size):
    with pytest.raises(ValueError, match="batch_size must be"):
        MiniBatches(regression, size)


def test_curvature_is_that_of_all_samples_whichever_batch_is_present(regression):
    batches = MiniBatches(regression, 5)
    for k in (0, 1, 30):
        batches.begin_step(k)
        assert torch.equal(hessian(batches, (0, 0, 0)), hessian(regression, (0, 0, 0)))
        assert learning_rate_limit(batches, (1, 2, 3)) == learning_rate_limit(regression, (0, 0, 0))
