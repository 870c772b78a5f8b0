"""Updates and clearings after every n-th backward pass that come after other passes, in words."""

from __future__ import annotations

from gdwidgets.core.diagnosis.clearing import Clearing
from gdwidgets.core.diagnosis.findings import Finding, nth, steps_text
from gdwidgets.core.diagnosis.looking import look
from gdwidgets.core.diagnosis.update import Update


def out_of_step(update: Update, clearing: Clearing, expected: int | None) -> list[Finding]:
    """Updates, or clearings, that do not come after the last pass of each n; else nothing.

    ``expected`` is the reference's number of updates to a clearing.
    """
    n, cleared = clearing.n, clearing.kind == "every"
    if update.kind != "every_n":
        if not cleared or n != expected or clearing.first == n:
            return []
        text = (
            f"Your loop clears `.grad` after updates {_series(clearing.first, n)}; the reference "
            f"after {_series(n, n)}."
        )
        return [_off_by_one(text, clearing.first - 1, {"n": n, "cleared": clearing.first})]
    n, first = update.n, update.first
    apart = cleared and clearing.n == n and clearing.first != first
    if first == n and not apart:
        return []
    text = f"Your loop updates after backward passes {_series(first, n)}"
    evidence = {"n": n, "updated": first}
    used = n
    if apart:
        used = (first - clearing.first - 1) % n + 1
        evidence["cleared"] = clearing.first
        text += (
            f", and clears `.grad` after {_series(clearing.first, n)}: an update uses "
            f"{steps_text(used, 'gradient')} of the {n} since the last."
        )
    elif clearing.kind == "never":
        text += f": the first is {n - first} early."
    elif clearing.kind == "always":
        text += f": the first is {n - first} early, and each uses the last gradient only."
    else:
        text += f": the first uses {steps_text(first, 'gradient')}, each other {n}."
    return [_off_by_one(text, first - 1, {**evidence, "used": used})]


def _off_by_one(text: str, step: int, evidence: dict[str, int]) -> Finding:
    """Updates or clearings at other passes than the last of each n."""
    n = evidence["n"]
    return Finding(
        "off_by_one",
        text,
        step,
        evidence,
        look(step, f"the condition for every {nth(n)} step"),
        f"Counted from 0, `k % {n} == 0` holds at k = 0 already. After every {nth(n)} step means "
        f"`(k + 1) % {n} == 0`, for the update and the clearing alike.",
    )


def _series(first: int, n: int) -> str:
    """Every n-th number from the first on: 1, 5, 9, …."""
    return f"{first}, {first + n}, {first + 2 * n}, …"
