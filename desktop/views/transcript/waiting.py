"""Three quiet dots where the first word of an answer will be."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.views.transcript.appearance import Appearance

_STEP_MS = 400


class WaitingDots(QWidget):
    """One of the dots is darker, each in its turn, so that a person sees the program is alive."""

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self._dark = 0
        self._timer = QTimer(self, interval=_STEP_MS)
        self._timer.timeout.connect(self._step)
        self.setAccessibleName(tr("Waiting for the first word"))

    def set_look(self, look: Appearance) -> None:
        self.look = look
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.look.px(40), self.look.line_px)

    def _step(self) -> None:
        self._dark = (self._dark + 1) % 3
        self.update()

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.look.color("text_soft"))
        size = self.look.px(6)
        for index in range(3):
            painter.setOpacity(1.0 if index == self._dark else 0.35)
            x = index * self.look.px(12)
            if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
                x = self.width() - x - size
            painter.drawEllipse(QRectF(x, (self.height() - size) / 2, size, size))
