"""Update rules as source text: one small function for each rule, found by its exact type.

By the exact type, because a subclass may update in its own way, and its script would then give
other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch

from gdwidgets.core import checks
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.rules.torch_optim import OptimizerRule
from gdwidgets.core.scripts import literals
from gdwidgets.core.scripts.carried import Carried, carried
from gdwidgets.core.scripts.statements import wrapped

Names = Sequence[str]


@dataclass(frozen=True)
class Update:
    """The lines that a rule adds to a training loop."""

    setup: tuple[str, ...]
    """Before the loop."""
    step: tuple[str, ...]
    """The update itself."""
    clear: tuple[str, ...]
    """What clears the gradients."""
    new_rate: tuple[str, ...] | None = ()
    """What must follow when ``learning_rate`` has been given another value; ``None`` where that
    cannot be done."""
    carried: tuple[Carried, ...] = ()
    """What these lines call."""


def written_rule(rule: Rule, names: Names, taken: AbstractSet[str], *, indent: int = 0) -> Update:
    """How a rule updates the parameters of these names.

    Parameters
    ----------
    rule
        A rule of an exact type that is known here.
    names
        Of the parameters.
    taken
        Names that the rest of the script defines.
    indent
        Columns by which the loop will be indented.

    Raises
    ------
    ValueError
        When there is no way known to write a rule of this type; names the type.
    """
    writer = WRITERS.get(type(rule))
    if writer is None:
        known = ", ".join(kind.__name__ for kind in WRITERS)
        raise ValueError(
            f"no script: how {type(rule).__name__} updates cannot be written as plain PyTorch, "
            f"which is known for {known} only; got rule {checks.shown(rule)}"
        )
    update = writer(rule, names, taken)
    return replace(
        update,
        setup=tuple(literals.fitted(update.setup, indent=indent)),
        step=tuple(_within_width(update.step, indent + 4)),
    )


def _within_width(lines: Sequence[str], indent: int) -> Iterator[str]:
    """Lines that a loop's body, indented by so much, has room for."""
    for line in lines:
        statement = line.lstrip()
        for row in wrapped(statement, indent + len(line) - len(statement)):
            yield row[indent:]


# -- rules of the core -----------------------------------------------------------------------------


def _gradient_descent(rule: GradientDescent, names: Names, _: AbstractSet[str]) -> Update:
    decay = rule.weight_decay
    gradients = [
        f"({name}.grad + {decay!r} * {name})" if decay else f"{name}.grad" for name in names
    ]
    lines = [
        f"    {name} -= learning_rate * {gradient}"
        for name, gradient in zip(names, gradients, strict=True)
    ]
    return Update((), ("with torch.no_grad():", *lines), _grads_to_none(names))


def _momentum(rule: Momentum, names: Names, _: AbstractSet[str]) -> Update:
    options = {"momentum": rule.beta, "weight_decay": rule.weight_decay}
    return _optimizer(torch.optim.SGD, names, options)


def _nesterov(rule: Nesterov, names: Names, _: AbstractSet[str]) -> Update:
    # torch.optim refuses Nesterov momentum of 0, which is plain descent.
    options = {"momentum": rule.beta, "nesterov": rule.beta > 0, "weight_decay": rule.weight_decay}
    return _optimizer(torch.optim.SGD, names, options)


def _rmsprop(rule: RMSprop, names: Names, _: AbstractSet[str]) -> Update:
    options = {"alpha": rule.alpha, "eps": rule.eps, "weight_decay": rule.weight_decay}
    return _optimizer(torch.optim.RMSprop, names, options)


def _adam(rule: Adam, names: Names, _: AbstractSet[str]) -> Update:
    if rule.bias_correction:
        options = {
            "betas": (rule.beta1, rule.beta2),
            "eps": rule.eps,
            "weight_decay": rule.weight_decay,
        }
        return _optimizer(torch.optim.Adam, names, options)
    # torch.optim has no Adam without bias correction.
    every = ", ".join(names) + ("," if len(names) == 1 else "")
    # As in core: a product that is rounded before it is added would give other bits.
    decay = rule.weight_decay
    grad = f"torch.add(p.grad, p, alpha={decay!r})" if decay else "p.grad"
    return Update(
        setup=(
            f"means = [torch.zeros_like(p) for p in ({every})]",
            f"squares = [torch.zeros_like(p) for p in ({every})]",
        ),
        step=(
            "with torch.no_grad():",
            f"    for p, mean, square in zip(({every}), means, squares):",
            f"        grad = {grad}",
            f"        mean.lerp_(grad, 1 - {rule.beta1!r})",
            f"        square.mul_({rule.beta2!r})",
            f"        square.addcmul_(grad, grad, value=1 - {rule.beta2!r})",
            f"        p -= learning_rate * mean / (square.sqrt() + {rule.eps!r})",
        ),
        clear=_grads_to_none(names),
    )


