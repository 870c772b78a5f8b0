"""What one node's backward does for one of its inputs: a sentence, and the same as numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Note:
    """One input's grad_input, in words and as a formula that does without autograd.

    The sentence is made from what the node holds (shapes, saved values, ``alpha``, dimensions,
    reduction), and ``grad_input`` computes what the sentence says: the tests compare it with what
    PyTorch's backward function sends.
    """

    to: str
    """Name of the input."""

    passes: str
    """What the input gets, such as ``"grad_output × {other}"``; names stand for nodes."""

    local: str
    """The local derivative of the node's result with respect to the input, such as ``"{other}"``"""

    names: Mapping[str, str]
    """Names in the two texts, and the nodes they stand for; ``x`` is the input, ``y`` the node."""

    derivative: Tensor | None
    """The numbers of ``local``: a factor (elementwise), the other matrix (products), or a Jacobian
    matrix with a row for each number of the result (where only PyTorch's own function is known);
    None for a large Jacobian, and where numbers are only moved."""

    shape: tuple[int, ...]
    """Shape of grad_output; one dimension where the node has several results."""

    dtype: torch.dtype
    """Dtype of grad_output."""

    rule: Callable[[Tensor], Tensor] | None = field(repr=False)
    """grad_output to grad_input; None where the Jacobian is too large to be known."""

    def sentence(self, describe: Callable[[str], str] = str) -> str:
        """Say what the input gets, and which local derivative that uses.

        Parameters
        ----------
        describe
            What a node is called; default its name.
        """
        named = {role: describe(node) for role, node in self.names.items()}
        gets, local = self.passes.format(**named), self.local.format(**named)
        for factor in (local, f"({local})"):
            head, found, tail = gets.partition(f"grad_output × {factor}")
            if found and not tail.startswith((" ", "/")):
                return f"{describe(self.to)} gets {head}{found}, the local derivative{tail}"
        return f"{describe(self.to)} gets {gets} (local derivative: {local})"

    def grad_input(self, grad_output: Tensor) -> Tensor | None:
        """What the input gets for a grad_output, computed as the sentence says; None if unknown."""
        return None if self.rule is None else self.rule(grad_output)

    def jacobian(self) -> Tensor | None:
        """The local derivative as a matrix: (numbers of the result, numbers of the input)."""
        if self.rule is None:
            return None
        units = torch.eye(math.prod(self.shape), dtype=self.dtype, device="cpu")
        return torch.stack([self.rule(unit.reshape(self.shape)).flatten() for unit in units])
