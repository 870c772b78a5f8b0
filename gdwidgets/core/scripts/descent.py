"""A descent as a plain PyTorch script, written as a teacher would write it on the board."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdwidgets.core import checks
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.objectives.neuron import LinearNeuron
from gdwidgets.core.objectives.surface import Surface
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.schedules import ConstantRate
from gdwidgets.core.rules.wrappers import PerLane
from gdwidgets.core.scripts import literals
from gdwidgets.core.scripts.carried import definitions, import_block
from gdwidgets.core.scripts.learning_rates import WrittenRate, written_rate
from gdwidgets.core.scripts.micro_batches import micro_batch_script
from gdwidgets.core.scripts.objectives import Written, identifier, written_objective
from gdwidgets.core.scripts.update_rules import Update, written_rule

_OWN_NAMES = frozenset(
    {"x", "y", "step", "loss", "losses", "loss_tol", "change", "wave", "descend", "mean", "square"}
    | {"learning_rate", "num_iterations", "optimizer", "scheduler", "means", "squares", "p", "grad"}
    | {"groups"}
    | {f"own_{role}" for role in ("function", "schedule", "make_optimizer", "make_scheduler")}
)


def descent_script(descent: Descent, steps: int | None = None) -> str:
    """A script that repeats a descent without gdwidgets, and prints what the course's loops print.

    Plain gradient descent is the course's own loop, other rules are optimizers of ``torch.optim``.
    The script depends on the settings only, not on how far the descent is recorded; a lane that
    diverges goes on into inf and NaN, as the course's loop does.

    A script of one lane leaves its parameters by their names (tensors after the last update),
    ``losses`` (a list, one of each step, before its update) and ``step`` (how many there were). One
    of several lanes leaves, by each of `lane_names`, a tuple: the parameters after the last update
    as floats, and then such a list of losses.

    Parameters
    ----------
    descent
        Over a `Surface`, a `PolynomialRegression`, `MiniBatches` of one, `MicroBatches` or a
        `LinearNeuron`. A fork that changed the learning rate is repeated, with the change.
    steps
        Updates per lane; ``max_steps`` when omitted.

    Returns
    -------
    str
        Python source that imports torch only, and what a user's function needs. Of more samples
        than 200 that are not the course's it uses the user's own ``x`` and ``y``.

    Raises
    ------
    ValueError
        When there is no such script: the objective or rule is of another kind, a function's source
        cannot be had, or a fork changed more than the learning rate; says which.
    """
    most = descent.max_steps
    if steps is not None:
        most = checks.integer(steps, "steps", 1, descent.max_steps)
    if type(descent.objective) is MicroBatches:
        return micro_batch_script(descent, most)
    _check_fork(descent)
    names = lane_names(descent)
    taken = _OWN_NAMES | set(names) | set(descent.objective.parameter_names)
    start = [float(number) for number in descent.start[0]]
    written = written_objective(descent.objective, start, taken)
    lanes = [Lane.of(descent, lane, most, taken) for lane in range(descent.lanes)]
    settings = [f"num_iterations = {most}"]
    if descent.loss_tol is not None:
        settings.append(f"loss_tol = {descent.loss_tol!r}")
    lines = _head(written, lanes)
    if descent.lanes == 1:
        rate = f"learning_rate = {lanes[0].rate.first}"
        lines += ["", "# Settings", rate, *settings, *_block(descent, written, lanes[0])]
    elif _alike(lanes) and not isinstance(descent.objective, LinearNeuron):
        lines += ["", "# Settings", *settings, "", "", *_function(descent, written, lanes, names)]
    else:
        own_rate = len({lane.rate for lane in lanes}) > 1 or bool(lanes[0].rate.in_loop)
        if not own_rate:
            settings = [f"learning_rate = {lanes[0].rate.first}", *settings]
        lines += ["", "# Settings of all lanes", *settings]
        for lane, name in zip(lanes, names, strict=True):
            values = [f"{own}.item()" for own in descent.objective.parameter_names]
            lines += _block(descent, written, lane, name, own_rate=own_rate)
            lines += literals.call(f"{name} = ", [*values, "losses"])
    return _tidy(lines)


def _head(written: Written, lanes: Sequence[Lane]) -> list[str]:
    """Imports, functions that are carried along, and data."""
    functions = [written.function]
    for lane in lanes:
        functions += [*lane.rate.carried, *lane.update.carried]
    imports = {"import torch"}
    imports |= {line for made in functions if made is not None for line in made.imports}
    imports |= {line for lane in lanes for line in lane.rate.imports}
    return [*import_block(imports), *definitions(functions), *written.data]


def lane_names(descent: Descent) -> tuple[str, ...]:
    """What a script calls the lanes: by what tells them apart, else by number.

    That is the first of: clearing (``without_clearing``, ``clearing_every_3``), update rule
    (``adam``), learning rate (``rate_0_01``), start (``start_1``). Else they are
    ``lane_1``, ``lane_2``, …
    """
    lanes = range(descent.lanes)
    told = {None: "without_clearing", 1: "with_clearing"}
    candidates = (
        [told.get(n, f"clearing_every_{n}") for n in descent.clear_every],
        [identifier(rule.name) for rule in _rules(descent)],
        [f"rate_{identifier(f'{float(rate):g}')}" for rate in descent.learning_rates],
    )
    for found in candidates:
        if len(set(found)) == len(found) > 1:
            return tuple(found)
    apart = len({tuple(map(float, start)) for start in descent.start}) == descent.lanes
    return tuple(f"{'start' if apart else 'lane'}_{lane + 1}" for lane in lanes)


@dataclass(frozen=True)
class Lane:
    """What tells one lane's text from another's."""

    start: tuple[str, ...]
    rate: WrittenRate
    rule: Rule
    update: Update
    clear_every: int | None

    @classmethod
    def of(cls, descent: Descent, lane: int, steps: int, taken: AbstractSet[str]) -> Lane:
        """One lane of a descent, written for so many updates."""
        rule = _rules(descent)[lane]
        names = descent.objective.parameter_names
        update = written_rule(rule, names, taken, indent=0 if descent.lanes == 1 else 4)
        since = [(k, schedules[lane]) for k, schedules in descent.schedules_from]
        changes = len(since) > 1 or not isinstance(since[0][1], ConstantRate)
        if changes and update.new_rate is None:
            raise ValueError(
                "no script: a scheduler of torch.optim sets the learning rate, and this descent "
                "changes it too"
            )
        return cls(
            start=tuple(map(literals.float32, descent.start[lane])),
            rate=written_rate(since, steps, update.new_rate or (), taken),
            rule=rule,
            update=update,
            clear_every=descent.clear_every[lane],
        )


def _rules(descent: Descent) -> tuple[Rule, ...]:
    rule = descent.rule
    return rule.rules if isinstance(rule, PerLane) else (rule,) * descent.lanes


def _alike(lanes: Sequence[Lane]) -> bool:
    """Whether lanes differ in start and in the learning rate of the first step only."""
    return all(
        (lane.update, lane.clear_every, lane.rate.in_loop)
        == (lanes[0].update, lanes[0].clear_every, lanes[0].rate.in_loop)
        for lane in lanes
    )


# -- the lines of one loop -------------------------------------------------------------------------


def _block(
    descent: Descent, written: Written, lane: Lane, name: str = "", *, own_rate: bool = False
) -> list[str]:
    """One lane's loop; with a name, among those of others."""
    told = "".join(_title(descent, lane)) if name else "Parameters, with gradient tracking"
    lines = ["", *literals.comment(told)]
    if own_rate:
        lines.append(f"learning_rate = {lane.rate.first}")
    lines += _parameters(descent, written, lane.start)
    lines += _heading(descent, lane, lane.start, name=name)
    return [*lines, *_loop(descent, written, lane, indent=0)]


