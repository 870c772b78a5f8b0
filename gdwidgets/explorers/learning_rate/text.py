"""What the learning-rate explorer says: the sentences, the course's tables, the folded tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gdwidgets.core import RULES, Descent, PolynomialRegression, own_torch_state, tables
from gdwidgets.ui import text
from gdwidgets.ui.runs import OUTCOMES, lane_outcome, lane_steps, window

if TYPE_CHECKING:
    from gdwidgets.explorers.learning_rate.explorer import LearningRateExplorer

SHARES = (1 / 40, 1 / 2, 1, 3 / 2, 2)
"""Iteration counts of the course's tables as shares of ``max_steps``: 100 … 8,000 of 4,000."""

TABLED = 2
"""Lanes for which the number of iterations is varied in the course's tables."""


@dataclass(frozen=True)
class Curvature:
    """Eigenvalues of a regression's Hessian, and what they say of learning rates."""

    values: NDArray[np.float64]
    """Rising, (P,); those lost in rounding are 0."""

    @classmethod
    def of(cls, regression: PolynomialRegression) -> Curvature:
        """The curvature of a regression, the same everywhere."""
        with own_torch_state():
            values = torch.linalg.eigvalsh(regression.hessian()).numpy()
        return cls(np.where(values > 1e-12 * values[-1], values, 0.0))

    @property
    def limit(self) -> float:
        """The largest stable learning rate 2/λmax; infinite where nothing curves."""
        return 2 / float(self.values[-1]) if self.values[-1] > 0 else math.inf

    @property
    def condition(self) -> float:
        """λmax/λmin; infinite where a direction is flat."""
        return float(self.values[-1] / self.values[0]) if self.values[0] > 0 else math.inf

    def halving(self, rate: float) -> float:
        """Updates after which the slowest part of the error has halved; infinite if it does not."""
        factor = float(np.abs(1 - rate * self.values).max())
        return math.inf if factor >= 1 else math.log(0.5) / math.log(max(factor, 1e-300))


def explanation(curvature: Curvature, rates: Sequence[float], rule: str, *, batches: bool) -> str:
    """Why rates below the limit work, those above do not, and small ones crawl."""
    if rule != "gd":
        return (
            f"The limit 2/λmax = {text.number(curvature.limit)} is that of plain gradient descent; "
            f"it does not apply to {RULES[rule].label}, whose updates are not the learning rate "
            "times the gradient alone."
        )
    if batches:
        return (
            f"The largest stable rate 2/λmax = {text.number(curvature.limit)} is that of all "
            "pairs together. A mini-batch has curvatures of its own, and its gradient points only "
            "roughly the right way: the larger the learning rate, the more of that noise remains."
        )
    unique = sorted(set(rates), reverse=True)
    above = [rate for rate in unique if rate > curvature.limit]
    below = [rate for rate in unique if rate <= curvature.limit]
    said = (
        f"Largest stable rate 2/λmax = {text.number(curvature.limit)}: above it updates "
        "overshoot ever further"
    )
    said += f", so {_listed(above)} diverge{'s' if len(above) == 1 else ''}." if above else "."
    if math.isinf(curvature.condition):
        return f"{said} One direction is flat: along it the data do not tell what is right."
    condition = curvature.condition
    ratio = text.number(condition, 3) if condition < 1000 else _count(condition)
    said += f" The flattest direction curves {ratio} times less (condition number)"
    if not below:
        return f"{said}."
    halving = [_count(curvature.halving(rate)) for rate in below[:4]]
    times = [f"{count} at {rate:g}" for count, rate in zip(halving, below, strict=False)]
    times[0] = f"{halving[0]} updates at {below[0]:g}"
    return f"{said}: its error halves in {_listed(times)}."


def _count(updates: float) -> str:
    return "∞" if math.isinf(updates) else f"{max(1, round(float(f'{updates:.3g}'))):,}"


def _listed(items: Sequence[float] | Sequence[str]) -> str:
    words = [item if isinstance(item, str) else f"{item:g}" for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def distance(explorer: LearningRateExplorer, params: NDArray[Any]) -> NDArray[np.float64]:
    """Euclidean distance of coefficients (…, P) to those of the closed form."""
    best, _ = explorer.closed_form
    wide = params.astype(np.float64) - best
    scale = np.maximum(np.abs(wide).max(axis=-1, keepdims=True), 1e-300)
    return scale[..., 0] * np.sqrt(np.square(wide / scale).sum(axis=-1))


def sentence(explorer: LearningRateExplorer, k: int) -> str:
    """Say what to do first, how the lanes stand, or how they ended."""
    descent = explorer.descent
    outcomes = [lane_outcome(descent, lane, k) for lane in range(descent.lanes)]
    fine = [lane for lane, outcome in enumerate(outcomes) if outcome != "diverged"]
    if k == 0 and len(fine) == len(outcomes):
        return (
            "Press play. Every learning rate starts from the same coefficients; "
            "which fit reaches the dashed closed form first, and which never does?"
        )
    rates = descent.learning_rates
    gone = [
        f"{rates[lane]:g} at update {int(descent.last_step[lane]) + 1}"
        for lane in range(descent.lanes)
        if lane not in fine
    ]
    lost = f" Diverged: {_listed(gone)}." if gone else ""
    if not fine:
        return f"Every lane has diverged: {_listed(gone)}. Try smaller learning rates."
    steps = lane_steps(descent, k)
    here = descent.params[steps, np.arange(descent.lanes)]
    apart = distance(explorer, here)
    best = min(fine, key=lambda lane: apart[lane])
    ended = all(outcome != "running" for outcome in outcomes)
    where = f"End of the run after {k:,} updates" if ended else f"Step {k:,}"
    return (
        f"{where}: learning rate {rates[best]:g} is nearest to the closed form, "
        f"loss {descent.loss[steps[best], best]:.4f}, distance {apart[best]:.4f}.{lost}"
    )


def amount(value: float) -> str:
    """A number of the live table: four decimals as the course prints, an exponent if too long."""
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.1e}"


