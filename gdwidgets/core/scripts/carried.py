"""Functions of a user's that a script carries along: imports, definitions, and their name there."""

from __future__ import annotations

import builtins
import sys
import textwrap
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from gdwidgets.core.scripts.source import standalone


@dataclass(frozen=True)
class Carried:
    """A function as a script has it."""

    called: str
    """Its name there."""
    imports: frozenset[str]
    """Lines of import statements."""
    lines: tuple[str, ...]
    """Assignments and definitions, without empty lines around them."""


def carried(function: Callable[..., Any], role: str, taken: AbstractSet[str]) -> Carried | None:
    """A function with all that it refers to.

    Parameters
    ----------
    function
        A ``def`` or a lambda.
    role
        What a lambda is called; also part of other names where they are taken.
    taken
        Names that the rest of the script defines.

    Returns
    -------
    Carried or None
        ``None`` where its source cannot be had; see `function_source`.
    """
    made = standalone(function, role)
    if made is None:
        return None
    lines = made.text.rstrip("\n").splitlines()
    count = sum(1 for _ in takewhile(lambda line: line.startswith(("import ", "from ")), lines))
    imports = frozenset(lines[:count])
    rest = tuple("\n".join(lines[count:]).strip("\n").splitlines())
    if not any(name in taken or hasattr(builtins, name) for name in made.names):
        return Carried(made.name, imports, rest)
    # A name of the function's is one of the script's too: the definitions stand by themselves.
    room = textwrap.indent(made.text.rstrip("\n"), "    ").splitlines()
    own = f"own_{role}"
    head = f"def make_{own}():"
    rest = (head, *room, "", f"    return {made.name}", "", "", f"{own} = make_{own}()")
    return Carried(own, frozenset(), rest)


def import_block(imports: Iterable[str]) -> list[str]:
    """Imports of the standard library, an empty line, all others; of modules before names."""
    inside: list[str] = []
    outside: list[str] = []
    for line in sorted(set(imports), key=lambda line: (line.startswith("from "), line)):
        top = line.split()[1].split(".")[0]
        (inside if top in sys.stdlib_module_names else outside).append(line)
    return [*inside, *([""] if inside else []), *outside]


def definitions(functions: Iterable[Carried | None]) -> list[str]:
    """The lines that define functions, each once, with the empty lines a reader expects."""
    lines: list[str] = []
    for one in dict.fromkeys(made for made in functions if made is not None):
        gap = ["", ""] if one.lines[0].startswith("def ") else [""]
        lines += [*gap, *one.lines]
    return [*lines, "", ""] if lines else []
