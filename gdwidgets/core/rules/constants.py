"""Constants that describe themselves: of update rules (β, α, ε, …) and of schedules.

A constant is declared once, as the field of a frozen dataclass::

    @dataclass(frozen=True)
    class Momentum(Constants):
        beta: float = number(0.9, "β", "How much of the velocity is kept.", low=0, below=1)

From this come the check of what is given, the default, and everything a user interface needs to
make a control: ``Momentum().constants()``. ``dataclasses.replace(rule, beta=0.5)`` changes one.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from gdwidgets.core import checks


@dataclass(frozen=True)
class Constant:
    """What is known of a constant before it has a value."""

    name: str
    """The field's name, such as ``"beta"``."""

    symbol: str
    """How formulas write it, such as ``"β"``; empty where its name stands alone."""

    kind: Literal["number", "whole number", "switch"]

    default: float | int | bool

    help: str
    """A sentence on what it does."""

    low: float = -math.inf
    """The lower end of the accepted values."""

    high: float = math.inf
    """The upper end of the accepted values."""

    open_below: bool = False
    """Whether ``low`` itself is not accepted."""

    open_above: bool = False
    """Whether ``high`` itself is not accepted."""

    @property
    def accepted(self) -> str:
        """What is accepted, in words: ``"a number, at least 0 and less than 1"``."""
        if self.kind == "switch":
            return "True or False"
        low = f"{'greater than' if self.open_below else 'at least'} {self.low:.10g}"
        high = f"{'less than' if self.open_above else 'at most'} {self.high:.10g}"
        limits = [low] * (self.low > -math.inf) + [high] * (self.high < checks.UNBOUNDED)
        return f"a {self.kind}" + (", " + " and ".join(limits) if limits else "")

    def check(self, value: Any) -> float | int | bool:
        """``value`` in its proper type.

        Raises
        ------
        ValueError
            Names the constant, what is accepted and what was given.
        """
        if self.kind == "switch":
            return checks.boolean(value, self.name)
        if self.kind == "whole number":
            return checks.integer(value, self.name, int(self.low), int(self.high))
        number = checks.real(value, self.name)
        below = number <= self.low if self.open_below else number < self.low
        above = number >= self.high if self.open_above else number > self.high
        if below or above:
            raise ValueError(f"{self.name} must be {self.accepted}, got {checks.shown(value)}")
        return number


@runtime_checkable
class HasConstants(Protocol):
    """A rule or schedule that describes its constants; one of a user's own may as well."""

    def constants(self) -> tuple[Constant, ...]:
        """The constants in the order of the fields."""


class Constants:
    """Base of frozen dataclasses whose fields are declared with `number`, `whole` or `switch`."""

    def __post_init__(self) -> None:
        """Check every constant and keep it in its proper type."""
        for constant in self.constants():
            value = constant.check(getattr(self, constant.name))
            object.__setattr__(self, constant.name, value)

    @classmethod
    def constants(cls) -> tuple[Constant, ...]:
        """The constants in the order of the fields."""
        given: Any = cls  # a dataclass, but for classes that only inherit
        if not dataclasses.is_dataclass(given):
            return ()
        return tuple(
            dataclasses.replace(field.metadata["constant"], name=field.name)
            for field in dataclasses.fields(given)
            if "constant" in field.metadata
        )


def constants_of(described: object) -> tuple[Constant, ...]:
    """The constants of a rule or schedule; none where it does not describe any."""
    if isinstance(described, HasConstants) and not isinstance(described, type):
        return tuple(described.constants())
    return ()


def number(
    default: float,
    symbol: str,
    help: str,  # noqa: A002 - what it is called in a user interface
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
) -> Any:
    """A field that holds a finite number: at least ``low`` or ``above``, at most … or ``below``."""
    constant = Constant(
        name="",
        symbol=symbol,
        kind="number",
        default=default,
        help=help,
        low=next((limit for limit in (above, low) if limit is not None), -math.inf),
        high=next((limit for limit in (below, high) if limit is not None), math.inf),
        open_below=above is not None,
        open_above=below is not None,
    )
    return dataclasses.field(default=default, metadata={"constant": constant})


def whole(
    default: int,
    symbol: str,
    help: str,  # noqa: A002 - as in `number`
    low: int,
    high: int = checks.UNBOUNDED,
) -> Any:
    """A field that holds a whole number from ``low`` to ``high``."""
    constant = Constant("", symbol, "whole number", default, help, low, high)
    return dataclasses.field(default=default, metadata={"constant": constant})


def switch(default: bool, symbol: str, help: str) -> Any:  # noqa: A002 - as in `number`
    """A field that is on or off."""
    constant = Constant("", symbol, "switch", default, help)
    return dataclasses.field(default=default, metadata={"constant": constant})


def decaying_weights() -> Any:
    """The field of a rule that adds λ p to every gradient, as ``torch.optim`` does.

    On the screen it has no symbol: there λ is a curvature.
    """
    return number(
        0.0,
        "",
        "Adds this times the parameter to its gradient, which draws parameters towards 0.",
        low=0,
    )


def decayed(grad: Tensor, params: Tensor, weight_decay: float) -> Tensor:
    """The gradient with λ p added, with the operation and so the bits of ``torch.optim``."""
    return torch.add(grad, params, alpha=weight_decay) if weight_decay else grad
