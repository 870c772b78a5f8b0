"""AutogradExplorer: settings and switches, dragging numbers, messages, bad input, the end."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from traitlets import TraitError

from explorers.autograd.screen import gradients, values
from gdwidgets import AutogradExplorer
from gdwidgets.core.autograd.presets import PRESET_NAMES
from living import living
from messages import recorded_messages

# -- switches --------------------------------------------------------------------------------------


def test_a_leaf_s_switch_takes_its_gradient_away(explorer):
    switches = explorer.switches.switches
    assert {name: one.value for name, one in switches.items()} == {
        "x": False,
        "w": True,
        "b": True,
        "y": False,
    }
    switches["w"].value = False
    assert explorer.requires_grad == ("b",)
    assert explorer.graph.grads["w"] is None
    switches["x"].value = True
    assert explorer.requires_grad == ("x", "b")
    assert explorer.graph.grads["x"].tolist() == [[6.0, 6.0]]


def test_a_switch_keeps_the_step_of_the_walk(explorer):
    explorer.step = 4
    explorer.switches.switches["x"].value = True
    assert explorer.step == 4
    explorer.assign(preset="sigmoid chain", layers=1)
    assert explorer.step == 3 == explorer.max_steps  # a shorter walk puts the cursor to its end


def test_no_grad_is_answered_in_pytorch_s_words_and_is_no_error(explorer):
    explorer.form.field("no_grad").widget.value = True
    explorer.run()
    words = "element 0 of tensors does not require grad and does not have a grad_fn"
    assert words in explorer.sentence_text
    assert words in explorer.details.value
    assert words in explorer.table()
    assert "loss has no grad_fn: it was computed inside no_grad" in explorer.sentence_text
    assert explorer.problem == ""
    assert "gdw-error" not in explorer.status.value


def test_a_second_backward_is_refused_unless_the_graph_is_retained(explorer):
    explorer.form.field("backward_calls").widget.value = True
    assert explorer.backward_calls == 2
    explorer.run()
    assert "Trying to backward through the graph a second time" in explorer.sentence_text
    assert "Specify retain_graph=True" in explorer.details.value
    explorer.form.field("retain_graph").widget.value = True
    explorer.run()
    assert (
        "w gets [12, 18], added to what the first pass left: w.grad = [24, 36]"
        in explorer.sentence_text
    )


def test_detach_is_put_behind_the_node_that_is_shown(explorer):
    button = explorer.detach_button
    assert button.disabled
    explorer.select("matmul")
    assert not button.disabled
    assert button.description == "detach at @"
    button.value = True
    assert explorer.detached == ("matmul",)
    assert explorer.graph.grads["w"] is None
    assert ".detach()" in explorer.details.value
    button.value = False
    assert explorer.detached == ()
    assert explorer.graph.grads["w"].tolist() == [[12.0], [18.0]]


def test_the_detach_switch_follows_the_walk(explorer):
    explorer.step = 2
    assert explorer.detach_button.description == "detach at +"
    assert explorer.detach_button.tooltip == "Detach the result of + (z)"
    explorer.detach_button.value = True
    assert explorer.detached == ("add",)
    assert "detach() keeps the value" in explorer.sentence_text
    explorer.step = 3
    assert not explorer.detach_button.value
    assert explorer.detached == ("add",)


def test_a_new_preset_takes_its_own_switches(explorer):
    explorer.require_grad("w", on=False)
    explorer.detach("add")
    explorer.set_number("y", 0, 1.0)
    explorer.form.field("preset").inputs[0].value = "x · x"
    assert explorer.detached == ()
    assert explorer.requires_grad is None
    assert explorer.values is None
    assert list(explorer.switches.switches) == ["x"]
    explorer.run()
    assert gradients(explorer)["x"] == "x.grad = [2, 4, 6]"


def test_a_wrong_control_value_is_explained_and_taken_back(explorer):
    explorer.preset = "sigmoid chain"
    field = explorer.form.field("layers")
    field.inputs[0].value = 31
    assert "layers must be a whole number from 1 to 30" in explorer.sentence_text
    assert field.inputs[0].value == 10


# -- numbers ---------------------------------------------------------------------------------------


def test_a_slider_changes_values_and_gradients_at_the_present_step(explorer):
    explorer.step = 12
    explorer.sliders.sliders["y", 0].value = 1.0
    assert explorer.step == 12
    # z = 6, y = 1: the loss is 25, its gradient by z is 10
    assert values(explorer)["mean"] == "loss = 25"
    assert gradients(explorer)["w"] == "w.grad = [20, 30]"
    assert "w.grad = [20, 30]" in explorer.sentence_text
    assert explorer.values == {"y": ((1.0,),)}


def test_a_number_that_is_set_moves_its_slider(explorer):
    explorer.set_number("x", 1, -2.5)
    assert explorer.sliders.sliders["x", 1].value == -2.5
    assert explorer.graph.values["x"].tolist() == [[2.0, -2.5]]
    assert "x = torch.tensor([[2.0, -2.5]])" in explorer.code()
    explorer.values = None
    assert explorer.sliders.sliders["x", 1].value == 3.0


def test_a_slider_s_rounding_in_the_browser_changes_nothing():
    explorer = AutogradExplorer(preset="regression sample")
    before = explorer.graph
    slider = explorer.sliders.sliders["x", 0]
    slider.value = round(slider.value / slider.step) * slider.step  # as the browser answers
    assert explorer.graph is before
    explorer.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_number_is_shown_as_it_is_and_not_as_its_slider_s_stop(name):
    explorer = AutogradExplorer(preset=name)
    for (tensor, index), field in explorer.sliders.numbers.items():
        slider = explorer.sliders.sliders[tensor, index]
        slider.value = slider.min + round((slider.value - slider.min) / slider.step) * slider.step
        held = float(explorer.graph.values[tensor].flatten()[index])
        assert float(field.value) == pytest.approx(held, rel=1e-5)
        assert not slider.readout
    explorer.close()


def test_a_number_can_be_typed_and_text_that_is_none_is_refused():
    explorer = AutogradExplorer(preset="regression sample")
    field = explorer.sliders.numbers["x", 0]
    field.value = "0.123456"
    assert float(explorer.graph.values["x"]) == pytest.approx(0.123456)
    assert explorer.sliders.sliders["x", 0].value == pytest.approx(0.123456)
    field.value = "soon"
    assert "x must be a number" in explorer.sentence_text
    assert field.value == "0.123456"
    field.value = "50"  # farther than the slider reaches: it grows
    assert explorer.values == {"x": 50.0}
    assert explorer.sliders.numbers["x", 0].value == "50"
    explorer.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_gradients_follow_a_dragged_number(name):
    explorer = AutogradExplorer(preset=name)
    explorer.run()
    for value in (-1.5, 0.25, 2.0):
        explorer.set_number("x", 0, value)
        shown = explorer.expression()
        tensors = {n: t.clone() for n, t in shown.tensors.items()}
        assert tensors["x"].flatten()[0] == value
        for tracked in shown.requires_grad:
            tensors[tracked].requires_grad_()
        shown.function(**tensors).backward()
        for tracked in shown.requires_grad:
            assert torch.equal(explorer.graph.grads[tracked], tensors[tracked].grad)
    explorer.close()


def test_many_numbers_have_few_sliders():
    explorer = AutogradExplorer(lambda x: x.sum(), {"x": torch.ones(100)})
    assert len(explorer.sliders.sliders) == 12
    explorer.close()


# -- what it is not --------------------------------------------------------------------------------


def test_it_takes_only_the_part_of_the_base_that_it_needs(explorer):
    for name in ("descent", "pin", "pins", "unpin_all", "run_table"):
        assert not hasattr(explorer, name)
    assert explorer.recording is explorer.graph
    with pytest.raises(TraitError, match="max_steps"):
        explorer.max_steps = 3


# -- situations ------------------------------------------------------------------------------------


def test_every_situation_is_a_chip_that_is_pressed_while_its_settings_are_in_force(explorer):
    for name in explorer.SITUATIONS:
        explorer.situate(name)
        assert explorer.situation == name
        assert explorer.chips.chips[name].value
        assert explorer.sentence_text == explorer.SITUATIONS[name]["sentence"].replace("**", "")
    explorer.no_grad = True
    assert explorer.situation is None
    assert not any(chip.value for chip in explorer.chips.chips.values())


def test_a_function_of_one_s_own_has_a_chip_to_come_back_to():
    explorer = AutogradExplorer(lambda x, w: (x * w).sum(), {"x": [1.0, 2.0], "w": 3.0})
    assert explorer.situation == "your own"
    explorer.situate("toy neuron")
    assert explorer.graph.output == "mean"
    explorer.situate("your own")
    assert explorer.graph.output == "sum"
    explorer.close()


# -- settings, messages, the end -------------------------------------------------------------------


def test_settings_build_an_equal_explorer():
    function = lambda x, w: (x * w).sum()  # noqa: E731
    one = AutogradExplorer(function, {"x": [1.0, 2.0], "w": 3.0}, detached=("mul",), speed=5)
    two = AutogradExplorer(**one.settings())
    assert one.table() == two.table()
    assert two.code() == one.code()
    assert two.speed == 5
    one.close()
    two.close()


def test_settings_of_a_preset_build_an_equal_explorer():
    one = AutogradExplorer(preset="tanh chain", layers=3, no_grad=True, values={"x": 0.5})
    two = AutogradExplorer(**one.settings())
    assert one.table() == two.table()
    assert one.settings() == two.settings()
    one.close()
    two.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_a_frame_is_at_most_5_messages_and_6_kilobytes(name, monkeypatch):
    explorer = AutogradExplorer(preset=name, layers=30)
    monkeypatch.setattr(explorer, "write_text", lambda k: None)  # text: four times a second
    for step in range(1, explorer.max_steps + 1):
        with recorded_messages() as sent:
            explorer.step = step
        moved = sum(widget is explorer.drawing.y for widget, _, _ in sent)
        assert len(sent) <= 5 + moved  # one more where a high picture moves on
        assert sent.bytes <= 6_000
    explorer.close()


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_the_text_of_a_step_is_small(name):
    explorer = AutogradExplorer(preset=name, layers=30)
    for step in range(1, explorer.max_steps + 1):
        with recorded_messages() as sent:
            explorer.write_text(step)
        assert len(sent) <= 5
        assert sent.bytes <= 6_000
    explorer.close()


def test_a_step_that_is_drawn_again_sends_nothing(explorer):
    explorer.step = 11
    with recorded_messages() as sent:
        explorer.draw(11, full=True)
        explorer.draw_text(11)
    assert len(sent) == 0


def test_close_leaves_nothing_behind():
    before = len(living())
    explorer = AutogradExplorer(preset="sigmoid chain")
    explorer.unfold("Why")
    explorer.preset = "regression sample"
    explorer.preset = "toy neuron"
    explorer.unfold("Settings")
    explorer.close()
    assert len(living()) == before


def test_large_is_larger_in_numbers(explorer):
    normal = explorer.drawing.values.default_size
    explorer.step = 12
    explorer.size = "large"
    assert explorer.drawing.values.default_size == pytest.approx(1.4 * normal)
    assert explorer.drawing.frame.default_size > 1000  # the ring is there still
    assert gradients(explorer)["b"]


class Walks(RuleBasedStateMachine):
    """Whatever is pressed, the screen is what the recording says at the cursor."""

    def __init__(self):
        super().__init__()
        self.explorer = AutogradExplorer()

    @rule(name=st.sampled_from(PRESET_NAMES), layers=st.integers(1, 12))
    def choose(self, name, layers):
        self.explorer.assign(layers=layers, preset=name)

    @rule()
    def fail(self):
        self.explorer.form.field("layers").inputs[0].value = 99
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
        nodes = self.explorer.graph.nodes.values()
        name = data.draw(st.sampled_from([n.name for n in nodes if n.kind == "operation"]))
        self.explorer.detach(name, on=on)

    @rule(data=st.data(), on=st.booleans())
    def track(self, data, on):
        name = data.draw(st.sampled_from(self.explorer.graph.leaves))
        self.explorer.require_grad(name, on=on)

    @rule(data=st.data(), value=st.floats(-3, 3, width=16))
    def drag(self, data, value):
        name = data.draw(st.sampled_from(self.explorer.graph.leaves))
        self.explorer.set_number(name, 0, value)

    @rule(data=st.data())
    def click(self, data):
        self.explorer.select(data.draw(st.sampled_from(list(self.explorer.graph.nodes))))

    @rule(title=st.sampled_from(["Why", "Walk", "Numbers", "Settings"]))
    def unfold(self, title):
        self.explorer.unfold(title)

    @invariant()
    def the_screen_is_the_recording(self):
        explorer = self.explorer
        seen = explorer.graph.steps[: explorer.step]
        reached = {s.node for s in seen if s.call and (s.grad_output is not None)}
        assert {name for name, text in gradients(explorer).items() if text} == reached
        computed = {s.node for s in seen if s.phase == "forward"}
        leaves = {n.name for n in explorer.graph.nodes.values() if n.kind == "leaf"}
        assert {name for name, text in values(explorer).items() if text} == computed | leaves
        assert f"<b>{explorer.step}</b> of {explorer.max_steps}" in (
            explorer.transport.counter.value
        )
        assert not explorer.problem

    def teardown(self):
        self.explorer.close()


TestWalks = Walks.TestCase
TestWalks.settings = hypothesis_settings(deadline=None, max_examples=15, stateful_step_count=12)


# -- bad input -----------------------------------------------------------------------------------

BAD = [
    ({"preset": "toy neurone"}, TraitError, "did you mean 'toy neuron'"),
    ({"preset": torch.ones(3)}, TraitError, "preset"),
    ({"layers": 0}, TraitError, "layers must be a whole number from 1 to 30"),
    ({"backward_calls": 3}, TraitError, "backward_calls must be"),
    ({"no_grat": True}, TypeError, "did you mean 'no_grad'"),
    ({"no_grad": 2}, TraitError, "no_grad"),
    ({"detached": ("q",)}, ValueError, "there is no such operation"),
    ({"detached": 5}, ValueError, "detached must be a tuple of names"),
    ({"requires_grad": ("q",)}, ValueError, "there is no such tensor"),
    ({"selected": "ad"}, ValueError, "selected must be the name of a node, got 'ad'"),
    ({"values": {"q": 1.0}}, ValueError, "values names 'q'"),
    ({"values": {"x": [1.0]}}, ValueError, r"values\['x'\] must be .* of shape \(1, 2\)"),
    ({"values": {"x": float("nan")}}, ValueError, "values"),
    ({"values": 3}, ValueError, "values must map names to numbers"),
    ({"tensors": {"x": 1.0}}, ValueError, "without a function"),
    ({"preset": "your own"}, ValueError, "needs a function"),
    ({"function": lambda x: x, "tensors": {"x": 1.0}, "preset": "x · x"}, ValueError, "both"),
    ({"function": lambda x: x}, ValueError, "tensors must map names to numbers"),
    ({"function": lambda x: x + 1, "tensors": {"x": [1, 2]}}, ValueError, r"shape \(2,\)"),
    ({"function": 3, "tensors": {"x": 1.0}}, ValueError, "function must be a callable"),
    ({"function": 5}, ValueError, "function must be a callable"),
    ({"layout": torch.ones(3)}, ValueError, "layout"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), BAD)
def test_bad_input_is_explained(arguments, error, words):
    with pytest.raises(error, match=words) as raised:
        AutogradExplorer(**arguments)
    assert len(str(raised.value)) < 400


def _state(explorer):
    return (
        {n: v for n, v in explorer.settings().items() if n not in {"function", "tensors"}},
        explorer.step,
        explorer.max_steps,
        explorer.table(),
        values(explorer),
        gradients(explorer),
        explorer.details.value,
        {name: one.value for name, one in explorer.switches.switches.items()},
        explorer.detach_button.description,
        explorer.situation,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"detached": ("q",)},
        {"requires_grad": ("q",)},
        {"selected": "ad"},
        {"selected": "w", "detached": ("q",)},
        {"function": torch.exp},
        {"values": {"x": 1.0}, "preset": "x · x"},
        {"preset": "your own"},
        {"layers": 0, "preset": "sigmoid chain"},
    ],
)
def test_a_setting_that_does_not_fit_leaves_everything_as_it_was(explorer, changes):
    explorer.step = 3
    before = _state(explorer)
    with pytest.raises(ValueError, match=r"\w"):
        explorer.assign(**changes)
    assert _state(explorer) == before
    explorer.step = 12  # and it goes on working
    assert "w.grad = [12, 18]" in explorer.sentence_text


def test_a_function_that_raises_while_a_number_is_dragged_is_said_in_the_sentence():
    def function(x):
        if x < 0:
            raise RuntimeError("no negative numbers")
        return x.sqrt()

    explorer = AutogradExplorer(function, {"x": 4.0})
    explorer.run()
    explorer.sliders.sliders["x", 0].value = -1.0
    assert "no negative numbers" in explorer.sentence_text
    assert explorer.graph.values["x"].item() == 4.0
    explorer.sliders.sliders["x", 0].value = 1.0
    assert gradients(explorer)["x"] == "x.grad = 0.5"
    explorer.close()


def test_the_session_is_neither_relied_on_nor_changed():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    with torch.inference_mode():
        explorer = AutogradExplorer(preset="regression sample")
        explorer.layers = 3
        explorer.preset = "sigmoid chain"
        explorer.run()
        explorer.unfold("Finite differences")
        explorer.unfold("Why")
        explorer.set_number("x", 0, 0.5)
        assert torch.is_inference_mode_enabled()
    assert explorer.graph.grads["x"].dtype == torch.float32
    assert "x.grad" in explorer.sentence_text
    assert torch.get_default_dtype() == torch.float64
    explorer.close()


def test_what_the_user_does_with_the_tensors_later_changes_nothing():
    given = {"x": torch.tensor([1.0, 2.0])}
    explorer = AutogradExplorer(lambda x: x.sum(), given)
    given["x"].fill_(9.0)
    given["y"] = 1.0
    explorer.retain_graph = True
    assert explorer.graph.values["x"].tolist() == [1.0, 2.0]
    explorer.close()


def test_tensors_given_with_requires_grad_are_those_that_are_tracked():
    explorer = AutogradExplorer(
        lambda x, w: x * w, {"x": torch.tensor(2.0), "w": torch.tensor(3.0, requires_grad=True)}
    )
    assert explorer.graph.requires_grad == ("w",)
    explorer.close()


def test_a_shorter_walk_may_follow_a_problem_and_a_choice(explorer):
    explorer.preset = "sigmoid chain"
    explorer.run()
    explorer.select("sigmoid 9")
    explorer.form.field("layers").inputs[0].value = 99
    assert explorer.problem
    explorer.preset = "x · x"
    assert (explorer.step, explorer.selected, explorer.problem) == (3, "", "")
    assert "<b>3</b> of 3" in explorer.transport.counter.value


def test_the_function_can_be_replaced(explorer):
    explorer.assign(
        function=lambda x: torch.exp(x),  # noqa: PLW0108 - its parameter has a name
        tensors={"x": 0.0},
    )
    assert explorer.preset == "your own"
    assert list(explorer.graph.nodes) == ["x", "exp"]
    explorer.preset = "x · x"
    assert explorer.graph.output == "matmul"


def test_the_caller_s_tensors_are_copied():
    given = {"x": torch.tensor(2.0)}
    explorer = AutogradExplorer(lambda x: x * x, given)
    given["x"].add_(7)
    given["y"] = torch.tensor(1.0)
    assert {name: float(value) for name, value in explorer.tensors.items()} == {"x": 2.0}
    assert values(explorer)["x"] == "2"
    explorer.close()
