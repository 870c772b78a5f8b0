"""The autograd graph of an expression, walked forward with its values and back with gradients."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ipywidgets import HTML, HBox, Layout, VBox, Widget
from torch import Tensor
from traitlets import Int

from gdwidgets.core import checks
from gdwidgets.core.autograd.collapse import collapsed
from gdwidgets.core.autograd.depth import predicted_sizes
from gdwidgets.core.autograd.finite_differences import (
    Difference,
    GradientCheck,
    finite_differences,
)
from gdwidgets.core.autograd.graph import record_graph
from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.core.autograd.presets import CHAINS, MOST_LAYERS, PRESET_NAMES, Preset, preset
from gdwidgets.core.scripts.graph import graph_script
from gdwidgets.explorers.autograd import bars as bars_module
from gdwidgets.explorers.autograd import controls, expression, plots
from gdwidgets.explorers.autograd.bars import LayerBars
from gdwidgets.explorers.autograd.controls import LeafSliders, LeafSwitches, NodeChoice, Twice
from gdwidgets.explorers.autograd.expression import OWN, chosen_preset
from gdwidgets.explorers.autograd.lines import executed, html_lines, program
from gdwidgets.explorers.autograd.plots import HEIGHT, PANEL, GraphPicture
from gdwidgets.explorers.autograd.print import drawing
from gdwidgets.explorers.autograd.tables import check_html, walk_frame, walk_html, walk_text
from gdwidgets.explorers.autograd.text import PANEL_STYLE, Words
from gdwidgets.explorers.autograd.why import chain_rule, depth_words, layer_sizes
from gdwidgets.ui import text
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.fold import Part
from gdwidgets.ui.form import Choice, Switch, Whole, parse_number, row
from gdwidgets.ui.pictures.panels import Panel
from gdwidgets.ui.settings import Setting
from gdwidgets.ui.situations import SENTENCE, Situations

if TYPE_CHECKING:
    import pandas as pd

FOLLOWING = {"function", "tensors", "preset"}
"""Settings that make another expression, which the present switches need not fit."""

REST = 0.3
"""Seconds without a change after which a leaf's gradient is checked."""

MOST_NUDGED = 24
"""Numbers that are nudged for the details of a leaf; the fold nudges more."""


DETACH = "Detach the result of the node shown"


