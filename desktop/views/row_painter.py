"""Draws the rows of the panels: an icon, one or two lines, and a word at the end; all plain text."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from desktop.views.theme import Theme
from desktop.views.widgets import leading, prepare, trailing

LINE = Qt.ItemDataRole.UserRole + 10
"""The role under which a row's `Line` is found."""
NOWHERE = QModelIndex()
"""The parent of every row of a list."""
ONE_LINE, TWO_LINES = 36, 56
"""Heights of a row in pixels at 100 %."""


@dataclass(frozen=True, slots=True)
class Line:
    """`aside` stands at the end of the row, `below` under the text in small letters."""

    text: str
    below: str = ""
    aside: str = ""
    icon: str = ""
    soft: bool = False  # can't be used now


class RowPainter(QStyledItemDelegate):
    """For list views whose model gives a `Line` for each row."""

    def __init__(self, theme: Theme, view: QListView) -> None:
        super().__init__(view)
        self._theme = theme
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        line: Line = index.data(LINE)
        return QSize(100, self._theme.scaled(TWO_LINES if line.below else ONE_LINE))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        line: Line = index.data(LINE)
        painter.save()
        prepare(painter)
        self._paint_ground(painter, option)
        inner = option.rect.adjusted(10, 0, -10, 0)
        if line.icon:
            inner = self._paint_icon(painter, inner, line.icon)
        if line.aside:
            inner = self._paint_aside(painter, inner, line.aside)
        self._paint_texts(painter, inner, line)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if not selected and not option.state & QStyle.StateFlag.State_MouseOver:
            return
        ring = selected and self._view.hasFocus()
        area = QRectF(option.rect).adjusted(1, 1, -1, -1)
        painter.setPen(QPen(self._theme.color("accent"), 2) if ring else Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("selected" if selected else "hover"))
        painter.drawRoundedRect(area, 8, 8)
        if selected and not ring:
            # While the search field has the keyboard, a bar says which row Enter takes: the fill alone is too faint.
            left = area.left() if self._ltr else area.right() - 3
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("accent"))
            painter.drawRoundedRect(QRectF(left, area.top() + 8, 3, area.height() - 16), 1.5, 1.5)

    def _paint_icon(self, painter: QPainter, inner: QRect, icon: str) -> QRect:
        side = self._theme.scaled(18)
        left = inner.left() if self._ltr else inner.right() - side + 1
        place = QRect(left, inner.center().y() - side // 2, side, side)
        self._theme.icon(icon, "text_soft").paint(painter, place)
        return self._cut(inner, side + 10, at_end=False)

    def _paint_aside(self, painter: QPainter, inner: QRect, aside: str) -> QRect:
        painter.setFont(self._font(self._theme.small_px))
        painter.setPen(self._theme.color("text_soft"))
        width = painter.fontMetrics().horizontalAdvance(aside)
        painter.drawText(inner, trailing(self._view), aside)
        return self._cut(inner, width + 12, at_end=True)

    def _paint_texts(self, painter: QPainter, inner: QRect, line: Line) -> None:
        main, small = self._font(self._theme.body_px), self._font(self._theme.small_px)
        if not line.below:
            self._text(painter, inner, line.text, main, "text_soft" if line.soft else "text")
            return
        above, under = QFontMetrics(main).height(), QFontMetrics(small).height()
        top = inner.top() + (inner.height() - above - under) // 2
        self._text(
            painter,
            QRect(inner.left(), top, inner.width(), above),
            line.text,
            main,
            "text_soft" if line.soft else "text",
        )
        self._text(
            painter, QRect(inner.left(), top + above, inner.width(), under), line.below, small, "text_soft"
        )

    def _text(self, painter: QPainter, place: QRect, text: str, font: QFont, token: str) -> None:
        painter.setFont(font)
        painter.setPen(self._theme.color(token))
        one_line = " ".join(text.split())
        shown = painter.fontMetrics().elidedText(one_line, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, leading(self._view), shown)

    def _font(self, pixels: int) -> QFont:
        font = QFont(self._view.font())
        font.setPixelSize(pixels)
        return font

    @property
    def _ltr(self) -> bool:
        return self._view.layoutDirection() == Qt.LayoutDirection.LeftToRight

    def _cut(self, inner: QRect, width: int, *, at_end: bool) -> QRect:
        """What is left of a row when `width` pixels of its start or end are taken."""
        if at_end == self._ltr:
            return inner.adjusted(0, 0, -width, 0)
        return inner.adjusted(width, 0, 0, 0)
