"""Every check returns a value of its type or raises a short ValueError that names the setting."""

from __future__ import annotations

import fractions
import re
import warnings
from collections import UserList

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.core import checks


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


class Endless:
    """A number and container that answers nothing."""

    def __len__(self):
        raise RuntimeError("no")

    def __array__(self, *_, **__):
        raise MemoryError

    def __iter__(self):
        raise KeyError


def recursive():
    items = [1.0]
    items.append(items)
    return items


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch will do without them some day
        return torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)


def checked(check, value, name):
    """What a check returns, or the message it raises as a ValueError."""
    try:
        return CHECKS[check](value, name), ""
    except ValueError as error:
        return None, str(error)


CHECKS = {
    "integer": lambda value, name: checks.integer(value, name, 1, 9),
    "unbounded": lambda value, name: checks.integer(value, name, 1),
    "real": checks.real,
    "limited": lambda value, name: checks.real(value, name, above=0, high=1),
    "positive": checks.positive,
    "fraction": checks.fraction,
    "boolean": checks.boolean,
    "text": checks.text,
    "one_of": lambda value, name: checks.one_of(value, name, ["alpha", "beta"]),
    "point": checks.point,
    "points": checks.points,
    "optional": checks.optional(checks.integer, 1, high=9),
    "float64_array": checks.float64_array,
    "finite_float32": checks.finite_float32,
}

ODD = {
    "a huge number": 10**400,
    "a number too long to print": 10**5000,
    "a huge negative number": -(10**400),
    "a huge fraction": fractions.Fraction(10**400, 3),
    "nan": float("nan"),
    "a complex number": 1j,
    "a long text": "x" * 10**6,
    "long bytes": b"x" * 10**6,
    "a long list": ["x"] * 10**6,
    "a long list of its own kind": UserList(["x"] * 10**6),
    "a deep list": [[[[["x" * 10**6] * 10] * 10] * 10] * 10] * 10,
    "a list in itself": recursive(),
    "a mapping": {"x" * 10**6: "y" * 10**6},
    "an array of texts": np.array(["a", "b"]),
    "an array of objects": np.array([object(), None]),
    "a large complex array": np.zeros((3, 1000), dtype=complex),
    "an array of dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "a meta tensor": torch.zeros(2, device="meta"),
    "a meta number": torch.zeros((), device="meta"),
    "a sparse tensor": torch.zeros(2, 2).to_sparse(),
    "a quantised tensor": quantised(),
    "a complex tensor": torch.zeros(1, dtype=torch.complex64),
    "a nested tensor": torch.nested.nested_tensor(
        [torch.ones(2), torch.ones(3)], layout=torch.jagged
    ),
    "a list of meta tensors": [torch.zeros((), device="meta")] * 2,
    "an object without a repr": Unprintable(),
    "a list of these": [Unprintable()],
    "an object that answers nothing": Endless(),
    "a class": int,
    "a function": recursive,
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_whatever_is_given_the_error_is_a_short_sentence_about_the_setting(check, odd):
    _, message = checked(check, ODD[odd], "the setting")
    assert not message or re.match(r"the setting must .*\bgot ", message)
    assert len(message) < 170


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(),
    st.complex_numbers(), st.lists(st.floats() | st.booleans() | st.text()),
    st.dictionaries(st.text(), st.integers()), st.fractions(), st.decimals(), st.dates(),
    st.lists(st.integers() | st.lists(st.integers())),
)  # fmt: skip


@given(values, st.sampled_from(list(CHECKS)))
def test_a_check_gives_its_type_or_a_value_error(value, check):
    types = {
        "integer": int, "unbounded": int, "real": float, "limited": float, "positive": float,
        "fraction": float, "boolean": bool, "text": str, "one_of": str, "point": tuple,
        "points": tuple, "optional": (int, type(None)), "float64_array": np.ndarray,
        "finite_float32": torch.Tensor,
    }  # fmt: skip
    result, message = checked(check, value, "it")
    assert message.startswith("it must ") or isinstance(result, types[check])


TEN = [10, 10.0, np.int8(10), np.float32(10), np.array(10), np.array([10.0]), torch.tensor(10),
       torch.tensor([10.0], requires_grad=True), fractions.Fraction(10)]  # fmt: skip


@pytest.mark.parametrize("value", TEN, ids=repr)
def test_ten_is_ten_whatever_holds_it(value):
    assert checks.integer(value, "n", 1, 10) == 10
    assert type(checks.integer(value, "n", 1, 10)) is int
    assert checks.real(value, "x") == 10
    assert type(checks.real(value, "x")) is float


@pytest.mark.parametrize("value", [True, np.True_, torch.tensor(data=True), np.array([False])])
def test_a_bool_is_no_number_and_a_number_is_no_bool(value):
    for check in (checks.integer, checks.real):
        with pytest.raises(ValueError, match="must be"):
            check(value, "x", low=0)
    assert checks.boolean(value, "x") is bool(value)
    for number in (0, 1, 1.0, np.array(1), None, "True"):
        with pytest.raises(ValueError, match="x must be True or False"):
            checks.boolean(number, "x")


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        (lambda v: checks.integer(v, "n", 1, 5), 6, "n must be a whole number from 1 to 5, got 6"),
        (lambda v: checks.integer(v, "n", 1), 0.5, "n must be a whole number, at least 1, got 0.5"),
        (lambda v: checks.integer(v, "n", 1), torch.ones(9),
         r"n must be a whole number, at least 1, got tensor of shape \(9,\), torch.float32"),
        (lambda v: checks.real(v, "x"), 10**400,
         "x must be a finite number, got a whole number of about 401 digits"),
        (lambda v: checks.real(v, "x", low=0, high=1), 2, "x must be from 0 to 1, got 2"),
        (lambda v: checks.real(v, "x", low=0), -1, "x must be at least 0, got -1"),
        (lambda v: checks.real(v, "x", high=0), 1, "x must be at most 0, got 1"),
        (lambda v: checks.real(v, "x", above=1), 1, "x must be greater than 1, got 1"),
        (lambda v: checks.positive(v, "x"), 0, "x must be greater than 0, got 0"),
        (lambda v: checks.one_of(v, "mode", ["Ada", "b"]), "ad",
         "mode must be one of 'Ada', 'b', got 'ad'; did you mean 'Ada'?"),
        (lambda v: checks.point(v, "p"), (1, float("nan")),
         r"p must be 2 finite numbers, got \(1, nan\)"),
        (lambda v: checks.points(v, "ps"), [(1, 2), (3,)], "ps must be a sequence of points of 2"),
        (lambda v: checks.text(v, "t"), 3, "t must be text, got 3"),
    ],
)  # fmt: skip
def test_messages(check, value, message):
    with pytest.raises(ValueError, match=message):
        check(value)


def test_points_and_infinity_and_none():
    assert checks.point(torch.tensor([1.0, 2.0]), "p") == (1.0, 2.0)
    assert checks.point([1, 2, 3], "p", 3) == (1.0, 2.0, 3.0)
    assert checks.points(np.eye(2), "ps") == ((1.0, 0.0), (0.0, 1.0))
    assert checks.points([], "ps") == ()
    assert checks.real(float("inf"), "x", infinite=True) == float("inf")
    assert checks.optional(checks.positive)(None, "x") is None
    assert checks.optional(checks.integer, 1, 3)(2, "x") == 2


@given(values | st.lists(st.lists(values)))
def test_a_value_is_shown_in_one_short_line(value):
    assert len(checks.shown(value)) <= 60
    assert "\n" not in checks.shown(value)
