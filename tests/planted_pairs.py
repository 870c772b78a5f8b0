"""A search for wrong accusations: mistakes planted into training loops, one by one and in pairs.

``python -m tests.planted_pairs [minutes] [seed]`` writes loops of the course's exercises in many
styles, from any start, at any rate, with none, one or two mistakes in them, and prints every report
that says something untrue: a finding that no planted mistake explains, two that contradict each
other, agreement with another path, a rule that does not make the recorded updates, or silence.
What was planted, the recorded numbers and plain PyTorch are the judges.
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
import torch

from gdwidgets.core import SURFACES, LinearNeuron, PolynomialRegression, Reference, training_pairs
from gdwidgets.core.watching.watch import Watch

X, Y = training_pairs()


@dataclass(frozen=True)
class Exercise:
    """A loss of parameters, as a student writes it, and the reference's objective."""

    objective: Any
    names: tuple[str, ...]
    loss: Callable[..., torch.Tensor]
    samples: int = 1


def _surface(name: str) -> Exercise:
    return Exercise(SURFACES[name], ("u", "v"), SURFACES[name].function)


EXERCISES = {
    "himmelblau": Exercise(
        SURFACES["himmelblau"],
        ("u", "v"),
        lambda u, v: (u**2 + v - 11) ** 2 + (u + v**2 - 7) ** 2,
    ),
    **{name: _surface(name) for name in ("booth", "beale", "mccormick", "rosenbrock", "matyas")},
    "neuron": Exercise(LinearNeuron(), ("a", "b"), lambda a, b: (a * 1.5 + b - 2.5) ** 2),
    "regression": Exercise(
        PolynomialRegression(X, Y),
        ("a", "b", "c"),
        lambda a, b, c: (a + b * X + c * X**2 - Y).pow(2).mean(),
        100,
    ),
}

STYLES = ("scalars", "vector", "data", "sub_", "module", "detached", "returned", "by hand", "sgd")

RULES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.8, nesterov=True),
    "dampened": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, dampening=0.5),
    "decayed": lambda p, lr: torch.optim.SGD(p, lr=lr, weight_decay=0.1),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr),
    "centered": lambda p, lr: torch.optim.RMSprop(p, lr=lr, centered=True),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    "adam foreach": lambda p, lr: torch.optim.Adam(p, lr=lr, foreach=True),
    "adam fused": lambda p, lr: torch.optim.Adam(p, lr=lr, fused=True),
    "amsgrad": lambda p, lr: torch.optim.Adam(p, lr=lr, amsgrad=True),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr=lr),
    "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr=lr),
    "adadelta": lambda p, lr: torch.optim.Adadelta(p, lr=lr),
    "adamax": lambda p, lr: torch.optim.Adamax(p, lr=lr),
    "nadam": lambda p, lr: torch.optim.NAdam(p, lr=lr),
    "radam": lambda p, lr: torch.optim.RAdam(p, lr=lr),
    "rprop": lambda p, lr: torch.optim.Rprop(p, lr=lr),
    "asgd": lambda p, lr: torch.optim.ASGD(p, lr=lr),
}

LOSS = {"other_loss", "other_gradient", "scaled_gradient", "sum_not_mean", "swapped"}
RULE = {
    "momentum", "nesterov", "rmsprop", "adam", "adagrad", "schedule", "clipped", "normalised",
    "plain_descent", "unknown_rule", "other_rate", "updated_every_n", "adamw", "weight_decay",
    "sign_descent",
}  # fmt: skip

