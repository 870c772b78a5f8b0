"""A class behind a server: front ends over WebSockets as JupyterLab's, and what all that uses.

The front ends are played by this program, and a page in Chromium is opened beside them, all on the
machine that serves: a server of its own has that much more to give.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil
from jupyter_client.session import Session
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from playwright.async_api import Page, async_playwright
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from browser.chromium import FLAGS, find_or_install
from tests.benchmarks.front_end import FrontEnd

CLASSES = (1, 4, 8, 16)
"""Students at once."""

SECONDS = 10.0
"""How long they are watched."""

PATIENCE = 600.0
"""Seconds that anything may take with 16 students on two cores."""

PROTOCOL = "v1.kernel.websocket.jupyter.org"

AsyncHTTPClient.configure(None, max_clients=100)

Row = tuple[str, str, str]


def at_play(students: int) -> int:
    """How many of a class play at the same moment: a quarter."""
    return max(1, students // 4)


async def fetch(url: str, token: str = "", method: str = "GET", body: object = None) -> Any:
    """One request; the answer's JSON, or its text."""
    request = HTTPRequest(
        url,
        method=method,
        body=None if body is None and method == "GET" else json.dumps(body or {}),
        headers={"Authorization": f"token {token}"} if token else {},
        request_timeout=PATIENCE,
        connect_timeout=PATIENCE,
        allow_nonstandard_methods=True,
    )
    answer = (await AsyncHTTPClient().fetch(request)).body.decode()
    try:
        return json.loads(answer)
    except json.JSONDecodeError:
        return answer


