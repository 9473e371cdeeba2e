"""A bar above the composer for what a person should know now: it explains, offers the next step, and can be closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.notice import Notice
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, icon_button, prepare, push_button

_DETAILS_PX = 120
_NARROW_PX = 480


class NoticeBar(QWidget):
    """Shows one notice; the next waits until this one is closed. `closed` when nothing is left to show."""

    closed = Signal()

    def __init__(self, theme: Theme, icon: str = "triangle-alert", token: str = "warning") -> None:
        super().__init__()
        self._theme = theme
        self._waiting: list[Notice] = []
        self.notice: Notice | None = None
        self.symbol = Text(theme)
        self._symbol = (icon, token)
        self.text = Text(theme, "", wrap=True)
        self.details = push_button(
            tr("Details"), "quiet", self._toggle_details, tr("Show or hide what exactly happened")
        )
        self.action = push_button("", "plain", self._act)
        self.close_button = icon_button(theme, "x", tr("Close"), tr("Close this message"), self.dismiss)
        self.detail_text = QPlainTextEdit()
        self.detail_text.setReadOnly(True)
        self.detail_text.setTabChangesFocus(True)
        self.detail_text.setProperty("look", "field")
        describe(self.detail_text, tr("Details"), tr("What exactly happened. It can be selected and copied."))
        self.copy = push_button(
            tr("Copy details"), "quiet", self._copy, tr("Copy the details to the clipboard")
        )
        self._lay_out()
        theme.changed.connect(self._restyle)
        theme.dress(self)
        self._restyle()
        self.hide()

    def _lay_out(self) -> None:
        said = QHBoxLayout()
        said.setSpacing(8)
        said.addWidget(self.symbol)
        said.addWidget(self.text, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        for part in (self.details, self.action, self.close_button):
            buttons.addWidget(part)
        self._line = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._line.setSpacing(8)
        self._line.addLayout(said, 1)
        self._line.addLayout(buttons)
        below = QHBoxLayout()
        below.addStretch(1)
        below.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 8, 8)
        column.setSpacing(4)
        column.addLayout(self._line)
        column.addWidget(self.detail_text)
        column.addLayout(below)

    def resizeEvent(self, event: QResizeEvent) -> None:
        # Where room is scarce the words get the whole width, and the buttons a line of their own.
        direction = QBoxLayout.Direction
        narrow = self.width() < self._theme.scaled(_NARROW_PX)
        self._line.setDirection(direction.TopToBottom if narrow else direction.LeftToRight)
        super().resizeEvent(event)

    def show_notice(self, notice: Notice) -> None:
        """Now, or after the one on screen. The same words are not said twice."""
        if notice == self.notice or notice in self._waiting:
            return
        if self.notice is None:
            self._show(notice)
        else:
            self._waiting.append(notice)

    def dismiss(self) -> None:
        """Close it; the next one that waits comes up."""
        self.notice = None
        if self._waiting:
            self._show(self._waiting.pop(0))
        else:
            self.hide()
            self.closed.emit()

    def _show(self, notice: Notice) -> None:
        self.notice = notice
        self._restyle()
        self.text.setText(notice.text)
        self.setAccessibleName(notice.text)
        self.details.setVisible(bool(notice.detail))
        self.detail_text.setPlainText(notice.detail)
        self._show_details(False)
        self.action.setVisible(notice.action is not None)
        self.action.setText(notice.action_text.replace("&", "&&"))
        describe(self.action, notice.action_text, notice.text)
        self.show()
        announce(self, notice.text)

    def _act(self) -> None:
        action: Callable[[], None] | None = self.notice.action if self.notice else None
        self.dismiss()
        if action is not None:
            action()

    def _toggle_details(self) -> None:
        self._show_details(self.detail_text.isHidden())

    def _show_details(self, shown: bool) -> None:
        self.detail_text.setVisible(shown)
        self.copy.setVisible(shown)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.detail_text.toPlainText())

    def _restyle(self) -> None:
        good = self.notice is not None and self.notice.good
        icon, token = ("check", "success") if good else self._symbol
        side = self._theme.scaled(18)
        self.symbol.setPixmap(self._theme.icon(icon, token).pixmap(side, side))
        self.detail_text.setMinimumHeight(self._theme.scaled(_DETAILS_PX) // 2)
        self.detail_text.setMaximumHeight(self._theme.scaled(_DETAILS_PX))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        prepare(painter)
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.setBrush(self._theme.color("surface"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 12, 12)


class UndoBar(NoticeBar):
    """Says what was deleted and offers it back for a while. Ctrl+Z goes on working after it is gone."""

    _STAYS_MS = 12_000

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "trash-2", "text_soft")
        self._leave = QTimer(self, singleShot=True, interval=self._STAYS_MS)
        self._leave.timeout.connect(self._leave_unless_used)

    def offer(self, text: str, undo: Callable[[], None]) -> None:
        self.notice = None
        self._show(Notice(text, action_text=tr("Undo"), action=undo))
        self._leave.start()

    def _leave_unless_used(self) -> None:
        # Not from under somebody who has just come to it with the Tab key.
        focused: QWidget | None = self.window().focusWidget()
        if focused is not None and self.isAncestorOf(focused):
            self._leave.start()
        else:
            self.dismiss()
