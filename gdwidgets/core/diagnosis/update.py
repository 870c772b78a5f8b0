"""The update rule of a recorded loop, as far as its updates show it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gdwidgets.core.diagnosis.findings import roundest
from gdwidgets.core.diagnosis.moves import holds


@dataclass(frozen=True)
class Update:
    """What the updates are.

    ``kind`` is one of: ``"none"`` (the gradients say nothing), ``"still"`` (nothing moves),
    ``"plain"``, ``"per_parameter"`` (plain, with a rate for each number), ``"swapped"``,
    ``"stale"``, ``"every_n"``, ``"momentum"``, ``"nesterov"``, ``"rmsprop"``, ``"adam"``,
    ``"adagrad"``, ``"adamw"``, ``"decayed"`` (plain, with weight decay), ``"sign"``, ``"size"``
    (by the size of each gradient, its sign lost), ``"schedule"``, ``"clipped"``,
    ``"normalised"``, ``"reference"`` (the reference's own rule, which has none of these names),
    ``"few"`` (too few to say), ``"unknown"``.
    """

    kind: str
    low: float = -np.inf
    high: float = np.inf
    """Bounds of the learning rate; below 0 the update goes uphill."""
    each: tuple[tuple[float, float], ...] = ()
    """Bounds of each number's rate, for ``"per_parameter"``."""
    frozen: tuple[int, ...] = ()
    """Numbers that never move though their gradient is not 0."""
    order: tuple[int, ...] = ()
    """For ``"swapped"``: the number whose gradient moves number i."""
    n: int = 1
    """For ``"every_n"``: backward passes to an update."""
    first: int = 1
    """For ``"every_n"``: backward passes to the first update, 1 to n."""
    constants: dict[str, float] = field(default_factory=dict)
    """β, α and the like; ``"weight_decay"`` and ``"dampening"`` where there is any."""
    about: tuple[str, ...] = ()
    """Names of constants that are known roughly only."""
    segments: tuple[tuple[int, float, float], ...] = ()
    """For ``"schedule"``: from which update on, and the rate's bounds; for ``"unknown"`` the one
    before ``step``."""
    step: int = 0
    """Update at which it shows first."""
    form: str = ""
    """For ``"schedule"``: how the rate changes; for ``"unknown"``: ``"along"`` where each update is
    a multiple of its gradient; ``"ahead"`` for Nesterov's momentum in its first
    form; ``"sign"`` where steps of one length against the gradient's sign would be the same."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of the learning rate."""
        return self.low, self.high

    def holds(self, rate: float) -> bool:
        """Whether a learning rate lies within the bounds."""
        return holds(self.low, self.high, rate)

    def rate(self, expected: float | None = None) -> float:
        """The learning rate: the expected one if it fits, else the roundest that does."""
        for rate in () if expected is None else (expected, -expected):
            if holds(self.low, self.high, rate):
                return rate
        if not np.isfinite(self.low) or not np.isfinite(self.high):
            return float("nan")
        return roundest(*sorted((self.low, self.high)))
