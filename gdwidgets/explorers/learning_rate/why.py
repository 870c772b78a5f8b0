"""Why the lanes do what they do: theory worked out for the present settings.

Everything here is said of the quadratic that the loss of a regression is; formulas and sources
stand with `gdwidgets.core.analysis`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.core import Adam, GradientDescent, Momentum, Nesterov, RMSprop, Rule
from gdwidgets.core.analysis.adaptive import reach
from gdwidgets.core.analysis.momentum import (
    best_momentum,
    momentum_limit,
    momentum_updates_to,
    spectral_radius,
)
from gdwidgets.core.analysis.quadratic import Quadratic
from gdwidgets.core.objectives.least_squares import ClosedForm
from gdwidgets.explorers.learning_rate.text import Speeds, rate
from gdwidgets.explorers.learning_rate.track import Mark
from gdwidgets.ui import text

NEAR = 0.001
"""The distance from the closed form to which updates are predicted."""


@dataclass(frozen=True)
class Facts:
    """What the theory is worked out from."""

    quadratic: Quadratic
    closed: ClosedForm
    rule: Rule
    rates: tuple[float, ...]
    start: NDArray[np.float64]
    max_steps: int
    batch_size: int | None
    samples: int
    changing: bool = False
    """Whether the learning rates change on the way."""
    noise: tuple[float, ...] = ()
    """Predicted excess of the loss that mini-batches leave, (L,); empty without them."""


def rule_limit(rule: Rule, curvature: float) -> tuple[float | None, str]:
    """The largest stable learning rate of a rule at a curvature λ, and its formula.

    Weight decay adds to the curvature. ``None`` for rules that have no such limit.
    """
    steep = curvature + decay_of(rule)
    if isinstance(rule, GradientDescent):
        formula = "2/(λ + weight decay)" if decay_of(rule) else "2/λ"
        return (2 / steep if steep > 0 else math.inf), formula
    if isinstance(rule, Momentum):
        return momentum_limit(steep, rule.beta), "2(1 + β)/λ"
    if isinstance(rule, Nesterov):
        return momentum_limit(steep, rule.beta, nesterov=True), "2(1 + β)/((1 + 2β)λ)"
    return None, ""


def whose_limit(rule: Rule) -> str:
    """Whose limit `rule_limit` gives; empty for plain gradient descent's."""
    if isinstance(rule, Momentum):
        return "momentum's"
    if isinstance(rule, Nesterov):
        return "Nesterov's"
    return "weight decay's" if decay_of(rule) else ""


def marks(quadratic: Quadratic, rule: Rule, *, best: bool) -> tuple[list[Mark], str]:
    """What is written on the track: the rule's limit, plain descent's, the best rate; or a note."""
    plain = quadratic.limit
    limit, _ = rule_limit(rule, float(quadratic.curvatures[-1]))
    if limit is None:
        return [], f"no limit of this kind for {rule.label}"
    found = [Mark(limit, "limit", whose=whose_limit(rule))]
    if limit != plain:
        found.append(Mark(plain, "plain descent's", limit=False))
    elif best:
        found.append(Mark(quadratic.best_rate, "best", limit=False))
    return found, ""


def decay_of(rule: Rule) -> float:
    """The weight decay of a rule, which adds to every curvature; 0 where it has none."""
    return float(getattr(rule, "weight_decay", 0.0))


def speeds(quadratic: Quadratic, rule: Rule, rates: Sequence[float]) -> Speeds:
    """What theory says of learning rates (L,) under a rule."""
    limit, formula = rule_limit(rule, float(quadratic.curvatures[-1]))
    whose = whose_limit(rule)
    if decay_of(rule):
        return Speeds(limit, formula, (), (), whose)
    if isinstance(rule, GradientDescent):
        return Speeds(
            limit,
            formula,
            tuple(abs(float(quadratic.factors(given)[-1])) for given in rates),
            tuple(quadratic.halving(given).slowest for given in rates),
            whose,
        )
    if isinstance(rule, (Momentum, Nesterov)):
        curved = quadratic.curvatures[quadratic.curvatures > 0]
        halving = []
        for given in rates:
            nesterov = isinstance(rule, Nesterov)
            radius = spectral_radius(curved, given, rule.beta, nesterov=nesterov)
            halving.append(_halves(float(radius.max(initial=0.0))))
        return Speeds(limit, formula, (), tuple(halving), whose)
    return Speeds(limit, formula, (), (), whose)


