"""How long a visitor can hold the kernel: the longest gap in its loop while controls are used.

Everything that follows is what somebody does in a page, at the ends of what controls take: a
million steps, eight lanes, degree 10. What an author gives in a cell, such as a function that takes
80 milliseconds, is given before. A million steps take a minute or two: this is slow.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from gdwidgets import AccumulationComparer, AutogradExplorer, LearningRateExplorer, SurfaceExplorer

Act = tuple[str, Callable[[], object]]

STEPS = 1_000_000
SAMPLES = 1_000_000
TICK = 0.005
PATIENCE = 10.0
"""Seconds after which the next control is used, whatever is still being computed."""

TARGET = 1000
"""Milliseconds."""

SHOWN = 50
"""Gaps below so many milliseconds are not worth a row."""


class Visit:
    """One explorer in a live loop, used by hand, and a heart that beats beside it."""

    def __init__(self, explorer: Any) -> None:
        self.explorer = explorer
        self.longest: dict[str, float] = {}
        self._now = ""

    async def beat(self) -> None:
        """Note how late every beat comes."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            late = time.perf_counter() - began - TICK
            self.longest[self._now] = max(late, self.longest.get(self._now, 0.0))

    async def use(self, acts: Iterable[Act]) -> None:
        """Do one thing after the other, each once what the one before began has come to rest."""
        heart = asyncio.create_task(self.beat())
        tasks = self.explorer._loop._tasks
        for what, act in acts:
            await asyncio.sleep(2 * TICK)
            self._now = what
            asyncio.get_running_loop().call_soon(act)
            until = time.monotonic() + (math.inf if "finish" in what else PATIENCE)
            await asyncio.sleep(2 * TICK)
            while tasks and time.monotonic() < until:  # noqa: ASYNC110 - the tasks are the explorer's
                await asyncio.sleep(4 * TICK)
            if self.explorer.playing:
                self.explorer.transport.play.click()
        await asyncio.sleep(2 * TICK)
        heart.cancel()


def typed(explorer: Any, name: str, value: Any, part: int = -1) -> Callable[[], None]:
    """Give a control a value, as a page does."""

    def act() -> None:
        explorer.form.field(name).inputs[part].value = value

    return act


def folds(explorer: Any) -> Iterator[Act]:
    """Open every fold."""
    for title in explorer.fold.toggles:
        yield f"open {title}", lambda t=title: setattr(explorer.fold.toggles[t], "value", True)


