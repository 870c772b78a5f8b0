"""Settings that are traits and constructor keywords at once, and that never stay half changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from traitlets import HasTraits

from gdwidgets.ui import checks


class Settings(HasTraits):
    """Watches the traits named in ``SETTINGS`` and starts again when one of them changes.

    When starting again raises, the settings go back to what they were before and the error goes
    on to whoever set them.
    """

    SETTINGS: tuple[str, ...] = ()

    _ready = False
    _together = 0
    _stale = False

    @classmethod
    def reject_unknown(cls, settings: dict[str, Any]) -> None:
        """Raise a ``TypeError`` that names the nearest setting for a keyword that is none."""
        accepted = (*cls.SETTINGS, "speed")
        for name in settings:
            if name not in accepted:
                raise TypeError(
                    f"{cls.__name__} has no setting {name!r}{checks.near(name, accepted)}; "
                    f"it takes {', '.join(accepted)}"
                )

    @contextmanager
    def settings_together(self) -> Iterator[None]:
        """Change several settings and build one new descent after the last.

        When the new settings do not fit together, all of them go back to what they were.
        """
        before = {name: getattr(self, name) for name in self.SETTINGS}
        self._together += 1
        try:
            yield
        except Exception:
            self._put_back(before)
            raise
        finally:
            self._together -= 1
        if self._together == 0 and self._stale and self._ready:
            try:
                self.restart()
            except Exception:
                self._put_back(before)
                raise
            finally:
                self._stale = False

    def _put_back(self, settings: dict[str, Any]) -> None:
        """Set settings that are known to fit, without starting again."""
        self._together += 1
        try:
            for name, value in settings.items():
                setattr(self, name, value)
        finally:
            self._together -= 1
            self._stale = False

    def _setting_changed(self, change: Any) -> None:
        """Build a new descent, at once or when the settings that change together are all set."""
        if self._together or not self._ready:
            self._stale = True
            return
        try:
            self.restart()
        except Exception:
            self._put_back({change["name"]: change["old"]})
            raise

    def restart(self) -> None:
        """Build what the settings describe; raises when they do not fit, having changed nothing."""
        raise AssertionError("every explorer starts again in its own way")

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal explorer."""
        return {name: getattr(self, name) for name in self.SETTINGS}
