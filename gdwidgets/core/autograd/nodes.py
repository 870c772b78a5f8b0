"""What a recorded autograd graph is made of: nodes, steps, and what PyTorch refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from torch import Tensor

from gdwidgets.core.autograd.notes import Note
from gdwidgets.core.autograd.tape import Tape


class Untracked(Enum):
    """Why a node has no ``grad_fn``; the value is the end of a sentence that starts with "because".

    Where several reasons hold, the first of this list is meant.
    """

    GIVEN = "it was given, not computed from tensors"
    NO_GRAD = "it was computed inside no_grad, where no graph is built"
    INFERENCE_MODE = "it was computed in inference mode, where no graph is built"
    NO_TRACKED_INPUT = "nothing that requires gradients goes in"
    DETACHED = "it was detached: the value is kept, and the graph behind it dropped"
    NOT_DIFFERENTIABLE = "the operation has no derivative, although a tracked tensor goes in"


@dataclass(frozen=True)
class Local:
    """The derivative of a node's result with respect to one of its inputs.

    ``kind`` is ``"number"`` (the result is one number; ``value`` has the input's shape),
    ``"elementwise"`` (number by number; the common shape) or ``"matrix"`` (the Jacobian, one row
    for each number of the result).
    """

    kind: str
    value: Tensor

    def times(self, incoming: Tensor) -> Tensor:
        """The incoming gradient times this derivative, in the input's flattened order."""
        if self.kind == "matrix":
            return incoming.flatten() @ self.value
        return (incoming * self.value).flatten()


@dataclass(frozen=True)
class Node:
    """A tensor of the expression: a leaf, or the result of an operation."""

    name: str
    kind: str
    """``"leaf"`` (named), ``"constant"``, ``"operation"``, or ``"inner"``: a node of the real graph
    inside a composite operation, which hands out no value;
    or ``"group"``: many nodes drawn as one."""

    inputs: tuple[str, ...]
    """Names of the nodes with an arrow to this one; one that is used twice is there twice."""

    value: Tensor | None
    is_leaf: bool
    requires_grad: bool
    detached: bool
    grad_fn: str | None
    """Name of the backward function, such as ``"MmBackward0"``; None for what is not tracked."""

    call: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]] | None
    """The function that was called, with `NodeName` in place of tensors."""

    local: tuple[tuple[str, Local | None], ...]
    """For each input that a gradient goes to: its name, and the local derivative if it is known."""

    notes: tuple[Note, ...]
    """For each input that a gradient goes to, in the same order: what the node's backward does."""

    untracked: Untracked | None
    """Why there is no ``grad_fn``; None where there is one."""

    grad_words: str
    """What PyTorch says when ``.grad`` of this result is read; empty where it says nothing."""

    members: int = 0
    """How many nodes a ``"group"`` stands for, where a large graph is collapsed."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of the value."""
        return None if self.value is None else tuple(self.value.shape)


@dataclass(frozen=True)
class NodeName:
    """Stands for a tensor in a call's arguments."""

    name: str

    part: int | None = None
    """Which of an operation's several results is meant; None where it has one."""


@dataclass(frozen=True)
class Refusal:
    """Something PyTorch refused to do."""

    operation: str
    words: str
    """PyTorch's own message."""

    meaning: str
    """One sentence that explains it."""


@dataclass(frozen=True)
class Step:
    """One step of the walk: a value computed, a gradient passed on, or a refusal."""

    phase: str
    """``"forward"``, ``"backward"`` or ``"refused"``."""

    node: str
    call: int = 0
    """Which ``backward()`` this belongs to: 1 or 2; 0 on the way forward."""

    grad_output: Tensor | None = None
    """The gradient of the output with respect to this node's result; of several results, all of
    them flattened, one after the other."""

    grad_inputs: tuple[tuple[str, Tensor], ...] = ()
    """What the node passes on: names of inputs, and the gradients with respect to them."""

    grad: Tensor | None = None
    """For a leaf: its ``.grad`` after this step."""


@dataclass(frozen=True)
class AutogradGraph:
    """A recording: the nodes in forward order, and the steps of the walk."""

    nodes: Mapping[str, Node]
    output: str
    steps: tuple[Step, ...]
    forward_steps: int
    """How many of the steps go forward."""

    refusal: Refusal | None
    requires_grad: tuple[str, ...]
    detached: tuple[str, ...]
    no_grad: bool
    retain_graph: bool
    backward_calls: int
    leaves: tuple[str, ...]
    """Every named tensor, those that the output does not depend on too."""

    values: Mapping[str, Tensor]
    """The named tensors."""

    tape: Tape
    """Every call of the function, in order: what a script has to repeat."""

    @property
    def grads(self) -> dict[str, Tensor | None]:
        """Each named tensor's ``.grad`` after the last step."""
        found: dict[str, Tensor | None] = dict.fromkeys(self.leaves)
        for step in self.steps:
            if step.grad is not None and step.node in found:
                found[step.node] = step.grad
        return found

    def grad_output(self, name: str, call: int = 1) -> Tensor | None:
        """The gradient with respect to a node's result in a ``backward()`` call, or None."""
        return next((s.grad_output for s in self.steps if s.node == name and s.call == call), None)
