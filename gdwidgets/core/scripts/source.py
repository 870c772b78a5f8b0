"""A user's function as source text that stands by itself, for scripts made from a run.

The definition is cut out of the file or notebook cell by its syntax tree; what it refers to is
written in front of it: modules as imports, numbers as assignments, other functions in full. Without
its annotations, which compute nothing, and broken into lines of at most 80 columns where it has
wider ones, for which a wide docstring is left out.
"""

from __future__ import annotations

import ast
import builtins
import dis
import importlib
import io
import keyword
import linecache
import math
import textwrap
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch

from gdwidgets.core.scripts.literals import WIDTH

LAMBDA_NAME = "function"
"""What a lambda is called in the text."""

_LIBRARIES = ("torch", "torch.nn.functional", "torch.special", "torch.linalg", "math", "numpy")
_LARGEST_TENSOR = 1000


class _NoSourceError(Exception):
    """Something the function needs cannot be written down."""


@dataclass(frozen=True)
class Standalone:
    """A definition with everything it needs."""

    name: str
    """What the function is called in the text."""

    text: str
    """Imports, assignments and definitions."""

    names: frozenset[str]
    """All names the text defines."""


def function_source(function: Callable[..., Any]) -> str | None:
    """Source text that defines ``function`` by itself.

    Parameters
    ----------
    function
        A ``def`` or a lambda, from a file or a notebook cell. It may refer to modules, numbers,
        texts, tuples of these, small tensors, torch's functions and further such functions.

    Returns
    -------
    str or None
        Text to execute in an empty namespace; a lambda is called ``function`` there. ``None`` where
        the source cannot be had or refers to something that cannot be written down.
    """
    made = standalone(function)
    return None if made is None else made.text


def standalone(function: Callable[..., Any], lambda_name: str = LAMBDA_NAME) -> Standalone | None:
    """As `function_source`, together with the names defined; a lambda has the name given."""
    if not isinstance(function, FunctionType):
        return None
    writer = _Writer()
    try:
        name = writer.add_function(function, lambda_name)
    except (_NoSourceError, SyntaxError, RecursionError):
        return None
    parts = ["\n".join(sorted(writer.imports)), "\n".join(writer.assignments)]
    text = "\n\n".join(part for part in parts if part)
    text = "\n\n\n".join(part for part in (text, *writer.definitions) if part)
    return Standalone(name, text + "\n", frozenset(writer.values))


@dataclass
class _Writer:
    imports: list[str] = field(default_factory=list)
    assignments: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add_function(self, function: FunctionType, lambda_name: str) -> str:
        node, lines = _find(function)
        name = lambda_name if isinstance(node, ast.Lambda) else node.name
        if not self._claim(name, function):
            return name
        for used, value in _references(function, node):
            self.add_value(used, value)
        self.definitions.append(_text(node, lines, name))
        return name

    def add_value(self, name: str, value: Any) -> None:
        if isinstance(value, FunctionType) and _library(value) is None:
            own = self.add_function(value, name)
            if own != name and self._claim(name, value):
                self.definitions.append(f"{name} = {own}")
            return
        if not self._claim(name, value):
            return
        if isinstance(value, ModuleType):
            self.imports.append(_import_module(name, value))
        elif (home := _library(value)) is not None:
            module, own = home
            self.imports.append(
                f"from {module} import {own}" + ("" if own == name else f" as {name}")
            )
        else:
            text = _literal(value)
            if "torch." in text and self._claim("torch", torch):
                self.imports.append("import torch")
            self.assignments.append(f"{name} = {text}")

    def _claim(self, name: str, value: Any) -> bool:
        """Whether the name is new; two meanings of one name cannot be written down."""
        if name not in self.values:
            self.values[name] = value
            return True
        known = self.values[name]
        if known is value or (type(known) is type(value) and repr(known) == repr(value)):
            return False
        raise _NoSourceError(name)


Definition = ast.Lambda | ast.FunctionDef