def _halves(factor: float) -> float:
    if factor >= 1:
        return math.inf
    return math.log(0.5) / math.log(factor) if factor > 0 else 0.0


def paragraphs(facts: Facts) -> list[str]:
    """The theory of the present settings, a paragraph for each thought."""
    rule = facts.rule
    said = [_the_fit(facts), _limits(facts)]
    if decay_of(rule):
        said += [_decay(rule)]
    elif isinstance(rule, GradientDescent):
        if facts.batch_size is None and not facts.changing:
            said += [_halving(facts), _predicted(facts)]
        said += [_best(facts)]
    elif isinstance(rule, (Momentum, Nesterov)):
        said += [_momentum(facts)]
    elif isinstance(rule, (Adam, RMSprop)):
        said += [_adaptive(facts, rule)]
    if facts.batch_size is not None:
        said += [_noise(facts)]
    return [one for one in said if one]


def _the_fit(facts: Facts) -> str:
    closed = facts.closed
    if not closed.unique:
        free = len(closed.coefficients) - closed.rank
        return (
            "**Not unique.** The inputs have fewer different values than the polynomial has "
            f"coefficients: {text.counted(free, 'direction')} of the coefficients "
            f"{'leaves' if free == 1 else 'leave'} the loss as it is. The closed form is the best "
            "fit with the smallest coefficients; descent ends at another one, which depends on its "
            "start."
        )
    if not closed.representable:
        return (
            "**Float32 is too coarse here.** The smallest loss is "
            f"{text.number(closed.loss)}, but coefficients rounded to float32, such as a lane "
            f"holds, have {text.number(closed.loss_in_float32)} at best. Shift and scale x: the "
            "same curve then has coefficients of ordinary size."
        )
    return ""


def _limits(facts: Facts) -> str:
    steep = float(facts.quadratic.curvatures[-1]) + decay_of(facts.rule)
    plain = 2 / steep if steep > 0 else math.inf
    limit, formula = rule_limit(facts.rule, float(facts.quadratic.curvatures[-1]))
    if limit is None:
        return (
            f"**No such limit.** 2/λ = {text.number(facts.quadratic.limit)} is the limit of plain "
            f"gradient descent. It does not apply to {facts.rule.label}, whose updates are not the "
            "learning rate times the gradient alone."
        )
    said = (
        f"**The limit.** Along the steepest direction, with curvature λ = {text.number(steep)}, an "
    )
    if isinstance(facts.rule, GradientDescent):
        said += (
            "update multiplies the error by 1 − γλ. It shrinks while γ < 2/λ = "
            f"**{text.number(plain)}**; above, it changes sides and grows."
        )
        if facts.batch_size is not None:
            said += " That is the limit over all samples; a mini-batch has curvatures of its own."
    else:
        said += f"error shrinks in the long run while γ < {formula} = **{text.number(limit)}**."
        if limit < plain * (1 - 1e-6):
            said += (
                f" That is lower than plain gradient descent's 2/λ = {text.number(plain)}: between "
                f"the two, plain descent converges and {facts.rule.label} diverges."
            )
        elif limit > plain * (1 + 1e-6):
            said += f" Plain gradient descent's limit is 2/λ = {text.number(plain)}."
    return said


def _decay(rule: Rule) -> str:
    return (
        f"**Weight decay** adds {text.number(decay_of(rule))} to every curvature and draws the "
        "coefficients towards 0: descent ends beside the closed form, at a larger loss."
    )


