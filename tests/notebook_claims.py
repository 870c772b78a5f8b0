"""What the notebooks state in numbers, computed anew with plain torch and numpy.

Each claim is a piece of a notebook's text, answers included, with ``#`` where a number stands, and
a function that computes these numbers with nothing of this package.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import torch

from course_loops import (
    accumulation,
    himmelblau,
    three_draws,
    training_pairs,
)

NUMBER = r"([-+−]?[\d,]*\.?\d+(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|e[-+]?\d+)?)"
BARE = re.compile(r"(?<![\w`-])-\d|\d[eE][-+]?\d")
"""A hyphen in the place of a minus, or a power of ten as Python prints it."""
CODE = re.compile(r"```.*?```|`[^`\n]+`|\$\$.+?\$\$|\$[^$\n]+\$", re.DOTALL)
"""Code and formulas in Markdown."""
MINIMA = np.array([(3, 2), (-2.80511809, 3.13131252), (-3.77931025, -3.28318599)])
MINIMA = np.vstack([MINIMA, (3.58442834, -1.84812653)])
X, Y = (values.double().numpy() for values in training_pairs())


def check(text: str, claim: str, expected: Iterable[float | tuple[float, float]]) -> None:
    """Assert that the text makes the claim, and that its numbers are right as they are rounded.

    Where rounding alone makes a number, it depends on the processor: then two bounds are given.
    """
    pieces = [r"\s+".join(map(re.escape, piece.split(" "))) for piece in claim.split("#")]
    found = re.search(NUMBER.join(pieces), text)
    assert found, f"not in the notebook: {claim}"
    for written, value in zip(found.groups(), expected, strict=True):
        digits = unicodedata.normalize("NFKC", written).replace("·10", "e")  # raised figures, too
        digits = digits.replace("−", "-").replace(",", "")
        if isinstance(value, tuple):
            assert value[0] <= float(digits) <= value[1], (claim, value)
            continue
        mantissa, _, power = digits.partition("e")
        unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
        assert abs(float(digits) - value) <= 0.52 * unit + 1e-4 * abs(value), (claim, value)


# -- regression ------------------------------------------------------------------------------------


def design(x=X, degree=2):
    return np.vander(x, degree + 1, increasing=True)


def curvatures(x=X, degree=2):
    return np.linalg.eigvalsh(2 / len(x) * design(x, degree).T @ design(x, degree))


def limit_and_condition(x=X, degree=2):
    values = curvatures(x, degree)
    return 2 / values[-1], values[-1] / values[0]


def least(x=X):
    return np.linalg.lstsq(design(x), Y, rcond=None)


BEST = least()[0]
FLOOR = least()[1][0] / 100


@cache
def runs(start, rates, steps, *, shifted=False):
    """Coefficients and losses of plain descents in float32, side by side; the unit's formula."""
    x, y = (values.numpy() for values in training_pairs())
    x = x - x.mean() if shifted else x
    powers, rate = np.stack([x**0, x, x**2]), np.array(rates, np.float32)[:, None]
    points, found = [np.tile(np.array(start, np.float32), (len(rates), 1))], []
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(steps + 1):
            error = points[-1] @ powers - y
            found.append((error**2).mean(1))
            points.append(points[-1] - rate * (np.float32(2 / len(x)) * (error @ powers.T)))
    return np.array(points), np.array(found)


RATES = (1.0, 0.5, 0.2005, 0.202, 0.19, 0.1, 0.05, 0.01, 0.001)
SHIFTED = (0.8, 0.3, 0.1)


def losses(rate):
    """Losses after 0, 1, … updates from the course's start."""
    return runs(tuple(three_draws()), RATES, 8000)[1][:, RATES.index(rate)]


def coefficients(rate, updates):
    return runs(tuple(three_draws()), RATES, 8000)[0][updates, RATES.index(rate)]


def away(rate, updates):
    return np.linalg.norm(coefficients(rate, updates) - BEST)


def first_rise(rate):
    found = losses(rate)
    # No difference: that of two infinities would be a warning.
    return int((found[1:] > found[:-1]).argmax())


def updates_needed():
    """Until a loss is within 0.1 % of the least: the best of the rates with x shifted; 0.19."""
    shifted = runs(tuple(three_draws()), SHIFTED, 400, shifted=True)[1] < 1.001 * FLOOR
    return shifted.any(1).argmax(), (losses(0.19) < 1.001 * FLOOR).argmax()


