"""Settings declared once: trait, constructor keyword, check, control and tooltip in one place.

A change of settings is all or nothing. `Settings` remembers the settings that the picture was made
from; whatever is assigned is applied as a whole, and when that fails, by a bad value, a function
that raises or a ``KeyboardInterrupt``, the settings of before come back and so does their picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar

import numpy as np
from traitlets import HasTraits, TraitError, TraitType

from gdwidgets.core import checks

_declared = count()


class SettingError(TraitError, ValueError):
    """A setting was given a value that it does not take; nothing has changed."""


class Checked(TraitType[Any, Any]):
    """A trait whose values go through a check, so that its errors are as short as all of ours.

    Parameters
    ----------
    default
        The default value.
    check
        Called with (value, name); returns the value in its proper type, or raises ``ValueError``.
    """

    def __init__(
        self,
        default: Any,
        check: Callable[[Any, str], Any],
        *,
        help: str = "",  # noqa: A002 - traitlets' own word for it
    ) -> None:
        super().__init__(default, help=help)
        self._check = check

    def validate(self, obj: Any, value: Any) -> Any:
        """Check a value that somebody assigns, ``None`` included."""
        try:
            return self._check(value, str(self.name))
        except ValueError as problem:
            raise SettingError(str(problem)) from None

    def taken(self, value: Any) -> Any:
        """The value in the form in which it is held.

        Raises
        ------
        ValueError
            When the setting does not take it.
        """
        return self._check(value, str(self.name))


class Setting(Checked):
    """A trait that is a setting: also a constructor keyword, and where it has one, a control.

    Parameters
    ----------
    default
        The default value.
    check
        Called with (value, name); returns the value in its proper type, or raises ``ValueError``.
    label
        What the setting is called on the screen; its name when omitted.
    help
        One sentence on what it does: the control's tooltip.
    control
        What sets it by hand (see ``gdwidgets.ui.form``); ``None`` where nothing does.
    view
        Whether it changes only how a run is shown, not the run.
    """

    def __init__(
        self,
        default: Any,
        check: Callable[[Any, str], Any],
        *,
        label: str = "",
        help: str = "",  # noqa: A002 - traitlets' own word for it
        control: Any = None,
        view: bool = False,
    ) -> None:
        super().__init__(default, check, help=help)
        self.label = label
        self.control = control
        self.view = view
        self._order = next(_declared)

    def starting_at(self, default: Any, **changed: Any) -> Setting:
        """The same setting with another default for a subclass.

        Parameters
        ----------
        default
            The subclass's default.
        **changed
            What else differs: ``label``, ``help``, ``control``.
        """
        kept = {"label": self.label, "help": self.help, "control": self.control, "view": self.view}
        return Setting(default, self._check, **{**kept, **changed})

    def class_init(self, cls: type[HasTraits], name: str | None) -> None:
        """Take the trait's name for a label where none was given."""
        super().class_init(cls, name)
        self.label = self.label or str(name)

    def __lt__(self, other: Setting) -> bool:
        """Whether it was declared earlier."""
        return self._order < other._order


def same(one: Any, other: Any) -> bool:
    """Whether two values of a setting are the same; arrays by what they hold."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    try:
        return bool(type(one) is type(other) and one == other)
    except Exception:  # noqa: BLE001 - values of a user's own may compare as they please
        return False


class Settings(HasTraits):
    """Holds `Setting` traits and applies what changes of them as a whole.

    A subclass applies in `settings_changed`, and says in `remember` and `recall` what else belongs
    to the state that must come back after a failure.
    """

    _applied: dict[str, Any] | None = None
    """The settings in force; ``None`` until the first were applied."""

    _assigned: frozenset[str] = frozenset()
    """The settings that are being assigned by name, whether their values change or not."""

    _holding = 0
    """How many blocks are open in which changes wait to be applied together."""

    _declared: ClassVar[dict[str, Setting]]

    # -- what is declared --------------------------------------------------------------------

    @classmethod
    def declared(cls) -> dict[str, Setting]:
        """The settings by name, in the order in which they were declared."""
        if "_declared" not in cls.__dict__:  # each class has its own; asked for at every change
            found = [trait for trait in cls.class_traits().values() if isinstance(trait, Setting)]
            cls._declared = {str(trait.name): trait for trait in sorted(found)}
        return dict(cls._declared)

    @classmethod
    def reject_unknown(cls, given: Mapping[str, Any]) -> None:
        """Raise a ``TypeError`` that names the nearest setting for a keyword that is none."""
        accepted = cls.declared()
        for name in given:
            if name not in accepted:
                raise TypeError(
                    f"{cls.__name__} has no setting {name!r}{checks.nearest(name, accepted)}; "
                    f"it takes {', '.join(accepted)}"
                )

    def settings(self) -> dict[str, Any]:
        """Keyword arguments that build an equal one."""
        return {name: getattr(self, name) for name in self.declared()}

    # -- changing them -----------------------------------------------------------------------

    def assign(self, **settings: Any) -> None:
        """Set several settings at once: all of them, or when they do not fit together, none.

        Raises
        ------
        TypeError
            For an unknown setting; names the nearest.
        SettingError, ValueError
            When a value, or all of them together, do not fit.
        """
        self.reject_unknown(settings)
        before, self._assigned = self._assigned, frozenset(settings)
        try:
            with self.together():
                for name, value in settings.items():
                    setattr(self, name, value)
        finally:
            self._assigned = before

    @contextmanager
    def together(self) -> Iterator[None]:
        """Apply what is set inside the block as a whole, at its end."""
        self._holding += 1
        try:
            yield
        except BaseException:
            self._holding -= 1
            if not self._holding and self._applied is not None:
                self._put_back(self._applied)
            raise
        self._holding -= 1
        self.apply_settings()

    def _setting_changed(self, change: Any) -> None:
        self.apply_settings()

    def begin(self) -> None:
        """Take the present settings for applied, and apply every later change."""
        if self._applied is None:
            self.observe(self._setting_changed, names=list(self.declared()))
        self._applied = self.settings_held()

    def settings_held(self) -> dict[str, Any]:
        """The values of all settings as they are held, whether applied or not."""
        return {name: getattr(self, name) for name in self.declared()}

    def apply_settings(self) -> None:
        """Apply what has changed since the last time; when that fails, put everything back."""
        if self._applied is None or self._holding:
            return
        before = self._applied
        changed = {n for n, v in self.settings_held().items() if not same(v, before[n])}
        if not changed:
            return
        state = self.remember()
        self._holding += 1  # settings that follow from those that changed are set on the way
        try:
            self.settings_changed(frozenset(changed))
        except BaseException:
            self._put_back(before)
            self.recall(state)
            raise
        else:
            self._applied = self.settings_held()
        finally:
            self._holding -= 1

    def _put_back(self, settings: dict[str, Any]) -> None:
        """Set settings that were in force; applies nothing."""
        self._holding += 1
        try:
            for name, value in settings.items():
                if not same(getattr(self, name), value):
                    setattr(self, name, value)
        finally:
            self._holding -= 1

    # -- what a subclass does ----------------------------------------------------------------

    def settings_changed(self, changed: frozenset[str]) -> None:
        """Make what the settings describe; may set others that follow from those ``changed``."""

    def remember(self) -> Any:
        """What belongs to the state besides the settings, for `recall`."""

    def recall(self, state: Any) -> None:
        """Bring back what was remembered, and show it."""
