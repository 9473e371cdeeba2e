"""What the window remembers of itself: place, size, sidebar, the open conversation. Small texts by name.

A file of its own, because it is read before the first frame, when the database is not open yet. Losing it
loses nothing but a place.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from desktop.files import read_json, write_json

log = logging.getLogger(__name__)


class WindowState(QObject):
    """Read at once, written a moment after a change and when the window closes."""

    def __init__(self, file: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        try:
            stored = read_json(file)
        except (OSError, ValueError) as error:
            log.info("the window starts without its memory: %s", error)
            stored = {}
        self._values = {key: value for key, value in stored.items() if isinstance(value, str)}
        self._later = QTimer(self, singleShot=True, interval=500)
        self._later.timeout.connect(self.save)

    def get(self, key: str) -> str | None:
        return self._values.get(key)

    def set(self, key: str, value: str) -> None:
        if self._values.get(key) != value:
            self._values[key] = value
            self._later.start()

    def save(self) -> None:
        """Write now."""
        self._later.stop()
        try:
            write_json(self._file, self._values)
        except OSError as error:
            log.info("the window's place could not be remembered: %s", error)
