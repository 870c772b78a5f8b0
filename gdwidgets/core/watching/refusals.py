"""What PyTorch refused in a loop, and why: its error messages told apart.

The texts are those of torch's autograd (torch/csrc/autograd and torch/autograd/graph.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import FrameType

import torch
from torch import Tensor

from gdwidgets.core.diagnosis.records import Refusal
from gdwidgets.core.watching.names import looked_up

_IN_PLACE = (
    "leaf Variable that requires grad is being used in an in-place operation",
    "has been modified by an inplace operation",
)
_TWICE = "backward through the graph a second time"
_NO_GRAPH = "does not require grad and does not have a grad_fn"
_INFERENCE = "Inference tensors cannot be saved for backward"


def refusal(
    error: BaseException,
    step: int,
    *,
    parameters: dict[str, Tensor],
    frames: Iterable[FrameType],
    empty: Tensor | None,
    name_of: Callable[[Tensor], str],
) -> Refusal | None:
    """Say what an exception of the loop means, or ``None`` where torch has no part in it.

    Parameters
    ----------
    error
        What was raised.
    step
        Records made before.
    parameters
        The loop's parameters by the name of their variable, as last seen by a backward pass.
    frames
        Where the loop's variables are, innermost first.
    empty
        The tensor whose ``.grad`` was last found to be ``None``.
    name_of
        Finds a tensor's name.
    """
    message = str(error).split("\n\n")[0].strip()
    frames = tuple(frames)
    lost = lost_names(parameters, frames)
    if isinstance(error, RuntimeError):
        if any(text in message for text in _IN_PLACE):
            return Refusal("in_place", message, step)
        if _TWICE in message:
            return Refusal("backward_twice", message, step)
        if _INFERENCE in message:
            return Refusal("no_gradient", message, step, mode="inference_mode")
        if _NO_GRAPH in message:
            if lost:
                return Refusal("lost_leaf", message, step, lost)
            return Refusal("no_gradient", message, step, mode=_mode())
        return None
    if isinstance(error, (TypeError, AttributeError)) and "NoneType" in message:
        if empty is None:
            return None
        names = tuple(filter(None, (name_of(empty),)))
        if not empty.is_leaf:
            return Refusal("lost_leaf", message, step, names)
        if lost:
            return Refusal("lost_leaf", message, step, lost)
        seen = any(empty is parameter for parameter in parameters.values())
        kind = "cleared_before_update" if seen else "no_gradient"
        return Refusal(kind, message, step, names)
    return None


def lost_names(parameters: dict[str, Tensor], frames: Iterable[FrameType]) -> tuple[str, ...]:
    """Parameters whose variable now is another tensor that is no leaf to accumulate in."""
    frames = tuple(frames)
    lost = []
    for name, leaf in parameters.items():
        now = looked_up(name, frames)
        if (
            isinstance(now, Tensor)
            and now is not leaf
            and now.shape == leaf.shape
            and not (now.is_leaf and now.requires_grad)
        ):
            lost.append(name)
    return tuple(lost)


def _mode() -> str:
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    return "" if torch.is_grad_enabled() else "no_grad"
