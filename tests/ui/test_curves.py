"""Curves show the whole run on axes that depend on the run alone, in few small messages."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdwidgets.ui.plots import labels, palette
from gdwidgets.ui.plots.curves import Curves
from gdwidgets.ui.plots.spans import Lane, Steps, linear_values, log_values, values_so_far
from gdwidgets.ui.plots.thinning import column_extremes
from living import living
from messages import recorded_messages


def random_run(seed, records, lanes):
    """Values (records, lanes) that shrink, grow, jump, end in zero, or turn non-finite."""
    rng = np.random.default_rng(seed)
    rates = rng.choice([0.5, 0.97, 1.0, 1.01, 3.0], lanes)
    with np.errstate(over="ignore"):
        values = rng.normal(0, 1, (records, lanes)) * rates ** np.arange(records)[:, None]
    values = np.abs(values) if rng.random() < 0.7 else values
    for _ in range(rng.integers(0, 4)):
        special = rng.choice([0.0, np.inf, np.nan, 3e38, 1e-40, 1e6, -1.0])
        values[rng.integers(records) :: rng.integers(1, 50), rng.integers(lanes)] = special
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


runs = st.builds(random_run, st.integers(0, 10**6), st.integers(1, 1500), st.integers(1, 5))


def shown(values, k=0, **settings_):
    """A figure with a run and the cursor at k."""
    options = {
        name: settings_.pop(name)
        for name in ("log", "log_steps", "future", "size")
        if name in settings_
    }
    figure = Curves(300, **options)
    names = settings_.pop("names", [f"lane {i}" for i in range(values.shape[1])])
    figure.show_run(values, names, end=settings_.pop("end", max(1, len(values) - 1)), **settings_)
    figure.draw(k)
    return figure


def state(figure):
    """What the figure's marks and axes hold, but for what moves."""
    still = [mark for mark in figure.figure.marks if mark not in (figure.present, figure.cover)]
    parts = [figure.axis_x, figure.axis_y, *still]
    return [
        (np.asarray(part.tick_values).tolist(), part.tick_labels)
        if hasattr(part, "tick_values")
        else (
            np.nan_to_num(np.asarray(part.x, float)).tolist(),
            np.nan_to_num(np.asarray(part.y, float)).tolist(),
            part.visible,
        )
        for part in parts
    ]


@given(runs, st.booleans(), st.booleans(), st.data())
@settings(max_examples=10)
def test_only_what_moves_depends_on_the_cursor(values, log, log_steps, data):
    figure = shown(values, log=log, log_steps=log_steps)
    before = state(figure)
    for k in data.draw(st.lists(st.integers(0, len(values)), max_size=4)):
        figure.draw(k)
    assert state(figure) == before


@given(runs, st.booleans(), st.data())
@settings(max_examples=10)
def test_the_picture_does_not_depend_on_where_the_cursor_has_been(values, log, data):
    k = data.draw(st.integers(0, len(values)))
    wandering, direct = shown(values, log=log), shown(values, log=log)
    for other in data.draw(st.lists(st.integers(0, len(values)), max_size=4)):
        wandering.draw(other)
    wandering.draw(k)
    direct.draw(k)
    for mark in ("cover", "present"):
        for axis in ("x", "y"):
            one, other = (getattr(getattr(f, mark), axis) for f in (wandering, direct))
            np.testing.assert_array_equal(one, other)


