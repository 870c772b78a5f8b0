"""A page of JupyterLab that nothing inspects.

Playwright has its browser report every byte that a page receives, and waits for an answer after
each movement of the mouse; on a machine with two cores that costs as much as the kernel does. Here
the browser is only told what to evaluate.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

from browser.chromium import FLAGS, find_or_install
from browser.kernel import KernelReader
from browser.lab import IS_OPEN, RUN_ALL
from browser.server import LabServer, wait_until

PORT = "DevToolsActivePort"
"""The file in which the browser says where it listens."""


class BarePage:
    """One page: it evaluates JavaScript, and its mouse can be pressed and released.

    Parameters
    ----------
    address
        Of the page's websocket.
    """

    def __init__(self, address: str) -> None:
        self._connection = websocket.create_connection(address, timeout=60)
        self._numbers = itertools.count(1)

    def value(self, function: str, *given: Any) -> Any:
        """What a JavaScript function returns, or what its promise brings."""
        code = f"({function})(...{json.dumps(given)})"
        answer = self._ask("Runtime.evaluate", expression=code, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def press(self, x: float, y: float) -> None:
        """Move the mouse to a point of the window and hold its button."""
        self._mouse("mouseMoved", x, y)
        self._mouse("mousePressed", x, y)

    def release(self, x: float, y: float) -> None:
        """Let the button go."""
        self._mouse("mouseReleased", x, y)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _mouse(self, kind: str, x: float, y: float) -> None:
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        if method == "Runtime.evaluate":
            params["returnByValue"] = True
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") == number:
                return answer["result"]


@contextmanager
def bare_notebook(cell: str) -> Iterator[tuple[BarePage, KernelReader]]:
    """A notebook with one cell, which has run: its page, and a second client of its kernel."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = LabServer(Path(folder, "server")).start()
        server.write_notebook("drag.ipynb", [cell])
        profile = Path(folder, "profile")
        page_address = f"{server.url}/doc/tree/drag.ipynb?token={server.token}"
        flags = ("--headless=new", "--remote-debugging-port=0", "--window-size=1080,1100")
        browser = subprocess.Popen(
            [find_or_install(), *FLAGS, *flags, f"--user-data-dir={profile}", page_address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        kernel = page = None
        try:
            page = BarePage(_address(profile))
            wait_until(lambda: bool(page.value(IS_OPEN)), "the notebook")
            page.value(RUN_ALL)
            (session,) = server.api("GET", "sessions")
            kernel = KernelReader(server.connection_file(session["kernel"]["id"]))
            time.sleep(3.0)  # until all is drawn and nothing is computed any more
            yield page, kernel
        finally:
            for one in (page, kernel):
                if one is not None:
                    one.close()
            browser.terminate()
            browser.wait()
            server.stop()


def _address(profile: Path) -> str:
    """The websocket of the browser's first page."""
    told = profile / PORT
    wait_until(told.exists, "the browser")
    port = told.read_text().splitlines()[0]
    found: list[str] = []

    def listed() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
            pages = [tab for tab in json.load(answer) if tab["type"] == "page"]
        found[:] = [tab["webSocketDebuggerUrl"] for tab in pages]
        return bool(found)

    wait_until(listed, "the browser's page")
    return found[0]
