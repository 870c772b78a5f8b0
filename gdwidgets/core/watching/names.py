"""What the loop's own code calls its tensors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

import torch
from torch import Tensor

_MOST_FRAMES = 24
_MOST_ITEMS = 64
_NOT_THE_LOOPS = ("torch", "gdwidgets")
_WATCHING = "gdwidgets.core.watching."


def calling_frames() -> Iterator[FrameType]:
    """The frames that called torch, nearest first; torch's own and this package's left out."""
    return _loops_own(sys._getframe(1))  # noqa: SLF001 - the documented way to a caller's names


def called_by_the_package(until: CodeType | None = None) -> bool:
    """Whether this package itself called torch just now, as an explorer inside the block does.

    Parameters
    ----------
    until
        Code of the function that calls the loop. Where it is given, all frames up to its own are
        looked at, and not only the one that called torch.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as above
    while frame is not None and frame.f_code is not until:
        module = frame.f_globals.get("__name__")
        name = module if isinstance(module, str) else ""
        top = name.partition(".")[0]
        if top == "gdwidgets" and not name.startswith(_WATCHING):
            return True
        if until is None and top not in _NOT_THE_LOOPS:
            return False
        frame = frame.f_back
    return False


def clears() -> bool:
    """Whether torch's own ``zero_grad`` looks at a tensor's gradient just now."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - as above
    while frame is not None and _foreign(frame):
        if frame.f_code.co_name == "zero_grad":
            return True
        frame = frame.f_back
    return False


def traceback_frames(traceback: TracebackType | None) -> list[FrameType]:
    """The frames that an exception passed through, innermost first."""
    frames: list[FrameType] = []
    while traceback is not None:
        if not _foreign(traceback.tb_frame):
            frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return frames[::-1]


class Named(NamedTuple):
    """What a tensor is called, and by which code."""

    name: str
    code: CodeType | None


def find_names(
    tensors: Iterable[Tensor], frames: Iterable[FrameType], wanted: tuple[str, ...] = ()
) -> dict[int, Named]:
    """Names of tensors, by ``id``, from the variables of frames; nearest frame first.

    A tensor is found as a variable (``u``), in a list, tuple or dict (``params[0]``), as an
    attribute (``self.u``) or as a module's parameter (``0.weight``).

    Parameters
    ----------
    tensors
        What to find, by identity.
    frames
        Where to look.
    wanted
        Names that are taken in any frame in preference to others of a nearer frame.
    """
    looked_for = {id(tensor) for tensor in tensors}
    names: dict[int, Named] = {}
    for frame in frames:
        if all(key in names and (not wanted or names[key].name in wanted) for key in looked_for):
            break
        here: dict[int, str] = {}
        for name, value in _pairs(frame.f_locals):
            for key, full in _within(name, value):
                if key in looked_for and _better(full, here.get(key), wanted):
                    here[key] = full
        for key, full in here.items():
            if key not in names or (full in wanted and names[key].name not in wanted):
                names[key] = Named(full, frame.f_code)
    return names


def looked_up(named: Named, frames: Iterable[FrameType]) -> Any:
    """What a variable of the same code is bound to now, or ``None``."""
    for frame in frames:
        if frame.f_code is named.code:
            return frame.f_locals.get(named.name)
    return None


def _loops_own(frame: FrameType | None) -> Iterator[FrameType]:
    count = 0
    while frame is not None and count < _MOST_FRAMES:
        if not _foreign(frame):
            count += 1
            yield frame
        frame = frame.f_back


def _foreign(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__")
    return isinstance(module, str) and module.partition(".")[0] in _NOT_THE_LOOPS


def _pairs(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    # IPython keeps results under names such as _ and _12.
    return [(name, value) for name, value in variables.items() if not name.startswith("_")]


def _better(name: str, other: str | None, wanted: tuple[str, ...]) -> bool:
    if other is None or (name in wanted and other not in wanted):
        return True
    return other not in wanted and _plain(name) and not _plain(other)


def _plain(name: str) -> bool:
    return name.isidentifier()


def _within(name: str, value: Any) -> list[tuple[int, str]]:
    """Tensors in a variable, as (id, name)."""
    if isinstance(value, Tensor):
        return [(id(value), name)]
    if isinstance(value, torch.nn.Module):
        return [(id(one), own) for own, one in value.named_parameters()]
    items: list[tuple[str, Any]] = []
    if isinstance(value, (list, tuple)):
        items = [(f"{name}[{place}]", item) for place, item in enumerate(value[:_MOST_ITEMS])]
    elif isinstance(value, dict):
        keys = list(value)[:_MOST_ITEMS]
        items = [(key if isinstance(key, str) else f"{name}[{key!r}]", value[key]) for key in keys]
    elif name == "self":
        items = list(getattr(value, "__dict__", {}).items())[:_MOST_ITEMS]
    return [(id(item), full) for full, item in items if isinstance(item, Tensor)]
