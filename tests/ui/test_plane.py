"""The map shows paths at full resolution in few small messages, and starts stay on it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gdwidgets.core import SURFACES, Descent
from gdwidgets.ui.plots import labels, palette, trail
from gdwidgets.ui.plots.ground import Basins, basin_picture
from gdwidgets.ui.plots.plane import Plane
from gdwidgets.ui.plots.view import SIDE
from living import SILENT, living
from messages import recorded_messages

HIMMELBLAU = SURFACES["himmelblau"]


def plane_of(surface=HIMMELBLAU, **options):
    plane = Plane(360, **options)
    plane.show_surface(surface.values, surface.bounds, lowest=0.0, minima=surface.minima)
    return plane


def descent_of(lanes=1, rate=5e-4, steps=300, **options):
    starts = [[1.0 + 0.3 * lane, 1.0 - 0.2 * lane] for lane in range(lanes)]
    descent = Descent(HIMMELBLAU, starts, rate, max_steps=steps, **options)
    descent.advance_to(steps)
    return descent


def visible_path(plane, lane):
    """The corners of a lane's solid path as the browser shows them: whole pieces and the tail."""
    lanes, pieces = len(plane._runs), plane._pieces
    first = lanes * pieces if plane._halos else 0
    shown = set(plane.past.curves_subset)
    x, y = np.atleast_2d(plane.past.x), np.atleast_2d(plane.past.y)
    parts = [
        np.stack([x[row], y[row]], axis=1)
        for row in range(first + lane * pieces, first + (lane + 1) * pieces)
        if row in shown
    ]
    row = (lanes if plane._halos else 0) + lane
    parts.append(np.stack([plane.moving.x[row], plane.moving.y[row]], axis=1))
    return np.concatenate(parts)


def wild_paths(seed, records, lanes):
    """Paths (records, lanes, 2) that wander, leave the map, or turn non-finite."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, rng.choice([0.01, 1, 100]), (records, lanes, 2))
    paths = np.cumsum(steps, axis=0) + rng.uniform(-5, 5, (lanes, 2))
    for _ in range(rng.integers(0, 3)):
        bad = rng.choice([np.inf, -np.inf, np.nan, 1e30])
        paths[rng.integers(1, records + 1) :, rng.integers(lanes), rng.integers(2)] = bad
    return paths.astype(np.float32)


wild = st.builds(wild_paths, st.integers(0, 10**6), st.integers(1, 900), st.integers(1, 6))


@pytest.fixture(scope="module")
def plane():
    """One for all: `show_run` makes it another run's."""
    return plane_of()


@given(paths=wild, data=st.data())
@settings(max_examples=20)
def test_the_picture_does_not_depend_on_where_the_cursor_has_been(plane, paths, data):
    k = data.draw(st.integers(0, len(paths)))
    seen = []
    for detour in ([], data.draw(st.lists(st.integers(0, len(paths)), max_size=4))):
        plane.show_run(paths)
        for other in detour:
            plane.draw(other)
        plane.draw(k)
        seen.append((plane.moving.x, plane.moving.y, plane.past.curves_subset))
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)


