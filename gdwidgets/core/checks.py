"""The checks of what people give: each returns the value in its proper type, or raises.

Every check has the form ``check(value, name, ...) -> value`` and raises `ValueError` with one
sentence: the setting's name, what is accepted, and what was given, shortened by `shown`. None of
them raises anything else, whatever it is given.
"""

from __future__ import annotations

import difflib
import math
import numbers
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch

Value = TypeVar("Value")

MOST_STEPS = 10_000_000
"""The most updates a descent can make."""

UNBOUNDED = 2**62
"""The largest whole number anywhere; messages do not speak of it."""

_LONGEST = 60
_LONGEST_SAID = 120
_FEW = 8

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where an object lies in memory, which tells nobody anything."""


def integer(value: Any, name: str, low: int, high: int = UNBOUNDED) -> int:
    """``value`` as an int in [low, high].

    Whole numbers of any type are accepted: 10, 10.0, numpy's, tensors and arrays of one number.
    """
    number = _number(value)
    whole = None
    if isinstance(number, numbers.Integral):
        whole = _int(number)
    elif number is not None and _float(number).is_integer():
        whole = int(_float(number))
    if whole is None or not low <= whole <= high:
        limits = f" from {low} to {high}" if high < UNBOUNDED else f", at least {low}"
        raise ValueError(f"{name} must be a whole number{limits}, got {shown(value)}")
    return whole


def real(
    value: Any,
    name: str,
    *,
    above: float = -math.inf,
    low: float = -math.inf,
    high: float = math.inf,
    infinite: bool = False,
) -> float:
    """``value`` as a finite float, greater than ``above`` and in [low, high].

    Tensors and arrays of one number are numbers, bools are not. With ``infinite``, infinity within
    the limits is accepted too.
    """
    number = _number(value)
    if number is None:
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    result = _float(number)
    if math.isnan(result) or (math.isinf(result) and not infinite):
        raise ValueError(f"{name} must be a finite number, got {shown(value)}")
    if result <= above and above > -math.inf:
        raise ValueError(f"{name} must be greater than {above:g}, got {shown(value)}")
    if not low <= result <= high:
        accepted = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        accepted = f"at most {high:g}" if low == -math.inf else accepted
        raise ValueError(f"{name} must be {accepted}, got {shown(value)}")
    return result


def positive(value: Any, name: str) -> float:
    """``value`` as a finite float above zero."""
    return real(value, name, above=0)


def fraction(value: Any, name: str) -> float:
    """``value`` as a float in [0, 1)."""
    number = real(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {shown(value)}")
    return number


def boolean(value: Any, name: str) -> bool:
    """``value`` as a bool; numpy's and tensors of one bool are accepted, numbers are not."""
    flag = _only_item(value)
    if not isinstance(flag, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(flag)


def text(value: Any, name: str) -> str:
    """``value`` as a str."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {shown(value)}")
    return str.__str__(value)  # what a subclass has made of str() does not matter


def one_of(value: Any, name: str, accepted: Iterable[str]) -> str:
    """One of a set of names; the message names the nearest."""
    names = list(accepted)
    if isinstance(value, str) and str.__str__(value) in names:
        return str.__str__(value)
    known = ", ".join(map(repr, names))
    raise ValueError(f"{name} must be one of {known}, got {shown(value)}{nearest(value, names)}")


def nearest(value: Any, names: Iterable[str]) -> str:
    """``"; did you mean 'adam'?"`` for the nearest of ``names``, or nothing where none is near."""
    if not isinstance(value, str) or len(str.__str__(value)) > _LONGEST:
        return ""
    by_case = {name.lower(): name for name in names}
    found = difflib.get_close_matches(str.__str__(value).lower(), by_case, n=1, cutoff=0.4)
    return f"; did you mean {by_case[found[0]]!r}?" if found else ""


def point(value: Any, name: str, size: int = 2) -> tuple[float, ...]:
    """A point as a tuple of ``size`` finite floats."""
    array = _float64_or_none(value)
    if array is None or array.shape != (size,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be {size} finite numbers, got {shown(value)}")
    return tuple(array.tolist())


def points(value: Any, name: str, size: int = 2) -> tuple[tuple[float, ...], ...]:
    """Any number of points, none included, as tuples of ``size`` finite floats."""
    array = _float64_or_none(value)
    if array is not None and array.shape == (0,):
        return ()
    if array is None or array.ndim != 2 or array.shape[1] != size or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must be a sequence of points of {size} finite numbers each, got {shown(value)}"
        )
    return tuple(map(tuple, array.tolist()))


def optional(
    check: Callable[..., Value], *limits: Any, **more: Any
) -> Callable[[Any, str], Value | None]:
    """A check that lets ``None`` pass and hands anything else, with the limits, to ``check``."""

    def checked(value: Any, name: str) -> Value | None:
        return None if value is None else check(value, name, *limits, **more)

    return checked


def float64_array(value: Any, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers in any common container as a new float64 array; bools and text are rejected."""
    array = _float64_or_none(value)
    if array is None:
        raise ValueError(f"{name} must be numbers, got {shown(value)}")
    return array


def finite_float32(value: Any, name: str) -> torch.Tensor:
    """Numbers as a new float32 tensor on the CPU, all of them finite in float32."""
    array = float64_array(value, name)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {shown(value)}")
    # from_numpy and clone: no default dtype or device comes in, and the caller keeps their data.
    tensor = torch.from_numpy(array).to(torch.float32).clone()
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} must fit into float32 (up to 3.4e38), got {shown(value)}")
    return tensor


