"""Whatever is given as a setting: a short ValueError that names it, and never anything else."""

from __future__ import annotations

import collections
import fractions
import math
import re
import warnings

import numpy as np
import pytest
import torch

import gdwidgets
from gdwidgets import pcpt
from gdwidgets.core import (
    SURFACES,
    Descent,
    PerLane,
    Surface,
    as_rule,
    basins,
    condition_number,
    hessian,
    initial_parameters,
    learning_rate_limit,
    training_pairs,
)
from gdwidgets.ui.settings import Checked

HIMMELBLAU = SURFACES["himmelblau"]
LONGEST = 400


def raising(*methods, of=object, **attributes):
    """An instance of a class whose named methods raise."""

    def method(*_, **__):
        raise RuntimeError("this raises")

    return type("Raising", (of,), dict.fromkeys(methods, method) | attributes)()


class RaisesNames:
    @property
    def parameter_names(self):
        raise RuntimeError("no names")

    label = parameter_names

    def __call__(self, *_):
        raise RuntimeError("w" * 10**5)


class RaisesInit:
    name = label = "own"

    def init(self, params):
        raise RuntimeError("no state")

    def update(self, *_):
        raise RuntimeError("no update")


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(1), 0.1, 0, torch.qint8)


def recursive():
    items = [1.0]
    items.append(items)
    return items


WRONG = {
    "a huge number": 10**400,
    "a number too long to print": 10**5000,
    "a huge fraction": fractions.Fraction(10**400, 3),
    "nan": math.nan,
    "minus infinity": -math.inf,
    "a complex number": 1j,
    "a long text": "x" * 10**5,
    "a bad text": raising("__eq__", "__repr__", "__str__", "lower", of=str, __hash__=str.__hash__),
    "bytes": b"x" * 10**5,
    "a long list": ["x"] * 10**4,
    "a long list of another kind": collections.UserList([1] * 10**4),
    "a list in itself": recursive(),
    "an unreadable list": raising("__iter__", "__len__", of=list),
    "an unreadable tuple": raising("__iter__", "__len__", of=tuple),
    "an unreadable mapping": raising("__iter__", "items", "keys", "__getitem__", of=dict),
    "a mapping": {"x" * 10**5: {"y": 1}},
    "a long range": range(10**18),
    "a generator": (one for one in [1.0]),
    "an array": np.eye(3),
    "an array of objects": np.array([object(), None]),
    "an array of texts": np.array(["a", "b"]),
    "a record array": np.zeros(2, dtype=[("a", float)]),
    "a meta tensor": torch.zeros(1, device="meta"),
    "a sparse tensor": torch.ones(2).to_sparse(),
    "a quantised tensor": quantised(),
    "a nested tensor": torch.nested.nested_tensor([torch.ones(1)] * 2, layout=torch.jagged),
    "an object": object(),
    "without a repr": raising("__repr__"),
    "without a length": raising("__len__", "__iter__", "__getitem__"),
    "without attributes": raising("__getattr__"),
    "an unequal object": raising("__eq__", "__hash__"),
    "a bad whole number": raising("__int__", "__index__", "__lt__", "__le__", of=int),
    "a bad number": raising("__float__", "__lt__", "__le__", "__format__", of=float),
    "a class": int,
    "a function that raises": raising("__call__"),
    "an objective that raises": RaisesNames(),
    "a function of nothing": lambda: None,
}  # fmt: skip


def check_is_short(name, call, value):
    """Call it; whatever it raises must be a short ValueError that names the setting."""
    try:
        call(value)
    except ValueError as error:
        said = str(error)
        assert re.search(rf"\b{name}\b", said), said[:LONGEST]
        assert len(said) <= LONGEST
        assert " at 0x" not in said


TRAITS = sorted(
    {
        (explorer, name)
        for explorer in gdwidgets.__all__
        if explorer.endswith(("Explorer", "Comparer"))
        for name, trait in getattr(gdwidgets, explorer).class_traits().items()
        if isinstance(trait, Checked)
    }
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("explorer", "name"), TRAITS)
def test_a_setting_refuses_in_a_few_words(explorer, name):
    trait = getattr(gdwidgets, explorer).class_traits()[name]
    for value in WRONG.values():
        check_is_short(name, lambda given: trait.validate(None, given), value)


def descent(**changed):
    settings = {"objective": HIMMELBLAU, "start": (1, 1), "learning_rate": 1e-3, "max_steps": 5}
    return Descent(**(settings | changed))


