"""A class of visitors of one Voilà: as many as `seats.CLASSES`, a quarter at play."""

from __future__ import annotations

import asyncio
import html
import json
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Page

from browser.server import VoilaServer
from tests.benchmarks import seats
from tests.benchmarks.front_end import CELL, IDS, FrontEnd
from tests.benchmarks.seats import Row, Seat, fetch

LESSON = "lesson.ipynb"
TELL = f'import json\nprint("widgets:", json.dumps({IDS}))'


async def _visit(url: str, began: float) -> tuple[Seat, float]:
    """Load the page as a browser does, and connect to its kernel."""
    page = html.unescape(await fetch(url))
    (kernel,) = set(re.findall(r'"kernelId": ?"([^"]+)"', page))
    seat = Seat(kernel)
    seat.page = FrontEnd(json.loads(re.search(r"widgets: (\{[^}]+\})", page)[1]))
    await seat.connect(url.split("/voila/", maxsplit=1)[0])
    return seat, time.monotonic() - began


async def _class_of(number: int, server: VoilaServer) -> list[Row]:
    url = f"{server.url}/voila/render/{LESSON}"

    async def first_picture(page: Page) -> float:
        began = time.monotonic()
        await page.goto(url)
        await page.locator(".gdwidgets .bqplot path.line").first.wait_for(state="attached")
        return time.monotonic() - began

    began = time.monotonic()
    arrived = await asyncio.gather(*(_visit(url, began) for _ in range(number)))
    visitors, waited = [seat for seat, _ in arrived], [after for _, after in arrived]
    table = await seats.measure("Voilà", server.pid, visitors, waited, first_picture)
    for seat in visitors:
        await seat.close()
    return table


def rows(sizes: Sequence[int] = seats.CLASSES) -> list[Row]:
    """Measure classes of each size."""
    table = []
    for number in sizes:
        with tempfile.TemporaryDirectory() as folder:
            server = VoilaServer(Path(folder) / "server").start()
            server.write_notebook(LESSON, [CELL + "ex", TELL])
            try:
                table += asyncio.run(_class_of(number, server))
            finally:
                server.stop()
    return table
