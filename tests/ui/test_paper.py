"""Figures are saved as files without a browser, and what is on them is in the file."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from gdwidgets.core import SURFACES
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.paper import save
from gdwidgets.ui.plots.plane import Plane


@pytest.fixture(scope="module")
def figures():
    surface = SURFACES["himmelblau"]
    plane = Plane(360)
    plane.show_surface(surface.values, surface.bounds, least=0.0, minima=surface.minima)
    path = np.linspace([1.0, 1.0], [3.0, 2.0], 101, dtype=np.float32)[:, None]
    plane.show_run(path)
    plane.draw(40)
    curves = Curves(360, title="loss", steps="update")
    values = np.geomspace([100, 100], [1e-6, 1], 101)
    curves.show_run(values, ["plain", "<b> & co"], end=100, levels=[(1e-3, "floor")])
    curves.draw(40)
    return plane, curves


def test_an_svg_holds_the_texts_of_the_figures(figures, tmp_path):
    text = save(tmp_path / "figure.svg", figures, title="A title").read_text(encoding="utf-8")
    for words in ("A title", "loss", "update", "● plain", "▲ &lt;b&gt; &amp; co", "floor", "10⁻⁶"):
        assert re.search(f">[^<]*{re.escape(words)}[^<]*<", text), words


def test_a_png_is_as_wide_as_its_figures_and_in_colour(figures, tmp_path):
    image = Image.open(save(tmp_path / "figure.png", figures, widths=[360, 540])).convert("RGB")
    assert image.width / image.height == pytest.approx(900 / 360, rel=0.01)
    pixels = np.asarray(image).reshape(-1, 3)
    for colour in ((0xD5, 0x5E, 0x00), (0x0F, 0x6C, 0xBD)):
        assert (np.abs(pixels - np.array(colour)).max(axis=1) < 3).sum() > 50


def test_a_pdf_is_a_pdf(figures, tmp_path):
    assert save(tmp_path / "figure.pdf", figures).read_bytes().startswith(b"%PDF")


def test_another_suffix_is_refused_with_those_accepted(figures, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg or \.pdf, got 'figure\.gif'"):
        save(tmp_path / "figure.gif", figures)


def test_the_future_is_not_on_the_picture_while_it_is_hidden(tmp_path):
    counts = []
    for future in (True, False):
        curves = Curves(300, future=future)
        curves.show_run(np.geomspace(1, 1e-3, 101)[:, None], [""], end=100)
        curves.draw(20)
        image = Image.open(save(tmp_path / "figure.png", [curves])).convert("RGB")
        counts.append(int((np.asarray(image)[:, image.width // 2 :].min(axis=2) < 200).sum()))
    assert counts[0] > 4 * counts[1] or counts[1] < counts[0] - 100
