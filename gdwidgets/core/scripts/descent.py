"""A descent as a plain PyTorch script, written as a teacher would write it on the board."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import torch

from gdwidgets.core import checks
from gdwidgets.core.data import training_pairs
from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.batches import MiniBatches
from gdwidgets.core.objectives.neuron import LinearNeuron
from gdwidgets.core.objectives.regression import PolynomialRegression
from gdwidgets.core.objectives.surface import Surface
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.wrappers import PerLane
from gdwidgets.core.scripts.source import standalone

_TENSOR = 'dtype=torch.float32, device="cpu"'
_OWN_NAMES = frozenset(
    {"run", "runs", "results", "step", "updates", "loss", "losses", "loss_tol", "change", "u", "v"}
    | {
        "learning_rate",
        "num_iterations",
        "clear_every",
        "optimizer",
        "options",
        "schedule",
        "print",
    }
    | {"range"}
)


def descent_script(descent: Descent, steps: int | None = None) -> str:
    """A script that repeats a descent without gdwidgets.

    For plain gradient descent it is the course's own loop, giving the same bits for surfaces and
    the linear neuron; other rules are ``torch.optim``'s. It prints the course's lines and leaves
    ``results``: per lane a dict with ``parameters`` (the point after ``steps`` updates), ``loss``
    (the last one computed, as the ``Final`` line prints it) and ``steps``.

    Parameters
    ----------
    descent
        Over a `Surface`, a `PolynomialRegression`, `MiniBatches` of one or a `LinearNeuron`; a fork
        that changed the learning rate is repeated, one that changed the rule is not. A lane that
        it has seen diverge stops where the descent froze it.
    steps
        Updates per lane; ``max_steps`` when omitted.

    Returns
    -------
    str
        Python source that imports torch only, and what a user's function needs.

    Raises
    ------
    ValueError
        When the objective or rule is of another kind, or a function's source cannot be had.
    """
    if descent.rates_from[0][0] > 0:
        raise ValueError("no script: a script has one update rule, but this fork changed it")
    most = descent.max_steps
    if steps is not None:
        most = checks.integer(steps, "steps", 1, descent.max_steps)
    rules = _rules(descent)
    counts = [
        min(most, int(last)) if outcome == "diverged" else most
        for outcome, last in zip(descent.outcomes, descent.last_step, strict=True)
    ]
    head, forward, every = _objective(descent.objective)
    lines = ["import torch", *head, ""]
    if descent.lanes == 1:
        settings = _settings(descent, rules, counts, 0)
        lines += [f"{name} = {value}" for name, value in settings.items()]
        lines += _tolerance(descent)
        start = descent.start[0]
        lines += ["", *_parameters(descent, [repr(float(number)) for number in start])]
        lines += [
            *_body(descent, rules, forward, every, any_without_update=0 in counts),
            "results = [" + _result(descent) + "]",
        ]
    else:
        lines += ["runs = ["]
        for lane in range(descent.lanes):
            run = {"start": repr(tuple(float(number) for number in descent.start[lane]))}
            run |= _settings(descent, rules, counts, lane)
            inner = [f'        "{name}": {value},' for name, value in run.items()]
            lines += ["    {", *inner, "    },"]
        lines += ["]", *_tolerance(descent), "results = []", "", "for run in runs:"]
        inner = [f'{name} = run["{name}"]' for name in _settings(descent, rules, counts, 0)]
        count = len(descent.objective.parameter_names)
        inner += _parameters(descent, [f'run["start"][{i}]' for i in range(count)])
        inner += [
            *_body(descent, rules, forward, every, any_without_update=0 in counts),
            "results.append(" + _result(descent) + ")",
        ]
        lines += textwrap.indent("\n".join(inner), "    ").splitlines()
    return "\n".join(lines) + "\n"


def _rules(descent: Descent) -> tuple[Rule, ...]:
    rule = descent.rule
    rules = rule.rules if isinstance(rule, PerLane) else (rule,) * descent.lanes
    for one in rules:
        if not isinstance(one, (GradientDescent, Momentum, Nesterov, RMSprop, Adam)):
            raise ValueError(f"a script can be made for the rules of torch.optim, got {one!r}")
    return rules


def _optimizer(rule: Rule) -> tuple[str, dict[str, Any]]:
    """The optimiser's name in ``torch.optim`` and its constants."""
    if isinstance(rule, Momentum):
        return "SGD", {"momentum": float(rule.beta)}
    if isinstance(rule, Nesterov):
        # torch.optim refuses Nesterov momentum of 0, which is plain descent.
        return "SGD", {"momentum": float(rule.beta), "nesterov": True} if rule.beta else {}
    if isinstance(rule, RMSprop):
        return "RMSprop", {"alpha": float(rule.alpha), "eps": float(rule.eps)}
    if isinstance(rule, Adam):
        return "Adam", {"betas": (float(rule.beta1), float(rule.beta2)), "eps": float(rule.eps)}
    return "SGD", {}