def _find(function: FunctionType) -> tuple[Definition, list[str]]:
    """The node of a function's definition, and the lines of the file it is in."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise _NoSourceError(code.co_filename)
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile("".join(lines), code.co_filename, "exec", flags, dont_inherit=True)
    kind = ast.Lambda if code.co_name == "<lambda>" else ast.FunctionDef
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, kind)
        and node.lineno == code.co_firstlineno
        and _same_code(node, code)
        and _inside(node, code)
    ]
    # A decorated function's first line is its decorator's: what it does is not in its body alone.
    if len(found) != 1:
        raise _NoSourceError(code.co_name)
    node = found[0]
    return node, lines


def _inside(node: Definition, code: CodeType) -> bool:
    """Whether the code was compiled from this node: every instruction lies within its text."""
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    for line, end_line, column, end_column in code.co_positions():
        if None in {line, end_line, column, end_column} or (column, end_column) == (0, 0):
            continue
        if not first <= (line, column) <= (end_line, end_column) <= last:
            return False
    return True


def _same_code(node: Definition, code: CodeType) -> bool:
    """Whether compiling the node gives the function's names and constants."""
    if isinstance(node, ast.Lambda):
        compiled = compile(ast.Expression(node), "", "eval", dont_inherit=True)
    else:
        compiled = compile(ast.Module([node], []), "", "exec", dont_inherit=True)
    mine = next(
        c for c in compiled.co_consts if isinstance(c, CodeType) and c.co_name == code.co_name
    )
    return _content(mine) == _content(code)


def _content(code: CodeType) -> tuple[Any, ...]:
    constants = tuple(
        _content(constant) if isinstance(constant, CodeType) else repr(constant)
        for constant in code.co_consts
        if constant is not None
    )
    names = frozenset(code.co_names) | frozenset(code.co_freevars)
    return code.co_varnames[: code.co_argcount], names, constants


def _text(node: Definition, lines: list[str], name: str) -> str:
    source = "".join(lines)
    segment = ast.get_source_segment(source, node, padded=True)
    if segment is None:
        raise _NoSourceError
    if isinstance(node, ast.FunctionDef):
        return _bare(textwrap.dedent(segment).rstrip())
    # The arguments and body may be spread over lines of a longer statement: written anew.
    arguments, body = ast.unparse(node.args), ast.unparse(node.body)
    return "\n".join([f"def {name}({arguments}):", *_narrow(f"    return {body}")])


def _bare(segment: str) -> str:
    """A definition without annotations and without lines that are too wide."""
    node = ast.parse(segment).body[0]
    if not isinstance(node, ast.FunctionDef):
        raise _NoSourceError
    rows = segment.splitlines()
    # The head ends with its logical line, in which a body of one line may stand.
    end = next(token for token in _tokens(segment) if token.type == tokenize.NEWLINE).start[0]
    first = node.body[0]
    one_line = first.lineno <= end
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    arguments += [extra for extra in (node.args.vararg, node.args.kwarg) if extra is not None]
    head = rows[:end]
    if node.returns is not None or any(argument.annotation for argument in arguments):
        for argument in arguments:
            argument.annotation = None
        node.returns = None
        if one_line:
            return ast.unparse(node)
        head = [f"def {node.name}({ast.unparse(node.args)}):"]
    if ast.get_docstring(node) is not None and len(node.body) > 1:
        last = first.end_lineno or first.lineno
        if any(len(row) > WIDTH for row in rows[first.lineno - 1 : last]):
            rows[end:last] = []
    if one_line and any(len(row) > WIDTH for row in rows):
        head = [f"def {node.name}({ast.unparse(node.args)}):"]
        return "\n".join([*head, *_fitted([f"    {ast.unparse(part)}" for part in node.body])])
    return "\n".join([*head, *_fitted(rows[end:])])


def _fitted(rows: list[str]) -> list[str]:
    """Lines of source within `WIDTH`; comments that follow each other are one paragraph."""
    fitted: list[str] = []
    for comment, group in groupby(rows, lambda row: row.lstrip().startswith("#")):
        lines = list(group)
        if comment and any(len(line) > WIDTH for line in lines):
            mark = lines[0][: len(lines[0]) - len(lines[0].lstrip())] + "# "
            text = " ".join(line.lstrip().lstrip("# ") for line in lines)
            fitted += textwrap.wrap(text, WIDTH, initial_indent=mark, subsequent_indent=mark)
        else:
            fitted += [part for line in lines for part in _narrow(line)]
    return fitted


