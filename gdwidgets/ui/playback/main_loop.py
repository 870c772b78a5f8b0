"""One owner thread for all state.

A widget callback may arrive on any thread: JupyterLab sends widget messages to kernel subshells,
each of which runs in a thread of its own. ``MainLoop`` finds the event loop that runs the
student's cells and hands every browser message to it, so that traits, marks and the recording
are only ever touched there. Without a running loop (scripts, tests) everything is called directly.

A subshell tells the page at once that a message was received, so while one is being handled a hand
on a slider sends several more. Of those only the newest is handled. After one that took long the
loop is left free for a moment: a cell takes half a dozen turns of the loop to begin, and would wait
for as many messages otherwise.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import traitlets
from IPython import get_ipython
from ipywidgets import Widget

Report = Callable[[BaseException], None]


def _owner_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs cells: the kernel's main one even when asked from a subshell's thread."""
    io_loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    loop: asyncio.AbstractEventLoop | None = getattr(io_loop, "asyncio_loop", None)
    if loop is not None:
        return loop
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# What holds no widget, and is most of what a widget synchronises.
_PLAIN = (traitlets.Unicode, traitlets.Bytes, traitlets.Int, traitlets.Float, traitlets.Bool)


@functools.cache
def _plain(kind: type[Widget]) -> frozenset[str]:
    """The traits of a class of widgets that hold text or numbers."""
    return frozenset(
        name for name, trait in kind.class_traits().items() if isinstance(trait, _PLAIN)
    )


def reachable(root: Widget) -> Iterator[Widget]:
    """Every widget that ``root`` holds through its synchronised traits, ``root`` first."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Widget):
            if id(item) not in seen:
                seen.add(id(item))
                yield item
                plain = _plain(item.__class__)
                waiting.extend(getattr(item, name) for name in item.keys if name not in plain)
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)


LONG = 0.010
"""Seconds from which on the handling of a message was long."""

PAUSE = 0.010
"""Seconds for which the loop is free then, at most: a cell begins meanwhile. It is half as long as
the handling where that is less."""


@dataclass(frozen=True)
class _Message:
    """A message from the page to one widget."""

    comm_id: str
    handle: Callable[[Any], None]
    content: Any
    context: contextvars.Context
    """Of the message's arrival: the answers name the message that they answer."""

    @property
    def sets(self) -> frozenset[str]:
        """The traits that it sets, or the point that it drags; empty for anything else."""
        data = self.content["content"]["data"]
        if data.get("method") == "update":
            return frozenset(data["state"])
        told = data.get("content")
        if isinstance(told, dict) and told.get("event") == "drag":
            return frozenset({f"point {told.get('index')}"})
        return frozenset()

    def replaces(self, other: _Message) -> bool:
        """Whether all that the one before it sets is set again."""
        return self.comm_id == other.comm_id and bool(other.sets) and other.sets <= self.sets


class MainLoop:
    """Runs handlers and tasks on the thread that owns all state, and loses none of their errors.

    Parameters
    ----------
    report
        Called on the owner thread with any exception that a handler or task lets escape.
    """

    def __init__(self, report: Report) -> None:
        self._loop = _owner_loop()
        self._report = report
        self._tasks: set[asyncio.Task[Any]] = set()
        self._adopted: set[str] = set()
        self._waiting: deque[_Message] = deque()
        self._handling: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def running(self) -> bool:
        """Whether there is a live event loop to run tasks on."""
        return self._loop is not None and self._loop.is_running()

    def guarded(self, handler: Callable[..., Any], *args: Any) -> None:
        """Call ``handler`` here and now; report what it raises."""
        if self._closed:
            return
        try:
            handler(*args)
        except Exception as error:  # noqa: BLE001 - a handler's error would vanish in a notebook
            self._report(error)

    def call(self, handler: Callable[..., Any], *args: Any) -> None:
        """Call ``handler`` on the owner thread, in the order of the calls."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self.guarded, handler, *args)
        else:
            self.guarded(handler, *args)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a task on the owner loop; the task is kept and its error reported.

        Raises
        ------
        RuntimeError
            When no loop is running.
        """
        if self._loop is None or not self._loop.is_running():
            coroutine.close()
            raise RuntimeError("there is no running event loop to start a task on")
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._closed:
            self._report(error)

    def adopt(self, root: Widget, prompt: Collection[Widget] = ()) -> None:
        """Have every message from the browser to ``root`` and all it holds handled by the owner.

        In the order in which they come, but for those to the widgets in ``prompt``, which wait for
        no other.
        """
        for widget in reachable(root):
            comm = widget.comm
            if comm is None or comm.comm_id in self._adopted:
                continue
            self._adopted.add(comm.comm_id)
            handle = widget._handle_msg  # noqa: SLF001 - what ipywidgets itself hands to the comm
            if widget in prompt:
                comm.on_msg(functools.partial(self.call, handle))
            else:
                comm.on_msg(functools.partial(self._came, comm.comm_id, handle))

    def _came(self, comm_id: str, handle: Callable[[Any], None], content: Any) -> None:
        self.call(self._receive, _Message(comm_id, handle, content, contextvars.copy_context()))

    def _receive(self, message: _Message) -> None:
        if self._waiting and message.replaces(self._waiting[-1]):
            self._waiting.pop()
        self._waiting.append(message)
        if not self.running:
            self._handle_next()
        elif self._handling is None:
            self._handling = self.start(self._handle_all())

    def _handle_next(self) -> None:
        message = self._waiting.popleft()
        message.context.run(self.guarded, message.handle, message.content)

    async def _handle_all(self) -> None:
        try:
            while self._waiting:
                began = perf_counter()
                self._handle_next()
                if (taken := perf_counter() - began) > LONG:
                    await asyncio.sleep(min(PAUSE, taken / 2))
        finally:
            self._handling = None

    def close(self) -> None:
        """Cancel every task; later calls do nothing."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
