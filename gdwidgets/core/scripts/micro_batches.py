"""A micro-batch descent as a plain PyTorch script: in parts, and the whole batch at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from gdwidgets.core.descent.descent import Descent
from gdwidgets.core.objectives.micro_batches import MicroBatches
from gdwidgets.core.rules.schedules import ConstantRate
from gdwidgets.core.rules.wrappers import EveryNth
from gdwidgets.core.scripts import literals
from gdwidgets.core.scripts.objectives import samples


def micro_batch_script(descent: Descent, steps: int) -> str:
    """Two loops of as many updates as fit into ``steps`` backward passes of a part.

    It leaves ``in_parts`` and ``at_once``: each a tuple of a, b and the losses of its backward
    passes, those of a part being its part of the batch's mean.

    Raises
    ------
    ValueError
        When the descent does not update and clear both lanes after every batch.
    """
    objective: Any = descent.objective
    parts, count = objective.parts, len(objective.x)
    rates = {float(rate) for rate in descent.learning_rates}
    schedules = {type(schedule) for _, lanes in descent.schedules_from for schedule in lanes}
    fits = (
        type(objective) is MicroBatches
        and descent.rule == EveryNth(parts)
        and set(descent.clear_every) == {parts}
        and len(rates) == len(descent.schedules_from) == 1
        and schedules == {ConstantRate}
        and descent.loss_tol is None
    )
    if not fits:
        raise ValueError(
            "a script can be made for micro-batches whose lanes have one learning rate, and are "
            f"updated and cleared after every {parts} steps, got {descent!r}"
        )
    cuts = [count * part // parts for part in range(parts + 1)]
    sizes = [after - before for before, after in pairwise(cuts)]
    lines = ["import torch", *samples(objective.x, objective.y), "", "# Settings"]
    lines += [f"learning_rate = {rates.pop()!r}", f"updates = {steps // parts}", ""]
    lines += [f"# {parts} micro-batches: a backward pass for each, then one update"]
    lines += [*literals.call("sizes = ", list(map(str, sizes))), *_parameters(descent, 0)]
    lines += ["losses = []", "for update in range(updates):"]
    lines += ["    for x_part, y_part in zip(x.split(sizes), y.split(sizes)):"]
    lines += ["        # The gradient of a part is added to what is there"]
    lines += ["        loss = (a * x_part + b - y_part).square().sum() / len(x)"]
    lines += ["        losses.append(loss.item())", "        loss.backward()", ""]
    lines += _UPDATE
    lines += _printed(f"In {parts} parts", "in_parts")
    lines += ["", "# The whole batch at once", *_parameters(descent, 1)]
    lines += ["losses = []", "for update in range(updates):"]
    lines += ["    loss = (a * x + b - y).square().mean()"]
    lines += ["    losses.append(loss.item())", "    loss.backward()", ""]
    lines += _UPDATE
    lines += _printed("At once", "at_once")
    return "\n".join(lines) + "\n"


_UPDATE = """\
    # Update the parameters, and only now clear the gradients
    with torch.no_grad():
        a -= learning_rate * a.grad
        b -= learning_rate * b.grad
    a.grad = None
    b.grad = None""".splitlines()


def _parameters(descent: Descent, lane: int) -> list[str]:
    names = descent.objective.parameter_names
    pairs = zip(names, descent.start[lane], strict=True)
    return literals.fitted(
        [literals.parameter(name, literals.float32(value)) for name, value in pairs]
    )


def _printed(title: str, name: str) -> list[str]:
    return [
        f'print(f"{title}: a = {{a.item():.6f}}, b = {{b.item():.6f}}")',
        f"{name} = a.item(), b.item(), losses",
    ]
