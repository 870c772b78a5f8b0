"""The surface explorers without a browser: pins, code, settings, bad input, any order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets.widgets.widget import _instances
from traitlets import TraitError

from gdwidgets import HimmelblauExplorer, SurfaceExplorer
from gdwidgets.core import RULES, SURFACES, Descent, Surface
from gestures import click, drag, run_code

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
    assert not explorer.controls.unpin.disabled
    explorer.fold.toggles["Run table"].value = True
    for expected in ("present", "<td class=gdw-text>A</td>", "<td class=gdw-text>B</td>"):
        assert expected in explorer.fold.body.value
    explorer.unpin_all()
    assert not explorer.map.ghosts.visible
    assert explorer.pins == ()
    assert explorer.controls.unpin.disabled


def test_the_loss_axis_can_be_linear_and_never_shows_a_scale_what_it_cannot(explorer):
    explorer.learning_rate = 0.01
    explorer.start = (3.0, 2.0)
    explorer.run()
    explorer.pin()
    for log in (False, True, False):
        explorer.loss_log = log
        for mark in (explorer.loss_plot.lines, explorer.loss_plot.ghosts):
            scale = mark.scales["y"]
            assert (np.asarray(mark.y) >= scale.min).all()
            assert (scale.min > 0) == log
        assert explorer.loss_plot.figure.axes[1].scale is scale


def test_a_ninth_pin_is_refused(explorer):
    for _ in range(8):
        explorer.pin()
    with pytest.raises(ValueError, match="8 runs are pinned"):
        explorer.pin()


def test_the_step_table_marks_the_present_step(explorer):
    explorer.fold.toggles["Step table"].value = True
    explorer.step = 99
    assert "<tr class=gdw-now><td>99</td><td>0.938195</td>" in explorer.fold.body.value
    explorer.fold.toggles["Code"].value = True
    assert not explorer.fold.toggles["Step table"].value
    assert "backward" in explorer.fold.body.value


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
    assert "Final" in capsys.readouterr().out
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
    explorer.controls.surface.value = "rosenbrock"
    assert explorer.surface is SURFACES["rosenbrock"]
    assert explorer.learning_rate == SURFACES["rosenbrock"].learning_rate
    assert explorer.map.x.min == explorer.surface.bounds[0][0]
    explorer.run()
    assert explorer.descent.outcomes[0] != "diverged"


@pytest.mark.parametrize("name", list(SURFACES))
def test_every_named_surface_can_be_explored(name):
    explorer = SurfaceExplorer(name, max_steps=50)
    explorer.run()
    assert math.isfinite(explorer.descent.loss[-1, 0])
    assert explorer.descent.loss[-1, 0] < explorer.descent.loss[0, 0]
    explorer.close()


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"start": (1, 2, 3)}, "2 finite numbers"),
        ({"start": (math.nan, 0)}, "2 finite numbers"),
        ({"start": "ab"}, "2 finite numbers"),
        ({"start": None}, "2 finite numbers"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": "0.1"}, "greater than 0"),
        ({"rule": "adan"}, "did you mean 'adam'"),
        ({"max_steps": 0}, "1 to 1000000"),
        ({"max_steps": 2.5}, "1 to 1000000"),
        ({"loss_tol": -1}, "greater than 0"),
        ({"surface": "himmelblou"}, "did you mean 'himmelblau'"),
        ({"surface": 3}, "a callable of two tensors"),
        ({"surface": lambda u, v: u}, "needs bounds"),
        ({"speed": 0}, "greater than 0"),
        ({"kept_starts": ((1, 2, 3),)}, "2 finite numbers"),
    ],
    ids=str,
)
def test_bad_keywords_say_what_is_accepted(settings, says):
    with pytest.raises((TraitError, ValueError), match=says):
        HimmelblauExplorer(**settings)


def test_an_unknown_keyword_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'learning_rate'"):
        HimmelblauExplorer(learning_rat=0.1)


@pytest.mark.parametrize(
    "function",
    [
        lambda u, v: 3.0,
        lambda u, v: (u + v).sum(),
        lambda u, v: u.detach(),
        lambda u, v: u @ v[:2],
        lambda u, v: np.sin(u.detach().numpy()),
        lambda u: u,
        lambda u, v: u / u.max(),
        lambda u, v: torch.log(u * 0 - 1),
    ],
)
def test_a_function_that_does_not_fit_is_refused_and_nothing_is_lost(explorer, function):
    explorer.step = 5
    with pytest.raises((ValueError, TraitError)):
        explorer.surface = Surface(function, (-2, 2))
    assert explorer.step == 5
    assert explorer.surface is SURFACES["himmelblau"]
    with pytest.raises((ValueError, TraitError)):
        SurfaceExplorer(function, bounds=(-2, 2))


def test_a_start_where_the_function_has_no_value_is_refused():
    explorer = SurfaceExplorer(
        lambda u, v: torch.log(u) ** 2 + v**2, bounds=((-1, 3), (-1, 1)), start=(2.0, 0.5)
    )
    explorer.step = 3
    click(explorer, -0.5, 0.5)
    assert "not finite at the start" in explorer.problem
    assert explorer.start == (2.0, 0.5)
    assert explorer.step == 3
    drag(explorer, 0, -0.5, 0.5)
    assert explorer.start == (2.0, 0.5)
    np.testing.assert_allclose(explorer.map.start.x, [2.0])
    explorer.close()


def test_a_function_that_fails_in_mid_run_stops_the_clock_and_is_shown():
    calls = 0

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
    assert "<b>" not in explorer.status.value
    before = explorer.step
    explorer.step_back()
    assert explorer.step == max(before - 1, 0)
    assert calls == 0
    explorer.close()


def test_settings_changed_together_go_back_together(explorer):
    before = explorer.settings()

    def spoil():
        with explorer.settings_together():
            explorer.learning_rate = 0.1
            explorer.max_steps = -1

    with pytest.raises(TraitError):
        spoil()
    assert explorer.settings() == before


# -- the end ---------------------------------------------------------------------------------------


def test_close_leaves_no_widget_behind():
    before = set(_instances)
    explorer = HimmelblauExplorer(basins=True)
    explorer.add_start()
    explorer.run()
    explorer.pin()
    explorer.race = True
    explorer.loss_log = False
    explorer.fold.toggles["Code"].value = True
    explorer.close()
    assert set(_instances) == before
    explorer.close()


class AnyOrder(RuleBasedStateMachine):
    """Buttons pressed in any order leave the picture in agreement with the recording."""

    def __init__(self):
        super().__init__()
        self.explorer = HimmelblauExplorer(max_steps=40)

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

    @rule(u=st.floats(-6, 6, width=16), v=st.floats(-6, 6, width=16))
    def click(self, u, v):
        click(self.explorer, u, v)

    @rule(rate=st.sampled_from([1e-4, 5e-4, 0.01, 0.1, 10.0]))
    def rate(self, rate):
        self.explorer.learning_rate = rate

    @rule(name=st.sampled_from(list(RULES)))
    def update_rule(self, name):
        self.explorer.rule = name

    @rule()
    def keep(self):
        if len(self.explorer.kept_starts) < 7:
            self.explorer.add_start()

    @invariant()
    def agrees(self):
        explorer = self.explorer
        descent, k = explorer.descent, explorer.step
        assert 0 <= k <= explorer.end
        assert explorer.problem == ""
        assert explorer.transport.scrubber.value == k
        assert not explorer.playing
        here = descent.params[np.minimum(k, descent.last_step), np.arange(descent.lanes)]
        np.testing.assert_array_equal(
            explorer.map.present.x, np.clip(here[:, 0], explorer.map.x.min, explorer.map.x.max)
        )
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
TestAnyOrder.settings = hypothesis_settings(max_examples=15, stateful_step_count=15, deadline=None)
