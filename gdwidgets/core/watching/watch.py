"""`watch`: record a training loop without an edit inside it.

A `torch.overrides.TorchFunctionMode` sees every ``backward()`` of the thread while the loop runs.
At each, the loss, the leaf tensors of its graph, their values and their ``.grad`` before and after
are read; nothing is written. The loop's numbers stay the same to the last bit.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from gdwidgets.core import checks
from gdwidgets.core.diagnosis.diagnose import diagnose
from gdwidgets.core.diagnosis.findings import Finding
from gdwidgets.core.diagnosis.matching import aligned
from gdwidgets.core.diagnosis.records import Array, LoopRecord, Reference, Refusal, empty_record
from gdwidgets.core.diagnosis.report import Hints, hint_level, report_text
from gdwidgets.core.watching.given import (
    flat,
    functional,
    gradients,
    loss_of,
    moved,
    placeholder,
    tensors_of,
)
from gdwidgets.core.watching.leaves import leaves_of
from gdwidgets.core.watching.names import (
    Named,
    called_by_the_package,
    calling_frames,
    clears,
    find_names,
    looked_up,
    traceback_frames,
)
from gdwidgets.core.watching.refusals import lost_mode, lost_variables, refusal
from gdwidgets.core.watching.run import WatchedRun
from gdwidgets.core.watching.side_passes import drop_side_passes, is_beside
from gdwidgets.core.watching.tape import Slot, Tape, TensorRecord

_PROGRESS_SECONDS = 0.2
_PROGRESS_PART = 0.05
_MOST_TAPES = 64
_MOST_REFUSALS = 16
_LOOKED_AT_CLOSELY = 16
"""Records in which attempts to update and the names of variables are looked at."""

_active = threading.local()

W = TypeVar("W", bound="Watch")


def watch(
    function: Callable[..., Any] | None = None,
    /,
    *args: Any,
    reference: Reference | None = None,
    on_progress: Callable[[Watch], object] | None = None,
    hints: Hints = True,
    **more: Any,
) -> Watch:
    """Record a training loop: ``with watch() as mine: ...``, or ``mine = watch(train, x, y)``.

    Parameters
    ----------
    function
        Called at once with ``args`` and ``more``, and recorded. Its result is ``mine.result``;
        what it raises passes through (use `Watch.call` to keep the records then).
    args
        The function's arguments.
    reference, on_progress, hints
        See `Watch`.
    **more
        The function's keyword arguments; without a function, names of tensors, as ``u=u, v=v``.

    Returns
    -------
    Watch
        To be entered with ``with``; already ended where a function was given.

    Raises
    ------
    ValueError
        When a named tensor is none, or the reference or the hints are not what they must be.
    RuntimeError
        When this thread is being watched already.
    """
    make = partial(Watch, reference=reference, on_progress=on_progress, hints=hints)
    return entered_or_called(make, function, args, more)


def entered_or_called(
    make: Callable[..., W],
    function: Callable[..., Any] | None,
    args: tuple[Any, ...],
    more: dict[str, Any],
) -> W:
    """A watch that is still to be entered, or with a function, one that has recorded its call.

    Parameters
    ----------
    make
        Makes the watch; takes the names of tensors as keywords.
    function, args, more
        As of `watch`.

    Raises
    ------
    ValueError, RuntimeError
        As `watch`.
    """
    if function is None:
        return make(**more)
    if not callable(function):
        raise ValueError(f"function must be callable, got {checks.shown(function)}")
    mine = make()
    mine.call(function, *args, **more)
    return mine


@dataclass
class _Pass:
    """A backward pass that is being recorded, or was last."""

    tape: Tape
    state: list[list[float]]
    """What stood before it, see `Tape.begin`."""
    roots: tuple[weakref.ref[Tensor], ...]
    """What is differentiated."""
    reached: set[Slot]
    by_grad: bool
    """Whether its gradients are returned, by ``torch.autograd.grad``."""
    grads: dict[int, Any]
    """Those that are, by ``id`` of the parameter's tensor."""

    def is_of(self, roots: list[Tensor]) -> bool:
        """Whether it differentiates these very tensors."""
        return len(roots) == len(self.roots) > 0 and all(
            known() is root for known, root in zip(self.roots, roots, strict=True)
        )


