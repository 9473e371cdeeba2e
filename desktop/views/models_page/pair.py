"""A list and what is told about the chosen row: side by side, or one instead of the other where room is scarce."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.views.theme import Theme
from desktop.views.widgets import push_button

_WIDE_PX = 700
_LIST_PX = 380


class _Line(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedWidth(1)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self._theme.color("line"))


class Pair(QWidget):
    """`came_back` when the person has left the details for the list, where only one of them is seen."""

    came_back = Signal()

    def __init__(self, theme: Theme, left: QWidget, back: str = "", back_words: str = "") -> None:
        """`back` and `back_words`: the name of the way back to the list, and what it does."""
        super().__init__()
        self._theme = theme
        self.left = left
        self.right = QStackedWidget()
        self._line = _Line(theme)
        self.back = push_button(
            "‹ " + (back or tr("All models")),
            "quiet",
            self.leave,
            back_words or tr("Back to the list of models"),
        )
        self._beside = QWidget()
        column = QVBoxLayout(self._beside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        top = QHBoxLayout()
        top.setContentsMargins(8, 4, 8, 0)
        top.addWidget(self.back)
        top.addStretch(1)
        column.addLayout(top)
        column.addWidget(self.right, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(left)
        row.addWidget(self._line)
        row.addWidget(self._beside, 1)
        self._details_asked = False
        theme.changed.connect(self._arrange)
        self._arrange()

    @property
    def is_wide(self) -> bool:
        return self.width() >= self._theme.scaled(_WIDE_PX)

    @property
    def hides_list(self) -> bool:
        """Whether the details are seen instead of the list."""
        return not self.is_wide and self._details_asked

    def show_details(self, details: QWidget, *, asked: bool = True) -> None:
        """`asked`: by the person, so that they are seen even where only one of both is."""
        if self.right.indexOf(details) < 0:
            self.right.addWidget(details)
        self.right.setCurrentWidget(details)
        self._details_asked = self._details_asked or asked
        self._arrange()

    def leave(self) -> None:
        """Back to the list."""
        self.leave_quietly()
        self.came_back.emit()

    def leave_quietly(self) -> None:
        """Back to the list, because there is nothing to tell any more; the keyboard is not moved."""
        self._details_asked = False
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        wide = self.is_wide
        self.back.setVisible(not wide)
        self._line.setVisible(wide)
        self._beside.setVisible(wide or self._details_asked)
        self.left.setVisible(wide or not self._details_asked)
        if wide:
            width = min(self._theme.scaled(_LIST_PX), self.width() * 45 // 100)
            self.left.setMinimumWidth(width)
            self.left.setMaximumWidth(width)
        else:
            self.left.setMinimumWidth(0)
            self.left.setMaximumWidth(16_777_215)
        self.left.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