@given(paths=wild)
@settings(max_examples=20)
def test_nothing_reaches_the_browser_that_it_cannot_draw(plane, paths):
    plane.show_run(paths)
    for k in (0, len(paths) // 2, len(paths)):
        plane.draw(k)
        for mark in (plane.past, plane.coming, plane.moving):
            for values in (mark.x, mark.y):
                assert np.isfinite(values).all()
                assert np.abs(values).max() <= 200 * SIDE


@given(paths=wild)
@settings(max_examples=20)
def test_markers_stand_on_the_map(plane, paths):
    plane.show_run(paths)
    lanes = paths.shape[1]
    for k in (0, len(paths) // 2, len(paths)):
        plane.draw(k)
        for axis in (plane.moving.x, plane.moving.y):
            corners = axis[-lanes:].astype(float)
            middle = (corners.min(axis=1) + corners.max(axis=1)) / 2
            assert (middle > -60).all()
            assert (middle < SIDE + 60).all()


@given(st.integers(0, 10**6), st.integers(2, 2000), st.integers(20, 400))
@settings(max_examples=20)
def test_a_thinned_path_keeps_its_ends_and_its_extremes(seed, count, most):
    path = np.random.default_rng(seed).normal(size=(count, 2)).cumsum(axis=0)
    picked = trail.thinned(path, most)
    assert len(picked) <= max(most, 6)
    assert picked[0] == 0
    assert picked[-1] == count - 1
    np.testing.assert_array_equal(path[picked].max(axis=0), path.max(axis=0))
    np.testing.assert_array_equal(path[picked].min(axis=0), path.min(axis=0))


@given(
    rate=st.floats(2e-4, 8e-3),
    start=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
    steps=st.sampled_from([1000, 5000]),
)
@settings(max_examples=10)
def test_a_thinned_path_lies_on_the_whole_one(rate, start, steps):
    """However early it comes to rest."""
    descent = Descent(HIMMELBLAU, [start], rate, max_steps=steps)
    descent.advance_to(steps)
    path = descent.params[: descent.last_step[0] + 1, 0].astype(np.float64) * 300 / 12
    drawn = path[trail.thinned(path, 400, (300, 300))]
    assume(np.abs(np.diff(path[-50:], axis=0)).max() < 1e-3)  # no oscillation, no divergence
    for point in path[:300]:
        assert trail.nearest(drawn, point)[0] < 0.5


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_every_record_up_to_the_cursor_is_drawn_and_none_beyond(plane, lanes):
    descent = descent_of(lanes, steps=90)
    plane.show_run(descent.params)
    for k in (0, 1, 33, 34, 35, 90):
        plane.draw(k, updates=np.zeros((lanes, 2)))
        for lane in range(lanes):
            drawn = visible_path(plane, lane)
            records = plane.to_map(descent.params[: k + 1, lane])
            away = np.abs(records[:, None] - drawn[None]).max(axis=2)
            assert away.min(axis=1).max() <= 1  # each record is drawn
            assert away.min(axis=0).max() <= 1  # and nothing else


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 8])
def test_a_frame_is_two_small_messages_however_long_the_run(plane, lanes):
    descent = descent_of(lanes, rate=8e-3, steps=4000)
    plane.show_run(descent.params)
    for k in (1, 2, 40, 1999, 2000, 4000, 3):
        with recorded_messages() as sent:
            plane.draw(k)
        assert len(sent) <= 2
        assert max((size for _, _, size in sent), default=0) <= 1400
        assert sent.bytes <= 2200


def test_a_frame_without_news_is_no_message(plane):
    plane.show_run(descent_of().params)
    plane.draw(50)
    with recorded_messages() as sent:
        plane.draw(50)
    assert sent == []


def test_a_run_that_grows_as_it_is_drawn_needs_few_messages(plane):
    whole = descent_of(steps=2000).params
    known = [1]
    plane.show_run(lambda: whole[: known[0]])
    counts = []
    for k in range(1, 2000, 5):
        known[0] = k + 1
        with recorded_messages() as sent:
            plane.draw(k)
        counts.append(len(sent))
    assert np.mean(np.array(counts) <= 2) > 0.9
    plane.draw(1999, full=True)
    end = visible_path(plane, 0)[-1]
    np.testing.assert_allclose(end, plane.to_map(whole[1996, 0]), atol=2)


def arrow_length(plane, lane=0):
    row = (len(plane._runs) if plane._halos else 0) + lane
    x, y = plane.moving.x[row].astype(float), plane.moving.y[row].astype(float)
    # Shaft's end: the second last corner but one of the head.
    tail = plane.to_map(plane._read()[plane._k, lane])
    return float(np.hypot(x - tail[0], y - tail[1]).max())


@given(rate=st.floats(3e-4, 3e-3))
@settings(max_examples=10)
def test_at_twice_the_rate_the_arrow_is_twice_as_long(plane, rate):
    lengths, factors = [], []
    for times in (1, 2):
        descent = Descent(HIMMELBLAU, [[1, 1]], times * rate, max_steps=5)
        descent.advance_to(5)
        plane.show_run(descent.params)
        plane.draw(0)
        lengths.append(arrow_length(plane))
        factors.append(plane.factor)
    # Unless it would leave the map then.
    assume(factors[0] == factors[1])
    assume(plane.first_arrow(0) == (factors[1], False))
    assume(lengths[0] > 12 * SIDE / plane.plot_height)
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.02)


