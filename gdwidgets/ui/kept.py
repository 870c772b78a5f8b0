"""What is on the screen as Python: the lines that build an explorer with the same settings."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from gdwidgets.core.scripts.literals import call

Imports = set[tuple[str, str]]
"""Modules, and the names that are imported from them; an empty name for the module itself."""

PUBLIC = ("gdwidgets", "gdwidgets.core", "gdwidgets.core.rules.schedules", "torch.optim")
"""Modules that a name is looked for in, in this order, before the one it was defined in."""


class NotWritten(Exception):  # noqa: N818 - no error: a value that has no short source text
    """A value that no short Python expression builds, such as a function of the user's."""


def expression(value: Any, imports: Imports) -> str:  # noqa: PLR0911 - one for each kind
    """A value as a Python expression; adds the imports it needs.

    Raises
    ------
    NotWritten
        When there is none.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, (bool, int)):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, (tuple, list)):
        parts = ", ".join(expression(one, imports) for one in value)
        if isinstance(value, list):
            return f"[{parts}]"
        return f"({parts},)" if len(value) == 1 else f"({parts})"
    if isinstance(value, Mapping):
        return entries(value, imports)
    if isinstance(value, type):
        return _name(value, imports)
    if dataclasses.is_dataclass(value):
        given = [
            f"{field.name}={expression(getattr(value, field.name), imports)}"
            for field in dataclasses.fields(value)
            if field.init and not _is_default(field, getattr(value, field.name))
        ]
        return f"{_name(type(value), imports)}({', '.join(given)})"
    raise NotWritten


def entries(settings: Mapping[str, Any], imports: Imports) -> str:
    """A mapping as a ``dict`` display.

    Raises
    ------
    NotWritten
        When a value has no expression.
    """
    parts = [
        f"{expression(key, imports)}: {expression(value, imports)}"
        for key, value in settings.items()
    ]
    return "{" + ", ".join(parts) + "}"


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of one of an explorer's methods."""

    method: str
    arguments: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Its keyword arguments."""


def rebuilding(
    explorer: type,
    settings: Mapping[str, Any],
    situation: Mapping[str, Any],
    *,
    calls: Sequence[Call] = (),
    notes: Sequence[str] = (),
) -> str:
    """The lines that build an explorer, bring back what is on its screen, and show it.

    Parameters
    ----------
    explorer
        Its class.
    settings
        Those that a new one does not have anyway.
    situation
        The same as an entry for ``situations``.
    calls
        What is called once it is built.
    notes
        What is left out, in sentences.
    """
    imports: Imports = set()
    own: dict[str, None] = {}
    written = [(f"explorer = {_name(explorer, imports)}", _arguments(settings, imports, own))]
    for made in calls:
        first = [expression(value, imports) for value in made.arguments]
        named = _arguments(made.settings, imports, own)
        written.append((f"explorer.{made.method}", [*first, *named]))
    lines = _import_lines(imports)
    lines += [f"# {name} is an object of your own: define it before" for name in own]
    lines += [line for head, arguments in written for line in call(head, arguments)]
    lines += [f"# {note}" for note in notes]
    lines.append("explorer")
    try:
        entry = entries(situation, set())
    except NotWritten:
        return "\n".join(lines)
    if situation:
        lines += ["", "# as an entry of situations={...}:", f'# "my situation": {entry},']
    return "\n".join(lines)


def _arguments(settings: Mapping[str, Any], imports: Imports, own: dict[str, None]) -> list[str]:
    """Settings as keyword arguments; adds to ``own`` the names of those without an expression."""
    found = []
    for name, value in settings.items():
        try:
            found.append(f"{name}={expression(value, imports)}")
        except NotWritten:
            found.append(f"{name}={name}")
            own[name] = None
    return found


def _import_lines(imports: Imports) -> list[str]:
    """One line for each module, and an empty one."""
    lines = [f"import {module}" for module, name in sorted(imports) if not name]
    for module in sorted({module for module, name in imports if name}):
        names = sorted(name for one, name in imports if one == module and name)
        lines.append(f"from {module} import {', '.join(names)}")
    return [*lines, ""]


def _name(thing: type, imports: Imports) -> str:
    """The name of a class as it is imported from where it is public.

    Raises
    ------
    NotWritten
        When it cannot be imported by its name.
    """
    name = thing.__name__
    for module in (*PUBLIC, thing.__module__):
        try:
            found = getattr(importlib.import_module(module), name, None)
        except ImportError:
            continue
        if found is thing and module != "__main__":
            if module == "torch.optim":
                imports.add(("torch", ""))
                return f"torch.optim.{name}"
            imports.add((module, name))
            return name
    if thing.__module__ == "__main__":  # the notebook's own, which is there already
        return name
    raise NotWritten


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    return (
        field.default is not dataclasses.MISSING
        and type(field.default) is type(value)
        and bool(field.default == value)
    )
