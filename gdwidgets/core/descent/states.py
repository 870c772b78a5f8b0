"""What a rule remembered at some steps of a run, so that a fork need not repeat the whole of it."""

from __future__ import annotations

from collections.abc import Sequence

from gdwidgets.core.rules.protocol import State

MOST = 1024
"""States that are kept at most."""


class KeptStates:
    """A rule's states after every n-th update; n is 64 and doubles when there are too many.

    Parameters
    ----------
    first
        Number of the record before the rule's first update.
    state
        Its state there.
    """

    def __init__(self, first: int, state: State) -> None:
        self._first = first
        self._every = 64
        self._states = {first: state}

    def add(self, first: int, states: Sequence[State]) -> None:
        """Keep some of the states after updates first, first + 1 and so on."""
        start = -(-first // self._every) * self._every
        for k in range(start, first + len(states), self._every):
            self._states[k] = states[k - first]
        if len(self._states) > MOST:
            self._every *= 2
            self._states = {
                k: state
                for k, state in self._states.items()
                if k % self._every == 0 or k == self._first
            }

    def nearest(self, k: int) -> tuple[int, State]:
        """The last kept state after at most k updates, and after how many."""
        found = max(at for at in self._states if at <= k)
        return found, self._states[found]

    def until(self, k: int) -> KeptStates:
        """Those up to record k, for a fork."""
        kept = KeptStates(self._first, self._states[self._first])
        kept._every = self._every
        kept._states = {at: state for at, state in self._states.items() if at <= k}
        return kept