@given(
    start=st.tuples(st.floats(-5.9, 5.9), st.floats(-5.9, 5.9)),
    exponent=st.floats(-6, 0),
    rule=st.sampled_from(["gd", "rmsprop", "adam"]),
)
@settings(max_examples=60)
def test_the_head_of_the_first_arrow_is_on_the_map_and_the_note_is_true(start, exponent, rule):
    plane = plane_of()
    descent = Descent(HIMMELBLAU, [start], 10**exponent, rule=rule, max_steps=1)
    descent.advance_to(1)
    plane.show_run(descent.params)
    plane.draw(0, full=True)
    first, second = plane.to_map(descent.params[:2, 0])
    factor, cut = plane.first_arrow(0)
    pixel = SIDE / plane.plot_height
    whole = first + plane.factor * (second - first)
    outside = bool((whole < -2).any() or (whole > SIDE + 2).any())
    if factor is None:
        # Nothing sticks out of the circle of the start.
        assert arrow_length(plane) <= 2
        assert np.hypot(*(whole - first)) <= 13 * pixel or cut
    else:
        tip = plane._pointing(
            0, descent.params[0, 0], descent.params[1, 0].astype(np.float64) - descent.params[0, 0]
        )[1]
        assert ((tip >= 0) & (tip <= SIDE)).all()
        assert cut == outside or np.abs(whole - np.clip(whole, 0, SIDE)).max() < 3
        # Longer than the update only as far as it fits.
        assert not cut or factor == 1
        if not cut:
            np.testing.assert_allclose(tip, whole, atol=1)
        else:
            assert np.abs(np.stack([tip, SIDE - tip])).min() < 1
    note = plane.factor_note.text[0] if plane.factor_note.visible else ""
    assert ("cut" in note) == (cut and factor is not None)
    assert ("×" in note) == (factor is not None and factor != 1)
    plane.close()


def test_the_arrow_is_never_shorter_than_the_update_and_says_how_much_longer(plane):
    for start in ((1, 1), (-5, 5), (0, -3)):
        descent = Descent(HIMMELBLAU, [start], 5e-3, max_steps=5)
        descent.advance_to(5)
        plane.show_run(descent.params)
        plane.draw(0, full=True)
        assert plane.factor >= 1
        assert plane.factor_note.visible == (plane.factor != 1)
        if plane.factor != 1:
            assert list(plane.factor_note.text) == [f"arrow ×{plane.factor:g}"]
    descent = Descent(HIMMELBLAU, [(-5, 5)], 5e-3, max_steps=1)
    descent.advance_to(1)
    plane.show_run(descent.params, factor=1.0)
    plane.draw(0)
    assert not plane.factor_note.visible
    update = plane.to_map(descent.params[1, 0]) - plane.to_map(descent.params[0, 0])
    assert arrow_length(plane) == pytest.approx(np.hypot(*update), abs=2)


@given(rate=st.floats(1e-7, 5e-3), k=st.integers(0, 5))
@settings(max_examples=20)
def test_how_much_longer_arrows_are_is_said_where_one_is_seen(plane, rate, k):
    descent = Descent(HIMMELBLAU, [[1, 1]], rate, max_steps=5)
    descent.advance_to(5)
    plane.show_run(descent.params)
    plane.draw(k, full=True)
    update = descent.params[min(k + 1, 5), 0] - descent.params[k, 0].astype(np.float64)
    long = np.hypot(*update) / 12 * plane.plot_height * plane.factor
    if k == 5:
        assert not plane.factor_note.visible
    elif k == 0:
        assert plane.factor_note.visible == (plane.first_arrow(0)[0] is not None)
    elif not 1 < long < 12:
        assert plane.factor_note.visible == (long > 4)


