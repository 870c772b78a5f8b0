"""LearningRateExplorer in a real JupyterLab: play, drag and edit rates, folds, keys, themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from gdwidgets.ui.plots import palette

CELL = "from gdwidgets import LearningRateExplorer\nex = LearningRateExplorer()\nex"


class RatePage:
    """The explorer in the page: curves, rows, fields and handles where a person finds them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".gdwidgets").first
        self.sentence = self.root.locator(".gdw-sentence")
        self.counter = self.root.locator(".gdw-counter")

    def ready(self) -> RatePage:
        """Wait until the picture is there."""
        self.curve(1).wait_for(state="attached")
        self.counter.wait_for()
        self.page.wait_for_timeout(500)
        return self

    def button(self, name: str) -> Locator:
        """Find a button by how its tooltip begins."""
        return self.root.locator(f"button[title^='{name}']")

    def curve(self, lane: int) -> Locator:
        """Find a lane's solid curve in the plot of losses: the first line of its colour."""
        colour = ", ".join(map(str, palette.rgb(palette.run(lane).colour)))
        plot = self.root.locator(".bqplot").nth(1)
        return plot.locator(f"path.line[style*='rgb({colour})']").first

    def fit(self, lane: int) -> Locator:
        """Find a lane's fit."""
        colour = ", ".join(map(str, palette.rgb(palette.run(lane).colour)))
        plot = self.root.locator(".bqplot").first
        return plot.locator(f"path.line[style*='rgb({colour})']").first

    def row(self, lane: int) -> Locator:
        """Find a lane's row in the live table."""
        return self.root.locator(".gdw-numbers tr").nth(1 + lane)

    def rate(self, lane: int) -> Locator:
        """Find the field of a lane's learning rate."""
        return self.root.locator(f".gdw-lane-{lane} input")

    def handle(self, lane: int) -> Locator:
        """Find a lane's handle on the track."""
        return self.root.locator(f".gdw-handle-{lane} .noUi-handle")

    def fold(self, title: str) -> Locator:
        """Find the toggle of a fold."""
        return self.root.locator(".gdw-fold-row button").filter(has_text=title)

    def ticks(self, figure: int) -> list[str]:
        """What is written at the ticks of a figure."""
        return (
            self.root.locator(".bqplot").nth(figure).locator(".axis .tick text").all_text_contents()
        )

    def middle(self, locator: Locator) -> tuple[float, float]:
        """Return the middle of something, in pixels of the window."""
        box = locator.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.fixture(scope="module")
def opened(notebook):
    return RatePage(notebook.open([CELL], width=1080, height=1000)).ready()


@pytest.fixture
def lab(notebook, opened):
    notebook.execute(
        "ex.pause(); ex.situate('exercise'); ex.on_change = 'keep'; ex.speed = 200;"
        "ex.log_steps = True; ex.lane = 1; ex.unpin_all(); ex.size = 'normal';"
        "[ex.unfold(title, False) for title in ex.fold.toggles]"
    )
    expect(opened.counter).to_have_text(re.compile("0 of 4,000"))
    for lane, rate in enumerate(("1", "0.1", "0.01", "0.001")):
        expect(opened.rate(lane)).to_have_value(rate)
    return notebook


def test_it_opens_with_everything_in_place(lab, opened):
    lab.shot("learning-rate-open")
    assert len(opened.root.locator(".bqplot").all()) == 2
    expect(opened.sentence).to_contain_text("Press Play")
    expect(opened.root.locator(".gdw-rates")).to_contain_text("limit 0.2004")
    expect(opened.row(4)).to_contain_text("least squares")
    assert opened.root.bounding_box()["height"] <= 601
    chips = [chip.bounding_box()["y"] for chip in opened.root.locator(".gdw-chips button").all()]
    assert len(set(chips)) == 1
    assert {"10", "100", "1,000", "4,000"} <= set(opened.ticks(1))


def test_a_row_stands_beside_its_field(lab, opened):
    for lane in range(4):
        field, row = opened.rate(lane).bounding_box(), opened.row(lane).bounding_box()
        middle = field["y"] + field["height"] / 2
        assert abs(middle - (row["y"] + row["height"] / 2)) <= 2


