"""Situations of the surface explorers: settings that show something, and what to watch."""

from __future__ import annotations

from gdwidgets.ui.situations import Situations

SITUATIONS: Situations = {
    "the exercise": {
        "sentence": "From (1, 1) the run goes downhill to minimum ①. The slope gets steeper for "
        "15 updates; then watch them get shorter, and the loss fall more and more slowly.",
    },
    "hilltop": {
        "start": (-0.25, -0.9),
        "learning_rate": 0.005,
        "max_steps": 150,
        "basins": True,
        "sentence": "Almost the top of the hill between the four minima. Drag the start a "
        "little: which valley it runs into depends on the side it starts on.",
    },
    "too fast": {
        "start": (-1.0, -1.0),
        "learning_rate": 0.02,
        "sentence": "At this rate updates jump across the valley: the loss rises and falls. "
        "Lower the rate until the path is one smooth curve.",
    },
    "saddle": {
        "surface": "saddle",
        "sentence": "Down one way, up the other. The run seems to come to rest near the centre "
        "and then leaves it, faster and faster: the gradient was small, not the end.",
    },
    "ravine": {
        "surface": "narrow valley",
        "sentence": "Steep across, almost flat along. A rate that is stable across the valley "
        "makes progress along it slow; try momentum as the update rule.",
    },
    "Nesterov": {
        "surface": "narrow valley",
        "rule": "nesterov",
        "sentence": "The same ravine and rate: plain descent and momentum are stable here, "
        "Nesterov's is not, as its limit is lower (see Why). Change the rule and compare.",
    },
    "trapped": {
        "surface": "rastrigin",
        "sentence": "Many minima, only one the lowest. Descent ends in the one it starts near, "
        "and has no way to know of the others.",
    },
}