def _settings(
    descent: Descent, rules: tuple[Rule, ...], counts: list[int], lane: int
) -> dict[str, str]:
    """What the loop needs of a lane, as source text by variable name."""
    settings = {
        "learning_rate": repr(float(descent.learning_rates[lane])),
        "num_iterations": str(counts[lane]),
    }
    if len(descent.rates_from) > 1:
        # The text of a float32 is the shortest number that means it: 0.1, not 0.10000000149.
        (_, first), *later = descent.rates_from
        settings["learning_rate"] = str(first[lane])
        changes = ", ".join(f"{k}: {rates[lane]!s}" for k, rates in later)
        settings["schedule"] = f"{{{changes}}}"
    if len(set(descent.clear_every)) > 1:
        settings["clear_every"] = repr(descent.clear_every[lane])
    if len(set(rules)) > 1:
        name, options = _optimizer(rules[lane])
        plain = isinstance(rules[lane], GradientDescent)
        settings["optimizer"] = "None" if plain else f"torch.optim.{name}"
        settings["options"] = repr(options)
    return settings


def _tolerance(descent: Descent) -> list[str]:
    return [] if descent.loss_tol is None else [f"loss_tol = {descent.loss_tol!r}"]


def _objective(objective: Any) -> tuple[list[str], list[str], int]:
    """Lines of definitions, lines of the forward pass, and how often the course prints."""
    if isinstance(objective, Surface):
        head, call = _function(objective)
        return head, [f"loss = {call}(u, v)"], 100
    if isinstance(objective, LinearNeuron):
        head = ["", "# Input and target", f"x = {objective.x!r}", f"y = {objective.y!r}"]
        return head, ["loss = (a * x + b - y) ** 2"], 1
    if isinstance(objective, PolynomialRegression):
        terms = [
            name if power == 0 else f"{name} * x" if power == 1 else f"{name} * x**{power}"
            for power, name in enumerate(objective.parameter_names)
        ]
        forward = ["y_pred = " + " + ".join(terms), "loss = (y_pred - y).pow(2).mean()"]
        return _pairs(objective), forward, 1000
    if isinstance(objective, MiniBatches):
        head, forward, every = _objective(objective.regression)
        head += ["", "# Mini-batches: every epoch deals out all pairs in a new order"]
        head += [f"batch_size = {objective.size}"]
        seed = f"torch.Generator().manual_seed({objective.seed} + epoch)"
        deal = [
            f"epoch, position = divmod(step - 1, {objective.batches})",
            f"order = torch.randperm({len(objective.regression.x)}, generator={seed})",
            "batch = order[position * batch_size : (position + 1) * batch_size]",
            "x_batch, y_batch = x[batch], y[batch]",
        ]
        forward = [re.sub(r"\b([xy])\b", r"\1_batch", line) for line in forward]
        return head, [*deal, *forward], every
    raise ValueError(
        "a script can be made for a Surface, a PolynomialRegression, MiniBatches of one or a "
        f"LinearNeuron, got {checks.shown(objective)}"
    )


def _function(surface: Surface) -> tuple[list[str], str]:
    made = standalone(surface.function)
    if made is None:
        raise ValueError(
            f"no script: the source of {surface.function!r} cannot be had, or it refers to "
            "something that cannot be written down; define it with def or lambda in a cell or "
            "file, out of torch functions, numbers and other such functions"
        )
    if not made.names & _OWN_NAMES:
        imports = [line for line in made.text.splitlines() if line == "import torch"]
        text = made.text.replace("import torch\n", "", 1).strip("\n") if imports else made.text
        gap = [] if text.startswith(("import", "from")) else ["", ""]
        return [*gap, *text.rstrip("\n").splitlines(), ""], made.name
    # A name of the function's is a name of the loop's too: the definitions get a room of their own.
    room = textwrap.indent(made.text.rstrip("\n"), "    ")
    return [
        "", "", "def make_function():", *room.splitlines(), "", f"    return {made.name}",
        "", "", "function_uv = make_function()",
    ], "function_uv"  # fmt: skip


