"""A Chromium for the browser tests: found on this machine, or else installed.

The tests never skip for want of a browser: where none can be had, they fail and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = (
    "--no-sandbox",  # Chromium refuses its sandbox to root, and CI is root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # containers often give it 64 MB, and pages crash when it is full
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ON_PATH = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "{PROGRAMFILES}/Google/Chrome/Application/chrome.exe",
    "{PROGRAMFILES(X86)}/Google/Chrome/Application/chrome.exe",
    "{LOCALAPPDATA}/Google/Chrome/Application/chrome.exe",
    "{PROGRAMFILES(X86)}/Microsoft/Edge/Application/msedge.exe",
    "{PROGRAMFILES}/Microsoft/Edge/Application/msedge.exe",
)
APT_PACKAGES = ("chromium", "fonts-dejavu-core")  # without a font, text has no width


class NoBrowserError(RuntimeError):
    """No Chromium was found, and none could be installed."""


def find_or_install() -> str:
    """The path of a Chromium-like browser.

    In this order: ``GDWIDGETS_CHROMIUM``, the ``PATH``, the usual places of macOS and Windows,
    the browser Playwright manages, an installation by apt (Debian, as root) or by Playwright.

    Raises
    ------
    NoBrowserError
        With what was tried and what the installers said.
    """
    wanted = os.environ.get("GDWIDGETS_CHROMIUM")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            message = f"GDWIDGETS_CHROMIUM={wanted!r} is not an executable file"
            raise NoBrowserError(message)
        return found
    found = next(_installed(), None)
    if found is not None:
        return found
    said = _install()
    found = next(_installed(), None)
    if found is None:
        message = (
            "The browser tests need Chromium, Chrome or Edge. None was found and none could be "
            "installed; install one, or name one in GDWIDGETS_CHROMIUM.\n" + said
        )
        raise NoBrowserError(message)
    return found


def _installed() -> Iterator[str]:
    """Every usable browser here, the preferred one first."""
    for name in ON_PATH:
        found = shutil.which(name)
        if found is not None:
            yield found
    for place in ELSEWHERE:
        for variable in ("PROGRAMFILES(X86)", "PROGRAMFILES", "LOCALAPPDATA"):
            place = place.replace(f"{{{variable}}}", os.environ.get(variable, ""))  # noqa: PLW2901
        if Path(place).is_file():
            yield place
    with sync_playwright() as playwright:
        managed = playwright.chromium.executable_path
    if Path(managed).is_file():
        yield managed


def _install() -> str:
    """Install a browser and return what the installers said."""
    root_on_debian = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")
    if not root_on_debian:
        return _run(sys.executable, "-m", "playwright", "install", "chromium")
    said = _run("apt-get", "update")
    return said + _run("apt-get", "install", "-y", "--no-install-recommends", *APT_PACKAGES)


def _run(*command: str) -> str:
    """Run a command, whatever it returns, and give its last lines."""
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    last = "\n".join(done.stdout.splitlines()[-15:])
    return f"$ {' '.join(command)}  (exit code {done.returncode})\n{last}\n"
