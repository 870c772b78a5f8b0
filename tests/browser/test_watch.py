"""A learner's own loop in a real JupyterLab: seen while its cell runs, read, forgotten."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

CELL = "from gdwidgets import HimmelblauExplorer\nex = HimmelblauExplorer(max_steps=1000)\nex"

# However slow the machine, a loop goes on until it has been drawn a few times.
LOOP = """
import time, torch
pause, drawn = 0.015, set()
with ex.watch() as mine:
    u = torch.tensor(1.0, requires_grad=True); v = torch.tensor(1.0, requires_grad=True)
    for k in range(1000):
        if k >= 300 and (len(drawn) > 6 or not pause):
            break
        drawn.add(ex.step)
        loss = (u**2 + v - 11)**2 + (u + v**2 - 7)**2
        loss.backward()
        with torch.no_grad():
            u -= 5e-4 * u.grad; v -= 5e-4 * v.grad
            if k < 100:
                u.grad = v.grad = None
        time.sleep(pause)
print(mine.report())
"""

NETWORK = """
import time, torch
from gdwidgets import watch
torch.manual_seed(0)
model = torch.nn.Sequential(
    *(part for _ in range(5) for part in (torch.nn.Linear(8, 8), torch.nn.Sigmoid()))
)
optimizer = torch.optim.Adam(model.parameters())
x = torch.randn(64, 8)
drawn = set()
with watch() as mine:
    for k in range(2000):
        if k >= 150 and len(drawn) > 6:
            break
        drawn.add(mine.stage.step)
        loss = (model(x) - 1).square().mean()
        optimizer.zero_grad(); loss.backward(); optimizer.step()
        time.sleep(0.02)