def test_play_moves_all_lanes_and_pause_stops_them(lab, opened):
    lab.execute("ex.speed = 30")
    opened.fit(1).evaluate(
        """e => { e.seen = 0; new MutationObserver(() => e.seen++).observe(e,
            {attributes: true, attributeFilter: ["d"]}); }"""
    )
    opened.button("Play").click()
    lab.wait_value("ex.step > 60")
    opened.button("Play").click()
    lab.wait_value("ex.playing", wanted=False)
    assert opened.fit(1).evaluate("e => e.seen") > 5
    step = lab.value("ex.step")
    expect(opened.counter).to_contain_text(f"{step:,} of")
    expect(opened.row(0)).to_contain_text("diverged at 20")
    expect(opened.row(1)).to_contain_text("running")
    expect(opened.root.locator(".bqplot").nth(1)).to_contain_text("1: off the plot from update ")
    lab.shot("learning-rate-mid-run")


def test_auto_shows_the_first_updates_one_by_one(lab, opened):
    lab.execute("ex.speed = 'auto'; seen = []; ex.observe(lambda c: seen.append(c['new']), 'step')")
    opened.button("Play").click()
    lab.wait_value("ex.step > 60")
    opened.button("Play").click()
    lab.wait_value("ex.playing", wanted=False)
    # A busy machine draws fewer frames; at a constant speed for 4,000 updates it would be none.
    assert lab.value("len(set(range(1, 21)) & set(seen)) >= 8")


def test_the_axes_stay_where_they_are_while_a_lane_diverges(lab, opened):
    before = opened.ticks(0), opened.ticks(1)
    places = [t.bounding_box() for t in opened.root.locator(".bqplot .axis .tick text").all()]
    for _ in range(3):
        lab.execute("ex.step_forward(12)")
    expect(opened.counter).to_have_text(re.compile("36 of"))
    assert (opened.ticks(0), opened.ticks(1)) == before
    now = [t.bounding_box() for t in opened.root.locator(".bqplot .axis .tick text").all()]
    assert now == places


def test_the_end_of_the_run(lab, opened):
    opened.button("Compute and show").click()
    expect(opened.counter).to_have_text(re.compile("4,000 of 4,000"))
    for text in ("1.8195", "−3.0786", "2.2214", "0.0503", "end of run"):
        expect(opened.row(1)).to_contain_text(text)
    expect(opened.sentence).to_contain_text("the end")
    lab.shot("learning-rate-end")


def test_a_handle_is_dragged_and_everything_follows_while_it_is(lab, opened):
    lab.execute("ex.max_steps = 300; ex.run()")
    expect(opened.counter).to_have_text(re.compile("300 of 300"))
    opened.page.wait_for_timeout(500)
    x, y = opened.middle(opened.handle(1))
    curves, rates = set(), set()
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    for i in range(1, 13):
        opened.page.mouse.move(x - 12 * i, y)
        opened.page.wait_for_timeout(120)
        curves.add(opened.curve(1).get_attribute("d"))
        rates.add(opened.rate(1).input_value())
    opened.page.mouse.up()
    assert len(curves) >= 4
    assert len(rates) >= 4
    lab.wait_value("0.01 < ex.learning_rates[1] < 0.03")
    expect(opened.counter).to_have_text(re.compile("300 of 300"))
    assert lab.value("(ex.learning_rates[0], *ex.learning_rates[2:])") == [1.0, 0.01, 0.001]
    lab.shot("learning-rate-dragged")


UPPERMOST = """handle => {
    const {left, top, width, height} = handle.getBoundingClientRect(), found = [];
    for (let y = 0.5; y < height; y++) for (let x = 0.5; x < width; x += 2)
        if (document.elementFromPoint(left + x, top + y)?.closest(".noUi-handle") === handle)
            found.push([left + x, top + y]);
    return found; }"""
"""Points of a handle where no other lies over it."""