def test_a_click_is_told_in_the_planes_units():
    clicked = []
    plane = plane_of(on_click=clicked.append)
    x, y = plane.to_map((2.5, -1.25))
    plane.clicks._handle_custom_msg(
        {"event": "element_click", "data": {"click_x": float(x), "click_y": float(y)}}, []
    )
    assert clicked == [pytest.approx((2.5, -1.25))]


def test_a_drag_is_told_while_it_lasts_and_when_it_ends_and_stays_on_the_map():
    told = []
    plane = plane_of(on_drag=lambda *event: told.append(event))
    plane.show_run(descent_of(2).params)
    assert told == []
    places = plane.circles.places.astype(np.float32)
    with recorded_messages() as sent:
        plane.start._handle_custom_msg(
            {"event": "drag", "index": 1, "point": {"x": SIDE * 1.2, "y": SIDE / 2}}, []
        )
        moved = np.array([[1, 1], [6, 0]], np.float64)
        plane.circles.put(moved)
    # The hand has it, and is further along than what it is told.
    assert not any(widget is plane.start for widget, _, _ in sent)
    ((lane, point, released),) = told
    assert (lane, released) == (1, False)
    assert point == pytest.approx((6.0, 0.0))
    plane.start._handle_custom_msg(
        {"event": "drag_end", "index": 1, "point": {"x": -50.0, "y": 0.0}}, []
    )
    assert told[-1] == (1, (-6.0, -6.0), True)
    # The circle's place arrives once more, later than the release.
    places[1] = [-50.0, 0.0]
    with recorded_messages() as sent:
        plane.start.set_state({"x": places[:, 0].tolist(), "y": places[:, 1].tolist()})
    assert told[-1] == (1, (-6.0, -6.0), True)
    # And the browser is told where it stands: on the edge.
    assert plane.start.x[1] == 0
    assert SILENT or any("x" in content["state"] for _, content, _ in sent)


def test_the_marker_of_a_run_that_has_left_waits_where_it_left(plane):
    k = np.arange(100_001)
    path = np.stack([0.5 * k, 0.25 * k], axis=1)[:, None].astype(np.float32)
    plane.show_run(path)
    for step in (13, 100_000):
        plane.draw(step)
        middle = [(a[-1].max() + a[-1].min()) / 2 for a in (plane.moving.x, plane.moving.y)]
        assert middle == pytest.approx(plane.to_map((6.0, 3.0)), abs=2)


def test_it_is_told_where_lanes_are_that_have_left_the_map(plane):
    k = np.arange(101.0)
    stays, leaves = np.stack([k / 100, k / 100], axis=1), np.stack([0.5 * k, -0.25 * k], axis=1)
    plane.show_run(np.stack([stays, leaves], axis=1).astype(np.float32))
    plane.draw(10, full=True)
    assert not plane.away.visible
    plane.draw(100, full=True)
    assert plane.away.visible
    assert list(plane.away.text) == ["▲ at (50, −25)"]
    half = labels.width("▲ at (50, −25)") / 2 * SIDE / plane.plot_height
    assert half <= plane.away.x[0] <= SIDE - half
    plane.draw(60)  # while it plays the numbers would be old
    assert not plane.away.visible
    # Of one lane the sentence tells it.
    plane.show_run(leaves[:, None].astype(np.float32))
    plane.draw(100, full=True)
    assert not plane.away.visible


def test_lanes_with_one_start_have_one_circle():
    told = []
    plane = plane_of(on_drag=lambda *event: told.append(event))
    descent = Descent(HIMMELBLAU, [[1, 1], [1, 1], [0, 2]], 5e-4, max_steps=3)
    descent.advance_to(3)
    plane.show_run(descent.params)
    assert len(plane.start.x) == 2
    plane.start._handle_custom_msg(
        {"event": "drag_end", "index": 1, "point": {"x": 0.0, "y": 0.0}}, []
    )
    assert told[-1][0] == 2


