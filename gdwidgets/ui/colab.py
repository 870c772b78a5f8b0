"""Google Colab shows widgets of third parties only when it is asked to."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module


def allow_widgets() -> None:
    """Ask Colab to show widgets that are not its own; elsewhere nothing happens.

    Colab's kernel has ``google.colab`` imported before a notebook's first cell.
    """
    if "google.colab" not in sys.modules:
        return
    with contextlib.suppress(
        Exception
    ):  # without it an explorer is blank; its import is not to fail
        import_module("google.colab.output").enable_custom_widget_manager()