CORE = {
    **{
        ("Descent", name): lambda value, name=name: descent(**{name: value})
        for name in (
            "objective", "start", "learning_rate", "rule", "clear_every", "loss_tol", "max_steps",
            "record",
        )
    },
    ("fork", "k"): lambda value: descent().fork(value),
    ("fork", "rule"): lambda value: descent().fork(0, rule=value),
    ("fork", "learning_rate"): lambda value: descent().fork(0, learning_rate=value),
    ("hessian", "objective"): lambda value: hessian(value, (1, 1)),
    ("hessian", "point"): lambda value: hessian(HIMMELBLAU, value),
    ("learning_rate_limit", "objective"): lambda value: learning_rate_limit(value, (1, 1)),
    ("condition_number", "objective"): lambda value: condition_number(value, (1, 1)),
    ("basins", "learning_rate"): lambda value: basins(HIMMELBLAU, value),
    ("Surface", "function"): lambda value: Surface(value, (-1, 1)),
    ("Surface", "bounds"): lambda value: Surface(lambda u, v: u * v, value),
    ("Surface", "minima"): lambda value: Surface(lambda u, v: u * v, (-1, 1), value),
    ("Surface", "name"): lambda value: Surface(lambda u, v: u * v, (-1, 1), (), value),
    ("as_rule", "rule"): as_rule,
    ("PerLane", "rules"): PerLane,
    ("training_pairs", "num"): training_pairs,
    ("initial_parameters", "seed"): lambda value: initial_parameters(3, value),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("call", CORE, ids=" ".join)
def test_the_core_refuses_in_a_few_words(call):
    for value in WRONG.values():
        check_is_short(call[1], CORE[call], value)


def test_a_rule_that_cannot_begin_is_named():
    with pytest.raises(ValueError, match=r"^rule .*RaisesInit.* raised RuntimeError: no"):
        descent(rule=RaisesInit())


def test_what_is_no_run_cannot_be_pinned_and_changes_nothing():
    explorer = gdwidgets.HimmelblauExplorer(max_steps=3)
    for name, wrong in [("pins", (1,)), ("step", "x"), ("playing", "x"), ("problem", np.eye(2))]:
        before = getattr(explorer, name)
        with pytest.raises(ValueError, match=f"{name} must be"):
            setattr(explorer, name, wrong)
        assert getattr(explorer, name) == before
    for call, says in [
        (lambda: explorer.press("x"), "key must be one of"),
        (lambda: explorer.next_situation("x"), "by must be a whole number"),
        (lambda: explorer.scrub(None), "step must be a whole number"),
        (lambda: explorer.save(3), "path must be text or a Path, got 3"),
    ]:
        with pytest.raises(ValueError, match=says):
            call()
    explorer.redraw(full=True)
    explorer.close()


@pytest.mark.parametrize(
    "wrong", [{1: 2}, {"width": RaisesNames()}, {"width": raising("__repr__")}, 3]
)
def test_a_layout_that_is_none_is_named(wrong):
    with pytest.raises(ValueError, match="layout must be an ipywidgets Layout"):
        gdwidgets.HimmelblauExplorer(layout=wrong)


@pytest.mark.parametrize("surface", ["booth", HIMMELBLAU])
@pytest.mark.parametrize(
    ("name", "wrong"),
    [("bounds", one) for one in ((math.nan, 1), "x", 5, (2, -2), (-2, 2), np.eye(2))]
    + [("minima", one) for one in ("x", 5, [(0, 0)], np.eye(2))]
    + [("name", "mine")],
)
def test_what_a_surface_has_already_is_not_given_in_vain(surface, name, wrong):
    """Right or wrong, it would not be used."""
    for explorer in (gdwidgets.SurfaceExplorer, gdwidgets.HimmelblauExplorer):
        given = {"surface": surface, name: wrong}
        with pytest.raises(ValueError, match=f"^{name} must be left out") as refused:
            explorer(**given)
        assert len(str(refused.value)) <= LONGEST


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "x", None, math.nan, 10**9])
def test_the_course_s_samples_refuse_before_the_session_is_seeded(wrong):
    state = torch.random.get_rng_state()
    with pytest.raises(ValueError, match="num must be a whole number"):
        pcpt.generate_training_pairs(wrong)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_course_s_samples_may_be_counted_by_any_whole_number():
    state = torch.random.get_rng_state()
    made = []
    for num in (100, 100.0, np.int64(100), torch.tensor(100)):
        x, y = pcpt.generate_training_pairs(num)
        made.append([x, y, torch.rand(1)])
    for other in made[1:]:
        assert all(torch.equal(a, b) for a, b in zip(made[0], other, strict=True))
    torch.random.set_rng_state(state)


def test_a_picture_of_another_kind_names_kind():
    explorer = gdwidgets.HimmelblauExplorer(max_steps=3)
    for wrong in [*WRONG.values(), 5, "x", None]:
        with pytest.raises(ValueError, match=r"^kind must be one of 'png'") as refused:
            explorer.picture(wrong)
        assert len(str(refused.value)) <= LONGEST
    explorer.close()
