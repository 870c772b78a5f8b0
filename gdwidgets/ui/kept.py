"""What is on the screen as Python: the lines that build an explorer with the same settings."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from collections.abc import Mapping
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


def rebuilding(
    explorer: type, settings: Mapping[str, Any], step: int, situation: Mapping[str, Any]
) -> str:
    """The lines that build an explorer, go to its step and show it.

    Parameters
    ----------
    explorer
        Its class.
    settings
        Those that a new one does not have anyway.
    step
        The cursor.
    situation
        The same as an entry for ``situations``.
    """
    imports: Imports = set()
    head = f"explorer = {_name(explorer, imports)}"
    arguments, own = [], []
    for name, value in settings.items():
        try:
            arguments.append(f"{name}={expression(value, imports)}")
        except NotWritten:
            arguments.append(f"{name}={name}")
            own.append(name)
    lines = _import_lines(imports)
    lines += [f"# {name} is an object of your own: define it before" for name in own]
    lines += call(head, arguments)
    lines += [f"explorer.seek({step})"] if step else []
    lines.append("explorer")
    try:
        written = entries(situation, set())
    except NotWritten:
        return "\n".join(lines)
    if situation:
        lines += ["", "# as an entry of situations={...}:", f'# "my situation": {written},']
    return "\n".join(lines)


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
