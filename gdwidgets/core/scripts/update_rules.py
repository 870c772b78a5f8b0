"""Update rules as source text: one small function for each rule, found by its exact type.

By the exact type, because a subclass may update in its own way, and its script would then give
other numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from gdwidgets.core import checks
from gdwidgets.core.rules.adaptive import Adam, RMSprop
from gdwidgets.core.rules.momentum import GradientDescent, Momentum, Nesterov
from gdwidgets.core.rules.protocol import Rule
from gdwidgets.core.scripts import literals


@dataclass(frozen=True)
class Update:
    """The lines that a rule adds to a training loop."""

    setup: tuple[str, ...]
    """Before the loop."""
    step: tuple[str, ...]
    """The update itself."""
    clear: tuple[str, ...]
    """What clears the gradients."""
    new_rate: tuple[str, ...] = ()
    """What must follow when ``learning_rate`` has been given another value."""


def written_rule(rule: Rule, names: Sequence[str], *, indent: int = 0) -> Update:
    """How a rule updates the parameters of these names, in a loop indented by so many columns.

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
    update = writer(rule, names)
    return replace(update, setup=tuple(literals.fitted(update.setup, indent=indent)))


def _gradient_descent(_: GradientDescent, names: Sequence[str]) -> Update:
    return Update(
        setup=(),
        step=(
            "with torch.no_grad():",
            *(f"    {name} -= learning_rate * {name}.grad" for name in names),
        ),
        clear=tuple(f"{name}.grad = None" for name in names),
    )


def _momentum(rule: Momentum, names: Sequence[str]) -> Update:
    return optimizer("SGD", names, {"momentum": float(rule.beta)})


def _nesterov(rule: Nesterov, names: Sequence[str]) -> Update:
    # torch.optim refuses Nesterov momentum of 0, which is plain descent.
    options = {"momentum": float(rule.beta), "nesterov": True} if rule.beta else {}
    return optimizer("SGD", names, options)


def _rmsprop(rule: RMSprop, names: Sequence[str]) -> Update:
    return optimizer("RMSprop", names, {"alpha": float(rule.alpha), "eps": float(rule.eps)})


def _adam(rule: Adam, names: Sequence[str]) -> Update:
    betas = float(rule.beta1), float(rule.beta2)
    # Adam divides the rate by 1 - beta1**t, the recording in float32: so does torch where the rate
    # is a tensor. Of a Python number it would divide the float64.
    rate = f"torch.tensor(learning_rate{literals.settings()})"
    return optimizer("Adam", names, {"betas": betas, "eps": float(rule.eps)}, rate)


def optimizer(
    name: str, names: Sequence[str], options: Mapping[str, Any], rate: str = "learning_rate"
) -> Update:
    """The lines of an optimizer of ``torch.optim``; options that are torch's own are left out."""
    given = [
        f"{key}={value!r}"
        for key, value in options.items()
        if value != _DEFAULTS.get(name, {}).get(key)
    ]
    arguments = [f"[{', '.join(names)}]", f"lr={rate}", *given]
    return Update(
        setup=(f"optimizer = torch.optim.{name}({', '.join(arguments)})",),
        step=("optimizer.step()",),
        clear=("optimizer.zero_grad()",),
        new_rate=(f'optimizer.param_groups[0]["lr"] = {rate}',),
    )


_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "SGD": {"momentum": 0.0, "nesterov": False},
        "RMSprop": {"alpha": 0.99, "eps": 1e-8},
        "Adam": {"betas": (0.9, 0.999), "eps": 1e-8},
    }
)

WRITERS: Mapping[type, Callable[[Any, Sequence[str]], Update]] = MappingProxyType(
    {
        GradientDescent: _gradient_descent,
        Momentum: _momentum,
        Nesterov: _nesterov,
        RMSprop: _rmsprop,
        Adam: _adam,
    }
)
"""The function that writes the rules of a type."""
