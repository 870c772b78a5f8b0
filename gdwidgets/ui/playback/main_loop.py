"""One owner thread for all state.

A widget callback may arrive on any thread: JupyterLab sends widget messages to kernel subshells,
each of which runs in a thread of its own. ``MainLoop`` finds the event loop that runs the
student's cells and hands every browser message to it, so that traits, marks and the recording
are only ever touched there. Without a running loop (scripts, tests) everything is called directly.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
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

    def adopt(self, root: Widget) -> None:
        """Have every message from the browser to ``root`` and all it holds handled by the owner."""
        for widget in reachable(root):
            comm = widget.comm
            if comm is None or comm.comm_id in self._adopted:
                continue
            self._adopted.add(comm.comm_id)
            handle = widget._handle_msg  # noqa: SLF001 - what ipywidgets itself hands to the comm
            comm.on_msg(lambda message, handle=handle: self.call(handle, message))

    def close(self) -> None:
        """Cancel every task; later calls do nothing."""
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
