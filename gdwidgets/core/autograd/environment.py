"""The torch session that a student's expression is run in: the same numbers in every notebook.

Beyond `own_torch_state` this leaves aside what changes the numbers or the messages of one
expression: a default dtype other than float32 (whose draws of random numbers differ) and anomaly
detection (which prints where a refused operation was called, and raises at NaN). Both are settings
of the whole process. They are touched only where they differ, and put back when the call ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from gdwidgets.core.session import own_torch_state


@contextmanager
def plain_session() -> Iterator[None]:
    """`own_torch_state`, default dtype float32, and anomaly detection off; then restored."""
    dtype = torch.get_default_dtype()
    anomaly, check_nan = torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()
    with own_torch_state():
        try:
            if dtype != torch.float32:
                torch.set_default_dtype(torch.float32)
            if anomaly:
                torch.set_anomaly_enabled(False)
            yield
        finally:
            if dtype != torch.float32:
                torch.set_default_dtype(dtype)
            if anomaly:
                torch.set_anomaly_enabled(True, check_nan)


@dataclass
class Drawn:
    """Whether random numbers were drawn while `seeded` was entered; known when it is left."""

    random: bool = False


@contextmanager
def seeded() -> Iterator[Drawn]:
    """Random numbers of seed 0, which repeat; the student's generator is put back afterwards."""
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(0)
    start = generator.get_state()
    drawn = Drawn()
    try:
        yield drawn
    finally:
        drawn.random = not torch.equal(generator.get_state(), start)
        generator.set_state(state)
