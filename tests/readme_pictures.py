"""Make README's pictures, one of them moving: a start is dragged, and the path follows the hand.

``python -m tests.readme_pictures`` writes them to ``notebooks/images``; names after it, such as
``autograd``, choose some.
"""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).parent))  # what the browser tests import from

from browser.lab import Lab, lab_alone
from browser.pages import ExplorerPage

TARGET = Path(__file__).parents[1] / "notebooks" / "images"
MOVING = "drag"
STILLS = {
    "accumulation": "ex = AccumulationComparer(); ex.seek(6)",
    "learning_rate": "ex = LearningRateExplorer(); ex.seek(60)",
    "autograd": "ex = AutogradExplorer(); ex.seek(10)",
}
"""By name, what a cell does before it shows ``ex``."""

CELL = "from gdwidgets import HimmelblauExplorer\nex = HimmelblauExplorer()\nex.run()\nex"
FRAMES = 48
MILLISECONDS = 90
"""Of each frame."""

WIDTH = 760
COLOURS = 200


def opened_with(lab: Lab, cell: str) -> ExplorerPage:
    """An explorer in a page, drawn to its end."""
    opened = ExplorerPage(lab.open([cell], width=1080, height=1000)).ready()
    opened.page.wait_for_timeout(1500)
    return opened


def clipped(opened: ExplorerPage, height: float | None = None) -> dict[str, float]:
    """Where in the page the explorer is, or the upper part of it."""
    box = opened.root.bounding_box()
    assert box is not None
    return {**box, "height": height or box["height"]}


def picture(page: Page, clip: dict[str, float]) -> Image.Image:
    """A part of a page."""
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def frames(lab: Lab) -> list[Image.Image]:
    """Pictures of the explorer while its start goes once around the middle of the map."""
    taken = []
    opened = opened_with(lab, CELL)
    page, area, clip = opened.page, opened.plot_area(), clipped(opened, 470)
    across, down = area["width"] / 12, area["height"] / 12
    x, y = opened.middle(opened.start_circle())
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(FRAMES):
        # A circle through the default start (1, 1), around (−1, 0).
        angle = math.atan2(1, 2) + 2 * math.pi * k / FRAMES
        u, v = -1 + math.sqrt(5) * math.cos(angle), math.sqrt(5) * math.sin(angle)
        page.mouse.move(area["x"] + (u + 6) * across, area["y"] + (6 - v) * down)
        page.wait_for_timeout(450)  # the kernel and the page have all the time they need
        taken.append(picture(page, clip))
    page.mouse.up()
    return taken


def write_moving(lab: Lab, target: Path) -> None:
    """Write the moving picture."""
    shrunk = [
        frame.resize((WIDTH, round(WIDTH * frame.height / frame.width)), Image.Resampling.LANCZOS)
        for frame in frames(lab)
    ]
    # One palette for all, else colours flicker; without dithering, else nothing compresses.
    palette = shrunk[0].quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in shrunk]
    few[0].save(
        target, save_all=True, append_images=few[1:], duration=MILLISECONDS, loop=0, optimize=True
    )


def main(names: list[str]) -> None:
    """Write the pictures of some names, or all of them."""
    if unknown := set(names) - {MOVING, *STILLS}:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join([MOVING, *STILLS])}")
    with lab_alone() as lab:
        for name in names or [MOVING, *STILLS]:
            if name == MOVING:
                target = TARGET / f"{name}.gif"
                write_moving(lab, target)
            else:
                target = TARGET / f"{name}.png"
                opened = opened_with(lab, f"from gdwidgets import *\n{STILLS[name]}\nex")
                picture(opened.page, clipped(opened)).save(target, optimize=True)
            sys.stdout.write(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
