"""A learner's own loop in every explorer of a descent: seen while it runs, shown beside, told."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import torch

import gdwidgets.core.watching.watch as watching
from gdwidgets import (
    AccumulationComparer,
    HimmelblauExplorer,
    LearningRateExplorer,
    SurfaceExplorer,
)
from gdwidgets.core import training_pairs
from gdwidgets.ui.own_loop.beside import Beside
from gdwidgets.ui.own_loop.explorer import NAME
from gdwidgets.ui.plots import palette
from loops import accumulate, fit_polynomial, himmelblau, optimize_himmelblau
from messages import recorded_messages

STEPS = 40
KINDS = {
    "surface": (
        HimmelblauExplorer,
        {"max_steps": STEPS},
        lambda: optimize_himmelblau(1.0, 1.0, steps=STEPS),
    ),
    "rates": (
        LearningRateExplorer,
        {"learning_rates": (0.1, 0.01), "max_steps": STEPS},
        lambda: fit_polynomial(rate=0.01, steps=STEPS),
    ),
    "accumulation": (AccumulationComparer, {}, lambda: accumulate(clear=True)),
}
COMPARED = {"surface": 0, "rates": 1, "accumulation": 1}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def explorer(kind):
    explorer, settings, _ = KINDS[kind]
    made = explorer(**settings)
    yield made
    made.close()


@pytest.fixture
def surface():
    made = HimmelblauExplorer(max_steps=STEPS)
    yield made
    made.close()


class Clock:
    """A clock that stands still except where the loop moves it."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(watching, "perf_counter", made)
    return made


def uphill(steps=STEPS, tick=lambda k: None):
    u = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    for k in range(steps):
        tick(k)
        loss = himmelblau(u, v)
        loss.backward()
        with torch.no_grad():
            u += 5e-4 * u.grad
            v += 5e-4 * v.grad
        u.grad = v.grad = None
    return u.item(), v.item()


def right(steps=STEPS, rate=5e-4, tick=lambda k: None):
    u = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    for k in range(steps):
        tick(k)
        himmelblau(u, v).backward()
        with torch.no_grad():
            u -= rate * u.grad
            v -= rate * v.grad
        u.grad = v.grad = None
    return u.item(), v.item()


# -- in every explorer -----------------------------------------------------------------------------


def test_a_loop_becomes_one_lane_more(kind, explorer):
    before = explorer.descent.lanes
    mine = explorer.watch(KINDS[kind][2])
    assert explorer.problem == ""
    assert mine.recording_error is mine.progress_error is None
    assert explorer.all_lanes.lanes == before + 1
    assert explorer.descent.lanes == before
    assert explorer.loss_plot._names[-1] == NAME
    assert explorer.loss_plot.past.colors[-1] == palette.OWN_RUN.colour
    assert explorer.loss_plot.present.text[-1] == palette.OWN_RUN.glyph


def test_the_course_s_own_loop_agrees_with_its_lane(kind, explorer):
    mine = explorer.watch(KINDS[kind][2])
    assert mine.findings[0].name == "agrees"
    assert "agree" in mine.report()
    lanes, own = explorer.all_lanes, explorer.own_lane
    assert np.array_equal(lanes.params[:, own], lanes.params[:, COMPARED[kind]])
    assert explorer.step == explorer.end
    assert "agree" in explorer.sentence_text


def test_the_loop_s_numbers_are_the_same_with_an_explorer_attached(kind, explorer, clock):
    """Also where every step is drawn."""
    tick = torch.autograd.backward

    def ticking(*args, **kwargs):
        clock.now += 1.0
        return tick(*args, **kwargs)

    loop = KINDS[kind][2]
    alone = loop()
    torch.autograd.backward = ticking
    try:
        watched = explorer.watch(loop)
    finally:
        torch.autograd.backward = tick
    assert watched.result == alone
    state = torch.get_rng_state()
    explorer.watch(lambda: None)
    assert torch.equal(torch.get_rng_state(), state)


def test_it_can_be_stepped_played_and_scrubbed(kind, explorer):
    explorer.watch(KINDS[kind][2])
    for k in (0, 3, explorer.end):
        explorer.seek(k)
        assert explorer.step == k
    explorer.reset()
    explorer.play()
    assert explorer.problem == ""
    assert explorer.step == explorer.end