@given(runs, st.booleans(), st.booleans())
@settings(max_examples=10)
def test_nothing_reaches_the_browser_that_it_cannot_draw(values, log, log_steps):
    """bqplot fails on x that is not finite, on a last y that is not, and on huge numbers."""
    figure = shown(values, len(values) // 2, log=log, log_steps=log_steps)
    for mark in figure.figure.marks:
        x, y = np.atleast_2d(mark.x), np.atleast_2d(mark.y)
        assert np.isfinite(x).all()
        assert np.isfinite(y[:, -1]).all()
        assert np.nanmax(np.abs(y)) <= 1.6e4
        assert np.nanmax(np.abs(x)) <= 1.6e4
    assert np.isfinite(figure.present.y).all()


@given(runs.filter(lambda v: v.shape[0] > 1), st.booleans())
@settings(max_examples=10)
def test_ticks_are_there_and_on_the_plot(values, log):
    figure = shown(values, log=log)
    for axis in (figure.axis_x, figure.axis_y):
        assert len(axis.tick_values) >= 1
        assert axis.tick_values.min() >= -0.01
        assert axis.tick_values.max() <= 1.01
        assert set(axis.tick_labels) == {f"{tick:.10g}" for tick in axis.tick_values}


@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
@settings(max_examples=10)
def test_a_run_that_stays_finite_and_low_is_wholly_on_the_plot(seed, lanes, log):
    values = np.random.default_rng(seed).uniform(1e-6, 10, (200, lanes))
    y = shown(values, log=log).past.y
    assert y.min() >= 0
    assert y.max() <= 1


@given(st.integers(0, 10**6), st.integers(1, 4000), st.booleans())
@settings(max_examples=10)
def test_no_spike_is_lost(seed, count, log_steps):
    values = np.random.default_rng(seed).standard_cauchy(count)
    steps = Steps(max(1, len(values) - 1), log_steps)
    picked = column_extremes(values, steps.columns(50), len(values))
    assert values[picked].max() == values.max()
    assert values[picked].min() == values.min()
    assert picked[0] == 0
    assert picked[-1] == len(values) - 1
    assert (np.diff(picked) > 0).all()
    assert len(picked) <= 2 * 50 + 2


def test_the_covers_edge_stands_at_the_cursor():
    figure = shown(np.linspace(2, 1, 301)[:, None])
    for k in (0, 120, 299):
        figure.draw(k)
        assert figure.cover.x[0] == pytest.approx(k / 300)
        assert figure.present.x[0] == pytest.approx(k / 300)


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_a_frame_is_two_small_messages(lanes):
    values = np.exp(-np.linspace(0, 8, 4001))[:, None] * np.linspace(1, 2, lanes)
    figure = shown(values)
    for k in (1, 500, 501, 3999, 17):
        with recorded_messages() as sent:
            figure.draw(k)
        assert len(sent) <= 2
        assert sent.bytes <= 700


def test_a_frame_without_news_is_no_message():
    figure = shown(np.linspace(2, 1, 301)[:, None], 100)
    with recorded_messages() as sent:
        figure.draw(100)
    assert sent == []


@pytest.mark.parametrize("lanes", [1, 4])
def test_a_run_that_grows_as_it_is_drawn_needs_few_bytes(lanes):
    rng = np.random.default_rng(0)
    whole = np.exp(-np.linspace(0, 8, 3001))[:, None] * rng.uniform(0.9, 1.1, (3001, lanes))
    known = [1]
    figure = Curves(300)
    figure.show_run(lambda: whole[: known[0]], ["x"] * lanes, end=3000)
    sizes = []
    for k in range(3, 3000, 3):
        known[0] = k + 1
        with recorded_messages() as sent:
            figure.draw(k)
        sizes.append((len(sent), sent.bytes))
    usual = [size for count, size in sizes if count <= 2]
    assert len(usual) >= 0.95 * len(sizes)
    assert max(usual) <= 2500
    figure.draw(2999, full=True)
    once = Curves(300)
    once.show_run(lambda: whole[: known[0]], ["x"] * lanes, end=3000)
    np.testing.assert_array_equal(figure.past.y, once.past.y)


def test_a_lane_that_diverges_leaves_the_others_their_axis():
    k = np.arange(101)
    calm = 1.2 * 0.95**k + 0.05
    wild = np.where(k < 20, 1.2 * 30.0 ** np.minimum(k, 20), np.inf)
    figure = shown(np.stack([wild, calm], axis=1), 60, names=["1", "0.1"])
    alone = shown(calm[:, None], 60, names=["0.1"])
    spread = [np.ptp(np.atleast_2d(f.past.y)[row]) for f, row in ((figure, 1), (alone, 0))]
    assert spread[0] > 0.5 * spread[1]
    assert list(figure.leavers.text) == [f"● 1: off the plot from step {figure._outside_from[0]}"]
    assert list(figure.names.text) == ["▲ 0.1"]
    # Its marker waits at the upper edge, where it left.
    assert figure.present.y[0] == 1
    assert figure.present.x[0] < 0.05


def test_a_marker_that_waits_below_covers_no_number_of_a_step():
    values = np.stack([(-3.0) ** np.arange(12), np.ones(12)], axis=1)
    edges = set()
    for size, sign in ((1.0, 1), (1.4, 1), (1.0, -1), (1.4, -1)):
        figure = shown(sign * values, 11, log=False, size=size)
        across, edge = figure._exits[0]
        edges.add(edge)
        assert figure.present.x[0] == pytest.approx(across)
        # A marker is 18 pixels high at size 1.
        assert figure.present.y[0] == pytest.approx(max(edge, figure.pixels(9)))
        figure.close()
    assert edges == {0.0, 1.0}


def test_frames_after_every_lane_has_ended_send_no_lines():
    values = np.where(np.arange(200) < 20, 2.0 ** np.arange(200), np.inf)[:, None]
    figure = shown(values)
    before = figure.past.y.copy()
    for k in (50, 120, 199):
        with recorded_messages() as sent:
            figure.draw(k)
        assert len(sent) <= 2
    np.testing.assert_array_equal(figure.past.y, before)


def test_a_run_that_only_diverges_can_be_seen_to():
    values = (1.5 ** np.arange(60.0))[:, None]
    for log in (True, False):
        y = shown(values, log=log).past.y
        assert ((y > 0.05) & (y < 1)).sum() >= 5


def test_divergence_is_not_told_before_it_happens_while_the_future_is_hidden():
    values = np.where(np.arange(60) < 20, 2.0 ** np.arange(60.0), np.inf)[:, None]
    figure = shown(values, 5, future=False)
    assert not figure.leavers.visible
    assert not figure.coming.visible
    figure.draw(30)
    assert figure.leavers.visible


def ticks_of(figure):
    """The numbers on the axis of values, and where they stand."""
    at = figure.axis_y.tick_values.tolist()
    return at, [figure.axis_y.tick_labels[f"{place:.10g}"] for place in at]


@given(runs, st.booleans(), st.data())
@settings(max_examples=10)
def test_the_axis_of_a_hidden_run_depends_on_what_is_shown_alone(values, log, data):
    k = data.draw(st.integers(0, len(values) - 1))
    end = len(values)
    whole = shown(values, k, future=False, log=log, end=end)
    cut = shown(values[: k + 1], k, future=False, log=log, end=end)
    assert ticks_of(whole) == ticks_of(cut)
    whole.draw(len(values) - 1)
    whole.draw(k)  # and not on where the cursor has been
    assert ticks_of(whole) == ticks_of(cut)


@given(runs, st.booleans())
@settings(max_examples=10)
def test_the_axis_of_a_hidden_run_grows_in_few_steps_and_never_shrinks(values, log):
    spans = [
        values_so_far(values[: k + 1], [], (0.0, 0.0), log=log)
        for k in range(min(len(values), 300))
    ]
    for before, after in itertools.pairwise(spans):
        assert after.low <= before.low
        assert after.high >= before.high
    assert len({(span.low, span.high) for span in spans}) <= 14


def test_a_hidden_run_that_diverges_leaves_first_and_then_diverges():
    values = np.where(np.arange(60) < 40, 2.0 ** np.arange(60.0), np.inf)[:, None]
    figure = shown(values, 5, future=False, end=60)
    said = {}
    for k in range(60):
        figure.draw(k)
        text = str(np.atleast_1d(figure.leavers.text)[0]) if figure.leavers.visible else ""
        said.setdefault(text, k)
    nothing, leaves = said.items()
    assert nothing == ("", 0)
    assert leaves[0] == f"● lane 0: off the plot from step {leaves[1]:.0f}"
    for k in (39, 59):
        figure.draw(k)
        assert list(figure.leavers.text) == [leaves[0]]


def test_a_lane_that_has_left_for_good_does_not_cross_the_plot_any_more():
    values = np.stack([(-1.6) ** np.arange(40.0), np.ones(40)], axis=1)
    figure = shown(values, log=False)
    y = np.asarray(figure.past.y, float)[0]
    x = np.asarray(figure.past.x, float)[0]
    inside = (y >= 0) & (y <= 1)
    last = np.flatnonzero(inside)[-1]
    # One corner is outside, and there the line ends.
    assert len(set(x[last + 1 :].tolist())) == 1


def test_names_tell_nothing_of_the_end_while_the_future_is_hidden():
    one = np.linspace(1, 2, 50)[:, None] * [1, 3]
    figures = [shown(values, future=False) for values in (one, one[::-1].copy())]
    assert figures[0].names.y.tolist() == figures[1].names.y.tolist()
    diverging = one.copy()
    diverging[20:, 1] = np.inf
    assert len(shown(diverging, future=False).names.text) == 2


@pytest.mark.parametrize(("tail", "text"), [(0.0, "0"), (-1e-9, "≤ 0"), (1e-30, "<10⁻¹⁶")])
def test_what_a_logarithmic_axis_cannot_show_is_written_at_its_end(tail, text):
    values = np.append(np.geomspace(1, 1e-5, 50), np.full(20, tail))[:, None]
    figure = shown(values)
    lowest = figure.axis_y.tick_values.argmin()
    key = f"{figure.axis_y.tick_values[lowest]:.10g}"
    assert figure.axis_y.tick_labels[key] == text
    drawn = figure.past.y
    end = drawn[-1]
    assert end == pytest.approx(figure.axis_y.tick_values[lowest], abs=1e-3)
    # No value with a place of its own stands there.
    assert (drawn[:50] > end + 0.02).all()


@given(
    st.lists(st.floats(-1, 2), min_size=1, max_size=12),
    st.floats(0.01, 0.2),
)
def test_labels_keep_apart_and_in_order(wanted, gap):
    places = labels.spread(wanted, gap, 0, 1)
    assert ((places >= -1e-9) & (places <= 1 + 1e-9)).all()
    order = np.argsort(wanted, kind="stable")
    room = min(gap, 1 / max(1, len(wanted) - 1))
    assert (np.diff(places[order]) >= room - 1e-9).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_labels_that_do_not_touch_stay_where_they_are(wanted):
    places = np.sort(np.array(wanted)) + 0.1 * np.arange(len(wanted))
    np.testing.assert_allclose(labels.spread(places, 0.1, 0, 2), places, atol=1e-9)


@given(st.text(max_size=60), st.floats(30, 200))
def test_a_shortened_text_fits(text, most):
    assert labels.width(labels.shortened(text, most)) <= max(most, labels.width("…"))


@given(
    shared=st.lists(st.sampled_from(["encoder", "0", "transformer_block"]), max_size=3),
    own=st.lists(
        st.lists(st.text("abc_0", min_size=1, max_size=12), min_size=1, max_size=3).map(".".join),
        min_size=2,
        max_size=8,
        unique=True,
    ),
    most=st.floats(80, 200),
)
def test_long_dotted_names_fit_and_what_tells_them_apart_is_left(shared, own, most):
    names = [".".join([*shared, name]) for name in own]
    short = labels.without_parents(names)
    assert len(set(short)) == len(names)
    for name, one in zip(names, short, strict=True):
        assert name.endswith(one)
    assert not shared or all(len(one) <= len(name) for one, name in zip(short, own, strict=True))
    cut = labels.cut_in_front(short, most)
    assert all(labels.width(one) <= most for one in cut)
    kept = [one for one, whole in zip(cut, short, strict=True) if labels.width(whole) <= most]
    assert set(kept) <= set(short)


@pytest.mark.parametrize(
    ("text", "pixels"),
    [("(−1, −1)", 61.2), ("(−1.11, −1.11)", 107.3), ("1,111", 41.1), ("momentum", 82)],
)
def test_a_text_is_not_taken_to_be_narrower_than_it_is(text, pixels):
    """Pixels at a height of 13, of DejaVu Sans Bold, a wide font."""
    assert labels.width(text) >= pixels


def test_names_at_the_ends_do_not_touch():
    values = np.linspace(1, [0.1, 0.1001, 0.1002, 0.5], 100)
    figure = shown(values)
    assert (np.diff(np.sort(figure.names.y)) * figure.plot_height >= 16.9).all()


def test_a_click_finds_the_nearest_record():
    k = np.arange(101)
    values = np.stack([1 + k / 100, 3 - k / 100], axis=1)
    found = []
    figure = Curves(300, log=False, on_click=lambda *record: found.append(record))
    figure.show_run(values, ["a", "b"], end=100)
    figure.draw(0)
    for lane, step in ((0, 30), (1, 80)):
        x = float(figure._steps.place(step))
        y = float(figure._values.place(values[step, lane]))
        figure.clicks._handle_custom_msg(
            {"event": "element_click", "data": {"click_x": x, "click_y": y}}, []
        )
    assert found == [(0, 30), (1, 80)]


@pytest.mark.parametrize("size", [1.0, 1.4])
def test_no_text_is_small_and_sizes_are_numbers(size):
    figure = shown(np.ones((5, 1)), size=1.0)
    figure.set_size(size)
    assert figure.figure.layout.height == f"{round(300 * size)}px"
    for name in ("level_names", "letters", "heading", "leavers", "names", "present"):
        assert getattr(figure, name).default_size >= 13 * size
    assert figure.past.stroke_width == pytest.approx(3 * size)


def test_swapping_the_axes_keeps_the_data():
    values = np.geomspace(1, 1e-4, 200)[:, None]
    figure = shown(values, 50)
    before = figure.past.y.copy()
    figure.use_log(False)
    assert not np.allclose(figure.past.y, before)
    figure.use_log(True)
    np.testing.assert_array_equal(figure.past.y, before)
    figure.use_log_steps(True)
    assert figure.cover.x[0] == pytest.approx(np.log1p(50) / np.log1p(199))


def test_lanes_that_ended_earlier_end_there():
    values = np.ones((101, 2))
    figure = shown(values, 100, last=[40, 100])
    assert figure.past.x[0].max() == pytest.approx(0.4)
    assert figure.present.x.tolist() == pytest.approx([0.4, 1.0])


def test_a_lane_said_to_have_diverged_is_told_of_though_its_records_are_finite():
    values = np.stack([1.2 * 5.0 ** np.arange(21), np.ones(21)], axis=1)
    figure = shown(values, 3, end=100, last=[20, 20], diverged=[True, False], names=["1", "b"])
    assert np.atleast_1d(figure.leavers.text).tolist() == ["● 1: off the plot from step 2"]


def test_the_summary_says_what_is_seen():
    k = np.arange(301)
    figure = shown(np.exp(-k / 50)[:, None], names=["plain"], levels=[(0.05, "least squares")])
    text = figure.summary(120)
    assert "loss against step, 0 to 300, logarithmic" in text
    assert "plain: 0.09072, from 1 at the start" in text
    assert "0.05: least squares" in text


@given(runs, st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)))
@settings(max_examples=10)
def test_axes_increase(values, room):
    lanes = []
    for column in values.T:
        bad = np.flatnonzero(~np.isfinite(column))
        lanes.append(
            Lane(column[: bad[0]] if bad.size else column, int(bad[0]) if bad.size else None)
        )
    for axis in (linear_values(lanes, (), room), log_values(lanes, (), room)):
        assert axis.low < axis.high
        at = axis.place(np.linspace(axis.low, axis.high, 9))
        assert (np.diff(at) > 0).all()
        assert at[-1] == pytest.approx(1 - room[1])