def _grads_to_none(names: Names) -> tuple[str, ...]:
    return tuple(f"{name}.grad = None" for name in names)


# -- optimizers of torch.optim ---------------------------------------------------------------------

_EACH_NUMBER_BY_ITSELF = [
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
    "Adagrad",
    "Adadelta",
    "ASGD",
]
"""Optimizers that do the same to numbers in one tensor, as a recording has them, and in several,
as a script has them."""

_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "SGD": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
        "RMSprop": {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0},
        "Adam": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    }
)
"""Torch's own options, which need not be said."""


def _optimizer(
    kind: type[torch.optim.Optimizer],
    names: Names,
    options: Mapping[str, Any],
    *,
    own_rate: bool = False,
) -> Update:
    """The lines of an optimizer of ``torch.optim``; options that are torch's own are left out."""
    usual = _DEFAULTS.get(kind.__name__, {})
    arguments = [f"[{', '.join(names)}]"]
    arguments += [] if own_rate else ["lr=learning_rate"]
    arguments += [
        f"{key}={value!r}"
        for key, value in options.items()
        if key not in usual or value != usual[key]
    ]
    return Update(
        setup=(f"optimizer = torch.optim.{kind.__name__}({', '.join(arguments)})",),
        step=("optimizer.step()",),
        clear=("optimizer.zero_grad()",),
        new_rate=() if own_rate else ('optimizer.param_groups[0]["lr"] = learning_rate',),
    )


def _any_optimizer(rule: OptimizerRule, names: Names, taken: AbstractSet[str]) -> Update:
    kind = rule.optimizer_type
    if kind.__name__ not in _EACH_NUMBER_BY_ITSELF or kind is not getattr(
        torch.optim, kind.__name__
    ):
        raise ValueError(
            f"no script: a recording gives {rule.name} one tensor for all parameters, a script "
            "one for each, and that is known to be the same for "
            f"{', '.join(_EACH_NUMBER_BY_ITSELF)} of torch.optim only"
        )
    update = _made_by(rule, names, taken)
    if rule.scheduler is None:
        return update
    made = carried(rule.scheduler, "make_scheduler", taken)
    if made is None:
        raise _no_source("scheduler", rule.scheduler)
    return replace(
        update,
        setup=(*update.setup, f"scheduler = {made.called}(optimizer)"),
        step=(*update.step, "scheduler.step()"),
        new_rate=() if rule.own_rate else None,
        carried=(*update.carried, made),
    )


def _made_by(rule: OptimizerRule, names: Names, taken: AbstractSet[str]) -> Update:
    """The lines that make a rule's optimizer as its factory does."""
    factory, kind = rule.factory, rule.optimizer_type
    if factory is kind:
        return _optimizer(kind, names, {}, own_rate=rule.own_rate)
    if isinstance(factory, partial) and factory.func is kind and not factory.args:
        options = {key: value for key, value in factory.keywords.items() if key != "lr"}
        if rule.own_rate and "lr" in factory.keywords:
            options = {"lr": factory.keywords["lr"]} | options
        if all(_plain(value) for value in options.values()):
            return _optimizer(kind, names, options, own_rate=rule.own_rate)
    made = carried(factory, "make_optimizer", taken)
    if made is None:
        raise _no_source("rule", factory)
    rate = "" if rule.own_rate else ', "lr": learning_rate'
    return Update(
        setup=(
            f'groups = [{{"params": [{", ".join(names)}]{rate}}}]',
            f"optimizer = {made.called}(groups)",
        ),
        step=("optimizer.step()",),
        clear=("optimizer.zero_grad()",),
        new_rate=() if rule.own_rate else ('optimizer.param_groups[0]["lr"] = learning_rate',),
        carried=(made,),
    )


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_plain, value))
    return value is None or type(value) in {bool, int, float}


def _no_source(name: str, function: Any) -> ValueError:
    return ValueError(
        f"no script: the source of {name} {checks.shown(function)} cannot be had, or it refers to "
        "something that cannot be written down; define it with def or lambda in a cell or file"
    )


WRITERS: Mapping[type, Callable[[Any, Names, AbstractSet[str]], Update]] = MappingProxyType(
    {
        GradientDescent: _gradient_descent,
        Momentum: _momentum,
        Nesterov: _nesterov,
        RMSprop: _rmsprop,
        Adam: _adam,
        OptimizerRule: _any_optimizer,
    }
)
"""The function that writes the rules of a type."""
