"""A JupyterLab of the tests' own: server, kernel and page.

``LabServer`` is the server process, ``KernelReader`` a second client of one kernel, and ``Lab``
puts notebooks into a page and lets a test look at both ends.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import nbformat
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_core.utils import ensure_event_loop
from playwright.sync_api import Browser, CDPSession, ConsoleMessage, Page
from playwright.sync_api import Error as PlaywrightError

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
PATIENCE = 30.0  # seconds, for anything that is slow only on a machine that is busy
T = TypeVar("T")

# Ends what an earlier notebook left in the kernel: our own close() first, which stops the clocks.
TIDY = """
from ipywidgets import Widget as _Widget
from ipywidgets.widgets.widget import _instances
for _step in (lambda w: type(w).__module__.startswith("gdwidgets"), lambda w: True):
    for _widget in list(_instances.values()):
        if _step(_widget):
            _widget.close()
get_ipython().reset(new_session=False)
"""
RUN_ALL = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""
RUN_NEW_CELL = """async (code) => {
    const panel = window.jupyterapp.shell.currentWidget;
    const cells = panel.content.model.sharedModel.cells;
    panel.content.model.sharedModel.insertCell(cells.length, {cell_type: "code", source: code});
    panel.content.activeCellIndex = cells.length - 1;
    panel.content.deselectAll();
    await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
OUTPUTS = """() => {
    const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells;
    return cells.map(cell => cell.toJSON().outputs || []);
}"""
IS_OPEN = """() => {
    const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    const kernel = panel && panel.sessionContext && panel.sessionContext.session
        && panel.sessionContext.session.kernel;
    return Boolean(kernel) && panel.context.isReady && kernel.status === "idle"
        && kernel.connectionStatus === "connected";
}"""


class KernelError(AssertionError):
    """Code sent to the kernel raised; the message is the kernel's traceback."""


class LabServer:
    """A ``jupyter lab`` on 127.0.0.1 whose every folder lies in one temporary folder.

    Nothing of the user's is read or written: neither settings, workspaces, extensions nor kernels.

    Parameters
    ----------
    folder
        An empty folder; notebooks are in ``folder / "notebooks"``, the log in ``folder / "log"``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.token = secrets.token_hex(16)
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> LabServer:
        """Start the server and return when it answers."""
        for name in ("notebooks", "config", "data", "runtime", "settings", "workspaces", "ipython"):
            (self.folder / name).mkdir(parents=True)
        # Else a question about news covers a corner of every page.
        self._set("notification", {"fetchNews": "false", "checkForUpdates": False})
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_"))}
        environment = inherited | {
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self.folder / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(self.folder / "workspaces"),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "JUPYTER_TOKEN": self.token,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else a warning in every kernel's log
        }
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.notebooks,
            "LabApp.news_url": "",
            "LabApp.expose_app_in_browser": True,  # window.jupyterapp: its commands are promises
            "LabApp.extension_manager": "readonly",
        }
        command = [sys.executable, "-m", "jupyterlab"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.notebooks,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, "JupyterLab's server", detail=self.log)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server and its kernels, and nothing else."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            for kernel in self.api("GET", "kernels"):
                self.api("DELETE", f"kernels/{kernel['id']}")
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def log(self) -> str:
        """The last lines the server wrote."""
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-30:])

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One request to the server's REST interface, and its JSON answer."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def set_theme(self, theme: str) -> None:
        """Choose the theme of pages opened from now on, as the user's settings would."""
        self._set("themes", {"theme": theme})

    def write_notebook(self, name: str, cells: list[str]) -> None:
        """Write a notebook with these code cells into the server's folder."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.notebooks / name)

    def start_kernel(self) -> str:
        """Start a kernel of the interpreter that runs the tests, and return its id."""
        kernel_id: str = self.api("POST", "kernels", {"name": "python3"})["id"]
        return kernel_id

    def connection_file(self, kernel_id: str) -> Path:
        """The file that tells a second client where a kernel listens."""
        return self.folder / "runtime" / f"kernel-{kernel_id}.json"

    def _set(self, plugin: str, settings: dict[str, object]) -> None:
        folder = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(settings))

    def _answers(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            message = f"JupyterLab ended with code {code}:\n{self.log()}"
            raise RuntimeError(message)
        try:
            self.api("GET", "status")
        except OSError:
            return False
        return True


class KernelReader:
    """A client of a kernel beside the page: it asks silently, and leaves page and history alone.

    It uses the shell channel only, so what it asks waits for running cells and is answered
    between two slices of a running clock.
    """

    def __init__(self, connection_file: Path) -> None:
        # Playwright's loop runs in the tests' thread, and jupyter_client wants one of its own.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kernel-reader")
        self._client = BlockingKernelClient(connection_file=str(connection_file))
        self._call(self._connect)

    def execute(self, code: str) -> None:
        """Execute code in the user's namespace; output goes nowhere.

        Raises
        ------
        KernelError
            With the kernel's traceback, when the code raised.
        """
        self._ask(code)

    def value(self, expression: str) -> Any:
        """What a Python expression is worth in the kernel, by way of JSON."""
        asked = f"__import__('json').dumps({expression})"
        answer = self._ask("", {"value": asked})["user_expressions"]["value"]
        if answer["status"] != "ok":
            raise KernelError(f"{expression}\n{_plain(answer['traceback'])}")
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def close(self) -> None:
        """Let go of the kernel, which lives on."""
        self._call(self._client.stop_channels)
        self._call(lambda: ensure_event_loop().close())  # the one jupyter_client made there
        self._thread.shutdown()

    def _connect(self) -> None:
        self._client.load_connection_file()
        self._client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)

    def _ask(self, code: str, expressions: dict[str, str] | None = None) -> dict[str, Any]:
        content = self._call(lambda: self._exchange(code, expressions))
        if content["status"] != "ok":
            raise KernelError(f"{code}\n{_plain(content.get('traceback', []))}")
        return content

    def _exchange(self, code: str, expressions: dict[str, str] | None) -> dict[str, Any]:
        asked = self._client.execute(
            code,
            silent=True,
            store_history=False,
            user_expressions=expressions or {},
            allow_stdin=False,
            stop_on_error=False,
        )
        while True:
            answer = self._client.get_shell_msg(timeout=PATIENCE)
            if answer["parent_header"].get("msg_id") == asked:
                content: dict[str, Any] = answer["content"]
                return content

    def _call(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()


class Lab:
    """Notebooks in JupyterLab for the tests of one module, one after another in one kernel.

    Attributes
    ----------
    page
        Playwright's page with the notebook opened last.
    errors
        Uncaught exceptions and console errors of the pages, in order; each test starts with none.
    theme
        The theme of the next page.
    """

    def __init__(self, server: LabServer, browser: Browser, shots: Path | None = None) -> None:
        self.server = server
        self.theme = LIGHT
        self.errors: list[str] = []
        self._browser = browser
        self._shots = shots
        self._page: Page | None = None
        self._cdp: CDPSession | None = None
        self._kernel_id: str | None = None
        self._reader: KernelReader | None = None
        self._opened = 0

    @property
    def page(self) -> Page:
        """The page with the notebook opened last."""
        assert self._page is not None, "open a notebook first"
        return self._page

    @property
    def kernel(self) -> KernelReader:
        """The second client of the page's kernel."""
        assert self._reader is not None, "open a notebook first"
        return self._reader

    def open(
        self,
        cells: list[str],
        width: int = 1280,
        height: int = 900,
        *,
        fresh_kernel: bool = False,
        run: bool = True,
    ) -> Page:
        """Show a new notebook and run its cells; the one before is closed.

        Parameters
        ----------
        cells
            The code of the cells.
        width, height
            The window, in CSS pixels.
        fresh_kernel
            Start a new kernel. Else the module's kernel goes on: its widgets are closed and its
            names forgotten, its imports stay.
        run
            Run all cells and wait until the last has ended. A cell that raises is an error.
        """
        self.close_page()
        self._prepare_kernel(fresh=fresh_kernel)
        self._opened += 1
        name = f"{self._kernel_id}-{self._opened}.ipynb"
        self.server.write_notebook(name, cells)
        self.server.set_theme(self.theme)
        kernel = {"id": self._kernel_id}
        session = {"path": name, "name": name, "type": "notebook", "kernel": kernel}
        self.server.api("POST", "sessions", session)

        self._page = page = self._browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("console", self._note_console)
        page.goto(f"{self.server.url}/doc/tree/{name}?token={self.server.token}")
        page.wait_for_function(IS_OPEN)
        if run:
            page.evaluate(RUN_ALL)
            self._raise_for_outputs()
        return page

    def run_cell(self, code: str) -> str:
        """Append a cell, run it as a user would, and return the text it shows.

        Raises
        ------
        KernelError
            With the kernel's traceback, when the cell raised.
        """
        self.page.evaluate(RUN_NEW_CELL, code)
        return "".join(_text(output) for output in self._raise_for_outputs()[-1])

    def value(self, expression: str) -> Any:
        """A Python expression's value in the kernel, beside the page: ``value("ex.step")``."""
        return self.kernel.value(expression)

    def execute(self, code: str) -> None:
        """Execute code in the kernel beside the page: what it changes shows in the page."""
        self.kernel.execute(code)

    def wait_value(self, expression: str, wanted: object = True, timeout: float = 20.0) -> None:
        """Wait until an expression in the kernel has a value, leaving the page to its work."""
        seen: list[object] = [None]

        def reached() -> bool:
            self.page.wait_for_timeout(50)
            seen[0] = self.value(expression)
            return seen[0] == wanted

        wait_until(
            reached, f"{expression} == {wanted!r}", timeout, lambda: f"last seen: {seen[0]!r}"
        )

    def throttle(self, rate: float) -> None:
        """Make the page's CPU ``rate`` times slower; 1 is full speed."""
        if self._cdp is None:
            self._cdp = self.page.context.new_cdp_session(self.page)
        self._cdp.send("Emulation.setCPUThrottlingRate", {"rate": rate})

    def count_frames(self, selector: str) -> Callable[[], int]:
        """Count the changes of a path's ``d`` from now on; call the result to read the count."""
        path = self.page.locator(selector).first
        path.wait_for(state="attached")
        path.evaluate("""element => {
            element.framesDrawn = 0;
            new MutationObserver(() => { element.framesDrawn += 1; })
                .observe(element, {attributes: true, attributeFilter: ["d"]});
        }""")
        return lambda: int(path.evaluate("element => element.framesDrawn"))

    def shot(self, name: str) -> None:
        """Save a picture of the page for eyes, where ``GDWIDGETS_SHOTS`` names a folder."""
        if self._shots is not None:
            self.save_shot(self._shots / f"{name}.png")

    def save_shot(self, path: Path) -> None:
        """Save a picture of the page as this file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    @property
    def is_open(self) -> bool:
        """Whether there is a page to look at."""
        return self._page is not None and not self._page.is_closed()

    def take_errors(self) -> list[str]:
        """The page's errors so far; the list starts anew."""
        if self.is_open:
            _deliver_events(self.page)
        taken = self.errors.copy()
        self.errors.clear()
        return taken

    def close_page(self) -> None:
        """Close the page; the kernel lives on."""
        page, self._page, self._cdp = self._page, None, None
        if page is not None:
            _deliver_events(page)
            page.context.close()

    def close(self) -> None:
        """Close the page and end the kernel."""
        self.close_page()
        self._end_kernel()

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}  ({message.location.get('url', '')})")

    def _prepare_kernel(self, *, fresh: bool) -> None:
        if fresh:
            self._end_kernel()
        if self._reader is None:
            self._kernel_id = self.server.start_kernel()
            file = self.server.connection_file(self._kernel_id)
            wait_until(file.exists, "the kernel's connection file")
            self._reader = KernelReader(file)
        else:
            self._reader.execute(TIDY)

    def _end_kernel(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
            self.server.api("DELETE", f"kernels/{self._kernel_id}")

    def _raise_for_outputs(self) -> list[list[dict[str, Any]]]:
        """Every cell's outputs; an error among them is raised."""
        cells: list[list[dict[str, Any]]] = self.page.evaluate(OUTPUTS)
        for outputs in cells:
            for output in outputs:
                if output["output_type"] == "error":
                    raise KernelError(_plain(output["traceback"]))
        return cells


def wait_until(
    reached: Callable[[], bool],
    what: str,
    timeout: float = PATIENCE,
    detail: Callable[[], str] = str,
) -> None:
    """Ask again and again until ``reached``; a timeout says ``what`` was waited for."""
    end = time.monotonic() + timeout
    while not reached():
        if time.monotonic() > end:
            message = f"waited {timeout:g} s for {what}\n{detail()}"
            raise TimeoutError(message)
        time.sleep(0.05)


def _deliver_events(page: Page) -> None:
    """Let errors that are on their way from the page arrive."""
    with contextlib.suppress(PlaywrightError):  # a crashed page has told all it will
        page.wait_for_timeout(20)


def _plain(traceback: list[str]) -> str:
    """A traceback without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))


def _text(output: dict[str, Any]) -> str:
    """What one output shows as text."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)