def _function(
    descent: Descent, written: Written, lanes: Sequence[Lane], names: Sequence[str]
) -> list[str]:
    """One loop as a function, and a call of it for each lane."""
    own = descent.objective.parameter_names
    moved = len({lane.start for lane in lanes}) > 1
    taken = [*own, "learning_rate"] if moved else ["learning_rate"]
    first = lanes[0]
    inner = _parameters(descent, written, own if moved else first.start)
    heading = _heading(descent, first, own if moved else first.start, name="", variables=True)
    inner = [*heading, *inner] if moved else [*inner, *heading]
    inner += _loop(descent, written, first, indent=4)
    values = [f"{name}.item()" for name in own]
    inner += literals.call("return ", [*values, "losses"], indent=4)
    text = '"""Descend; return the last parameters and the losses before each update."""'
    lines = [f"def descend({', '.join(taken)}):", f"    {text}"]
    lines += [f"    {line}" if line else "" for line in inner]
    lines += ["", "", "# One descent for each lane"]
    for lane, name in zip(lanes, names, strict=True):
        given = [*lane.start] if moved else []
        given.append(f"learning_rate={lane.rate.first}")
        lines += literals.call(f"{name} = descend", given)
    return lines


def _parameters(descent: Descent, written: Written, values: Sequence[str]) -> list[str]:
    names = descent.objective.parameter_names
    inside = [f"[{value}]" if written.vectors else value for value in values]
    lines = [literals.parameter(name, value) for name, value in zip(names, inside, strict=True)]
    return literals.fitted(lines, indent=0 if descent.lanes == 1 else 4)


