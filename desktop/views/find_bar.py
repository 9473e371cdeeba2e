"""Find in the open conversation: a field, the way up and down, and a word when there is nothing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from desktop.i18n import tr
from desktop.views.commands import IS_ENTER
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, icon_button

Find = Callable[[str, bool], bool]
"""Look for a text, forward or not; whether it was found."""


class FindBar(QWidget):
    """`closed` when it goes away; the window then gives the focus back to the composer."""

    closed = Signal()

    def __init__(self, theme: Theme, find: Find) -> None:
        super().__init__()
        self._find = find
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Find in this conversation"))
        describe(self.field, tr("Find"), tr("Enter finds the next match, Shift+Enter the one before."))
        self.result = Text(theme, "", "soft")
        up = icon_button(
            theme, "chevron-up", tr("Previous match"), tr("Find the previous match"), self.previous
        )
        down = icon_button(theme, "chevron-down", tr("Next match"), tr("Find the next match"), self.next)
        close = icon_button(theme, "x", tr("Close"), tr("Close the search"), self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 16, 8)
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.result)
        for part in (up, down, close):
            row.addWidget(part)
        self.field.textEdited.connect(self._changed)
        self.hide()

    def start(self) -> None:
        """Come up with the last text selected, so that typing replaces it."""
        self.show()
        self.field.setFocus()
        self.field.selectAll()

    def dismiss(self) -> None:
        self.hide()
        self.closed.emit()

    def next(self) -> None:
        self._look(forward=True)

    def previous(self) -> None:
        self._look(forward=False)

    def _changed(self, text: str) -> None:
        if text:
            self.next()
        else:
            self.result.clear()

    def _look(self, forward: bool) -> None:
        text = self.field.text()
        if not text:
            return
        found = self._find(text, forward)
        self.result.setText("" if found else tr("Not found"))
        if not found:
            announce(self.field, tr("Not found"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in IS_ENTER:
            self._look(forward=not event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        elif event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)
