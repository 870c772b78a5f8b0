"""Make README's moving picture: the start is dragged, and the whole path follows the hand.

``python -m tests.moving_picture`` writes ``notebooks/images/drag.gif``.
"""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # what the browser tests import from

from browser.lab import lab_alone
from browser.pages import ExplorerPage

TARGET = Path(__file__).parents[1] / "notebooks" / "images" / "drag.gif"
CELL = "from gdwidgets import HimmelblauExplorer\nex = HimmelblauExplorer()\nex.run()\nex"
FRAMES = 48
MILLISECONDS = 90
"""Of each frame."""

WIDTH = 760
COLOURS = 200


def frames() -> list[Image.Image]:
    """Pictures of the explorer while its start goes once around the middle of the map."""
    taken = []
    with lab_alone() as lab:
        opened = ExplorerPage(lab.open([CELL], width=1080, height=1000)).ready()
        page = opened.page
        page.wait_for_timeout(1500)
        area, root = opened.plot_area(), opened.root.bounding_box()
        assert root is not None
        clip = {"x": root["x"], "y": root["y"], "width": root["width"], "height": 470}
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
            taken.append(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))
        page.mouse.up()
    return taken


def main() -> None:
    """Write the moving picture."""
    shrunk = [
        frame.resize((WIDTH, round(WIDTH * frame.height / frame.width)), Image.Resampling.LANCZOS)
        for frame in frames()
    ]
    # One palette for all, else colours flicker; without dithering, else nothing compresses.
    palette = shrunk[0].quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    few = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in shrunk]
    few[0].save(
        TARGET, save_all=True, append_images=few[1:], duration=MILLISECONDS, loop=0, optimize=True
    )
    sys.stdout.write(f"{TARGET.name}: {len(few)} frames, {TARGET.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main()
