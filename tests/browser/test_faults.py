"""What goes wrong in a lesson: long cells, interrupts, restarts, reloads, tabs that come and go."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from browser.pages import FORWARD, PLAY, ExplorerPage

CELL = """from gdwidgets import SurfaceExplorer
every = globals().get("every", [])
ex = SurfaceExplorer(max_steps=50_000, future=False)
every.append(ex)
ex.play()
ex"""
COMMAND = """async command => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
    await window.jupyterapp.commands.execute(command);
}"""
RESTARTED = """async () => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    await kernel.restart();
    await kernel.info;
}"""
LEAVES_TRACES = True  # in the kernel, whose clocks it makes impatient
PLAYERS = "sum(one.playing and not one.hidden for one in every)"


@pytest.fixture(scope="module")
def page(notebook):
    return notebook.open([CELL], height=1000)


def plays(notebook):
    """See the explorer made last go on."""
    step = notebook.value("ex.step")
    notebook.wait_value(f"ex.step > {step} + 10")


def test_an_interrupt_ends_a_cell_and_not_what_plays(notebook, page):
    opened = ExplorerPage(page).ready()
    plays(notebook)
    page.evaluate(
        """() => {
            const panel = window.jupyterapp.shell.currentWidget;
            window.answered = panel.sessionContext.session.kernel.requestExecute(
                {code: "import time; time.sleep(60)", stop_on_error: false}).done;
        }"""
    )
    page.wait_for_timeout(500)
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")
    answer = page.evaluate("window.answered.then(reply => reply.content)")
    assert answer["ename"] == "KeyboardInterrupt"
    assert notebook.value("ex.playing")
    plays(notebook)
    opened.button(PLAY).click()
    notebook.wait_value("ex.playing", wanted=False)
    opened.wait_step(notebook.value("ex.step"))
    opened.button(FORWARD).click()
    opened.wait_step(notebook.value("ex.step"))
    opened.button(PLAY).click()


def test_a_long_cell_is_waited_for_and_the_clock_goes_on_without_a_jump(notebook, page):
    plays(notebook)
    notebook.run_cell("import time; before = ex.step; time.sleep(3)")
    # What is due after half a second at most is made up for; see the player's tests.
    after = notebook.value("[before, ex.step, ex.speed, ex.playing]")
    assert after[1] - after[0] < 2 * after[2]
    assert after[3]
    plays(notebook)


def test_a_cell_run_again_twenty_times_while_it_plays_leaves_one_player(notebook, page):
    for _ in range(20):
        page.evaluate(COMMAND, "notebook:run-cell")  # some before there was anything to see
    notebook.wait_value("len(every)", 21)
    notebook.wait_value("every[-1].page.shown")
    notebook.wait_value(PLAYERS, 1)
    assert notebook.value("ex is every[-1] and ex.playing")
    plays(notebook)
    # All others have stopped, not only those that somebody saw.
    notebook.wait_value("[one.playing for one in every].index(True)", 20)
    expect(page.locator(".gdwidgets")).to_have_count(1)


def test_cleared_output_stops_what_nobody_can_stop(notebook, page):
    page.evaluate(COMMAND, "notebook:clear-cell-output")
    expect(page.locator(".gdwidgets")).to_have_count(0)
    notebook.wait_value("any(one.playing for one in every)", wanted=False)
    notebook.run_cell("ex")  # it can be shown again, and goes on only by hand
    opened = ExplorerPage(page).ready()
    opened.wait_step(notebook.value("ex.step"))
    assert not notebook.value("ex.playing")
    opened.button(PLAY).click()
    plays(notebook)


def test_a_restart_leaves_a_picture_and_the_cell_makes_it_live_again(notebook, page):
    page.evaluate(RESTARTED)
    page.wait_for_timeout(500)
    expect(page.locator(".gdwidgets .bqplot").first).to_be_visible()
    page.evaluate(COMMAND, "notebook:run-cell")
    notebook.wait_value("'ex' in globals()")
    notebook.wait_value("[len(every), ex._view_count, ex.playing]", [1, 1, True])
    plays(notebook)
    # JupyterLab's own, for what the old kernel had said last.
    assert all("Comm not found for comm id" in error for error in notebook.take_errors())


def test_a_reload_of_an_unsaved_notebook_stops_the_unseen_player(notebook, page):
    page.evaluate(COMMAND, "notebook:run-cell")
    notebook.wait_value("len(every)", 2)
    notebook.wait_value("ex.page.shown")
    plays(notebook)
    page.reload()
    page.locator(".jp-CodeCell").first.wait_for()
    notebook.wait_value("ex.page.shown", wanted=False)
    step = notebook.value("ex.step")
    assert notebook.run_cell("ex.pause(); print(ex.step)").strip() == str(step)
    notebook.run_cell("ex")
    opened = ExplorerPage(page).ready()
    opened.wait_step(step)
    opened.button(PLAY).click()
    plays(notebook)
    notebook.take_errors()  # JupyterLab's own while it unloads


TABS = """from gdwidgets import SurfaceExplorer
ex = SurfaceExplorer(max_steps=50_000, future=False)
ex"""


@pytest.fixture(scope="module")
def tabs(notebook):
    """One saved notebook, open in two tabs."""
    first = notebook.open([TABS], height=1000)
    opened = ExplorerPage(first).ready()
    first.keyboard.press("Control+s")
    first.wait_for_timeout(1000)
    second = notebook._browser.new_page(viewport={"width": 1280, "height": 1000})
    second.set_default_timeout(30_000)
    second.on("pageerror", notebook._note_uncaught)
    path = first.evaluate("jupyterapp.shell.currentWidget.context.path")
    server = notebook.server
    second.goto(f"{server.url}/doc/tree/{path}?token={server.token}")
    return opened, ExplorerPage(second).ready()


def test_two_tabs_on_one_notebook_show_one_run_and_either_moves_it(notebook, tabs):
    first, second = tabs
    first.button(FORWARD).click()
    second.wait_step(1)
    second.button(FORWARD).click()
    first.wait_step(2)
    first.button(PLAY).click()
    plays(notebook)
    expect(second.counter).not_to_have_text(second.at_step(2))
    second.button(PLAY).click()
    notebook.wait_value("ex.playing", wanted=False)
    step = notebook.value("ex.step")
    first.wait_step(step)
    second.wait_step(step)
    notebook.shot("two tabs, the first")


def test_of_two_tabs_one_may_close_in_mid_play(notebook, tabs):
    first, second = tabs
    second.button(PLAY).click()
    plays(notebook)
    second.page.close()
    plays(notebook)
    assert notebook.value("ex.playing")
    notebook.take_errors()  # JupyterLab's own of a page that is being closed
    first.button(PLAY).click()
    notebook.wait_value("ex.playing", wanted=False)
    first.wait_step(notebook.value("ex.step"))


def test_a_player_whose_every_tab_has_vanished_pauses(notebook, tabs):
    first, _ = tabs
    # Ten seconds of silence, made shorter for the test.
    notebook.execute(
        "import gdwidgets.ui.playback.frame_gate as gate, gdwidgets.ui.playback.player as player\n"
        "gate.SILENCE = player.SILENCE = 2.0"
    )
    first.button(PLAY).click()
    plays(notebook)
    notebook.close_page()
    until = time.monotonic() + 20
    while notebook.value("ex.playing") and time.monotonic() < until:
        time.sleep(0.1)
    assert not notebook.value("ex.playing")
    step = notebook.value("ex.step")
    time.sleep(0.3)
    assert notebook.value("ex.step") == step
    assert notebook.value("ex.problem") == ""
