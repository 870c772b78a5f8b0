"""A notebook in a JupyterLab page, and the kernel behind it: what a browser test works with."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from browser.chromium import FLAGS, find_or_install
from browser.kernel import KernelError, KernelReader, plain
from browser.server import PATIENCE, LabServer, wait_until

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

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
# In a page that is there already: JupyterLab itself takes longer to load than most tests take.
OPEN = """async path => {
    const app = window.jupyterapp;
    const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
    app.shell.activateById(panel.id);
    await panel.context.ready;
}"""
THEME = "document.body.dataset.jpThemeLight"
CLOSE = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
    panel.context.model.dirty = false;  // else JupyterLab asks whether to save
    panel.close();
    while (!panel.isDisposed || (kernel && !kernel.isDisposed))
        await new Promise(resolve => setTimeout(resolve, 10));
}"""
WITHOUT_KERNEL = "no comm channel defined"
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
WIDGETS = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const kernel = panel.sessionContext.session.kernel;
    return {kernel: kernel.id, status: kernel.status, connection: kernel.connectionStatus,
        handlesComms: kernel.handleComms,
        shown: document.querySelectorAll(".gdwidgets").length,
        outputs: [...document.querySelectorAll(".jp-OutputArea-output")].map(
            output => output.innerText.slice(0, 60))};
}"""
IS_OPEN = """() => {
    const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    const kernel = panel && panel.sessionContext && panel.sessionContext.session
        && panel.sessionContext.session.kernel;
    return Boolean(kernel) && panel.context.isReady && kernel.status === "idle"
        && kernel.connectionStatus === "connected";
}"""


class Lab:
    """Notebooks for the tests of one module, one after another in one page and one kernel.

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
        self._close_notebook()
        self._prepare_kernel(fresh=fresh_kernel)
        self._opened += 1
        name = f"{self._kernel_id}-{self._opened}.ipynb"
        self.server.write_notebook(name, cells)
        kernel = {"id": self._kernel_id}
        session = {"path": name, "name": name, "type": "notebook", "kernel": kernel}
        self.server.api("POST", "sessions", session)
        if self._page is None:
            page = self._new_page(name)
        else:
            page = self._page
            self.change_theme(self.theme)
            page.evaluate(OPEN, name)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(IS_OPEN)
        # On a busy machine widgets of the notebook before may still try to tell their kernel.
        self.errors = [error for error in self.errors if WITHOUT_KERNEL not in error]
        if run:
            page.evaluate(RUN_ALL)
            for outputs in self._outputs():
                _raise_first_error(outputs)
        return page

    def _new_page(self, name: str) -> Page:
        """Load JupyterLab with a notebook."""
        self.server.set_theme(self.theme)
        self._page = page = self._browser.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", self._note_uncaught)
        page.on("console", self._note_console)
        page.goto(f"{self.server.url}/doc/tree/{name}?token={self.server.token}")
        return page

    def reload(self) -> Page:
        """Load the page with the present notebook anew, as it was last saved."""
        self.page.reload()
        return self.page

    def change_theme(self, theme: str) -> None:
        """Change the theme of the page, and wait until it is in force.

        JupyterLab's command ends before that, and a change amid another one is an error of its own.
        """
        light = str(theme == LIGHT).lower()
        if self.page.evaluate(THEME) == light:
            return
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        self.page.wait_for_function(f"{THEME} === '{light}'")
        self.page.wait_for_timeout(500)

    @contextlib.contextmanager
    def dark(self) -> Iterator[None]:
        """Show what is open in the dark theme for a while."""
        self.change_theme(DARK)
        try:
            yield
        finally:
            self.change_theme(LIGHT)

    def run_cell(self, code: str) -> str:
        """Append a cell, run it as a user would, and return the text it shows.

        Raises
        ------
        KernelError
            With the kernel's traceback, when the cell raised.
        """
        self.page.evaluate(RUN_NEW_CELL, code)
        outputs = self._outputs()[-1]
        _raise_first_error(outputs)
        return "".join(_text(output) for output in outputs)

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

    def state(self) -> str:
        """What the page knows of its kernel, and the widgets on both sides, for a failed test."""
        widgets = "len(__import__('ipywidgets').widgets.widget._instances)"
        page = self.page.evaluate(WIDGETS)
        return f"page: {page}; kernel: {self._kernel_id}, widgets: {self.value(widgets)}"

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

    def _note_uncaught(self, error: PlaywrightError) -> None:
        stack = error.stack or str(error)
        # JupyterLab's own, now and then, when its theme is changed soon after it was loaded.
        own = "removeChild" in stack and "/static/lab/" in stack and "/extensions/" not in stack
        if not own:
            self.errors.append(f"uncaught: {stack}")

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}  ({message.location.get('url', '')})")

    def _close_notebook(self) -> None:
        """Close the notebook in the page, if there is one; its kernel lives on."""
        if self._page is not None:
            errors = self.take_errors()
            self._page.evaluate(CLOSE)
            self.take_errors()  # widgets that could no longer tell their kernel something
            self.errors.extend(errors)

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

    def _outputs(self) -> list[list[dict[str, Any]]]:
        """Every cell's outputs."""
        cells: list[list[dict[str, Any]]] = self.page.evaluate(OUTPUTS)
        return cells


@contextlib.contextmanager
def lab_alone() -> Iterator[Lab]:
    """A ``Lab`` with a server and a browser of its own, outside the tests."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = LabServer(Path(folder)).start()
        browser = playwright.chromium.launch(executable_path=find_or_install(), args=list(FLAGS))
        lab = Lab(server, browser)
        try:
            yield lab
        finally:
            lab.close()
            browser.close()
            server.stop()


def _raise_first_error(outputs: list[dict[str, Any]]) -> None:
    """Raise the first error among a cell's outputs, if there is one."""
    for output in outputs:
        if output["output_type"] == "error":
            raise KernelError(plain(output["traceback"]))


def _deliver_events(page: Page) -> None:
    """Let errors that are on their way from the page arrive."""
    with contextlib.suppress(PlaywrightError):  # a crashed page has told all it will
        page.wait_for_timeout(20)


def _text(output: dict[str, Any]) -> str:
    """What one output shows as text."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return text if isinstance(text, str) else "".join(text)
