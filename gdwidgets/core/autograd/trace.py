"""Running an expression with its operations written down, tracked by autograd or not.

`Tracer` sees every torch operation that the function calls (`torch.overrides.TorchFunctionMode`)
and keeps a copy of what it returned, so values and names are known under ``no_grad`` too, where no
``grad_fn`` exists. What is tracked and what follows from what is then read from the real graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node as GradFn
from torch.overrides import TorchFunctionMode, resolve_name

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
    """Function, arguments and keywords; tensors in them are replaced by their items."""

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
        self._detached = set(detached)
        self._by_tensor: dict[int, Item] = {}
        self._by_fn: dict[int, Item] = {}
        self._kept: list[object] = []
        self._numbers = 0
        for name, tensor in leaves.items():
            item = Item(name, "leaf", (-1, len(self.items)))
            self._describe(item, tensor)
            self.items.append(item)

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
        call = (func, *replaced((args, kwargs), self._item_or_value))
        result = func(*args, **kwargs)
        if not given:
            result = _in_float32(result, kwargs)
        results = list(tensors_in(result)) if isinstance(result, (Tensor, tuple, list)) else []
        if result is None:
            results = [t for t, version in before if _version(t) != version]
        same = {id(t) for t, version in before if _version(t) == version}
        results = [t for t in results if id(t) not in same]
        return self._note(call, called_with, result, results) if results else result

    def _note(
        self, call: Any, called_with: list[tuple[Item, bool]], result: Any, results: list[Tensor]
    ) -> Any:
        if len(self.items) > MOST_OPERATIONS:
            raise ValueError(f"the function runs more than {MOST_OPERATIONS} operations")
        item = Item(self._free_name(word(call[0])), "operation", (len(self.items), 0))
        item.call, item.called_with = call, called_with
        if not called_with and not results[0].requires_grad:
            item.kind = "constant"
        if item.name in self._detached:
            if not isinstance(result, Tensor):
                raise ValueError(f"{item.name} returns several tensors: detach cannot be put there")
            result = result.detach()
            results, item.detached = [result], True
        self._describe(item, *results)
        self.items.append(item)
        return result

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
        for tensor in results:
            self._by_tensor[id(tensor)] = item
            self._kept.append(tensor)
        if item.grad_fn is not None:
            self._by_fn[id(item.grad_fn)] = item
            self._kept.append(item.grad_fn)

    def _item_or_value(self, value: Any) -> Any:
        return self.item_of(value) if isinstance(value, Tensor) else value

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

    def item_of_fn(self, fn: GradFn) -> Item | None:
        """The item of a node of the real graph."""
        return self._by_fn.get(id(fn))


_FOREIGN = (
    "the function uses a tensor that requires gradients but was not handed to it: pass every such "
    "tensor by name, so that its gradient can be shown and the original stays untouched"
)


def fn_word(fn: GradFn) -> str:
    """``"mm"`` for ``MmBackward0``."""
    return fn.name().split("::")[-1].split("Backward")[0].lower() or "operation"


def _in_float32(result: Any, kwargs: dict[str, Any]) -> Any:
    """A new tensor as float32 where the session's default dtype would make it another."""
    default = torch.get_default_dtype()
    if default == torch.float32 or kwargs.get("dtype") is not None:
        return result
    if isinstance(result, Tensor) and result.dtype == default:
        return result.to(torch.float32)
    return result


def _version(tensor: Tensor) -> int:
    """How often a tensor has been changed in place."""
    if tensor.is_inference():
        return 0  # these are not counted
    return int(tensor._version)  # noqa: SLF001 - torch's documented counter has no other name