def _halving(facts: Facts) -> str:
    quadratic = facts.quadratic
    stable = [given for given in sorted(set(facts.rates)) if given < quadratic.limit][::-1]
    curved = quadratic.curvatures[quadratic.curvatures > 0]
    if not stable or not math.isfinite(quadratic.condition) or len(curved) < 2:
        return ""
    kappa = _rounded(quadratic.condition)
    parts = []
    for given in stable[:4]:
        half = quadratic.halving(given)
        parts.append(
            f"at γ = {rate(given)} in {_updates(half.steepest)} along the steepest and "
            f"{_updates(half.flattest)} along the flattest"
        )
    return (
        f"**Why small rates are slow.** The flattest direction curves {kappa} times less than the "
        f"steepest (condition number κ). The error halves {'; '.join(parts)} direction."
    )


def _predicted(facts: Facts) -> str:
    parts = []
    for given in sorted(set(facts.rates), reverse=True):
        updates = facts.quadratic.updates_to(facts.start, given, NEAR)
        if updates is not None:
            parts.append(f"{text.counted(updates, 'update')} at γ = {rate(given)}")
    if not parts:
        return ""
    return (
        f"**Known in advance.** To a distance of {NEAR} from {_goal(facts)} it takes "
        f"{text.listed(parts[:4])}: each component of the error is multiplied by (1 − γλᵢ)ᵏ."
    )


def _goal(facts: Facts) -> str:
    """Where a distance is counted from: directions that leave the loss as it is do not count."""
    return "the closed form" if facts.closed.unique else "the fits of the smallest loss"


def _best(facts: Facts) -> str:
    quadratic = facts.quadratic
    best = quadratic.best_rate
    if not math.isfinite(best):
        return ""
    curved = quadratic.curvatures[quadratic.curvatures > 0]
    # What an update takes away, and the limit lies above: without cancellation where κ is large.
    taken = 2 * float(curved[0] / (curved[0] + curved[-1]))
    half = math.log(0.5) / math.log1p(-taken) if taken < 1 else 0.0
    below = 50 * taken
    factor = text.number(quadratic.best_factor, 5)
    if factor == "1":
        factor = f"1 − {text.number(taken, 3)}"
    said = (
        f"**The best single rate** is γ* = 2/(λmin + λmax) = **{text.number(best, 5)}**, "
        f"{text.number(below, 2)} % below the limit: steepest and flattest direction then shrink "
        f"equally, by (κ − 1)/(κ + 1) = {factor} an update, and "
        f"halve in {_updates(half)}."
    )
    momentum = best_momentum(quadratic)
    if momentum is not None and facts.batch_size is None:
        plain = quadratic.updates_to(facts.start, best, NEAR)
        with_it = momentum_updates_to(
            quadratic, facts.start, momentum.learning_rate, momentum.beta, NEAR
        )
        if plain and with_it:
            said += (
                f" Momentum with β* = {text.number(momentum.beta)} and γ = "
                f"{text.number(momentum.learning_rate)} needs {text.counted(with_it, 'update')} to "
                f"a distance of {NEAR} from {_goal(facts)}, plain descent {plain:,}."
            )
    return said


def _momentum(facts: Facts) -> str:
    best = best_momentum(facts.quadratic)
    if best is None or not math.isfinite(facts.quadratic.best_rate):
        return ""
    plain = facts.quadratic.updates_to(facts.start, facts.quadratic.best_rate, NEAR)
    with_it = momentum_updates_to(facts.quadratic, facts.start, best.learning_rate, best.beta, NEAR)
    said = (
        f"**The best momentum** here is β* = ((√κ − 1)/(√κ + 1))² = **{text.number(best.beta)}** "
        f"with γ* = {text.number(best.learning_rate)}: an update leaves √β* = "
        f"{text.number(best.factor)} of the error in the long run."
    )
    if plain and with_it:
        said += (
            f" To a distance of {NEAR} it takes {text.counted(with_it, 'update')}; plain "
            f"descent at its own best rate takes {plain:,}."
        )
    return said


