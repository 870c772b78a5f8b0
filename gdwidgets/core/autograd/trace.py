"""Running an expression with its operations written down, tracked by autograd or not.

`Tracer` sees every torch operation that the function calls (`torch.overrides.TorchFunctionMode`)
and keeps a copy of what it returned, so values and names are known under ``no_grad`` too, where no
``grad_fn`` exists. What is tracked and what follows from what is then read from the real graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node as GradFn
from torch.overrides import TorchFunctionMode, resolve_name

from gdwidgets.core.autograd.nodes import Untracked
from gdwidgets.core.autograd.tape import Call, Tape, Variable

MOST_OPERATIONS = 5_000
MOST_NUMBERS = 5_000_000


@dataclass(eq=False)
class Item:
    """A node while the graph is being read: a named tensor, a constant, or an operation."""

    name: str
    kind: str
    """``"leaf"``, ``"constant"``, ``"operation"``, or ``"inner"`` (a step of a composite one)."""

    order: tuple[int, int]
    value: Tensor | None = None
    grad_fn: GradFn | None = None
    is_leaf: bool = False
    requires_grad: bool = False
    detached: bool = False
    outputs: int = 1
    call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None = None
    """Function, arguments and keywords; tensors in them are replaced by `Part`."""

    untracked: Untracked | None = None
    """Why there is no ``grad_fn``; None where there is one."""

    called_with: list[tuple[Item, bool]] = field(default_factory=list)
    """The items of the tensors given, and whether each was tracked."""

    real_inputs: list[Item | None] = field(default_factory=list)
    """What ``grad_fn.next_functions`` points to; ``None`` where no gradient goes."""

    result: Tensor | None = None
    grad_words: str = ""
    """PyTorch's words when ``.grad`` of this result is read."""

    @property
    def inputs(self) -> list[Item]:
        """Every node with an arrow to this one: the real graph's, then what was not tracked."""
        real = [item for item in self.real_inputs if item is not None]
        if self.grad_fn is None:
            return [item for item, _ in self.called_with]
        given = [item for item, _ in self.called_with]
        found = real + [item for item, tracked in self.called_with if not tracked]
        return sorted(found, key=lambda item: given.index(item) if item in given else len(given))


@dataclass(frozen=True)
class Part:
    """A tensor among a call's arguments: an item's result, or one of its several results."""

    item: Item
    index: int | None = None


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        yield from tensors_in(list(value.values()))


def replaced(value: Any, change: Callable[[Any], Any]) -> Any:
    """Nested tuples, lists and dictionaries with ``change`` applied to everything in them."""
    if isinstance(value, tuple):
        return tuple(replaced(item, change) for item in value)
    if isinstance(value, list):
        return [replaced(item, change) for item in value]
    if isinstance(value, dict):
        return {key: replaced(item, change) for key, item in value.items()}
    return change(value)


def word(func: Callable[..., Any]) -> str:
    """The bare name of an operation: ``"add"`` for ``Tensor.add_`` as for ``Tensor.__radd__``."""
    full: str = resolve_name(func) or getattr(func, "__name__", "operation")
    parts = full.split(".")
    name = parts[-2] if parts[-1] == "__get__" else parts[-1]
    bare: str = name.strip("_") or name
    return {"rdiv": "rtruediv", "div": "div", "truediv": "div"}.get(bare, bare)


