"""A recorded graph as a plain PyTorch script, and the check that it gives the recorded numbers.

The lines are made from the recording's tape: every call that the function made, changes in place,
several results, blocks of ``no_grad`` and random numbers included. A script is run before it is
handed out, and refused where it would not give the recorded output and gradients, bit for bit.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import resolve_name

from gdwidgets.core.autograd.environment import plain_session, seeded
from gdwidgets.core.autograd.nodes import AutogradGraph, Node, NodeName
from gdwidgets.core.autograd.tape import Call, Tape, Variable
from gdwidgets.core.scripts.statements import free_name, tensor_literal, wrapped

INLINED = 60
"""How long a line may become by taking in an operation whose result has no name of its own."""

MOST_UNPACKED = 6
"""Several results are given names of their own up to this many, else they are indexed."""

RESERVED = {"torch", "F"}
"""Names that the script needs for itself."""

BINARY: Mapping[str, type[ast.operator]] = {
    "add": ast.Add,
    "sub": ast.Sub,
    "mul": ast.Mult,
    "div": ast.Div,
    "truediv": ast.Div,
    "true_divide": ast.Div,
    "floordiv": ast.FloorDiv,
    "floor_divide": ast.FloorDiv,
    "matmul": ast.MatMult,
    "pow": ast.Pow,
    "and": ast.BitAnd,
    "or": ast.BitOr,
}
"""Methods of tensors that are written between their arguments."""

REVERSED: Mapping[str, type[ast.operator]] = {
    "radd": ast.Add,
    "rsub": ast.Sub,
    "rmul": ast.Mult,
    "rtruediv": ast.Div,
    "rdiv": ast.Div,
    "rpow": ast.Pow,
    "rmatmul": ast.MatMult,
}
"""The same, the other way round."""

COMPARED: Mapping[str, type[ast.cmpop]] = {
    "gt": ast.Gt,
    "lt": ast.Lt,
    "ge": ast.GtE,
    "le": ast.LtE,
    "eq": ast.Eq,
    "ne": ast.NotEq,
}

MODES = {"no_grad": "with torch.no_grad():", "inference_mode": "with torch.inference_mode():"}

Named = Callable[[Any], ast.expr | None]
"""The expression for a tensor's placeholder; None for what is none."""


# -- calls as expressions ---------------------------------------------------------------------


def _call(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], named: Named) -> ast.expr:
    """A call as an expression.

    Raises
    ------
    ValueError
        When the function or an argument has no form in plain PyTorch.
    """
    path = _path(func)
    given = {key: value for key, value in kwargs.items() if not _is_default(func, key, value)}
    keywords = [ast.keyword(arg=key, value=_value(v, named)) for key, v in given.items()]
    if path[:2] == ["torch", "Tensor"]:
        return _method(path[2:], args, keywords, named)
    called = _dotted(path)
    return ast.Call(func=called, args=[_value(v, named) for v in args], keywords=keywords)


def _path(func: Any) -> list[str]:
    """The dotted name under which a function is called."""
    full = resolve_name(func)
    if full is None:
        module, name = getattr(func, "__module__", "") or "", getattr(func, "__qualname__", "")
        home = importlib.import_module(module) if module.split(".")[0] == "torch" else None
        if home is None or getattr(home, name, None) is not func:
            raise ValueError(f"{name or func} has no name in plain PyTorch")
        full = f"{module}.{name}"
    path = full.split(".")
    if path[0] != "torch":
        raise ValueError(f"{full} is not PyTorch's")
    if path[:2] == ["torch", "functional"] and hasattr(torch, path[-1]):
        return ["torch", path[-1]]
    return ["F", path[-1]] if path[:3] == ["torch", "nn", "functional"] else path


def _is_default(func: Any, key: str, value: Any) -> bool:
    """Whether a keyword says only what holds anyway."""
    if key == "_stacklevel":
        return True
    try:
        parameter = inspect.signature(func).parameters.get(key)
    except (TypeError, ValueError):
        return False
    return (
        parameter is not None
        and type(parameter.default) is type(value)
        and (parameter.default == value)
    )


