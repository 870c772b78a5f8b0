"""The situations of an explorer: which is in force, taking one, and keeping the present one."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from traitlets import validate

from gdwidgets.core import checks
from gdwidgets.ui.kept import Call, rebuilding
from gdwidgets.ui.playback.cursor import Cursor
from gdwidgets.ui.playback.hand import Hand
from gdwidgets.ui.settings import Setting, SettingError, same
from gdwidgets.ui.situations import PREDICT, SENTENCE, STEP, Chips, Situations, as_situations


class Situated(Cursor):
    """What can be brought into a named situation, and whose present one can be kept."""

    SITUATIONS: ClassVar[Situations] = {}
    """Named situations: settings that differ from the defaults, and a sentence on what to watch."""

    NO_SETTINGS: ClassVar[tuple[str, ...]] = (SENTENCE, STEP)
    """What a situation may hold besides settings."""

    situations = Setting(None, as_situations, help="What the chips in the head offer", view=True)
    """Named situations instead of the explorer's own: ``{name: {setting: value, …, "sentence":
    what to watch, "step": where it begins, "predict": what is asked}}``; ``None`` for its own,
    ``SITUATIONS``; ``{**Explorer.SITUATIONS, name: …}`` adds to them."""

    chips: Chips
    _hand: Hand
    _situation: str | None = None
    _situating: str | None = None
    """The situation whose settings are being taken."""
    _chosen: str | None = None
    """The situation that was chosen by its name, and is not merely in force by its settings."""
    _wanted: tuple[Situations, dict[str, dict[str, Any]]] | None = None

    # -- what is on offer, and what is in force ----------------------------------------------

    @validate("situations")
    def _valid_situations(self, proposal: Any) -> Any:
        for name, own in (proposal["value"] or {}).items():
            try:
                self.reject_unknown({key: 0 for key in own if key not in self.NO_SETTINGS})
            except TypeError as problem:
                raise SettingError(f"situations: {checks.shown(name)}: {problem}") from None
        return proposal["value"]

    @property
    def situations_offered(self) -> Situations:
        """The situations on the chips: those that were given, or the explorer's own."""
        return self.SITUATIONS if self.situations is None else self.situations

    @property
    def situation(self) -> str | None:
        """The name of the situation whose settings are in force; its chip is pressed.

        Of several the one chosen last, or else the one that names the most settings.
        """
        return self._situation

    def _in_force(self) -> str | None:
        """The situation whose settings are in force; one that asks must have been chosen."""
        offered, last = self.situations_offered, self._situation

        def named(name: str) -> int:
            return len(offered[name].keys() - set(self.NO_SETTINGS))

        found = [
            name
            for name, wanted in self._all_wanted().items()
            if (name == last or PREDICT not in offered[name])
            and all(same(getattr(self, key), value) for key, value in wanted.items())
        ]
        return last if last in found else max(found, key=named, default=None)

    def _situation_after(self, changed: Collection[str]) -> str | None:
        """The situation in force once some settings have changed."""
        if self._situating is not None:
            return self._situating
        kept = self._all_wanted().get(self._situation or "")
        return self._in_force() if kept is None or kept.keys() & set(changed) else self._situation

    def _all_wanted(self) -> dict[str, dict[str, Any]]:
        """What each situation wants; made once for those on offer, as every change asks."""
        offered = self.situations_offered
        if self._wanted is None or self._wanted[0] is not offered:
            found = {}
            for name, situation in offered.items():
                # Wrong values of a lesson are told when its chip is pressed.
                with contextlib.suppress(ValueError):
                    found[name] = self.settings_wanted(situation)
            self._wanted = offered, found
        return self._wanted[1]

    def settings_wanted(self, situation: Mapping[str, Any]) -> dict[str, Any]:
        """What must be in force for a situation: the run's settings, and of the view its own."""
        declared = self.declared()
        own = {key: value for key, value in situation.items() if key not in self.NO_SETTINGS}
        return {
            name: declared[name].taken(value)
            for name, value in self.situation_settings(own).items()
            if name in own or not declared[name].view
        }

    def situation_settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a situation that names only its ``own``."""
        defaults = {n: s.default_value for n, s in self.declared().items() if not s.view}
        return {**defaults, **own}

    # -- taking one --------------------------------------------------------------------------

    def situate(self, name: str, _: Any = None) -> None:
        """Take the settings of a named situation, and go to its step, 0 where it names none.

        Raises
        ------
        ValueError
            For an unknown name; names the nearest.
        """
        offered = self.situations_offered
        name = checks.one_of(name, "situation", offered)
        chosen = offered[name]
        own = {key: value for key, value in chosen.items() if key not in self.NO_SETTINGS}
        self.playing = False
        before, step = self._situation, self.step
        # Never without a situation in between: a chip pressed in the page would be let go and
        # pressed once more there, and has been seen to miss the second.
        chosen_before, self._chosen = self._chosen, name
        self._situating = self._situation = name
        try:
            self.place(0)
            # A chip is pressed once: no next movement of the hand will replace this picture.
            with self._hand.letting_go():
                self.assign(**self.situation_settings(own))
            self.step = min(chosen.get(STEP, 0), self.max_steps)
        except BaseException:
            self._situation, self._chosen = before, chosen_before
            self.place(step)
            raise
        finally:
            self._situating = None
            self.chips.show(self._situation)
        self.redraw(full=True)

    def next_situation(self, by: int = 1) -> None:
        """Take the next situation on the chips, or with ``by=-1`` the one before."""
        by = checks.integer(by, "by", -100, 100)
        names = list(self.situations_offered)
        if names:
            at = names.index(self._situation) + by if self._situation in names else 0
            self.situate(names[at % len(names)])

    def situation_sentence(self) -> str:
        """What the situation that was chosen says at the step where it begins; empty elsewhere."""
        if self._situation is None or self._situation != self._chosen or self.playing:
            return ""
        chosen = self.situations_offered[self._situation]
        return str(chosen.get(SENTENCE, "")) if self.step == chosen.get(STEP, 0) else ""

    # -- keeping the present one -------------------------------------------------------------

    def new_settings(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a new explorer that is told what cannot be left out of those ``held``."""
        given = inspect.signature(type(self).__init__).parameters.values()
        named = {p.name: p.default for p in given if p.default is not p.empty}
        declared = {name: one.default_value for name, one in self.declared().items()}
        return declared | {name: value for name, value in named.items() if name in declared}

    def keep_situation(self) -> str:
        """Return Python that rebuilds what is on the screen.

        The settings, the step, pinned runs with their settings, and the part of the map that is
        seen; the last lines give settings and step as an entry for ``situations``. What no such
        lines can bring back is left out: a loop of your own, also in a pinned run (run its cell
        again), an open prediction and its guess, and the named situations, which the cell holds
        that made the explorer.
        """
        held = {n: v for n, v in self.settings().items() if n != "situations"}
        own = self.own_settings(held)
        entry = {n: v for n, v in own.items() if not self.declared()[n].view}
        # A situation may bring along what a new explorer does not have.
        reached = self.situation_settings(entry)
        entry |= {n: held[n] for n, v in reached.items() if n in held and not same(v, held[n])}
        if self.step:
            entry[STEP] = self.step
        return rebuilding(type(self), own, entry, calls=self.kept_calls(), notes=self.kept_notes())

    def own_settings(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some settings that a new explorer does not have anyway."""
        new = self.new_settings(held)
        return {name: value for name, value in held.items() if not same(value, new[name])}

    def kept_calls(self) -> list[Call]:
        """Calls that bring back what is on the screen besides settings."""
        return [Call("seek", (self.step,))] if self.step else []

    def kept_notes(self) -> list[str]:
        """What is on the screen and no line brings back."""
        return []
