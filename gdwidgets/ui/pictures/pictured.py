"""An explorer as a picture: in the notebook's file, for print, and as a page that plays alone."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gdwidgets.core import checks
from gdwidgets.ui.page.page import Page
from gdwidgets.ui.pictures import exported, printed
from gdwidgets.ui.pictures.cell_output import PAGES, framed, live
from gdwidgets.ui.pictures.panels import Panel
from gdwidgets.ui.pictures.still import still_png
from gdwidgets.ui.playback.cursor import Cursor
from gdwidgets.ui.settings import Setting

KINDS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
"""Endings of pictures and their MIME types."""

STILL = 0.03
"""Seconds for which a run's future is computed before a picture is drawn that cannot wait."""


class Pictured(Cursor):
    """What shows in a cell, and can be saved as a picture of what is on its screen."""

    still = Setting(
        True,
        checks.boolean,
        help="Whether a still picture goes into the notebook's file beside the explorer",
        view=True,
    )
    """Whether a cell that shows the explorer keeps a still picture of it too, for exports and
    other places where no widget can live. Default true.

    The picture is that of the moment when the cell ran: what is played later changes it when the
    cell is run again. Inside another layout, such as ``VBox([explorer, …])``, there is none, as
    ipywidgets writes what such a cell keeps; show the explorer itself as well, or keep
    ``IPython.display.Image(explorer.picture("png"))``."""

    WIDTHS: ClassVar[tuple[float, ...]] = (1.0, 1.0)
    """How wide the panels of a printed picture are, relative to each other."""

    TITLE: ClassVar[str] = ""
    """What it is, where the head offers no choice."""

    page: Page
    model_id: str

    # -- what a subclass does ----------------------------------------------------------------

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """Describe the pictures as data, as far as the run is computed.

        Parameters
        ----------
        fine
            Whether for print; else for a small picture, which must be quick.
        """
        raise AssertionError("every explorer describes its pictures")

    def sentence(self, k: int) -> str:
        """Say in words what is seen with the cursor at ``k``; ``**bold**`` is read first."""
        raise AssertionError("every explorer says what it shows")

    @property
    def shows_future(self) -> bool:
        """Whether the rest of the run is drawn."""
        raise AssertionError("every explorer knows what it shows")

    @property
    def sentence_text(self) -> str:
        """The sentence on the screen as plain text."""
        raise AssertionError("every explorer says what it shows")

    # -- in a cell ---------------------------------------------------------------------------

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """What a cell shows: the explorer, and where it cannot live, its sentence and a picture."""
        if not self._ready:
            return {"text/plain": f"<{type(self).__name__}, closed>"}, {}
        pages = os.environ.get(PAGES)
        if pages:
            return framed(Path(pages), self.save_html, self.heading, self.sentence_text), {}
        png = self._still() if self.still else b""
        return live(self.model_id, f"{self.heading}. {self.sentence_text}", png)

    # ipywidgets 7 shows a widget through this method instead.
    _ipython_display_ = None

    @property
    def heading(self) -> str:
        """What it is called where there is nothing else to tell."""
        return self.TITLE or type(self).__name__

    def _still(self) -> bytes:
        """The present state as a small PNG; empty where it cannot be drawn."""
        try:
            if self.shows_future:
                self.record_to(self.goal, STILL)
            k = self.drawn
            return still_png(self.panels(fine=False), k, self.sentence(k), self.WIDTHS)
        except Exception:  # noqa: BLE001 - a function of the user's may raise; the explorer is shown
            return b""

    def picture(self, kind: str) -> bytes:
        """Draw what is on the screen for print: ``kind`` is ``"png"``, ``"svg"`` or ``"pdf"``.

        Raises
        ------
        ValueError
            For another kind.
        """
        kind = checks.one_of(kind, "kind", KINDS)
        if self.shows_future:
            # A button must not take the kernel for a whole run: it gets what is there by now.
            self.record_to(self.max_steps, STILL if self._by_hand else math.inf)
        panels, k = self.panels(fine=True), self.drawn
        return printed.sheet(kind, panels, k, self.sentence(k), widths=self.WIDTHS)

    def save(self, path: str | Path) -> None:
        """Save the present picture; the ending says how: ``.png``, ``.svg`` or ``.pdf``.

        Raises
        ------
        ValueError
            For another ending.
        """
        target = self._target(path, KINDS)
        target.write_bytes(self.picture(target.suffix.lower().lstrip(".")))

    def save_html(self, path: str | Path) -> None:
        """Save the whole run as one page that plays with no kernel and no network.

        The run is computed to its end; the cursor stays where it is. Of a run of more than 400
        steps, 400 can be shown. Needs Bokeh: ``pip install 'gdwidgets[html]'``.

        Raises
        ------
        ValueError
            For an ending other than ``.html`` or ``.htm``.
        ImportError
            Where Bokeh is not installed.
        """
        target = self._target(path, ("html", "htm"))
        target.write_text(self.html(), encoding="utf-8")

    def html(self) -> str:
        """Return the page that `save_html` saves."""
        self.record_to(self.max_steps)
        return exported.page(
            self.panels(fine=True),
            self.sentence,
            end=self.end,
            title=self.heading,
            widths=self.WIDTHS,
        )

    def _target(self, path: Any, endings: Collection[str]) -> Path:
        """A path to write to, with one of some endings."""
        try:
            target = Path(path)
        except Exception:  # noqa: BLE001 - whatever an object of the user's says to it
            raise ValueError(f"path must be text or a Path, got {checks.shown(path)}") from None
        checks.one_of(target.suffix.lower().lstrip("."), "path's ending", endings)
        return target

    def download(self) -> None:
        """Have the browser save the present picture as PNG."""
        if self._by_hand and not printed.ready():
            self._loop.start(self._download_later())
        else:
            self._send_picture()

    async def _download_later(self) -> None:
        """Import what draws, which takes a while, on a thread of its own; then download."""
        await asyncio.to_thread(printed.prepare)
        if self._ready:
            self.do_by_hand(self._send_picture)

    def _send_picture(self) -> None:
        name = f"{self.heading.replace(' ', '-').lower()}-{self.step}.png"
        self.page.save(name, self.picture("png"), KINDS["png"])