def _method(
    path: list[str], args: tuple[Any, ...], keywords: list[ast.keyword], named: Named
) -> ast.expr:
    own, others = _value(args[0], named), args[1:]
    name = path[0]
    if path[-1] == "__get__":
        return ast.Attribute(value=own, attr=name, ctx=ast.Load())
    if name == "__getitem__":
        return ast.Subscript(value=own, slice=_index(others[0], named), ctx=ast.Load())
    if not keywords and (name.startswith("__") or not name.endswith("_")):
        found = _operator(name.strip("_"), own, [_value(v, named) for v in others])
        if found is not None:
            return found
    method = ast.Attribute(value=own, attr=name, ctx=ast.Load())
    return ast.Call(func=method, args=[_value(v, named) for v in others], keywords=keywords)


def _operator(name: str, own: ast.expr, others: list[ast.expr]) -> ast.expr | None:
    """A method of a tensor as Python's operator, where there is one."""
    if not others:
        return ast.UnaryOp(op=ast.USub(), operand=own) if name == "neg" else None
    if len(others) > 1:
        return None
    if name in COMPARED:
        return ast.Compare(left=own, ops=[COMPARED[name]()], comparators=others)
    if name in BINARY:
        return ast.BinOp(left=own, op=BINARY[name](), right=others[0])
    if name in REVERSED:
        return ast.BinOp(left=others[0], op=REVERSED[name](), right=own)
    return None


def _index(value: Any, named: Named) -> ast.expr:
    """What stands between the brackets of an index."""
    if isinstance(value, tuple) and value:
        return ast.Tuple(elts=[_index(item, named) for item in value], ctx=ast.Load())
    if isinstance(value, slice):
        ends = (value.start, value.stop, value.step)
        lower, upper, step = (None if end is None else _value(end, named) for end in ends)
        return ast.Slice(lower=lower, upper=upper, step=step)
    return _value(value, named)


def _value(value: Any, named: Named) -> ast.expr:
    """An argument as an expression."""
    found = named(value)
    if found is not None:
        return found
    if isinstance(value, (tuple, list)):
        items = [_value(item, named) for item in value]
        if isinstance(value, tuple):
            return ast.Tuple(elts=items, ctx=ast.Load())
        return ast.List(elts=items, ctx=ast.Load())
    if isinstance(value, slice):
        ends = [_value(end, named) for end in (value.start, value.stop, value.step)]
        return ast.Call(func=ast.Name(id="slice", ctx=ast.Load()), args=ends, keywords=[])
    return _constant(value)


def _constant(value: Any) -> ast.expr:
    if isinstance(value, float) and not math.isfinite(value):
        return ast.parse(f'float("{value}")', mode="eval").body
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=-value))
    if value is None or value is Ellipsis or isinstance(value, (bool, int, float)):
        return ast.Constant(value=value)
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return _dotted(str(value).split("."))
    if isinstance(value, (str, torch.device)):
        return ast.Name(id=json.dumps(str(value)), ctx=ast.Load())  # in double quotes
    raise ValueError(f"an argument of type {type(value).__name__} cannot be written as Python")


def _dotted(path: list[str]) -> ast.expr:
    found: ast.expr = ast.Name(id=path[0], ctx=ast.Load())
    for part in path[1:]:
        found = ast.Attribute(value=found, attr=part, ctx=ast.Load())
    return found


def _text(tree: ast.AST) -> str:
    """Python text; powers of names and numbers are written as ``x**2``."""
    text = ast.unparse(ast.fix_missing_locations(tree))
    return re.sub(r"(?<=\w) \*\* (?=-?\w)", "**", text)


def expression(node: Node, describe: Callable[[str], Any]) -> str:
    """The call that made a node, as Python, with ``describe`` of their names for tensors.

    Raises
    ------
    ValueError
        When it was not made by a call, or an argument has no form in Python's syntax.
    """
    if node.call is None:
        raise ValueError(f"{node.name} was not made by a call that can be written down")

    def named(value: Any) -> ast.expr | None:
        if not isinstance(value, NodeName):
            return None
        name = ast.Name(id=str(describe(value.name)), ctx=ast.Load())
        if value.part is None:
            return name
        return ast.Subscript(value=name, slice=ast.Constant(value=value.part), ctx=ast.Load())

    func, args, kwargs = node.call
    return _text(_call(func, args, kwargs, named))


def call_text(node: Node, describe: Callable[[str], Any]) -> str:
    """A short form of a node's call for people; falls back to its name."""
    try:
        return expression(node, describe)
    except ValueError:
        return node.name