EXPLAINED: dict[str, set[str]] = {
    "uphill": {"uphill"},
    "one uphill": {"uphill", "unknown_rule", "other_rate"},
    "rate x3": {"other_rate"},
    "rate /10": {"other_rate"},
    "rate forgotten": {"rate_not_applied", "other_rate"},
    "two rates": {"other_rate", "unknown_rule"},
    "frozen": {"not_updated"},
    "nothing moves": {"not_updated"},
    "swapped": {"swapped", "unknown_rule", "uphill"},
    "stale": {"stale_gradient", "other_stop", "other_length", "unknown_rule"},
    "never cleared": {"not_cleared", "momentum", "unknown_rule"},
    "one cleared": {"not_cleared"},
    "cleared every 3": {"cleared_every_n", "not_cleared"},
    "cleared early": {"cleared_before_update", "not_updated", "no_gradient"},
    "halved": {"scaled_gradient", "other_rate"},
    "x7": {"scaled_gradient", "other_rate"},
    "negative": {"uphill", "scaled_gradient"},
    "sum": {"sum_not_mean", "scaled_gradient", "other_rate"},
    "extra term": {"other_loss", "scaled_gradient", "other_gradient"},
    "constant": {"other_loss"},
    "late term": {"other_loss", "other_gradient"},
    # A vector's numbers have no names: interchanged in the loss, they may be so at the start.
    "interchanged": {"swapped", "other_loss", "other_start"},
    # Where the loss has a factor as well, loss and gradient have none in common.
    "detached part": {"other_gradient", "other_loss"},
    "start": {"other_start"},
    "one short": {"other_length"},
    "one long": {"other_length"},
    "every 2": {"updated_every_n", "other_length", "unknown_rule", "cleared_every_n"},
    "halving": {"schedule", "other_rate"},
    "clip": {"clipped", "normalised", "schedule", "unknown_rule", "other_rate"},
    "noise": {"unknown_rule"},
    "clamped": {"unknown_rule", "not_updated"},
    "tail": {"unknown_rule"},
    **{f"rule {name}": RULE | {"uphill", "not_updated"} for name in RULES},
}
"""By what is planted: the findings against a loop that it explains."""

ALONE: dict[str, set[str]] = {
    name: EXPLAINED[name]
    for name in EXPLAINED
    if name not in {"clamped", "tail", "clip", "late term"} and not name.startswith("rule ")
}
"""Mistakes that must be found by one of these names where they are the only one and change
anything."""

CLASHING = (
    {"plain_descent", "momentum", "nesterov", "rmsprop", "adam", "adagrad", "schedule", "clipped",
     "normalised", "unknown_rule", "stale_gradient", "adamw", "weight_decay", "sign_descent",
     "off_by_one"},
    {"rate_not_applied", "other_rate"},
    {"other_loss", "other_gradient", "sum_not_mean", "scaled_gradient"},
    {"not_cleared", "cleared", "cleared_every_n"},
    {"other_length", "other_stop"},
    {"cleared_before_update", "plain_descent"},
    {"unknown_rule", "uphill"},
    {"unknown_rule", "other_rate"},
)  # fmt: skip
"""Findings of which a report has at most one."""


@dataclass(frozen=True)
class Spec:
    """A loop to be written."""

    exercise: str
    style: str
    start: tuple[float, ...]
    rate: float
    steps: int
    mistakes: tuple[str, ...] = ()
    seed: int = 0
    tol: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> Reference:
        """What it is compared with."""
        return Reference(
            EXERCISES[self.exercise].objective, self.start, self.rate, max_steps=self.steps
        )


