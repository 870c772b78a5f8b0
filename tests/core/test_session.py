"""The student's torch session changes neither our numbers nor is it changed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from gdwidgets.core import (
    SURFACES,
    Descent,
    LinearNeuron,
    PolynomialRegression,
    Surface,
    basins,
    condition_number,
    initial_parameters,
    learning_rate_limit,
    own_torch_state,
    training_pairs,
)

WIDGET_PACKAGES = ("ipywidgets", "bqplot", "traitlets", "IPython", "matplotlib", "pandas")


def everything():
    """Bytes of what every computing call gives."""
    regression = PolynomialRegression(*training_pairs())
    surface = Surface(lambda u, v: torch.sin(u) ** 2 + (v - 0.2) ** 2, (-2, 2))
    runs = [
        Descent(regression, initial_parameters(), (1.0, 0.1, 0.01, 0.001), max_steps=300),
        Descent(LinearNeuron(), (0.5, 0.5), 0.1, clear_every=(None, 1, 3), max_steps=30),
        Descent(SURFACES["himmelblau"], [(1, 1), (-1, 1)], 5e-4, loss_tol=1e-4, max_steps=300),
        Descent(surface, (1, 1), 0.1, rule=["gd", "adam", "momentum"], max_steps=40),
    ]
    for run in runs:
        run.advance_to(run.max_steps)
    runs.append(runs[1].fork(10, rule="nesterov"))
    runs[-1].advance_to(30)
    found = [array.tobytes() for run in runs for array in (run.params, run.loss, run.grad)]
    found += [run.step_grad.tobytes() for run in runs]
    found.append(basins(surface, 0.1, resolution=12, max_steps=50).labels.tobytes())
    coefficients, loss = regression.closed_form()
    found += [coefficients.tobytes(), loss]
    found += [surface.grid(10)[2].tobytes(), surface.gradient([(1, 2)]).tobytes()]
    found += [
        regression.predict((1, 2, 3), (0, 1)).numpy().tobytes(),
        regression.manual_gradient((1, 2, 3)).numpy().tobytes(),
        learning_rate_limit(regression, (0, 0, 0)),
        learning_rate_limit(surface, (0, 0)),
        condition_number(surface, (0, 0)),
    ]
    return found


@pytest.fixture(scope="module")
def expected():
    return everything()


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def seeded():
    torch.manual_seed(1234)
    yield


def autocast():
    return torch.autocast("cpu", dtype=torch.bfloat16)


SESSIONS = {
    "default dtype float64": default_dtype,
    "default device meta": default_device,
    "inside torch.device": lambda: torch.device("meta"),
    "gradients off": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": autocast,
    "one thread": one_thread,
    "seeded": seeded,
}


def state():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_num_threads(),
        bytes(torch.get_rng_state().untyped_storage()),
    )


@pytest.mark.parametrize("session", SESSIONS)
def test_numbers_and_session_stay_the_same(session, expected):
    with SESSIONS[session]():
        before = state()
        assert everything() == expected
        assert state() == before


@pytest.mark.parametrize("session", SESSIONS)
def test_the_session_is_restored_when_a_call_raises(session):
    with SESSIONS[session]():
        before = state()
        with pytest.raises(ZeroDivisionError), own_torch_state():
            raise ZeroDivisionError
        assert state() == before


def test_tensors_made_in_inference_mode_are_welcome(expected):
    with torch.inference_mode():
        x, y = (side.clone() for side in training_pairs())
        start = initial_parameters().clone()
    descent = Descent(PolynomialRegression(x, y), start, (1.0, 0.1, 0.01, 0.001), max_steps=300)
    descent.advance_to(300)
    assert descent.params.tobytes() == expected[0]


def test_tensors_of_the_student_s_keep_their_gradients():
    weight = torch.tensor(2.0, requires_grad=True)
    surface = Surface(lambda u, v: weight * u**2 + v**2, (-2, 2))
    descent = Descent(surface, (1, 1), 0.1, max_steps=5)
    descent.advance_to(5)
    surface.gradient([(1, 1)])
    assert weight.grad is None


def test_the_core_needs_no_widgets():
    code = (
        "import sys, gdwidgets.core, gdwidgets.core.scripts.descent\n"
        f"print([name for name in {WIDGET_PACKAGES} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