# -- the lines of a function ----------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A statement of the function, and what it computes."""

    text: str
    nodes: tuple[str, ...]
    """Names of the operations that it runs, in order."""

    mode: str
    """``"grad"``, or the block it stands in: ``"no_grad"`` or ``"inference_mode"``."""

    names: tuple[str, ...]
    """The variables it assigns."""


class _Writer:
    """Turns a tape into lines.

    Parameters
    ----------
    graph
        The recording.
    variables
        Names of operations, and of the variables their results go to. Where there are any, the
        operations without one are written into the lines that use them.
    """

    def __init__(self, graph: AutogradGraph, variables: Mapping[str, str]) -> None:
        self.tape: Tape = graph.tape
        self.variables = variables
        self.taken = set(RESERVED)
        self.names: dict[int, ast.expr] = {}
        self.inside: dict[int, tuple[str, ...]] = {}
        for number, name in self.tape.leaves.items():
            self.names[number] = self._named(name)
        self.plain = not any(call.changed for call in self.tape.calls)
        self.calls = self._needed()
        self.uses = self._count_uses()

    def _named(self, base: str) -> ast.expr:
        name = free_name(base, self.taken)
        self.taken.add(name)
        return ast.Name(id=name, ctx=ast.Load())

    def _needed(self) -> list[Call]:
        """The calls that the output depends on; all of them where the order of effects counts."""
        if self.tape.random or not self.plain:
            return list(self.tape.calls)
        wanted, found = {self.tape.output}, []
        for call in reversed(self.tape.calls):
            made = {*_numbers_in(call.result), call.detached}
            if made & wanted:
                found.append(call)
                wanted |= set(_numbers_in((call.args, call.kwargs)))
        return found[::-1]

    def _count_uses(self) -> dict[int, list[Call]]:
        uses: dict[int, list[Call]] = {}
        for call in self.calls:
            for number in _numbers_in((call.args, call.kwargs)):
                uses.setdefault(number, []).append(call)
        return uses

    def expression_of(self, value: Any) -> ast.expr | None:
        """What stands for a variable; None for anything else."""
        if not isinstance(value, Variable):
            return None
        number = value.number
        if number not in self.names:
            constant = self.tape.constants.get(number)
            if constant is None:
                raise ValueError("it uses a tensor that no operation of PyTorch's has made")
            tree: ast.expr = ast.parse(tensor_literal(constant), mode="eval").body
            if self.plain and len(self.uses.get(number, ())) == 1 and constant.numel() <= 4:
                return tree
            self.names[number] = self._named("constant")
            self.constants.append((self.names[number], tree))
        return self.names[number]

    def lines(self) -> Iterator[Line]:
        """The statements, in order."""
        for call in self.calls:
            self.constants: list[tuple[ast.expr, ast.expr]] = []
            made = list(self._statements(call))
            for name, tree in self.constants:
                text = f"{_text(name)} = {_text(tree)}"
                yield Line(text, (), call.mode, (_text(name),))
            yield from made

    def _statements(self, call: Call) -> Iterator[Line]:
        inner = [
            n for number in _numbers_in((call.args, call.kwargs)) for n in self._inside(number)
        ]
        nodes = tuple(dict.fromkeys([*inner, call.node]))
        changing = self._change(call)
        if changing is not None:
            yield Line(changing, nodes, call.mode, ())
            if call.detached is not None:
                target = _numbers_in(call.result)[0]
                yield from self._assigned(call, _detached(self.names[target]), (), call.detached)
            return
        tree = _call(call.function, call.args, call.kwargs, self.expression_of)
        if call.detached is not None:
            tree = _detached(tree)
        if isinstance(call.result, Variable):
            number = call.detached if call.detached is not None else call.result.number
            yield from self._assigned(call, tree, nodes, number)
        else:
            yield self._unpacked(call, tree, nodes)

    def _inside(self, number: int) -> tuple[str, ...]:
        return self.inside.pop(number, ())

    def _assigned(
        self, call: Call, tree: ast.expr, nodes: tuple[str, ...], number: int
    ) -> Iterator[Line]:
        """One result: a line, or nothing where it is written into the line that uses it."""
        if self._can_be_inlined(call, tree, number):
            self.names[number], self.inside[number] = tree, nodes
            return
        name = self.names[number] = self._named(self._base(call))
        yield Line(f"{_text(name)} = {_text(tree)}", nodes, call.mode, (_text(name),))

    def _can_be_inlined(self, call: Call, tree: ast.expr, number: int) -> bool:
        users = self.uses.get(number, [])
        return (
            bool(self.variables)
            and self.plain
            and not self.tape.random  # their order counts
            and call.node not in self.variables
            and number != self.tape.output
            and len(users) == 1
            and users[0].mode == call.mode
            and len(_text(tree)) <= INLINED - 10
        )

    def _base(self, call: Call) -> str:
        return self.variables.get(call.node, call.node.replace(" ", "_"))

    def _unpacked(self, call: Call, tree: ast.expr, nodes: tuple[str, ...]) -> Line:
        """Several results, in names of their own or as items of one."""
        base = self._base(call)
        parts = call.result if isinstance(call.result, (tuple, list)) else ()
        if len(parts) > MOST_UNPACKED or not all(isinstance(part, Variable) for part in parts):
            whole = self._named(base)
            self._name_items(whole, parts)
            return Line(f"{_text(whole)} = {_text(tree)}", nodes, call.mode, (_text(whole),))
        bases = call.fields or [f"{base}_{k}" for k in range(len(parts))]
        names = []
        for part, own in zip(parts, bases, strict=True):
            if part.number in self.names:  # one of its arguments, handed back
                names.append("_")
                continue
            self.names[part.number] = self._named(own)
            names.append(_text(self.names[part.number]))
        left = ", ".join(names) if len(names) > 1 else f"({names[0]},)"
        assigned = tuple(name for name in names if name != "_")
        return Line(f"{left} = {_text(tree)}", nodes, call.mode, assigned)

    def _name_items(self, whole: ast.expr, parts: Any) -> None:
        for k, part in enumerate(parts):
            item = ast.Subscript(value=whole, slice=ast.Constant(value=k), ctx=ast.Load())
            if isinstance(part, Variable):
                self.names[part.number] = item
            elif isinstance(part, (tuple, list)):
                self._name_items(item, part)

    def _change(self, call: Call) -> str | None:
        """A call that returns nothing new, as a statement: a change in place."""
        made = set(_numbers_in(call.result))
        if not call.changed or made - set(call.changed):
            return None
        path = _path(call.function)
        if path[:3] == ["torch", "Tensor", "__setitem__"]:
            own, key, value = call.args
            target = ast.Subscript(
                value=_value(own, self.expression_of),
                slice=_index(key, self.expression_of),
                ctx=ast.Store(),
            )
            return f"{_text(target)} = {_text(_value(value, self.expression_of))}"
        bare = path[-1].strip("_").removeprefix("i")
        bare = bare if path[-1].startswith("__i") else path[-1].removesuffix("_")
        if path[:2] == ["torch", "Tensor"] and len(call.args) == 2 and not call.kwargs:
            own, other = (_value(v, self.expression_of) for v in call.args)
            if bare in BINARY and isinstance(own, ast.Name):
                return _text(ast.AugAssign(target=own, op=BINARY[bare](), value=other))
        return _text(_call(call.function, call.args, call.kwargs, self.expression_of))