class Loop:
    """A loop as written: called with the watch, for records by hand."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.has = set(spec.mistakes)

    def loss(self, values: Any, step: int) -> torch.Tensor:
        """The loss with its mistakes."""
        has, exercise = self.has, EXERCISES[self.spec.exercise]
        values = list(values)
        if "interchanged" in has:
            values[:2] = values[1], values[0]
        if "detached part" in has:
            loss = exercise.loss(values[0].detach(), *values[1:]) * 0.5
            loss = loss + exercise.loss(*values) * 0.5
        else:
            loss = exercise.loss(*values)
        factor = 1.0
        for name, times in (("halved", 0.5), ("x7", 7.0), ("negative", -1.0)):
            factor *= times if name in has else 1.0
        if "sum" in has:
            factor *= exercise.samples
        loss = loss * factor if factor != 1 else loss
        if "extra term" in has or ("late term" in has and step >= self.spec.steps // 2):
            loss = loss + values[0] ** 2 + values[1]
        return loss + 3 if "constant" in has else loss

    def rate(self, step: int) -> float:
        """The learning rate with its mistakes, negative where the sign is wrong."""
        has, rate = self.has, self.spec.rate
        for name, times in (("rate x3", 3.0), ("rate /10", 0.1), ("uphill", -1.0)):
            rate *= times if name in has else 1.0
        if "rate forgotten" in has:
            rate = -1.0 if "uphill" in has else 1.0
        if "halving" in has:
            rate *= 0.5 ** (step // 5)
        return rate

    def directions(self, grads: torch.Tensor, step: int, state: dict[str, Any]) -> torch.Tensor:
        """What is multiplied by the rate, (P,)."""
        has = self.has
        used = grads.clone()
        if "swapped" in has:
            used[:2] = grads[:2].flip(0)
        if "stale" in has:
            used, state["last"] = state.get("last", torch.zeros_like(grads)), used
            used = used.clone()
        if "frozen" in has:
            used[-1] = 0
        if "nothing moves" in has:
            used[:] = 0
        if "one uphill" in has:
            used[0] = -used[0]
        if "two rates" in has:
            used[0] = 5 * used[0]
        if "clip" in has:
            used = used / max(1.0, float(used.norm()))
        if "tail" in has and step == self.spec.steps - 1:
            used = used * 1.5
        return used

    def __call__(self, mine: Watch) -> None:
        """Run it."""
        spec, has = self.spec, self.has
        start = [x + (0.25 if "start" in has else 0.0) for x in spec.start]
        steps = spec.steps - ("one short" in has) + ("one long" in has)
        one = spec.style in {"vector", "module"}
        params = [torch.tensor(x, requires_grad=True) for x in ([start] if one else start)]
        if spec.style == "module":
            module = torch.nn.Module()
            module.w = torch.nn.Parameter(params[0].detach())
            params = [module.w]
        rules = [name.partition(" ")[2] for name in spec.mistakes if name.startswith("rule ")]
        optimizer = None
        if rules or spec.style == "sgd":
            make = RULES[rules[0]] if rules else torch.optim.SGD
            optimizer = make(params, lr=abs(self.rate(0)))
        state: dict[str, Any] = {"noise": torch.Generator().manual_seed(spec.seed)}
        for step in range(steps):
            flat = self.gradient(mine, params, step)
            with torch.no_grad():
                if "every 2" not in has or step % 2:
                    flat = self.directions(flat, step, state)
                    if optimizer is not None:
                        self._by_optimizer(optimizer, params, flat, step)
                    else:
                        params = self._by_formula(params, flat, step)
                    for p in params:
                        if "noise" in has:
                            p.add_(spec.rate * 3 * torch.randn(p.shape, generator=state["noise"]))
                        if "clamped" in has:
                            p.clamp_(min(start) - 0.05, max(start) + 0.05)
            self._clear(params, step)

    def gradient(self, mine: Watch, params: list[torch.Tensor], step: int) -> torch.Tensor:
        """The gradient that the update has to work with, (P,)."""
        style = self.spec.style
        values = list(params[0].unbind()) if len(params) == 1 else params
        if style == "by hand":
            numbers = [p.item() for p in params]
            with torch._C.DisableTorchFunction():  # not to be seen
                grads = torch.autograd.grad(
                    self.loss(values, step), params, allow_unused=True, materialize_grads=True
                )
            named = dict(zip(EXERCISES[self.spec.exercise].names, numbers, strict=True))
            loss = self.loss([torch.tensor(x) for x in numbers], step).item()
            mine.record(loss, gradient=[g.item() for g in grads], **named)
            return torch.stack(grads)
        loss = self.loss(values, step)
        if style == "returned":
            grads = torch.autograd.grad(loss, params, allow_unused=True, materialize_grads=True)
            return torch.cat([g.reshape(-1) for g in grads])
        loss.backward()
        if "cleared early" in self.has:
            for p in params:
                p.grad.zero_()
        return torch.cat(
            [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in params]
        )

    def _by_optimizer(
        self, optimizer: Any, params: list[torch.Tensor], flat: torch.Tensor, step: int
    ) -> None:
        """Let the optimizer take the directions; buffers are afterwards as they were."""
        rate = self.rate(step)
        optimizer.param_groups[0]["lr"] = abs(rate)
        kept = [p.grad for p in params]
        parts = flat.split([p.numel() for p in params])
        for p, part in zip(params, parts, strict=True):
            p.grad = (part if rate > 0 else -part).reshape(p.shape).clone()
        optimizer.step()
        for p, grad in zip(params, kept, strict=True):
            p.grad = grad

    def _by_formula(
        self, params: list[torch.Tensor], flat: torch.Tensor, step: int
    ) -> list[torch.Tensor]:
        rate, style = self.rate(step), self.spec.style
        made = []
        for p, part in zip(params, flat.split([p.numel() for p in params]), strict=True):
            move = part.reshape(p.shape)
            if style == "data":
                p.data = p.data - rate * move
            elif style == "sub_":
                p.sub_(move, alpha=rate)
            elif style == "detached":
                fresh = (p - rate * move).detach().requires_grad_()
                fresh.grad = p.grad
                made.append(fresh)
                continue
            else:
                p.copy_(p - rate * move)
            made.append(p)
        return made

    def _clear(self, params: list[torch.Tensor], step: int) -> None:
        has = self.has
        if "never cleared" in has or ("cleared every 3" in has and step % 3 != 2):
            return
        if "every 2" in has and step % 2 == 0:
            return
        for place, p in enumerate(params):
            if "one cleared" in has and place == 0 and len(params) > 1:
                continue
            p.grad = None


NO_BUFFER = {"never cleared", "one cleared", "cleared every 3", "cleared early"}


def possible(spec: Spec) -> bool:
    """Whether the mistakes can be made in that style, together."""
    has, style = set(spec.mistakes), spec.style
    rules = [name for name in has if name.startswith("rule ")]
    fixed = {"data", "sub_", "detached"} if rules else set()
    return (
        not (has & NO_BUFFER and style in {"returned", "by hand"})
        and not ("one cleared" in has and style in {"vector", "module"})
        and not ("sum" in has and EXERCISES[spec.exercise].samples == 1)
        and not ("detached part" in has and style == "by hand")
        and style not in fixed
        # A buffer of zeros is not told from one that was cleared.
        and not ("nothing moves" in has and (rules or style in {"sgd", "detached"}))
        and len(rules) < 2
        and len(has & NO_BUFFER) < 2
        and not {"rate x3", "rate /10"} <= has
    )


def drawn(random: random.Random) -> Spec:
    """A loop at random."""
    while True:
        name = random.choice(sorted(EXERCISES))
        count = len(EXERCISES[name].names)
        start = tuple(float(np.float16(random.uniform(-2.5, 2.5))) for _ in range(count))
        powers = {"neuron": (-3, -0.6), "regression": (-3, -0.8), "rosenbrock": (-5, -3)}
        rate = float(f"{10 ** random.uniform(*powers.get(name, (-4.5, -2.3))):.2g}")
        mistakes = random.sample(sorted(EXPLAINED), random.choice((0, 1, 1, 2, 2, 2)))
        spec = Spec(
            name, random.choice(STYLES), start, rate, random.choice((3, 4, 7, 15, 30, 60)),
            tuple(mistakes), random.randrange(1000),
        )  # fmt: skip
        if possible(spec):
            return spec


def watched(spec: Spec) -> Watch:
    """The loop, watched."""
    mine = Watch(reference=spec.reference)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine.call(Loop(spec), mine)
    return mine


# -- judges --------------------------------------------------------------------------------------


def judged(spec: Spec, mine: Watch) -> list[str]:
    """What is untrue in a report; empty where nothing is."""
    found = mine.findings
    names = [one.name for one in found]
    against = {one.name for one in found if one.is_mistake}
    wrong = [f"recording: {mine.recording_error!r}"] if mine.recording_error else []
    explained = {name for mistake in spec.mistakes for name in EXPLAINED[mistake]}
    wrong += [f"nothing explains {name}" for name in sorted(against - explained - {"diverged"})]
    wrong += [
        f"{sorted(clash & set(names))} together"
        for clash in CLASHING
        if len(clash & set(names)) > 1
    ]
    if len(set(names)) < len(names):
        wrong.append("a finding twice")
    if "diverged" in names and not _diverges(mine):
        wrong.append("diverged: it does not")
    same = _same_path(spec, mine)
    if "agrees" in names and (against or not (same or not spec.mistakes)):
        wrong.append("agrees: it does not")
    differs = against or any(one.evidence.get("differs") for one in found) or not {
        "unknown_rule", "updated_every_n", "schedule", "clipped", "normalised"
    }.isdisjoint(names)  # fmt: skip
    if same is False and not differs and spec.mistakes:
        wrong.append("nothing is found")
    if not spec.mistakes and same and "agrees" not in names:
        wrong.append("agreement is not seen")
    if len(spec.mistakes) == 1 and same is False and spec.mistakes[0] in ALONE:
        expected = ALONE[spec.mistakes[0]]
        if not expected & set(names) and mine.loop.count > 3 and "diverged" not in names:
            wrong.append(f"none of {sorted(expected)}")
    return wrong + _rules(mine)


def _diverges(mine: Watch) -> bool:
    size = np.abs(mine.loss[np.isfinite(mine.loss)])
    last = mine.params[-1] if mine.final is None else mine.final
    numbers = np.concatenate([mine.loss, mine.params.ravel(), last])
    return not np.isfinite(numbers).all() or size[-1] > 1e5 * size[0]


def _same_path(spec: Spec, mine: Watch) -> bool | None:
    """Whether the loop goes the reference's way: ``None`` where that is too close to call."""
    run = spec.reference.descent()
    run.advance_to(spec.steps)
    rows = min(len(mine.params), run.recorded + 1, spec.steps)
    if len(mine.params) != spec.steps:
        return False
    with np.errstate(all="ignore"):
        path, loss = run.params[:rows, 0].astype(float), run.loss[:rows, 0].astype(float)
        if mine.final is not None and int(run.last_step[0]) == spec.steps:
            path = np.concatenate([path, run.params[spec.steps : spec.steps + 1, 0]])
        own = mine.params[:rows]
        if mine.final is not None:
            own = np.concatenate([own, mine.final[None]])
        path, own = path[: len(own)], own[: len(path)]
        apart = np.abs(own - path).max() / (np.abs(path - path[0]).max() + 1e-9)
        off = (np.abs(mine.loss[:rows] - loss) / (np.abs(loss) + 1e-3)).max()
        buffers = np.abs(mine.grad[:rows] - run.grad[:rows, 0]).max() / (
            np.abs(run.grad[:rows, 0]).max() + 1e-9
        )
    if not np.isfinite([apart, off, buffers]).all():
        return None
    if max(apart, off, buffers) < 1e-4:
        return True
    return False if max(apart, off) > 0.02 else None