def _pairs(objective: PolynomialRegression) -> list[str]:
    x, y = training_pairs(len(objective.x))
    if torch.equal(x, objective.x) and torch.equal(y, objective.y):
        return [
            "",
            "# Training pairs; a generator of its own leaves the global one alone",
            "generator = torch.Generator().manual_seed(0)",
            f"x = torch.rand({len(x)}, generator=generator, {_TENSOR}) * 2",
            f"noise = torch.randn({len(x)}, generator=generator, {_TENSOR})",
            "y = x + 2 * (x - 0.9) ** 2 + 0.3 * torch.cos(20 * x) + 0.1 * noise",
        ]
    lines = ["", "# Training pairs"]
    for name, values in (("x", objective.x), ("y", objective.y)):
        numbers = textwrap.wrap(", ".join(map(repr, values.tolist())), 90)
        lines += [f"{name} = torch.tensor(", "    ["]
        lines += [f"        {part}" for part in numbers]
        lines += ["    ],", f"    {_TENSOR},", ")"]
    return lines


def _parameters(descent: Descent, values: list[str]) -> list[str]:
    lines = ["# Initialize the parameters with gradient tracking enabled"]
    for name, value in zip(descent.objective.parameter_names, values, strict=True):
        lines += [f"{name} = torch.tensor({value}, {_TENSOR}, requires_grad=True)"]
    return lines


def _body(
    descent: Descent,
    rules: tuple[Rule, ...],
    forward: list[str],
    every: int,
    *,
    any_without_update: bool,
) -> list[str]:
    """The training loop of one lane and its last line."""
    names = descent.objective.parameter_names
    mixed = len(set(rules)) > 1
    plain = not mixed and isinstance(rules[0], GradientDescent)
    lines = ["losses = []", "updates = 0"]
    if mixed:
        lines += ["if optimizer is not None:"]
        lines += [f"    optimizer = optimizer([{', '.join(names)}], lr=learning_rate, **options)"]
    elif not plain:
        name, options = _optimizer(rules[0])
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        lines += [f"optimizer = torch.optim.{name}([{', '.join(names)}], lr=learning_rate{given})"]
    shown = ", ".join(f"{name} = {{{name}.item():.4f}}" for name in names)
    lines += ["for step in range(1, num_iterations + 1):"]
    if len(descent.rates_from) > 1:
        lines += ["    # The learning rate changes after some updates"]
        lines += ["    learning_rate = schedule.get(step - 1, learning_rate)"]
        if not plain:
            lines += ['    optimizer.param_groups[0]["lr"] = learning_rate']
    lines += ["    # Forward pass: compute the loss"]
    lines += [f"    {line}" for line in forward]
    lines += ["    losses.append(loss.item())"]
    report = f'print(f"Step {{step:4d}} | {shown}, loss = {{losses[-1]:.6f}}")'
    lines += (
        [f"    {report}"] if every == 1 else [f"    if step % {every} == 0:", f"        {report}"]
    )
    if descent.loss_tol is not None:
        lines += [
            "    if step > 1 and abs(losses[-1] - losses[-2]) < loss_tol:",
            "        change = abs(losses[-1] - losses[-2])",
            '        print(f"Stopping early at step {step}: loss change = {change:.6f} < "',
            '              f"loss_tol = {loss_tol}")',
            "        break",
        ]
    lines += ["", "    # Backward pass: compute the gradients", "    loss.backward()", ""]
    manual = ["with torch.no_grad():", *(f"    {n} -= learning_rate * {n}.grad" for n in names)]
    lines += ["    # Update the parameters"]
    if mixed:
        lines += ["    if optimizer is not None:", "        optimizer.step()", "    else:"]
        lines += [f"        {line}" for line in manual]
    else:
        lines += [f"    {line}" for line in (manual if plain else ["optimizer.step()"])]
    lines += ["    updates = step", "", *_clearing(descent, names), ""]
    if any_without_update:
        lines += ["if not losses:  # already the first update leads to numbers that are not finite"]
        lines += ["    step = 1"] if isinstance(descent.objective, MiniBatches) else []
        lines += [*(f"    {line}" for line in forward), "    losses.append(loss.item())", ""]
    lines += [f'print(f"Final: {shown}, final loss = {{losses[-1]:.6f}}")']
    return lines


def _clearing(descent: Descent, names: tuple[str, ...]) -> list[str]:
    clear = [f"{name}.grad = None" for name in names]
    periods = set(descent.clear_every)
    if periods == {1}:
        return ["    # Clear the gradients to prevent accumulation", *(f"    {c}" for c in clear)]
    if periods == {None}:
        return ["    # The gradients are not cleared: the next backward() adds to them"]
    condition = f"step % {descent.clear_every[0]} == 0"
    if len(periods) > 1:
        condition = "clear_every is not None and step % clear_every == 0"
    return [
        "    # Clear the gradients now and then; until then backward() adds to them",
        f"    if {condition}:",
        *(f"        {c}" for c in clear),
    ]


def _result(descent: Descent) -> str:
    values = ", ".join(f"{name}.item()" for name in descent.objective.parameter_names)
    return f'{{"parameters": [{values}], "loss": losses[-1], "steps": updates}}'
