"""Plain-worded checks of what people give; each returns the value in its proper type."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

from traitlets import TraitError, TraitType


class Checked(TraitType[Any, Any]):
    """A trait whose values pass a check of ours first, ``None`` included.

    Parameters
    ----------
    default
        The default value.
    check
        Returns a given value in its proper type, or raises ``TraitError`` or ``ValueError``.
    """

    def __init__(self, default: Any, check: Callable[[Any], Any]) -> None:
        super().__init__(default)
        self._check = check

    def validate(self, obj: Any, value: Any) -> Any:
        """Check a value that somebody assigns."""
        return self._check(value)


def real(value: Any, name: str, *, above: float = -math.inf, infinite: bool = False) -> float:
    """A finite number greater than ``above``; with ``infinite``, infinity too.

    Raises
    ------
    TraitError
        Says what was given and what is accepted.
    """
    accepted = "a number" if above == -math.inf else f"a number greater than {above:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TraitError(f"{name} must be {accepted}, not {value!r}")
    result = float(value)
    if math.isnan(result) or (math.isinf(result) and not infinite) or result <= above:
        raise TraitError(f"{name} must be {accepted}, not {value!r}")
    return result


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``.

    Raises
    ------
    TraitError
        Says what was given and what is accepted.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise TraitError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return int(value)


def point(value: Any, name: str, size: int = 2) -> tuple[float, ...]:
    """A point: ``size`` finite numbers.

    Raises
    ------
    TraitError
        Says what was given and what is accepted.
    """
    try:
        numbers = tuple(value.tolist() if hasattr(value, "tolist") else value)
        if len(numbers) == size and not isinstance(value, str):
            return tuple(real(item, name) for item in numbers)
    except TypeError:
        pass
    except TraitError:
        pass
    raise TraitError(f"{name} must be {size} finite numbers, not {value!r}")


def one_of(value: Any, name: str, accepted: Iterable[str]) -> str:
    """One of a set of names; an unknown one is answered with the nearest.

    Raises
    ------
    TraitError
        Says what was given, what is nearest and what is accepted.
    """
    names = list(accepted)
    if isinstance(value, str) and value in names:
        return value
    raise TraitError(f"{name} must be one of {', '.join(names)}, not {value!r}{near(value, names)}")


def near(value: Any, names: Iterable[str]) -> str:
    """A question that offers the nearest of ``names``; empty when none is near."""
    match = difflib.get_close_matches(str(value), list(names), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""