def test_a_start_beside_the_part_of_the_map_that_is_seen_has_no_circle():
    told = []
    plane = plane_of(on_drag=lambda *event: told.append(event))
    paths = np.array([[[1.0, 1.0], [3.0, 2.0]], [[1.1, 1.0], [3.0, 2.0]]], np.float32)
    plane.show_run(paths)
    plane.draw(0, full=True)
    plane.zoom((3.0, 2.0), 8.0)
    place = plane.to_map((3.0, 2.0))
    np.testing.assert_allclose([plane.start.x, plane.start.y], place[:, None], atol=1)
    plane.start._handle_custom_msg(
        {"event": "drag_end", "index": 0, "point": {"x": SIDE / 2, "y": SIDE / 2}}, []
    )
    assert told[-1][0] == 1  # the lane whose circle it is
    plane.zoom_whole()
    plane.zoom((-3.0, -2.0), 8.0)
    assert not plane.start.visible
    plane.zoom_out()
    assert plane.start.visible
    assert len(plane.start.x) == 2


def test_zooming_in_and_out_shows_the_same_points():
    plane = plane_of()
    descent = descent_of()
    plane.show_run(descent.params)
    plane.draw(120)
    before = plane.moving.x.copy()
    plane.zoom((3, 2), 4)
    assert plane.zoomed
    assert plane.to_map((3, 2)) == pytest.approx((SIDE / 2, SIDE / 2))
    assert np.ptp(plane.view.window, axis=1) == pytest.approx((3, 3))
    plane.zoom((5.9, -5.9), 4)
    assert plane.view.window[:, 1].max() <= 6
    assert plane.view.window[:, 0].min() >= -6
    plane.zoom_out()
    plane.zoom_out()
    assert not plane.zoomed
    np.testing.assert_array_equal(plane.moving.x, before)


def test_after_many_zooms_the_whole_map_is_one_step_away():
    plane = plane_of()
    run = descent_of()
    plane.show_run(lambda: run.params)
    whole = plane.window
    for _ in range(5):
        plane.zoom((3.0, 2.0), 2.0)
    assert plane.magnification == pytest.approx(32)
    plane.zoom_whole()
    assert (plane.window, plane.zoomed) == (whole, False)


def test_the_nearest_record_is_found_on_the_path_behind_the_cursor_only():
    path = np.array([[0, 0], [1, 0], [2, 0], [3, 0]], np.float32)[:, None]
    plane = plane_of()
    plane.show_run(path)
    plane.draw(2, full=True)
    pixel = 12 / plane.plot_height
    assert plane.nearest((0.9, 4 * pixel), 5) == (0, 1)
    assert plane.nearest((0.9, 6 * pixel), 5) is None
    assert plane.nearest((2.9, 0.0), 5) is None


@pytest.mark.parametrize("name", SURFACES)
def test_every_surface_can_be_shown(name):
    surface = SURFACES[name]
    plane = plane_of(surface)
    start = np.array([surface.start], np.float32)
    plane.show_run(np.stack([start, start]))
    plane.draw(1)
    assert plane.ground.contours.visible
    assert len(plane.ground.minima.x) == len(surface.minima)
    for axis in (plane.axis_x, plane.axis_y):
        assert 3 <= len(axis.tick_values) <= 8
        assert not any("-" in text for text in axis.tick_labels.values())
    plane.close()


def test_a_surface_with_holes_can_be_shown():
    plane = Plane(300)
    plane.show_surface(
        lambda p: np.where(p[:, 0] > 0, np.sqrt(np.abs(p[:, 0])), np.nan), ((-1, 3), (-1, 3))
    )
    assert plane.ground.contours.visible