@pytest.mark.parametrize("size", ["normal", "large"])
@pytest.mark.parametrize(
    "rates", [(0.2004, 0.2), (0.21, 0.202, 0.199, 0.19), (0.1,) * 8, (0.1, 0.1, 0.11, 0.11, 1)]
)
def test_a_part_of_every_handle_can_be_taken_hold_of(lab, opened, rates, size):
    lab.execute(f"ex.size = {size!r}; ex.learning_rates = {rates}")
    expect(opened.handle(len(rates) - 1)).to_be_visible()
    opened.handle(0).scroll_into_view_if_needed()
    opened.page.wait_for_timeout(500)
    lab.shot(f"learning-rate-handles-{len(rates)}-{rates[0]}-{size}")
    track = opened.root.locator(".gdw-handles").bounding_box()
    for lane in range(len(rates)):
        assert len(opened.handle(lane).evaluate(UPPERMOST)) >= 12
        box = opened.handle(lane).bounding_box()
        middle = box["y"] + box["height"] / 2
        assert track["y"] <= middle <= track["y"] + track["height"]
    x, y = opened.handle(0).evaluate(UPPERMOST)[0]
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x - 60, y)
    opened.page.mouse.up()
    lab.wait_value(f"ex.learning_rates[0] < {0.9 * rates[0]}")
    assert lab.value("list(ex.learning_rates[1:])") == list(rates[1:])


def test_handles_that_do_not_overlap_stand_in_the_middle(lab, opened):
    alone = [opened.handle(lane).bounding_box() for lane in range(4)]
    assert len({box["y"] for box in alone}) == 1
    # Five pixels more than a handle's glyph is wide: near, and not covered.
    width = opened.root.locator(".gdw-handles").bounding_box()["width"]
    lab.execute(f"ex.change_rate(2, 0.1 * 10 ** -(5 * 27 / {width}))")
    opened.page.wait_for_timeout(400)
    assert opened.handle(2).bounding_box()["x"] > alone[2]["x"] + 50
    assert {opened.handle(lane).bounding_box()["y"] for lane in range(4)} == {alone[0]["y"]}


def test_the_limit_is_seen_above_and_below_a_handle_that_stands_on_it(lab, opened):
    lab.execute("ex.learning_rates = (ex.quadratic.limit,)")
    opened.page.wait_for_timeout(400)
    mark = opened.root.locator(".gdw-bands u").bounding_box()
    handle = opened.handle(0).bounding_box()
    glyph = handle["y"] + handle["height"] / 2
    assert mark["y"] <= glyph - 20
    assert mark["y"] + mark["height"] >= glyph + 13
    assert handle["x"] < mark["x"] < handle["x"] + handle["width"]


def test_the_keyboard_moves_a_handle_and_steps_the_run(lab, opened):
    opened.handle(2).focus()
    opened.page.keyboard.press("ArrowRight")
    lab.wait_value("ex.learning_rates[2] != 0.01")
    assert lab.value("0.01 < ex.learning_rates[2] < 0.0125")
    opened.root.focus()
    opened.page.keyboard.press("ArrowRight")
    opened.page.keyboard.press("PageDown")
    lab.wait_value("ex.step", 2)
    opened.page.keyboard.press("Home")
    lab.wait_value("ex.step", 0)


def test_a_rate_is_edited_in_place_and_a_wrong_one_is_taken_back(lab, opened):
    opened.rate(1).fill("0.05")
    opened.rate(1).press("Enter")
    lab.wait_value("ex.learning_rates[1]", 0.05)
    opened.rate(1).fill("-2")
    opened.rate(1).press("Enter")
    expect(opened.sentence).to_contain_text("learning rate must be greater than 0")
    expect(opened.sentence).to_have_class(re.compile("gdw-error"))
    expect(opened.rate(1)).to_have_value("0.05")
    lab.shot("learning-rate-wrong-value")
    opened.button("Apply one update").click()
    expect(opened.sentence).not_to_have_class(re.compile("gdw-error"))


def test_rates_set_from_code_stay_what_they_were_set_to(lab, opened):
    for rates in ("(5, 0.3, 0.02)", "(0.15, 1e-9)", "(1e6, 0.21, 0.0123, 1e-3, 7)"):
        lab.execute(f"ex.learning_rates = {rates}")
    opened.page.wait_for_timeout(1000)
    assert lab.value("ex.learning_rates") == [1e6, 0.21, 0.0123, 1e-3, 7]