def last_finite():
    found = losses(1.0)
    last = int((~np.isfinite(found)).argmax()) - 1
    assert (np.diff(found[: last + 1]) > 0).all()
    return last, found[last]


def halving():
    factor = 1 - 2 * curvatures()[0] / curvatures()[-1]
    return limit_and_condition()[1], factor, math.log(0.5) / math.log(factor)


def with_optimizer(make):
    """c and the loss after 1,000 updates with one of torch's optimizers."""
    x, y = training_pairs()
    point = torch.tensor(three_draws(), requires_grad=True)
    optimizer, powers = make([point]), torch.stack([x**0, x, x**2])
    for _ in range(1000):
        optimizer.zero_grad()
        (point @ powers - y).square().mean().backward()
        optimizer.step()
    return point[2].item(), (point @ powers - y).square().mean().item()


def momentum_loss(rate):
    return with_optimizer(lambda p: SGD(p, rate, momentum=0.9))[1]


def hand_example():
    generator = torch.Generator().manual_seed(0)
    start = tuple(torch.randn(3, generator=generator).tolist())
    points, found = runs(start, (0.01,), 10_500)
    needed = int((found[:, 0] < 1.01 * FLOOR).argmax())
    return found[4000, 0], FLOOR, np.linalg.norm(points[4000, 0] - BEST), needed


