"""The buttons of the fold *Code*: lines that rebuild what is on the screen, and the script."""

from __future__ import annotations

from collections.abc import Callable

from ipywidgets import HTML, Button, Layout, VBox

from gdwidgets.ui import text
from gdwidgets.ui.form import button, row


class CodeButtons(VBox):
    """Three buttons, and below them the lines that were kept.

    Parameters
    ----------
    lines, script
        Give the lines that rebuild what is on the screen, and the script.
    copy
        Copies a text in the page.
    bind
        Has a button call a function, whose problems are shown.
    """

    def __init__(
        self,
        lines: Callable[[], str],
        script: Callable[[], str],
        copy: Callable[[str], None],
        bind: Callable[[Button, Callable[[], None]], None],
    ) -> None:
        self._lines, self._copy = lines, copy
        self._kept = ""
        self._shown = HTML(layout=Layout(width="100%"))
        keep = button("Keep this situation", "Python that rebuilds what is on the screen")
        again = button("Copy it", "Copy these lines")
        whole = button("Copy the script", "Copy the plain PyTorch script below")
        bind(keep, self._keep)
        bind(again, self._copy_kept)
        bind(whole, lambda: copy(script()))
        super().__init__(
            [row(keep, again, whole, align="center"), self._shown],
            layout=Layout(width="100%", grid_gap="8px"),
        )

    def _keep(self) -> None:
        self._kept = self._lines()
        self._shown.value = text.html_code(self._kept)

    def _copy_kept(self) -> None:
        if not self._kept:
            self._keep()
        self._copy(self._kept)