def test_lanes_are_added_and_removed(lab, opened):
    above = opened.root.locator(".gdw-transport").bounding_box()
    for lanes in range(5, 9):
        opened.button("Add a lane").click()
        lab.wait_value("ex.descent.lanes", lanes)
    expect(opened.button("Add a lane")).to_be_disabled()
    assert opened.root.locator(".gdw-transport").bounding_box() == above
    lab.execute("ex.run()")
    expect(opened.row(8)).to_contain_text("least squares")
    lab.shot("learning-rate-eight")
    opened.button("Remove this lane").first.click()
    lab.wait_value("ex.descent.lanes", 7)
    expect(opened.rate(0)).to_have_value("0.1")


def test_a_rate_changed_in_mid_run_holds_from_there_on(lab, opened):
    lab.execute("ex.on_change = 'continue'; ex.step = 500")
    opened.rate(3).fill("0.1")
    opened.rate(3).press("Enter")
    lab.wait_value("ex.schedule", [[500, [1.0, 0.1, 0.01, 0.001]]])
    expect(opened.counter).to_have_text(re.compile("500 of"))
    opened.button("Play").click()
    lab.wait_value("ex.step > 600")
    lab.execute("ex.change_rate(2, 0.05)")
    assert lab.value("ex.playing")
    step = lab.value("ex.step")
    lab.wait_value(f"ex.step > {step} + 20")
    lab.execute("ex.run()")
    expect(opened.sentence).to_contain_text("the end")


@pytest.mark.parametrize("title", ["Compare", "Why", "Tables", "Settings", "Code"])
def test_every_fold_opens_below_and_moves_nothing(lab, opened, title):
    lab.execute("ex.run(); ex.pin()")
    before = opened.root.locator(".gdw-fold-row").bounding_box()
    opened.fold(title).click()
    body = opened.root.locator(".gdw-fold-body")
    expect(body).to_be_visible()
    opened.page.wait_for_timeout(300)
    assert opened.root.locator(".gdw-fold-row").bounding_box() == before
    expect(body).not_to_contain_text("javascript error")
    assert body.locator(".gdw-error").count() == 0
    lab.shot(f"learning-rate-{title.lower()}")
    opened.fold(title).click()


def test_every_situation_is_one_click(lab, opened):
    for chip in opened.root.locator(".gdw-chips button").all():
        chip.click()
        name = chip.inner_text()
        lab.wait_value("ex.situation", name)
        expect(chip).to_have_class(re.compile("mod-active"))
        lab.execute("ex.run()")
        opened.page.wait_for_timeout(200)
        lab.shot(f"learning-rate-{name.replace(' ', '-')}")
        line = opened.sentence.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
        assert line, f"the sentence of {name} does not fit"


def test_the_dark_theme(lab, opened):
    lab.execute("ex.run(); ex.pin(); ex.rule = 'momentum'; ex.step = 300")
    expect(opened.counter).to_have_text(re.compile("300 of"))
    with lab.dark():
        lab.shot("learning-rate-dark")
        colour = opened.row(1).locator("td").first.evaluate("e => getComputedStyle(e).color")
    assert min(int(x) for x in re.findall(r"\d+", colour)[:3]) > 150


def test_figures_fill_a_cell_of_any_width(notebook):
    cells = [CELL, "[ex.add_rate() for _ in range(4)]; ex.run()"]
    opened = RatePage(notebook.open(cells, width=768, height=1000)).ready()
    expect(opened.row(8)).to_contain_text("least squares")
    for width in (768, 1080, 2000):
        opened.page.set_viewport_size({"width": width, "height": 1000})
        opened.page.wait_for_timeout(800)
        notebook.shot(f"learning-rate-{width}")
        box = opened.root.bounding_box()
        for figure in opened.root.locator(".bqplot").all():
            inside = figure.bounding_box()
            assert inside["x"] >= box["x"] - 1
            assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
            assert inside["width"] >= 280