def lane_note(descent: Descent, lane: int, k: int) -> str:
    """A lane's outcome with the step that matters."""
    outcome = lane_outcome(descent, lane, k)
    if outcome == "diverged":
        return f"diverged at step {int(descent.last_step[lane]) + 1}"
    return OUTCOMES[outcome]


def course_tables(explorer: LearningRateExplorer) -> str:
    """Return the course's three tables and the closed form, all from one recorded run."""
    steps = explorer.max_steps
    counts = sorted({max(1, round(share * steps)) for share in SHARES})
    descent = explorer.extended(counts[-1])
    return tables.exercise_1(descent, steps, counts, explorer.closed_form, tabled=TABLED)


def step_table(explorer: LearningRateExplorer) -> str:
    """Return the chosen lane's records around the cursor as HTML, the present one marked."""
    descent, lane = explorer.descent, explorer.lane
    names = descent.objective.parameter_names
    at, shown = _shown(explorer)
    head = ("k", "loss", *names, *(f"grad_{name}" for name in names))
    rows = [
        [
            str(i),
            f"{descent.loss[i, lane]:.6f}",
            *(amount(x) for x in descent.params[i, lane]),
            *(amount(x) for x in descent.grad[i, lane]),
        ]
        for i in shown
    ]
    return text.html_table(head, rows, now=at - shown.start)


def _shown(explorer: LearningRateExplorer) -> tuple[int, range]:
    """The chosen lane's step, and the steps shown around it."""
    descent, lane = explorer.descent, explorer.lane
    at = int(lane_steps(descent, explorer.step)[lane])
    return at, window(at, int(lane_steps(descent, descent.recorded)[lane]), rows=8)


def gradient_table(explorer: LearningRateExplorer) -> str:
    """Return the gradient from the formula beside the one from ``.grad``, around the cursor."""
    names = explorer.descent.objective.parameter_names
    at, shown = _shown(explorer)
    manual = explorer.manual_gradients(shown)
    own = explorer.descent.step_grad[shown.start : shown.stop, explorer.lane]
    head = ["k"]
    for name in names:
        head += [f"∂L/∂{name} by hand", f"{name}.grad", "difference"]
    rows = []
    for row, k in enumerate(shown):
        cells = [str(k)]
        for hand, auto in zip(manual[row], own[row], strict=True):
            cells += [_gradient(hand), _gradient(auto), f"{float(hand) - float(auto):.1e}"]
        rows.append(cells)
    pairs = "the mini-batch" if explorer.batch_size else f"N = {len(explorer.regression.x)} pairs"
    title = (
        f"Learning rate {explorer.descent.learning_rates[explorer.lane]:g}. By hand: "
        f"∂L/∂c_d = 2/N Σ (zₙ − yₙ) xₙᵈ over {pairs}; by autograd: what loss.backward() leaves "
        "in .grad. Differences are rounding in float32."
    )
    return text.html_status(title) + text.html_table(head, rows, now=at - shown.start)


def _gradient(value: float) -> str:
    return f"{value:.6f}" if abs(value) < 1e5 else f"{value:.3e}"


def run_table(explorer: LearningRateExplorer) -> str:
    """Return the present run's lanes and those of all pinned runs, a row each, as HTML."""
    head = ["run", "rule", "degree", "batch", "learning rate", "steps"]
    head += ["loss", "distance", "outcome"]
    rows = _run_rows("present", explorer, explorer.settings(), explorer.descent, explorer.step)
    for pin in explorer.pins:
        rows += _run_rows(pin.label, explorer, pin.settings, pin.descent, pin.step)
    return text.html_table(head, rows, text_columns=(0, 1, 8))


def _run_rows(
    label: str, explorer: LearningRateExplorer, settings: dict[str, Any], descent: Descent, k: int
) -> list[list[str]]:
    steps = lane_steps(descent, k)
    earlier = settings["schedule"]
    rows = []
    for lane in range(descent.lanes):
        at = int(steps[lane])
        params = descent.params[at, lane]
        same = len(params) == len(explorer.closed_form[0])
        rates = [*(part[1][lane] for part in earlier), descent.learning_rates[lane]]
        changed = [f"{rate:g}" for i, rate in enumerate(rates) if not i or rate != rates[i - 1]]
        rows.append(
            [
                label,
                RULES[settings["rule"]].label,
                str(settings["degree"]),
                str(settings["batch_size"] or "all"),
                " → ".join(changed),
                str(at),
                f"{descent.loss[at, lane]:.6g}",
                amount(float(distance(explorer, params))) if same else "–",
                lane_note(descent, lane, k),
            ]
        )
    return rows
