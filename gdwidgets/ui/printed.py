"""Figures for print: what is on the screen, drawn once more by matplotlib from the same recording.

matplotlib is imported here only, and only when a picture is asked for. Nothing of pyplot's is used,
so a notebook's own figures, backend and style are left alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gdwidgets.ui import text
from gdwidgets.ui.plots import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = {
    "●": "o",
    "▲": "^",
    "■": "s",
    "◆": "D",
    "▼": "v",
    "★": "*",
    "✚": "P",
    "◐": "h",
    "✖": "X",
}
"""matplotlib's markers for those on the screen."""

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7280",
    "axes.labelcolor": palette.INK,
    "axes.unicode_minus": True,
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
}


def printed(
    kind: str,
    draw: Callable[[Figure], None],
    *,
    width: float = 9.0,
    height: float = 3.8,
    dpi: float = 160,
) -> bytes:
    """A figure as the bytes of a file.

    Parameters
    ----------
    kind
        ``"png"``, ``"svg"`` or ``"pdf"``.
    draw
        Called with an empty ``matplotlib.figure.Figure``.
    width, height
        In inches.
    dpi
        Pixels an inch, for PNG and for pictures inside of vector files.
    """
    import matplotlib as mpl  # noqa: PLC0415 - half a second that an explorer does without
    from matplotlib.figure import Figure  # noqa: PLC0415

    file = io.BytesIO()
    style: Any = {**mpl.rcParamsDefault, **STYLE, "backend": mpl.rcParams["backend"]}
    with mpl.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
        draw(figure)
        # Without a date the same picture is the same file.
        metadata: Any = {"Date": None} if kind == "svg" else None
        figure.savefig(file, format=kind, dpi=dpi, metadata=metadata)
    return file.getvalue()


def curves(
    axes: Axes,
    values: NDArray[Any],
    last: NDArray[Any],
    names: Sequence[str],
    k: int,
    *,
    log: bool,
    log_steps: bool = False,
    future: bool = True,
    levels: Sequence[tuple[float, str]] = (),
    title: str = "loss",
    steps: str = "step",
    runs: Sequence[int] | None = None,
) -> None:
    """Values of all lanes against step, past solid and future dotted.

    Parameters
    ----------
    axes
        Where they are drawn.
    values
        (n, L), record k in row k.
    last
        Each lane's last step (L,).
    names
        L names.
    k
        The cursor.
    log, log_steps
        Whether the axes are logarithmic; steps by log(1 + step).
    future
        Whether what lies beyond the cursor is drawn.
    levels
        Horizontal lines: (value, text).
    title, steps
        What the axes show.
    runs
        Which of ``palette.RUNS`` each lane is.
    """
    finite = []
    for lane, name in enumerate(names):
        run = palette.run(lane if runs is None else runs[lane])
        end = min(int(last[lane]), len(values) - 1)
        at = min(k, end)
        column = np.asarray(values[: end + 1, lane], np.float64)
        column = np.where(np.isfinite(column), column, np.nan)
        if log:
            column = np.where(column > 0, column, np.nan)
        x = np.arange(end + 1)
        x = np.log1p(x) if log_steps else x
        finite.append(column[np.isfinite(column)])
        axes.plot(x[: at + 1], column[: at + 1], color=run.colour, lw=2)
        if future and end > at:
            axes.plot(x[at:], column[at:], color=run.colour, lw=1.4, ls=":", alpha=0.6)
        axes.plot(
            x[at],
            column[at],
            color=run.colour,
            marker=MARKERS.get(run.glyph, "o"),
            ms=7,
            mec="white",
            mew=0.8,
            label=name,
            ls="",
        )
    for value, label in levels:
        axes.axhline(value, color=palette.INK, lw=1.2, ls="--")
        axes.annotate(
            label,
            (1, value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    if log:
        axes.set_yscale("log")
    shown = np.concatenate([part for part in finite if part.size] or [np.ones(1)])
    first = max((float(part[0]) for part in finite if part.size), default=1.0)
    # A lane that diverges leaves the picture; the others stay in it.
    axes.set_ylim(top=min(float(shown.max()) * (1.5 if log else 1.05), 50 * first))
    if log_steps:
        ends = int(max(last.max(initial=1), 1))
        ticks = [0, *(10**p for p in range(1, int(math.log10(ends)) + 1)), ends]
        axes.set_xticks([math.log1p(t) for t in ticks], [f"{t:,}" for t in ticks])
    axes.set_xlabel(steps)
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="y", color="#e3e6ea", lw=0.8)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=9, loc="best")


def plane(
    axes: Axes,
    heat: NDArray[np.uint8],
    bounds: tuple[tuple[float, float], tuple[float, float]],
    params: NDArray[Any],
    last: NDArray[Any],
    *,
    k: int,
    contours: tuple[NDArray[Any], NDArray[Any], NDArray[Any], Sequence[float]] | None = None,
    minima: Sequence[tuple[float, float]] = (),
    names: tuple[str, str] = ("u", "v"),
    future: bool = True,
    runs: Sequence[int] | None = None,
) -> None:
    """A map of two parameters with the paths of all lanes.

    Parameters
    ----------
    axes
        Where it is drawn.
    heat
        RGBA (n, m, 4), row 0 the lowest.
    bounds
        (low, high) of either parameter.
    params
        (n, L, 2), record k in row k.
    last
        Each lane's last step (L,).
    k
        The cursor.
    contours
        u (n,), v (m,), values (m, n) and the levels of contour lines.
    minima
        Points to be numbered, from 1.
    names
        What the parameters are called.
    future
        Whether what lies beyond the cursor is drawn.
    runs
        Which of ``palette.RUNS`` each lane is.
    """
    (u0, u1), (v0, v1) = bounds
    axes.imshow(
        heat, origin="lower", extent=(u0, u1, v0, v1), aspect="auto", interpolation="bilinear"
    )
    if contours is not None:
        across, up, z, levels = contours
        axes.contour(
            across,
            up,
            np.ma.masked_invalid(z),
            levels=levels,
            colors=palette.INK,
            linewidths=0.5,
            alpha=0.3,
        )
    for number, (u, v) in enumerate(minima, start=1):
        axes.text(
            u,
            v,
            str(number),
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": palette.INK, "lw": 0.9},
        )
    for lane in range(params.shape[1]):
        run = palette.run(lane if runs is None else runs[lane])
        end = min(int(last[lane]), len(params) - 1)
        at = min(k, end)
        path = np.clip(np.nan_to_num(params[: end + 1, lane].astype(np.float64)), -1e6, 1e6)
        if future:
            axes.plot(*path[at:].T, color=run.colour, lw=1.4, ls=":")
        axes.plot(*path[: at + 1].T, color="white", lw=4)
        axes.plot(*path[: at + 1].T, color=run.colour, lw=2)
        axes.plot(*path[0], marker="o", ms=8, mfc="white", mec=palette.INK, mew=1.8, ls="")
        marker = MARKERS.get(run.glyph, "o")
        axes.plot(
            *path[at], marker=marker, color=run.colour, ms=7, mec="white", mew=0.8, ls="", zorder=5
        )
    axes.set_xlim(u0, u1)
    axes.set_ylim(v0, v1)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1], rotation=0)
    axes.spines[:].set_visible(False)


def caption(figure: Figure, sentence: str) -> None:
    """Write the explorer's sentence under the figure."""
    figure.supxlabel(text.plain(sentence), fontsize=9, ha="center", wrap=True)