"""

SEE = """root => {
    const seen = window.seen = [];
    new MutationObserver(() => {
        const said = root.querySelector(".gdw-sentence");
        const marks = [...root.querySelectorAll(".gdw-curves text")];
        const own = marks.find(text => text.textContent === "✖");
        const place = own ? own.getBoundingClientRect().x : null;
        seen.push([said ? said.textContent : "", place]);
    }).observe(root, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def steps_said(seen):
    """The steps of the sentences, in order, each once."""
    steps = [re.match(r"Your loop runs: step ([\d,]+)", said) for said, _ in seen]
    return list(dict.fromkeys(int(one[1].replace(",", "")) for one in steps if one))


@pytest.fixture
def opened(notebook):
    page = notebook.open([CELL], height=1100)
    root = page.locator(".gdwidgets").first
    expect(root.locator(".gdw-sentence")).to_be_visible()
    return root


def test_the_lane_grows_while_the_cell_runs_and_the_finding_is_read(notebook, opened):
    opened.evaluate(SEE)
    printed = notebook.run_cell(LOOP)
    seen = notebook.page.evaluate("window.seen")
    steps = steps_said(seen)
    assert len(steps) >= 3  # however busy the machine: with nothing else to do it is about 20
    assert steps == sorted(steps)
    running = [place for said, place in seen if said.startswith("Your loop runs") and place]
    assert len({round(place) for place in running}) >= 3
    assert max(running) > min(running) + 50

    found = notebook.value("mine.findings[0].step")
    assert found > 0
    assert notebook.value("mine.findings[0].sentence") in printed
    expect(opened.locator(".gdw-counter")).to_have_text(re.compile(f"{found} of 1,000"))
    expect(opened.locator(".gdw-sentence")).to_contain_text(".grad is only sometimes cleared")
    notebook.shot("watch-found")

    opened.get_by_role("button", name="Your own loop").click()
    expect(opened.locator(".gdw-fold-body")).to_contain_text(
        f"{notebook.value('len(mine.loss)'):,} steps recorded."
    )
    notebook.shot("watch-report")
    opened.get_by_role("button", name="Forget it").click()
    notebook.wait_value("ex.own_loop is None")
    expect(opened.locator(".gdw-fold-body")).to_contain_text("explorer.watch()")
    expect(opened.locator(".gdw-curves text", has_text="yours")).to_have_count(0)


OTHERS = {
    "rates": """
from gdwidgets import LearningRateExplorer
from gdwidgets.core import training_pairs
ex = LearningRateExplorer(learning_rates=(0.1, 0.01), max_steps=2000)
x, y = training_pairs()
p = [torch.tensor(one, requires_grad=True) for one in ex.descent.start[0].tolist()]
rate = 0.01
def loss_of():
    a, b, c = p
    return (a + b * x + c * x**2 - y).pow(2).mean()
ex""",
    "accumulation": """
from gdwidgets import AccumulationComparer
ex = AccumulationComparer(max_steps=2000)
p = [torch.tensor(0.5, requires_grad=True) for _ in range(2)]
rate = 0.1
def loss_of():
    a, b = p
    return (a * 1.5 + b - 2.5) ** 2
ex""",
}

UNCLEARED = """
import time
drawn = set()
with ex.watch() as mine:
    for k in range(2000):
        if k > 50 and len(drawn) > 6:
            break
        drawn.add(ex.step)
        loss_of().backward()
        with torch.no_grad():
            for one in p:
                one -= rate * one.grad
                if k < 5:
                    one.grad = None
        time.sleep(0.03)
"""


@pytest.mark.parametrize("kind", OTHERS)
def test_the_lane_grows_in_the_other_explorers_and_the_cursor_goes_where_it_starts(notebook, kind):
    page = notebook.open(["import torch" + OTHERS[kind]], height=1100)
    root = page.locator(".gdwidgets").first
    expect(root.locator(".gdw-sentence")).to_be_visible()
    root.evaluate(SEE)
    notebook.run_cell(UNCLEARED)
    seen = page.evaluate("window.seen")
    steps = steps_said(seen)
    assert len(steps) >= 3
    assert steps == sorted(steps)
    running = [place for said, place in seen if said.startswith("Your loop runs") and place]
    assert len({round(place) for place in running}) >= 3
    assert notebook.value("mine.findings[0].step") == 6
    expect(root.locator(".gdw-counter")).to_have_text(re.compile("6 of 2,000"))
    expect(root.locator(".gdw-sentence")).to_contain_text(".grad is only sometimes cleared")
    root.get_by_role("button", name="Your own loop").click()
    count = notebook.value("len(mine.loss)")
    expect(root.locator(".gdw-fold-body")).to_contain_text(f"{count:,} steps recorded.")
    notebook.shot(f"watch-{kind}")


def test_hints_come_one_by_one(notebook, opened):
    notebook.run_cell(LOOP.replace("ex.watch()", "ex.watch(hints=1)").replace("0.015", "0"))
    opened.get_by_role("button", name="Your own loop").click()
    body = opened.locator(".gdw-fold-body")
    what = notebook.value("mine.findings[0].sentence").replace("`", "")
    expect(body).not_to_contain_text(what)
    opened.get_by_role("button", name="One hint more").click()
    expect(body).to_contain_text(what)
    opened.get_by_role("button", name="One hint more").click()
    expect(opened.get_by_role("button", name="One hint more")).to_be_hidden()


def test_any_training_loop_is_shown_below_its_cell(notebook, opened):
    page = notebook.page
    page.evaluate("""() => {
        const seen = window.seen = [];
        new MutationObserver(() => {
            const said = [...document.querySelectorAll(".gdw-sentence")].pop();
            if (said) { seen.push([said.textContent, null]); }
        }).observe(document.body, {subtree: true, childList: true});
    }""")
    notebook.run_cell(NETWORK)
    assert len(steps_said(page.evaluate("window.seen"))) >= 3
    root = page.locator(".gdwidgets").nth(1)
    expect(root.locator(".gdw-sentence")).to_contain_text(
        f"Step {notebook.value('len(mine.loss)') - 1:,}, the end"
    )
    assert len(root.locator(".bqplot").all()) == 2
    root.get_by_role("button", name="next 8 ▸").click()
    expect(root.locator(".gdw-dials")).to_contain_text("9–10 of 10")
    root.get_by_role("button", name=re.compile("^Tensors")).click()
    expect(root.locator(".gdw-fold-body")).to_contain_text("8.weight")
    notebook.shot("watch-training")
