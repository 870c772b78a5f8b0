"""The named surfaces are what their sources say; a user's function is checked in plain words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdwidgets.core import SURFACES, Descent, Surface, hessian

LEAST = {
    "himmelblau": [0.0] * 4,
    "rosenbrock": [0.0],
    "beale": [0.0],
    "booth": [0.0],
    "matyas": [0.0],
    "rastrigin": [0.0],
    "ackley": [0.0],
    "six-hump camel": [-1.031628, -1.031628, -0.215464, -0.215464, 2.104250, 2.104250],
    "styblinski-tang": [-78.332331, -64.195612, -64.195612, -50.058893],
    "mccormick": [-1.913223, 1.228370],
    "saddle": [],
    "narrow valley": [0.0],
}
NAMES = list(SURFACES)


def test_every_surface_has_a_published_value():
    assert set(LEAST) == set(SURFACES)
    with pytest.raises(TypeError):
        SURFACES["mine"] = SURFACES["booth"]


@pytest.mark.parametrize("name", NAMES)
def test_minima_have_the_published_values_and_no_gradient(name):
    surface = SURFACES[name]
    if not surface.minima:
        return
    np.testing.assert_allclose(surface.values(surface.minima), LEAST[name], atol=2e-5)
    _, _, z = surface.grid(50)
    np.testing.assert_allclose(
        surface.gradient(surface.minima), 0, atol=1e-5 * float(np.abs(z).max()) + 1e-4
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ackley"])
def test_at_minima_the_hessian_is_positive_definite(name):
    for point in SURFACES[name].minima:
        assert float(torch.linalg.eigvalsh(hessian(SURFACES[name], point))[0]) > 0


def test_ackley_has_no_nan_at_its_sharp_point_and_rises_around_it():
    surface = SURFACES["ackley"]
    assert surface.gradient([(0, 0)]).tolist() == [[0, 0]]
    circle = [(0.01 * np.cos(t), 0.01 * np.sin(t)) for t in np.linspace(0, 6, 20)]
    assert (surface.values(circle) > surface.values([(0, 0)])).all()
    outward = (surface.gradient(circle) * circle).sum(1)
    assert (outward > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_central_differences(name):
    surface = SURFACES[name]
    (u0, u1), (v0, v1) = surface.bounds
    rng = np.random.default_rng(0)
    points = rng.uniform((u0, v0), (u1, v1), (20, 2))

    def value(point):
        u, v = torch.tensor(point, dtype=torch.float64)
        return float(surface.function(u, v))

    for point, gradient in zip(points, surface.gradient(points), strict=True):
        expected = [(value(point + step) - value(point - step)) / 2e-5 for step in 1e-5 * np.eye(2)]
        np.testing.assert_allclose(gradient, expected, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("name", NAMES)
def test_the_demonstration_start_gets_somewhere_without_diverging(name):
    surface = SURFACES[name]
    (u0, u1), (v0, v1) = surface.bounds
    assert u0 < surface.start[0] < u1
    assert v0 < surface.start[1] < v1
    descent = Descent(surface, surface.start, surface.learning_rate, max_steps=300)
    descent.advance_to(300)
    assert descent.outcomes[0] == "max_steps"
    fall = descent.loss[0, 0] - descent.loss[-1, 0]
    assert fall > 0.3 * abs(descent.loss[0, 0])
    moved = np.hypot(*(descent.params[-1, 0] - descent.params[0, 0]))
    assert moved > 0.02 * np.hypot(u1 - u0, v1 - v0)


def test_the_grid_has_v_in_rows_and_u_in_columns():
    surface = Surface(lambda u, v: u + 10 * v, ((0, 1), (2, 4)))
    u, v, z = surface.grid(5)
    assert (u.dtype, v.dtype, z.dtype) == (np.float32,) * 3
    np.testing.assert_allclose(z, u[None, :] + 10 * v[:, None])
    assert u[[0, -1]].tolist() == [0, 1]
    assert v[[0, -1]].tolist() == [2, 4]


def test_values_that_are_not_finite_stay_in_the_grid():
    _, _, z = Surface(lambda u, v: torch.log(u) + v, (-1, 1)).grid(10)
    assert np.isnan(z[:, 0]).all()
    assert np.isfinite(z[:, -1]).all()


def test_bounds_come_in_two_forms_and_leave_in_one():
    surface = Surface(SURFACES["booth"].function, (-1, 2), [(1, 3)], "mine", start=[0, 1])
    assert surface.bounds == ((-1.0, 2.0), (-1.0, 2.0))
    assert surface.minima == ((1.0, 3.0),)
    assert (surface.start, surface.learning_rate) == ((0.0, 1.0), None)
    assert surface.parameter_names == ("u", "v")


def good(u, v):
    return u**2 + v**2


def raises(u, v):
    raise KeyError("what the student wrote")


BAD = [
    ((3, (-1, 1)), {}, "callable of two tensors, got 3"),
    ((good, (1, -1)), {}, "bounds must be"),
    ((good, (1, 1)), {}, "min < max"),
    ((good, ((0, 1), (0, float("inf")))), {}, "finite"),
    ((good, "ab"), {}, "bounds must be"),
    ((good, ((0, 1),)), {}, "bounds must be"),
    ((good, (-1, 1), [(1,)]), {}, "minima must be a sequence of points of 2 finite numbers"),
    ((good, (-1, 1), 3), {}, "minima must be a sequence of points"),
    ((good, (-1, 1)), {"start": (1, 2, 3)}, "start must be 2 finite numbers"),
    ((good, (-1, 1)), {"learning_rate": 0}, "learning_rate must be greater than 0"),
    ((raises, (-1, 1)), {}, "KeyError: 'what the student wrote'"),
    ((lambda u: u, (-1, 1)), {}, "TypeError"),
    ((lambda u, v: 3.0, (-1, 1)), {}, "must return a tensor, got float"),
    ((lambda u, v: (u * v).sum(), (-1, 1)), {}, r"returned shape \(\)"),
    ((lambda u, v: torch.stack([u, v]), (-1, 1)), {}, "returned shape"),
    ((lambda u, v: u - u.mean() + v, (-1, 1)), {}, "every element by itself"),
    ((lambda u, v: u.flip(0) * v, (-1, 1)), {}, "every element by itself"),
    ((lambda u, v: (u * v).detach(), (-1, 1)), {}, "not differentiable"),
    ((lambda u, v: torch.ones_like(u), (-1, 1)), {}, "not differentiable"),
    ((lambda u, v: (u * v).long(), (-1, 1)), {}, "floating-point"),
    ((lambda u, v: torch.log(-(u**2) - v**2 - 1), (-1, 1)), {}, "not finite anywhere"),
]


@pytest.mark.parametrize(("arguments", "keywords", "message"), BAD)
def test_what_is_no_surface_is_said_in_plain_words(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        Surface(*arguments, **keywords)


def test_points_must_be_pairs():
    with pytest.raises(ValueError, match=r"shape \(M, 2\)"):
        SURFACES["booth"].gradient([1, 2])


def adds(u, v):
    u.data.add_(1.0)
    return u**2 + v**2


def clamps(u, v):
    v.data.clamp_(min=0)
    return u**2 + v**2


@pytest.mark.parametrize(("function", "name"), [(adds, "u"), (clamps, "v")])
def test_a_function_that_writes_into_its_arguments_is_refused(function, name):
    with pytest.raises(ValueError, match=f"must not change its arguments: it changes {name} in"):
        Surface(function, ((-2, 2), (-2, 2)))
