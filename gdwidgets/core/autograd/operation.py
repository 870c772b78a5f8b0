"""A node of the real graph with what its backward function has saved, from which notes are made."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.trace import Item

Rule = Callable[["Operation", int], Note | None]

OTHER = "the other input"


class Operation:
    """A node of the real graph, with what its backward function has saved."""

    def __init__(self, item: Item) -> None:
        self.item = item
        fn: Any = item.grad_fn
        self.fn = fn
        match = re.fullmatch(r"(\w+)Backward(\d+)", fn.name().split("::")[-1])
        self.kind, self.variant = (match[1], int(match[2])) if match else ("", 0)
        metas = getattr(fn, "_input_metadata", ())  # of its results, which are backward's inputs
        self.dtype: torch.dtype = metas[0].dtype if metas else torch.float32
        self.shapes = [tuple(meta.shape) for meta in metas]
        self.shape = self.shapes[0] if len(metas) == 1 else (sum(map(math.prod, self.shapes)),)

    def saved(self, name: str) -> Any:
        """A saved value; None where it was not needed."""
        value = getattr(self.fn, f"_saved_{name}")
        if isinstance(value, tuple):
            return tuple(_signed(v) for v in value)
        return value.detach() if isinstance(value, Tensor) else _signed(value)

    def input_shape(self, index: int) -> tuple[int, ...]:
        """The shape of an input that gradients go to."""
        fn, nth = self.fn.next_functions[index]
        variable = getattr(fn, "variable", None)
        if variable is not None:
            return tuple(variable.shape)
        return tuple(fn._input_metadata[nth].shape)  # noqa: SLF001 - see above

    def named(self, index: int, tensor: Tensor | None) -> dict[str, str] | str:
        """How another input is called: the role ``other`` for a node, or a text."""
        inputs = self.item.real_inputs
        found = inputs[index] if 0 <= index < len(inputs) else None
        if found is not None:
            return {"other": found.name}
        if tensor is None:
            return OTHER
        for item, _ in self.item.called_with:
            result = item.result
            if (
                result is not None
                and item.outputs == 1
                and result.numel()
                and result.data_ptr() == tensor.data_ptr()
                and result.shape == tensor.shape
            ):
                return {"other": item.name}
        return number(float(tensor)) if tensor.numel() == 1 else OTHER

    def note(
        self,
        index: int,
        passes: str,
        local: str,
        rule: Callable[[Tensor], Tensor] | None,
        derivative: Tensor | None = None,
        **names: str,
    ) -> Note:
        """A note for one input."""
        target = self.item.real_inputs[index]
        to = "" if target is None else target.name
        roles = {"x": to, "y": self.item.name} | names
        return Note(to, passes, local, roles, derivative, self.shape, self.dtype, rule)

    def times(
        self, index: int, local: str, factor: Tensor | float, aside: str = "", **names: str
    ) -> Note:
        """A note for a result whose numbers each depend on one number of the input."""
        shape = self.input_shape(index)
        value = factor if isinstance(factor, Tensor) else scalar(factor)
        passes = {"1": "grad_output as it is", "0": "0"}.get(
            local, f"grad_output × {_factor(local)}"
        )
        if math.prod(shape) != math.prod(self.shape):
            passes += ", summed over the places that {x} was repeated in"
        rule = lambda g: (g * value).sum_to_size(shape)  # noqa: E731
        return self.note(index, passes, local + aside, rule, value, **names)

    def loss(self, index: int, local: str, factor: Tensor, **names: str) -> Note:
        """A note for a loss, whose gradient goes to every number of the input."""
        shape = self.input_shape(index)
        rule = lambda g: (g * factor).sum_to_size(shape)  # noqa: E731
        return self.note(index, f"grad_output × {_factor(local)}", local, rule, factor, **names)

    def moved(
        self,
        index: int,
        passes: str,
        rule: Callable[[Tensor], Tensor],
        local: str = "1 between a number and its copy, 0 elsewhere",
    ) -> Note:
        """A note for a result that holds numbers of the input at other places."""
        return self.note(index, passes, local, rule)


def number(value: float) -> str:
    """A number in a text."""
    return f"{value:.6g}".replace("-", "−")


def scalar(value: float) -> Tensor:
    """A number as a float32 tensor ()."""
    return torch.tensor(value, dtype=torch.float32, device="cpu")


def _factor(text: str) -> str:
    """A factor in a product: in brackets unless it is one name, number, function or bracket."""
    simple = r"(1/)?[\w.{}]+(\([^()]*\))?|\[[^]]*\]"
    return text if re.fullmatch(simple, text) else f"({text})"


def _signed(value: Any) -> Any:
    """A whole number as it was given: negative ones are saved as large ones."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**63:
        return value - 2**64
    return value