@given(
    exponent=st.floats(-12, 12),
    sign=st.sampled_from([-1.0, 1.0]),
    end=st.integers(1, 10**7),
    log=st.booleans(),
    size=st.sampled_from([1.0, 1.4]),
)
@settings(max_examples=40)
def test_no_label_of_an_axis_is_wider_than_its_margin(exponent, sign, end, log, size):
    values = sign * 10**exponent * np.linspace(1, 0.2, 20, dtype=np.float32)[:, None]
    figure = Curves(328, log=log, size=size)
    figure.show_run(values, [""], end=end)
    figure.draw(0)
    margin = figure.figure.fig_margin
    texts = [figure.axis_y.tick_labels[f"{place:.10g}"] for place in figure.axis_y.tick_values]
    assert max(map(labels.tick_width, texts)) * size + 9 <= margin["left"] + 1
    last = figure.axis_x.tick_labels[f"{figure.axis_x.tick_values[-1]:.10g}"]
    if figure.axis_x.tick_values[-1] > 0.97:
        assert labels.tick_width(last) * size / 2 <= margin["right"] + 1
    figure.close()


def test_nothing_is_left_when_a_figure_is_closed():
    before = set(living())
    figure = shown(np.ones((5, 2)))
    figure.close()
    assert set(living()) == before


