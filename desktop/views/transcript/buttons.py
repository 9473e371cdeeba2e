"""The transcript's buttons and scroll bars: drawn here, because a style sheet would slow every widget in it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QEnterEvent, QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QWidget

from desktop.i18n import tr
from desktop.views import icons
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.textview import focus_ring

_TURNED = {"arrow-down": ("arrow-up", 180), "chevron-left": ("chevron-right", 180)}


class QuietButton(QAbstractButton):
    """A symbol, some words, or both. Tab reaches it; a click leaves the keyboard where it was."""

    def __init__(
        self, look: Appearance, symbol: str, name: str, words: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.look = look
        self._symbol = symbol
        self._symbol_last = False
        self._round = False
        self.setText(words)
        self.setAccessibleName(name)
        if not words:
            self.setToolTip(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.set_look(look)

    def set_look(self, look: Appearance) -> None:
        self.look = look
        self.setFont(look.small)
        self.resize(self.sizeHint())
        self.update()

    def show_symbol(self, symbol: str, words: str | None = None) -> None:
        self._symbol = symbol
        if words is not None:
            self.setText(words)
        self.resize(self.sizeHint())
        self.update()

    def symbol_last(self) -> None:
        """The symbol stands after the words."""
        self._symbol_last = True

    def sizeHint(self) -> QSize:
        side = self.look.px(28)
        if not self.text():
            return QSize(side, side) if not self._round else QSize(self.look.px(36), self.look.px(36))
        width = QFontMetrics(self.font()).horizontalAdvance(self.text()) + self.look.px(16)
        return QSize(width + (self._side + self.look.px(4) if self._symbol else 0), side)

    @property
    def _side(self) -> int:
        return self.look.px(16)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = self.height() / 2 if self._round else 8
        if self._round:
            painter.setPen(self.look.color("outline"))
            painter.setBrush(self.look.color("hover" if self.underMouse() else "page"))
            painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), radius, radius)
        elif (self.underMouse() or self.isDown()) and self.isEnabled():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.look.color("selected" if self.isDown() else "hover"))
            painter.drawRoundedRect(self.rect(), radius, radius)
        self._paint_content(painter)
        if self.hasFocus():
            focus_ring(painter, self.rect().toRectF(), self.look, radius)

    def _paint_content(self, painter: QPainter) -> None:
        color = "text" if self.underMouse() and self.isEnabled() else "text_soft"
        painter.setOpacity(1.0 if self.isEnabled() else 0.4)
        side, words = self._side, self.text()
        inner = self.rect().adjusted(self.look.px(8), 0, -self.look.px(8), 0)
        if self._symbol:
            last = self._symbol_last != (self.layoutDirection() == Qt.LayoutDirection.RightToLeft)
            x = (self.width() - side) // 2
            if words:
                x = inner.right() + 1 - side if last else inner.left()
                step = side + self.look.px(4)
                inner.adjust(0 if last else step, 0, -step if last else 0, 0)
            self._paint_symbol(painter, QRect(x, (self.height() - side) // 2, side, side), color)
        if words:
            painter.setPen(self.look.color(color))
            painter.setFont(QFont(self.font()))
            painter.drawText(inner, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignHCenter), words)

    def _paint_symbol(self, painter: QPainter, where: QRect, color: str) -> None:
        name, degrees = _TURNED.get(self._symbol, (self._symbol, 0))
        if name == "chevron-right" and self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            degrees += 180
        picture = icons.pixmap(name, getattr(self.look.palette, color), where.width())
        painter.save()
        painter.translate(where.toRectF().center())
        painter.rotate(degrees)
        half = where.width() / 2
        painter.drawPixmap(QRectF(-half, -half, 2 * half, 2 * half), picture, picture.rect().toRectF())
        painter.restore()

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()


class JumpButton(QuietButton):
    """Leads to the newest message: round, over the lower edge of the conversation."""

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(look, "arrow-down", tr("Jump to the newest message"), parent=parent)
        self._round = True
        self.hide()

    def show_over(self, area: QRect, wanted: bool) -> None:
        side = self.sizeHint()
        at = QPoint(area.center().x() - side.width() // 2, area.bottom() - side.height() - 16)
        self.setGeometry(QRect(at, side))
        if wanted == self.isHidden():
            self.setVisible(wanted)
            self.raise_()


def style_scroll_bars(area: QAbstractScrollArea, look: Appearance, behind: str = "page") -> None:
    """Thin bars without arrows, in the palette's colours, on the surface they stand on."""
    palette = look.palette
    ground = getattr(palette, behind)
    sheet = f"""
        QScrollBar {{ background: {ground}; border: none; margin: 0; }}
        QScrollBar:vertical {{ width: 12px; }}
        QScrollBar:horizontal {{ height: 12px; }}
        QScrollBar::handle {{ background: {palette.outline}; border-radius: 3px; margin: 3px; }}
        QScrollBar::handle:vertical {{ min-height: 32px; }}
        QScrollBar::handle:horizontal {{ min-width: 32px; }}
        QScrollBar::handle:disabled {{ background: {ground}; }}
        QScrollBar::handle:hover {{ background: {palette.text_soft}; }}
        QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
        QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """
    for bar in (area.verticalScrollBar(), area.horizontalScrollBar()):
        bar.setStyleSheet(sheet)
