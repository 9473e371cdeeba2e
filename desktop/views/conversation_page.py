"""The right part of the window: header, the conversation or the welcome page, notices, composer, status line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget
from shiboken6 import isValid

from desktop.i18n import tr
from desktop.viewmodels.chat import ChatViewModel
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.views.composer import Composer
from desktop.views.header import Header
from desktop.views.status_line import StatusLine
from desktop.views.theme import Theme
from desktop.views.welcome import Welcome
from desktop.views.widgets import centred_margin

if TYPE_CHECKING:
    from desktop.views.find_bar import FindBar
    from desktop.views.notice_bar import NoticeBar, UndoBar
    from desktop.views.transcript.view import TranscriptView


class ConversationPage(QWidget):
    """Bound to the open conversation. The transcript and the bars are made when they are first needed: a window that
    waits for the first message has no use for them, and a person who types does not wait for them."""

    computer_asked = Signal()

    def __init__(
        self,
        theme: Theme,
        chat: ChatViewModel,
        conversations: ConversationsViewModel,
        data_folder: str | None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._chat = chat
        self._conversations = conversations
        self._transcript: TranscriptView | None = None
        self._find_bar: FindBar | None = None
        self._notices: NoticeBar | None = None
        self._undo: UndoBar | None = None
        self._undo_text = ""
        self._count = 0  # conversations in the list when it last changed
        self.header = Header(theme)
        self.welcome = Welcome(theme, data_folder)
        self.composer = Composer(theme)
        self.status = StatusLine(theme)
        self._lay_out()
        self._bind()

    def _lay_out(self) -> None:
        self._stack = QStackedLayout()
        self._stack.addWidget(self.welcome)
        self._below = QVBoxLayout()
        self._below.setSpacing(8)
        self._below.addWidget(self.composer)
        self._below.addWidget(self.status)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 4)
        self._column.setSpacing(0)
        self._column.addWidget(self.header)
        self._column.addLayout(self._stack, 1)
        self._column.addSpacing(8)
        self._column.addLayout(self._below)

    def _bind(self) -> None:
        chat = self._chat
        self.composer.bind(chat)
        chat.notice.connect(lambda notice: self.notices.show_notice(notice))
        chat.revealed.connect(lambda row: self.transcript.show_row(row))
        self._follow_transcript()
        self._conversations.changed.connect(self._offer_undo)
        self.welcome.prompt_chosen.connect(self._send)
        self.welcome.computer_asked.connect(self.computer_asked)
        self._theme.changed.connect(self._restyle)

    def _follow_transcript(self) -> None:
        """Connect again after the view has connected: it has taken what is new when it comes into sight, and is laid
        out once."""
        for signal in (
            self._chat.transcript.was_reset,
            self._chat.transcript.appended,
            self._chat.transcript.truncated,
        ):
            if self._transcript is not None:
                signal.disconnect(self._show_conversation)
            signal.connect(self._show_conversation)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._align()
        self.composer.fit()

    def _align(self) -> None:
        """Put the composer under the column of text: in the middle of what the scroll bar leaves."""
        left, width = 0, self.width()
        if self._transcript is not None and self._stack.currentWidget() is self._transcript:
            viewport = self._transcript.viewport()
            left, width = viewport.x(), viewport.width()
        margin = centred_margin(self._theme, width, least=16)
        self._below.setContentsMargins(left + margin, 0, self.width() - left - width + margin, 0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:  # of the transcript's viewport: its scroll bar came or went
            self._align()
        return super().eventFilter(watched, event)

    # ---- the conversation

    @property
    def transcript(self) -> TranscriptView:
        """The view of the messages, made at the first need."""
        if self._transcript is None:
            from desktop.views.transcript.view import TranscriptView

            view = self._transcript = TranscriptView()
            view.setAccessibleName(tr("Conversation"))
            view.setAccessibleDescription(tr("The messages of the open conversation, oldest first."))
            self._restyle()  # before it binds, or it would draw everything twice
            view.bind(self._chat.transcript)
            self._follow_transcript()
            view.edit_requested.connect(self._edit)
            view.regenerate_requested.connect(self._chat.regenerate)
            view.branch_requested.connect(self._chat.show_branch)
            view.notice.connect(self.status.remark)
            self._stack.addWidget(view)
            view.viewport().installEventFilter(self)
            QWidget.setTabOrder(self.header.network_chip, view)
        return self._transcript

    def prepare(self) -> None:
        """Make the view before it is needed, so that the first conversation opens as fast as the others."""
        if isValid(self):
            self.transcript.ensurePolished()

    def _restyle(self) -> None:
        if self._transcript is not None:
            self._transcript.set_appearance(self._theme.palette, self._theme.body_px)

    def _show_conversation(self, _: int = 0) -> None:
        empty = not self._chat.transcript.entries
        shown: QWidget = self.welcome if empty else self.transcript
        if self._stack.currentWidget() is not shown:
            self._stack.setCurrentWidget(shown)
            self._align()

    def _edit(self, message_id: int) -> None:
        row = self._chat.transcript.row_of(message_id)
        if row is not None:
            self.composer.edit_message(message_id, self._chat.transcript.entries[row].text)

    def _send(self, text: str) -> None:
        if not self._chat.send(text):
            self.composer.insert(text)

    def copy_last_answer(self) -> None:
        self._copy(self._chat.last_answer(), tr("The last answer was copied."))

    def copy_conversation(self) -> None:
        if not self._chat.is_whole:
            self.status.remark(tr("The conversation is still being read. Try again in a moment."))
            return
        self._copy(self._chat.conversation_as_markdown(), tr("The conversation was copied."))

    def _copy(self, text: str, done: str) -> None:
        if text:
            QGuiApplication.clipboard().setText(text)
            self.status.remark(done)
        else:
            self.status.remark(tr("There is nothing to copy yet."))

    # ---- find

    @property
    def find_bar(self) -> FindBar:
        if self._find_bar is None:
            from desktop.views.find_bar import FindBar

            self._find_bar = FindBar(self._theme, lambda text, forward: self.transcript.find(text, forward))
            self._find_bar.closed.connect(self.composer.edit.setFocus)
            self._theme.dress(self._find_bar)
            self._column.insertWidget(1, self._find_bar)
            QWidget.setTabOrder(self.header.network_chip, self._find_bar.field)
        return self._find_bar

    def start_find(self) -> None:
        if self._chat.transcript.entries:
            self.find_bar.start()
        else:
            self.status.remark(tr("There is nothing to search yet."))

    # ---- bars

    @property
    def notices(self) -> NoticeBar:
        if self._notices is None:
            from desktop.views.notice_bar import NoticeBar

            self._notices = NoticeBar(self._theme)
            self._below.insertWidget(self._below.indexOf(self.composer), self._notices)
        return self._notices

    @property
    def undo(self) -> UndoBar:
        if self._undo is None:
            from desktop.views.notice_bar import UndoBar

            self._undo = UndoBar(self._theme)
            self._below.insertWidget(0, self._undo)
        return self._undo

    def _offer_undo(self) -> None:
        """Once for each deletion; the bar goes when there is nothing left to undo."""
        text = self._conversations.undo_text if self._conversations.can_undo else ""
        fewer = len(self._conversations.items) < self._count
        self._count = len(self._conversations.items)
        if text and (fewer or text != self._undo_text):
            self.undo.offer(text, self._conversations.undo_delete)
        elif not text and _is_shown(self._undo):
            self.undo.dismiss()
        self._undo_text = text

    def close_a_bar(self) -> None:
        """What Esc closes when there is no answer to stop: the innermost thing that is open."""
        if self.composer.is_editing:
            self.composer.cancel_editing()
        elif _is_shown(self._find_bar):
            self.find_bar.dismiss()
        elif _is_shown(self._notices):
            self.notices.dismiss()
        elif _is_shown(self._undo):
            self.undo.dismiss()


def _is_shown(bar: QWidget | None) -> bool:
    return bar is not None and bar.isVisible()