class Watch:
    """The record of a training loop, and what it says.

    Parameters
    ----------
    reference
        The descent to compare with, or ``None``.
    on_progress
        Called with this object while the loop runs, at most five times a second and for at most
        5 % of the time, on the loop's thread. An exception it raises ends the calls, is kept as
        ``progress_error``, and leaves the loop alone.
    hints
        How much `report` says; see there.
    **tensors
        Names for tensors, in preference to those of the loop's variables.

    Attributes
    ----------
    result
        What the function returned, where one was called.
    error
        The exception that ended the loop, or ``None``.
    progress_error, recording_error
        What went wrong in ``on_progress`` or in the recording itself, or ``None``.

    Notes
    -----
    Arrays have a row for each ``backward()``: the values there before the update, the loss, and
    ``.grad`` after it. A loop of more numbers than 64 is kept as norms (`tensors`); `params`,
    `grad` and `step_grad` then have no columns. Where a block holds several loops, the last one is
    read; `records` has all.
    """

    def __init__(
        self,
        *,
        reference: Reference | None = None,
        on_progress: Callable[[Watch], object] | None = None,
        hints: Hints = True,
        **tensors: Tensor,
    ) -> None:
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor):
                raise ValueError(f"{name} must be a tensor, got {checks.shown(tensor)}")
        if reference is not None and not isinstance(reference, Reference):
            raise ValueError(f"reference must be a Reference, got {checks.shown(reference)}")
        hint_level(hints)
        self.reference = reference
        self.hints = hints
        self.result: Any = None
        self.error: BaseException | None = None
        self.progress_error: Exception | None = None
        self.recording_error: Exception | None = None
        self._given = {id(tensor): name for name, tensor in tensors.items()}
        self._kept_alive = tuple(tensors.values())
        self._on_progress = on_progress
        self._began: float | None = None
        self._next_progress = 0.0
        self._spent = 0.0
        self._tapes: list[Tape] = []
        self._by_hand: Tape | None = None
        self._refusals: list[Refusal] = []
        self._refused: list[BaseException] = []
        self._empty: Tensor | None = None
        self._versions: list[int] = []
        self._unconfirmed = False
        self._last: _Pass | None = None
        self._mode: _Mode | None = None
        self._hooks: tuple[RemovableHandle, ...] = ()
        self._thread = 0
        self._step_began: tuple[Tape | None, int] = (None, 0)
        self._ended = False
        self._seen: tuple[Any, ...] | None = None
        self._read: tuple[tuple[Any, ...], tuple[LoopRecord, LoopRecord]] | None = None
        self._findings: tuple[Finding, ...] = ()
        self._hint = 0

    # -- recording -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._ended:
            raise RuntimeError("this watch has ended: make a new one for another loop")
        if getattr(_active, "watch", None) is not None:
            raise RuntimeError(
                "a loop of this thread is being watched already: leave that `with` block first"
            )
        self._mode = _Mode(self)
        self._mode.__enter__()  # type: ignore[no-untyped-call]  # torch's gap
        self._thread = threading.get_ident()
        self._hooks = (
            register_optimizer_step_pre_hook(self._step_begins),
            register_optimizer_step_post_hook(self._step_ends),
        )
        _active.watch = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the recording; an exception passes through."""
        _active.watch = None
        for hook in self._hooks:
            hook.remove()
        if self._mode is not None:
            self._mode.__exit__(kind, error, traceback)  # type: ignore[no-untyped-call]  # torch's gap
            self._mode = None
        self._ended = True
        self.error = error
        frames = [*traceback_frames(traceback), *calling_frames()]
        if error is not None:
            self._note(error, frames)
            if not any(error is noted for noted in self._refused):
                text = f"{type(error).__name__}: {error}".strip().removesuffix(":")
                message = text.split("\n\n")[0]
                self._refusals.append(Refusal("interrupted", message, self._count))
        if error is None and self._ends_beside():
            self._tapes = self._tapes[:-1]
            self._tapes[-1].resume()
        for tape in self._tapes[-1:]:
            self._finish(tape, frames, broken=error is not None)
        if self._by_hand is not None:
            self._finish_by_hand(self._by_hand, frames, broken=error is not None)
        self._empty = None
        self._refused = []

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, record the loop in it, and return its result."""
        with self:
            self.result = function(*args, **kwargs)
        return self.result

    def record(self, loss: Any, *, gradient: Any = None, **params: Any) -> None:
        """Add a record by hand, for a loop that calls no ``backward()``.

        Parameters
        ----------
        loss
            A number, at the parameters.
        gradient
            Their gradients in the same order, or by name in a dict; ``None`` where not at hand.
        **params
            Numbers or tensors by name, before the update.

        Raises
        ------
        ValueError
            When these are no numbers, or other parameters than before.
        RuntimeError
            When the watch has ended.
        """
        if self._ended:
            raise RuntimeError("this watch has ended: make a new one for another loop")
        if not params:
            raise ValueError("record needs the parameters by name, as record(loss, u=u, v=v)")
        values = {name: checks.float64_array(value, name) for name, value in params.items()}
        lost = checks.float64_array(loss, "loss")
        if lost.size != 1:
            raise ValueError(f"loss must be a number, got {checks.shown(loss)}")
        tape = self._by_hand
        if tape is None:
            tape = self._by_hand = Tape()
            code = next((frame.f_code for frame in calling_frames()), None)
            for name, value in params.items():
                tape.add(placeholder(value, values[name]), Named(name, code))
        known = {slot.name: slot.shape for slot in tape.slots}
        if known != {name: value.shape for name, value in values.items()}:
            raise ValueError(
                f"record must be given {', '.join(known)} as before, got {', '.join(values)}"
            )
        grads = gradients(gradient, known)
        columns = []
        for slot in tape.slots:
            numbers = values[slot.name].ravel().tolist()
            columns.append([*numbers, *([0.0] * slot.numel), *grads[slot.name]])
        tape.add_row(float(lost.ravel()[0]), columns)
        self._progress()

    # -- what was recorded -----------------------------------------------------------------

    @property
    def recording(self) -> bool:
        """Whether the loop is running."""
        return self._mode is not None

    @property
    def records(self) -> tuple[LoopRecord, ...]:
        """The records of all loops in the block, the last 64 of them, in order."""
        return tuple(tape.record(tuple(self._refusals)) for tape in self._all_tapes())

    @property
    def loop(self) -> LoopRecord:
        """The record of the last loop, its numbers named and ordered as the reference's.

        Where they cannot be matched with the reference's parameters, as they are.
        """
        return self._both()[1]

    @property
    def matched(self) -> bool:
        """Whether the loop's parameters are those of the reference."""
        record, loop = self._both()
        return self.reference is not None and loop is not record

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the P numbers."""
        return self.loop.names

    @property
    def steps(self) -> Array:
        """Number of each record in the loop, int64 (n,); 0, 1, 2, … unless `thinned`."""
        return self.loop.number

    @property
    def thinned(self) -> bool:
        """Whether records in the middle were dropped to bound the memory."""
        return self.loop.thinned

    @property
    def params(self) -> Array:
        """Values before each update, float64 (n, P)."""
        return self.loop.params

    @property
    def loss(self) -> Array:
        """Losses there, float64 (n,)."""
        return self.loop.loss

    @property
    def grad(self) -> Array:
        """What ``.grad`` held after ``backward()``, float64 (n, P)."""
        return self.loop.grad

    @property
    def step_grad(self) -> Array:
        """Each step's own gradient, float64 (n, P)."""
        return self.loop.step_grad

    @property
    def final(self) -> Array | None:
        """Values at the end, float64 (P,), or ``None`` where they are not known."""
        return self.loop.final

    @property
    def tensors(self) -> tuple[TensorRecord, ...]:
        """Norms of each parameter tensor of the last loop."""
        tapes = self._all_tapes()
        return tapes[-1].tensors() if tapes else ()

    @property
    def run(self) -> WatchedRun:
        """The last loop as a run that plots can draw as they draw a `Descent`."""
        reference = self.reference if self.matched else None
        return WatchedRun(self.loop, reference, recording=self.recording)

    def columns(self) -> dict[str, Array]:
        """The records as named columns (n,), for a data frame.

        ``step`` and ``loss``, then of each number its value under its name, ``name.grad`` and
        ``name.step_grad``.
        """
        loop = self.loop
        table: dict[str, Array] = {"step": loop.number, "loss": loop.loss}
        step_grad = loop.step_grad
        for place, name in enumerate(loop.names):
            table[name] = loop.params[:, place]
            table[f"{name}.grad"] = loop.grad[:, place]
            table[f"{name}.step_grad"] = step_grad[:, place]
        return table

    # -- what it says ----------------------------------------------------------------------

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the loop does and where it differs, the most important first."""
        key = self._key
        if self._seen != key:
            self._findings = diagnose(self._both()[0], self.reference)
            self._seen = key
        return self._findings

    def report(self, hints: Hints | None = None) -> str:
        """The findings as text.

        Parameters
        ----------
        hints
            ``True``: everything. ``False``: nothing but that a loop was recorded. 1, 2 or 3:
            *where* to look first, then *what* is found there, then *why*. ``None``: as given to
            the watch.
        """
        level = self.hints if hints is None else hints
        return report_text(self.findings, self._both()[0], len(self._all_tapes()), level)

    def next_hint(self) -> str:
        """The report with one hint more than at the last call: where, then what, then why."""
        self._hint = min(self._hint + 1, 3)
        return self.report(self._hint)

    def __repr__(self) -> str:
        state = "running" if self.recording else "ended" if self._ended else "not begun"
        return f"Watch({self._count} steps, {state})"

    # -- inside ----------------------------------------------------------------------------

    @property
    def _count(self) -> int:
        return sum(tape.count for tape in self._all_tapes())

    def _all_tapes(self) -> list[Tape]:
        return self._tapes if self._by_hand is None else [self._by_hand]

    def _both(self) -> tuple[LoopRecord, LoopRecord]:
        """The last loop's record, as it is and as matched with the reference."""
        key = self._key
        if self._read is None or self._read[0] != key:
            self._read = (key, self._matched())
        return self._read[1]

    @property
    def _key(self) -> tuple[Any, ...]:
        """Changes whenever anything recorded does."""
        return self._count, self._ended, self.reference, len(self._refusals), len(self._tapes)

    def _matched(self) -> tuple[LoopRecord, LoopRecord]:
        tapes = self._all_tapes()
        refusals = tuple(self._refusals)
        record = tapes[-1].record(refusals) if tapes else empty_record(refusals)
        matched = None
        if self.reference is not None:
            matched = aligned(record, self.reference.objective, self.reference.start)
        return record, record if matched is None else matched

    def _differentiate(
        self, func: Any, roots: list[Tensor], weights: Any, inputs: Any, run: Callable[[], Any]
    ) -> Any:
        """Record a backward pass, which ``run`` makes."""
        if called_by_the_package():
            return run()  # an explorer's own, where it is stepped inside the watched block
        by_grad = func is torch.autograd.grad
        begun = self._before(roots, inputs, by_grad=by_grad)
        try:
            result = run()
        except Exception as error:
            self._note(error, calling_frames())
            raise
        if begun is not None:
            self._after(begun, roots, weights, inputs, result if by_grad else None)
        return result

    def _before(self, roots: list[Tensor], inputs: Any, *, by_grad: bool) -> _Pass | None:
        try:
            leaves = leaves_of(roots)
            if roots and not leaves and all(root.is_leaf and root.requires_grad for root in roots):
                self._cut_off()
            if inputs is not None:
                given = {id(one) for one in inputs}
                leaves = [leaf for leaf in leaves if id(leaf) in given]
            if not leaves:
                return None
            tape = self._tape_for(leaves)
            reached = {tape.by_id[id(leaf)] for leaf in leaves}
            state = tape.begin()
            known = tuple(map(weakref.ref, roots))
            begun = _Pass(tape, state, known, reached, by_grad, {})
            if not self._is_its_own(begun, roots):
                return None
            if tape.steady and drop_side_passes(tape, reached, state):
                begun.state = tape.begin()
        except Exception as error:  # noqa: BLE001 - the loop must not suffer from being watched
            self.recording_error = error
            return None
        return begun

    def _is_its_own(self, begun: _Pass, roots: list[Tensor]) -> bool:
        """Whether a pass is to be recorded; the last is taken back where it belongs to this one.

        That is so of a gradient that was itself to be differentiated, as part of a loss or of a
        second derivative, and of one by ``torch.autograd.grad`` of the same loss, as for its norm:
        no update has followed it.
        """
        tape, last, unconfirmed = begun.tape, self._last, self._unconfirmed
        self._unconfirmed = unconfirmed and not tape.count
        if last is None or last.tape is not tape or not tape.count:
            return True
        again = last.is_of(roots) and (begun.by_grad or last.by_grad)
        if not (unconfirmed or again) or moved(tape, last.state, begun.state):
            return True
        if begun.by_grad and (unconfirmed or not last.by_grad):
            return False
        tape.drop_last()
        if begun.by_grad:  # another part of the same gradient
            begun.grads = last.grads
            begun.reached |= last.reached
        return True

    def _step_begins(self, optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG002 - torch's
        """See a call of the ``step()`` of any optimizer."""
        if threading.get_ident() == self._thread:
            tape = self._tapes[-1] if self._tapes else None
            self._step_began = tape, 0 if tape is None else tape.count

    def _step_ends(self, optimizer: Any, args: Any, kwargs: Any) -> None:  # noqa: ARG002 - torch's
        """Note whose ``step()`` it was, and how many backward passes its closure made."""
        if threading.get_ident() != self._thread or called_by_the_package() or not self._tapes:
            return
        tape, (before, count) = self._tapes[-1], self._step_began
        passes = tape.count - (count if tape is before else 0)
        tape.stepped(type(optimizer).__name__, max(passes, 0))

    def _cut_off(self) -> None:
        """Keep that a loss was a new tensor, made of a number."""
        if not any(noted.mode == "new tensor" for noted in self._refusals):
            self._refusals.append(Refusal("no_gradient", "", self._count, mode="new tensor"))

    def _after(
        self,
        begun: _Pass,
        roots: list[Tensor],
        weights: Any,
        inputs: Any,
        result: Any,
    ) -> None:
        tape = begun.tape
        try:
            grads = None
            if result is not None:
                begun.grads |= {id(one): grad for one, grad in zip(inputs, result, strict=True)}
                grads = begun.grads
            tape.end(loss_of(roots, weights), begun.state, grads, begun.reached)
            if tape.count <= _LOOKED_AT_CLOSELY:
                self._look_closely(tape)
            self._last = begun
        except Exception as error:  # noqa: BLE001 - as above
            self.recording_error = error
        self._progress()

    def _look_closely(self, tape: Tape) -> None:
        """Whether the tensors were written to since the last backward pass."""
        versions = [slot.leaf._version for slot in tape.slots]  # noqa: SLF001 - torch's own counter
        if tape.count > 1 and len(versions) == len(self._versions):
            tape.written |= any(
                now > then for now, then in zip(versions, self._versions, strict=True)
            )
        self._versions = versions
        if tape.count in {2, 3}:
            lost = lost_variables(self._variables(tape), calling_frames())
            known = {name for noted in self._refusals for name in noted.names}
            if lost and not set(lost) <= known:
                mode = lost_mode(lost.values())
                self._refusals.append(Refusal("lost_leaf", "", tape.count - 1, tuple(lost), mode))

    def _tape_for(self, leaves: list[Tensor]) -> Tape:
        """The tape of the loop that these leaves belong to, with a place for each."""
        tape = self._tapes[-1] if self._tapes else None
        unknown = leaves
        if tape is not None:
            unknown = [leaf for leaf in leaves if id(leaf) not in tape.by_id]
            if not unknown:
                tape.steady += 1
                return tape
            resumed = self._resumed(leaves)
            if resumed is not None:
                return resumed
        others = len(unknown) == len(leaves)
        if tape is None or (others and tape.steady >= 1 and not self._goes_on(tape, leaves)):
            if tape is not None:
                self._finish(tape, (), broken=False)
            tape = Tape()
            self._tapes = [*self._tapes[1 - _MOST_TAPES :], tape]
            unknown = leaves
        tape.steady = 0
        wanted = self._wanted()
        names = find_names(unknown, calling_frames(), wanted)
        names |= {key: Named(name, None) for key, name in self._given.items()}
        for slot, leaf in self._replacing(tape, leaves, unknown, names):
            tape.replace(slot, leaf)
            unknown = [one for one in unknown if one is not leaf]
        order = list(names)
        taken = {slot.name for slot in tape.slots}
        for leaf in sorted(
            unknown, key=lambda one: order.index(id(one)) if id(one) in names else len(order)
        ):
            named = names.get(id(leaf)) or Named(f"p{len(tape.slots)}", None)
            while named.name in taken:
                named = Named(named.name + "'", None)
            taken.add(named.name)
            tape.add(leaf, named)
        return tape

    def _resumed(self, leaves: list[Tensor]) -> Tape | None:
        """The loop before the last, where that was none, and these are its leaves."""
        if len(self._tapes) < 2 or not all(id(leaf) in self._tapes[-2].by_id for leaf in leaves):
            return None
        if not is_beside(self._tapes[-1]):
            return None
        self._tapes = self._tapes[:-1]
        tape = self._tapes[-1]
        tape.resume()
        tape.steady += 1
        return tape

    def _ends_beside(self) -> bool:
        """Whether the last tape is no loop, but passes on other things after it."""
        if len(self._tapes) < 2:
            return False
        last, before = self._tapes[-1], self._tapes[-2]
        known = {slot.name for slot in before.slots} | set(self._wanted())
        named = not any(slot.name in known for slot in last.slots)
        return named and before.count > last.count and is_beside(last)

    def _goes_on(self, tape: Tape, leaves: list[Tensor]) -> bool:
        """Whether new tensors are a loop's own after an update that made them, not another loop's.

        A loop that makes new tensors only after every n-th pass is told by its update: along the
        gradients that the old ones hold, and not back to where the loop began.
        """
        names = find_names(leaves, calling_frames(), self._wanted())
        by_name = {names[id(leaf)].name: leaf for leaf in leaves if id(leaf) in names}
        slots = tape.slots
        if not tape.exact or {slot.name for slot in slots} != set(by_name) or tape.numbers < 2:
            return False
        if any(slot.leaf.grad is None or by_name[slot.name].shape != slot.shape for slot in slots):
            return False
        new, old, grad = (
            np.array([number for slot in slots for number in flat(of(slot))])
            for of in (lambda s: by_name[s.name], lambda s: s.leaf, lambda s: s.leaf.grad)
        )
        moved = new - old
        size = float(np.linalg.norm(moved) * np.linalg.norm(grad))
        back = np.array_equal(new, tape.record().params[0])
        return size > 0 and abs(float(moved @ grad)) > 0.99 * size and not back

    def _wanted(self) -> tuple[str, ...]:
        return () if self.reference is None else tuple(self.reference.objective.parameter_names)

    @staticmethod
    def _replacing(
        tape: Tape, leaves: list[Tensor], unknown: list[Tensor], names: dict[int, Named]
    ) -> list[tuple[Slot, Tensor]]:
        """Which parameters' places new tensors take: by name, else by shape, in order."""
        present = {id(leaf) for leaf in leaves}
        free = [slot for slot in tape.slots if id(slot.leaf) not in present]
        pairs: list[tuple[Slot, Tensor]] = []
        for by_name in (True, False):
            for leaf in unknown:
                if any(leaf is other for _, other in pairs):
                    continue
                named = names.get(id(leaf))
                for slot in free:
                    if slot.shape != tuple(leaf.shape):
                        continue
                    unnamed = named is None or slot.named.code is None
                    if unnamed if not by_name else named and slot.name == named.name:
                        pairs.append((slot, leaf))
                        free.remove(slot)
                        break
        return pairs

    def _finish(self, tape: Tape, frames: Iterable[FrameType], *, broken: bool) -> None:
        frames = tuple(frames)
        final: dict[int, Tensor | None] = {}
        for slot in tape.slots:
            last: Tensor | None = slot.leaf
            if slot.replaced or tape.count == 1:
                now = looked_up(slot.named, frames)
                if isinstance(now, Tensor) and tuple(now.shape) == slot.shape:
                    last = now
                elif slot.replaced and tape.steady == 0:
                    last = None
            final[id(slot)] = last
        try:
            tape.finish(final, broken=broken)
        except Exception as error:  # noqa: BLE001 - the loop must not suffer from being watched
            self.recording_error = error

    @staticmethod
    def _finish_by_hand(tape: Tape, frames: Iterable[FrameType], *, broken: bool) -> None:
        frames = tuple(frames)
        final: dict[int, Tensor | None] = {}
        for slot in tape.slots:
            last: Tensor | None = None
            try:
                array = checks.float64_array(looked_up(slot.named, frames), slot.name)
                if array.shape == slot.shape:
                    last = torch.from_numpy(array)
            except ValueError:
                pass  # the variable is gone, or another thing has its name
            final[id(slot)] = last
        tape.finish(final, broken=broken)

    def _variables(self, tape: Tape | None) -> list[tuple[Named, Tensor]]:
        return [] if tape is None else [(slot.named, slot.leaf) for slot in tape.slots]

    def _note(self, error: BaseException, frames: Iterable[FrameType]) -> None:
        """Keep what torch refused, once for each exception."""
        if any(error is noted for noted in self._refused):
            return
        tape = self._tapes[-1] if self._tapes else None
        frames = tuple(frames)
        noted = refusal(
            error,
            0 if tape is None else tape.count,
            parameters=self._variables(tape),
            frames=frames,
            empty=self._empty,
            name_of=lambda tensor: (
                find_names([tensor], frames).get(id(tensor), Named("", None)).name
            ),
        )
        if noted is not None and len(self._refusals) < _MOST_REFUSALS:
            self._refused.append(error)
            if noted.kind == "lost_leaf":  # seen before it was refused
                known = [one for one in self._refusals if one.kind == "lost_leaf"]
                self._refusals = [one for one in self._refusals if one.kind != "lost_leaf"]
                lost = [name for one in (*known, noted) for name in one.names]
                modes = {one.mode for one in (*known, noted)}
                mode = modes.pop() if len(modes) == 1 else "either"
                noted = replace(noted, names=tuple(dict.fromkeys(lost)), mode=mode)
            self._refusals.append(noted)

    def _grad_read(self, tensor: Tensor, grad: Tensor | None) -> None:
        """Look at what the loop reads in ``.grad``: an empty buffer may mean a late update."""
        if grad is None:
            self._empty = tensor
        tape = self._tapes[-1] if self._tapes else None
        if tape is None or tape.update_tried or tape.count > _LOOKED_AT_CLOSELY:
            return
        if id(tensor) in tape.by_id and (grad is None or not grad.any()) and not clears():
            tape.update_tried = True

    def _progress(self) -> None:
        if self._on_progress is None:
            return
        now = perf_counter()
        if self._began is None:
            self._began = now
            self._next_progress = now + _PROGRESS_SECONDS
        if now < self._next_progress:
            return
        try:
            self._on_progress(self)
        except Exception as error:  # noqa: BLE001 - the loop must not suffer from being watched
            self.progress_error = error
            self._on_progress = None
        end = perf_counter()
        self._spent += end - now
        # Another call as long as this one must not take the whole over its part of the time.
        due = self._began + (self._spent + end - now) / _PROGRESS_PART - (end - now)
        self._next_progress = max(end + _PROGRESS_SECONDS, due)


class _Mode(TorchFunctionMode):
    """Passes every torch function on, and lets a watch see the backward passes."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        handler = _HANDLERS.get(func)
        if handler is not None:
            return handler(self.watch, func, args, kwargs or {})
        try:
            return func(*args, **kwargs) if kwargs else func(*args)
        except Exception as error:
            if not called_by_the_package(until=Watch.call.__code__):
                self.watch._note(error, calling_frames())  # noqa: SLF001 - the watch's own eye
            raise


def _see_backward(mine: Watch, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """See ``tensor.backward(gradient=None, …)`` and ``torch.autograd.backward(tensors, …)``."""
    roots = args[0] if args else kwargs.get("tensors", ())
    weights = args[1] if len(args) > 1 else kwargs.get("gradient", kwargs.get("grad_tensors"))
    inputs = kwargs.get("inputs")
    return mine._differentiate(  # noqa: SLF001 - the watch's own eye
        func,
        tensors_of(roots),
        weights,
        None if inputs is None else tensors_of(inputs),
        lambda: func(*args, **kwargs),
    )


def _see_grad(mine: Watch, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """See ``torch.autograd.grad(outputs, inputs, …)``, whose gradients are returned."""
    roots = tensors_of(args[0] if args else kwargs.get("outputs", ()))
    inputs = tensors_of(args[1] if len(args) > 1 else kwargs.get("inputs", ()))
    weights = args[2] if len(args) > 2 else kwargs.get("grad_outputs")
    create = bool(args[4] if len(args) > 4 else kwargs.get("create_graph", False))
    known = {id(slot.leaf) for tape in mine._tapes[-1:] for slot in tape.slots}  # noqa: SLF001
    parameters = inputs and all(one.is_leaf for one in inputs)
    if create and known:
        parameters = parameters and all(id(one) in known for one in inputs)
    if any(map(functional, roots)):
        parameters = False  # of torch.func, which differentiates tensors of its own
    if not parameters or sum(root.numel() for root in roots) != 1 or called_by_the_package():
        return func(*args, **kwargs)
    result = mine._differentiate(  # noqa: SLF001
        func, roots, weights, inputs, lambda: func(*args, **kwargs)
    )
    mine._unconfirmed = create  # noqa: SLF001
    return result


def _see_grad_read(mine: Watch, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    grad = func(*args, **kwargs)
    try:
        mine._grad_read(args[0], grad)  # noqa: SLF001
    except Exception as error:  # noqa: BLE001 - the loop must not suffer from being watched
        mine.recording_error = error
    return grad


_GRAD: Any = torch.Tensor.grad  # a descriptor in C
_HANDLERS: dict[Any, Callable[[Watch, Any, tuple[Any, ...], dict[str, Any]], Any]] = {
    torch.Tensor.backward: _see_backward,
    torch.autograd.backward: _see_backward,
    torch.autograd.grad: _see_grad,
    _GRAD.__get__: _see_grad_read,
}
