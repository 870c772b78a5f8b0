"""A second client of a kernel, beside the page that shows its widgets."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_core.utils import ensure_event_loop

PATIENCE = 30.0  # seconds for an answer
T = TypeVar("T")


class KernelError(AssertionError):
    """Code sent to the kernel raised; the message is the kernel's traceback."""


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
            raise KernelError(f"{expression}\n{plain(answer['traceback'])}")
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
            raise KernelError(f"{code}\n{plain(content.get('traceback', []))}")
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


def plain(traceback: list[str]) -> str:
    """A traceback without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(traceback))