def _adaptive(facts: Facts, rule: Adam | RMSprop) -> str:
    first = "γ · sgn(g)"
    if isinstance(rule, Adam) and not rule.bias_correction:
        size = (1 - rule.beta1) / math.sqrt(1 - rule.beta2)
        first = f"γ (1 − β₁)/√(1 − β₂) · sgn(g) = {text.number(size)} γ · sgn(g)"
    if isinstance(rule, RMSprop):
        size = 1 / math.sqrt(1 - rule.alpha)
        first = f"γ/√(1 − α) · sgn(g) = {text.number(size)} γ · sgn(g)"
    far = [
        f"{text.number(reach(rule, given, facts.max_steps), 3)} at γ = {rate(given)}"
        for given in sorted(set(facts.rates), reverse=True)[:4]
    ]
    away = text.number(float(np.abs(facts.start - facts.closed.coefficients).max()), 3)
    return (
        f"**The size of the gradient cancels.** {rule.label}'s first update is {first}, "
        f"whatever the gradient g is. In {text.counted(facts.max_steps, 'update')} of one "
        f"direction a coefficient can get at most about {text.listed(far)} far; the farthest one "
        f"has {away} to go."
    )


def _noise(facts: Facts) -> str:
    said = (
        f"**Noise.** Each update sees {facts.batch_size:,} of {facts.samples:,} samples, so its "
        "gradient differs from that of all samples. At a constant rate the loss does not converge "
        "at its minimum but scatters above it, the more the larger γ is; a smaller rate, or one "
        "that is lowered on the way, brings it closer."
    )
    floors = [
        f"{text.number(excess, 2)} at γ = {rate(given)}"
        for given, excess in zip(facts.rates, facts.noise, strict=False)
        if math.isfinite(excess)
    ]
    if floors and not facts.changing:
        said += (
            " Expected on average, long after the start, above the smallest loss: "
            f"{text.listed(floors[:4])} (batches dealt from shuffled epochs)."
        )
    return said


def _updates(count: float) -> str:
    if not math.isfinite(count):
        return "no number of updates"
    return "less than 1 update" if count < 1 else text.counted(round(count), "update")


def _rounded(value: float) -> str:
    if not 1000 <= value < text.COUNTED:
        return text.number(value, 3)
    return f"{float(f'{value:.3g}'):,.0f}"


def prediction(facts: Facts, lane: int) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The loss of a lane as the theory of plain descent has it: steps (m,) and losses (m,).

    ``None`` where it has nothing to say: another rule, mini-batches, changed rates.
    """
    plain = isinstance(facts.rule, GradientDescent) and not decay_of(facts.rule)
    if not plain or facts.batch_size is not None or facts.changing:
        return None
    end = facts.max_steps
    steps = np.unique(np.concatenate([np.geomspace(1, end + 1, 160), np.linspace(1, end + 1, 80)]))
    steps = np.unique(steps.round().astype(np.int64) - 1)
    losses = facts.quadratic.loss(facts.start, facts.rates[lane], steps)
    shown = np.isfinite(losses) & (losses < 1e30)
    return steps[shown], losses[shown]


def noise_band(facts: Facts, lane: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """What mini-batches leave of a lane's loss on average: steps (2,), lower and upper ends (2,).

    ``None`` where it is not known: no mini-batches, another rule, a rate beyond the limit.
    """
    if facts.changing or decay_of(facts.rule) or lane >= len(facts.noise):
        return None
    excess = facts.noise[lane]
    if not math.isfinite(excess) or excess <= 0:
        return None
    least = np.full(2, facts.closed.loss)
    return np.array([0, facts.max_steps]), least, least + excess
