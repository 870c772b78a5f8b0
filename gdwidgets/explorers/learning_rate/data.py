"""What follows from the samples alone: the least-squares fit and the quadratic that the loss is."""

from __future__ import annotations

from dataclasses import dataclass

from gdwidgets.core import PolynomialRegression
from gdwidgets.core.analysis.quadratic import Quadratic, quadratic
from gdwidgets.core.objectives.least_squares import ClosedForm


@dataclass(frozen=True)
class Data:
    """What follows from the data alone."""

    regression: PolynomialRegression
    closed: ClosedForm
    quadratic: Quadratic

    @classmethod
    def of(cls, regression: PolynomialRegression) -> Data:
        """Of a regression."""
        found = quadratic(regression)
        if found is None:
            raise AssertionError("a regression is a quadratic")
        return cls(regression, regression.closed_form(), found)
