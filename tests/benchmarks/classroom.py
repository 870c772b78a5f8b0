"""A class on one server: N kernels at play, each with a front end that answers every frame.

The front end is played by this program: it reads what the kernel publishes, counts it, and sends
the scrubber's value back as a page does once it has drawn a frame.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

CLASSES = (1, 4, 8)
"""Kernels at once."""

SECONDS = 8.0
BEFORE = "import bqplot, ipywidgets, torch; torch.zeros(1, requires_grad=True).sum().backward()"
CELL = """
from gdwidgets import SurfaceExplorer
ex = SurfaceExplorer("rosenbrock", learning_rate=1e-7, max_steps=100_000, future=False)
"""
IDS = """{"scrubber": ex.transport.scrubber.comm.comm_id, "sent": ex._gate.sent.comm.comm_id,
"seen": ex._gate.seen.comm.comm_id, "seen_step": ex._gate.seen_step.comm.comm_id}"""


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
        self.ids = self.ask("", IDS)
        self._counted = {"frames": 0, "messages": 0, "bytes": 0}
        self._by_widget: Counter[str] = Counter()

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
        back = {self.ids["scrubber"]: self.ids["seen_step"], self.ids["sent"]: self.ids["seen"]}
        while time.monotonic() < until:
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except Empty:
                continue
            if message["msg_type"] != "comm_msg":
                continue
            content = message["content"]
            self._counted["messages"] += 1
            self._counted["bytes"] += len(json.dumps(content)) + sum(map(len, message["buffers"]))
            # What moves with every frame is told once a frame.
            self._by_widget[content["comm_id"]] += 1
            self._counted["frames"] = max(self._by_widget.values())
            value = content["data"].get("state", {}).get("value")
            to = back.get(content["comm_id"])
            if to is None or value is None:
                continue
            data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
            shell, session = self.client.shell_channel, self.client.session
            shell.send(session.msg("comm_msg", {"comm_id": to, "data": data}))

    def play(self) -> Played:
        """Play for ``SECONDS``, after a while for the pace to be found."""
        self.ask("ex.play()")
        self.answer(2.0)
        self._counted = dict.fromkeys(self._counted, 0)
        self._by_widget.clear()
        began, used = time.monotonic(), self.processor()
        self.answer(SECONDS)
        taken, used = time.monotonic() - began, self.processor() - used
        counted = self._counted
        frames = max(1, counted["frames"])
        return Played(
            frames=frames / taken,
            messages=counted["messages"] / frames,
            size=counted["bytes"] / frames,
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


def rows() -> list[tuple[str, str, str]]:
    """Measure classes of each size: means over the kernels."""
    table = []
    for number in CLASSES:
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
