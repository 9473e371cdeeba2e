"""A button that looks like a row of the sidebar: icon, words, and its key at the end while the pointer rests on it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy

from desktop.views.commands import readable
from desktop.views.theme import Theme
from desktop.views.widgets import describe, leading, prepare, trailing

_PADDING = 10


class RowButton(QAbstractButton):
    """`keys` is the portable sequence that does the same."""

    def __init__(
        self, theme: Theme, icon: str, text: str, description: str, keys: str, clicked: Callable[[], object]
    ) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self._sequence = keys
        self._keys = ""
        self._progress: float | None = None
        self._description = description
        self.setText(text)
        describe(self, text, description)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(lambda: clicked())
        theme.changed.connect(self.updateGeometry)

    def name_keys(self) -> None:
        """Say the key as well. Later than the rest, because reading keys takes classes that the first look does not."""
        self._keys = readable(self._sequence)
        describe(self, self.text(), f"{self._description} ({self._keys})", tip=True)

    def say(self, text: str) -> None:
        """Other words."""
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(text)

    def show_progress(self, fraction: float | None) -> None:
        """A line along the bottom, 0 to 1; None takes it away."""
        if fraction != self._progress:
            self._progress = fraction
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(120, self._theme.scaled(36))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        prepare(painter)
        hovered = self.underMouse()
        painter.setPen(QPen(theme.color("accent"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("selected" if self.isDown() else "hover" if hovered else "sidebar"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        ltr = self.layoutDirection() == Qt.LayoutDirection.LeftToRight
        side = theme.scaled(18)
        inner = self.rect().adjusted(_PADDING, 0, -_PADDING, 0)
        left = inner.left() if ltr else inner.right() - side + 1
        painter.drawPixmap(left, (self.height() - side) // 2, theme.icon(self._icon).pixmap(side, side))
        inner.adjust(side + _PADDING if ltr else 0, 0, 0 if ltr else -side - _PADDING, 0)
        font = self.font()
        font.setPixelSize(theme.body_px - 1)
        painter.setFont(font)
        painter.setPen(theme.color("text"))
        painter.drawText(inner, leading(self), self.text())
        taken = painter.fontMetrics().horizontalAdvance(self.text()) + _PADDING
        font.setPixelSize(theme.small_px)
        painter.setFont(font)
        has_room = taken + painter.fontMetrics().horizontalAdvance(self._keys) <= inner.width()
        if has_room and (hovered or self.hasFocus()):
            painter.setPen(theme.color("text_soft"))
            painter.drawText(inner, trailing(self), self._keys)
        if self._progress is not None:
            self._paint_progress(painter, ltr)

    def _paint_progress(self, painter: QPainter, ltr: bool) -> None:
        line = self.rect().adjusted(_PADDING, self.height() - 3, -_PADDING, -1)
        painter.fillRect(line, self._theme.color("line"))
        done = round(line.width() * min(1.0, max(0.0, self._progress or 0.0)))
        line.setLeft(line.left() if ltr else line.right() - done + 1)
        line.setWidth(done)
        painter.fillRect(line, self._theme.color("accent"))
