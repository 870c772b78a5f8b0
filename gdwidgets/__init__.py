"""Live widgets that make gradient descent visible inside a notebook.

The explorers need Jupyter's widgets; ``gdwidgets.core`` needs only torch and numpy, so the names
below are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdwidgets.explorers.accumulation.explorer import AccumulationComparer
    from gdwidgets.explorers.autograd.explorer import AutogradExplorer
    from gdwidgets.explorers.learning_rate.explorer import LearningRateExplorer
    from gdwidgets.explorers.surface.explorer import SurfaceExplorer
    from gdwidgets.explorers.surface.himmelblau import HimmelblauExplorer
    from gdwidgets.explorers.training.explorer import TrainingExplorer, watch

__version__ = "0.2.0"

_HOMES = {
    "AccumulationComparer": "gdwidgets.explorers.accumulation.explorer",
    "AutogradExplorer": "gdwidgets.explorers.autograd.explorer",
    "HimmelblauExplorer": "gdwidgets.explorers.surface.himmelblau",
    "LearningRateExplorer": "gdwidgets.explorers.learning_rate.explorer",
    "SurfaceExplorer": "gdwidgets.explorers.surface.explorer",
    "TrainingExplorer": "gdwidgets.explorers.training.explorer",
    "watch": "gdwidgets.explorers.training.explorer",
}

__all__ = [
    "AccumulationComparer",
    "AutogradExplorer",
    "HimmelblauExplorer",
    "LearningRateExplorer",
    "SurfaceExplorer",
    "TrainingExplorer",
    "__version__",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
