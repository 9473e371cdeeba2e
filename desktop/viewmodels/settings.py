"""The settings as the window edits them: a declaration for each, a value, and a signal when one changes."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from desktop.i18n import tr
from desktop.settings import DECLARED, SETTINGS, Setting, Settings


class SettingsViewModel(QObject):
    """Changes are saved and in force at once."""

    changed = Signal(str)  # key

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings

    @property
    def back_words(self) -> str:
        """What resetting a setting leads to."""
        return tr("Back to the default")

    @property
    def declarations(self) -> tuple[Setting, ...]:
        """The settings a person edits in the dialog, in its order."""
        return tuple(setting for setting in SETTINGS if setting.section)

    def value(self, key: str) -> object:
        return self._settings.get(key)

    def is_default(self, key: str) -> bool:
        return bool(self._settings.get(key) == DECLARED[key].default)

    def managed(self, key: str) -> bool:
        """Set by the organisation: shown, not editable."""
        return key in self._settings.managed

    def set(self, key: str, value: object) -> str:
        """Take the value. Returns a sentence when it was refused or could not be stored, else an empty string."""
        before = self._settings.get(key)
        try:
            refused = self._settings.set(key, value)
        except OSError:
            refused = tr("This setting holds until Alcove is closed: its file can't be written.")
        if self._settings.get(key) != before:
            self.changed.emit(key)
        return refused

    def reset(self, key: str) -> None:
        before = self._settings.get(key)
        try:
            self._settings.reset(key)
        finally:
            if self._settings.get(key) != before:
                self.changed.emit(key)
