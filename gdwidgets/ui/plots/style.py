"""The style sheet of the figures: what bqplot's marks cannot say, and the theme's colours.

A mark's colour is a plain HTML colour (older bqplot takes nothing else). An element that shall
follow the theme, or have a width or dashes of its own, is known here by the colour it was given.
Texts of axes scale with ``--gdw-size``, which the explorer sets on its root: 1, or 1.4 for a
projector; all other sizes are numbers in the marks.
"""

from __future__ import annotations

from gdwidgets.ui.plots import palette

PAPER = "var(--jp-layout-color0, #fff)"
TEXT = "var(--jp-content-font-color1, #1b1f24)"
FAINT_TEXT = "var(--gdw-faint, #4b5563)"
FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
PLOT = ".gdwidgets .gdw-plot"
CURVES, PLANE = f"{PLOT}.gdw-curves", f"{PLOT}.gdw-plane"
DARK = '[data-jp-theme-light="false"]'
"""What JupyterLab puts on the page's body in a dark theme."""

LIGHT_INK = "#e6e8eb"


def _css(colour: str) -> str:
    """A colour as browsers write it into an element's style."""
    red, green, blue = palette.rgb(colour)
    return f"rgb({red}, {green}, {blue})"


def _stroked(colour: str) -> str:
    return f'path.line[style*="stroke: {_css(colour)}"]'


def _filled(colour: str) -> str:
    return f'[style*="fill: {_css(colour)}"]'


def _runs() -> list[str]:
    """The colours of runs for HTML, and in a dark theme for curves and their names."""
    rules = []
    for index, run in (*enumerate(palette.RUNS), ("own", palette.OWN_RUN)):
        rules.append(f".gdwidgets {{ --gdw-run-{index}: {run.text}; }}")
        rules.append(f"{DARK} .gdwidgets {{ --gdw-run-{index}: {run.on_dark}; }}")
        rules += on_dark(run)
    return rules


def on_dark(run: palette.Run) -> list[str]:
    """What gives a run's curves and names their colour in a dark theme."""
    night = f"{DARK} {CURVES}"
    return [
        rule
        for colour in sorted({run.colour, run.text})
        for rule in (
            f"{night} {_stroked(colour)} {{ stroke: {run.on_dark} !important; }}",
            f"{night} text.label{_filled(colour)} {{ fill: {run.on_dark} !important; }}",
        )
    ]


STYLE = "\n".join(
    [
        f"""
.gdwidgets {{ --gdw-faint: #4b5563; --gdw-grid: #e3e6ea; --gdw-ink: {palette.INK}; }}
{DARK} .gdwidgets {{ --gdw-faint: #b6bcc6; --gdw-grid: #34373c; --gdw-ink: {LIGHT_INK}; }}
{PLOT} > svg {{ font-family: {FONT}; }}
{PLOT} > svg .axis .tick text {{ fill: {FAINT_TEXT};
  font: calc(13px * var(--gdw-size, 1)) {FONT}; }}
{PLOT} > svg .axis text.axislabel {{ fill: {TEXT};
  font: calc(14px * var(--gdw-size, 1)) {FONT}; }}
{PLOT} .axis .tick line, {PLOT} .axis path.domain {{ display: none; }}
{PLOT} .plotarea_background {{ fill: {PAPER} !important; }}
{PLOT} path.line {{ stroke-linecap: round; stroke-linejoin: round; }}
{PLOT} path.line[style*="dasharray: 2"] {{ stroke-dasharray: 0.1px 5.5px !important; }}
{PLOT} path.line[style*="dasharray: 10"] {{ stroke-dasharray: 8px 6px !important;
  stroke-linecap: butt; }}
{PLOT} text.label {{ paint-order: stroke; stroke: {PAPER}; stroke-width: 3px;
  stroke-linejoin: round; pointer-events: none; }}
{PLOT} path.line, {PLOT} path.area {{ pointer-events: none; }}
{CURVES} {{ container-type: inline-size; }}
@container (max-width: 28.5em) {{
  {PLOT}.gdw-even .axis[text-anchor="middle"] .tick:nth-of-type(even) {{ display: none; }}
  {PLOT}.gdw-last .axis[text-anchor="middle"] .tick:nth-last-of-type(2) {{ display: none; }}
}}
{CURVES} path.line{_filled(palette.PAPER)} {{ fill: {PAPER} !important;
  stroke: none !important; }}
{CURVES} {_stroked(palette.GRID)} {{ stroke: var(--gdw-ink) !important; stroke-linecap: butt;
  shape-rendering: crispEdges; }}
{CURVES} {_stroked(palette.INK)} {{ stroke: var(--gdw-ink) !important; }}
{CURVES} text.label{_filled(palette.INK)} {{ fill: var(--gdw-ink) !important; }}
{CURVES} text.label{_filled(palette.GHOST)} {{ fill: var(--gdw-faint) !important; }}
{PLANE} {_stroked(palette.HALO)} {{ stroke-width: calc(6px * var(--gdw-size, 1)) !important;
  stroke-dasharray: none !important; stroke-linecap: butt; }}
{PLANE} {_stroked(palette.OUTLINE)} {{ stroke-width: 1.5px !important; }}
.gdw-large .gdw-plane .axis[text-anchor="middle"] .tick text {{ transform: translateY(5px); }}
{PLANE} text.label {{ stroke: none; }}
/* bqplot draws what is dragged five times as large, over what it is to start. */
{PLANE} path.drag_scatter {{ transform: scale(.5); vector-effect: non-scaling-stroke; }}
{PLANE} path.dot {{ transition: transform 250ms; }}
{PLANE} text.label{_filled(palette.GHOST)} {{ fill: #374151 !important; stroke: #fff; }}
{PLANE} text.label{_filled(palette.GRADIENT)}, {PLANE} text.label{_filled(palette.VELOCITY)} {{
  stroke: #fff; }}
{PLANE} text.label{_filled(palette.TITLE)} {{ fill: {TEXT} !important; }}
.gdw-bar {{ position: relative; color: {FAINT_TEXT}; font-family: {FONT};
  font-size: calc(13px * var(--gdw-size, 1)); }}
.gdw-bar i {{ position: absolute; left: 0; top: 0; width: 14px; height: 100%;
  outline: 1px solid var(--gdw-grid); }}
.gdw-bar span {{ position: absolute; left: 20px; line-height: 16px; white-space: nowrap; }}
""",
        *_runs(),
    ]
)
"""CSS for every figure of an explorer whose root element has the class ``gdwidgets``."""
