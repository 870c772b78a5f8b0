"""TrainingExplorer and watch(): the norms are torch's, whatever the loop trains."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import gdwidgets.core.watching.watch as watching
from gdwidgets import TrainingExplorer, watch
from gdwidgets.explorers.training import text as words
from gdwidgets.explorers.training.norms import Norms

X = torch.linspace(-1, 1, 64)[:, None].repeat(1, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0])
Y = X.sum(1, keepdim=True) ** 2


def network(layers=2, width=8):
    torch.manual_seed(0)
    parts = [torch.nn.Linear(4, width), torch.nn.Sigmoid()]
    for _ in range(layers - 1):
        parts += [torch.nn.Linear(width, width), torch.nn.Sigmoid()]
    return torch.nn.Sequential(*parts, torch.nn.Linear(width, 1))


def train(model, epochs=5, kept=None, tick=lambda: None):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(epochs):
        for x, y in DataLoader(TensorDataset(X, Y), batch_size=16):
            tick()
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            before = [p.detach().clone() for p in model.parameters()]
            optimizer.step()
            if kept is not None:
                grads = [float(p.grad.norm()) for p in model.parameters()]
                moved = [
                    float((p.detach() - b).norm())
                    for p, b in zip(model.parameters(), before, strict=True)
                ]
                kept.append((loss.item(), grads, moved))
    return [p.detach().clone() for p in model.parameters()]


@pytest.fixture
def explorer():
    made = TrainingExplorer()
    yield made
    made.close()


def test_norms_are_those_of_the_loop(explorer):
    kept = []
    model = network()
    explorer.watch(train, model, kept=kept)
    norms = explorer.norms
    every = range(len(norms.names))
    assert norms.names == tuple(name for name, _ in model.named_parameters())
    assert norms.loss == pytest.approx([loss for loss, _, _ in kept])
    assert norms.of("gradient", every) == pytest.approx(np.array([g for _, g, _ in kept]), rel=1e-5)
    assert norms.of("update", every) == pytest.approx(
        np.array([m for _, _, m in kept]), rel=1e-4, abs=1e-7
    )
    assert norms.of("ratio", every) == pytest.approx(
        np.array([np.array(m) / np.array(g) for _, g, m in kept]), rel=1e-3, abs=1e-6
    )
    assert norms.numbers == sum(p.numel() for p in model.parameters())


def test_the_loop_s_numbers_are_the_same(explorer):
    alone = train(network())
    mine = explorer.watch(train, network())
    assert all(torch.equal(one, other) for one, other in zip(alone, mine.result, strict=True))


def test_an_empty_explorer_names_its_own_watch_and_no_other_that_opens_another(explorer):
    """What it says to do, done with the name it uses, fills this explorer."""
    explorer.unfold("Your own loop")
    code = re.search("<code>(with .+? as mine:)</code>", explorer.status.value)[1]
    assert code == "with explorer.watch() as mine:"
    assert "`" not in explorer.sentence_text
    assert code in explorer.sentence_text
    assert code in explorer.fold.text.value
    assert "watch()" not in explorer.fold.text.value.replace("explorer.watch()", "")
    names = {"explorer": explorer, "train": train, "model": network()}
    exec(f"{code}\n    train(model)", names)
    assert explorer.end == 19


def test_one_record_is_the_end_and_counted_as_such(explorer):
    weight = torch.ones(2, requires_grad=True)
    with explorer.watch():
        (weight**2).sum().backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
    assert explorer.end == 0
    assert "Step 0, the end" in explorer.sentence_text
    assert "<b>0</b> of 0<" in explorer.transport.counter.value


def test_it_grows_while_the_loop_runs(explorer, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watching, "perf_counter", lambda: now[0])
    seen = []

    def tick():
        now[0] += 1.0
        seen.append(explorer.step)

    explorer.watch(train, network(), tick=tick)
    assert seen[2:] == list(range(1, 19))
    assert explorer.step == 19


def test_it_steps_plays_and_tells(explorer):
    explorer.watch(train, network())
    assert explorer.step == explorer.max_steps == 19
    assert explorer.sentence_text.startswith("Step 19, the end: loss = ")
    explorer.seek(3)
    assert explorer.sentence_text.startswith("Step 3: loss = ")
    explorer.unfold("Tensors")
    assert "0.weight" in explorer.fold.text.value
    explorer.unfold("Your own loop")
    assert "recorded" in explorer.fold.text.value
    explorer.reset()
    explorer.play()
    assert explorer.step == 19
    assert explorer.problem == ""


def careless(model, cleared=7, steps=20):
    """A loop that clears its gradients in the first steps only."""
    for k in range(steps):
        torch.nn.functional.mse_loss(model(X), Y).backward()
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(0.01 * p.grad)
                if k < cleared:
                    p.grad = None


@pytest.mark.parametrize(("hints", "at"), [(True, 8), (2, 8), (1, 8), (False, 19)])
def test_the_cursor_goes_to_the_first_mistake_if_it_is_told(explorer, hints, at):
    torch.manual_seed(0)
    mine = explorer.watch(careless, torch.nn.Linear(4, 1), hints=hints)
    assert mine.findings[0].step == 8  # its gradient is the sum of two
    assert explorer.step == at
    told = ".grad is only sometimes cleared"
    assert (told in explorer.sentence_text) == (hints is True or hints == 2)
    explorer.run()
    assert explorer.step == 19
    assert explorer.sentence_text.startswith("Step 19, the end: loss = ")
    explorer.watch(train, network())
    assert explorer.step == 19
    assert explorer.sentence_text.startswith("Step 19, the end: loss = ")


@pytest.mark.parametrize("kind", ["gradient", "update", "ratio"])
def test_what_is_shown_is_a_setting(explorer, kind):
    explorer.watch(train, network())
    explorer.shown = kind
    assert explorer.norm_plot.title == words.TITLES[kind]
    drawn = explorer.norm_plot._read()
    assert np.array_equal(drawn, explorer.norms.of(kind, range(6)))
    assert np.isfinite(drawn).all()


def test_more_than_eight_tensors_are_paged(explorer):
    explorer.watch(train, network(layers=6))
    assert explorer.norm_plot._names == list(explorer.norms.names[:8])
    explorer.turn_page(1)
    assert explorer.norm_plot._names == list(explorer.norms.names[8:])
    explorer.turn_page(1)
    assert explorer.first == 8
    explorer.turn_page(-1)
    assert explorer.first == 0
    explorer.turn_page(1)
    explorer.watch(train, network())
    assert explorer.first == 0
    assert explorer.problem == ""


def test_vanishing_gradients_are_named():
    """The chain rule multiplies by σ' ≤ 1/4 in every layer."""
    mine = watch(train, network(layers=8))
    explorer = mine.stage
    assert isinstance(explorer, TrainingExplorer)
    grads = explorer.norms.of("gradient", range(18))[-1]
    assert grads.max() / grads.min() > 1e4
    assert "times as large" in explorer.sentence_text
    assert explorer.norms.names[int(grads.argmin())] in explorer.sentence_text
    explorer.close()