class AutogradExplorer(Explorer):
    """The real autograd graph of an expression, one node at a time.

    The cursor walks the graph: first forward, values filling in, then through ``backward()``,
    gradients coming back to the leaves.

    Parameters
    ----------
    function
        Any callable of named tensors that returns a tensor of one floating-point number.
    tensors
        For a function: names and numbers, such as ``{"x": [2.0, 3.0], "w": 1.0}``; floating ones
        become float32 on the CPU. Those given with ``requires_grad=True`` are tracked, or all
        floating ones where none is. Copies are used.
    preset
        What is shown without a function: a name from ``core.autograd.presets.PRESET_NAMES``.
    **settings
        Any other setting, and ``layout``; see the traits.

    Raises
    ------
    ValueError, SettingError
        When a setting does not fit: names it, and says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    TITLE = "Autograd"

    SITUATIONS: ClassVar[Situations] = {
        "toy neuron": {
            "preset": "toy neuron",
            SENTENCE: "Press **Play**: values fill in from left to right, then backward() brings "
            "gradients back. Watch **w.grad**: what does each number of w get, and why?",
        },
        "x · x": {
            "preset": "x · x",
            SENTENCE: "One multiplication uses x twice. **Two gradients of x each** come back and "
            "add up to 2x. Watch both lines into the product.",
        },
        "used twice": {
            "preset": "used twice",
            SENTENCE: "x is used by x² and by sin x. Watch **two gradients meet at x** and add "
            "up: that is the product rule.",
        },
        "regression sample": {
            "preset": "regression sample",
            SENTENCE: "One sample of the regression. Watch the error 2 (y_pred − y) go back to "
            "**a, b and c, times 1, x and x²**.",
        },
        "10 sigmoids": {
            "preset": "10 sigmoids",
            SENTENCE: "Ten sigmoids in a row. Every one multiplies the gradient by less than 1/4: "
            "watch it **vanish**, and open Why for the size at each layer.",
        },
        "exploding": {
            "preset": "exploding",
            SENTENCE: "Ten layers with one weight above 1. Every layer multiplies the gradient "
            "by w: watch it **grow**, and open Why for the size at each layer.",
        },
    }

    MORE = (("preset", "layers"),)

    function = Setting(
        None, expression.a_function, help="The function of named tensors that is shown"
    )
    """A callable of the named tensors, or None for a preset."""

    tensors = Setting(None, expression.some_tensors, help="The tensors the function is called with")
    """Names and numbers that the function is called with; None for a preset."""

    preset = Setting(
        "toy neuron",
        lambda value, name: checks.one_of(value, name, (*PRESET_NAMES, OWN)),
        label="expression",
        help="What is computed",
        control=Choice(tuple((name, name) for name in PRESET_NAMES), width="176px"),
    )
    """The expression: a preset's name, or "your own" for the function. Default "toy neuron"."""

    layers = Setting(
        10,
        lambda value, name: checks.integer(value, name, 1, MOST_LAYERS),
        help="Length of the sigmoid, tanh or relu chain, 1 to 30",
        control=Whole(),
    )
    """Length of a chain, 1 to 30. Default 10."""

    values = Setting(
        None, expression.some_values, help="Numbers in place of those the expression comes with"
    )
    """Numbers in place of those the tensors come with: names, and nested tuples of floats of the
    tensors' shapes. None (default) for the expression's own."""

    requires_grad = Setting(None, expression.some_names, help="The tensors that require gradients")
    """Names of the tensors that require gradients; None for those that come with the expression."""

    detached = Setting((), expression.names, help="The operations whose results are detached")
    """Names of the operations whose results are detached. Default none."""

    no_grad = Setting(
        False,
        checks.boolean,
        label="no_grad",
        help="Run the expression inside torch.no_grad()",
        control=Switch(),
    )
    """Whether the expression is run inside ``torch.no_grad()``."""

    retain_graph = Setting(
        False,
        checks.boolean,
        label="retain_graph",
        help="Call backward(retain_graph=True)",
        control=Switch(),
    )
    """Whether ``backward(retain_graph=True)`` is called."""

    backward_calls = Setting(
        1,
        lambda value, name: checks.integer(value, name, 1, 2),
        label="backward twice",
        help="Call backward() a second time",
        control=Twice(),
    )
    """How often ``backward()`` is called, 1 or 2. Default 1."""

    selected = Setting("", checks.text, help="The node whose details are shown", view=True)
    """The node whose details are shown; empty (default) for that of the present step."""

    speed = Explorer.speed.starting_at(2.0, help="Steps per second while playing")
    """Steps per second: a number above 0, infinity, or ``"auto"``. Default 2."""

    max_steps = Int(0, read_only=True)
    """The length of the walk; it follows from the graph."""

    _check_awaited = False

    picture_graph: AutogradGraph
    """What is drawn: the recording, collapsed when it has more than 200 nodes."""

    def __init__(
        self,
        function: Callable[..., Tensor] | None = None,
        tensors: Mapping[str, Any] | None = None,
        *,
        preset: str | None = None,
        **settings: Any,
    ) -> None:
        name = chosen_preset(function, tensors, preset)
        super().__init__(function=function, tensors=tensors, preset=name, **settings)

    # -- the recording -----------------------------------------------------------------------

    @property
    def graph(self) -> AutogradGraph:
        """The whole recording."""
        return self._graph

    @property
    def recording(self) -> Any:
        """The whole recording, under the name that all explorers have for it."""
        return self._graph

    @recording.setter
    def recording(self, graph: AutogradGraph) -> None:
        self._graph = graph
        self._check: GradientCheck | None = None
        self.picture_graph = collapsed(graph)
        self.set_trait("max_steps", len(self.picture_graph.steps))

    def new_recording(self, changed: frozenset[str]) -> AutogradGraph:
        """Record the graph of the present settings; another expression takes its own switches."""
        if self._applied is not None and changed & FOLLOWING:
            if "preset" not in changed and "function" in changed:
                self.preset = "toy neuron" if self.function is None else OWN
            for name, own in (("requires_grad", None), ("detached", ()), ("values", None)):
                if name not in changed:
                    setattr(self, name, own)
        elif self._applied is not None and "layers" in changed and "detached" not in changed:
            self.detached = ()
        graph = self._record(self.expression(), self.requires_grad, self.detached)
        if self.selected and self.selected not in collapsed(graph).nodes:
            if "selected" in changed:
                self._refuse_selected(graph)
            self.selected = ""
        return graph

    def _record(
        self, shown: Preset, tracked: tuple[str, ...] | None, detached: tuple[str, ...]
    ) -> AutogradGraph:
        return record_graph(
            shown.function,
            shown.tensors,
            requires_grad=shown.requires_grad if tracked is None else tracked,
            detached=detached,
            no_grad=self.no_grad,
            retain_graph=self.retain_graph,
            backward_calls=self.backward_calls,
        )

    def expression(self) -> Preset:
        """The function that is run, its tensors, and what its results are called."""
        return expression.expression(
            self.function, self.tensors, self.preset, self.layers, self.values
        )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        found = super().settings()
        if self.preset != OWN:
            found |= {"function": None, "tensors": None}
        return found

    @property
    def computed(self) -> int:
        """The last step: a graph is recorded as a whole."""
        return int(self.max_steps)

    @property
    def end(self) -> int:
        """The last step of the walk."""
        return int(self.max_steps)

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Return ``k``, or the last step: a graph is recorded as a whole."""
        return min(k, int(self.max_steps))

    # -- switches ----------------------------------------------------------------------------

    def require_grad(self, name: str, *, on: bool = True) -> None:
        """Switch ``requires_grad`` of one tensor on or off.

        Raises
        ------
        ValueError
            When there is no tensor of this name, or it cannot require gradients.
        """
        others = [n for n in self.graph.requires_grad if n != name]
        chosen = {*others, name} if on else set(others)
        known = [n for n in self.graph.leaves if n in chosen]
        in_order = (*known, *sorted(chosen - set(known)))
        if in_order != self.graph.requires_grad:
            self.requires_grad = in_order

    def detach(self, name: str, *, on: bool = True) -> None:
        """Put ``detach()`` behind an operation, or take it away.

        Raises
        ------
        ValueError
            When there is no operation of this name.
        """
        others = tuple(n for n in self.detached if n != name)
        wanted = (*others, name) if on else others
        if wanted != self.detached:
            self.detached = wanted

    def set_number(self, name: str, index: int, value: float) -> None:
        """Set one number of a tensor; the walk stays where it is.

        Parameters
        ----------
        name
            Of the tensor.
        index
            The number's place in the flattened tensor.
        value
            The number.

        Raises
        ------
        ValueError
            When there is no such tensor or place, or the value is no finite number.
        """
        held = self.graph.values
        checks.one_of(name, "name", held)
        flat = held[name].flatten().clone()
        flat[checks.integer(index, "index", 0, flat.numel() - 1)] = checks.real(value, name)
        new = expression.nested(flat.reshape(held[name].shape))
        self.values = {**(self.values or {}), name: new}

    def _set_by_hand(self, name: str, index: int, value: float | str) -> None:
        self.set_number(name, index, parse_number(value, name, "0.5"))

    def select(self, name: str) -> None:
        """Show the details of a node; a second time, those of the present step again.

        Raises
        ------
        ValueError
            When there is no node of this name; names the nearest.
        """
        name = checks.text(name, "name")
        self.selected = "" if name == self.selected else name

    def _refuse_selected(self, graph: AutogradGraph) -> None:
        nodes = collapsed(graph).nodes
        raise ValueError(
            f"selected must be the name of a node, got {checks.shown(self.selected)}"
            f"{checks.nearest(self.selected, nodes)}"
        )

    @property
    def _node(self) -> str:
        """The node whose details are shown."""
        if self.selected:
            return str(self.selected)
        return self.picture_graph.steps[self.step - 1].node if self.step else self._resting

    @property
    def _resting(self) -> str:
        """The node that is shown before the first step."""
        nodes = self.picture_graph.nodes.values()
        tracked = (n.name for n in nodes if n.kind == "leaf" and n.requires_grad)
        return next(tracked, self.picture_graph.output)

    # -- situations --------------------------------------------------------------------------

    @property
    def situations_offered(self) -> Situations:
        """The situations on the chips; a function of the user's has one of its own."""
        offered = super().situations_offered
        if self.function is None or self.situations is not None:
            return offered
        own = {
            "preset": OWN,
            SENTENCE: "Your own function. Press **Play**: values fill in from left to right, then "
            "backward() brings the gradients back. Click a node for its details.",
        }
        # There is room for six chips in a cell of 900 pixels.
        return {OWN: own, **{n: s for n, s in offered.items() if n != "used twice"}}

    def situation_settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a situation; the user's function stays at hand."""
        kept = {"function": self.function, "tensors": self.tensors}
        return {**super().situation_settings({}), **kept, **own}

    def settings_wanted(self, situation: Mapping[str, Any]) -> dict[str, Any]:
        """What must be in force for a situation; the length of a chain only where there is one."""
        wanted = super().settings_wanted(situation)
        idle = {"function", "tensors"}
        if "layers" not in situation and wanted["preset"] not in CHAINS:
            idle.add("layers")
        return {name: value for name, value in wanted.items() if name not in idle}

    # -- building ----------------------------------------------------------------------------

    def build_picture(self) -> Widget:
        """Make the code and the details at the left, and the graph."""
        self.add_class("gdw-autograd")
        self.drawing = GraphPicture(self.handler(self.select))
        self.bars = LayerBars()
        self.details = HTML(layout=Layout(width="100%", margin="0"))
        self.side = VBox(
            [self.details],
            layout=Layout(flex=f"0 0 {PANEL}px", width=f"{PANEL}px", overflow="hidden auto"),
        )
        self.side.add_class("gdw-panel")
        return HBox([self.side, self.drawing.view], layout=Layout(width="100%"))

    def build_dials(self) -> Sequence[Widget]:
        """Make the switches of the tensors and of what is done with the graph."""
        controls.name_buttons(self.transport)
        self.switches = LeafSwitches(
            self.handler(lambda name, on: self._kept(self.require_grad, name, on))
        )
        self.sliders = LeafSliders(self.handler(self._set_by_hand))
        self.choice = NodeChoice(self.handler(lambda name: setattr(self, "selected", name)))
        self.detach_button = controls.switch("detach", DETACH)
        self._detach_shown: tuple[str, bool] = ("", False)
        turn = self.handler(lambda on: self._kept(self.detach, self._detach_shown[0], on))
        self.detach_button.observe(
            lambda change: None if change["new"] == self._detach_shown[1] else turn(change["new"]),
            names="value",
        )
        fields = [
            self.form.field(name).widget for name in ("no_grad", "backward_calls", "retain_graph")
        ]
        what = HBox([fields[0], self.detach_button, *fields[1:]])
        what.add_class("gdw-switches")
        return [self.switches, what]

    def build_settings(self) -> Widget:
        """Make the fold *Settings*; the list of nodes stands first."""
        rows = super().build_settings()
        rows.children = (row(self.choice.widget), *rows.children)
        return rows

    def _show_choice(self) -> None:
        names = {self.words.called(name): name for name in self.picture_graph.nodes}
        self.choice.show(names, self.selected)

    def _kept(self, method: Callable[..., None], name: str, on: bool) -> None:
        """Do what a switch says; when that fails, the switch shows the old value again."""
        try:
            method(name, on=on)
        finally:
            self._show_switches()

    def parts(self) -> list[Part]:
        """What can be unfolded."""
        return [
            Part(
                "Why",
                html=self._why_html,
                widgets=lambda: self.bars.view,
                tooltip="The chain rule for the node shown, and what depth does",
            ),
            Part(
                "Numbers",
                widgets=lambda: self.sliders,
                tooltip="Sliders for the numbers of the tensors: values and gradients follow",
            ),
            Part(
                "Finite differences",
                html=self._check_html,
                tooltip="The gradients found once more, without a graph",
            ),
            Part("Walk", html=self._walk_html, tooltip="All steps as a table"),
            *reversed(super().parts()),
        ]

    def loose_widgets(self) -> tuple[Widget, ...]:
        """The bars and the sliders, until their fold is opened."""
        bars = (self.bars.view, self.bars.figure, self.bars.key)
        return (*bars, self.sliders, self.choice.widget)

    def style_sheet(self) -> str:
        """Styles of the picture, the panel and the controls."""
        return plots.STYLE + PANEL_STYLE + controls.STYLE + bars_module.STYLE

    def resize(self, scale: float) -> None:
        """Make the picture and the panel ``scale`` times as large as they normally are."""
        self.drawing.resize(scale)
        self.bars.resize(scale)
        height = round((HEIGHT + 28) * scale)
        self.side.layout.height = f"{height}px"
        self.side.layout.width = f"{round(PANEL * scale)}px"
        self.side.layout.flex = f"0 0 {round(PANEL * scale)}px"
        self.drawing.show_graph(self.picture_graph, self.words)

    # -- drawing -----------------------------------------------------------------------------

    def show_recording(self) -> None:
        """Prepare the picture and the controls for a new graph."""
        self._shown = self.expression()
        total = len(self.graph.nodes)
        self.words = Words(self.picture_graph, self._shown.variables, total)
        self.lines = program(self.graph, self.words, self._shown.variables)
        self.drawing.show_graph(self.picture_graph, self.words)
        self._show_bars()
        before = tuple(self.chips.chips.values())
        self.chips.offer(self.situations_offered)
        new = self._show_switches() or before != tuple(self.chips.chips.values())
        given = expression.expression(self.function, self.tensors, self.preset, self.layers)
        new = self.sliders.show(given.tensors, self.graph.values) or new
        if new and self._ready:
            self.adopt_widgets()

    def _show_switches(self) -> bool:
        floating = [n for n in self.graph.leaves if self.graph.values[n].is_floating_point()]
        return self.switches.show(floating, self.graph.requires_grad)

    def show_view(self) -> None:
        """Check and show which node's details are shown."""
        if self.selected and self.selected not in self.picture_graph.nodes:
            self._refuse_selected(self.graph)
        self._show_choice()

    def _show_bars(self) -> None:
        layers = self._shown.layers
        if not layers:
            self.bars.hide()
            return
        activation = self._activation()
        sizes = layer_sizes(self.graph, layers)
        numbers = [float(self.graph.nodes[n].value) for n in layers]  # type: ignore[arg-type]
        weight = float(self.graph.values["w"]) if "w" in self.graph.values else 1.0
        predicted = predicted_sizes(activation, numbers, weight)
        others = {}
        for name, other in CHAINS.items():
            if activation in CHAINS.values() and other != activation:
                made = preset(name, len(layers) - 1)
                tensors = {"x": self.graph.values["x"]}
                chain = Preset(made.function, tensors, ("x",), made.variables, made.layers)
                others[other] = layer_sizes(
                    record_graph(chain.function, tensors, requires_grad=("x",)), made.layers
                )
        self.bars.show_chain(activation, sizes, predicted, others)

    def _activation(self) -> str:
        if self.preset in CHAINS:
            return CHAINS[self.preset]
        return "sigmoid" if self.preset == "10 sigmoids" else "w · x"

    def draw(self, k: int, *, full: bool) -> None:
        """Write values, gradients and the active lines, with the cursor at ``k``."""
        self.drawing.draw(k, self.selected)
        if self.fold.opened == "Why" and self._shown.layers:
            self._draw_bars(k)

    def _draw_bars(self, k: int) -> None:
        reached = {step.node for step in self.graph.steps[:k] if step.call == 1}
        self.bars.draw([name in reached for name in self._shown.layers])

    def draw_text(self, k: int) -> None:
        """Write the lines of code, the details, and the name of the detach switch."""
        refused = k > 0 and self.picture_graph.steps[k - 1].phase == "refused"
        name = self._node
        html = (
            html_lines(self.lines, executed(self.picture_graph, self.lines, k))
            + (self.words.refused() if refused else "")
            + self.words.details(name, k, self._nudged(name, k))
            + text.html_summary(self.words.summary(k))
        )
        if self.details.value != html:
            self.details.value = html
        self._name_detach(name)

    def _name_detach(self, name: str) -> None:
        node = self.picture_graph.nodes[name]
        can = node.kind == "operation"
        self._detach_shown = (name, can and name in self.graph.detached)
        symbol, variable = self.words.symbol(node), self.words.name(name)
        called = f"{symbol} ({variable})" if variable != name else symbol
        # The node has a ring in the picture: a name in the button would only make its row wrap.
        self.detach_button.description = f"detach at {symbol}" if can else "detach"
        self.detach_button.tooltip = f"Detach the result of {called}" if can else DETACH
        self.detach_button.disabled = not can
        self.detach_button.value = self._detach_shown[1]

    def _nudged(self, name: str, k: int) -> Difference | None:
        """A leaf's gradient by finite differences, once it has one, where that takes no time."""
        node = self.graph.nodes.get(name)
        few = sum(v.numel() for v in self.graph.values.values()) <= MOST_NUDGED
        done = any(s.node == name and s.grad is not None for s in self.picture_graph.steps[:k])
        if node is None or node.kind != "leaf" or not few or not done or self.playing:
            return None
        if self._check is None and self._by_hand:
            # A hand that drags is not kept waiting: what has to be computed is shown when it rests.
            if not self._check_awaited:
                self._check_awaited = True
                self._loop.start(self._check_soon())
            return None
        return next((d for d in self.check.differences if d.name == name), None)

    async def _check_soon(self) -> None:
        graph = None
        while graph is not self.graph:
            graph = self.graph
            await asyncio.sleep(REST)
        self._check_awaited = False
        self.draw_text(self.drawn)

    @property
    def check(self) -> GradientCheck:
        """The gradients by finite differences; computed when first asked for."""
        if self._check is None:
            self._check = finite_differences(self._shown.function, self.graph)
        return self._check

    def sentence(self, k: int) -> str:
        """Say in words what step ``k`` of the walk did."""
        return self.words.sentence(k)

    def counter_note(self) -> str:
        """How many steps go forward and how many back."""
        return self.words.counts

    # -- tables, data, code ------------------------------------------------------------------

    def _why_html(self) -> str:
        paragraphs = chain_rule(self.words, self._node)
        layers = self._shown.layers
        if layers:
            self._draw_bars(self.step)
            sizes = layer_sizes(self.graph, layers)
            start = float(self.graph.values["x"])
            paragraphs = [*depth_words(self._activation(), sizes, start), *paragraphs]
        return text.html_paragraphs(paragraphs)

    def _walk_html(self) -> str:
        return walk_html(self.words, self.step)

    def _check_html(self) -> str:
        return check_html(self.check)

    def table(self) -> str:
        """Return the walk as text: a line for each step, with value, grad_output and ``.grad``.

        What belongs to a step is written out up to six numbers; of larger tensors, the shape.
        """
        return walk_text(self.words)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the walk as pandas, one row per step.

        Returns
        -------
        Columns ``step``, ``phase`` (forward, backward or refused), ``call`` (which backward; 0
        forward), ``node``, ``variable``, ``grad_fn``, ``shape``, and as nested lists ``value``,
        ``grad_output`` and ``grad``; None where there is nothing. Every node has its row, those of
        a graph that is drawn in part too.
        """
        return walk_frame(self.graph, self.words.name)

    def code(self) -> str:
        """Return the expression as plain PyTorch, as a person would write it; it has been run.

        Raises
        ------
        ValueError
            When something in it cannot be written as plain PyTorch; says what.
        """
        return graph_script(self.graph, self._shown.variables)

    def panels(self, *, fine: bool) -> Sequence[Panel]:
        """The graph, as data."""
        return (drawing(self.words, self.step, self.drawing.products, self.end),)