class Tracer(TorchFunctionMode):
    """Writes down every operation that runs inside ``with tracer:``.

    Parameters
    ----------
    leaves
        The named tensors.
    detached
        Names of operations whose results are detached before the function goes on with them.
    """

    def __init__(self, leaves: dict[str, Tensor], detached: Iterable[str] = ()) -> None:
        super().__init__()
        self.items: list[Item] = []
        self.names: set[str] = set(leaves)
        self._leaves = leaves
        self._detached = set(detached)
        self._by_tensor: dict[int, Item] = {}
        self._part: dict[int, int] = {}
        self._by_fn: dict[int, Item] = {}
        self._numbers_of: dict[int, int] = {}
        self._calls: list[Call] = []
        self._constants: dict[int, Tensor] = {}
        self._obstacles: dict[str, None] = {}
        self._kept: list[object] = []
        self._numbers = 0
        for name, tensor in leaves.items():
            item = Item(name, "leaf", (-1, len(self.items)), untracked=Untracked.GIVEN)
            self._describe(item, tensor)
            self.items.append(item)
            self._variable(tensor)

    # -- while the function runs -------------------------------------------------------------

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        given = list(tensors_in((args, kwargs)))
        before = [(t, _version(t)) for t in given]
        called_with = [(self.item_of(t), t.requires_grad) for t in given]
        call = (func, *replaced((args, kwargs), self._part_or_value))
        wanted = self._numbered((args, kwargs))
        result = func(*args, **kwargs)
        changed = [t for t, version in before if _version(t) != version]
        self._check_given(changed, func)
        results = list(tensors_in(result)) if isinstance(result, (Tensor, tuple, list)) else []
        if result is None:
            results = changed
        same = {id(t) for t in given} - {id(t) for t in changed}
        results = [t for t in results if id(t) not in same]
        if not results:
            self._note_obstacle(func)
            return result
        self._note(call, called_with, results)
        mine = self.items[-1]
        numbers = tuple(self._variable(t) for t in changed)
        returned = result
        args, keywords = wanted
        taken = Call(mine.name, func, args, keywords, self._numbered(result), numbers, _mode())
        fields = getattr(type(result), "__match_args__", ())
        if isinstance(result, tuple) and len(fields) == len(result):
            taken = replace(taken, fields=tuple(fields))
        if mine.name in self._detached:
            returned = self._detach(mine, result)
            taken = replace(taken, detached=self._variable(returned))
        self._calls.append(taken)
        return returned

    def _note(self, call: Any, called_with: list[tuple[Item, bool]], results: list[Tensor]) -> None:
        if len(self.items) > MOST_OPERATIONS:
            raise ValueError(f"the function runs more than {MOST_OPERATIONS} operations")
        name = word(call[0])
        item = Item(self._free_name(name), "operation", (len(self.items), 0))
        item.call, item.called_with = call, called_with
        if not called_with and not results[0].requires_grad:
            item.kind = "constant"
        item.untracked = _untracked(name, called_with, results)
        self._describe(item, *results)
        self.items.append(item)

    def _detach(self, item: Item, result: Any) -> Tensor:
        """What the function goes on with in place of an operation's result."""
        if not isinstance(result, Tensor):
            raise ValueError(f"{item.name} returns several tensors: detach cannot be put there")
        detached = result.detach()
        self._describe(item, detached)
        item.detached, item.untracked = True, item.untracked or Untracked.DETACHED
        return detached

    def _note_obstacle(self, func: Callable[..., Any]) -> None:
        """Keep in mind what is no operation, yet changes what comes out."""
        what = OBSTACLES.get((resolve_name(func) or "").removeprefix("torch.Tensor."))
        if what is not None:
            self._obstacles[what] = None

    def _check_given(self, changed: list[Tensor], func: Callable[..., Any]) -> None:
        """Raise where an operation has written into the memory of a named tensor."""
        if not changed:
            return
        places = {_memory(leaf): name for name, leaf in self._leaves.items() if leaf.numel()}
        for tensor in changed:
            name = places.get(_memory(tensor))
            if name is not None:
                raise ValueError(_CHANGED.format(name=name, how=f" in place (by {word(func)})"))

    def _variable(self, tensor: Tensor) -> int:
        """The number of a tensor object: a new one for one that was not seen before."""
        number = self._numbers_of.get(id(tensor))
        if number is None:
            number = len(self._numbers_of)
            self._numbers_of[id(tensor)] = number
            self._kept.append(tensor)
        return number

    def _numbered(self, value: Any) -> Any:
        """Nested values with a `Variable` in place of every tensor."""
        return replaced(
            value, lambda v: Variable(self._variable(v)) if isinstance(v, Tensor) else v
        )

    def _part_or_value(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        item = self.item_of(value)
        known = id(value) in self._numbers_of
        if not known and value.grad_fn is None:
            self._constants[self._variable(value)] = value.detach().clone()
        elif not known or (value.grad_fn is not None and item.kind == "inner"):
            name = item.name if value.grad_fn is None else value.grad_fn.name().split("Backward")[0]
            self._obstacles[f"it calls {name}, which is not an operation of PyTorch's"] = None
        return Part(item, self._part.get(id(value)))

    def _free_name(self, base: str) -> str:
        number, name = 1, base
        while name in self.names:
            number += 1
            name = f"{base} {number}"
        self.names.add(name)
        return name

    def _describe(self, item: Item, *results: Tensor) -> None:
        floating = [t for t in results if t.is_floating_point()] or list(results)
        self._numbers += sum(t.numel() for t in floating)
        if self._numbers > MOST_NUMBERS:
            raise ValueError(f"the tensors hold more than {MOST_NUMBERS} numbers altogether")
        values = [t.detach().clone() for t in floating]
        item.value = values[0] if len(values) == 1 else torch.cat([v.flatten() for v in values])
        item.outputs, item.result = len(values), floating[0]
        item.grad_fn, item.is_leaf = floating[0].grad_fn, floating[0].is_leaf
        item.requires_grad = floating[0].requires_grad
        for index, tensor in enumerate(results):
            self._by_tensor[id(tensor)] = item
            self._kept.append(tensor)
            if len(results) > 1:
                self._part[id(tensor)] = index
        if item.grad_fn is not None:
            self._by_fn[id(item.grad_fn)] = item
            self._kept.append(item.grad_fn)

    def item_of(self, tensor: Tensor) -> Item:
        """The item of a tensor; one that was not made here becomes a constant.

        Raises
        ------
        ValueError
            When it is somebody else's leaf that requires gradients.
        """
        fn = tensor.grad_fn
        if fn is not None and id(fn) in self._by_fn:
            return self._by_fn[id(fn)]
        if fn is None and id(tensor) in self._by_tensor:
            return self._by_tensor[id(tensor)]
        if tensor.requires_grad and tensor.is_leaf:
            raise ValueError(_FOREIGN)
        kind = "constant" if fn is None else "inner"
        base = "constant" if fn is None else fn_word(fn)
        item = Item(self._free_name(base), kind, (len(self.items), 0))
        item.untracked = Untracked.GIVEN if fn is None else None
        self._describe(item, tensor)
        self.items.append(item)
        return item

    # -- afterwards --------------------------------------------------------------------------

    def read_graph(self, output: Tensor) -> list[Item]:
        """Follow ``next_functions`` from the output, and return its ancestors in forward order."""
        last = self.item_of(output)
        waiting, seen = [last], {id(last)}
        found: list[Item] = []
        while waiting:
            item = waiting.pop()
            found.append(item)
            if item.grad_fn is not None and not item.real_inputs:
                item.real_inputs = [
                    None if fn is None else self._item_behind(fn, item)
                    for fn, _ in item.grad_fn.next_functions
                ]
            for other in item.inputs:
                if id(other) not in seen:
                    seen.add(id(other))
                    waiting.append(other)
        return sorted(found, key=lambda item: item.order)

    def _item_behind(self, fn: GradFn, user: Item) -> Item:
        variable = getattr(fn, "variable", None)
        if variable is not None:
            if id(variable) not in self._by_tensor:
                raise ValueError(_FOREIGN)
            item = self._by_tensor[id(variable)]
            self._by_fn[id(fn)] = item
            self._kept.append(fn)
            return item
        if id(fn) not in self._by_fn:
            order = (user.order[0], user.order[1] - 1)
            item = Item(self._free_name(fn_word(fn)), "inner", order, grad_fn=fn)
            item.requires_grad = True
            self._by_fn[id(fn)] = item
            self._kept.append(fn)
            self.items.append(item)
        return self._by_fn[id(fn)]

    def check_leaves(self, values: Mapping[str, Tensor]) -> None:
        """Raise where the function has changed one of the named tensors.

        Raises
        ------
        ValueError
            Names the tensor; ``values`` are those from before the run.
        """
        for name, leaf in self._leaves.items():
            if not torch.equal(leaf.detach(), values[name]):
                raise ValueError(_CHANGED.format(name=name, how=""))

    def tape(self, output: Tensor, *, random: bool) -> Tape:
        """What the function did, and whether it drew random numbers."""
        return Tape(
            calls=tuple(self._calls),
            leaves={self._variable(leaf): name for name, leaf in self._leaves.items()},
            constants=self._constants,
            output=self._variable(output),
            result=output.detach().clone(),
            random=random,
            obstacles=tuple(self._obstacles),
        )

    def item_of_fn(self, fn: GradFn) -> Item | None:
        """The item of a node of the real graph."""
        return self._by_fn.get(id(fn))


OBSTACLES = {
    "backward": "it calls backward() itself",
    "register_hook": "it registers a hook",
    "register_post_accumulate_grad_hook": "it registers a hook",
    "requires_grad_": "it switches requires_grad of a tensor",
    "requires_grad.__set__": "it switches requires_grad of a tensor",
    "data.__set__": "it replaces the data of a tensor",
}
"""Methods of tensors that have no form in a list of operations, yet change what comes out."""

_CHANGED = (
    "the function changes {name}, which was given to it{how}: it must leave its tensors as they "
    "are, or what is recorded is not what was computed; let it change a copy, {name}.clone()"
)

_FOREIGN = (
    "the function uses a tensor that requires gradients but was not handed to it: pass every such "
    "tensor by name, so that its gradient can be shown and the original stays untouched"
)


def fn_word(fn: GradFn) -> str:
    """``"mm"`` for ``MmBackward0``."""
    return fn.name().split("::")[-1].split("Backward")[0].lower() or "operation"


def _mode() -> str:
    """What is on: gradients, ``no_grad`` or inference mode."""
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    return "grad" if torch.is_grad_enabled() else "no_grad"


def _untracked(
    name: str, called_with: list[tuple[Item, bool]], results: list[Tensor]
) -> Untracked | None:
    """Why an operation's result has no ``grad_fn``."""
    floating = [t for t in results if t.is_floating_point()] or results
    if floating[0].grad_fn is not None:
        return None
    if not called_with:
        return Untracked.GIVEN
    mode = _mode()
    if mode != "grad":
        return Untracked.NO_GRAD if mode == "no_grad" else Untracked.INFERENCE_MODE
    if not any(tracked for _, tracked in called_with):
        return Untracked.NO_TRACKED_INPUT
    return Untracked.DETACHED if name in {"detach", "data"} else Untracked.NOT_DIFFERENTIABLE


def _memory(tensor: Tensor) -> int:
    """Where a tensor's numbers lie; views lie where their base does."""
    return int(tensor.untyped_storage().data_ptr())


def _version(tensor: Tensor) -> int:
    """How often a tensor has been changed in place."""
    if tensor.is_inference():
        return 0  # these are not counted
    return int(tensor._version)  # noqa: SLF001 - torch's documented counter has no other name