def test_it_is_tabled(kind, explorer):
    explorer.watch(KINDS[kind][2])
    frame = explorer.to_dataframe()
    own = frame[frame["lane"] == explorer.own_lane]
    assert len(own) == explorer.own_loop.run.recorded + 1
    assert np.array_equal(own["loss"], explorer.own_loop.run.loss[:, 0])
    assert f">{NAME}<" in explorer.run_table()
    explorer.unfold("Your own loop")
    html = explorer.fold.text.value
    assert "recorded" in html
    assert "gdw-now" in html


def test_it_is_pinned_with_the_run(kind, explorer):
    explorer.watch(KINDS[kind][2])
    explorer.seek(5)
    explorer.pin()
    explorer.forget_own_loop()
    assert f"A, {NAME}" in explorer.run_table()
    assert len(explorer.loss_plot._ghosts) == explorer.descent.lanes + 1


def test_it_can_be_forgotten(kind, explorer):
    explorer.watch(KINDS[kind][2])
    explorer.forget_own_loop()
    assert explorer.own_loop is None
    assert explorer.all_lanes is explorer.descent
    assert NAME not in explorer.loss_plot._names
    assert len(explorer.loss_plot.past.colors) == explorer.descent.lanes
    explorer.unfold("Your own loop")
    assert "explorer.watch()" in explorer.fold.text.value


def test_another_loop_takes_its_place(kind, explorer):
    explorer.watch(KINDS[kind][2])
    second = explorer.watch(KINDS[kind][2])
    assert explorer.own_loop is second
    assert explorer.all_lanes.lanes == explorer.descent.lanes + 1


def test_it_stays_when_a_setting_of_the_reference_changes(kind, explorer):
    explorer.watch(KINDS[kind][2])
    if kind == "rates":
        explorer.change_rate(0, 0.05)
    else:
        explorer.learning_rate = explorer.learning_rate / 2
    assert explorer.problem == ""
    assert explorer.own_lane == explorer.descent.lanes


def test_nothing_recorded_is_said(kind, explorer):
    mine = explorer.watch(lambda: 1 + 1)
    assert mine.findings[0].name == "nothing_recorded"
    assert explorer.own_lane is None
    assert explorer.problem == ""
    explorer.unfold("Your own loop")
    assert "gdw-paragraph" in explorer.fold.text.value


def test_a_picture_for_print_has_it(kind, explorer):
    explorer.watch(KINDS[kind][2])
    svg = explorer.picture("svg").decode()
    assert palette.OWN_RUN.colour.lower() in svg.lower()


# -- while it runs ---------------------------------------------------------------------------------


def test_the_lane_grows_while_the_loop_runs(surface, clock):
    seen = []

    def tick(k):
        clock.now += 1.0
        lanes = surface.all_lanes
        seen.append(lanes.own_last if isinstance(lanes, Beside) else -1)
        if k == 30:
            assert surface.sentence_text.startswith("Your loop runs: step 29")
            assert surface.step == 29

    with surface.watch():
        uphill(tick=tick)
    # The first step is not drawn: until then nobody knows how long a drawing takes.
    assert seen[2:] == list(range(1, STEPS - 1))


def test_drawing_is_seldom_where_time_stands_still(surface, clock):
    with recorded_messages() as sent:
        mine = surface.watch()
        with mine:
            before = len(sent)
            uphill()
            assert len(sent) == before


def test_what_goes_wrong_in_drawing_never_reaches_the_loop(surface, clock, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("no ink")

    def tick(k):
        clock.now += 1.0
        if k == 10:
            monkeypatch.setattr(surface, "show_recording", broken)

    with surface.watch() as mine:
        final = uphill(tick=tick)
    monkeypatch.undo()
    assert final == uphill()
    assert len(mine.loss) == STEPS
    assert "no ink" in surface.problem


def test_an_exception_passes_through_and_the_records_stay(surface):
    def stop(k):
        if k == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), surface.watch() as mine:
        right(tick=stop)
    assert len(mine.loss) == 20
    assert surface.own_lane == 1
    assert surface.all_lanes.last_step[1] == 20
    with surface.watch() as mine:
        right()
    assert mine.findings[0].name == "agrees"


def test_a_watch_inside_a_watch_is_refused_and_the_outer_one_goes_on(surface):
    other = HimmelblauExplorer()
    with surface.watch() as mine:
        right(10)
        with pytest.raises(RuntimeError, match="watched already"), other.watch():
            pass
        right(30)
    assert other.own_loop is None
    assert len(mine.loss) == 30
    other.close()


