"""The quiet line below the composer: what the model is doing, with numbers, where the next question goes, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.chat import ChatState, ChatViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.views.theme import Theme
from desktop.views.widgets import ElidedText, Text, announce, describe, push_button

if TYPE_CHECKING:
    from PySide6.QtWidgets import QProgressBar, QPushButton

_STEPS = 1000  # of the progress bar
_WRITING_MS = 300  # after a key, before the line is made anew
_REMARK_MS = 4000  # how long a passing remark such as “Copied” stays


class StatusLine(QWidget):
    """Bound to the chat (an answer under way) and the models (a load in the background)."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._chat: ChatViewModel | None = None
        self._models: ModelsViewModel | None = None
        self._remark = ""
        self._forget = QTimer(self, singleShot=True, interval=_REMARK_MS)
        self._forget.timeout.connect(self._end_remark)
        self._written = QTimer(self, singleShot=True, interval=_WRITING_MS)
        self._written.timeout.connect(self._show)
        self._bar: QProgressBar | None = None
        self._cancel: QPushButton | None = None
        self._effort: QPushButton | None = None
        self.text = ElidedText(theme, "soft")
        self.hint = Text(theme, "", "soft")
        row = self._row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 8, 0)
        row.setSpacing(8)
        row.addWidget(self.text, 1)
        row.addWidget(self.hint)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        self.setFixedHeight(self._theme.scaled(32))

    def use_enter(self, sends: bool) -> None:
        self.hint.setText(
            tr("Enter sends · Shift+Enter for a new line")
            if sends
            else tr("Ctrl+Enter sends · Enter for a new line")
        )

    def remark(self, text: str) -> None:
        """Say something in passing, for some seconds."""
        self._remark = text
        self._forget.start()
        announce(self, text)
        self._show()

    def _end_remark(self) -> None:
        self._remark = ""
        self._show()

    # ---- binding

    def bind(self, chat: ChatViewModel, models: ModelsViewModel) -> None:
        self._chat, self._models = chat, models
        chat.state_changed.connect(self._show)
        chat.draft_changed.connect(self._written.start)
        chat.images.draft_changed.connect(self._written.start)
        models.changed.connect(self._show)
        chat.effort.changed.connect(self._show)
        self._show()

    def _cancel_loading(self) -> None:
        assert self._models is not None
        self._models.cancel_loading()

    def _show(self) -> None:
        assert self._chat is not None and self._models is not None
        busy = self._chat.state is not ChatState.IDLE
        loading = None if busy else self._models.loading
        self._show_bar(self._chat.progress if busy else loading)
        ahead = "" if busy else self._chat.ahead
        words = ahead or self._chat.status_text
        if loading is not None:
            words = tr("Loading the model. You can write already.")
        self.text.setText(self._remark or words)
        if loading is not None or self._cancel is not None:
            self.cancel.setVisible(loading is not None)
        self.hint.setVisible(not busy and loading is None and not ahead)  # where it goes matters more
        self._show_effort(not busy and loading is None)

    def _show_effort(self, idle: bool) -> None:
        assert self._chat is not None
        offered = idle and bool(self._chat.effort.choices)
        if not offered and self._effort is None:
            return
        self.effort.setVisible(offered)
        self.effort.setText(self._chat.effort.text)
        explanation = tr("How much the model thinks before it answers in this conversation")
        describe(self.effort, self._chat.effort.text, explanation, tip=True)

    def _choose_effort(self) -> None:
        from PySide6.QtGui import QAction
        from PySide6.QtWidgets import QMenu

        assert self._chat is not None
        effort = self._chat.effort
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(tr("How much the model thinks before it answers in this conversation"))
        for value, name in effort.choices:
            action = QAction(name, menu, checkable=True, checked=value == effort.chosen)
            action.triggered.connect(lambda _=False, chosen=value: effort.choose(chosen))
            menu.addAction(action)
        above = self.effort.mapToGlobal(QPoint(0, -menu.sizeHint().height()))
        menu.popup(above)

    def _show_bar(self, fraction: float | None) -> None:
        if fraction is None and self._bar is None:
            return
        self.bar.setVisible(fraction is not None)
        if fraction is not None:
            self.bar.setValue(round(fraction * _STEPS))

    # The two parts below are seen only while something loads; they are made when that first happens.

    @property
    def bar(self) -> QProgressBar:
        if self._bar is None:
            from PySide6.QtWidgets import QProgressBar

            self._bar = QProgressBar()
            self._bar.setTextVisible(False)
            self._bar.setFixedSize(96, 4)
            self._bar.setRange(0, _STEPS)
            self._bar.setAccessibleName(tr("Progress"))
            self._row.insertWidget(0, self._bar)
            self._theme.dress(self._bar)
        return self._bar

    @property
    def effort(self) -> QPushButton:
        """Offered while a model is loaded to which it makes a difference."""
        if self._effort is None:
            self._effort = push_button("", "quiet", self._choose_effort)
            self._effort.setProperty("small", True)
            self._row.insertWidget(self._row.indexOf(self.hint), self._effort)
            self._theme.dress(self._effort)
        return self._effort

    @property
    def cancel(self) -> QPushButton:
        if self._cancel is None:
            self._cancel = push_button(
                tr("Cancel loading"),
                "quiet",
                self._cancel_loading,
                tr("Stop loading the model. You can choose another."),
            )
            self._row.insertWidget(self._row.indexOf(self.hint), self._cancel)
            self._theme.dress(self._cancel)
        return self._cancel