def transport(explorer: Any) -> Iterator[Act]:
    """Move the cursor in every way."""
    bar = explorer.transport
    yield "to the middle", lambda: setattr(bar.scrubber, "value", explorer.max_steps // 2)
    yield "one back", bar.back.click
    yield "play at most", lambda: (setattr(bar.speed, "value", "max"), bar.play.click())
    yield "to the start", bar.reset.click
    yield "to the end", bar.finish.click


def face(explorer: Any) -> Iterator[Act]:
    """Use what every explorer has."""
    yield from transport(explorer)
    yield from folds(explorer)
    yield "picture", explorer.head.picture.click
    yield "large", lambda: setattr(explorer.head.large, "value", True)
    yield "normal", lambda: setattr(explorer.head.large, "value", False)


def pins(explorer: Any) -> Iterator[Act]:
    """Pin eight times, with the table open."""
    yield "open Compare again", lambda: explorer.handler(explorer.unfold)("Compare")
    for number in range(8):
        yield f"pin {number + 1}", explorer.pin_button.click
    yield "another run beside pins", lambda: explorer._choose("max_steps", lambda: STEPS - 1)
    yield "unpin", explorer.unpin.click


def questions(explorer: Any) -> Iterator[Act]:
    """Ask and answer what is to be predicted of a whole run."""
    yield "open Predict again", lambda: explorer.handler(explorer.unfold)("Predict")
    for kind in explorer.prediction_kinds:
        yield f"predict {kind}", explorer._panel.questions[kind].click
        yield f"finish after {kind}", explorer.transport.finish.click


def long_run(explorer: Any) -> Iterator[Act]:
    """Run to the end of a million steps, and use everything there."""
    yield "open Settings", lambda: explorer.handler(explorer.unfold)("Settings")
    yield "a million steps", typed(explorer, "max_steps", STEPS)
    yield "finish", explorer.transport.finish.click
    yield from face(explorer)


def surface() -> Iterator[tuple[str, Any, Iterable[Act]]]:
    """Eight starts for a million steps; basins everywhere; a slow function."""
    starts = tuple((-1.5 + 0.1 * i, 2.0) for i in range(7))
    explorer = SurfaceExplorer("rosenbrock", learning_rate=1e-5, start=(1.5, 2.0))

    def long() -> Iterator[Act]:
        yield from long_run(explorer)
        yield "zoom in", explorer._beside.widget.children[-1].children[0].click
        yield "whole map", explorer._beside.widget.children[-1].children[2].click
        place = {"click_x": 5000.0, "click_y": 5000.0}
        yield (
            "click the map",
            lambda: explorer.map._clicked({k: v + 4000 for k, v in place.items()}),
        )
        yield "linear loss", typed(explorer, "loss_log", False)
        yield "keep a start", explorer.handler(explorer.add_start)

    def eight() -> Iterator[Act]:
        yield "eight starts", lambda: explorer._choose("kept_starts", lambda: starts)
        yield from long_run(explorer)
        yield from pins(explorer)
        yield from questions(explorer)
        yield "race", typed(explorer, "race", True)

    yield "surface, 1 lane, 10⁶ steps", explorer, long()
    yield "surface, 8 lanes, 10⁶ steps", explorer, eight()
    for name in ("rastrigin", "ackley", "narrow valley"):
        made = SurfaceExplorer(name, basins=True)
        acts = [
            (f"basins, {rule}", typed(made, "rule", rule, 0)) for rule in ("gd", "nesterov", "adam")
        ]
        acts += [("basins, loss_tol", lambda made=made: made._choose("loss_tol", lambda: 1e-4))]
        yield f"basins of {name}", made, acts


def slow_function() -> Iterator[tuple[str, Any, Iterable[Act]]]:
    """A function of the author's that takes 80 milliseconds for every call."""

    def slow(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        time.sleep(0.08)
        return u**2 + 3 * v**2 + torch.sin(u * v)

    explorer = SurfaceExplorer(slow, bounds=(-2, 2), minima=[(0, 0)], start=(1.5, 1.0))

    def acts() -> Iterator[Act]:
        yield "another start", lambda: explorer._choose("start", lambda: (-1.0, 1.0))
        yield from face(explorer)
        yield "zoom in", explorer._beside.widget.children[-1].children[0].click
        yield "basins", lambda: explorer._choose("basins", lambda: True)
        yield "no basins", lambda: explorer._choose("basins", lambda: False)
        yield "race", lambda: explorer._choose("race", lambda: True)
        yield "no race", lambda: explorer._choose("race", lambda: False)
        yield "another surface", lambda: setattr(explorer.chooser, "value", "booth")
        yield "and back", lambda: setattr(explorer.chooser, "value", "your own function")

    yield "a function of 80 ms", explorer, acts()


def learning_rates() -> Iterator[tuple[str, Any, Iterable[Act]]]:
    """Eight lanes of degree 10 for a million steps; a million samples."""
    explorer = LearningRateExplorer()

    def chosen(name: str, value: Any) -> Act:
        return f"{name} = {value}", lambda: explorer._choose(name, lambda: value)

    def long() -> Iterator[Act]:
        yield "open Settings", lambda: explorer.handler(explorer.unfold)("Settings")
        yield "degree 10", typed(explorer, "degree", 10)
        rates = tuple(1e-3 / 2**lane for lane in range(8))
        yield "eight lanes", lambda: explorer._choose("learning_rates", lambda: rates)
        yield from long_run(explorer)
        for table in ("steps", "gradients", "course", "training"):
            yield "open Tables", lambda: explorer.handler(explorer.unfold)("Tables")
            yield chosen("shown_table", table)
        for theory in ("prediction", "noise", "none"):
            yield chosen("theory", theory)
        yield chosen("log_steps", False)
        yield from pins(explorer)
        yield from questions(explorer)
        yield chosen("on_change", "continue")
        yield "to step 900,000", lambda: setattr(explorer.transport.scrubber, "value", 900_000)
        yield "a rate from there on", lambda: explorer.handler(explorer.change_rate)(0, 2e-4)
        yield chosen("degree", 9)
        yield "finish the changed run", explorer.transport.finish.click
        yield chosen("batch_size", 1)
        yield "finish batches of 1", explorer.transport.finish.click
        yield chosen("theory", "noise")

    yield "learning rates, 8 lanes, degree 10, 10⁶ steps", explorer, long()
    generator = np.random.default_rng(0)
    x = generator.uniform(-1, 1, SAMPLES)
    many = LearningRateExplorer(x, np.sin(3 * x) + 0.1 * generator.normal(size=SAMPLES))

    def data() -> Iterator[Act]:
        yield "another rate", lambda: many._choose("learning_rates", lambda: (0.1,) * 8)
        for degree in (3, 10):
            yield f"degree {degree}", lambda d=degree: many._choose("degree", lambda: d)
        yield from face(many)
        yield "gradients by hand", lambda: many._choose("shown_table", lambda: "gradients")
        yield "open Tables", lambda: many.handler(many.unfold)("Tables")
        yield "course", lambda: many._choose("shown_table", lambda: "course")
        yield "batches of 1", lambda: many._choose("batch_size", lambda: 1)
        yield "noise floor", lambda: many._choose("theory", lambda: "noise")
        yield "steps with batches", many.transport.forward.click
        yield "pin", many.pin_button.click

    yield "learning rates, 10⁶ samples", many, data()


def accumulation() -> Iterator[tuple[str, Any, Iterable[Act]]]:
    """Both loops for a million steps."""
    explorer = AccumulationComparer()

    def acts() -> Iterator[Act]:
        yield from long_run(explorer)
        yield "momentum", lambda: explorer._choose("momentum", lambda: True)
        yield "another rate", lambda: explorer._choose("learning_rate", lambda: 0.2)
        yield "clear every 2", lambda: explorer._choose("clear_every", lambda: 2)
        yield "finish again", explorer.transport.finish.click
        yield from pins(explorer)
        yield from questions(explorer)
        yield "micro-batches", lambda: explorer._choose("micro_batches", lambda: 8)
        yield "finish micro-batches", explorer.transport.finish.click
        yield from face(explorer)

    yield "accumulation, 10⁶ steps", explorer, acts()


def autograd() -> Iterator[tuple[str, Any, Iterable[Act]]]:
    """The longest chain; an author's function of large tensors."""
    explorer = AutogradExplorer()

    def chains() -> Iterator[Act]:
        yield "30 layers", lambda: explorer._choose("layers", lambda: 30)
        for name in explorer.situations_offered:
            yield name, lambda n=name: explorer.handler(explorer.situate)(n)
            yield from folds(explorer)
        yield from face(explorer)

    def network(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        for _ in range(40):
            x = torch.tanh(w @ x)
        return x.mean()

    tensors = {"w": torch.randn(600, 600) / 25, "x": torch.randn(600, 200)}
    large = AutogradExplorer(network, tensors)
    yield "autograd, presets", explorer, chains()
    yield "autograd, large tensors", large, face(large)


SCENES = (surface, slow_function, learning_rates, accumulation, autograd)


def rows(scenes: Iterable[Callable[[], Any]] = SCENES) -> list[tuple[str, str, str]]:
    """Use everything; the gaps of each scene that can be noticed, longest first."""
    table = []

    async def visit(scene: Callable[[], Any]) -> None:
        before = None
        for name, explorer, acts in scene():
            one = Visit(explorer)
            await one.use(acts)
            told = sorted(one.longest.items(), key=lambda item: -item[1])
            found = [(what, 1000 * late) for what, late in told]
            most = [(what, ms) for what, ms in found if ms >= SHOWN] or found[:1]
            table.extend((f"{name}: {what}", f"{ms:.0f} ms", f"≤ {TARGET}") for what, ms in most)
            if before is not None and before is not explorer:
                before.close()
            before = explorer
        if before is not None:
            before.close()

    for scene in scenes:
        asyncio.run(visit(scene))
    return table