def test_a_loop_in_a_thread_is_shown(surface):
    done = []

    def work():
        done.append(surface.watch(right))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done[0].findings[0].name == "agrees"
    assert surface.own_lane == 1


def used(explorer, k):
    """What somebody may do with an explorer at step k of a loop that it watches."""
    actions = {
        0: explorer.step_forward,
        1: explorer.run,
        2: lambda: explorer.seek(7),
        3: lambda: explorer.unfold("Why"),
        4: explorer.pin,
        5: lambda: (explorer.play(), explorer.pause()),
        6: lambda: (explorer.table(), explorer.code()),
        7: explorer.reset,
    }
    actions.get(k, lambda: None)()


def test_an_explorer_used_inside_the_block_leaves_the_record_alone(kind, explorer):
    """Its own backward passes, for curvatures and the like, are no steps of the loop."""
    descent, lane = explorer.descent, COMPARED[kind]
    rate = float(descent.learning_rates[lane])

    def loop(act):
        w = torch.tensor(descent.start[lane], requires_grad=True)
        for k in range(explorer.max_steps):
            act(explorer, k)
            descent.objective(w[None]).sum().backward()
            with torch.no_grad():
                w -= rate * w.grad
            w.grad = None

    alone = explorer.watch(loop, lambda explorer, k: None).columns()
    mine = explorer.watch(loop, used)
    assert len(mine.records) == 1
    assert all(np.array_equal(alone[name], column) for name, column in mine.columns().items())
    assert mine.findings[0].name == "agrees"
    assert explorer.problem == ""


def test_what_goes_wrong_in_an_explorer_inside_the_block_is_no_refusal_of_the_loop(surface):
    with surface.watch() as mine:
        with pytest.raises(ValueError, match="function"):
            SurfaceExplorer(lambda u, v: (u + v).detach(), bounds=((-1, 1), (-1, 1)))
        right()
    assert mine.findings[0].name == "agrees"


# -- what is said ----------------------------------------------------------------------------------


def test_the_cursor_goes_where_the_mistake_begins(surface):
    def stale(steps=STEPS):
        u = torch.tensor(1.0, requires_grad=True)
        v = torch.tensor(1.0, requires_grad=True)
        for k in range(steps):
            himmelblau(u, v).backward()
            with torch.no_grad():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            if k < 25:
                u.grad = v.grad = None

    surface.seek(30)
    mine = surface.watch(stale)
    assert mine.findings[0].step > 0
    assert surface.step == mine.findings[0].step
    assert surface.sentence_text[:30] in mine.findings[0].sentence.replace("`", "")
    surface.step_forward()
    assert surface.sentence_text.startswith("Step ")


def test_uphill_is_said_at_step_0(surface):
    mine = surface.watch(uphill)
    assert mine.findings[0].name == "uphill"
    assert surface.step == 0
    assert surface.sentence_text.startswith("Your update goes uphill: u and v move by +0.0005")
    surface.unfold("Your own loop")
    assert "<b>Your update goes uphill" in surface.fold.text.value


def test_hints_can_be_held_back(surface):
    mine = surface.watch(hints=False)
    with mine:
        uphill()
    surface.unfold("Your own loop")
    assert "uphill" not in surface.sentence_text + surface.fold.text.value + mine.report()
    assert surface.step == STEPS
    assert not surface.hints_left
    surface.next_hint()
    assert "uphill" not in surface.fold.text.value


def test_hints_come_one_at_a_time(surface):
    with surface.watch(hints=1) as mine:
        uphill()
    surface.unfold("Your own loop")
    first = mine.findings[0]
    told = []
    for _ in range(3):
        told.append(surface.fold.text.value)
        surface.next_hint()
    assert [("uphill" in text, "grows fastest" in text) for text in told] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    assert first.where
    assert not surface.hints_left


def test_the_named_lane_is_the_one_a_loop_goes_along():
    explorer = AccumulationComparer()
    explorer.watch(accumulate, clear=False)
    explorer.unfold("Your own loop")
    assert "does as well" in explorer.fold.text.value
    told, agrees = explorer.own_loop.findings[:2]
    assert (told.name, agrees.name) == ("not_cleared", "agrees")
    assert "without clearing" in agrees.sentence
    assert explorer.step == 1
    assert explorer.sentence_text.startswith(".grad is not cleared: step 1 begins with")
    explorer.watch(accumulate, clear=True)
    assert explorer.own_loop.findings[0].name == "agrees"
    assert "with clearing" in explorer.own_loop.findings[0].sentence
    explorer.close()