def _detached(tree: ast.expr) -> ast.expr:
    method = ast.Attribute(value=tree, attr="detach", ctx=ast.Load())
    return ast.Call(func=method, args=[], keywords=[])


def _numbers_in(value: Any) -> list[int]:
    """Numbers of all variables in nested tuples, lists and dictionaries."""
    if isinstance(value, Variable):
        return [value.number]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [number for item in value for number in _numbers_in(item)]
    if isinstance(value, slice):
        return _numbers_in([value.start, value.stop, value.step])
    return []


def function_lines(
    graph: AutogradGraph, variables: Mapping[str, str] | None = None
) -> tuple[Line, ...]:
    """The statements that compute the output from the named tensors, in order.

    Parameters
    ----------
    graph
        The recording.
    variables
        Names of operations, and of the variables their results go to. Where there are any, the
        operations without one are written into the lines that use them, as a person would.

    Raises
    ------
    ValueError
        When something in it cannot be written as plain PyTorch.
    """
    return tuple(_Writer(graph, variables or {}).lines())


# -- the script -----------------------------------------------------------------------------------


def graph_script(graph: AutogradGraph, variables: Mapping[str, str] | None = None) -> str:
    """Return a runnable plain-PyTorch script that repeats a recording and prints its numbers.

    The script has been run: its output and its gradients are the recorded ones, bit for bit.

    Parameters
    ----------
    graph
        The recording.
    variables
        As `function_lines` takes them.

    Raises
    ------
    ValueError
        When something in it cannot be written as plain PyTorch, or the script would not give the
        recorded numbers: says why.
    """
    writer = _Writer(graph, variables or {})
    try:
        body = tuple(writer.lines())
        text, output = _script(graph, writer, body)
    except ValueError as error:
        raise ValueError(f"this expression cannot be written as a script: {error}") from None
    wrong = _difference(text, graph, output, writer)
    if wrong:
        seen = "".join(f"{obstacle}; " for obstacle in graph.tape.obstacles)
        raise ValueError(f"this expression cannot be written as a script: {seen}{wrong}")
    return text


