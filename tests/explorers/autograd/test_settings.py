"""AutogradExplorer: settings, messages, bad input, and whatever is pressed in any order."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets import Widget
from traitlets import TraitError

from gdwidgets import AutogradExplorer
from gdwidgets.core.autograd.presets import PRESET_NAMES
from gdwidgets.explorers.autograd.text import brief, written
from messages import recorded_messages


@pytest.fixture
def explorer():
    made = AutogradExplorer()
    yield made
    made.close()


def shown(explorer):
    """The texts in the picture, by node: value below, gradient above."""
    names = list(explorer.picture_graph.nodes)
    picture = explorer.picture
    return (
        dict(zip(names, picture.values.text, strict=True)),
        dict(zip(names, picture.gradients.text, strict=True)),
    )


# -- settings, messages, the end -------------------------------------------------------------------


def test_settings_build_an_equal_explorer():
    function = lambda x, w: (x * w).sum()  # noqa: E731
    one = AutogradExplorer(function, {"x": [1.0, 2.0], "w": 3.0}, detached=("mul",), speed=5)
    two = AutogradExplorer(**one.settings())
    assert one.table() == two.table()
    assert two.settings() == one.settings()
    one.close()
    two.close()


def test_the_given_dictionary_is_copied():
    tensors = {"x": torch.tensor([1.0, 2.0]), "w": [3.0, 4.0]}
    explorer = AutogradExplorer(lambda x, w: (x * w).sum(), tensors)
    tensors["x"].zero_()
    tensors["w"][0] = 0.0
    tensors["q"] = 1.0
    explorer.backward_calls = 2  # records anew
    assert explorer.descent.grads["w"].tolist() == [1.0, 2.0]
    assert explorer.descent.grads["x"].tolist() == [3.0, 4.0]
    assert set(explorer.tensors) == {"x", "w"}
    explorer.close()


def test_settings_of_a_preset_build_an_equal_explorer():
    one = AutogradExplorer(preset="tanh chain", layers=3, no_grad=True)
    two = AutogradExplorer(**one.settings())
    assert one.table() == two.table()
    one.close()
    two.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_frame_is_at_most_12_messages_and_16_kilobytes(name):
    explorer = AutogradExplorer(preset=name, layers=30)
    for step in range(1, explorer.max_steps + 1):
        with recorded_messages() as sent:
            explorer.step = step
        assert len(sent) <= 12
        assert sent.bytes <= 16_000
    explorer.close()


def test_close_leaves_nothing_behind():
    before = len(_alive())
    explorer = AutogradExplorer(preset="sigmoid chain")
    explorer.preset = "regression sample"
    explorer.preset = "toy neuron"
    explorer.close()
    assert len(_alive()) == before


def _alive():
    from ipywidgets.widgets.widget import _instances

    return [widget for widget in _instances.values() if isinstance(widget, Widget)]


class Walks(RuleBasedStateMachine):
    """Whatever is pressed, the screen is what the recording says at the cursor."""

    def __init__(self):
        super().__init__()
        self.explorer = AutogradExplorer()

    @rule(name=st.sampled_from(PRESET_NAMES), layers=st.integers(1, 12))
    def choose(self, name, layers):
        self.explorer.layers = layers
        self.explorer.preset = name

    @rule()
    def fail(self):
        self.explorer.controls.layers.value = 99
        assert self.explorer.problem
        self.explorer.handler(self.explorer.pause)()  # what is pressed next takes the problem away

    @rule(k=st.integers(0, 30))
    def seek(self, k):
        self.explorer.seek(min(k, self.explorer.max_steps))

    @rule(which=st.sampled_from(["no_grad", "retain_graph"]), on=st.booleans())
    def switch(self, which, on):
        setattr(self.explorer, which, on)

    @rule(calls=st.integers(1, 2))
    def call(self, calls):
        self.explorer.backward_calls = calls

    @rule(data=st.data(), on=st.booleans())
    def cut(self, data, on):
        nodes = self.explorer.descent.nodes.values()
        name = data.draw(st.sampled_from([n.name for n in nodes if n.kind == "operation"]))
        self.explorer.detach(name, on=on)

    @rule(data=st.data(), on=st.booleans())
    def track(self, data, on):
        name = data.draw(st.sampled_from(self.explorer.descent.leaves))
        self.explorer.require_grad(name, on=on)

    @rule(data=st.data())
    def click(self, data):
        self.explorer.select(data.draw(st.sampled_from(list(self.explorer.descent.nodes))))

    @invariant()
    def the_screen_is_the_recording(self):
        explorer = self.explorer
        seen = explorer.descent.steps[: explorer.step]
        values, gradients = shown(explorer)
        reached = {s.node for s in seen if s.call and (s.grad_output is not None)}
        assert {name for name, text in gradients.items() if text} == reached
        computed = {s.node for s in seen if s.phase == "forward"}
        leaves = {n.name for n in explorer.descent.nodes.values() if n.kind == "leaf"}
        assert {name for name, text in values.items() if text} == computed | leaves
        assert f"step {explorer.step:>2}".split()[1] in explorer.transport.counter.value
        assert not explorer.problem

    def teardown(self):
        self.explorer.close()


TestWalks = Walks.TestCase
TestWalks.settings = hypothesis_settings(deadline=None, max_examples=15, stateful_step_count=12)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"preset": "toy neurone"}, TraitError, "did you mean 'toy neuron'"),
        ({"layers": 0}, TraitError, "layers must be a whole number from 1 to 30"),
        ({"backward_calls": 3}, TraitError, "backward_calls must be"),
        ({"no_grat": True}, TypeError, "did you mean 'no_grad'"),
        ({"detached": ("q",)}, ValueError, "there is no such operation"),
        ({"requires_grad": ("q",)}, ValueError, "there is no such tensor"),
        ({"tensors": {"x": 1.0}}, ValueError, "without a function"),
        ({"function": lambda x: x, "tensors": {"x": 1.0}, "preset": "x · x"}, ValueError, "both"),
        ({"function": lambda x: x}, ValueError, "tensors must map names to numbers"),
        ({"function": lambda x: x + 1, "tensors": {"x": [1, 2]}}, ValueError, r"shape \(2,\)"),
        ({"function": 3, "tensors": {"x": 1.0}}, ValueError, "function must be a callable"),
        ({"function": 5}, ValueError, "function must be a callable, not 5"),
    ],
)
def test_bad_input_is_explained(arguments, error, words):
    with pytest.raises(error, match=words):
        AutogradExplorer(**arguments)


def test_a_setting_that_does_not_fit_leaves_everything_as_it_was(explorer):
    explorer.step = 3
    before = explorer.table()
    with pytest.raises(ValueError, match="there is no such operation"):
        explorer.detached = ("q",)
    with pytest.raises(ValueError, match="there is no such tensor"):
        explorer.requires_grad = ("q",)
    with pytest.raises(TraitError, match="there is no node 'ad'"):
        explorer.selected = "ad"
    with pytest.raises(TraitError, match="follows from the graph"):
        explorer.max_steps = 3
    with pytest.raises(ValueError, match="no curve to keep"):
        explorer.pin()
    assert explorer.detached == ()
    assert explorer.requires_grad is None
    assert explorer.step == 3
    assert explorer.table() == before


def test_a_function_without_its_tensors_is_refused_and_taken_back(explorer):
    with pytest.raises(ValueError, match="tensors must map names to numbers"):
        explorer.function = torch.exp
    assert explorer.function is None
    assert explorer.preset == "toy neuron"
    assert explorer.descent.grads["b"].tolist() == [[6.0]]


def test_the_session_is_neither_relied_on_nor_changed():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    with torch.inference_mode():
        explorer = AutogradExplorer(preset="regression sample")
        explorer.layers = 3
        explorer.preset = "sigmoid chain"
        explorer.run()
        explorer.fold.toggles["Finite differences"].value = True
        assert torch.is_inference_mode_enabled()
    assert explorer.descent.grads["x"].dtype == torch.float32
    assert "x.grad" in explorer.status.value
    assert torch.get_default_dtype() == torch.float64
    explorer.close()


def test_a_shorter_walk_may_follow_a_problem_and_a_choice(explorer):
    explorer.preset = "sigmoid chain"
    explorer.run()
    explorer.select("sigmoid 9")
    explorer.controls.layers.value = 99
    assert explorer.problem
    explorer.preset = "x · x"
    assert (explorer.step, explorer.selected, explorer.problem) == (0, "", "")
    assert "step 0 of 3" in explorer.transport.counter.value


def test_the_function_can_be_replaced(explorer):
    with explorer.settings_together():
        explorer.function = lambda x: torch.exp(x)  # noqa: PLW0108 - its parameter has a name
        explorer.tensors = {"x": 0.0}
        explorer.preset = "your own"
    assert list(explorer.descent.nodes) == ["x", "exp"]
    explorer.preset = "x · x"
    assert explorer.descent.output == "matmul"


# -- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (6.0, "6"),
        ([[6.0]], "6"),
        ([12.0, 18.0], "[12, 18]"),
        (-1.5e-20, "−1.5e−20"),
        ([1.0] * 4, "(4,)"),
        ([[1.0, 2.0], [3.0, 4.0]], "(2, 2)"),
    ],
)
def test_tensors_are_written_in_few_characters(numbers, text):
    assert brief(torch.tensor(numbers)) == text


def test_large_tensors_are_cut():
    assert written(torch.zeros(9)) == "[0, 0, 0, 0, …]"
    assert written(torch.zeros(2, 1)) == "[[0],\n [0]]"