class Seat:
    """One kernel behind a server, and the front end that plays its page."""

    def __init__(self, kernel: str) -> None:
        self.kernel = kernel
        self.page: FrontEnd | None = None
        self._session = Session()
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def connect(self, server: str, token: str = "") -> None:
        """Open the kernel's WebSocket at a server's address."""
        socket = server.replace("http", "ws", 1)
        request = HTTPRequest(
            f"{socket}/api/kernels/{self.kernel}/channels?session_id={uuid.uuid4()}",
            headers={"Authorization": f"token {token}"} if token else {},
            connect_timeout=PATIENCE,
            request_timeout=PATIENCE,
        )
        self._socket = await websocket_connect(
            request, subprotocols=[PROTOCOL], max_message_size=100_000_000
        )
        assert self._socket.selected_subprotocol == PROTOCOL
        self._reading = asyncio.create_task(self._read())

    async def ask(self, code: str, expression: str = "None") -> Any:
        """Execute code as a cell is; return what an expression is worth."""
        wanted = {"it": f"__import__('json').dumps({expression})"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = self._session.msg("execute_request", content | {"user_expressions": wanted})
        reply = self._replies[message["header"]["msg_id"]] = asyncio.Future()
        await self._send(message)
        answer = await asyncio.wait_for(reply, PATIENCE)
        assert answer["status"] == "ok", answer
        return json.loads(answer["user_expressions"]["it"]["data"]["text/plain"].strip("'"))

    async def click_play(self) -> None:
        """Click on *Play* in the page."""
        assert self.page is not None
        await self._send(self._session.msg("comm_msg", self.page.click_play))

    async def close(self) -> None:
        """Close the page; raise what went wrong in it."""
        assert self._reading is not None
        if self._reading.done():
            self._reading.result()
        self._reading.cancel()
        self._socket.close()

    async def _send(self, message: dict[str, Any]) -> None:
        packed = serialize_msg_to_ws_v1(message, "shell", _packed)
        await self._socket.write_message(packed, binary=True)

    async def _read(self) -> None:
        while (received := await self._socket.read_message()) is not None:
            assert isinstance(received, bytes)
            _, (header, parent, _, content, *buffers) = deserialize_msg_from_ws_v1(received)
            kind = json.loads(header)["msg_type"]
            if kind == "comm_msg" and self.page is not None:
                size = len(content) + sum(map(len, buffers))
                answer = self.page.heard(json.loads(content), size)
                if answer is not None:
                    await self._send(self._session.msg("comm_msg", answer))
            elif kind == "execute_reply":
                reply = self._replies.pop(json.loads(parent).get("msg_id"), None)
                if reply is not None:
                    reply.set_result(json.loads(content))


def _packed(part: Any) -> bytes:
    return json.dumps(part, default=str).encode()


@dataclass
class Use:
    """Processes, and what they used while they were watched."""

    processes: Sequence[psutil.Process]
    seconds: float = 0.0
    """Processor time."""

    def begin(self) -> None:
        """Watch from now on."""
        self.seconds = -self._used()

    def end(self) -> None:
        """Watch no longer."""
        self.seconds += self._used()

    def _used(self) -> float:
        return sum(sum(one.cpu_times()[:2]) for one in self.processes)

    @property
    def memory(self) -> float:
        """MB, what several processes share divided among them, where the system tells that."""
        told = [one.memory_full_info() for one in self.processes]
        return sum(getattr(one, "pss", one.rss) for one in told) / 2**20


def family(root: int) -> list[psutil.Process]:
    """A process and all that came from it."""
    first = psutil.Process(root)
    return [first, *first.children(recursive=True)]


def kernels_of(processes: Iterable[psutil.Process]) -> dict[str, psutil.Process]:
    """The kernels among processes, by the word of the command line that holds their id."""
    found = {}
    for process in processes:
        for word in process.cmdline():
            if "kernel-" in word and word.endswith(".json"):
                found[word.rsplit("kernel-", 1)[1].removesuffix(".json")] = process
    return found


async def measure(
    name: str,
    root: int,
    seats: list[Seat],
    waited: list[float],
    first_picture: Callable[[Page], Awaitable[float]],
) -> list[Row]:
    """Let a quarter of a class play, and measure; then one more student opens a page.

    Parameters
    ----------
    name
        Of the server, for the table.
    root
        Process id of the server, from which all others come.
    seats
        The students, whose explorers are paused.
    waited
        Seconds that each of them had waited for the explorer, all at once.
    first_picture
        Opens a page, and returns the seconds until there is a picture in it.
    """
    number, playing = len(seats), at_play(len(seats))
    players, paused = seats[:playing], seats[playing:]
    for seat in players:
        await seat.click_play()
    await asyncio.sleep(5)  # the pace is found, and what came with the start has settled
    everything = family(root)
    kernels = kernels_of(everything)
    served = {seat.kernel: kernels[seat.kernel].parent() for seat in seats}
    own = {kernel: server for kernel, server in served.items() if server.pid != root}
    counted = {*(process.pid for process in own.values()), *(one.pid for one in kernels.values())}
    uses = {
        "kernel at play": Use([kernels[seat.kernel] for seat in players]),
        "server of one at play": Use([own[s.kernel] for s in players if s.kernel in own]),
        "kernel and server, paused": Use(
            [kernels[seat.kernel] for seat in paused]
            + [own[seat.kernel] for seat in paused if seat.kernel in own]
        ),
        f"{name} itself": Use([one for one in everything if one.pid not in counted]),
    }
    shares = dict(zip(uses, (playing, playing, number - playing, 1), strict=True))
    pages = [seat.page for seat in players if seat.page is not None]
    for page in pages:
        page.begin()
    for use in uses.values():
        use.begin()
    began = time.monotonic()
    await asyncio.sleep(SECONDS)
    taken = time.monotonic() - began
    for use in uses.values():
        use.end()
    of = f", {playing} of {number} at play"
    frames = [page.frames / taken for page in pages]
    table = [
        (
            f"frames/s of each, mean (least){of}",
            f"{statistics.mean(frames):.1f} ({min(frames):.1f})",
            "",
        )
    ]
    for what, use in uses.items():
        if use.processes and shares[what]:
            share = 100 * use.seconds / taken / shares[what]
            table.append((f"of a core, {what}{of}", f"{share:.1f} %", ""))
    everybodys = [kernels[seat.kernel] for seat in seats]
    for what, processes in (
        ("a kernel", everybodys),
        ("a student's server", list(own.values())),
        (f"{name} itself", uses[f"{name} itself"].processes),
    ):
        if processes:
            each = 1 if what.endswith("itself") else number
            table.append((f"MB of {what}, {number}", f"{Use(processes).memory / each:.0f}", ""))
    told = f"{statistics.median(waited):.1f} ({max(waited):.1f})"
    table.append((f"s to the explorer, all {number} at once, median (longest)", told, ""))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=await asyncio.to_thread(find_or_install), args=list(FLAGS)
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE * 1000)
        seconds = await first_picture(page)
        await browser.close()
    table.append((f"s to the first picture in Chromium of one more{of}", f"{seconds:.1f}", ""))
    return table
