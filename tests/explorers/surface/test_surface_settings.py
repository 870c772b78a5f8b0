"""The surface explorers without a browser: pins, code, settings, bad input, any order."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets import Layout
from traitlets import TraitError

from gdwidgets import HimmelblauExplorer, SurfaceExplorer
from gdwidgets.core import RULES, SURFACES, Descent, Surface
from gdwidgets.ui import text
from gestures import click, drag, present, run_code
from living import living

# -- pins, the loss axis, the step table -----------------------------------------------------------


def test_pins_keep_ghosts_and_rows(explorer):
    explorer.run()
    explorer.pin()
    explorer.learning_rate = 1e-3
    explorer.run()
    explorer.pin()
    assert [pin.label for pin in explorer.pins] == ["A", "B"]
    assert explorer.pins[0].settings["learning_rate"] == 5e-4
    assert explorer.map.ghosts.visible
    assert list(explorer.loss_plot.letters.text) == ["A", "B"]
    assert not explorer.unpin.disabled
    explorer.unfold("Compare")
    for expected in ("present", "<td class=gdw-text>A</td>", "<td class=gdw-text>B</td>"):
        assert expected in explorer.fold.text.value
    explorer.unpin_all()
    assert not explorer.map.ghosts.visible
    assert explorer.pins == ()
    assert explorer.unpin.disabled


def test_ghosts_of_another_surface_stay_away_and_come_back_with_it(explorer):
    explorer.run()
    explorer.pin()
    explorer.surface = "booth"
    assert not explorer.map.ghosts.visible
    explorer.surface = "himmelblau"
    assert explorer.map.ghosts.visible


def test_the_loss_axis_can_be_linear(explorer):
    explorer.unfold("Settings")
    explorer.form.field("loss_log").inputs[0].value = False
    assert not explorer.loss_log
    assert not explorer.loss_plot.log
    explorer.loss_log = True
    assert explorer.loss_plot.log


def test_a_surface_without_minima_has_a_linear_loss_axis_only():
    explorer = SurfaceExplorer("saddle")
    assert not explorer.loss_log
    with pytest.raises((ValueError, TraitError), match="names no minima"):
        explorer.loss_log = True
    assert not explorer.loss_log
    explorer.close()


def test_a_ninth_pin_is_refused(explorer):
    for _ in range(8):
        explorer.pin()
    with pytest.raises(ValueError, match="8 runs are pinned"):
        explorer.pin()


def test_the_step_table_marks_the_present_step(explorer):
    explorer.unfold("Tables")
    explorer.step = 99
    assert "<tr class=gdw-now><td>99</td><td>0.938195</td>" in explorer.fold.text.value
    explorer.unfold("Code")
    assert not explorer.fold.toggles["Tables"].value
    assert "backward" in explorer.fold.text.value


# -- code, data, settings --------------------------------------------------------------------------

VARIANTS = [
    {},
    {"start": (-1.0, 1.0), "loss_tol": 1e-4},
    {"rule": "momentum"},
    {"rule": "adam", "learning_rate": 0.1},
    {"race": True, "max_steps": 120},
    {"kept_starts": ((2.0, 0.0), (-3.0, -3.0))},
    {"surface": "rosenbrock", "start": (-1.0, 1.0)},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_the_code_gives_the_numbers_on_the_screen(settings, capsys):
    explorer = HimmelblauExplorer(**settings)
    explorer.run()
    results = run_code(explorer)
    assert capsys.readouterr().out
    descent = explorer.descent
    for lane, result in enumerate(results):
        last = int(descent.last_step[lane])
        assert result.updates == last
        np.testing.assert_allclose(
            result.parameters, descent.params[last, lane], rtol=2e-5, atol=1e-6
        )
    explorer.close()


def test_the_code_carries_a_function_of_the_student_s_own():
    shift = 1.5
    explorer = SurfaceExplorer(
        lambda u, v: torch.sin(u) ** 2 + (v - shift) ** 2, bounds=(-2, 2), max_steps=20
    )
    explorer.run()
    result = run_code(explorer)[0]
    np.testing.assert_allclose(result.parameters, explorer.descent.params[-1, 0], rtol=1e-5)
    explorer.close()


def test_the_data_frame_has_a_row_for_each_lane_and_step(explorer):
    explorer.add_start()
    explorer.start = (0.0, 3.0)
    frame = explorer.to_dataframe()
    assert len(frame) == 2 * 301
    assert list(frame.columns) == [
        "lane",
        "step",
        "u",
        "v",
        "loss",
        "grad_u",
        "grad_v",
        "step_grad_u",
        "step_grad_v",
    ]
    row = frame[(frame.lane == 0) & (frame.step == 99)].iloc[0]
    assert f"{row.loss:.6f}" == "0.938195"
    assert explorer.step == 0


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_settings_build_an_equal_explorer(settings):
    one = HimmelblauExplorer(**settings)
    two = type(one)(**one.settings())
    assert two.settings() == one.settings()
    one.run()
    two.run()
    np.testing.assert_array_equal(one.descent.params, two.descent.params)
    one.close()
    two.close()


def test_another_surface_brings_its_own_start_and_rate(explorer):
    explorer.chooser.value = "rosenbrock"
    assert explorer.surface is SURFACES["rosenbrock"]
    assert explorer.learning_rate == SURFACES["rosenbrock"].learning_rate
    assert explorer.map.from_map((0, 0)) == (-2, -1)
    explorer.run()
    assert explorer.descent.outcomes[0] != "diverged"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_picture_can_be_saved(explorer, kind, tmp_path):
    explorer.step = 100
    explorer.save(tmp_path / f"run.{kind}")
    start = (tmp_path / f"run.{kind}").read_bytes()[:200]
    assert {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind] in start


def test_a_layout_is_taken_and_stays_open():
    layout = Layout(width="700px")
    explorer = SurfaceExplorer(layout=layout)
    assert explorer.layout is layout
    explorer.close()
    assert layout.comm is not None
    layout.close()


# -- objectives of a user's own --------------------------------------------------------------------


class Bowl:
    """A loss of two parameters with names of their own."""

    parameter_names = ("slope", "offset")

    def __call__(self, params: torch.Tensor) -> torch.Tensor:
        slope, offset = params.unbind(-1)
        return (slope - 1) ** 2 + 3 * (offset + 0.5) ** 2


def test_an_objective_with_two_parameters_runs_here():
    explorer = SurfaceExplorer(
        Bowl(), bounds=(-2, 2), minima=((1, -0.5),), start=(-1, 1), learning_rate=0.1, max_steps=60
    )
    explorer.run()
    p = torch.tensor([-1.0, 1.0], requires_grad=True)
    optimizer = torch.optim.SGD([p], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        ((p[0] - 1) ** 2 + 3 * (p[1] + 0.5) ** 2).backward()
        optimizer.step()
    np.testing.assert_allclose(explorer.descent.params[60, 0], p.detach().numpy(), rtol=1e-6)
    assert "slope = " in explorer.sentence_text
    assert "offset = " in explorer.sentence_text
    assert explorer.map.names == ("slope", "offset")
    explorer.unfold("Tables")
    assert "slope.grad" in explorer.fold.text.value
    explorer.close()


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"start": (1, 2, 3)}, "start must be"),
        ({"start": (math.nan, 0)}, "start must be"),
        ({"start": "ab"}, "start must be"),
        ({"start": None}, "start must be"),
        ({"learning_rate": 0}, "learning_rate must be .*greater than 0"),
        ({"learning_rate": "0.1"}, "learning_rate must be"),
        ({"learning_rate": 10**400}, "learning_rate must be"),
        ({"rule": "adan"}, "did you mean 'adam'"),
        ({"max_steps": 0}, "1 to 1000000"),
        ({"max_steps": 2.5}, "1 to 1000000"),
        ({"loss_tol": -1}, "greater than 0"),
        ({"surface": "himmelblou"}, "did you mean 'himmelblau'"),
        ({"surface": 3}, "surface must be a name, a Surface or a callable"),
        ({"surface": max}, "bounds must be given"),
        ({"speed": 0}, "greater than 0"),
        ({"kept_starts": ((1, 2, 3),)}, "kept_starts"),
        ({"kept_starts": 5}, "kept_starts"),
        ({"start": torch.zeros(2, device="meta")}, "start must be"),
        ({"start": np.zeros(1_000_000)}, "start must be"),
        ({"race": np.zeros(3)}, "race must be"),
        ({"layout": np.zeros(3)}, "layout must be"),
        ({"basins": "yes"}, "basins must be"),
    ],
    ids=str,
)
def test_bad_keywords_say_what_is_accepted_in_a_few_words(settings, says):
    with pytest.raises((TraitError, ValueError), match=says) as raised:
        HimmelblauExplorer(**settings)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize("name", [np.zeros(3), 5, None], ids=str)
def test_a_bad_name_is_refused(name):
    with pytest.raises((TraitError, ValueError), match="name must be"):
        SurfaceExplorer(lambda u, v: u**2 + v**2, bounds=(-1, 1), name=name)


def test_moving_a_start_that_is_none_is_refused(explorer):
    with pytest.raises(ValueError, match="lane"):
        explorer.move_start(9, (0, 0))
    with pytest.raises(ValueError, match="start must be"):
        explorer.move_start(0, (0, math.nan))
    assert explorer.start == (1.0, 1.0)


def test_an_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'learning_rate'"):
        HimmelblauExplorer(learning_rat=0.1)


UNFIT = [
    lambda u, v: 3.0,
    lambda u, v: (u + v).sum(),
    lambda u, v: u.detach(),
    lambda u, v: u @ v[:2],
    lambda u, v: np.sin(u.detach().numpy()),
    lambda u: u,
    lambda u, v: u / u.max(),
    lambda u, v: torch.log(u * 0 - 1),
]


@pytest.mark.parametrize("function", UNFIT)
def test_a_function_that_does_not_fit_is_refused_and_nothing_is_lost(explorer, function):
    explorer.step = 5
    before = explorer.settings()
    with pytest.raises((ValueError, TraitError)):
        explorer.surface = function
    assert explorer.step == 5
    assert explorer.settings() == before
    with pytest.raises((ValueError, TraitError)):
        SurfaceExplorer(function, bounds=(-2, 2))


def steep(u, v):
    """Has values everywhere, and a gradient that is nowhere finite on the left."""
    return torch.where(u > 0, u**2 + v**2, torch.sqrt(u.abs() * 0) + u**2 + v**2)


@pytest.mark.parametrize(
    "wrong",
    [Surface(steep, ((-2, -1), (-1, 1))), "himmelblou", 3],
    ids=["no finite gradient", "himmelblou", "3"],
)
def test_a_surface_that_is_refused_leaves_everything_as_before(explorer, wrong):
    explorer.assign(kept_starts=((2.0, 2.0),), loss_log=False)
    explorer.step = 40
    before, drawn = explorer.settings(), present(explorer)
    with pytest.raises((ValueError, TraitError), match=r"surface|start"):
        explorer.surface = wrong
    assert explorer.settings() == before
    assert explorer.step == 40
    assert explorer.chooser.value == "himmelblau"
    np.testing.assert_array_equal(present(explorer), drawn)
    assert explorer.map.from_map((0, 0)) == (-6, -6)


def test_a_start_where_the_function_has_no_value_is_refused():
    explorer = SurfaceExplorer(
        lambda u, v: torch.log(u) ** 2 + v**2, bounds=((-1, 3), (-1, 1)), start=(2.0, 0.5)
    )
    explorer.step = 3
    click(explorer, -0.5, 0.5)
    assert "start must be where the function and its gradient are finite" in explorer.problem
    assert explorer.start == (2.0, 0.5)
    assert explorer.step == 3
    drag(explorer, 0, -0.5, 0.5)
    assert explorer.start == (2.0, 0.5)
    np.testing.assert_allclose(explorer.map.start.x, [3000])
    explorer.close()


def test_a_function_that_fails_in_mid_run_stops_the_clock_and_is_shown():
    def moody(u, v):
        if u.shape == (1,) and float(u.detach()[0]) < 0.5:
            raise ArithmeticError("no <b>mood</b> for this")
        return u**2 + v**2

    explorer = SurfaceExplorer(
        Surface(moody, ((1, 2), (1, 2))), start=(1.5, 1.5), learning_rate=0.1, max_steps=50
    )
    explorer.transport.play.click()
    assert not explorer.playing
    assert "no <b>mood</b> for this" in explorer.problem
    assert "<b>mood" not in explorer.status.value
    before = explorer.step
    explorer.step_back()
    assert explorer.step == max(before - 1, 0)
    explorer.close()


def test_after_a_play_that_raised_it_can_be_played_again():
    broken = True

    def moody(u, v):
        if broken and u.shape == (1,) and float(u.detach()[0]) < 1.2:
            raise ArithmeticError("enough")
        return u**2 + v**2

    explorer = SurfaceExplorer(
        moody, bounds=((1.3, 2), (1.3, 2)), start=(1.5, 1.5), learning_rate=0.1, max_steps=9
    )
    with pytest.raises(ArithmeticError, match="enough"):
        explorer.play()
    assert not explorer.playing
    broken = False
    explorer.play()
    assert explorer.step == 9
    explorer.close()


@pytest.mark.parametrize("fold", ["Compare", "Why", "Tables", "Settings", "Code"])
def test_a_function_that_fails_in_an_open_fold_leaves_sentence_and_frames(fold):
    broken = False

    def moody(u, v):
        if broken and (u.dtype is torch.float64 or u.numel() != 1):
            raise ArithmeticError("not in this fold")
        return u**2 + 2 * v**2

    explorer = SurfaceExplorer(moody, bounds=(-2, 2), minima=((0, 0),), learning_rate=0.1)
    broken = True
    explorer.unfold(fold)
    explorer.step = 3
    assert "Step 3" in explorer.sentence_text
    assert explorer.transport.scrubber.value == 3
    explorer.close()


def set_both(explorer, **settings):
    for name, value in settings.items():
        setattr(explorer, name, value)


def test_settings_changed_together_go_back_together(explorer):
    before = explorer.settings()
    for block in (explorer.together, explorer.hold_trait_notifications):
        with pytest.raises(TraitError), block():
            set_both(explorer, learning_rate=0.1, max_steps=-1)
        assert explorer.settings() == before
        assert explorer.descent.learning_rates[0] == 5e-4


# -- the end ---------------------------------------------------------------------------------------


def test_close_leaves_no_widget_behind():
    before = set(living())
    explorer = HimmelblauExplorer(basins=True)
    explorer.add_start()
    explorer.run()
    explorer.pin()
    explorer.race = True
    explorer.loss_log = False
    for fold in ("Why", "Settings", "Compare", "Code"):
        explorer.unfold(fold)
    explorer.close()
    assert set(living()) == before
    explorer.close()


# -- any order -------------------------------------------------------------------------------------

POINT = st.floats(-6, 6, width=16)


class AnyOrder(RuleBasedStateMachine):
    """Methods and controls in any order leave the picture in agreement with the recording."""

    def __init__(self):
        super().__init__()
        self.explorer = HimmelblauExplorer(max_steps=40)
        self.explorer.unfold("Settings")

    @rule(n=st.integers(0, 50))
    def forward(self, n):
        self.explorer.step_forward(n)

    @rule(n=st.integers(0, 50))
    def back(self, n):
        self.explorer.step_back(n)

    @rule(k=st.integers(0, 40))
    def scrub(self, k):
        self.explorer.transport.scrubber.value = k

    @rule(button=st.sampled_from(["play", "reset", "finish", "forward", "back"]))
    def press(self, button):
        getattr(self.explorer.transport, button).click()

    @rule(key=st.sampled_from(["forward", "back", "reset", "finish", "toggle"]))
    def key(self, key):
        self.explorer.press(key)

    @rule(u=POINT, v=POINT)
    def click(self, u, v):
        click(self.explorer, u, v)

    @rule(u=POINT, v=POINT)
    def drag(self, u, v):
        drag(self.explorer, 0, u, v)

    @rule(rate=st.sampled_from([1e-4, 5e-4, 0.01, 0.1, 10.0]))
    def rate(self, rate):
        self.explorer.form.field("learning_rate").number.value = f"{rate:g}"

    @rule(name=st.sampled_from(list(RULES)))
    def update_rule(self, name):
        self.explorer.rule = name

    @rule(bad=st.sampled_from([{"learning_rate": -1}, {"rule": "x"}, {"start": 5}]))
    def refused(self, bad):
        before = self.explorer.settings()
        with pytest.raises((TraitError, ValueError)):
            self.explorer.assign(**bad)
        assert self.explorer.settings() == before

    @rule(fold=st.sampled_from(["Compare", "Why", "Tables", "Settings", "Code"]), on=st.booleans())
    def fold(self, fold, on):
        self.explorer.unfold(fold, on)

    @rule(on=st.booleans())
    def future(self, on):
        self.explorer.future = on

    @rule()
    def keep(self):
        if len(self.explorer.kept_starts) < 7:
            self.explorer.add_start()

    @rule()
    def clear(self):
        self.explorer.clear_starts()

    @invariant()
    def agrees(self):
        explorer = self.explorer
        descent, k = explorer.descent, explorer.step
        assert 0 <= k <= explorer.end
        assert explorer.problem == ""
        assert explorer.transport.scrubber.value == k
        assert not explorer.playing
        here = descent.params[np.minimum(k, descent.last_step), np.arange(descent.lanes)]
        on = (np.abs(here) < 6).all(1)
        np.testing.assert_allclose(present(explorer)[on], here[on], atol=0.02)
        alone = Descent(
            explorer.surface,
            explorer.start,
            explorer.learning_rate,
            rule=explorer.rule,
            max_steps=40,
        )
        alone.advance_to(k)
        last = min(k, int(alone.last_step[0]))
        np.testing.assert_array_equal(descent.params[last, explorer.lane], alone.params[last, 0])

    def teardown(self):
        self.explorer.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = hypothesis_settings(max_examples=6, stateful_step_count=10, deadline=None)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 4.0, 1e3, 1e9])
@pytest.mark.parametrize("mark_best", [False, True])
def test_a_limit_beyond_its_track_has_no_line_and_is_said_to_be_there(scale, mark_best):
    """The track's line stands at the limit, or nowhere."""
    explorer = SurfaceExplorer(
        lambda u, v: scale * (u**2 + 0.5 * v**2),
        bounds=(-2, 2),
        learning_rate=1e-3,
        mark_best=mark_best,
        max_steps=3,
    )
    field = explorer.form.field("learning_rate")
    html = field.marks.value
    limit, best = 1 / scale, 2 / (3 * scale)
    low, high = 10.0**field.slider.min, 10.0**field.slider.max
    there = low <= limit <= high
    lines = [float(at) for at in re.findall(r"<u style='left:([\d.]+)%'", html)]
    place = 100 * math.log(limit / low) / math.log(high / low)
    assert lines == ([pytest.approx(place, abs=0.01)] if there else [])
    assert ("beyond" in html) == (not there)
    assert ("gdw-best" in html) == (mark_best and low <= best <= high)
    said = re.sub("<[^>]*>", "", html)
    assert text.number(limit, 3) in said
    assert ("best" in said) == mark_best
    explorer.close()