@pytest.mark.parametrize("rate", [0.1, 0.01, 0.001])
def test_a_loop_is_compared_with_the_lane_of_its_rate(rate):
    explorer = LearningRateExplorer(max_steps=40)
    mine = explorer.watch(fit_polynomial, rate=rate, steps=40)
    assert mine.reference.learning_rate == pytest.approx(rate)
    assert mine.findings[0].name == "agrees"
    assert explorer.lanes.own.layout.display is None
    explorer.close()


def test_a_loop_on_other_parameters_is_told_and_not_drawn(surface):
    def other():
        w = torch.ones(3, requires_grad=True)
        for _ in range(5):
            (w**2).sum().backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = None

    surface.watch(other)
    assert surface.own_lane is None
    surface.unfold("Your own loop")
    assert "not drawn" in surface.fold.text.value


def test_another_surface_hides_the_lane_and_the_old_one_shows_it_again(surface):
    surface.watch(right)
    surface.surface = "saddle"
    assert surface.own_lane is None
    surface.surface = "himmelblau"
    assert surface.own_lane == 1


def test_a_loop_longer_than_the_run_is_cut_and_said_so(surface):
    mine = surface.watch(right, 50)
    assert surface.all_lanes.last_step[1] == STEPS
    assert mine.findings[0].name == "other_length"
    assert surface.step == STEPS
    surface.unfold("Your own loop")
    assert "max_steps" in surface.fold.text.value


def test_its_start_is_no_handle_for_the_reference(surface):
    surface.watch(lambda: optimize_himmelblau(-2.0, 3.0, steps=STEPS))
    surface.drag(surface.own_lane, (0.0, 0.0))
    assert surface.start == (1.0, 1.0)
    assert surface.problem == ""


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_a_loop_of_micro_batches_is_beside_the_run_of_its_kind(parts):
    """One step of the picture is a backward pass of a fourth of the batch, whatever the loop's."""
    explorer = AccumulationComparer(micro_batches=4, max_steps=24)
    mine = explorer.watch(micro_batched, parts, 6)
    assert mine.findings[0].name == "agrees", mine.report()
    title = "in 4 micro-batches" if parts > 1 else "the whole batch at once"
    assert title in mine.findings[0].sentence
    lanes, own = explorer.all_lanes, explorer.own_lane
    assert explorer.problem == ""
    assert lanes.last_step[own] == explorer.step == 24
    assert np.allclose(lanes.params[::4, own], lanes.params[::4, 1], atol=1e-6)
    batch = explorer.problem_descended.objective
    assert np.array_equal(lanes.loss[:, own], batch.batch_loss(lanes.params[:, own]))
    explorer.close()


def test_the_cursor_stands_at_the_pass_of_a_mistaken_micro_batch():
    def late(k):
        return 1.0 if k < 8 else 4.0

    explorer = AccumulationComparer(micro_batches=4, max_steps=24)
    mine = explorer.watch(micro_batched, 4, 6, late)
    assert mine.findings[0].name == "other_loss", mine.report()
    assert mine.findings[0].step == explorer.step == 8
    explorer.micro_batches = None
    assert explorer.own_lane is None
    explorer.max_steps = 3
    explorer.micro_batches = 4
    assert explorer.watch(micro_batched, 4, 1).reference is None  # three passes make no update
    assert explorer.problem == ""
    explorer.close()


def micro_batched(parts, updates, factor=lambda k: 1.0):
    """The batch of the comparer in equal parts, each with its share of the mean."""
    x, y = training_pairs(8)
    a, b = (torch.tensor(0.5, requires_grad=True) for _ in range(2))
    for k in range(parts * updates):
        xs, ys = x.chunk(parts)[k % parts], y.chunk(parts)[k % parts]
        (factor(k) * (a * xs + b - ys).square().mean() / parts).backward()
        if k % parts == parts - 1:
            with torch.no_grad():
                a -= 0.1 * a.grad
                b -= 0.1 * b.grad
            a.grad = b.grad = None


