"""Runs can be told apart by everyone, in either theme, and nothing takes error's red."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from gdwidgets.ui.plots import palette

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SIGHT = {
    "ordinary": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
COLOURS = [run.colour for run in palette.RUNS]
NAMES = [run.text for run in palette.RUNS]
ON_DARK = [run.on_dark for run in palette.RUNS]


def linear(colour):
    """Linear RGB of #RRGGBB (IEC 61966-2-1)."""
    assert re.fullmatch("#[0-9A-F]{6}", colour)
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    """WCAG 2.1."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb):
    """CIELAB of linear RGB, D65."""
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    part = to_xyz @ np.clip(rgb, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(part > (6 / 29) ** 3, np.cbrt(part), part / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one, other):
    """Sharma, Wu and Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2([b1, b2], [a1, a2])) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    hue = (h1 + turn / 2) % 360
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    cos = [np.cos(np.radians(n * hue - shift)) for n, shift in ((1, 30), (2, 0), (3, -6), (4, 63))]
    t = 1 - 0.17 * cos[0] + 0.24 * cos[1] + 0.32 * cos[2] - 0.20 * cos[3]
    s_l = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c, 1 + 0.015 * c * t
    spin = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    r = -2 * np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(spin))
    d_l, d_c = (l2 - l1) / s_l, (c2 - c1) / s_c
    d_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / s_h
    return float(np.sqrt(d_l**2 + d_c**2 + d_h**2 + r * d_c * d_h))


def nearest(colours, matrix):
    labs = [lab(matrix @ linear(colour)) for colour in colours]
    return min(ciede2000(a, b) for a, b in itertools.combinations(labs, 2))


def test_the_distance_is_the_one_of_the_paper():
    """Pairs 1, 7 and 19 of the paper's table."""
    pairs = [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (50, 3.2592, 0.3350), 1.0000),
    ]
    for one, other, distance in pairs:
        assert ciede2000(one, other) == pytest.approx(distance, abs=5e-4)


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_runs_differ_for_everyone(sight):
    """A distance of 2.3 is just noticed; 10 is another colour."""
    assert nearest(COLOURS, SIGHT[sight]) > 12
    assert nearest(COLOURS[:4], SIGHT[sight]) > 15
    assert nearest(ON_DARK[:4], SIGHT[sight]) > 8.5
    assert nearest(ON_DARK, SIGHT[sight]) > 8


def test_the_first_runs_differ_in_greyscale():
    grey = sorted(lab(linear(colour))[0] for colour in COLOURS[:4])
    assert min(np.diff(grey)) > 6


def test_markers_differ_too():
    assert len({run.glyph for run in palette.RUNS}) == len(palette.RUNS) == 8
    for run in palette.RUNS:
        assert run.corners[0] == pytest.approx(run.corners[-1])
        assert np.abs(run.corners).max() < 1.5


def test_lines_and_names_can_be_seen_on_their_ground():
    """WCAG 2.1: 3 for graphics, 4.5 for text."""
    assert min(contrast(colour, "#FFFFFF") for colour in COLOURS) >= 3.0
    assert min(contrast(colour, "#FFFFFF") for colour in NAMES) >= 4.5
    assert min(contrast(colour, "#111111") for colour in ON_DARK) >= 4.5


def test_names_and_dark_colours_keep_their_hue():
    for run in palette.RUNS:
        _, a, b = lab(linear(run.colour))
        if np.hypot(a, b) < 20:
            continue
        for other in (run.text, run.on_dark):
            _, a2, b2 = lab(linear(other))
            turn = np.degrees(np.arctan2(b2, a2) - np.arctan2(b, a))
            assert abs((turn + 180) % 360 - 180) < 30


def test_no_run_is_red():
    for colour in COLOURS + NAMES + ON_DARK:
        assert ciede2000(lab(linear(colour)), lab(linear("#D32F2F"))) > 12


def test_tints_are_pale_and_never_a_run():
    assert len(set(palette.TINTS)) >= 8
    for tint in palette.TINTS:
        assert luminance(tint) > 0.6
        for run in COLOURS:
            assert ciede2000(lab(linear(tint)), lab(linear(run))) > 20


def test_neighbouring_tints_differ():
    labs = [lab(linear(tint)) for tint in palette.TINTS]
    assert min(ciede2000(a, b) for a, b in itertools.pairwise(labs)) > 8


def test_the_heat_table_darkens_all_the_way():
    table = palette.heat_table(256)
    assert table.shape == (256, 3)
    assert tuple(table[0]) == (0xFB, 0xFE, 0xF3)
    assert tuple(table[-1]) == (0x23, 0x30, 0x58)
    lightness = [lab(linear("#" + bytes(rgb).hex().upper()))[0] for rgb in table]
    assert max(np.diff(lightness)) < 0.3
    assert lightness[0] - lightness[-1] > 70


@pytest.mark.parametrize("sight", SIGHT)
def test_the_learner_s_own_loop_differs_from_every_run(sight):
    own = palette.run(palette.OWN)
    colour = lab(SIGHT[sight] @ linear(own.colour))
    assert min(ciede2000(colour, lab(SIGHT[sight] @ linear(other))) for other in COLOURS) > 12
    assert ciede2000(lab(linear(own.colour)), lab(linear(palette.INK))) > 20
    assert ciede2000(lab(linear(own.on_dark)), lab(linear("#D32F2F"))) > 12
    assert contrast(own.text, "#FFFFFF") >= 4.5
    assert contrast(own.on_dark, "#111111") >= 4.5
    assert own.glyph not in {run.glyph for run in palette.RUNS}
