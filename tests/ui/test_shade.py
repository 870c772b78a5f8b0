"""A surface's colours follow its values, and show what there is to see."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from gdwidgets.core import SURFACES
from gdwidgets.ui.plots.shade import Shade, indexed_png, png

grids = arrays(
    np.float32,
    st.tuples(st.integers(2, 12), st.integers(2, 12)),
    elements=st.floats(-1e6, 1e6, width=32),
)


def shade_of(name):
    surface = SURFACES[name]
    _, _, z = surface.grid(120)
    least = surface.values(surface.minima).min() if surface.minima else None
    return Shade(z, least), z


@given(grids, st.booleans())
def test_a_higher_value_is_never_paler(z, known):
    shade = Shade(z, float(z.min()) if known else None)
    values = np.sort(z.ravel())
    places = shade.place(values)
    assert (np.diff(places) >= 0).all()
    assert places.min() >= 0
    assert places.max() <= 1


@given(grids)
def test_places_and_values_are_inverses(z):
    assume(float(z.max()) - float(z.min()) > 1)
    shade = Shade(z, None)
    values = np.linspace(shade.low, shade.high, 50)
    back = shade.value(shade.place(values))
    np.testing.assert_allclose(back, values, atol=1e-6 * (shade.high - shade.low))


@given(grids, st.sampled_from([np.nan, np.inf]))
def test_what_is_not_finite_is_as_dark_as_the_highest(z, bad):
    z[0, 0] = bad
    shade = Shade(z, None)
    assert shade.place(np.array(bad)) == 1


@pytest.mark.parametrize("name", SURFACES)
def test_every_part_of_the_scale_is_used(name):
    """No colour covers more than a third of the map, whatever the surface."""
    shade, z = shade_of(name)
    filled = np.histogram(shade.place(z), bins=8, range=(0, 1))[0] / z.size
    assert filled.max() < 1 / 3


@pytest.mark.parametrize("name", ["ackley", "rastrigin"])
def test_local_minima_can_be_seen(name):
    """Near (2, 1) lies a local minimum: it is paler than the lower of the ridges beside it."""
    shade, _ = shade_of(name)
    u = np.linspace(1.5, 2.5, 41)
    points = np.stack([u, np.ones(41)], axis=1).astype(np.float32)
    places = shade.place(SURFACES[name].values(points))
    assert places[10:31].min() < min(places[:10].max(), places[31:].max()) - 0.02


@pytest.mark.parametrize("name", SURFACES)
def test_contours_lie_at_equal_steps_of_colour(name):
    shade, _ = shade_of(name)
    levels = shade.levels()
    assert (np.diff(levels) > 0).all()
    np.testing.assert_allclose(np.diff(shade.place(np.array(levels))), 1 / 15, atol=1e-6)


@pytest.mark.parametrize("name", SURFACES)
def test_the_bars_numbers_do_not_touch(name):
    shade, _ = shade_of(name)
    places = shade.place(np.array(shade.ticks()))
    assert len(places) >= 3
    # 300 pixels high, texts 16.
    assert (np.diff(np.sort(places)) * 300 >= 16).all()


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(4))))
def test_a_png_is_read_back_as_it_was_written(rgba):
    image = Image.open(io.BytesIO(png(rgba))).convert("RGBA")
    np.testing.assert_array_equal(np.asarray(image), rgba[::-1])


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_an_indexed_png_has_the_tables_colours(index):
    table = np.random.default_rng(0).integers(0, 256, (256, 3)).astype(np.uint8)
    image = Image.open(io.BytesIO(indexed_png(index, table))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(image), table[index][::-1])


def test_figures_need_no_matplotlib():
    code = (
        "import sys\n"
        "import gdwidgets.ui.plots.curves, gdwidgets.ui.plots.plane\n"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)
