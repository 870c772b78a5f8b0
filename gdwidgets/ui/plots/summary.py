"""What a figure shows, as text: for screen readers, and for those who cannot see it now."""

from __future__ import annotations

from collections.abc import Sequence

from gdwidgets.ui.text import number


def curves(
    title: str,
    steps: str,
    k: int,
    *,
    end: int,
    lanes: Sequence[tuple[str, float, float, int | None]],
    levels: Sequence[tuple[float, str]] = (),
    log: bool = False,
) -> str:
    """Of a figure of values against step.

    Parameters
    ----------
    title, steps
        What the axes show.
    k, end
        Where the cursor is, and where the axis ends.
    lanes
        Of each: name, present value, first value, and the update at which it leaves the plot.
    levels
        Horizontal lines: value and text.
    log
        Whether the axis of values is logarithmic.
    """
    scale = "logarithmic" if log else "linear"
    parts = [f"{title} against {steps}, 0 to {end:,}, {scale} scale, at {steps} {k:,}."]
    for name, now, first, left in lanes:
        says = f"{name}: " if name else ""
        if left is not None and k >= left:
            parts.append(f"{says}left the plot at {steps} {left:,}.")
        else:
            parts.append(f"{says}{number(now)}, from {number(first)} at the start.")
    parts += [f"Line at {number(value)}: {text}." for value, text in levels if text]
    return " ".join(parts)


def plane(
    names: tuple[str, str],
    bounds: tuple[tuple[float, float], tuple[float, float]],
    k: int,
    lanes: Sequence[tuple[str, tuple[float, float], tuple[float, float]]],
    minima: Sequence[tuple[float, float]] = (),
) -> str:
    """Of a map of two parameters.

    Parameters
    ----------
    names, bounds
        Of the two parameters: what they are called, and (low, high) of the map.
    k
        Where the cursor is.
    lanes
        Of each: name, present point, start.
    minima
        Points, in the order of their numbers.
    """
    (a, b), ((a0, a1), (b0, b1)) = names, bounds
    across = f"{a} from {number(a0)} to {number(a1)} and {b} from {number(b0)} to {number(b1)}"
    parts = [f"Map of the loss over {across}, at step {k:,}."]
    for i, (u, v) in enumerate(minima, start=1):
        parts.append(f"Minimum {i} at ({number(u)}, {number(v)}).")
    for name, (u, v), (u0, v0) in lanes:
        says = f"{name}: " if name else ""
        parts.append(
            f"{says}({number(u)}, {number(v)}), from ({number(u0)}, {number(v0)}) at the start."
        )
    return " ".join(parts)
