"""An objective that is a formula, computed without building a graph in every step.

The formula is called once with symbols in the place of tensors, which write down what is done to
them; the chain rule, from the end to the beginning as in autograd, gives the gradient. If all of it
is additions, subtractions, multiplications and divisions, the list is everything there is to know,
and each step works it off in numpy, several times as fast as autograd makes and walks its graph.
IEEE 754 defines these operations to the last bit, so in the same order the numbers are autograd's
own, which is tried before a list is used. What has no such definition (a cosine, a fourth power) is
left to torch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]
Apply = Callable[[Any, Any], Any]

Pass = Callable[[int], int]
"""The place of an operand's share of the gradient, of the place of the result's."""

_TRIED = 64
"""Points at which a list is compared with autograd before it is used."""

_ALONE = 8
"""Of these points, one in so many is also computed alone."""


class Formula:
    """A list of operations that makes a loss and its gradient of P parameters.

    Each takes two numbers by their places and puts a third to the end: first the parameters, then
    the constants, then what was made.

    Parameters
    ----------
    constants
        float32 numbers.
    operations
        Function and two places each.
    loss
        Its place.
    gradient
        P places.
    """

    def __init__(
        self,
        constants: Iterable[np.float32],
        operations: Iterable[tuple[Apply, int, int]],
        loss: int,
        gradient: Iterable[int],
    ) -> None:
        self._constants, self._operations = tuple(constants), tuple(operations)
        self._loss, self._gradient = loss, tuple(gradient)

    def __call__(self, params: Array) -> tuple[Array, Array]:
        """Losses (L,) and gradients (P, L), new arrays, at params (P, L), all float32."""
        lanes = params.shape[1]
        # Single numbers are faster than arrays of one.
        values: list[Any] = list(params if lanes > 1 else params[:, 0])
        values += self._constants
        with np.errstate(all="ignore"):
            for apply, one, other in self._operations:
                values.append(apply(values[one], values[other]))
        losses, gradient = np.empty(lanes, np.float32), np.empty(params.shape, np.float32)
        losses[:] = values[self._loss]
        for row, place in enumerate(self._gradient):
            gradient[row] = values[place]
        return losses, gradient


def formula(losses: Callable[..., Any], params: Tensor) -> Formula | None:
    """The list of what autograd does, or ``None`` where it does anything that cannot be listed.

    Parameters
    ----------
    losses
        Losses (L,) of P tensors (L,): the same elementwise formula whenever it is called.
    params
        Any point (P, L), float32.
    """
    made = _List(len(params))
    try:
        loss = losses(*made.parameters)
        found = made.with_gradient(loss)
    except Exception:  # noqa: BLE001 - whatever says that a symbol is no tensor
        return None
    return found if _agree(found, losses, params) else None


def _agree(found: Formula, losses: Callable[..., Tensor], params: Tensor) -> bool:
    """Whether a list makes what autograd makes, near the first lane's point and very far from it.

    Of many lanes at once, and of some alone.
    """
    own = torch.Generator(device="cpu").manual_seed(0)
    kind: Any = {"dtype": torch.float32, "device": "cpu"}
    far = torch.logspace(-3, 15, _TRIED, **kind)  # beyond what float32 holds
    leaf = params[:, :1] + torch.randn(len(params), _TRIED, generator=own, **kind) * far
    leaf.requires_grad_()
    made = losses(*leaf.unbind())
    # Of the sum: with gradients given, torch imports a computer algebra system, of 35 MB.
    (gradient,) = torch.autograd.grad(made.sum(), leaf)
    wanted = made.detach().numpy(), gradient.numpy()
    points = leaf.detach().numpy()
    together = found(points)
    alone = [found(points[:, i : i + 1]) for i in range(0, _TRIED, _ALONE)]
    some = [np.concatenate(parts, axis=-1) for parts in zip(*alone, strict=True)]
    return all(
        np.array_equal(of_all, by_autograd, equal_nan=True)
        and np.array_equal(one_by_one, by_autograd[..., ::_ALONE], equal_nan=True)
        for of_all, one_by_one, by_autograd in zip(together, some, wanted, strict=True)
    )


def _as_it_is(grad: int) -> int:
    return grad


class _List:
    """What is done to symbols: constants and operations, by places, parameters first.

    Parameters
    ----------
    parameters
        How many there are.
    """

    def __init__(self, parameters: int) -> None:
        self.parameters = [_Symbol(self, place) for place in range(parameters)]
        self._entries: list[np.float32 | tuple[Apply, int, int]] = []
        self._constants: dict[float, int] = {}
        self._passes: list[tuple[int, list[tuple[int, Pass]]]] = []

    def constant(self, number: float) -> int:
        """The place of a constant."""
        number = float(number)
        if number not in self._constants:
            self._constants[number] = self._end(np.float32(number))
        return self._constants[number]

    def write(self, apply: Apply, one: int, other: int) -> int:
        """The place of a result; a product with 1 is the other factor."""
        if apply is operator.mul and self._constants.get(1.0) in {one, other}:
            return other if one == self._constants[1.0] else one
        return self._end((apply, one, other))

    def done(self, apply: Apply, one: Any, other: Any) -> _Symbol:
        """The symbol of a result of two operands, symbols or numbers."""
        at, beside = (
            operand.place if isinstance(operand, _Symbol) else self.constant(operand)
            for operand in (one, other)
        )
        made = _Symbol(self, self._end((apply, at, beside)))
        down = zip((one, other), self._down(apply, at, beside), strict=True)
        self._passes.append(
            (made.place, [(of.place, each) for of, each in down if isinstance(of, _Symbol)])
        )
        return made

    def _down(self, apply: Apply, one: int, other: int) -> tuple[Pass, Pass]:
        """The chain rule for both operands, in the order of torch's ``derivatives.yaml``."""
        if apply is operator.mul:
            return partial(self.write, apply, other=other), partial(self.write, apply, other=one)
        if apply is operator.truediv:  # by a number
            return partial(self.write, apply, other=other), _as_it_is
        if apply is operator.sub:
            return _as_it_is, partial(self.write, operator.mul, other=self.constant(-1))
        return _as_it_is, _as_it_is

    def power(self, base: _Symbol, exponent: int) -> _Symbol:
        """The symbol of a square or a cube."""
        at = lower = base.place
        if exponent == 3:
            lower = self._end((operator.mul, at, at))
        made = _Symbol(self, self._end((operator.mul, lower, at)))

        def down(grad: int) -> int:
            factor = self.write(operator.mul, lower, self.constant(exponent))
            return self.write(operator.mul, grad, factor)

        self._passes.append((made.place, [(at, down)]))
        return made

    def with_gradient(self, loss: _Symbol) -> Formula:
        """The list with the way back: the gradient of a loss with respect to every parameter."""
        gradient = {loss.place: self.constant(1)}
        for place, operands in reversed(self._passes):
            if place not in gradient:
                continue
            for at, down in operands:
                grad = down(gradient[place])
                if at in gradient:
                    grad = self._end((operator.add, gradient[at], grad))
                gradient[at] = grad
        wanted = [gradient[parameter.place] for parameter in self.parameters]
        return self._in_order(loss.place, wanted)

    def _end(self, entry: np.float32 | tuple[Apply, int, int]) -> int:
        self._entries.append(entry)
        return len(self.parameters) + len(self._entries) - 1

    def _in_order(self, loss: int, gradient: list[int]) -> Formula:
        """The same with all constants before all operations."""
        first = len(self.parameters)
        constants = [entry for entry in self._entries if isinstance(entry, np.float32)]
        operations = [entry for entry in self._entries if not isinstance(entry, np.float32)]
        places = list(range(first))
        seen = {True: first, False: first + len(constants)}
        for entry in self._entries:
            is_constant = isinstance(entry, np.float32)
            places.append(seen[is_constant])
            seen[is_constant] += 1
        return Formula(
            constants,
            [(apply, places[one], places[other]) for apply, one, other in operations],
            places[loss],
            [places[at] for at in gradient],
        )


@dataclass(frozen=True, eq=False)
class _Symbol:
    """A number that depends on the parameters; what is done to it goes into a list."""

    made: _List
    place: int

    def __add__(self, other: Any) -> _Symbol:
        return self.made.done(operator.add, self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> _Symbol:
        return self.made.done(operator.sub, self, other)

    def __rsub__(self, other: Any) -> _Symbol:
        return self.made.done(operator.sub, other, self)

    def __mul__(self, other: Any) -> _Symbol:
        return self.made.done(operator.mul, self, other)

    __rmul__ = __mul__

    def __neg__(self) -> _Symbol:
        return self.made.done(operator.mul, self, -1)

    def __truediv__(self, other: Any) -> _Symbol:
        if isinstance(other, _Symbol):
            return NotImplemented
        return self.made.done(operator.truediv, self, other)

    def __pow__(self, exponent: Any) -> _Symbol:
        # Torch computes other powers by logarithms.
        return self.made.power(self, exponent) if exponent in {2, 3} else NotImplemented
