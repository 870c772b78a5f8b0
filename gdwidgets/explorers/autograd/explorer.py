"""The autograd graph of an expression, walked forward with its values and back with gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from ipywidgets import HTML, HBox, Layout, VBox, Widget
from torch import Tensor
from traitlets import Any as AnyTrait
from traitlets import Bool, TraitError, Unicode, observe, validate

from gdwidgets.core.autograd.collapse import collapsed
from gdwidgets.core.autograd.finite_differences import finite_differences
from gdwidgets.core.autograd.graph import default_requires_grad, named_tensors, record_graph
from gdwidgets.core.autograd.nodes import AutogradGraph
from gdwidgets.core.autograd.presets import CHAINS, MOST_LAYERS, PRESET_NAMES, Preset, preset
from gdwidgets.core.scripts.graph import graph_script
from gdwidgets.explorers.autograd.bars import LayerBars, layer_gradients
from gdwidgets.explorers.autograd.controls import AutogradControls, name_buttons
from gdwidgets.explorers.autograd.given import OWN, chosen_preset, copied, names
from gdwidgets.explorers.autograd.plots import GraphPicture
from gdwidgets.explorers.autograd.tables import HEAD, check_table, walk_frame, walk_rows, walk_text
from gdwidgets.explorers.autograd.text import STYLE, Words
from gdwidgets.ui import checks, text
from gdwidgets.ui.explorer import Explorer
from gdwidgets.ui.playback.main_loop import reachable

FRESH = {"function", "tensors", "preset", "layers"}
"""Settings that make another expression, which the present switches need not fit."""


class AutogradExplorer(Explorer):
    """The real autograd graph of an expression, one node at a time.

    The cursor walks the graph: first forward, values filling in, then through ``backward()``,
    gradients coming back to the leaves.

    Parameters
    ----------
    function
        Any callable of named tensors that returns a tensor of one number.
    tensors
        For a function: names and numbers, such as ``{"x": [2.0, 3.0], "w": 1.0}``; those given
        with ``requires_grad=True`` are tracked, or all of them where none is.
    preset
        What is shown without a function: a name from ``core.autograd.presets.PRESET_NAMES``.
    **settings
        Any of ``SETTINGS`` (see the traits), ``speed`` and ``layout``.

    Raises
    ------
    ValueError, TraitError
        When a setting does not fit: says what was given and what is accepted.
    TypeError
        For an unknown keyword: names the nearest.
    """

    SETTINGS = (
        "function",
        "tensors",
        "preset",
        "layers",
        "requires_grad",
        "detached",
        "no_grad",
        "retain_graph",
        "backward_calls",
    )

    function = AnyTrait(None)
    """A callable of the named tensors, or None for a preset."""

    tensors = AnyTrait(None)
    """Names and numbers that the function is called with; None for a preset."""

    preset = Unicode("toy neuron")
    """The expression: a preset's name, or "your own" for the function. Default "toy neuron"."""

    layers = checks.Checked(10, lambda value: checks.whole(value, "layers", 1, MOST_LAYERS))
    """Length of a chain, 1 to 30. Default 10."""

    requires_grad = checks.Checked(None, lambda value: None if value is None else names(value))
    """Names of the tensors that require gradients; None for those that come with the expression."""

    detached = checks.Checked((), names)
    """Names of the operations whose results are detached. Default none."""

    no_grad = Bool(False)
    """Whether the expression is run inside ``torch.no_grad()``."""

    retain_graph = Bool(False)
    """Whether ``backward(retain_graph=True)`` is called."""

    backward_calls = checks.Checked(1, lambda value: checks.whole(value, "backward_calls", 1, 2))
    """How often ``backward()`` is called, 1 or 2. Default 1."""

    selected = Unicode("")
    """The node whose details are shown; empty for that of the present step."""

    descent: AutogradGraph  # type: ignore[assignment]  # the recording behind this picture
    """The whole recording."""

    picture_graph: AutogradGraph
    """What is drawn: the recording, collapsed when it has more than 200 nodes."""

    _shown: Preset
    _checked: str | None

    def __init__(
        self,
        function: Callable[..., Tensor] | None = None,
        tensors: Mapping[str, Any] | None = None,
        *,
        preset: str | None = None,
        **settings: Any,
    ) -> None:
        name = chosen_preset(function, tensors, preset)
        super().__init__(
            **{"speed": 2.0, "function": function, "tensors": tensors, "preset": name} | settings
        )

    # -- settings ----------------------------------------------------------------------------

    @validate("tensors")
    def _valid_tensors(self, proposal: Any) -> Any:
        return copied(proposal["value"])

    @validate("preset")
    def _valid_preset(self, proposal: Any) -> str:
        accepted = PRESET_NAMES if self.function is None else (OWN, *PRESET_NAMES)
        return checks.one_of(proposal["value"], "preset", accepted)

    @validate("max_steps")
    def _valid_max_steps(self, proposal: Any) -> int:
        if proposal["value"] != len(self.picture_graph.steps):
            raise TraitError("max_steps is the length of the walk, and follows from the graph")
        return int(proposal["value"])

    @validate("selected")
    def _valid_selected(self, proposal: Any) -> str:
        name = proposal["value"]
        if name and name not in self.picture_graph.nodes:
            raise TraitError(
                f"there is no node {name!r}{checks.near(name, self.picture_graph.nodes)}"
            )
        return str(name)

    @observe("selected")
    def _selected_changed(self, change: Any) -> None:
        if self._ready:
            self.show_settings()
            self.redraw()

    def _setting_changed(self, change: Any) -> None:
        name = change["name"]
        if name not in FRESH or not self._ready or self._together:
            super()._setting_changed(change)
            return
        try:
            with self.settings_together():
                self._stale = True
                if name != "layers":
                    self.requires_grad = None
                self.detached = ()
                if name == "function":
                    self.preset = "toy neuron" if self.function is None else OWN
        except Exception:
            self._together += 1
            try:
                setattr(self, name, change["old"])
            finally:
                self._together -= 1
                self._stale = False
            raise

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        found = super().settings()
        if self.preset != OWN:
            found |= {"function": None, "tensors": None}
        return found

    def require_grad(self, name: str, *, on: bool = True) -> None:
        """Switch ``requires_grad`` of one tensor on or off."""
        others = [n for n in self.descent.requires_grad if n != name]
        chosen = {*others, name} if on else set(others)
        in_order = tuple(n for n in self.descent.leaves if n in chosen)
        if in_order != self.descent.requires_grad:
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

    # -- building ----------------------------------------------------------------------------

    def expression(self) -> Preset:
        """The function that is run, its tensors, and what its results are called."""
        if self.preset != OWN:
            return preset(self.preset, self.layers)
        tensors = named_tensors(self.tensors)
        return Preset(self.function, tensors, default_requires_grad(self.tensors))

    def build_descent(self) -> AutogradGraph:  # type: ignore[override]  # see ``descent``
        """Record the graph of the present settings."""
        shown = self.expression()
        tracked = shown.requires_grad if self.requires_grad is None else self.requires_grad
        return self._record(shown, tracked, self.detached)

    def _record(
        self, shown: Preset, tracked: tuple[str, ...], detached: tuple[str, ...]
    ) -> AutogradGraph:
        return record_graph(
            shown.function,
            shown.tensors,
            requires_grad=tracked,
            detached=detached,
            no_grad=self.no_grad,
            retain_graph=self.retain_graph,
            backward_calls=self.backward_calls,
        )

    def build_picture(self) -> Widget:
        """Make the graph, the details and the bars."""
        self.picture = GraphPicture(self.handler(self.select))
        self.bars = LayerBars()
        self.details = HTML(layout=Layout(width="100%", margin="0"))
        style = HTML(STYLE, layout=Layout(display="none"))
        self.panel = VBox([self.details], layout=Layout(width="100%", overflow="hidden auto"))
        self.panel.add_class("gdw-fading")
        self.side = VBox(
            [style, self.panel],
            layout=Layout(flex="0 1 270px", min_width="240px", height="388px"),
        )
        wrapped = Layout(width="100%", flex_flow="row wrap")
        row = HBox([self.picture.view, self.side], layout=wrapped)
        return VBox([row, self.picture.key], layout=Layout(width="100%"))

    def loose_widgets(self) -> tuple[Widget, ...]:
        """The bars, which are on display for chains only."""
        return tuple(reachable(self.bars.view))

    def build_controls(self) -> Widget:
        """Make the settings' controls and write the present settings into everything."""
        name_buttons(self.transport)
        self.controls = AutogradControls(self)
        self.settings_applied()
        return self.controls

    def folded(self) -> dict[str, Callable[[], str]]:
        """Return the walk, the check by finite differences, and the code."""
        return {
            "Walk": self._walk_html,
            "Finite differences": self._check_html,
            **super().folded(),
        }

    def settings_applied(self) -> None:
        """Prepare the figures and controls for a new graph."""
        self._shown, self._checked = self.expression(), None
        self.picture_graph = collapsed(self.descent)
        self.words = Words(self.picture_graph, self._shown.variables)
        self.max_steps = len(self.picture_graph.steps)
        self._begin()
        self.picture.show_graph(self.picture_graph, self.words)
        self._show_bars()
        self.show_settings()

    def _begin(self) -> None:
        """Put the cursor to the start, and the choice of a node where there is one, undrawn."""
        ready, self._ready = self._ready, False
        self.step = 0
        if self.selected not in self.picture_graph.nodes:
            self.selected = ""
        self._ready = ready

    def show_settings(self) -> None:
        """Write the settings' values into their controls."""
        self.controls.show(self)

    def _show_bars(self) -> None:
        chain = CHAINS.get(self.preset)
        self.panel.layout.height = "384px" if chain is None else "186px"
        # A figure that is hidden has no size, and a browser complains of its marks: it is put
        # into the page only while it is shown.
        parts = self.side.children[:2]
        if chain is None:
            self.side.children = parts
            return
        others = {
            activation: layer_gradients(self._record(preset(name, self.layers), ("x",), ()))
            for name, activation in CHAINS.items()
            if activation != chain
        }
        self.bars.show_chain(chain, self.descent, others)
        self.side.children = (*parts, self.bars.view)

    def select(self, name: str) -> None:
        """Show the details of a node; a second time, those of the present step again."""
        self.selected = "" if name == self.selected else name

    # -- drawing -----------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The last step of the walk."""
        return int(self.max_steps)

    def compute(self, k: int, budget: float = math.inf) -> int:
        """Return ``k``: a graph is recorded as a whole."""
        return min(k, self.max_steps)

    def draw(self, k: int) -> None:
        """Write values, gradients, details and bars, with the cursor at ``k``."""
        self.picture.draw(k, self.selected)
        if self.preset in CHAINS:
            self.bars.draw(self.descent, k)
        self.details.value = self._details(k)

    def _details(self, k: int) -> str:
        step = self.picture_graph.steps[k - 1] if k else None
        node = self.selected or (step.node if step else self.picture_graph.output)
        html = self.words.details(node, k)
        if step is not None and step.phase == "refused":
            return self.words.refused() + html
        return html

    def resend(self) -> None:
        """Send the whole picture once more, its texts too."""
        for labels in (self.picture.signs, self.picture.values, self.picture.gradients):
            labels.send_state("text")
        self.details.send_state("value")
        super().resend()

    def sentence(self, k: int) -> str:
        """Say in words what step ``k`` of the walk did."""
        return self.words.sentence(k) + (self.picture.hint if k == 0 else "")

    # -- tables, data, code ------------------------------------------------------------------

    def _walk_html(self) -> str:
        rows = walk_rows(self.words)
        return text.html_table(HEAD, rows, now=self.step - 1, text_columns=(1, 2, 3, 4, 5))

    def _check_html(self) -> str:
        if self._checked is None:
            self._checked = check_table(finite_differences(self._shown.function, self.descent))
        return self._checked

    def table(self) -> str:
        """Return the walk as text: a line for each step, with value, incoming gradient, ``.grad``.

        What belongs to a step is written out up to six numbers; of larger tensors, the shape.
        """
        return walk_text(self.words)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the walk as pandas, one row per step.

        Returns
        -------
        Columns ``step``, ``phase`` (forward, backward or refused), ``call`` (which backward; 0
        forward), ``node``, ``variable``, ``grad_fn``, ``shape``, and as nested lists ``value``,
        ``incoming`` and ``grad``; None where there is nothing.
        """
        return walk_frame(self.descent, self.words.name)

    def code(self) -> str:
        """Return the expression as plain PyTorch, one line for each operation.

        Raises
        ------
        ValueError
            When something in it cannot be written as plain PyTorch.
        """
        return graph_script(self.descent, self._shown.variables)

    def pin(self) -> None:
        """Refuse: a graph has no curve to compare others against.

        Raises
        ------
        ValueError
            Always.
        """
        raise ValueError("a graph has no curve to keep: compare settings by their tables")