def test_several_lanes_that_leave_are_named_at_the_right_and_told_beside_the_title():
    k = np.arange(60.0)
    stays, wild, wilder = 1.2 * 0.95**k, 1e3 ** np.minimum(k, 20), 1e6 ** np.minimum(k, 10)
    values = np.stack([wild, stays, wilder], axis=1)
    values[values > 1e38] = np.inf
    figure = shown(values, 60, names=["1", "0.1", "3"])
    assert set(figure.names.text) == {"● 1", "▲ 0.1", "■ 3"}
    (told,) = np.atleast_1d(figure.leavers.text)
    gone = [np.flatnonzero(figure._values.place(values[:, lane]) <= 1)[-1] + 1 for lane in (0, 2)]
    assert told == f"off the plot from step: ● {gone[0]}, ■ {gone[1]}"
    # Above the plot area, where no curve is drawn.
    assert figure.leavers.y[0] > 1


@given(
    growth=st.floats(1.05, 3.0),
    steps=st.integers(3, 60),
    log=st.booleans(),
)
def test_a_lane_is_said_to_leave_where_its_curve_leaves(growth, steps, log):
    """Its last point in the plot is that of the step before; a curve that stays is not named."""
    k = np.arange(steps + 1.0)
    values = np.stack([1 + 0.9**k, (-growth) ** k if not log else growth**k], axis=1)
    figure = shown(values.astype(np.float32), steps, names=["stays", "goes"], log=log)
    inside = np.flatnonzero((figure.past.y[1] >= 0) & (figure.past.y[1] <= 1))
    told = [text for text in np.atleast_1d(figure.leavers.text) if text]
    if told:
        left = int(re.fullmatch(r"▲ goes: off the plot from step (\d+)", told[0]).group(1))
        assert figure.past.x[1][inside[-1]] == pytest.approx((left - 1) / steps, abs=1e-6)
    else:
        assert inside[-1] == len(figure.past.y[1]) - 1
    figure.close()


