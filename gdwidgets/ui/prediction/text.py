"""What is said of a prediction: the question, the guess, and how close it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gdwidgets.ui import text

ORDER, MINIMUM, STEP = "order", "minimum", "step"

NO_GUESS = "no guess"
"""What stands for a guess that nobody has made."""

Guess = tuple[int, ...] | int | str | None
"""Runs in order; the index of a minimum, ``None`` for none of them; an update, ``None`` for never;
or `NO_GUESS`."""


@dataclass(frozen=True)
class Asked:
    """What is asked."""

    kind: str
    """``"order"``, ``"minimum"`` or ``"step"``."""
    names: tuple[str, ...]
    """What the runs are called in a sentence, one for each lane."""
    listed: tuple[str, ...]
    """What they are called in a list."""
    lane: int
    """The lane that is asked about, where it is one."""
    max_steps: int
    """Updates until the run ends."""
    target: float | None = None
    """The loss, as it is drawn, below which a run has come down; ``None`` where no lowest loss is
    known."""
    above_lowest: bool = False
    """Whether the loss is drawn as what it is above the lowest minimum."""
    minima: int = 0
    """How many minima there are to choose from."""
    loss_tol: float | None = None
    """The change of the loss that stops a run; ``None`` for none."""

    @property
    def who(self) -> str:
        """The run that is asked about, in a sentence."""
        return self.names[self.lane] if len(self.names) > 1 else "the run"

    @property
    def event(self) -> str:
        """What a step is asked of."""
        if self.loss_tol is not None:
            return f"stop, by loss_tol = {text.number(self.loss_tol)}, or reach inf or NaN"
        if self.target is None:
            return "reach inf or NaN"
        return f"reach inf or NaN, or bring its loss {self.down} for good"

    @property
    def down(self) -> str:
        """Where the loss of a run is that has come down, in the terms of the loss axis."""
        least = text.number(self.target or 0.0, 9)
        return f"within {least} of the lowest minimum" if self.above_lowest else f"below {least}"


def question(asked: Asked) -> str:
    """The question before the run; ``**bold**`` is read first."""
    updates = text.counted(asked.max_steps, "update")
    if asked.kind == ORDER:
        both = "both" if len(asked.names) == 2 else f"all {len(asked.names)}"
        return (
            f"**Which run has the smallest loss after {updates}, which the largest?** Put {both} "
            "in order under Predict, then press Play. The rest is hidden."
        )
    if asked.kind == MINIMUM and asked.minima == 1:
        return (
            f"**Does {asked.who} end at the minimum after {updates}?** Click it on the map, or "
            "choose under Predict, then press Play. The rest is hidden."
        )
    if asked.kind == MINIMUM:
        return (
            f"**At which minimum does {asked.who} end after {updates}?** Click it on the map or "
            "choose it under Predict, then press Play. The rest is hidden."
        )
    return (
        f"**At which update does {asked.who} {asked.event}?** Type a number under Predict, then "
        "press Play. The rest is hidden."
    )


def committed(asked: Asked, guess: Guess) -> str:
    """The sentence between the guess and the end of the run."""
    said = guessed(asked, guess)
    if asked.kind == STEP:
        never = f"will never {asked.event}"
        said = f"{asked.who} {never if guess is None else f'will {asked.event} at {said}'}"
    return f"**Your guess: {said}.** Press Play and see. Until then it can be changed."


def guessed(asked: Asked, guess: Guess) -> str:
    """A guess in a few words."""
    if isinstance(guess, tuple):
        return ", ".join(asked.listed[lane] for lane in guess)
    if asked.kind == MINIMUM:
        none = "elsewhere" if asked.minima == 1 else "none of them"
        return none if guess is None else f"minimum {text.numbered(int(guess))}"
    return "never" if guess is None else f"update {int(guess):,}"


# -- how close it came -----------------------------------------------------------------------------


def ordered(asked: Asked, places: Sequence[int], pairs: tuple[int, int] | None) -> str:
    """How close an order of runs came.

    Parameters
    ----------
    asked
        The question.
    places
        The place of each lane, 0 for the smallest last loss; equal ones have the same.
    pairs
        Pairs that the guess has in the right order, and all of them; ``None`` without a guess.
    """
    by_place = [
        [name for name, place in zip(asked.listed, places, strict=True) if place == found]
        for found in sorted(set(places))
    ]
    order = ", ".join(
        same[0] if len(same) == 1 else f"{text.listed(same)} alike" for same in by_place
    )
    found = f"from the smallest loss: {order}"
    if pairs is None:
        return f"**{_capital(found)}.**"
    if pairs[0] == pairs[1]:
        return f"**Right, {found}.**"
    if pairs[1] == 1:
        return f"**The other way round, {found}.**"
    return f"**{pairs[0]} of {text.counted(pairs[1], 'pair')} right; {found}.**"


def at_minimum(asked: Asked, guess: Guess, reached: int | None) -> str:
    """How close the guess of a minimum came; ``reached`` is its index, ``None`` for none."""
    ends = "ends at none of them" if asked.minima != 1 else "does not end at the minimum"
    if reached is not None:
        ends = f"ends at minimum {text.numbered(reached)}"
    found = f"{asked.who} {ends}"
    if guess == NO_GUESS:
        return f"**{_capital(found)}.**"
    if guess == reached:
        return f"**Right: {found}.**"
    return f"**{_capital(found)}; your guess was {guessed(asked, guess)}.**"


def at_step(asked: Asked, guess: Guess, step: int | None, outcome: str) -> str:
    """How close the guess of an update came.

    Parameters
    ----------
    asked
        The question.
    guess
        An update, or ``None`` for never.
    step
        The update at which it happened, ``None`` where it did not.
    outcome
        The lane's, as a `Descent` has it.
    """
    if step is not None:
        does = {"diverged": "reaches inf or NaN", "converged": "stops"}
        found = f"{asked.who} {does.get(outcome, f'brings its loss {asked.down} for good')}"
        found += f" at update {step:,}"
    else:
        also = ""
        if asked.loss_tol is not None:
            also = " and does not stop"
        elif asked.target is not None:
            also = f", but not {asked.down} for good"
        found = f"{asked.who} stays finite for {text.counted(asked.max_steps, 'update')}{also}"
    if guess == NO_GUESS:
        return f"**{_capital(found)}.**"
    if guess == step:
        return f"**Right: {found}.**"
    if isinstance(guess, int) and step is not None:
        off = guess - step
        much = "high" if off > 0 else "low"
        return f"**{_capital(found)}. Your guess, {guess:,}, is {abs(off):,} too {much}.**"
    return f"**{_capital(found)}. Your guess was {guessed(asked, guess)}.**"


def _capital(said: str) -> str:
    """A sentence with its first letter large; names such as γ stay as they are."""
    return said[:1].upper() + said[1:] if said[:1].isascii() else said
