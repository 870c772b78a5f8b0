"""A class on one server: N kernels at play, each with a front end that answers every frame.

The front ends are played by this program, straight at the kernels; `hub` and `voila` measure with
their servers between.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

from tests.benchmarks.front_end import CELL, IDS, FrontEnd

CLASSES = (1, 4, 8)
"""Kernels at once."""

SECONDS = 8.0
BEFORE = "import bqplot, ipywidgets, torch; torch.zeros(1, requires_grad=True).sum().backward()"


@dataclass
class Played:
    """What one kernel did in ``SECONDS``."""

    frames: float
    """Frames a second."""

    messages: float
    """Widget messages a frame."""

    size: float
    """Bytes of them a frame, all parts."""

    core: float
    """Processor time of the kernel over time."""

    imported: float
    """Resident memory in MB with torch, bqplot and ipywidgets, before any explorer."""

    beyond: float
    """Resident memory in MB that the first explorer at play added to that."""


class Seat:
    """A kernel and the front end that watches it, used from one thread."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self.pid = self.manager.provisioner.process.pid
        self.ask(BEFORE)
        self.imported = self.memory()
        self.ask(CELL)
        self.page = FrontEnd(self.ask("", IDS))

    def ask(self, code: str, expression: str = "None") -> Any:
        """Execute code; return what an expression is worth."""
        wanted = {"it": f"__import__('json').dumps({expression})"}
        sent = self.client.execute(code, silent=True, user_expressions=wanted)
        while True:
            answer = self.client.get_shell_msg(timeout=120)
            if answer["parent_header"].get("msg_id") == sent:
                assert answer["content"]["status"] == "ok", answer["content"]
                told = answer["content"]["user_expressions"]["it"]["data"]["text/plain"]
                return json.loads(told.strip("'"))

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return float(status.split("VmRSS:")[1].split()[0]) / 1024

    def processor(self) -> float:
        """Seconds of processor time so far, of all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answer(self, seconds: float) -> None:
        """Read and acknowledge for a while."""
        until = time.monotonic() + seconds
        shell, session = self.client.shell_channel, self.client.session
        while time.monotonic() < until:
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except Empty:
                continue
            if message["msg_type"] != "comm_msg":
                continue
            content = message["content"]
            size = len(json.dumps(content)) + sum(map(len, message["buffers"]))
            answer = self.page.heard(content, size)
            if answer is not None:
                shell.send(session.msg("comm_msg", answer))

    def play(self) -> Played:
        """Play for ``SECONDS``, after a while for the pace to be found."""
        self.ask("ex.play()")
        self.answer(2.0)
        self.page.begin()
        began, used = time.monotonic(), self.processor()
        self.answer(SECONDS)
        taken, used = time.monotonic() - began, self.processor() - used
        frames = max(1, self.page.frames)
        return Played(
            frames=frames / taken,
            messages=self.page.messages / frames,
            size=self.page.bytes / frames,
            core=100 * used / taken,
            imported=self.imported,
            beyond=self.memory() - self.imported,
        )

    def end(self) -> None:
        """End the kernel, and the loop that jupyter_client made in this thread."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        ensure_event_loop().close()


def _class_of(number: int) -> list[Played]:
    threads = [ThreadPoolExecutor(1) for _ in range(number)]
    try:
        seats = [one.submit(Seat) for one in threads]
        made = [one.result() for one in seats]
        at_play = [one.submit(seat.play) for one, seat in zip(threads, made, strict=True)]
        played = [one.result() for one in at_play]
        for one, seat in zip(threads, made, strict=True):
            one.submit(seat.end).result()
    finally:
        for one in threads:
            one.shutdown()
    return played


def rows(sizes: Sequence[int] = CLASSES) -> list[tuple[str, str, str]]:
    """Measure classes of each size: means over the kernels."""
    table = []
    for number in sizes:
        played = _class_of(number)

        def mean(name: str, played: list[Played] = played) -> float:
            return statistics.mean(getattr(one, name) for one in played)

        of = f", {number} at play"
        table += [
            (f"frames/s of a kernel{of}", f"{mean('frames'):.1f}", ""),
            (f"messages a frame{of}", f"{mean('messages'):.2f}", "≤ 5"),
            (f"bytes a frame{of}", f"{mean('size'):,.0f}", "≤ 6,000"),
            (f"of a core, a kernel{of}", f"{mean('core'):.1f} %", "≤ 10 %"),
            (f"MB of a kernel, imports only{of}", f"{mean('imported'):.0f}", ""),
            (f"MB beyond, first explorer{of}", f"{mean('beyond'):.0f}", "≤ 30"),
        ]
    return table