def items(value: Any) -> list[Any] | None:
    """The items of a sequence or of a one-dimensional tensor or array; ``None`` for all others.

    Text is none of these, nor is what cannot be read.
    """
    try:
        if isinstance(value, (torch.Tensor, np.ndarray)):
            return list(value) if value.ndim == 1 else None
        if isinstance(value, (str, bytes, bytearray, memoryview)):
            return None
        if isinstance(value, range) and len(value) > MOST_STEPS:
            return None  # as good as endless
        return list(value) if isinstance(value, Sequence) else None
    except Exception:  # noqa: BLE001 - containers of any making
        return None


def mapping(value: Any) -> dict[Any, Any] | None:
    """A mapping as a new dict; ``None`` for all others, and for what cannot be read."""
    try:
        return dict(value) if isinstance(value, Mapping) else None
    except Exception:  # noqa: BLE001 - containers of any making
        return None


def fits(value: Any, protocol: Any) -> bool:
    """Whether an object, no class, has what a protocol asks for; not where that raises."""
    try:
        return not isinstance(value, type) and isinstance(value, protocol)
    except Exception:  # noqa: BLE001 - a property of the user's may raise anything
        return False


def raised(error: BaseException) -> str:
    """An exception of the user's as a message repeats it: its type and at most 120 characters."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - an exception of the user's own making
        said = ""
    said = said if len(said) <= _LONGEST_SAID else said[: _LONGEST_SAID - 3] + "..."
    return f"{type(error).__name__}: {said}"


def shown(value: object) -> str:
    """``value`` as an error message shows it, in at most 60 characters.

    Nothing long is spelled out to be cut afterwards: of a container the first items are looked at,
    of a tensor or array with more than a few numbers the dtype and shape.
    """
    try:
        shortened = _short(value, 2)
    except Exception:  # noqa: BLE001 - a repr of the user's may raise anything
        shortened = f"an object of type {type(value).__name__}"
    shortened = _ADDRESS.sub("", shortened.replace("\n", " "))
    return shortened if len(shortened) <= _LONGEST else shortened[: _LONGEST - 3] + "..."


def _short(value: object, depth: int) -> str:  # noqa: PLR0911 - one return for each kind
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"a whole number of about {int(value.bit_length() * math.log10(2)) + 1} digits"
    if isinstance(value, str):
        return repr(str(value[: 2 * _LONGEST]))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return repr(bytes(value[:_LONGEST]))
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return _short_array(value, depth)
    if isinstance(value, (Mapping, list, tuple, set, frozenset, deque)):
        return _short_container(value, depth)
    if isinstance(value, Sized) and not isinstance(value, (type, range)) and len(value) > _FEW:
        return f"{type(value).__name__} of length {len(value)}"
    return repr(value)


def _short_array(value: torch.Tensor | np.ndarray[Any, Any], depth: int) -> str:
    kind = "tensor" if isinstance(value, torch.Tensor) else "array"
    if math.prod(value.shape) <= _FEW:
        try:
            return f"{kind}({_short(value.tolist(), depth + value.ndim)})"
        except (RuntimeError, TypeError, ValueError):  # tensors without readable numbers
            pass
    layout = ""
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        layout = f", {value.layout}"
    return f"{kind} of shape {tuple(value.shape)}, {value.dtype}{layout}"


def _short_container(value: Any, depth: int) -> str:
    opening, closing = "[", "]"
    if isinstance(value, tuple):
        opening, closing = "(", ",)" if len(value) == 1 else ")"
    elif isinstance(value, (Mapping, set, frozenset)):
        opening, closing = "{", "}"
    if not depth and len(value):
        return f"{opening}...{closing}"
    items = [
        f"{_short(item, depth - 1)}: {_short(value[item], depth - 1)}"
        if isinstance(value, Mapping)
        else _short(item, depth - 1)
        for item in islice(value, _FEW)
    ]
    return opening + ", ".join(items + ["..."] * (len(value) > _FEW)) + closing


def _only_item(value: Any) -> Any:
    """What a tensor or array of one item holds, ``None`` for others; anything else as it is."""
    if not isinstance(value, (torch.Tensor, np.ndarray)):
        return value
    try:
        return value.item() if math.prod(value.shape) == 1 else None
    except Exception:  # noqa: BLE001 - meta, sparse and other tensors without readable numbers
        return None


def _number(value: Any) -> numbers.Real | None:
    """``value``, or what it holds as its only item, where that is a real number; else ``None``."""
    item = _only_item(value)
    return None if isinstance(item, bool) or not isinstance(item, numbers.Real) else item


def _int(number: numbers.Integral) -> int | None:
    """A whole number as an int; ``None`` where it cannot be had."""
    try:
        return int(number)
    except Exception:  # noqa: BLE001 - a number of the user's own making
        return None


def _float(number: numbers.Real) -> float:
    """A real number as a float, one that is too large as infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf
    except Exception:  # noqa: BLE001 - a number of the user's own making
        return math.nan


def _float64_or_none(value: Any) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """Numbers as a new float64 array; ``None`` where they are none."""
    try:
        raw = np.asarray(_unwrapped(value))
        if raw.dtype.kind == "O":
            are_numbers = all(_number(item) is not None for item in raw.flat)
        else:
            are_numbers = raw.dtype.kind in "iuf" or not raw.size
        return np.array(raw, dtype=np.float64) if are_numbers else None
    except Exception:  # noqa: BLE001 - containers and numbers of any making
        return None


def _unwrapped(value: Any) -> Any:
    """Nested sequences with arrays for tensors; raises where bools or unreadable tensors are."""
    if isinstance(value, torch.Tensor):
        if value.is_quantized or value.is_complex() or value.dtype == torch.bool:
            raise TypeError(value.dtype)
        return value.detach().cpu().to(torch.float64).numpy()
    if isinstance(value, (list, tuple)):
        return [_unwrapped(item) for item in value]
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(value)
    if isinstance(value, np.ndarray) and value.dtype == np.bool_:
        raise TypeError(value.dtype)
    return value
