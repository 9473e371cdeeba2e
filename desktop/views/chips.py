"""The chips in the header: where the answers come from, and what can leave this computer. Always visible."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QAbstractButton, QSizePolicy

from desktop.views.theme import Theme
from desktop.views.widgets import leading, prepare

_PADDING = 10
_GAP = 6
_ICON = 16


class Shape(Enum):
    """Different in outline as well as in colour and icon, so that nobody depends on colour."""

    CARD = "card"  # where it runs
    PILL = "pill"  # the network is shut, and the system keeps it shut
    DASHED_PILL = "dashed pill"  # nothing enforces it
    ARROW = "arrow"  # it leaves this device


def _arrow(area: QRectF, ltr: bool) -> QPolygonF:
    """A sign that points out of the window."""
    tip = min(10.0, area.height() / 2)
    points = [
        QPointF(area.left(), area.top()),
        QPointF(area.right() - tip, area.top()),
        QPointF(area.right(), area.center().y()),
        QPointF(area.right() - tip, area.bottom()),
        QPointF(area.left(), area.bottom()),
    ]
    if not ltr:
        points = [QPointF(area.left() + area.right() - point.x(), point.y()) for point in points]
    return QPolygonF(points)


class Chip(QAbstractButton):
    """A small button with an icon and one line of text that is shortened in the middle where room is scarce."""

    def __init__(self, theme: Theme, shape: Shape, icon: str, token: str, least: int = 120) -> None:
        """`least`: pixels that it does not give up when room is scarce."""
        super().__init__()
        self._least = least
        self._theme = theme
        self._shape = shape
        self._icon = icon
        self._token = token
        self._progress: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_look(self, shape: Shape, icon: str, token: str) -> None:
        self._shape, self._icon, self._token = shape, icon, token
        self.updateGeometry()
        self.update()

    def show_text(self, text: str) -> None:
        # A model's name comes from a stranger's file: one line of it, whatever it holds.
        self.setText(" ".join(text.split()))
        self.updateGeometry()
        self.update()

    def show_progress(self, fraction: float | None) -> None:
        """A line along the bottom, 0 to 1; None takes it away."""
        if fraction != self._progress:
            self._progress = fraction
            self.update()

    def sizeHint(self) -> QSize:
        icon = self._theme.scaled(_ICON)
        width = self.fontMetrics().horizontalAdvance(self.text()) + icon + _GAP + 2 * _PADDING + 4
        width += 6 if self._shape is Shape.ARROW else 0
        return QSize(width, self.fontMetrics().height() + 12)

    def minimumSizeHint(self) -> QSize:
        size = self.sizeHint()
        return QSize(min(size.width(), self._least), size.height())

    def _restyle(self) -> None:
        font = self.font()
        font.setPixelSize(self._theme.small_px)
        self.setFont(font)
        self.updateGeometry()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        prepare(painter)
        self._paint_outline(painter)
        icon = self._theme.scaled(_ICON)
        inner = self.rect().adjusted(_PADDING, 0, -_PADDING, 0)
        left = (
            inner.left()
            if self.layoutDirection() == Qt.LayoutDirection.LeftToRight
            else inner.right() - icon + 1
        )
        pixmap = self._theme.icon(self._icon, self._token, _ICON).pixmap(QSize(icon, icon))
        painter.drawPixmap(QRect(left, (self.height() - icon) // 2, icon, icon), pixmap)
        if self.layoutDirection() == Qt.LayoutDirection.LeftToRight:
            inner.adjust(icon + _GAP, 0, 0, 0)
        else:
            inner.adjust(0, 0, -icon - _GAP, 0)
        painter.setPen(self._theme.color("text"))
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, inner.width())
        painter.drawText(inner, leading(self), text)

    def _paint_outline(self, painter: QPainter) -> None:
        width = 2.0 if self.hasFocus() else 1.0
        half = width / 2
        area = QRectF(self.rect()).adjusted(half, half, -half, -half)
        radius = 8.0 if self._shape is Shape.CARD else area.height() / 2
        pen = QPen(self._theme.color("accent" if self.hasFocus() else "outline"), width)
        if self._shape is Shape.DASHED_PILL and not self.hasFocus():
            pen.setStyle(Qt.PenStyle.DashLine)
        token = "selected" if self.isDown() else "hover" if self.underMouse() else "page"
        painter.setPen(pen)
        painter.setBrush(self._theme.color(token))
        if self._shape is Shape.ARROW:
            painter.drawPolygon(_arrow(area, self.layoutDirection() == Qt.LayoutDirection.LeftToRight))
        else:
            painter.drawRoundedRect(area, radius, radius)
        if self._progress is not None:
            self._paint_progress(painter, area)

    def _paint_progress(self, painter: QPainter, area: QRectF) -> None:
        assert self._progress is not None
        track = QRectF(area.left() + _PADDING, area.bottom() - 4, area.width() - 2 * _PADDING, 2)
        painter.fillRect(track, self._theme.color("line"))
        done = track.width() * max(0.0, min(1.0, self._progress))
        start = (
            track.left() if self.layoutDirection() == Qt.LayoutDirection.LeftToRight else track.right() - done
        )
        painter.fillRect(QRectF(start, track.top(), done, 2), self._theme.color("accent"))
