"""The choice of a schedule γ(t) for all lanes; each lane begins at its own learning rate."""

from __future__ import annotations

from typing import Any

from gdwidgets.core.rules.schedules import SCHEDULES
from gdwidgets.ui.described import ScheduleField


class ShapeField(ScheduleField):
    """A list of schedules with the constants of the chosen one; ``None`` is the constant one."""

    def described(self, value: Any) -> Any:
        """The schedule that a setting's value stands for."""
        return SCHEDULES["constant"] if value is None else value

    def chosen(self, name: str) -> Any:
        """The schedule of a name."""
        return None if name == "constant" else SCHEDULES[name]
