"""The clock: it keeps its speed, waits for the browser and stops at the end."""

from __future__ import annotations

import asyncio
import itertools
import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ipywidgets import Button, IntSlider, VBox

from browserless import send
from gdwidgets.ui.playback import frame_gate
from gdwidgets.ui.playback.frame_gate import MOST_IN_FLIGHT, SILENCE, WIDEST, FrameGate
from gdwidgets.ui.playback.main_loop import MainLoop
from gdwidgets.ui.playback.player import FRAME, MOST_DUE, Player
from gdwidgets.ui.playback.rest import LONGEST, REST, Rest


class Time:
    """A clock that a test moves by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Run:
    """A host that computes ``pace`` steps in a slice and draws by counting."""

    def __init__(self, end=1000, speed=30.0, pace=10**9):
        self.step, self.end, self.speed, self.reach = 0, end, speed, pace
        self.playing, self.recorded, self.lost = True, 0, False
        self.hidden = False

    @property
    def pace(self):
        return self.speed

    @property
    def computed(self):
        return self.recorded

    def compute(self, k, budget):
        self.recorded = max(self.recorded, min(k, self.recorded + self.reach))
        return min(k, self.recorded)

    def page_lost(self):
        self.lost = True
        self.playing = False


def playing(**settings):
    time = Time()
    run, gate = Run(**settings), FrameGate(time)
    player = Player(run, gate, time)
    player.start()
    return time, run, gate, player


def pass_time(time, run, player, seconds, gate=None):
    """Let time pass as the task would; with a gate, answer as a page that draws at once."""
    until = time.now + seconds
    while time.now < until and run.playing:
        step = run.step
        wait = player.tick()
        if gate is not None and run.step != step:
            frame(gate)
            gate.seen.value = gate.sent.value
        time.now += max(wait, 0.001)


@pytest.mark.parametrize("speed", [1.0, 7.5, 30.0, 250.0])
def test_the_cursor_moves_at_the_speed_that_is_set(speed):
    time, run, _, player = playing(end=10**6, speed=speed)
    pass_time(time, run, player, 10)
    assert run.step == pytest.approx(10 * speed, abs=2 + speed * FRAME)
    player.stop()


def test_play_is_answered_within_the_first_frame():
    _, run, _, player = playing(speed=1.0)
    player.tick()
    assert run.step == 1
    player.stop()


def test_as_fast_as_it_can_shows_frames_while_it_computes():
    time, run, _, player = playing(end=10**5, speed=math.inf, pace=100)
    seen = set()
    while run.playing:
        time.now += 0.010
        player.tick()
        seen.add(run.step)
    assert run.step == run.end
    assert len(seen) > 100
    player.stop()


def test_what_is_recorded_ahead_costs_few_calls_and_tells_no_error_early():
    class Breaking(Run):
        calls = 0

        def compute(self, k, budget):
            self.calls += 1
            self.recorded = max(self.recorded, min(k, 200))
            if k > 200:
                raise ArithmeticError("step 201")
            return k

    time, run = Time(), Breaking(speed=30.0)
    player = Player(run, FrameGate(time), time)
    player.start()
    with pytest.raises(ArithmeticError):
        pass_time(time, run, player, 100)
    assert run.step == 200
    assert run.calls < 200 / 10
    player.stop()


def test_a_kernel_that_was_busy_does_not_make_the_picture_jump():
    time, run, _, player = playing(end=10**6, speed=100.0)
    player.tick()
    before = run.step
    time.now += 60
    player.tick()
    assert run.step - before <= 100 * MOST_DUE
    player.stop()


def frame(gate):
    """End a frame as an explorer at play does."""
    if gate.due:
        gate.stamp()
    else:
        gate.count()


def answered(gate, time, after=0.01):
    """Have a page that answers after some seconds acknowledge all that was sent."""
    time.now += after
    gate.seen.value = gate.sent.value


def test_a_page_that_keeps_up_is_asked_for_an_answer_every_third_frame():
    time, run, gate, player = playing(speed=1000.0, end=10**6)
    for _ in range(5):  # and is trusted with more
        gate.stamp()
        answered(gate, time)
    frames, asked = 0, gate.sent.value
    for _ in range(900):
        step = run.step
        player.tick()
        if run.step != step:
            frame(gate)
            frames += 1
        time.now += FRAME / 3
        gate.seen.value = gate.sent.value
    assert frames == pytest.approx(300, abs=10)
    assert gate.sent.value - asked == pytest.approx(frames / 3, abs=5)
    player.stop()


def test_a_step_every_tenth_of_a_second_is_asked_for_every_time():
    time, run, gate, player = playing(speed=9.0)
    gate.heard = True
    for _ in range(5):
        gate.stamp()
        answered(gate, time)
    before = gate.sent.value
    pass_time(time, run, player, 3, gate)
    assert gate.sent.value - before == pytest.approx(run.step, abs=3)
    player.stop()


@given(
    st.lists(st.tuples(st.sampled_from(["frame", "answer", "begin"]), st.floats(0, 1)), max_size=60)
)
def test_whatever_was_sent_one_answer_opens_the_gate(events):
    time = Time()
    gate = FrameGate(time)
    gate.stamp()
    answered(gate, time)
    for event, after in events:
        time.now += after
        if event == "frame" and gate.open:
            frame(gate)
        elif event == "answer":
            answered(gate, time)
        elif event == "begin":
            gate.begin()
    answered(gate, time)
    assert gate.open
    assert gate.in_flight <= WIDEST - 1  # those that a later answer is for


def test_at_most_five_frames_are_in_flight():
    time, run, gate, player = playing(speed=1000.0, end=10**6)
    for _ in range(5):  # a page that keeps up is trusted with more
        gate.stamp()
        answered(gate, time)
    frames = 0
    for _ in range(200):
        step = run.step
        player.tick()
        if run.step != step:
            frame(gate)
            frames += 1
        time.now += FRAME
    assert frames == MOST_IN_FLIGHT
    player.stop()


@pytest.mark.parametrize(
    ("delay", "service", "fewest", "most"),
    [(0.15, 0.005, 4, 5), (0.005, 0.2, 1, 1), (0.005, 0.05, 1, 1), (0.01, 0.01, 2, 5)],
    ids=["a distant server", "a slow page", "a page not quite as fast", "a page beside the kernel"],
)
def test_the_window_follows_the_measured_round_trip(delay, service, fewest, most):
    """A page handles one frame after another; a network has room for all of them at once."""
    time = Time()
    gate = FrameGate(time)
    gate.stamp()
    time.now += delay + service
    gate.seen.value = 1
    due = []
    seen = []
    free = time.now
    for _ in range(4000):
        time.now += 0.004
        while due and due[0][0] <= time.now:
            gate.seen.value = due.pop(0)[1]
        if gate.open:
            frame(gate)
            free = max(time.now + delay, free) + service
            due.append((free, gate.sent.value))
        seen.append(gate.in_flight)
    assert max(seen[500:]) <= MOST_IN_FLIGHT
    assert fewest <= round(sum(seen[500:]) / len(seen[500:])) <= most


@given(late=st.lists(st.sampled_from([0.0, 0.0, 0.04, 0.08]), min_size=20, max_size=40))
def test_answers_that_are_late_for_another_reason_cost_no_frames(late):
    """A proxy may hold single answers back; the page draws as fast as ever."""
    time, run, gate, player = playing(speed=1000.0, end=10**6)
    gate.stamp()
    answered(gate, time)
    due, frames, count = [], 0, itertools.cycle(late)
    for tick in range(5000):
        time.now += 0.004
        while due and due[0][0] <= time.now:
            gate.seen.value = due.pop(0)[1]
        step, asked = run.step, gate.sent.value
        player.tick()
        if run.step != step:
            frame(gate)
            frames += tick >= 1000
            if gate.sent.value != asked:
                # In order: one that is held back holds up those behind it.
                after = max(time.now + 0.005 + next(count), due[-1][0] if due else 0.0)
                due.append((after, gate.sent.value))
    player.stop()
    assert frames >= 0.85 * 4000 * 0.004 / FRAME


def test_the_scrubber_is_a_frames_number_where_the_step_has_moved():
    slider = IntSlider(0, 0, 100)
    gate = FrameGate(scrubber=slider)
    gate.stamp(0)
    assert gate.sent.value == 1
    slider.value = 7
    gate.stamp(7)
    assert (gate.sent.value, gate.in_flight) == (1, 2)
    gate.seen_step.value = 7
    assert gate.in_flight == 0
    gate.seen_step.value = 50  # somebody drags the scrubber
    assert gate.in_flight == 0
    gate.stamp(8)
    gate.stamp(9)
    gate.stamp(9)
    gate.seen.value = gate.sent.value  # merged on the way: the last answers for all
    assert gate.in_flight == 0


def test_the_clock_runs_free_where_no_browser_ever_answered():
    time, run, gate, player = playing(speed=30.0)
    for _ in range(30):
        player.tick()
        gate.stamp()
        time.now += FRAME
    assert gate.open
    assert run.step > 25
    player.stop()


def test_a_page_that_falls_silent_is_taken_for_gone_after_ten_seconds():
    time, run, gate, player = playing(speed=30.0, end=10**6)
    gate.stamp()
    gate.seen.value = gate.sent.value
    for _ in range(MOST_IN_FLIGHT):
        gate.stamp()
    time.now += SILENCE - 1
    player.tick()
    assert run.playing
    time.now += 2
    player.tick()
    assert run.lost
    player.stop()


def test_what_no_page_shows_waits_and_stops_after_ten_seconds():
    time, run, _, player = playing(speed=30.0, end=10**6)
    other = playing(speed=30.0)[3]
    third = playing(speed=30.0)[3]
    run.hidden = True
    pass_time(time, run, player, SILENCE - 1)
    assert (run.step, run.playing) == (0, True)
    assert other.period == FRAME  # nobody is slowed by it
    run.hidden = False
    pass_time(time, run, player, 1)
    assert run.step == pytest.approx(30, abs=2)
    run.hidden = True
    pass_time(time, run, player, SILENCE + 1)
    assert run.lost
    for one in (player, other, third):
        one.stop()


def test_a_page_with_nothing_to_answer_is_never_taken_for_gone():
    time, run, gate, player = playing(speed=30.0)
    gate.stamp()
    gate.seen.value = gate.sent.value
    time.now += 1000
    player.tick()
    assert run.playing
    gate.stamp()
    player.tick()
    assert not run.lost
    player.stop()


def test_explorers_at_play_share_the_frame_rate():
    players = [playing()[3] for _ in range(4)]
    assert players[0].period == pytest.approx(2 * FRAME)
    for player in players:
        player.stop()
    assert players[0].period == FRAME


@given(st.integers(1, 500), st.sampled_from([1.0, 30.0, 1e4, math.inf]), st.integers(1, 100))
def test_a_run_ends_exactly_at_its_end_and_stops(end, speed, pace):
    time, run, _, player = playing(end=end, speed=speed, pace=pace)
    for _ in range(10**6):
        if not run.playing:
            break
        player.tick()
        time.now += 0.05
    assert run.step == end
    player.stop()


class Clockwork(RuleBasedStateMachine):
    """Whatever happens, the cursor stays in the run and never goes back by itself."""

    def __init__(self):
        super().__init__()
        self.time, self.run_, self.gate, self.player = playing(end=400, pace=37)
        self.last = 0

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds):
        self.time.now += seconds

    @precondition(lambda self: self.run_.playing)
    @rule()
    def tick(self):
        before = self.run_.step
        assert 0.0 <= self.player.tick() <= self.player.period + 1e-6
        if self.run_.step != before:
            assert self.gate.open
            frame(self.gate)

    @rule()
    def answer(self):
        self.gate.seen.value = self.gate.sent.value

    @rule(speed=st.sampled_from([1.0, 30.0, 5000.0, math.inf]))
    def hurry(self, speed):
        self.run_.speed = speed

    @invariant()
    def stays_in_the_run(self):
        assert self.last <= self.run_.step <= self.run_.end
        self.last = self.run_.step

    @invariant()
    def never_too_many_frames(self):
        assert not self.gate.heard or self.gate.in_flight <= max(MOST_IN_FLIGHT, self.unheard)

    @property
    def unheard(self):
        return MOST_IN_FLIGHT

    def teardown(self):
        self.player.stop()


TestClockwork = Clockwork.TestCase


def test_a_task_that_fails_is_reported_and_not_lost():
    problems = []

    async def main():
        loop = MainLoop(problems.append)

        async def fail():
            raise ArithmeticError("seen")

        loop.start(fail())
        await asyncio.sleep(0.01)
        assert not loop._tasks

    asyncio.run(main())
    assert [str(problem) for problem in problems] == ["seen"]


def test_play_pause_play_in_a_moment_leaves_one_task():
    async def main():
        run, gate = Run(end=10**6), FrameGate()
        player = Player(run, gate)
        tasks = []
        for _ in range(5):
            run.playing = True
            player.start()
            tasks.append(asyncio.create_task(player.run()))
            await asyncio.sleep(0)
            run.playing = False
        run.playing = True
        await asyncio.sleep(0.1)
        assert [task.done() for task in tasks] == [True] * 4 + [False]
        run.playing = False
        await tasks[-1]
        player.stop()

    asyncio.run(main())


def test_handlers_from_other_threads_run_on_the_owner_thread_in_order():
    import threading

    async def main():
        loop = MainLoop(lambda error: None)
        order = []

        def handler(i):
            order.append((i, threading.current_thread() is threading.main_thread()))

        thread = threading.Thread(target=lambda: [loop.call(handler, i) for i in range(50)])
        thread.start()
        thread.join()
        assert order == []
        await asyncio.sleep(0.01)
        assert order == [(i, True) for i in range(50)]

    asyncio.run(main())


@given(
    sent=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 99)),
            st.tuples(st.just("click"), st.just(0)),
            st.tuples(st.just("pause"), st.just(0)),
        ),
        max_size=25,
    )
)
def test_of_waiting_values_the_newest_counts_and_a_click_sees_all_that_came_before(sent):
    async def main():
        loop = MainLoop(lambda error: None)
        sliders = {"a": IntSlider(), "b": IntSlider()}
        button = Button()
        seen, handled = [], []
        for slider in sliders.values():
            slider.observe(lambda change: handled.append(change["new"]), "value")
        button.on_click(lambda _: seen.append([slider.value for slider in sliders.values()]))
        loop.adopt(VBox([*sliders.values(), button]))
        host = SimpleNamespace(_loop=loop)
        present, wanted, values = {"a": 0, "b": 0}, [], 0
        for what, value in sent:
            if what == "click":
                wanted.append(list(present.values()))
                send(host, (button, None, {"event": "click"}))
            elif what == "pause":
                await asyncio.sleep(0)
            else:
                values += value != present[what]
                present[what] = value
                send(host, (sliders[what], {"value": value}, None))
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen == wanted
        assert [slider.value for slider in sliders.values()] == list(present.values())
        assert len(handled) <= values

    asyncio.run(main())


def test_while_a_value_is_handled_only_the_newest_of_those_that_come_waits():
    async def main():
        loop = MainLoop(lambda error: None)
        slider, handled = IntSlider(), []
        slider.observe(lambda change: handled.append(change["new"]), "value")
        loop.adopt(slider)
        host = SimpleNamespace(_loop=loop)
        for value in (1, 2, 3, 4):
            send(host, (slider, {"value": value}, None))
        await asyncio.sleep(0.01)
        assert handled == [4]

    asyncio.run(main())


def test_the_gate_needs_no_javascript_of_our_own():
    gate = FrameGate()
    assert gate.links[0].source == (gate.sent, "value")
    assert gate.links[0].target == (gate.seen, "value")
    assert frame_gate.MOST_IN_FLIGHT == 5


def test_a_hand_rests_once_nothing_is_on_its_way_and_nothing_changes():
    time, busy = Time(), [True]
    rest = Rest(lambda: busy[0], lambda: None, time)
    rest.begin(MainLoop(lambda error: None))
    time.now += REST * 2
    assert not rest.over
    busy[0] = False
    assert not rest.over
    time.now += 1.01 * REST
    assert rest.over
    rest.begin(MainLoop(lambda error: None))
    assert not rest.over
    busy[0] = True
    time.now += LONGEST
    assert rest.over  # the page never answered


def test_changes_by_hand_are_followed_by_one_rest():
    rested = []

    async def main():
        loop = MainLoop(lambda error: None)
        rest = Rest(lambda: False, lambda: rested.append(1))
        for _ in range(5):
            rest.begin(loop)
            await asyncio.sleep(REST / 3)
        assert rested == []
        await asyncio.sleep(2 * REST)
        assert rested == [1]
        rest.begin(loop)
        rest.stop()
        await asyncio.sleep(2 * REST)
        assert rested == [1]

    asyncio.run(main())