def _rules(mine: Watch) -> list[str]:
    """Rules and rates that do not make the recorded updates from the recorded gradients."""
    wrong = []
    params, grads = mine.params, mine.grad
    if mine.final is not None:
        params = np.concatenate([params, mine.final[None]])
    parts = next((f.evidence["n"] for f in mine.findings if f.name == "updated_every_n"), 1)
    for one in mine.findings:
        rate = one.evidence.get("rate", np.nan)
        if one.name not in MADE or not np.isfinite(rate) or parts > 1:
            continue
        constants = {
            key: one.evidence[key]
            for key in ("beta", "alpha", "beta1", "beta2", "weight_decay", "dampening")
            if key in one.evidence
        }
        if (
            not set(CONSTANTS.get(one.name, ())) <= set(constants)
            or (rate < 0 and "weight_decay" in constants)
            or one.evidence.get("corrected", 1) != 1
        ):
            continue
        if any(other.name == "momentum" for other in mine.findings) and _decays(mine):
            continue
        moves = _moves(one.name, rate, constants, grads[: len(params) - 1], params)
        delta = np.diff(params, axis=0)[: len(moves)]
        rows = np.isfinite(delta).all(axis=1) & np.isfinite(moves).all(axis=1)
        rows &= np.abs(params[: len(moves)]).max(axis=1) < 1e15
        frozen = [f for f in mine.findings if f.name == "not_updated"]
        columns = [
            place for place, name in enumerate(mine.names)
            if not any(name in f.evidence["names"] for f in frozen)
        ]  # fmt: skip
        slack = 1e-3 * np.abs(delta) + 4e-6 * np.abs(params[: len(moves)]) + 1e-12
        slack += 1e-3 * np.maximum.accumulate(np.abs(np.nan_to_num(moves)), axis=0)
        off = (np.abs(delta - moves) > slack)[rows][:, columns]
        if off.any():
            wrong.append(
                f"{one.name} with rate {rate:g} does not make update "
                f"{int(off.any(axis=1).argmax())}"
            )
    return wrong