def test_basins_of_minima_without_numbers_look_alike_and_have_a_colour_of_their_own():
    labels = np.arange(-3, 33).reshape(6, 6)
    picture = basin_picture(Basins(labels, 14, (-1,), -2, -3))
    assert picture.shape[2] == 4
    fine = len(picture) // 6
    for index in (-3, 0, 7, 12, 13, 14, 32):
        row, column = divmod(index + 3, 6)
        colour = picture[row * fine + fine // 2, column * fine + fine // 2, :3]
        wanted = palette.tint(index) if 0 <= index < 14 else palette.OTHER_MINIMA
        assert tuple(colour) == tuple(palette.rgb(wanted))


def test_lines_between_basins_have_no_gaps_where_the_picture_is_shown_smaller():
    """A browser takes one of every so many rows and columns."""
    i, j = np.indices((120, 120))
    labels = (np.hypot(i - 60, j - 50) < 40).astype(np.int64)
    picture = basin_picture(Basins(labels, 2))[:, :, :3].astype(int).sum(axis=2)
    for shown in (200, 272, 340, 381):
        kept = ((np.arange(shown) + 0.5) * len(picture) / shown).astype(int)
        dark = picture[np.ix_(kept, kept)] < 450
        # From the middle nobody gets out but through the line.
        seen = np.zeros_like(dark)
        seen[shown // 2, int(shown * 50 / 120)] = True
        for _ in range(2 * shown):
            grown = seen.copy()
            grown[1:] |= seen[:-1]
            grown[:-1] |= seen[1:]
            grown[:, 1:] |= seen[:, :-1]
            grown[:, :-1] |= seen[:, 1:]
            grown &= ~dark
            if (grown == seen).all():
                break
            seen = grown
        assert not seen[0].any()
        assert seen.any()


def test_a_line_parts_two_basins_whose_tints_may_be_one_grey():
    picture = basin_picture(Basins(np.repeat([[0, 0, 1, 1]], 4, axis=0), 2)).astype(int)
    tints = [np.array(palette.rgb(palette.tint(index))) for index in (0, 1)]
    middle = picture.shape[1] // 2
    columns = picture[10, :, :3].sum(axis=1)
    assert columns[middle] < 0.5 * min(tint.sum() for tint in tints)
    assert (picture[:, : middle - 1, :3] == tints[0]).all()
    assert (picture[:, middle + 2 :, :3] == tints[1]).all()


def test_minima_are_numbered_from_1_and_those_off_the_window_are_left_out():
    plane = plane_of()
    assert list(plane.ground.numbers.text) == ["1", "2", "3", "4"]
    plane.zoom((-2.8, 3.1), 6)
    assert np.atleast_1d(plane.ground.numbers.text).tolist() == ["2"]


def test_the_summary_says_what_is_seen(plane):
    plane.show_run(descent_of().params, names=["plain"])
    text = plane.summary(120)
    assert "u from −6 to 6" in text
    assert "Minimum 1 at (3, 2)" in text
    assert "plain: (2.914, 2.04), from (1, 1) at the start" in text


@pytest.mark.parametrize("size", [1.0, 1.4])
def test_the_map_is_square_and_no_text_is_small(size):
    plane = plane_of()
    plane.set_size(size)
    margin = plane.figure.fig_margin
    assert margin["left"] + margin["right"] == margin["top"] + margin["bottom"]
    assert plane.figure.min_aspect_ratio == plane.figure.max_aspect_ratio == 1
    for text in (plane.ground.numbers, plane.letters, plane.titles, plane.factor_note):
        assert text.default_size >= 13 * size


def check_margins(figure):
    """The texts of ticks stand within the figure, beside each other, and tell them apart."""
    size, margin = figure.size, figure.figure.fig_margin
    for axis in (figure.axis_x, figure.axis_y):
        places = axis.tick_values.tolist()
        texts = [axis.tick_labels[f"{place:.10g}"] for place in places]
        assert len(set(texts)) == len(texts)
        widths = [size * labels.tick_width(text) for text in texts]
        if axis is figure.axis_y:
            assert max(widths) + 9 <= margin["left"] + 1
            continue
        wide = figure.plot_height / figure.x.max
        ends = [place * wide + half / 2 for place, half in zip(places, widths, strict=True)]
        assert max(ends) <= figure.plot_height + margin["right"] + 1
        starts = [end - width for end, width in zip(ends, widths, strict=True)]
        assert min(starts) >= -margin["left"] - 1
        assert all(end <= start for end, start in zip(ends[:-1], starts[1:], strict=True))


@given(
    low=st.tuples(st.floats(-1e7, 1e7), st.floats(-1e3, 1e3)),
    span=st.tuples(st.floats(-3, 7), st.floats(-3, 7)),
    size=st.sampled_from([1.0, 1.4]),
)
@example(low=(-1000.0, -1000.0), span=(3.30103, 3.30103), size=1.0)
@example(low=(-1000.0, -0.01), span=(3.30103, -1.52288), size=1.0)
@settings(max_examples=30, deadline=None)
def test_no_label_is_wider_than_its_margin_and_the_map_stays_square(low, span, size):
    bounds = tuple((a, a + 10**s * max(1.0, abs(a) * 1e-3)) for a, s in zip(low, span, strict=True))
    plane = Plane(328, size=size)
    plane.show_surface(lambda points: (points**2).sum(1), bounds)
    check_margins(plane)
    margin = plane.figure.fig_margin
    assert abs(margin["left"] + margin["right"] - margin["top"] - margin["bottom"]) <= 2
    for axis, (low_, high) in zip((plane.axis_x, plane.axis_y), bounds, strict=True):
        assert len(axis.tick_values) >= 2 or high - low_ < 1e-3
    plane.show_run(np.array(bounds, np.float32).T[None, :1])
    plane.draw(0)
    # Markers are as large as on any map.
    reach = np.abs(np.array(palette.run(0).corners)).max() * 7 * size
    assert np.abs(plane._markers[0]).max() * plane.plot_height / SIDE == pytest.approx(reach)
    plane.close()


def test_nothing_is_left_when_a_figure_is_closed():
    before = set(living())
    plane = plane_of(bar=True)
    plane.show_run(descent_of().params)
    plane.draw(3)
    plane.close()
    assert set(living()) - before == set()


places = st.lists(st.tuples(st.floats(0, 256), st.floats(0, 256)), min_size=1, max_size=8)


@given(places, st.lists(st.sampled_from("ABC"), min_size=8, max_size=8), st.sampled_from([1, 1.4]))
def test_letters_beside_points_never_cover_each_other(points, letters, size):
    font, side = 13 * size, 400 * size
    found = labels.beside(points, letters[: len(points)], gap=6, side=side, font=font)
    assert found
    for _, x, y in found:
        assert 0 <= x <= side
        assert 0 <= y <= side
    for (_, x, y), (_, other_x, other_y) in itertools.combinations(found, 2):
        # No letter is wider than it is high.
        assert max(abs(x - other_x) / 0.66, abs(y - other_y) / 1.29) >= font * 0.99


def test_two_runs_that_end_at_one_place_have_two_letters_and_lanes_of_one_run_one():
    figure = plane_of()
    path = np.array([[1.0, 1.0], [3.0, 2.0]])
    figure.show_ghosts([(path, "A"), (path, "B"), (path + 0.01, "B")])
    assert figure.letters.text.tolist() == ["A", "B"]
    a, b = np.stack([figure.letters.x, figure.letters.y], axis=1)
    pixel = SIDE / figure.plot_height
    assert np.abs(a - b).max() > 8 * pixel
    # Nor do they stand on the number of the minimum where the runs end.
    for letter in (a, b):
        assert np.abs(letter - figure.to_map(path[-1])).max() > 12 * pixel


def test_the_name_of_an_arrow_keeps_off_the_letter_of_a_kept_run():
    figure = plane_of()
    paths = np.array([[[1.0, 1.0]], [[2.0, 1.0]]], np.float32)
    parts = np.array([[0.6, 0.0], [0.0, 0.6]])

    def name():
        figure.show_run(paths, parts=0, factor=1.0)
        figure.draw(0, full=True, parts=parts)
        return np.array([figure.part_names.x[0], figure.part_names.y[0]])

    free = name()
    u, v = figure.from_map(free)
    figure.show_ghosts([(np.array([[0.0, 0.0], [u, v - 0.4]]), "A")])
    moved = name()
    letter = np.array([figure.letters.x[0], figure.letters.y[0]])
    pixel = SIDE / figure.plot_height
    assert np.abs(letter - free).max() < 20 * pixel, "else nothing is tried"
    wide, high = labels.width("gradient") / 2, 13 * 0.65
    apart = np.abs(moved - letter) / pixel
    assert apart[0] >= wide or apart[1] >= high
