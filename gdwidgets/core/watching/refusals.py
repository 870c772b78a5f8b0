"""What PyTorch refused in a loop, and why: its error messages told apart.

The texts are those of torch's autograd (torch/csrc/autograd and torch/autograd/graph.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import FrameType

import torch
from torch import Tensor

from gdwidgets.core.diagnosis.records import Refusal
from gdwidgets.core.watching.names import Named, looked_up

_NOT_ONE_NUMBER = "grad can be implicitly created only for scalar outputs"
_NO_BACKWARD = re.compile(r"'([\w.]+)' object has no attribute 'backward'")

_TEXTS = (
    ("leaf Variable that requires grad is being used in an in-place operation", "in_place"),
    ("has been modified by an inplace operation", "in_place"),
    ("backward through the graph a second time", "backward_twice"),
    ("does not require grad and does not have a grad_fn", "no_gradient"),
    ("Inference tensors cannot be saved for backward", "no_gradient"),
    (_NOT_ONE_NUMBER, "no_gradient"),
)
"""Parts of torch's messages, and what they mean."""


def refusal(
    error: BaseException,
    step: int,
    *,
    parameters: list[tuple[Named, Tensor]],
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
        The loop's variables and the tensors that they held at the last backward pass.
    frames
        Where the loop's variables are, innermost first.
    empty
        The tensor whose ``.grad`` was last found to be ``None``.
    name_of
        Finds a tensor's name.
    """
    message = str(error).split("\n\n")[0].strip()
    lost = lost_variables(parameters, tuple(frames))
    if isinstance(error, RuntimeError):
        kind = next((kind for text, kind in _TEXTS if text in message), "")
        if kind == "no_gradient" and lost:
            return Refusal("lost_leaf", message, step, tuple(lost), lost_mode(lost.values()))
        mode = _mode() if kind == "no_gradient" else ""
        if _NOT_ONE_NUMBER in message:
            mode = "not one number"
        return Refusal(kind, message, step, mode=mode) if kind else None
    no_tensor = _NO_BACKWARD.search(message)
    if isinstance(error, AttributeError) and no_tensor:
        return Refusal("no_gradient", message, step, mode=f"no tensor: {no_tensor[1]}")
    if isinstance(error, (TypeError, AttributeError)) and "NoneType" in message:
        names = () if empty is None else tuple(filter(None, (name_of(empty),)))
        known = any(empty is leaf for _, leaf in parameters)
        return _of_none(Refusal("no_gradient", message, step, names), lost, empty, known=known)
    return None


def _of_none(
    found: Refusal, lost: dict[str, Tensor], empty: Tensor | None, *, known: bool
) -> Refusal | None:
    """Python's refusal to compute with ``None``, where it came from an empty ``.grad``.

    ``known`` says whether a backward pass has reached the tensor before.
    """
    if empty is None:
        return None
    if lost or not empty.is_leaf:
        names = tuple(lost) or found.names
        return replace(found, kind="lost_leaf", names=names, mode=lost_mode(lost.values()))
    return replace(found, kind="cleared_before_update") if known else found


def lost_variables(
    parameters: list[tuple[Named, Tensor]], frames: Iterable[FrameType]
) -> dict[str, Tensor]:
    """Parameters whose variable now is another tensor, in which no gradient is accumulated."""
    frames = tuple(frames)  # read once for each parameter
    lost = {}
    for named, leaf in parameters:
        now = looked_up(named, frames)
        if (
            isinstance(now, Tensor)
            and now is not leaf
            and now.shape == leaf.shape
            and not (now.is_leaf and now.requires_grad)
        ):
            lost[named.name] = now
    return lost


def lost_mode(tensors: Iterable[Tensor]) -> str:
    """Why no gradient is accumulated in tensors, for `Refusal.mode`."""
    required = {tensor.requires_grad for tensor in tensors}
    if required == {True, False}:
        return "either"
    return "not required" if required == {False} else "no leaf"


def _mode() -> str:
    if torch.is_inference_mode_enabled():
        return "inference_mode"
    return "" if torch.is_grad_enabled() else "no_grad"