def _script(graph: AutogradGraph, writer: _Writer, body: tuple[Line, ...]) -> tuple[str, str]:
    """The text, and the name of the output in it."""
    tape = graph.tape
    leaves = {name: _text(writer.names[number]) for number, name in tape.leaves.items()}
    output = _text(writer.names[tape.output])
    made = []
    for name in graph.leaves:
        value = tensor_literal(graph.values[name], requires_grad=name in graph.requires_grad)
        made.append(f"{leaves[name]} = {value}")
    lines = [line for statement in made for line in wrapped(statement)] + [""]
    mode = "grad"
    for line in body:
        if line.mode not in {mode, "grad"}:
            lines.append(MODES[line.mode])
        mode = line.mode
        lines += wrapped(line.text, 0 if mode == "grad" else 4)
    printed = dict.fromkeys(name for line in body if line.nodes for name in line.names)
    lines += ["", *(f'print(f"{name}: {{{name}}}")' for name in printed)]
    lines += ["", *_backward_lines(graph, output)]
    shown = graph.requires_grad or graph.leaves
    lines += [
        f'print(f"{leaves[n]}.grad: {{{leaves[n]}.grad}}")' for n in graph.leaves if n in shown
    ]
    head = ["import torch"]
    if torch.get_default_dtype() != torch.float32:
        head.insert(0, "# The numbers are those of PyTorch's usual default dtype, float32.")
    if any("F." in line.text for line in body):
        head.append("import torch.nn.functional as F")
    if tape.random:
        head += ["", "torch.manual_seed(0)"]
    return "\n".join([*head, "", *lines]) + "\n", output


def _backward_lines(graph: AutogradGraph, output: str) -> list[str]:
    call = f"{output}.backward({'retain_graph=True' if graph.retain_graph else ''})"
    done = max((step.call for step in graph.steps), default=1)
    lines = [call] * (done if graph.refusal is None else done - 1)
    if graph.refusal is not None:
        lines += [
            "try:",
            f"    {call}",
            "except RuntimeError as error:",
            '    print(f"PyTorch refuses: {error}")',
        ]
    return lines


def _difference(text: str, graph: AutogradGraph, output: str, writer: _Writer) -> str:
    """Run a script aside; return what it does otherwise than the recording, or nothing."""
    said: list[str] = []
    space: dict[str, Any] = {
        "__name__": "script",
        "print": lambda *parts: said.append(" ".join(map(str, parts))),
    }
    with plain_session(), seeded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(text, "script", "exec"), space)  # noqa: S102 - made here, of plain calls
        except Exception as error:  # noqa: BLE001 - whatever it raises is why it is refused
            return f"run as one, it raises {type(error).__name__}: {error}"
    if not _same(space[output], graph.tape.result):
        return f"run as one, it gives another {output}"
    for number, name in graph.tape.leaves.items():
        own = _text(writer.names[number])
        if not _same(space[own].grad, graph.grads[name]):
            return f"run as one, it gives another {own}.grad"
    if graph.refusal is not None and not any(graph.refusal.words in line for line in said):
        return "run as one, it is not refused in the same words"
    return ""


def _same(one: Tensor | None, two: Tensor | None) -> bool:
    """Whether two tensors are equal to the last bit."""
    if one is None or two is None:
        return one is two
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    dense = (t.detach().to_dense() if t.is_sparse else t.detach() for t in (one, two))
    return torch.equal(*(t.flatten().contiguous().view(torch.uint8) for t in dense))
