"""A small explorer, needing nothing from ``gdwidgets.explorers``, for the tests of ui."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import bqplot as bq
import numpy as np
from ipywidgets import HBox, Layout, Widget

from gdwidgets.core import Descent, LinearNeuron, checks
from gdwidgets.ui.descent_explorer import DescentExplorer
from gdwidgets.ui.form import Number, Pair, Rate
from gdwidgets.ui.runs import Run
from gdwidgets.ui.settings import Setting


class SmallExplorer(DescentExplorer):
    """Descent of a linear neuron, drawn as one curve."""

    TITLE = "Small"
    DIALS = ("learning_rate", "x")
    MORE = (("start", "max_steps"),)
    SITUATIONS: ClassVar = {
        "the exercise": {"sentence": "Watch it converge."},
        "too fast": {"learning_rate": 0.4, "sentence": "Watch it diverge."},
    }

    x = Setting(1.5, checks.real, help="The neuron's input", control=Number())
    start = Setting((0.5, 0.5), checks.point, help="Where it starts", control=Pair(("a", "b")))
    learning_rate = Setting(
        0.1, checks.positive, label="learning rate γ", help="How far", control=Rate()
    )
    refuse = Setting(None, lambda value, _: value, view=False)
    """An exception that making the recording raises."""
    refuse_to_show = Setting(None, lambda value, _: value)

    def new_recording(self, changed: frozenset[str]) -> Descent:
        if self.refuse is not None:
            raise self.refuse
        return Descent(
            LinearNeuron(self.x), self.start, self.learning_rate, max_steps=self.max_steps
        )

    def build_picture(self) -> Widget:
        self.scales = {"x": bq.LinearScale(min=0, max=10), "y": bq.LinearScale(min=0, max=2)}
        zeros = np.zeros(2, np.float32)
        self.line = bq.Lines(x=zeros, y=zeros, scales=self.scales)
        return HBox([bq.Figure(marks=[self.line], layout=Layout(width="100%", height="160px"))])

    def show_recording(self) -> None:
        if self.refuse_to_show is not None and self._ready:
            raise self.refuse_to_show

    def draw(self, k: int, *, full: bool) -> None:
        with self.line.hold_sync():
            self.line.x = np.arange(k + 1, dtype=np.float32)
            self.line.y = self.descent.loss[: k + 1, 0].copy()

    def sentence(self, k: int) -> str:
        return f"Step {k}: **loss = {self.descent.loss[k, 0]:.4f}**."

    def describe(self, run: Run, lane: int) -> Mapping[str, str]:
        return {"learning rate": f"{run.settings['learning_rate']:g}"}

    def table(self) -> str:
        return str(self.to_dataframe())

    def code(self) -> str:
        return "print(1)"

    def drawn_state(self) -> Any:
        """Everything that can be seen: settings, cursor, controls and marks."""
        return (
            {name: value for name, value in self.settings().items() if "refuse" not in name},
            self.step,
            id(self.recording),
            self.line.x.tolist(),
            self.line.y.tolist(),
            [one.value for field in self.form.fields.values() for one in field.inputs],
            self.transport.scrubber.value,
            self.transport.counter.value,
        )