CONSTANTS = {
    "momentum": ("beta",), "nesterov": ("beta",), "rmsprop": ("alpha",), "adam": ("beta1", "beta2"),
    "adamw": ("beta1", "beta2", "weight_decay"), "weight_decay": ("weight_decay",),
}  # fmt: skip
MADE: dict[str, Callable[..., Any]] = {
    "plain_descent": torch.optim.SGD,
    "weight_decay": torch.optim.SGD,
    "momentum": lambda p, rate, beta, **more: torch.optim.SGD(p, rate, momentum=beta, **more),
    "nesterov": lambda p, rate, beta, **more: torch.optim.SGD(
        p, rate, momentum=beta, nesterov=True, **more
    ),
    "rmsprop": torch.optim.RMSprop,
    "adam": lambda p, rate, beta1, beta2, **more: torch.optim.Adam(p, rate, (beta1, beta2), **more),
    "adamw": lambda p, rate, beta1, beta2, **more: torch.optim.AdamW(
        p, rate, (beta1, beta2), **more
    ),
    "adagrad": torch.optim.Adagrad,
}
"""What a rule with a rate and constants is, in torch."""


def _moves(name: str, rate: float, constants: dict[str, float], grads: Any, params: Any) -> Any:
    """The updates that torch makes of gradients (m, P) at the recorded points, in float64."""
    p = torch.zeros(grads.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = MADE[name]([p], abs(rate), **constants)
    moves = []
    for grad, point in zip(grads, params, strict=False):
        # Moves are small: beside a large point they would be rounded.
        start = point if "weight_decay" in constants else np.zeros_like(point)
        p.data = torch.from_numpy(start.copy())
        p.grad = torch.from_numpy(np.copysign(1, rate) * grad)
        optimizer.step()
        moves.append(p.detach().numpy() - start)
    return np.array(moves)


def _decays(mine: Watch) -> bool:
    """Whether momentum is kept in the buffer: then the recorded gradient is the whole move."""
    return bool((mine.loop.before != 0).any())


def main(minutes: float, seed: int) -> int:
    """Search, print what is wrong, and return how many reports are."""
    generator = random.Random(seed)
    end, tried, kinds = monotonic() + 60 * minutes, 0, Counter[str]()
    while monotonic() < end:
        spec = drawn(generator)
        tried += 1
        try:
            mine = watched(spec)
            wrong = judged(spec, mine)
        except Exception as error:  # noqa: BLE001 - the search goes on
            sys.stdout.write(f"{spec}\n  raised {error!r}\n")
            kinds["raised"] += 1
            continue
        for one in wrong:
            kinds[one.partition(" with ")[0]] += 1
        if wrong:
            report = mine.report().replace("\n", "\n    ")
            sys.stdout.write(f"{spec}\n  {'; '.join(wrong)}\n    {report}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{tried} loops, {sum(kinds.values())} wrong: {dict(kinds)}\n")
    return sum(kinds.values())


if __name__ == "__main__":
    given = [float(one) for one in sys.argv[1:3]]
    sys.exit(bool(main(given[0] if given else 10, int(given[1]) if len(given) > 1 else 0)))