@given(
    rates=st.lists(st.floats(1.5, 40.0), min_size=1, max_size=7),
    steps=st.integers(12, 60),
    drawn=st.fixed_dictionaries({"future": st.booleans(), "log": st.booleans()}),
    title=st.sampled_from(["loss", "norm of the update", "loss above the lowest minimum"]),
    size=st.sampled_from([1.0, 1.4]),
)
@settings(max_examples=60)
def test_what_is_told_of_lanes_that_leave_agrees_with_their_markers_and_fits(
    rates, steps, drawn, title, size
):
    """It is the step after the last point of each curve in the plot, at which its marker waits."""
    k = np.arange(steps + 1.0)[:, None]
    with np.errstate(over="ignore"):
        wild = (np.array(rates) ** k).astype(np.float32)
    values = np.concatenate([wild, 1 + 0.9**k], axis=1).astype(np.float32)
    figure = Curves(360, title=title, size=size, **drawn)
    figure.show_run(values, [f"lane {i}" for i in range(values.shape[1])], end=steps)
    figure.draw(steps, full=True)
    (said,) = np.atleast_1d(figure.leavers.text) if figure.leavers.visible else ("",)
    wide = figure.margin["left"] + labels.width(title, 12.0) + 14 + labels.width(said)
    assert wide <= 442  # a figure in a cell of 900 pixels
    assert wide * size <= 590  # or alone in one of 600
    for glyph, step in re.findall(r"(\S)(?: lane \d:)?(?: [a-z ]+)? (\d+)", said):
        if glyph not in [run.glyph for run in palette.RUNS]:
            continue
        lane = [run.glyph for run in palette.RUNS].index(glyph)
        inside = figure._values.place(values[:, lane])
        finite = np.isfinite(values[:, lane])
        inside = np.flatnonzero(finite & (inside >= 0) & (inside <= 1))
        assert int(step) == inside[-1] + 1
        if "diverge" in said:
            assert int(step) == np.flatnonzero(~finite)[0]
    gone = [lane for lane, left in enumerate(figure._gone) if left is not None]
    named = list(figure.names.text) if figure.names.visible else []
    for lane in gone:
        # Each is named, at the right or where it is told that it leaves.
        assert any(f"lane {lane}" in text for text in (*named, said))
    figure.close()


