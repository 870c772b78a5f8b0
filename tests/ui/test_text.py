"""Numbers are written as on paper, as many digits as matter, with one kind of minus."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdwidgets.ui import text


@given(st.floats(1e-30, 1e30), st.booleans())
def test_a_number_is_what_it_says(value, negative):
    value = -value if negative else value
    read = re.fullmatch(r"(−?)([\d,.]+?)?(?:·?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text.number(value))
    minus, digits, power = read.groups()
    exponent = (power or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    size = float((digits or "1").replace(",", "")) * 10.0 ** int(exponent)
    assert (-size if minus else size) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.2262, "0.2262"),
        (-1234.5678, "−1,235"),
        (1e-7, "10⁻⁷"),
        (3e-9, "3·10⁻⁹"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
    ],
)
def test_numbers(value, written):
    assert text.number(value) == written


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, st.integers(2, 6))
def test_no_number_has_a_hyphen_an_e_or_a_negative_zero(value, digits):
    for written in (text.number(value, digits), text.fixed(value, digits)):
        assert not re.search("[-e]", written)
        assert not re.fullmatch("−0(\\.0+)?", written)


@given(FINITE, st.integers(1, 6))
def test_a_table_never_shows_zeros_for_a_number_that_is_not_zero(value, decimals):
    assert (float(value) == 0) == bool(re.fullmatch("0(\\.0+)?", text.fixed(value, decimals)))


def test_numbers_that_are_none_are_named():
    assert [text.number(value) for value in (math.inf, -math.inf, math.nan)] == ["∞", "−∞", "NaN"]


@pytest.mark.parametrize(
    ("count", "says"), [(0, "0 updates"), (1, "1 update"), (1200, "1,200 updates")]
)
def test_one_is_singular(count, says):
    assert text.counted(count, "update") == says


def test_what_a_user_gave_is_escaped_and_only_marks_are_bold():
    html = text.html_sentence("**a < b** <script>", error=True)
    assert "<b>a &lt; b</b> &lt;script&gt;" in html
    assert "aria-live=assertive" in html
    assert text.plain("**a** b") == "a b"


def test_a_power_in_code_is_no_mark():
    sentence = f"**{text.code('z = x**2')} = 4**. It is 4."
    assert text.plain(sentence) == "z = x**2 = 4. It is 4."
    shown = text.html_sentence(sentence).replace("\u2060", "").replace("\u00a0", " ")
    assert "<b>z = x**2 = 4</b>. It is 4." in shown


@given(st.text(alphabet="ab`*<& ", max_size=20))
def test_code_in_a_sentence_is_marked_and_its_marks_are_not_read(said):
    html = text.html_sentence(f"Run `x = 1` now {said}")
    assert "<code>x\u00a0=\u00a01</code>" in html
    assert text.plain("Run `x = 1` **now**.") == "Run x = 1 now."
    assert html.count("<code>") == html.count("</code>")


@pytest.mark.parametrize("formula", ["2(1 + β)/λ", "2(1 + β)/((1 + 2β)λ)", "(κ − 1)/(κ + 1)"])
def test_a_formula_is_not_broken_within_its_brackets(formula):
    for html in (text.html_paragraphs([f"is {formula} = 3"]), text.html_sentence(f"is {formula}.")):
        seen = re.sub("<[^>]*>", "", html).replace("\u00a0", " ")
        assert formula in seen
        assert not re.search(r"\([^() ]* [+−] [^() ]*\)", re.sub("<[^>]*>", "", html))
    assert "<span class=gdw-whole>)/λ</span>" in text.html_paragraphs(["2(1 + β)/λ"])