def _heading(
    descent: Descent, lane: Lane, start: Sequence[str], *, name: str, variables: bool = False
) -> list[str]:
    """The lines that print what the course prints before a loop."""
    own = descent.objective.parameter_names
    rules = len(set(map(type, _rules(descent)))) > 1
    if isinstance(descent.objective, LinearNeuron):
        lines = literals.printing([*_title(descent, lane), ":"])
        target = "Target function: loss = (a * x + b - y)**2 "
        lines += literals.printing([target, "with x = {x}, y = {y}"])
        columns = "Step |       Loss |        a |        b |   grad_a |   grad_b"
        return [*lines, *literals.printing([columns]), 'print("-" * 60)']
    if isinstance(descent.objective, Surface):
        shown = [f"{{{one}}}" if variables and one in own else one for one in start]
        values = [f"{one} = {value}, " for one, value in zip(own, shown, strict=True)]
        pieces = ["Initialized at: ", *values, "learning rate = {learning_rate}"]
        if descent.loss_tol is not None:
            pieces[-1] += ", "
            pieces += ["loss_tol = {loss_tol}"]
        first = literals.printing(_title(descent, lane)) if name and rules else []
        return first + literals.printing(pieces, indent=4 if variables else 0)
    if variables:
        return literals.printing(["Learning rate {learning_rate}"])
    return literals.printing(_title(descent, lane)) if name else []


def _title(descent: Descent, lane: Lane) -> list[str]:
    """What a lane is, for readers, in the pieces between which a line may be broken."""
    if isinstance(descent.objective, LinearNeuron):
        told = {None: "Without gradient clearing", 1: "With gradient clearing"}
        title = [told.get(lane.clear_every, f"Gradients cleared every {lane.clear_every} steps")]
    else:
        title = [f"{lane.rule.label[:1].upper()}{lane.rule.label[1:]}"]
        if len(set(descent.learning_rates)) > 1:
            title.append(f", learning rate {lane.rate.first}")
        if len(set(descent.clear_every)) > 1:
            every = lane.clear_every
            title.append(", never cleared" if every is None else f", cleared every {every} steps")
    return title