def test_a_plot_of_losses_that_were_kept_shows_every_finite_one():
    values = np.array([2.0**k for k in range(60)] + [np.inf, np.nan])[:, None]
    for log, future in itertools.product((True, False), repeat=2):
        figure = Curves(264, log=log, future=future, whole=True)
        figure.show_run(values, [""], end=61)
        figure.draw(61, full=True)
        places = figure._values.place(values[:60, 0])
        assert ((places >= 0) & (places <= 1)).all()
        assert list(figure.leavers.text) == ["● diverges at step 60"]
        assert figure.present.x[0] == pytest.approx(59 / 61)
        figure.close()


@given(st.lists(runs, min_size=2, max_size=4), st.booleans())
@settings(max_examples=25)
def test_while_a_hand_moves_a_setting_the_axis_only_grows_and_then_fits_again(moved, log):
    first, *others = moved
    figure = shown(first, log=log)
    names = {len(values[0]): [f"lane {i}" for i in range(len(values[0]))] for values in moved}
    before = figure._values
    for values in others:
        figure.show_run(values, names[values.shape[1]], end=max(1, len(values) - 1), brief=True)
        figure.draw(0, full=True)
        axis = figure._values
        assert axis.low <= before.low
        assert axis.high >= before.high
        for value in values[0][np.isfinite(values[0])]:
            assert float(axis.place(value)) <= 1
        before = axis
    figure.show_at_rest()
    figure.draw(0, full=True)
    anew = shown(others[-1], log=log)
    assert figure._values == anew._values
    assert np.array_equal(figure.past.y, anew.past.y)
    for one in (figure, anew):
        one.close()


