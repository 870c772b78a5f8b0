"""What every test shares: reproducible properties, and a torch as a fresh session has it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

# No deadline: the machine may be busy. Derandomized: a commit is as green tomorrow as today.
# A quarter of Hypothesis's usual number of examples, as the suite is to stay short;
# `pytest --hypothesis-profile=search` looks further.
hypothesis.settings.register_profile("gdwidgets", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("gdwidgets")

# pytest-xdist runs a process a core: torch's threads would only wait for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


class _OneBrowser(LoadScopeScheduling):
    """Files are spread over the processes, but all browser tests run in one of them.

    Two browsers with a server and a kernel each would wait for each other on two cores; the other
    tests use the pauses of one. (xdist's groups, which are meant for this, do not work with
    pytest 9.2.)
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        return "tests/browser" if file.startswith("tests/browser/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _OneBrowser:
    """Say how pytest-xdist spreads the tests: the unit with the most tests first."""
    return _OneBrowser(config, log)


@pytest.fixture(autouse=True)
def _own_torch_session() -> Iterator[None]:
    """Give every test torch's global state unchanged, whatever the test before did to it."""
    random = torch.get_rng_state()
    dtype = torch.get_default_dtype()
    gradients = torch.is_grad_enabled()
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_grad_enabled(gradients)
    torch.set_default_device(None)  # a device, even "cpu", would be a mode around every operation
    torch.set_default_dtype(dtype)
    torch.set_rng_state(random)
