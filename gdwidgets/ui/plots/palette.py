"""One palette for all explorers: a colour has one meaning everywhere.

The lane colours are Okabe and Ito's (Color Universal Design, 2008), which people with any of the
common colour-vision deficiencies can tell apart, with grey for black, which a dark theme swallows,
in an order that keeps neighbours far apart on a pale map.
"""

from __future__ import annotations

VERMILLION = "#D55E00"
BLUE = "#0072B2"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
YELLOW = "#F0E442"
GREY = "#999999"

LANES = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, YELLOW, GREY)
"""Colours of lanes, in the order in which lanes are added; there are never more lanes."""

START = "#FFFFFF"
PRESENT = "#E3000F"
DARK = "#1B1F24"
"""Outlines, known minima, the closed form."""

HALO = "#FFFFFF"
GHOST = "#7A7F87"
DIVERGED = "#8C8C8C"
UNSETTLED = "#E4E4E4"

HEAT_MAP = "bone_r"
"""Matplotlib colour map of surfaces: grey-blue, low is pale, so lane colours stand out on it."""

HEAT_RANGE = (0.03, 0.62)
"""The part of the colour map that is used: neither paper white nor black."""
