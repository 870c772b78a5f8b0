"""The course's training samples and its random initial parameters."""

from __future__ import annotations

import torch

from gdwidgets.core import checks
from gdwidgets.core.session import own_torch_state


def training_pairs(num: int = 100, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy samples of a quadratic with a ripple: the course's ``generate_training_pairs``.

    x is uniform on [0, 2) and y = x + 2 (x − 0.9)² + 0.3 cos(20 x) + 0.1 ε with normal ε. A
    generator of its own gives the numbers that ``torch.manual_seed(seed)`` would, and leaves the
    global generator alone.

    Parameters
    ----------
    num
        How many samples, 1 to 1,000,000.
    seed
        Seed of the generator, at least 0.

    Returns
    -------
    x, y
        float32 tensors of shape (num,).

    Raises
    ------
    ValueError
        When ``num`` or ``seed`` is not a whole number in its range.
    """
    num = checks.integer(num, "num", 1, 1_000_000)
    generator = _generator(seed)
    with own_torch_state():
        x = torch.rand(num, generator=generator, dtype=torch.float32, device="cpu") * 2
        noise = torch.randn(num, generator=generator, dtype=torch.float32, device="cpu")
        y = x + 2 * (x - 0.9) ** 2 + 0.3 * torch.cos(20 * x) + 0.1 * noise
    return x, y


def initial_parameters(count: int = 3, seed: int = 1) -> torch.Tensor:
    """Normal draws, one call each, as the course initialises a, b and c after seed 1.

    Parameters
    ----------
    count
        How many numbers, 1 to 1,000.
    seed
        Seed of the generator, at least 0.

    Returns
    -------
    torch.Tensor
        float32, shape (count,).

    Raises
    ------
    ValueError
        When ``count`` or ``seed`` is not a whole number in its range.
    """
    count = checks.integer(count, "count", 1, 1_000)
    generator = _generator(seed)
    with own_torch_state():
        draws = [
            torch.randn((), generator=generator, dtype=torch.float32, device="cpu")
            for _ in range(count)
        ]
        return torch.stack(draws)


def initial_parameters_at_once(count: int = 3, seed: int = 0) -> torch.Tensor:
    """Normal draws of one call, as the course's first worked example initialises a, b and c.

    Parameters
    ----------
    count
        How many numbers, 1 to 1,000.
    seed
        Seed of the generator, at least 0.

    Returns
    -------
    torch.Tensor
        float32, shape (count,): the numbers of ``torch.randn(count)`` after
        ``torch.manual_seed(seed)``. From 16 numbers on they are others than those of as many calls.

    Raises
    ------
    ValueError
        When ``count`` or ``seed`` is not a whole number in its range.
    """
    count = checks.integer(count, "count", 1, 1_000)
    generator = _generator(seed)
    with own_torch_state():
        return torch.randn(count, generator=generator, dtype=torch.float32, device="cpu")


def _generator(seed: int) -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(checks.integer(seed, "seed", 0, 2**63 - 1))
