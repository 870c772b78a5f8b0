"""What the sentences of the situations promise, in plain torch loops at their settings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_loops import accumulation, himmelblau, regression, three_draws, training_pairs
from gdwidgets import (
    AccumulationComparer,
    AutogradExplorer,
    HimmelblauExplorer,
    LearningRateExplorer,
)


def path(function, start, rate, steps, *, momentum=0.0, nesterov=False):
    """Points (steps + 1, 2), losses and sizes of the gradients, by ``torch.optim.SGD``."""
    point = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([point], rate, momentum=momentum, nesterov=nesterov)
    points, losses, slopes = [], [], []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        loss = function(point[0], point[1])
        loss.backward()
        points.append(point.detach().numpy().copy())
        losses.append(loss.item())
        slopes.append(point.grad.norm().item())
        optimizer.step()
    return np.array(points), np.array(losses), np.array(slopes)


def valley(u, v):
    return (u**2 + 100 * v**2) / 2


def rastrigin(u, v):
    waves = torch.cos(2 * torch.pi * u) + torch.cos(2 * torch.pi * v)
    return 20 + u**2 + v**2 - 10 * waves


def fits(rates, steps, start=None):
    """Losses after each update for each rate, and the least-squares loss."""
    x, y = training_pairs()
    start = three_draws() if start is None else start
    losses = [np.array(regression(x, y, start, rate, steps + 1)[1]) for rate in rates]
    design = np.vander(x.double().numpy(), 3, increasing=True)
    least = np.linalg.lstsq(design, y.double().numpy(), rcond=None)[1][0] / len(x)
    return losses, least


def curvature():
    x, _ = training_pairs()
    design = np.vander(x.double().numpy(), 3, increasing=True)
    return np.linalg.eigvalsh(2 / len(x) * design.T @ design)


def surface_exercise(_):
    points, losses, slopes = path(himmelblau, (1.0, 1.0), 5e-4, 300)
    assert np.hypot(*(points[-1] - (3, 2))) < 0.01
    assert (np.diff(slopes[:16]) > 0).all()
    assert (np.diff(slopes[15:]) < 0).all()
    falls = -np.diff(losses)
    assert (falls > 0).all()
    assert (np.diff(falls[15:]) < 2e-5).all()  # float32 losses up to 100
    assert falls[20] > 1000 * falls[200]


def surface_hilltop(settings):
    start, rate, steps = settings["start"], settings["learning_rate"], settings["max_steps"]
    around = [(start[0] + du, start[1] + dv) for du in (-0.3, 0.3) for dv in (-0.3, 0.3)]
    ends = [path(himmelblau, point, rate, steps)[0][-1] for point in around]
    assert len({tuple(np.round(end).astype(int)) for end in ends}) >= 3
    assert path(himmelblau, start, rate, 0)[2][0] < 5


def surface_too_fast(settings):
    _, losses, _ = path(himmelblau, settings["start"], settings["learning_rate"], 300)
    assert min((np.diff(losses) > 0).sum(), (np.diff(losses) < 0).sum()) > 50
    _, losses, _ = path(himmelblau, settings["start"], 0.002, 300)
    assert (np.diff(losses) <= 0).all()


def surface_saddle(_):
    points, _, slopes = path(lambda u, v: u**2 - v**2, (3.0, 0.01), 0.01, 300)
    slowest = int(slopes.argmin())
    assert 20 < slowest < 280
    assert np.hypot(*points[slowest]) < 0.3
    assert (np.diff(slopes[slowest:]) > 0).all()


def surface_ravine(_):
    plain = path(valley, (-9.0, 2.0), 0.018, 300)[0]
    heavy = path(valley, (-9.0, 2.0), 0.018, 300, momentum=0.9)[0]
    assert (np.diff(abs(plain[:50, 1])) < 0).all()  # stable across
    assert abs(plain[60, 0]) > 9 / 3.1 > 100 * abs(plain[60, 1])  # slow along
    assert np.hypot(*heavy[-1]) < 0.01 * np.hypot(*plain[-1])


def surface_nesterov(_):
    for momentum in (0.0, 0.9):
        assert np.hypot(*path(valley, (-9.0, 2.0), 0.018, 300, momentum=momentum)[0][-1]) < 0.1
    assert not path(valley, (-9.0, 2.0), 0.018, 300, momentum=0.9, nesterov=True)[1][-1] < 1e6


def surface_trapped(_):
    points, losses, slopes = path(rastrigin, (1.4, 2.4), 5e-4, 300)
    assert losses[-1] > 1  # the lowest has 0
    assert slopes[-1] < 1e-3
    assert np.hypot(*(points[-1] - (1.4, 2.4))) < 0.71


def rates_exercise(_):
    (one, tenth, hundredth, thousandth), least = fits((1.0, 0.1, 0.01, 0.001), 2000)
    assert tenth[2000] < 1.0001 * least < hundredth[2000] < thousandth[2000]
    assert (np.diff(one[:20]) > 0).all()
    assert np.isfinite(one[:20]).all()
    assert not np.isfinite(one[20])


def rates_worked(settings):
    start = settings.get("init", three_draws())
    ((losses,), _) = fits((0.01,), 4000, start)
    for value in losses[[999, 1999, 2999, 3999]]:
        assert f"{value:.4f}" in settings["sentence"]


def rates_cliff(settings):
    losses, _ = fits(settings["learning_rates"], settings["max_steps"])
    assert f"{2 / curvature()[-1]:.4f}" in settings["sentence"]
    assert [(np.diff(lane[:200]) > 0).all() for lane in losses] == [True, True, False, False]
    assert [(np.diff(lane[:200]) < 0).all() for lane in losses] == [False, False, True, True]
    assert losses[0][20] > 10 * losses[1][20]


def rates_best(settings):
    low, _, high = curvature()
    best = 2 / (low + high)
    assert settings["learning_rates"][0] == pytest.approx(best, abs=5e-6)
    assert f"{best:.4f}" in settings["sentence"]
    assert f"{100 * (1 - best * high / 2):.1f} %" in settings["sentence"]
    losses, _ = fits(settings["learning_rates"], 1000)
    assert losses[0][20] > losses[1][20]
    assert losses[0][1000] == min(lane[1000] for lane in losses)


def rates_noise(settings):
    x, y = training_pairs()
    size, generator = settings["batch_size"], torch.Generator().manual_seed(5)
    powers = torch.stack([x**0, x, x**2])
    points = torch.tensor(three_draws()).repeat(2, 1)
    rates = torch.tensor(settings["learning_rates"])[:, None]
    above = []
    for _ in range(settings["max_steps"]):
        part = torch.randperm(len(x), generator=generator)[:size]
        error = points @ powers[:, part] - y[part]
        above.append((points @ powers - y).square().mean(1))
        points = points - rates * 2 / size * error @ powers[:, part].T
    above = torch.stack(above) - fits((0.1,), 1)[1]
    assert above[300, 0] < above[300, 1]
    assert above[2500:, 0].max() > 10 * above[2500:, 0].min() > 0


def rates_nesterov(settings):
    x, y = training_pairs()

    def descend(rate, **keywords):
        point = torch.tensor(three_draws(), requires_grad=True)
        optimizer = torch.optim.SGD([point], rate, **keywords)
        for _ in range(settings["max_steps"]):
            optimizer.zero_grad()
            loss = (point[0] + point[1] * x + point[2] * x**2 - y).square().mean()
            loss.backward()
            optimizer.step()
        return loss.item()

    high = curvature()[-1]
    assert f"{2 * 1.9 / (2.8 * high):.4f}" in settings["sentence"]
    assert f"{2 / high:.4f}" in settings["sentence"]
    assert not descend(0.15, momentum=0.9, nesterov=True) < 1e6
    assert descend(0.13, momentum=0.9, nesterov=True) < 2
    assert descend(0.15) < 0.1


def losses_of(settings, clear_every):
    rate, steps = settings.get("learning_rate", 0.1), settings.get("max_steps", 10)
    loop = accumulation(1.5, 2.5, (0.5, 0.5), rate, steps + 1, clear_every=clear_every)
    return np.array([loss for _, _, loss in loop[1]])


def clearing_exercise(settings):
    rows = accumulation(1.5, 2.5, (0.5, 0.5), 0.1, 10, clear_every=1)[0]
    sizes = [abs(float(row.split("|")[4])) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert losses_of(settings, None)[10] > 0.001 > losses_of(settings, 1)[10]


def clearing_reversed(settings):
    assert 2 / 6.5 < settings["learning_rate"] < 4 / 6.5
    left, right = losses_of(settings, None), losses_of(settings, 1)
    assert left.max() < 5
    assert (np.diff(np.sign(np.diff(left))) != 0).sum() > 5  # it oscillates
    assert (np.diff(right) > 0).all()


def clearing_both(settings):
    assert settings["learning_rate"] > 4 / 6.5
    assert min(losses_of(settings, None)[-1], losses_of(settings, 1)[-1]) > 1e3
    lower = {"learning_rate": 0.5, "max_steps": 20}
    assert losses_of(lower, None).max() < 20 < losses_of(lower, 1)[-1]
    lowest = {"learning_rate": 0.2, "max_steps": 20}
    assert max(losses_of(lowest, None).max(), losses_of(lowest, 1).max()) < 20


def clearing_third(settings):
    third = losses_of(settings, settings["clear_every"])[::3]
    assert (np.diff(third) > 0).all()
    assert losses_of(settings, None).max() < 2
    assert losses_of(settings, 1)[-1] < 1e-6


def clearing_parts(settings):
    x, y = (values[:8] for values in training_pairs())
    parts, whole = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    count = settings["micro_batches"]
    for px, py in zip(x.chunk(count), y.chunk(count), strict=True):
        ((parts[0] * px + parts[1] - py).square().sum() / 8).backward()
    (whole[0] * x + whole[1] - y).square().mean().backward()
    torch.testing.assert_close(parts.grad, whole.grad)


def leaf(*values):
    return torch.tensor(values if len(values) > 1 else values[0], requires_grad=True)


def graph_neuron(_):
    w, b = leaf(1.0, 1.0), leaf(1.0)
    ((torch.tensor([2.0, 3.0]) @ w + b - 3) ** 2).backward()
    assert (w.grad.tolist(), b.grad.item()) == ([12, 18], 6)


def graph_product(_):
    x = leaf(1.0, 2.0, 3.0)
    other = x.detach().clone().requires_grad_()
    torch.matmul(x, other).backward()
    assert x.grad.tolist() == other.grad.tolist() == x.tolist()


def graph_twice(_):
    x = leaf(2.0)
    square, sine = x**2, torch.sin(x)
    ways = [torch.autograd.grad(square * sine.detach(), x, retain_graph=True)[0]]
    ways += [torch.autograd.grad(square.detach() * sine, x, retain_graph=True)[0]]
    (square * sine).backward()
    assert x.grad.item() == pytest.approx(sum(ways).item())


def graph_sample(_):
    x, y = (values[0] for values in training_pairs())
    a, b, c = (leaf(value) for value in three_draws())
    error = a + b * x + c * x**2 - y
    error.square().backward()
    for coefficient, factor in zip((a, b, c), (1, x, x**2), strict=True):
        torch.testing.assert_close(coefficient.grad, (2 * error * factor).detach())


def graph_sigmoids(_):
    layers = [leaf(1.0)]
    for _ in range(10):
        layers.append(torch.sigmoid(layers[-1]))
    sizes = torch.stack(torch.autograd.grad(layers[-1], layers))
    assert (sizes[:-1] < sizes[1:] / 4).all()


def graph_exploding(_):
    w, layers = torch.tensor(1.5), [leaf(1.0)]
    for _ in range(10):
        layers.append(w * layers[-1])
    sizes = torch.stack(torch.autograd.grad(layers[-1], layers))
    torch.testing.assert_close(sizes[:-1], w * sizes[1:])


PROMISES = {
    HimmelblauExplorer: {
        "the exercise": surface_exercise,
        "hilltop": surface_hilltop,
        "too fast": surface_too_fast,
        "saddle": surface_saddle,
        "ravine": surface_ravine,
        "Nesterov": surface_nesterov,
        "trapped": surface_trapped,
    },
    LearningRateExplorer: {
        "exercise": rates_exercise,
        "by hand": rates_worked,
        "by autograd": rates_worked,
        "cliff": rates_cliff,
        "best rate": rates_best,
        "noise": rates_noise,
        "Nesterov": rates_nesterov,
    },
    AccumulationComparer: {
        "the exercise": clearing_exercise,
        "roles reversed": clearing_reversed,
        "both diverge": clearing_both,
        "every third": clearing_third,
        "micro-batches": clearing_parts,
    },
    AutogradExplorer: {
        "toy neuron": graph_neuron,
        "x · x": graph_product,
        "used twice": graph_twice,
        "regression sample": graph_sample,
        "10 sigmoids": graph_sigmoids,
        "exploding": graph_exploding,
    },
}


@pytest.mark.parametrize("explorer", PROMISES, ids=lambda explorer: explorer.__name__)
def test_every_situation_has_a_check(explorer):
    assert list(PROMISES[explorer]) == list(explorer.SITUATIONS)


@pytest.mark.parametrize(
    ("explorer", "name"),
    [(explorer, name) for explorer in PROMISES for name in PROMISES[explorer]],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_situation_s_sentence_is_true_of_its_run(explorer, name):
    PROMISES[explorer][name](explorer.SITUATIONS[name])
