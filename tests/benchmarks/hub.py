"""A class on one JupyterHub with its proxy: as many students as `seats.CLASSES`, a quarter at play.

Needs JupyterHub, ``pip install jupyterhub`` in this environment, and its proxy, ``npm install
configurable-http-proxy`` here or anywhere on the ``PATH``. All of it is on 127.0.0.1, and the
students are no users of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from playwright.async_api import Page
from tornado.httpclient import HTTPClientError

from browser.lab import IS_OPEN, RUN_ALL
from browser.server import write_notebook
from tests.benchmarks import seats
from tests.benchmarks.front_end import CELL, IDS, FrontEnd
from tests.benchmarks.seats import Row, Seat, fetch

PROXY = "configurable-http-proxy"
LESSON = "lesson.ipynb"
CONFIGURATION = """
c.JupyterHub.bind_url = {url!r}
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.cookie_secret = bytes.fromhex({secret!r})
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.auth_token = {secret!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {home!r}
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.Spawner.environment = {environment!r}
c.JupyterHub.services = [{{"name": "class", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [{{
    "name": "class", "services": ["class"],
    "scopes": ["admin:users", "admin:servers", "access:servers"],
}}]
"""


def _proxy() -> str | None:
    """The proxy's command, if it is installed."""
    beside = Path("node_modules") / ".bin" / PROXY
    return shutil.which(PROXY) or (str(beside.resolve()) if beside.exists() else None)


class Hub:
    """A JupyterHub on 127.0.0.1 that lets everybody in; all its files are in one folder."""

    def __init__(self, folder: Path, proxy: str) -> None:
        self.folder = folder
        self.token = secrets.token_hex(16)
        ports = _free_ports(3)
        self.url = f"http://127.0.0.1:{ports[0]}"
        shared = {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "IPYTHONDIR": str(folder / "ipython"),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        configuration = folder / "hub.py"
        configuration.write_text(
            CONFIGURATION.format(
                url=self.url,
                hub_port=ports[1],
                proxy_port=ports[2],
                secret=secrets.token_hex(32),
                proxy=proxy,
                home=str(folder / "home" / "{username}"),
                python=sys.executable,
                environment=shared,
                token=self.token,
            )
        )
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", str(configuration)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def ready(self) -> None:
        """Wait until hub and proxy answer."""
        end = time.monotonic() + 120
        while True:
            try:
                await fetch(f"{self.url}/hub/api/")
            except (OSError, HTTPClientError):
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError((self.folder / "log").read_text()[-3000:]) from None
                await asyncio.sleep(0.2)
            else:
                return

    async def api(self, method: str, path: str, body: object = None) -> object:
        """One request to the hub."""
        return await fetch(f"{self.url}/hub/api/{path}", self.token, method, body)

    async def seat(self, student: str) -> Seat:
        """Start a student's server and kernel, and run the lesson."""
        self.enrol(student)
        await self.api("POST", f"users/{student}")
        await self.api("POST", f"users/{student}/server")
        while True:
            told = await self.api("GET", f"users/{student}")
            assert isinstance(told, dict)
            if told["servers"].get("", {}).get("ready"):
                break
            await asyncio.sleep(0.2)
        server = f"{self.url}/user/{student}"
        made = await fetch(f"{server}/api/kernels", self.token, "POST", {"name": "python3"})
        seat = Seat(made["id"])
        await seat.connect(server, self.token)
        await seat.ask(CELL + "ex")
        seat.page = FrontEnd(await seat.ask("", IDS))
        return seat

    def enrol(self, student: str) -> None:
        """Make a student's folder, with the lesson in it."""
        home = self.folder / "home" / student
        home.mkdir(parents=True)
        write_notebook(home / LESSON, [CELL + "ex"])

    async def first_picture(self, page: Page) -> float:
        """Log in as one more student, open the lesson and run it; seconds to the picture."""
        self.enrol("late")
        await page.goto(
            f"{self.url}/hub/login?next=/hub/spawn/late?next=/user/late/doc/tree/{LESSON}"
        )
        await page.locator("#username_input").fill("late")
        await page.locator("#password_input").fill("any")
        began = time.monotonic()
        await page.locator("#login_submit").click()
        await page.wait_for_function(IS_OPEN)
        await page.evaluate(RUN_ALL)
        await page.locator(".gdwidgets .bqplot path.line").first.wait_for(state="attached")
        return time.monotonic() - began

    def stop(self) -> None:
        """Stop the hub, its proxy, servers and kernels."""
        processes = seats.family(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        for process in processes:
            if process.is_running():
                process.kill()
        self.process.wait()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


async def _class_of(number: int, proxy: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder), proxy)
        try:
            await hub.ready()
            began = time.monotonic()

            async def arrive(student: str) -> tuple[Seat, float]:
                seat = await hub.seat(student)
                return seat, time.monotonic() - began

            arrived = await asyncio.gather(*(arrive(f"student{k}") for k in range(number)))
            students, waited = [seat for seat, _ in arrived], [after for _, after in arrived]
            table = await seats.measure(
                "JupyterHub", hub.process.pid, students, waited, hub.first_picture
            )
            for seat in students:
                await seat.close()
        finally:
            hub.stop()
    return table


def rows(sizes: Sequence[int] = seats.CLASSES) -> list[Row]:
    """Measure classes of each size, or end and say what is missing."""
    if find_spec("jupyterhub") is None:
        sys.exit("hub needs JupyterHub: pip install jupyterhub")
    proxy = _proxy()
    if proxy is None:
        sys.exit(f"hub needs JupyterHub's proxy: npm install {PROXY}")
    return [row for number in sizes for row in asyncio.run(_class_of(number, proxy))]