@cache
def in_batches():
    """Of batches of ten from step 2,000 on: the a, the loss over all, the batch's loss.

    The rates are 0.1, 0.1 and from step 1,000 on 0.01, and 0.01; each epoch is a permutation by
    torch, seeded with its number. Arrays (steps, 3).
    """
    x, y = (values.numpy() for values in training_pairs())
    powers, point = np.stack([x**0, x, x**2]), np.tile(np.float32(three_draws()), (3, 1))
    rows = []
    for step in range(3001):
        if step % 10 == 0:
            generator = torch.Generator().manual_seed(step // 10)
            order = torch.randperm(100, generator=generator).numpy()
        part = order[step % 10 * 10 :][:10]
        error = point @ powers - y
        if step >= 2000:
            rows.append((point[:, 0], (error**2).mean(1), (error[:, part] ** 2).mean(1)))
        rate = np.float32([[0.1], [0.1 if step < 1000 else 0.01], [0.01]])
        point = point - rate * np.float32(0.2) * (error[:, part] @ powers[:, part].T)
    return np.array(rows).swapaxes(0, 1)


def scattered(lane):
    a, whole, batch = in_batches()[:, :, lane]
    return a.std(), whole.mean(), batch.std()


def rounding():
    """The largest gradient in float64, of three steps at γ = 0.21; a few roundings of it."""
    point, slopes = np.array(three_draws()), []
    for _ in range(3):
        slopes.append(2 / len(X) * (design() @ point - Y) @ design())
        point = point - 0.21 * slopes[-1]
    most = abs(np.array(slopes)).max()
    return (0, 8 * np.finfo(np.float32).eps * most), most


# -- the neuron ------------------------------------------------------------------------------------


def neuron(rate, steps, *, clear_every=None):
    """a, b and the loss before each update: (steps + 1, 3)."""
    return np.array(accumulation(1.5, 2.5, (0.5, 0.5), rate, steps + 1, clear_every=clear_every)[1])


def worst(rate, steps, *, clear_every=None):
    return neuron(rate, steps, clear_every=clear_every)[:, 2].max()


def amplitude(rate, steps):
    return math.sqrt(worst(rate, steps) / 1.5625)


def period(n):
    a, b = neuron(0.1, n, clear_every=n)[n, :2]
    return (a * 1.5 + b - 2.5) / -1.25


def widest(part):
    return math.sqrt(neuron(0.1, 300)[part, 2].max())


# -- Himmelblau ------------------------------------------------------------------------------------


@cache
def descend(start, rate, steps, *, loss_tol=None):
    """Points, losses and sizes of the gradients."""
    point = torch.tensor(start, requires_grad=True)
    points, found, slopes = [], [], []
    for _ in range(steps + 1):
        point.grad = None
        loss = himmelblau(point[0], point[1])
        loss.backward()
        points.append(point.detach().numpy().copy())
        found.append(loss.item())
        slopes.append(point.grad.norm().item())
        if loss_tol is not None and len(found) > 1 and abs(found[-1] - found[-2]) < loss_tol:
            break
        with torch.no_grad():
            point -= rate * point.grad
    return np.array(points), np.array(found), np.array(slopes)


def stops(tol):
    found = descend((-1.0, 1.0), 5e-4, 1000, loss_tol=tol)[1]
    return len(found), found[-1]


def limit_at(minimum):
    matrix = torch.autograd.functional.hessian(
        lambda p: himmelblau(p[0], p[1]), torch.tensor(MINIMA[minimum])
    )
    return 2 / torch.linalg.eigvalsh(matrix)[-1].item()


@cache
def ends(rate, steps, count):
    """Of a grid of starts: which minimum each reaches, −1 for none, and which is nearest."""
    side = torch.linspace(-6, 6, count)
    starts = torch.cartesian_prod(side, side)
    points = starts.clone().requires_grad_()
    for _ in range(steps):
        points.grad = None
        himmelblau(points[:, 0], points[:, 1]).sum().backward()
        with torch.no_grad():
            points -= rate * points.grad
    far = np.linalg.norm(points.detach().numpy()[:, None] - MINIMA, axis=2)
    far = np.nan_to_num(far, nan=np.inf)
    nearest = np.linalg.norm(starts.numpy()[:, None] - MINIMA, axis=2).argmin(1)
    return np.where(far.min(1) < 0.1, far.argmin(1), -1), nearest


def shares():
    reached, _ = ends(5e-3, 300, 120)
    return [100 * (reached == minimum).mean() for minimum in range(4)]


def nearest(rate):
    reached, near = ends(rate, 600, 60)
    return 100 * (reached == near).mean(), 100 * (reached < 0).mean()


def rises(rate):
    points, found, _ = descend((1.0, 1.0), rate, 300)
    return *points[-1], (np.diff(found) > 0).sum()


def leaves():
    points, found, _ = descend((1.0, 1.0), 4e-2, 300)
    return (abs(points) > 6).any(1).argmax(), (~np.isfinite(found)).argmax()


def race(function, slope, start, rate, own, *, never, lowest):
    """The updates after which each rule's loss is below 1, but for the one where it never is.

    The rules are written out, in float32, one a row: plain descent, momentum, Nesterov, RMSprop and
    Adam; the last two with a rate of their own, a hundredth of the map's width.
    """
    names = ["plain", "momentum", "Nesterov", "RMSprop", "Adam"]
    points, velocity, mean = np.tile(np.float32(start), (5, 1)), np.float32(0), np.float32(0)
    squares, losses = np.zeros((2, 2), np.float32), []
    kept = np.float32([[0.99], [0.999]])
    with np.errstate(all="ignore"):
        for update in range(1, 602):
            losses.append(function(*points.T))
            g = np.stack(slope(*points.T), 1)
            velocity, mean = 0.9 * velocity + g[1:3], 0.9 * mean + 0.1 * g[4]
            squares = kept * squares + (1 - kept) * g[3:] ** 2
            unbiased = mean / (1 - 0.9**update), np.sqrt(squares[1] / (1 - 0.999**update))
            moves = [rate * g[0], rate * velocity[0], rate * (g[2] + 0.9 * velocity[1])]
            moves += [own * g[3] / (np.sqrt(squares[0]) + 1e-8)]
            moves += [own * unbiased[0] / (unbiased[1] + 1e-8)]
            points = points - np.float32(moves)
    found = np.nan_to_num(np.array(losses), nan=np.inf)
    below = (found < 1).any(0)
    assert [name for name, once in zip(names, below, strict=True) if not once] == [never]
    assert names[found[-1].argmin()] == lowest
    return (found < 1).argmax(0)[below]


def dips():
    """Minima of the egg box on its map, by comparing neighbours on a fine grid."""
    side = np.arange(-640, 641) / 200
    u, v = np.meshgrid(side, side)
    value = np.sin(2 * u) * np.cos(3 * v) + 0.1 * (u**2 + v**2)
    inner = value[1:-1, 1:-1]
    shifted = [value[1 + i : 1280 + i, 1 + j : 1280 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
    lowest = sum(inner < other for other in shifted) == 8
    return (int((lowest & (abs(u) <= 3)[1:-1, 1:-1] & (abs(v) <= 3)[1:-1, 1:-1]).sum()),)


# -- graphs ----------------------------------------------------------------------------------------


@cache
def chain(activation, layers):
    x = torch.tensor(1.0, requires_grad=True)
    result = x
    for _ in range(layers):
        result = activation(result)
    result.backward()
    return x.grad.item()


def network_norms():
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    hidden = [torch.nn.Linear(8, 8) for _ in range(6)]
    first, last = torch.nn.Linear(1, 8), torch.nn.Linear(8, 1)
    torch.set_rng_state(generator_state)
    x, y = training_pairs()

    def gradients(activation):
        value = first(x[:, None])
        for layer in hidden:
            value = activation(layer(value))
        loss = torch.square(last(value)[:, 0] - y).mean()
        return [g.norm().item() for g in torch.autograd.grad(loss, [first.weight, last.weight])]

    return *gradients(torch.sigmoid), gradients(torch.relu)[0]


SGD, RMSPROP, ADAM = torch.optim.SGD, torch.optim.RMSprop, torch.optim.Adam

CLAIMS: dict[str, dict[str, Callable[[], Iterable[float]]]] = {
    "exercise_1_learning_rates": {
        "the losses are # for 0.1, # for 0.01 and # for 0.001": lambda: (
            losses(rate)[4000] for rate in (0.1, 0.01, 0.001)
        ),
        "after # updates it is #, and the next one overflows float32": last_finite,
        "is still # and # away from the closed form, and the losses, # and #,": lambda: (
            *(away(rate, 500) for rate in (0.01, 0.001)),
            *(losses(rate)[500] for rate in (0.01, 0.001)),
        ),
        "that of the closed form, #. That": lambda: (FLOOR,),
        "the loss after 2,000 iterations is #, that of the closed form #, and no": lambda: (
            losses(0.1)[2000],
            FLOOR,
        ),
        "no coefficient changes by more than # afterwards": lambda: (
            abs(coefficients(0.1, 2000) - coefficients(0.1, 8000)).max(),
        ),
        "8,000 iterations leave a larger loss, #.": lambda: (losses(0.01)[8000],),
        "The losses are # and #: almost the same": lambda: (
            losses(0.1)[100],
            losses(0.01)[1000],
        ),
        "2/λ<sub>max</sub> = #. Just": lambda: limit_and_condition()[:1],
        "the loss falls for # updates before it rises, and after 1,000 updates it is #;": lambda: (
            first_rise(0.2005),
            losses(0.2005)[1000],
        ),
        "with 0.# it rises from the first update on": lambda: (202 + first_rise(0.202),),
        "The loss curves about # times less": lambda: limit_and_condition()[1:],
        "κ = #, and the factor is 1 − 2/κ = #. The error halves in # updates": halving,
        "| 2 | x | # | # |": limit_and_condition,
        "| 2 | x/2 | # | # |": lambda: limit_and_condition(X / 2),
        "| 4 | x | # | # |": lambda: limit_and_condition(X, 4),
        "| 4 | x/2 | # | # |": lambda: limit_and_condition(X / 2, 4),
        "the powers of x reach #, so": lambda: (X.max() ** 4,),
        "The limit is # and the condition number #, so": lambda: limit_and_condition(X - X.mean()),
        "It needs # updates; without the shift, 0.19 needs #.": updates_needed,
        "| 0.1 throughout | # | # | # |": lambda: scattered(0),
        "| 0.1, then 0.01 | # | # | # |": lambda: scattered(1),
        "| 0.01 throughout | – (not converged) | # | # |": lambda: scattered(2)[1:],
        "still scatter, # % as much": lambda: (100 * scattered(1)[2] / scattered(0)[2],),
        "The largest difference is #, for gradients of up to #.": rounding,
        "| gradient descent | # | # | # |": lambda: (losses(r)[1000] for r in (0.1, 0.01, 0.001)),
        "| momentum | # | # | # |": lambda: map(momentum_loss, (0.1, 0.01, 0.001)),
        "c has to go from # to #; RMSprop brings it to #, Adam to #.": lambda: (
            three_draws()[2],
            BEST[2],
            with_optimizer(lambda p: RMSPROP(p, 0.001))[0],
            with_optimizer(lambda p: ADAM(p, 0.001))[0],
        ),
    },
    "exercise_2_the_line_that_clears_the_gradients": {
        "without it, # is still there": lambda: (-3.75,),
        "the same step gradient on both sides, #, and adds it: without clearing `a.grad` is then "
        "#, with clearing #.": lambda: (-1.3125, -5.0625, -1.3125),
        "`.grad` held #, accumulated": lambda: (-3.0844,),
        "The step gradient # has the opposite sign, and their sum is #.": lambda: (
            2 * 1.5 * (neuron(0.1, 3)[3, :2] @ (1.5, 1) - 2.5),
            0.8986,
        ),
        "from step # to step #, made with `a.grad` = #, crosses": lambda: (
            *np.flatnonzero(np.diff(np.sign(neuron(0.1, 10)[:, :2] @ (1.5, 1) - 2.5)))[:1],
            2,
            -5.0625,
        ),
        "is # in the first hundred steps and # in the last hundred": lambda: (
            widest(slice(0, 100)),
            widest(slice(201, 301)),
        ),
        **{f"| {n} | # |": (lambda n=n: (period(n),)) for n in (1, 2, 3, 5, 7, 20)},
        "γ = 0.4: without clearing #, with clearing #": lambda: (
            worst(0.4, 30),
            worst(0.4, 30, clear_every=1),
        ),
        "γ = 0.7: without clearing #, with clearing #": lambda: (
            worst(0.7, 20),
            worst(0.7, 20, clear_every=1),
        ),
        "| 0.1 | # |": lambda: (amplitude(0.1, 300),),
        "| 0.6 | # |": lambda: (amplitude(0.6, 300),),
        "| 0.615 | # |": lambda: (amplitude(0.615, 2000),),
        "the two ways differ by # at most": lambda: ((0, 8 * np.finfo(np.float32).eps),),
        r"\lambda = 2(x^2 + 1) = #$": lambda: (2 * (1.5**2 + 1),),
        r"\gamma > 2/\lambda = #$": lambda: (2 / 6.5,),
        r"\gamma = 4/\lambda = #$": lambda: (4 / 6.5,),
        "λ = #, and the limits are 2/λ = # and 4/λ = #": lambda: (20, 0.1, 0.2),
    },
    "exercise_3_descent_in_two_dimensions": {
        "At step 0 the gradient is # long, so the update is # long; at step 299 it is #": lambda: (
            *(math.hypot(46, 38) * factor for factor in (1, 5e-4)),
            descend((1.0, 1.0), 5e-4, 300)[2][299],
        ),
        "the gradient is longest at step #, with #.": lambda: (
            descend((1.0, 1.0), 5e-4, 300)[2].argmax(),
            descend((1.0, 1.0), 5e-4, 300)[2].max(),
        ),
        **{
            f"| {name} | # | # |": (lambda tol=tol: stops(tol))
            for name, tol in {"0.0001": 1e-4, "10⁻⁶": 1e-6, "10⁻⁷": 1e-7, "10⁻⁸": 1e-8}.items()
        },
        "① # %; ② # %; ③ # %; ④ # %": shares,
        "after 600 updates it has reached (#, #)": lambda: descend((-0.27, -0.922), 5e-4, 600)[0][
            -1
        ],
        "10⁻⁶: after 300 updates at (#, #); the loss rose in # of them": lambda: rises(1e-6),
        "0.005: after 300 updates at (#, #); the loss rose in # of them": lambda: rises(5e-3),
        "0.025: after 300 updates at (#, #); the loss rose in # of them": lambda: rises(2.5e-2),
        "leaves the map at step # and diverges; inf or NaN at step #": leaves,
        "at minimum ① gives 2/λ<sub>max</sub> = #.": lambda: (limit_at(0),),
        **{
            f"| {rate:g} | # % | # % |": (lambda rate=rate: nearest(rate))
            for rate in (1e-3, 1e-2, 2e-2)
        },
        "ends there: # at ③, # at ④.": lambda: (limit_at(2), limit_at(3)),
        "**rosenbrock**: first loss below 1 at step: plain never, momentum #, Nesterov #, "
        "RMSprop #, Adam #. Smallest last loss: momentum.": lambda: race(
            lambda u, v: (1 - u) ** 2 + 100 * (v - u**2) ** 2,
            lambda u, v: (2 * (u - 1) - 400 * u * (v - u**2), 200 * (v - u**2)),
            (-1.2, 1.0),
            1e-3,
            0.04,
            never="plain",
            lowest="momentum",
        ),
        "**narrow valley**: first loss below 1 at step: plain #, momentum #, Nesterov never, "
        "RMSprop #, Adam #. Smallest last loss: RMSprop.": lambda: race(
            lambda u, v: (u**2 + 100 * v**2) / 2,
            lambda u, v: (u, 100 * v),
            (-9.0, 2.0),
            0.018,
            0.2,
            never="Nesterov",
            lowest="RMSprop",
        ),
        "descent reaches # different minima on the map": dips,
    },
    "lecture": {
        "At (1, 1) the gradient is (#, #), so the contour line has the direction (#, #)": lambda: (
            -46,
            -38,
            38,
            -46,
        ),
        "so the update is −0.005 times that, (#, #), and leads to (#, #)": lambda: (
            0.23,
            0.19,
            1.23,
            1.19,
        ),
        "z = # and the loss is #.": lambda: (6, 9),
        "w.grad = (#, #), and times 1 it gives b.grad = #.": lambda: (12, 18, 6),
        "w.grad = (#, #) and b.grad = #. Moving": lambda: (-4, -6, -2),
        "the loss is # and the smallest possible #, but the coefficients are still # away from the "
        "best ones. The loss comes within 1 % of the smallest after # updates": hand_example,
        "far beyond the limit of stability, #,": lambda: limit_and_condition()[:1],
        "The coefficients are (#, #, #), those of the closed form (#, #, #), and the losses # and "
        "#.": lambda: (
            *coefficients(0.01, 8000),
            *BEST,
            losses(0.01)[8000],
            FLOOR,
        ),
        "its curvature is #, against # along": lambda: curvatures()[[0, 2]],
        "so the ratio is 1 : # : #.": lambda: (X[0], X[0] ** 2),
        "multiplied by # in the second update and by # in the twentieth": lambda: (
            losses(0.5)[2] / losses(0.5)[1],
            losses(0.5)[20] / losses(0.5)[19],
        ),
        "at 0.2005 the loss falls for # updates": lambda: (first_rise(0.2005),),
        "γ = 0.1 has the loss # after 500 updates, γ = 0.05 has # after 1,000": lambda: (
            losses(0.1)[500],
            losses(0.05)[1000],
        ),
        "for a, (#) + (#) + (#) = #.": lambda: (-3.75, -1.3125, 1.9781, -3.0844),
        "The largest loss is # in the first hundred steps and # in the last hundred": lambda: (
            neuron(0.1, 300)[:100, 2].max(),
            neuron(0.1, 300)[201:, 2].max(),
        ),
        "# % of 60 × 60 starts on the map end at the nearest": lambda: nearest(1e-3)[:1],
        "At ③ it is #, and 0.02 is larger": lambda: (limit_at(2),),
        "a factor of at least 4³⁰ ≈ #. Starting at x = 1, what arrives is #.": lambda: (
            4.0**30,
            chain(torch.sigmoid, 30),
        ),
    },
    "autograd_the_graph_behind_gradients": {
        "2 · # = #. An addition passes the gradient on unchanged: b.grad = #.": lambda: (3, 6, 6),
        "(6 · 2, 6 · 3) = (#, #)": lambda: (12, 18),
        "b.grad is # as before": lambda: (6,),
        "x.grad = (#, #): how": lambda: (6, 6),
        "(sin x) · 2x = #, and one along sin x, x² · cos x = #.": lambda: (
            4 * math.sin(2),
            4 * math.cos(2),
        ),
        "together they are x.grad = #.": lambda: (4 * math.sin(2) + 4 * math.cos(2),),
        "4³⁰ ≈ #. Here the factor per layer approaches #, and # is left": lambda: (
            4.0**30,
            chain(torch.sigmoid, 30) / chain(torch.sigmoid, 29),
            chain(torch.sigmoid, 30),
        ),
        "and is v = #; the other comes from the addition, and is #. Together they are #.": lambda: (
            2,
            1,
            3,
        ),
        "layers: 30 sigmoid: # tanh: # relu: #": lambda: (
            chain(activation, 30) for activation in (torch.sigmoid, torch.tanh, torch.relu)
        ),
    },
    "your_own_loop": {
        "begins with (#, #) in it": lambda: (-3.75, -2.5),
        "Your loss is # × the reference's": lambda: (len(X),),
        "The gradient is # at step 1": lambda: (-38,),
        "the first weights has the norm #, that of the last weights #.": lambda: network_norms()[
            :2
        ],
        "with ReLU and the same weights the first norm is #.": lambda: network_norms()[2:],
    },
}
