"""The surface explorer with the function and the settings of the course's Exercise 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdwidgets.explorers.surface.explorer import SurfaceExplorer
from gdwidgets.explorers.surface.given import Point


class HimmelblauExplorer(SurfaceExplorer):
    """Gradient descent on Himmelblau's function, the course's Exercise 3.

    Parameters
    ----------
    start, learning_rate, rule, max_steps, loss_tol
        The settings of the exercise; see the traits of ``SurfaceExplorer``.
    **settings
        Any other setting.
    """

    def __init__(
        self,
        start: Point = (1.0, 1.0),
        learning_rate: float = 5e-4,
        rule: Any = "gd",
        max_steps: int = 300,
        loss_tol: float | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            settings.pop("surface", "himmelblau"),
            start=start,
            learning_rate=learning_rate,
            rule=rule,
            max_steps=max_steps,
            loss_tol=loss_tol,
            **settings,
        )

    def new_settings(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a new explorer: start and rate are the exercise's on any surface."""
        return super().new_settings(held) | {"start": (1.0, 1.0), "learning_rate": 5e-4}
