"""A JupyterLab server of the tests' own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

PATIENCE = 30.0  # seconds, for anything that is slow only on a machine that is busy


class LabServer:
    """A ``jupyter lab`` on 127.0.0.1 whose every folder lies in one temporary folder.

    Nothing of the user's is read or written: neither settings, workspaces, extensions nor kernels.

    Parameters
    ----------
    folder
        An empty folder; notebooks are in ``folder / "notebooks"``, the log in ``folder / "log"``.
    """

    MODULE: ClassVar[str] = "jupyterlab"
    APP: ClassVar[str] = "LabApp"

    SETTINGS: ClassVar[dict[str, dict[str, object]]] = {
        # Else a question about news covers a corner of every page.
        "notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    """A user's settings, by plugin."""

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
        for plugin, settings in self.SETTINGS.items():
            self._set(plugin, settings)
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
        command = [sys.executable, "-m", self.MODULE]
        command += [f"--{name}={value}" for name, value in self.options(port).items()]
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
            wait_until(self._answers, f"the server of {self.MODULE}", detail=self.log)
        except BaseException:
            self.stop()
            raise
        return self

    def options(self, port: int) -> dict[str, object]:
        """What the command line says."""
        return {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": self.notebooks,
            f"{self.APP}.news_url": "",
            # window.jupyterapp: its commands are promises
            f"{self.APP}.expose_app_in_browser": True,
            f"{self.APP}.extension_manager": "readonly",
        }

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

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "start the server first"
        return self._process.pid

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
        write_notebook(self.notebooks / name, cells)

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
            message = f"{self.MODULE} ended with code {code}:\n{self.log()}"
            raise RuntimeError(message)
        try:
            self.api("GET", "status")
        except OSError:
            return False
        return True


class OneShellServer(LabServer):
    """A JupyterLab that sends widgets' messages where cells go, not to subshells of the kernel."""

    SETTINGS: ClassVar[dict[str, dict[str, object]]] = {
        **LabServer.SETTINGS,
        "kernels-settings": {"commsOverSubshells": "disabled"},
    }


class NotebookServer(LabServer):
    """A Jupyter Notebook 7."""

    MODULE = "notebook"
    APP = "JupyterNotebookApp"


class VoilaServer(LabServer):
    """A Voilà that serves a folder of notebooks."""

    MODULE = "voila"

    def options(self, port: int) -> dict[str, object]:
        """What the command line says."""
        return {
            "Voila.ip": "127.0.0.1",
            "Voila.port": port,
            "Voila.open_browser": False,
            "Voila.root_dir": self.notebooks,
        }

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Voilà has no REST interface: whether it shows its list of notebooks is all it tells."""
        if method != "GET" or path != "status":
            raise OSError("no such interface")
        with urllib.request.urlopen(self.url, timeout=PATIENCE) as answer:
            return answer.status


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write a notebook with these code cells."""
    # Not by nbformat, whose import takes seconds in each process of the tests.
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{i}",
                "source": cell,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for i, cell in enumerate(cells)
        ],
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")


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