def _narrow(row: str) -> list[str]:
    """A line of source in lines of at most `WIDTH`, where a sum or a call is what is wide."""
    indent = row[: len(row) - len(row.lstrip())]
    if len(row) <= WIDTH:
        return [row]
    try:
        ast.parse(
            row.strip() if not row.strip().startswith("return") else f"def _(): {row.strip()}"
        )
    except SyntaxError:  # part of a longer statement
        return [row]
    stripped = row.strip()
    cuts, commas, begin, depth, operand, bracket = [], [], 0, 0, False, 0
    for token in _tokens(stripped):
        text, column = token.string, token.start[1]
        if not begin and depth == 0 and text in {"return", "="}:
            begin = token.end[1]
        elif depth == 0 and operand and text in {"+", "-"}:
            cuts.append(column)
        elif depth == 1 and text == ",":
            commas.append(token.end[1])
        if depth == 0 and text == "(":
            bracket, commas = token.end[1], []
        depth += (text in {"(", "[", "{"}) - (text in {")", "]", "}"})
        operand = (
            token.type == tokenize.NUMBER
            or text in {")", "]", "}"}
            or (token.type == tokenize.NAME and not keyword.iskeyword(text))
        )
    if begin and cuts:
        head, tail, ends = f"{stripped[:begin]} (", ")", [begin, *cuts, len(stripped)]
    elif bracket and commas and stripped.endswith(")"):
        head, tail, ends = stripped[:bracket], ")", [bracket, *commas, len(stripped) - 1]
    else:
        return [row]
    parts = [stripped[a:b].strip() for a, b in pairwise(ends)]
    return [f"{indent}{head}", *(f"{indent}    {part}" for part in parts), f"{indent}{tail}"]


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text + "\n").readline)


def _references(function: FunctionType, node: Definition) -> Iterator[tuple[str, Any]]:
    """Names a definition refers to, with their values: first of defaults, as they were then."""
    positional = function.__defaults__ or ()
    defaults = list(zip(node.args.defaults, positional, strict=True))
    keywords = function.__kwdefaults__ or {}
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        if default is not None:
            defaults.append((default, keywords[argument.arg]))
    for expression, value in defaults:
        if isinstance(expression, ast.Name):
            yield expression.id, value
        else:
            for name in _names(expression):
                yield from _resolve(name, function)
    for name in _used(function.__code__):
        yield from _resolve(name, function)


def _names(expression: ast.AST | None) -> list[str]:
    if expression is None:
        return []
    return [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]


def _used(code: CodeType) -> list[str]:
    """Names a code object loads from outside itself, nested functions included."""
    names = [
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
    ]
    names += code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += [name for name in _used(constant) if name not in code.co_cellvars]
    return list(dict.fromkeys(names))


def _resolve(name: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if name in cells:
        try:
            yield name, cells[name].cell_contents
        except ValueError:
            raise _NoSourceError(name) from None
    elif name in function.__globals__:
        yield name, function.__globals__[name]
    elif not hasattr(builtins, name):
        raise _NoSourceError(name)


def _library(value: Any) -> tuple[str, str] | None:
    """Module and name under which torch, numpy or the standard library offers a value."""
    if not isinstance(value, (FunctionType, BuiltinFunctionType, type)) and not callable(value):
        return None
    own = getattr(value, "__name__", None)
    if not isinstance(own, str):
        return None
    for module in dict.fromkeys((*_LIBRARIES, str(getattr(value, "__module__", "")))):
        if module.split(".")[0] not in {"torch", "math", "numpy", "cmath", "operator"}:
            continue
        try:
            if getattr(importlib.import_module(module), own, None) is value:
                return module, own
        except ImportError:
            continue
    return None


def _import_module(name: str, module: ModuleType) -> str:
    full = module.__name__
    if full == "__main__":
        raise _NoSourceError(name)
    return f"import {full}" if full == name else f"import {full} as {name}"


def _literal(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype)):
        return repr(value)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(_literal(item) for item in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, torch.Tensor) and value.numel() <= _LARGEST_TENSOR and not value.is_meta:
        numbers = _literal(value.detach().cpu().tolist())
        return f'torch.tensor({numbers}, dtype={value.dtype}, device="cpu")'
    raise _NoSourceError