def _loop(descent: Descent, written: Written, lane: Lane, *, indent: int) -> list[str]:
    names = descent.objective.parameter_names
    update = lane.update
    body = []
    if lane.rate.in_loop:
        body = ["# The learning rate changes on the way", *lane.rate.in_loop, ""]
    body += ["# Forward pass: compute the loss", *written.forward]
    body += ["losses.append(loss.item())"]
    shown = written.progress(names, indent + 4)
    if not written.after_backward:
        body += shown
    body += ["", "# Backward pass: compute the gradients", "loss.backward()"]
    if written.after_backward:
        body += shown
    body += _stopping(descent)
    body += ["", "# Update the parameters", *update.step, *_clearing(lane)]
    return [
        "losses = []",
        *update.setup,
        "for step in range(1, num_iterations + 1):",
        *(f"    {line}" if line else "" for line in body),
        *written.final(names, indent),
    ]


def _stopping(descent: Descent) -> list[str]:
    if descent.loss_tol is None:
        return []
    return [
        "",
        "# Stop where the loss hardly changes any more",
        "if step > 1 and abs(losses[-1] - losses[-2]) < loss_tol:",
        "    change = abs(losses[-1] - losses[-2])",
        '    print(f"Stopping early at step {step}: "',
        '          f"loss change = {change:.6f} < loss_tol = {loss_tol}")',
        "    break",
    ]


def _clearing(lane: Lane) -> list[str]:
    clear = lane.update.clear
    if lane.clear_every == 1:
        return ["", "# Clear the gradients to prevent accumulation", *clear]
    if lane.clear_every is None:
        return ["", "# Not cleared, so that the next backward() adds to the gradients:"] + [
            f"# {line}" for line in clear
        ]
    return [
        "",
        "# Clear the gradients now and then; until then backward() adds to them",
        f"if step % {lane.clear_every} == 0:",
        *(f"    {line}" for line in clear),
    ]


def _tidy(lines: Sequence[str]) -> str:
    """One text, with two empty lines in a row at most."""
    kept: list[str] = []
    for line in lines:
        if line or kept[-2:] != ["", ""]:
            kept.append(line.rstrip())
    return textwrap.dedent("\n".join(kept)).rstrip("\n") + "\n"


# -- forks -----------------------------------------------------------------------------------------


def _check_fork(descent: Descent) -> None:
    """Raise unless all records so far follow from the present settings and rates."""
    first, _ = descent.rates_from[0]
    if first > 0:
        raise ValueError(
            f"no script: a script has one update rule, and this fork changed it at step {first}"
        )
    if not descent.changed:
        return  # a look at every record would say the same
    for lane in range(descent.lanes):
        until = int(descent.last_step[lane])
        every = descent.clear_every[lane]
        grad, own = (part[: until + 1, lane] for part in (descent.grad, descent.step_grad))
        updates = np.arange(1, until + 1)
        cleared = updates % every == 0 if every is not None else updates == 0
        left = np.where(cleared[:, None], np.float32(0), grad[:-1])
        if not np.array_equal(grad[1:], left + own[1:]):
            raise ValueError(
                "no script: this fork changed clear_every on the way, and a script clears the "
                "gradients in one way"
            )
        if not _one_tolerance(descent, lane, until):
            raise ValueError(
                "no script: this fork changed loss_tol on the way, and a script has one"
            )


def _one_tolerance(descent: Descent, lane: int, until: int) -> bool:
    """Whether a lane's records up to ``until`` are those of the present ``loss_tol``."""
    loss: Any = descent.loss[: until + 1, lane].astype(np.float64)
    tolerance = -1.0 if descent.loss_tol is None else descent.loss_tol
    small = np.flatnonzero(np.abs(np.diff(loss)) < tolerance) + 1
    if str(descent.outcomes[lane]) == "converged":
        return len(small) > 0 and int(small[0]) == until
    # At the last record of all no update would follow, so nothing stops there.
    return len(small) == 0 or int(small[0]) >= descent.max_steps