def test_named_tensors_and_bad_arguments(surface):
    u = torch.tensor(1.0, requires_grad=True)
    v = torch.tensor(1.0, requires_grad=True)
    pair = [v, u]
    with surface.watch(u=u, v=v) as mine:
        for _ in range(5):
            himmelblau(pair[1], pair[0]).backward()
            with torch.no_grad():
                for one in pair:
                    one.sub_(5e-4 * one.grad)
                    one.grad = None
    assert mine.names == ("u", "v")
    with pytest.raises(ValueError, match="u must be a tensor"):
        surface.watch(u=3)
    with pytest.raises(ValueError, match="hints"):
        surface.watch(hints=7)
    with pytest.raises(ValueError, match="function must be callable"):
        surface.watch(3)


def test_records_by_hand_are_drawn_too(surface, clock):
    u = v = 1.0
    with surface.watch() as mine:
        for _ in range(50):
            clock.now += 1.0
            du = 4 * u * (u * u + v - 11) + 2 * (u + v * v - 7)
            dv = 2 * (u * u + v - 11) + 4 * v * (u + v * v - 7)
            loss = (u * u + v - 11) ** 2 + (u + v * v - 7) ** 2
            mine.record(loss, gradient=(du, dv), u=u, v=v)
            u -= 5e-4 * du
            v -= 5e-4 * dv
    assert len(mine.loss) == 50
    assert len(mine.records) == 1
    assert surface.own_lane == 1


def test_a_closed_explorer_is_left_alone():
    explorer = HimmelblauExplorer()
    with explorer.watch() as mine:
        right(10)
        explorer.close()
        right(10)
    assert len(mine.loss) == 10


def test_while_the_loop_runs_the_fold_and_the_numbers_are_those_of_now(clock):
    """The row of the loop stands beside its own numbers, not beside those of another."""
    explorer = LearningRateExplorer(learning_rates=(0.1, 0.01), max_steps=40)
    explorer.unfold("Your own loop")
    drawn = 0
    with explorer.watch() as mine:
        assert "Your loop is running" in explorer.fold.text.value
        p = [torch.tensor(x, requires_grad=True) for x in explorer.descent.start[0].tolist()]
        x, y = training_pairs()
        for _ in range(20):
            clock.now += 1.0
            loss = (p[0] + p[1] * x + p[2] * x**2 - y).pow(2).sum()
            loss.backward()
            if explorer.own_lane is not None:
                rows = explorer.lanes.table.value.split("<tr>")[2:]
                assert len(rows) == 4  # two rates, the loop, the closed form
                assert f"{mine.params[explorer.step, 0]:.4f}" in rows[2]
                drawn = explorer.step
            assert explorer._own_buttons[1].layout.display == "none"
            with torch.no_grad():
                for one in p:
                    one.sub_(1e-3 * one.grad)
                    one.grad = None
    assert drawn > 5
    explorer.close()


def test_the_report_says_which_step_of_the_picture_is_its_own(surface):
    def stale(steps=STEPS):
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for k in range(steps):
            himmelblau(u, v).backward()
            with torch.no_grad():
                u -= 5e-4 * u.grad
                v -= 5e-4 * v.grad
            if k < 25:
                u.grad = v.grad = None

    surface.watch(stale)
    surface.unfold("Your own loop")
    assert surface.step == 26
    assert "its step 27 is 26 in the picture" in surface.fold.text.value
    assert "step 27" in surface.own_loop.report()
    assert "step 26" in surface.sentence_text  # beside the counter, which says 26
    assert "step 27" not in surface.sentence_text
    surface.watch(right)
    assert "in the picture and in the table" not in surface.fold.text.value


@pytest.mark.parametrize("race", [False, True])
def test_one_step_has_one_number_in_the_picture_and_a_note_where_the_report_has_another(race):
    """Also where the first thing found is no step, or lies beyond what can be drawn."""
    explorer = HimmelblauExplorer(race=race)

    def too_fast():
        u, v = (torch.tensor(1.0, requires_grad=True) for _ in range(2))
        for _ in range(300):
            himmelblau(u, v).backward()
            with torch.no_grad():
                u -= 0.1 * u.grad
                v -= 0.1 * v.grad
            u.grad = v.grad = None

    explorer.watch(too_fast)
    explorer.unfold("Your own loop")
    report = explorer.own_loop.report()
    lost = int(re.search(r"at step (\d+) its numbers are inf", report)[1])
    assert f"its step {lost} is {lost - 1} in the picture" in explorer.fold.text.value
    shown = re.search(r"at step (\d+) its numbers are inf", explorer.sentence_text)
    assert shown is None or int(shown[1]) == lost - 1
    assert bool(shown) == race  # alone, its learning rate is the first thing found
    explorer.close()
