"""Least-squares polynomials: fitted in a basis that suits the data, then written in powers of x.

The powers 1, x, x², … of inputs such as 1990 … 2020 are so nearly dependent that float64 cannot fit
with them: a solver drops the directions it cannot tell from rounding, and returns a polynomial
that is not the best one. Polynomials that are orthonormal over the inputs have no such trouble
(Forsythe, "Generation and use of orthogonal polynomials for data-fitting", 1957; Brubeck,
Nakatsukasa and Trefethen, "Vandermonde with Arnoldi", 2021). What depends on the powers, the
coefficients and the singular values of X, is then derived with 200 digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any, Self

import numpy as np

FloatArray = np.ndarray[Any, np.dtype[np.float64]]

_DIGITS = 200
"""Decimal digits where powers of x are involved; enough for any float32 inputs up to degree 10."""

_NEARLY_RIGHT_ANGLE = Decimal("1e-20")
"""Cosine of two columns below which they count as orthogonal."""

_PLAIN = 1e-8
"""Ratio of the smallest to the largest singular value down to which float64 finds both."""

Row = list[Decimal]


class OrthonormalPolynomials:
    """Polynomials q₀, q₁, … of rising degree with q_iᵀ q_j = 1 if i = j else 0 over the inputs.

    Parameters
    ----------
    x
        float64 (N,), finite.
    count
        How many are wanted; there are as many as different inputs at most.

    Attributes
    ----------
    columns
        float64 (N, rank), the polynomials at the inputs.
    rank
        How many there are.
    """

    def __init__(self, x: FloatArray, count: int) -> None:
        self.rank = min(count, len(np.unique(x)))
        low, high = float(x.min()), float(x.max())
        self._middle, self._half = (low + high) / 2, (high - low) / 2 or 1.0
        t = (x - self._middle) / self._half
        self.columns = np.empty((len(x), self.rank))
        self.columns[:, 0] = 1 / math.sqrt(len(x))
        self._mixing = np.zeros((self.rank, self.rank))
        for j in range(1, self.rank):
            column = t * self.columns[:, j - 1]
            before = self.columns[:, :j]
            # Twice: what the first pass leaves is rounding of the large part it took away.
            for _ in range(2):
                part = before.T @ column
                column = column - before @ part
                self._mixing[:j, j] += part
            self._mixing[j, j] = np.linalg.norm(column)
            self.columns[:, j] = column / self._mixing[j, j]

    def at(self, x: FloatArray) -> FloatArray:
        """The polynomials at other inputs (M,): float64 (M, rank)."""
        t = (x - self._middle) / self._half
        columns = np.empty((len(x), self.rank))
        columns[:, 0] = self.columns[0, 0]
        for j in range(1, self.rank):
            mixed = columns[:, :j] @ self._mixing[:j, j]
            columns[:, j] = (t * columns[:, j - 1] - mixed) / self._mixing[j, j]
        return columns

    def coefficients(self) -> list[Row]:
        """Row j: the coefficients of q_j in powers of x, constant first; in the present context."""
        middle, half = Decimal(self._middle), Decimal(self._half)
        rows: list[Row] = [[Decimal(float(self.columns[0, 0]))]]
        for j in range(1, self.rank):
            last = rows[-1]
            # t q = (x − middle) / half · q
            row = [Decimal(0), *(c / half for c in last)]
            for power, c in enumerate(last):
                row[power] -= c * middle / half
            for i, earlier in enumerate(rows):
                part = Decimal(float(self._mixing[i, j]))
                for power, c in enumerate(earlier):
                    row[power] -= part * c
            scale = Decimal(float(self._mixing[j, j]))
            rows.append([c / scale for c in row])
        return rows


class ClosedForm(tuple[FloatArray, float]):  # noqa: SLOT001 - a tuple's subclass cannot have any
    """The best polynomial for N samples; unpacks as ``coefficients, loss``.

    Attributes
    ----------
    coefficients
        float64 (P,), constant term first; infinite where float64 has no such number. Where several
        polynomials fit equally well, those with the smallest sum of squares.
    loss
        The lowest mean squared error any polynomial of this degree has, whether or not its
        coefficients can be written down.
    unique
        Whether it is the only best polynomial: N inputs have P or more different values.
    rank
        Rank of the matrix X of the powers of the inputs: P, or the number of different inputs.
    loss_in_float64, loss_in_float32
        The mean squared error of the coefficients as rounded to these numbers: what the rounding
        alone costs, computed without further error.
    representable
        Whether float32 coefficients, such as a descent has, can come close to the minimum loss:
        rounding them adds less than 0.1 % to it, or less than 1e-8 of the targets' variance.
    representable_in_float64
        The same of the float64 ``coefficients``.
    """

    unique: bool
    rank: int
    loss_in_float64: float
    loss_in_float32: float
    representable: bool
    representable_in_float64: bool
    _basis: OrthonormalPolynomials
    _weights: FloatArray

    def __new__(
        cls, basis: OrthonormalPolynomials, x: FloatArray, y: FloatArray, degree: int
    ) -> Self:
        """The fit of y by polynomials of a basis over x; see `closed_form`."""
        weights = basis.columns.T @ y
        # Once more on what remains: the first pass leaves rounding of the size of y.
        weights += basis.columns.T @ (y - basis.columns @ weights)
        loss = _mean_square(y - basis.columns @ weights)
        exact = _in_powers(basis, weights, degree, x)
        coefficients = np.array([_as_float(c) for c in exact])
        self = super().__new__(cls, (coefficients, loss))
        self._basis, self._weights = basis, weights
        self.rank = basis.rank
        self.unique = basis.rank == degree + 1
        with np.errstate(over="ignore", under="ignore"):
            narrow = coefficients.astype(np.float32).astype(np.float64)
        added = [_mean_square(_change(exact, rounded, x)) for rounded in (coefficients, narrow)]
        allowed = max(1e-3 * loss, 1e-8 * float(np.var(y)))
        self.loss_in_float64, self.loss_in_float32 = loss + added[0], loss + added[1]
        self.representable_in_float64, self.representable = (cost <= allowed for cost in added)
        return self

    @property
    def coefficients(self) -> FloatArray:
        """The coefficients, float64 (P,)."""
        return self[0]

    @property
    def loss(self) -> float:
        """The minimum of the mean squared error."""
        return self[1]

    def values(self, x: Any) -> FloatArray:
        """Values of the polynomial at M inputs, float64 (M,).

        Accurate among the samples' inputs even where the coefficients are not representable.
        Where the polynomial is not unique, one of them, not that of the smallest coefficients.
        """
        points = np.atleast_1d(np.asarray(x, dtype=np.float64))
        return np.asarray(self._basis.at(points) @ self._weights)


@dataclass(frozen=True)
class Singular:
    """The singular value decomposition of X (N, P), the powers of the inputs: X = U diag(s) Vᵀ."""

    left: FloatArray
    """U, (N, r): the columns that belong to values above 0."""

    values: FloatArray
    """s, (P,), falling; exactly 0 beyond the rank r."""

    right: FloatArray
    """V, (P, P), orthogonal."""


def closed_form(x: FloatArray, y: FloatArray, degree: int) -> ClosedForm:
    """The polynomial of minimum mean squared error.

    Parameters
    ----------
    x, y
        float64 (N,), N at least 1, numbers that float32 holds.
    degree
        At least 0.
    """
    return ClosedForm(OrthonormalPolynomials(x, degree + 1), x, y, degree)


def singular(x: FloatArray, degree: int) -> Singular:
    """The singular value decomposition of the powers of x, every value to 7 digits or more.

    An ordinary routine has errors of 1e-16 of the largest value, so those far below it are noise.
    Where there are such, X = Q R with Q from `OrthonormalPolynomials` and R, the powers written in
    them, worked out with 200 digits; one-sided Jacobi rotations keep the small values of R exact
    (Demmel and Veselić, "Jacobi's method is more accurate than QR", 1992).

    Parameters
    ----------
    x
        float64 (N,), finite.
    degree
        At least 0.
    """
    count = degree + 1
    basis = OrthonormalPolynomials(x, count)
    if basis.rank == count:
        powers = x[:, None] ** np.arange(count)
        left, values, right = np.linalg.svd(powers, full_matrices=False)
        if values[-1] > _PLAIN * values[0]:
            return Singular(left, values, right.T)
    with localcontext(Context(prec=_DIGITS)):
        columns = _powers_in_polynomials(basis, count, x)
        turned = _rotated(columns)
        lengths = [_dot(column, column).sqrt() for column in columns]
        order = sorted(range(count), key=lambda i: lengths[i], reverse=True)
        values = np.array([_as_float(lengths[i]) for i in order])
        values[basis.rank :] = 0.0
        right = np.array([[float(turned[i][row]) for i in order] for row in range(count)])
        kept = order[: basis.rank]
        inner = np.array(
            [[float(columns[i][row] / lengths[i]) for i in kept] for row in range(basis.rank)]
        )
    return Singular(basis.columns @ inner, values, right)


def _in_powers(
    basis: OrthonormalPolynomials, weights: FloatArray, degree: int, x: FloatArray
) -> list[Fraction]:
    """The coefficients of Σ weights_j q_j in powers of x: degree + 1 of them, exactly rounded."""
    with localcontext(Context(prec=_DIGITS)):
        total = [Decimal(0)] * basis.rank
        for weight, row in zip(weights.tolist(), basis.coefficients(), strict=True):
            for power, c in enumerate(row):
                total[power] += Decimal(weight) * c
        exact = [Fraction(c) for c in total]
    if basis.rank == degree + 1:
        return exact
    return _smallest(exact, np.unique(x).tolist(), degree)


def _smallest(exact: list[Fraction], points: list[float], degree: int) -> list[Fraction]:
    """The coefficients with the smallest sum of squares whose polynomial agrees at the points.

    c = Xᵀ (X Xᵀ)⁻¹ f, in exact fractions: there are at most ``degree`` points.
    """
    matrix = [[Fraction(point) ** d for d in range(degree + 1)] for point in points]
    values = [sum((c * row[d] for d, c in enumerate(exact)), Fraction(0)) for row in matrix]
    system = [
        [sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0)) for other in matrix]
        for one in matrix
    ]
    count = len(points)
    for i in range(count):  # X Xᵀ is positive definite: no pivots are needed
        for j in range(i + 1, count):
            factor = system[j][i] / system[i][i]
            system[j] = [a - factor * b for a, b in zip(system[j], system[i], strict=True)]
            values[j] -= factor * values[i]
    for i in reversed(range(count)):
        known = sum((system[i][j] * values[j] for j in range(i + 1, count)), Fraction(0))
        values[i] = (values[i] - known) / system[i][i]
    return [
        sum((matrix[i][d] * values[i] for i in range(count)), Fraction(0))
        for d in range(degree + 1)
    ]


def _change(exact: list[Fraction], rounded: FloatArray, x: FloatArray) -> FloatArray:
    """What rounding the coefficients changes in the values at x: (N,)."""
    if not np.isfinite(rounded).all():
        return np.full(len(x), math.inf)
    errors = [_as_float(Fraction(r) - e) for r, e in zip(rounded.tolist(), exact, strict=True)]
    with np.errstate(over="ignore", invalid="ignore"):
        changes = sum(error * x**d for d, error in enumerate(errors))
    return np.nan_to_num(np.asarray(changes, dtype=np.float64), nan=math.inf)


def _powers_in_polynomials(basis: OrthonormalPolynomials, count: int, x: FloatArray) -> list[Row]:
    """Columns of R with X = Q R: column d is xᵈ written in q₀, …, of ``rank`` numbers."""
    rows = basis.coefficients()
    columns: list[Row] = []
    for d in range(basis.rank):
        column = [Decimal(0)] * basis.rank
        rest = [Decimal(0)] * d + [Decimal(1)]
        for j in range(d, -1, -1):
            column[j] = rest[j] / rows[j][j]
            for power, c in enumerate(rows[j]):
                rest[power] -= column[j] * c
        columns.append(column)
    if basis.rank < count:
        # Powers beyond the rank are, at these inputs, polynomials of lower degree.
        q = basis.at(np.unique(x))
        inverse = np.linalg.inv(q)
        for d in range(basis.rank, count):
            values = np.unique(x) ** d
            columns.append([Decimal(float(c)) for c in inverse @ values])
    return columns


def _rotated(columns: list[Row]) -> list[Row]:
    """Rotate columns in place until they are orthogonal; the columns of the rotation V."""
    count = len(columns)
    turned = [[Decimal(int(i == j)) for i in range(count)] for j in range(count)]
    for _ in range(60):
        still = True
        for i in range(count - 1):
            for j in range(i + 1, count):
                a, b = _dot(columns[i], columns[i]), _dot(columns[j], columns[j])
                c = _dot(columns[i], columns[j])
                if abs(c) <= _NEARLY_RIGHT_ANGLE * (a * b).sqrt():
                    continue
                still = False
                zeta = (b - a) / (2 * c)
                tangent = 1 / (abs(zeta) + (1 + zeta * zeta).sqrt())
                if zeta < 0:
                    tangent = -tangent
                cosine = 1 / (1 + tangent * tangent).sqrt()
                sine = cosine * tangent
                for each in (columns, turned):
                    one, other = each[i], each[j]
                    each[i] = [cosine * p - sine * q for p, q in zip(one, other, strict=True)]
                    each[j] = [sine * p + cosine * q for p, q in zip(one, other, strict=True)]
        if still:
            break
    return turned


def _dot(one: Row, other: Row) -> Decimal:
    return sum((a * b for a, b in zip(one, other, strict=True)), Decimal(0))


def _mean_square(values: FloatArray) -> float:
    with np.errstate(over="ignore"):
        return float(np.square(values).mean())


def _as_float(number: Fraction | Decimal) -> float:
    """The nearest float64; infinite where it is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
