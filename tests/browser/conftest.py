"""Fixtures of the browser tests: one server, one browser, one kernel and one page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from browser.chromium import FLAGS, find_or_install
from browser.kernel import KernelError
from browser.lab import DARK, LIGHT, Lab
from browser.server import LabServer

HERE = Path(__file__).parent
SHOTS = Path(os.environ["GDWIDGETS_SHOTS"]) if os.environ.get("GDWIDGETS_SHOTS") else None
LAB = pytest.StashKey[Lab]()  # the running module's, also for a test that failed while set up


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what lies here."""
    item.add_marker("browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without pytest-xdist, run what lies here after everything else: quick tests fail first."""
    items.sort(key=lambda item: HERE in item.path.parents)


# Not for the session: while the browser is open Playwright's event loop runs in the tests' thread,
# where headless tests may follow.
@pytest.fixture(scope="package")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    server = LabServer(tmp_path_factory.mktemp("lab")).start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = find_or_install()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def one_lab(lab_server: LabServer, chromium: Browser) -> Iterator[Lab]:
    """One page and one kernel for all modules: to load JupyterLab and torch takes ten seconds."""
    lab = Lab(lab_server, chromium, SHOTS)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def notebook(request: pytest.FixtureRequest, one_lab: Lab) -> Iterator[Lab]:
    """Notebooks for one module's tests: ``notebook.open([...])``, see ``Lab``."""
    failed_before = request.session.testsfailed
    request.config.stash[LAB] = one_lab
    yield one_lab
    del request.config.stash[LAB]
    if request.session.testsfailed > failed_before or getattr(request.module, "LEAVES_TRACES", 0):
        one_lab.close()  # the next module begins with a page and a kernel of its own


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Save a picture of a page for eyes, where ``GDWIDGETS_SHOTS`` names a folder."""

    def save(page: Page, name: str) -> None:
        if SHOTS is not None:
            page.screenshot(path=SHOTS / f"{name}.png")

    return save


@pytest.fixture
def dark_theme(notebook: Lab) -> Iterator[None]:
    """What this test opens is in JupyterLab's dark theme."""
    notebook.theme = DARK
    yield
    notebook.theme = LIGHT


@pytest.fixture(autouse=True)
def _no_page_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose page threw or logged an error, while it ran or while it was opened."""
    yield
    lab = _lab(request.node)
    errors = lab.take_errors() if lab else []
    if errors:
        picture = _picture(request.node)
        pytest.fail("\n".join(["the page had errors:", *errors, picture]), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test where a picture of its page is."""
    report = yield
    if report.failed and call.when != "teardown":
        picture = _picture(item)
        if picture:
            report.sections.append(("the page when it failed", picture))
    return report


def _lab(item: pytest.Item) -> Lab | None:
    """The ``Lab`` a test uses, directly or through a fixture, once it has been made."""
    if "notebook" not in getattr(item, "fixturenames", ()):
        return None
    return item.config.stash.get(LAB, None)


def _picture(item: pytest.Item) -> str:
    """Save a picture of the test's page, if there is one; say where it is, and the page's state."""
    lab = _lab(item)
    if lab is None or not lab.is_open:
        return ""
    path = lab.server.folder / "pictures" / (re.sub(r"[^\w.-]+", "_", item.name)[:80] + ".png")
    try:
        lab.save_shot(path)
        return f"picture: {path}\n{lab.state()}"
    except (PlaywrightError, KernelError) as error:
        return f"no picture of the page: {error}"