@given(
    floor=st.floats(-9, -1),
    sign=st.sampled_from([-1.0, 1.0]),
    log=st.booleans(),
    beside=st.booleans(),
)
def test_what_a_lane_does_before_it_diverges_is_on_the_plot(floor, sign, log, beside):
    """It goes far beyond the lane that stays, comes back, and then leaves on the other side."""
    if not log:
        values = sign * (100 - 10.0**-floor * np.sin(np.linspace(0, np.pi, 40)))
        gone = sign * 10.0 ** np.linspace(3, 38, 20)
    else:
        sign = 1.0
        values = 10 ** np.linspace(2, floor, 40)
        gone = 10.0 ** np.linspace(3, 38, 20)
    goes = np.concatenate((values, gone, [np.inf]))
    stays = sign * np.linspace(100, 99.9, len(goes))
    run = np.stack([stays, goes] if beside else [goes], axis=1).astype(np.float32)
    figure = shown(run, len(goes) - 1, log=log)
    places = figure._values.place(run[:40, -1])
    assert ((places >= 0) & (places <= 1)).all()
    assert figure._values.place(1e30 * sign) > 1 or sign < 0
    figure.close()


def test_oscillations_that_grow_leave_the_others_their_axis():
    k = np.arange(60)
    for rate in (1.2, 2.0, 50.0):
        with np.errstate(over="ignore"):
            goes = ((-rate) ** k).astype(np.float32)
        stays = (1 + 0.9**k).astype(np.float32)
        figure = shown(np.stack([stays, goes], axis=1), 5, log=False)
        assert np.ptp(figure._values.place(stays)) > 0.2
        figure.close()


def test_what_is_on_the_axis_of_both_is_on_the_joined_one():
    small = log_values([Lane(np.array([1.0, 1e-5, 0.0], np.float32))], [], (0.1, 0.1))
    large = log_values([Lane(np.array([1e4, 2.0], np.float32))], [], (0.1, 0.1))
    axis = small.joined(large)
    assert (axis.low, axis.high, axis.below) == (small.low, large.high, "0")
    tiny = log_values([Lane(np.array([1.0, 1e-30], np.float32))], [], (0.1, 0.1))
    assert tiny.joined(small).below in ("0", "<" + tiny.below[1:])
