"""All that is found out about a recorded loop before anything is said."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdwidgets.core.diagnosis.clearing import Clearing, clearing_of
from gdwidgets.core.diagnosis.comparison import made_by, same_start
from gdwidgets.core.diagnosis.evaluation import Evaluated, evaluated
from gdwidgets.core.diagnosis.losses import Relation, relation
from gdwidgets.core.diagnosis.moves import Moves, holds, moves_of
from gdwidgets.core.diagnosis.records import LoopRecord, Reference
from gdwidgets.core.diagnosis.updates import Update, identify

MEMORY_RULES = ("momentum", "nesterov", "rmsprop", "adam", "adagrad")
"""Rules that remember gradients, by the names of their findings."""


class Case:
    """A record and its reference, and everything that is found out about them on the way."""

    def __init__(self, record: LoopRecord, reference: Reference | None) -> None:
        self.record = record
        self.reference = reference
        self.computed: Evaluated | None = None
        self.relation = Relation("unknown")
        if reference is not None:
            self.computed = evaluated(reference.objective, record.params, record.number)
            self.relation = relation(record, reference.objective, self.computed)
        self.clearing: Clearing = clearing_of(record)
        self.by_hand = bool(np.isnan(record.grad).all())
        self.moves: Moves = moves_of(record, self.computed)
        rule = None if reference is None else reference.rule
        self.rate = None if reference is None else reference.learning_rate
        self.update = Update("none")
        # Without gradients of its own, a loop with another loss has none that are known.
        if not self.by_hand or self.relation.kind in {"same", "factor"}:
            self.update = self._references_own() or identify(self.moves, rule, self.rate)
        self.same_rule = self._same_rule()

    @property
    def factor(self) -> float:
        """How many times the reference's gradient the loop's own is."""
        return self.relation.factor if self.relation.kind in {"factor", "gradient factor"} else 1.0

    def _references_own(self) -> Update | None:
        """The reference's rule and rate, if they make every update; not for plain descent."""
        reference = self.reference
        if reference is None or reference.rule.name == "gd" or not self.moves.delta.any():
            return None
        if self.clearing.kind == "decays" or not made_by(self.moves, reference):
            return None
        name, rate = str(reference.rule.name), reference.learning_rate
        constants = {
            key: float(getattr(reference.rule, key))
            for key in ("beta", "alpha", "beta1", "beta2")
            if isinstance(getattr(reference.rule, key, None), (int, float))
        }
        return Update(
            name if name in MEMORY_RULES else "reference", rate, rate, constants=constants
        )

    def _same_rule(self) -> bool:
        """Whether the rule is the reference's, whatever its rate."""
        reference = self.reference
        if reference is None:
            return False
        name, update = str(reference.rule.name), self.update
        beta = self.clearing.beta if self.clearing.kind == "decays" else 0.0
        if name == "gd":
            return update.kind in {"plain", "none"} and not beta
        if update.kind in {"none", "reference"}:
            return True
        if update.kind == "plain" and beta and name == "momentum":
            return abs(beta - float(reference.rule.beta)) < 1e-4
        if update.kind == name:
            own = {key: getattr(reference.rule, key, None) for key in update.constants}
            return (
                all(
                    value is None or abs(value - update.constants[key]) < 1e-4
                    for key, value in own.items()
                )
                and update.constants.get("corrected", 1.0) == 1.0
            )
        return False

    @property
    def same_rate(self) -> bool:
        """Whether rule and rate are the reference's."""
        if self.reference is None or not self.same_rule or self.rate is None:
            return False
        kind = self.update.kind
        if kind in {"none", "reference"}:
            return True
        return holds(self.update.low, self.update.high, self.rate)

    @property
    def first_move(self) -> int:
        """The record after which something moves for the first time."""
        moving = (self.moves.delta != 0).any(axis=1)
        return int(self.moves.number[moving.argmax()]) if moving.any() else 0

    @property
    def moving_names(self) -> list[str]:
        """Names of the numbers that move, or whose gradient is 0."""
        frozen = self.update.frozen
        return [name for place, name in enumerate(self.record.names) if place not in frozen]

    @property
    def rates(self) -> dict[str, Update]:
        """Where plain descent has a rate for each number: by name, those known to go up or down."""
        each = zip(self.moving_names, self.update.each, strict=True)
        return {name: Update("plain", *one) for name, one in each if one[0] > 0 or one[1] < 0}

    @property
    def samples(self) -> int | None:
        """How many samples the reference's loss is the mean of."""
        x: Any = None if self.reference is None else getattr(self.reference.objective, "x", None)
        return len(x) if hasattr(x, "__len__") else None

    @property
    def stochastic(self) -> bool:
        """Whether the reference's loss changes from step to step."""
        return self.reference is not None and hasattr(self.reference.objective, "begin_step")

    @property
    def agrees_locally(self) -> bool:
        """Whether start, loss, gradients, rule and rate are the reference's."""
        return (
            self.reference is not None
            and self.relation.kind in {"same", "unknown"}
            and not (self.stochastic and self.relation.kind == "unknown")
            and self.same_rate
            and not self.update.frozen
            and same_start(self.record, self.reference)
        )
