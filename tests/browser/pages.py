"""Where things are in an explorer's page, and how a person gets at them."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

PLAY = "Play or pause"
FORWARD, BACK = "Apply one update", "One update back"
RESET, FINISH = "Back to step 0", "Compute and show the whole run"
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


class ExplorerPage:
    """One explorer in the page.

    Parameters
    ----------
    page
        Playwright's page.
    nth
        Which of the explorers in it, from the top.
    """

    def __init__(self, page: Page, nth: int = 0) -> None:
        self.page = page
        self.root = page.locator(".gdwidgets").nth(nth)
        self.map = self.root.locator(".bqplot").first
        self.path = self.map.locator("path.line").first
        self.counter = self.root.locator(".gdw-counter")
        self.status = self.root.locator(".gdw-sentence")

    def ready(self) -> ExplorerPage:
        """Wait until the picture is there."""
        self.path.wait_for(state="attached")
        self.counter.wait_for()
        return self

    def button(self, tooltip: str) -> Locator:
        """Find a button by how its tooltip begins."""
        return self.root.locator(f"button[title^='{tooltip}']").first

    def named(self, name: str) -> Locator:
        """Find a button, a chip or the toggle of a fold by what is written on it."""
        # By its text: what the style sheet adds to it belongs to its accessible name.
        return self.root.locator(f"button:text-is('{name}')")

    def tab_to(self, wanted: Locator, most: int = 60) -> None:
        """Move the focus on with the Tab key alone, until it is where it is wanted."""
        for _ in range(most):
            if wanted.evaluate("node => node === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{most} times Tab do not lead to {wanted}")

    def at_step(self, k: int) -> re.Pattern[str]:
        """What the counter reads at a step."""
        return re.compile(rf"^\s*{k:,} of ")

    @property
    def step(self) -> int:
        """The step that the counter shows."""
        return int(NUMBERS.findall(self.counter.inner_text().replace(",", ""))[0])

    def wait_step(self, step: int) -> None:
        """Wait until the counter shows a step."""
        expect(self.counter).to_have_text(self.at_step(step))

    def drawn(self) -> str:
        """All lines of the map as they are drawn: another text means another picture."""
        return str(
            self.map.evaluate(
                "m => [...m.querySelectorAll('path.line, path.curve_fill, path')]"
                ".map(p => p.getAttribute('d')).join()"
            )
        )

    def plot_area(self) -> dict[str, float]:
        """Pixels of the map's plot area in the window."""
        box = self.map.locator("image").first.bounding_box()
        assert box is not None
        return box

    def start_circle(self) -> Locator:
        """Find the draggable white circle of the first start."""
        return self.map.locator(".object_grp").last

    def middle(self, locator: Locator) -> tuple[float, float]:
        """Return the middle of something, in pixels of the window."""
        box = locator.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
