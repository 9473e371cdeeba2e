"""The row of names under which the parts of a page are found. Arrow keys change the part."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QWidget

from desktop.views.models_page.flow import Flow
from desktop.views.theme import Theme
from desktop.views.widgets import describe, prepare

_PADDING = 12


class TabButton(QAbstractButton):
    """One name; a line stands under the one that is seen."""

    def __init__(self, theme: Theme, text: str, description: str) -> None:
        super().__init__()
        self._theme = theme
        self.setText(text)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        describe(self, text, description)
        theme.changed.connect(self.updateGeometry)

    def say(self, text: str) -> None:
        """Another text, with a number for instance."""
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(text)
            self.updateGeometry()

    @property
    def _font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(self._theme.body_px)
        return font

    def sizeHint(self) -> QSize:
        from PySide6.QtGui import QFontMetrics

        width = QFontMetrics(self._font).horizontalAdvance(self.text())
        return QSize(width + 2 * _PADDING, self._theme.scaled(36))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        prepare(painter)
        area = QRectF(self.rect())
        if self.underMouse() or self.hasFocus():
            painter.setPen(QPen(theme.color("accent"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("hover") if self.underMouse() else Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(1, 1, -1, -4), 8, 8)
        painter.setFont(self._font)
        painter.setPen(theme.color("text" if self.isChecked() else "text_soft"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())
        if self.isChecked():
            painter.fillRect(
                QRectF(_PADDING, area.bottom() - 2, area.width() - 2 * _PADDING, 2), theme.color("accent")
            )


class Tabs(QWidget):
    """`changed` with the name of the part that was chosen."""

    changed = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._flow = Flow(0)
        self.setLayout(self._flow)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._theme = theme
        self._group = QButtonGroup(self)  # one of them is chosen, and that one is reached by Tab
        self.buttons: dict[str, TabButton] = {}

    def add(self, name: str, text: str, description: str) -> None:
        button = self.buttons[name] = TabButton(self._theme, text, description)
        self._group.addButton(button)
        button.toggled.connect(lambda on: self.changed.emit(name) if on else None)
        self._flow.addWidget(button)

    @property
    def current(self) -> str:
        """The name of the part that is chosen, or ""."""
        return next((name for name, button in self.buttons.items() if button.isChecked()), "")

    def choose(self, name: str) -> None:
        self.buttons[name].setChecked(True)