def test_a_sentence_judges_no_gradients_that_are_all_small():
    """Of alike sizes it says how alike they are; that they do not vanish it cannot know."""
    said = words.sentence(20, 1.0, ["first", "last"], np.array([2.0e-7, 1.7e-5]), last=49)
    assert said.endswith("Gradients go from 2·10⁻⁷ (first) to 1.7·10⁻⁵ (last): 85 times as large.")


def test_tensors_with_long_names_are_told_apart_at_their_curves_and_in_the_sentence(explorer):
    torch.manual_seed(0)
    model = torch.nn.Module()
    block = model.transformer_encoder_block = torch.nn.Module()
    block.self_attention = torch.nn.MultiheadAttention(8, 2)
    block.feed_forward = torch.nn.Linear(8, 8)
    x = torch.randn(5, 4, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with explorer.watch():
        for _ in range(5):
            loss = (block.feed_forward(block.self_attention(x, x, x)[0]) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    names = explorer.norm_plot.names.text.tolist()
    assert len(set(names)) == 6
    assert not any("transformer" in name for name in names)
    assert any(name.endswith(" …in_proj_weight") for name in names)
    said = explorer.sentence_text
    assert "transformer" not in said
    assert len(said) < 190  # two lines
    explorer.unfold("Tensors")
    table = explorer.fold.text.value
    assert "transformer_encoder_block.self_attention.in_proj_weight" in table


def test_a_tensor_without_a_gradient_is_named(explorer):
    def dead():
        w = torch.tensor([1.0, -1.0], requires_grad=True)
        b = torch.tensor(-5.0, requires_grad=True)
        for _ in range(3):
            (torch.relu(b) + (w**2).sum()).backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
            w.grad = b.grad = None

    explorer.watch(dead)
    assert "No gradient reaches b" in explorer.sentence_text


def test_nothing_is_shown_before_a_loop(explorer):
    assert explorer.sentence_text.startswith("No loop has been watched yet")
    assert explorer.step == 0
    explorer.play()
    explorer.step_forward()
    assert explorer.step == 0
    assert explorer.problem == ""
    assert list(explorer.to_dataframe().columns) == [
        "step",
        "tensor",
        "loss",
        *("gradient",),
        "update",
        "ratio",
    ]
    explorer.watch(lambda: None)
    assert explorer.own_loop.findings[0].name == "nothing_recorded"
    assert explorer.problem == ""


def test_an_exception_passes_through(explorer):
    def stop():
        stop.left -= 1
        if not stop.left:
            raise RuntimeError("out of data")

    stop.left = 8
    with pytest.raises(RuntimeError, match="out of data"):
        explorer.watch(train, network(), tick=stop)
    assert explorer.norms.last == 6
    assert explorer.step == 6


def test_it_can_be_forgotten_and_used_again(explorer):
    explorer.watch(train, network())
    explorer.forget_own_loop()
    assert explorer.norms.empty
    assert explorer.step == 0
    explorer.watch(train, network())
    assert explorer.step == 19


def test_the_data_frame_has_a_row_for_each_tensor_and_step(explorer):
    explorer.watch(train, network())
    frame = explorer.to_dataframe()
    assert len(frame) == 6 * 20
    assert explorer.picture("png").startswith(b"\x89PNG")


def test_a_loop_that_diverges_says_so(explorer):
    def blow_up():
        w = torch.tensor(1.0, requires_grad=True)
        for _ in range(400):
            (w**4).backward()
            with torch.no_grad():
                w -= 1.0 * w.grad
            w.grad = None

    explorer.watch(blow_up)
    assert not np.isfinite(explorer.norms.loss[explorer.step])
    assert np.isfinite(explorer.norms.loss[: explorer.step]).all()
    assert f"diverges: at step {explorer.step}" in explorer.sentence_text
    explorer.run()
    assert "diverged" in explorer.sentence_text
    assert explorer.problem == ""


def test_long_loops_are_bounded(explorer, monkeypatch):
    """Dropped records repeat the one before them."""
    monkeypatch.setattr("gdwidgets.core.watching.tape.MOST_NUMBERS", 1000)
    w = torch.tensor(1.0, requires_grad=True)
    with explorer.watch() as mine:
        for _ in range(12_000):
            (w**2).backward()
            with torch.no_grad():
                w -= 1e-4 * w.grad
            w.grad = None
    assert mine.thinned
    norms = Norms(mine)
    assert norms.last == 11_999
    assert len(norms.loss) == 12_000
    wanted = (1 - 2e-4) ** (2 * np.arange(12_000))
    assert norms.loss == pytest.approx(wanted, rel=0.05)
    assert norms.loss[[0, -1]] == pytest.approx(wanted[[0, -1]], rel=1e-4)
