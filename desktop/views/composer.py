"""Where a message is written: the growing field, the button that sends or stops, and the editing of a sent message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.chat import ChatState, ChatViewModel
from desktop.views.message_edit import MessageEdit
from desktop.views.theme import Theme
from desktop.views.widgets import IconButton, Text, announce, describe, icon_button, prepare, push_button

if TYPE_CHECKING:
    from desktop.views.image_strip import ImageStrip

SHARE_OF_WINDOW = 0.4  # the field grows to this share of the window's height
RADIUS = 12


class Composer(QWidget):
    """Bound to one `ChatViewModel`. `model_dropped`: the path of a model file dropped onto the field."""

    model_dropped = Signal(str)
    model_wanted = Signal()  # the list of models

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._chat: ChatViewModel | None = None
        self._editing: int | None = None  # the message being edited
        self._kept = ""  # the draft that waits while a message is edited
        self.edit = MessageEdit()
        self.edit.setPlaceholderText(tr("Write a message"))
        describe(self.edit, tr("Message"), tr("Write to the model here."))
        self.button = IconButton(theme, "arrow-up", primary=True)
        self.button.clicked.connect(self._send_or_stop)
        self.attach = icon_button(
            theme, "image", tr("Add images"), tr("Show the model images. They can be pasted and dropped here too."),
            self._choose_images,
        )  # fmt: skip
        self.strip: ImageStrip | None = None  # made with the first image
        self._note: QWidget | None = None
        self._bar_dressed = False
        self._lay_out()
        self.edit.submitted.connect(self._submit)
        self.edit.textChanged.connect(self._text_changed)
        self.edit.model_dropped.connect(self.model_dropped)
        self.edit.images_dropped.connect(self.add_image_files)
        self.edit.image_dropped.connect(self.add_image)
        self.edit.installEventFilter(self)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _lay_out(self) -> None:
        grid = self._grid = QGridLayout(self)
        grid.setContentsMargins(12, 8, 8, 8)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.addWidget(self.edit, 1, 0, Qt.AlignmentFlag.AlignVCenter)
        grid.addWidget(self.attach, 1, 1, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(self.button, 1, 2, Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(0, 1)

    # ---- binding

    def bind(self, chat: ChatViewModel) -> None:
        self._chat = chat
        chat.state_changed.connect(self._show_state)
        chat.draft_replaced.connect(self._take_draft)
        chat.edit_returned.connect(self.edit_message)
        chat.images.draft_changed.connect(self._show_images)
        self._take_draft()
        self._show_state()

    def use_enter(self, sends: bool) -> None:
        """Whether Enter sends (and Shift+Enter makes a line) or makes a line (and Ctrl+Enter sends)."""
        self.edit.enter_sends = sends

    @property
    def is_editing(self) -> bool:
        return self._editing is not None

    def edit_message(self, message_id: int, text: str) -> None:
        """Let the person change a message that was sent before. Sending makes a branch."""
        if not self.is_editing:
            self._kept = self.edit.toPlainText()
        self._editing = message_id
        self._show_editing(True)
        self._replace_text(text)
        announce(self, tr("Editing your message. What followed stays as a branch."))
        self.edit.setFocus()

    def cancel_editing(self) -> None:
        """Back to the draft that was there before."""
        if self.is_editing:
            self._editing = None
            self._show_editing(False)
            self._replace_text(self._kept)
            self.edit.setFocus()

    def insert(self, text: str) -> None:
        """Put text at the cursor, as typed text would be."""
        self.edit.insertPlainText(text)
        self.edit.setFocus()

    # ---- sending

    def _send_or_stop(self) -> None:
        assert self._chat is not None
        if self._chat.state is ChatState.IDLE:
            self._submit()
        else:
            self._chat.stop()

    def _submit(self) -> None:
        assert self._chat is not None
        text = self.edit.toPlainText()
        if not self._has_something():
            return
        if self._editing is not None:
            if self._chat.can_send:
                message_id, self._editing = self._editing, None
                self._show_editing(False)
                self._replace_text(self._kept)
                self._chat.edit(message_id, text)
        elif self._chat.send(text):
            self._replace_text("")

    def _has_something(self) -> bool:
        images = self._chat is not None and not self.is_editing and bool(self._chat.images.draft)
        return images or bool(self.edit.toPlainText().strip())

    # ---- images

    def add_image(self, data: bytes) -> None:
        """Add what was pasted or dropped: the bytes of an image file."""
        if self._chat is not None and self._takes_images():
            self._chat.images.add_data(data)

    def add_image_files(self, paths: list[str]) -> None:
        """Add image files to the message."""
        if self._chat is not None and self._takes_images():
            for path in paths:
                self._chat.images.add_file(path)

    def _choose_images(self) -> None:
        from desktop.views.image_files import ask_for_images

        if self._takes_images():
            self.add_image_files(ask_for_images(self.window()))
            self.edit.setFocus()

    def _takes_images(self) -> bool:
        """A message that is edited keeps the images it was sent with: others would be those of the waiting draft."""
        if self.is_editing:
            announce(self, tr("Images can be added to a new message."))
        return not self.is_editing

    def _show_images(self) -> None:
        assert self._chat is not None
        if self.strip is None and self._chat.images.draft:
            from desktop.views.image_strip import ImageStrip

            self.strip = ImageStrip(self._theme, self._chat)
            self.strip.model_wanted.connect(self.model_wanted)
            self._grid.addWidget(self.strip, 0, 0, 1, 3)
        if self.strip is not None:
            self.strip.refresh()
            self.strip.setVisible(bool(self._chat.images.draft) and not self.is_editing)
        self._show_state()

    # ---- showing

    def _take_draft(self) -> None:
        assert self._chat is not None
        self._editing = None
        self._show_editing(False)
        if self.edit.toPlainText() != self._chat.draft:
            self._replace_text(self._chat.draft)

    def _replace_text(self, text: str) -> None:
        self.edit.setPlainText(text)
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)

    def _text_changed(self) -> None:
        if self._chat is not None and not self.is_editing:
            self._chat.set_draft(self.edit.toPlainText())
        self.fit()
        self._show_state()

    def _show_state(self) -> None:
        if self._chat is None:
            return
        if self._chat.state is ChatState.IDLE:
            self._show_button("arrow-up", tr("Send"), tr("Send the message"))
            ready = self._chat.can_send and not self._chat.images.busy
            self.button.setEnabled(ready and self._has_something())
        else:
            self._show_button("stop", tr("Stop"), tr("Stop the answer. What there is of it stays."))
            self.button.setEnabled(self._chat.state is not ChatState.STOPPING)

    def _show_button(self, icon: str, name: str, description: str) -> None:
        if self.button.accessibleName() != name:
            describe(self.button, name, description, tip=True)
        self.button.show_icon(icon)

    def _show_editing(self, editing: bool) -> None:
        if editing or self._note is not None:
            self.note.setVisible(editing)
        if self._chat is not None:
            self._show_images()

    @property
    def note(self) -> QWidget:
        """The line above the field while a message is edited; made when that first happens."""
        if self._note is None:
            self._note = QWidget()
            words = Text(self._theme, tr("Editing your message. What followed stays as a branch."), "soft")
            cancel = push_button(
                tr("Cancel"), "quiet", self.cancel_editing, tr("Leave the message as it was. The key is Esc.")
            )
            row = QHBoxLayout(self._note)
            row.setContentsMargins(4, 0, 0, 0)
            row.addWidget(words, 1)
            row.addWidget(cancel)
            self._theme.dress(self._note)
            self._grid.addWidget(self._note, 0, 0, 1, 3)
        return self._note

    def _restyle(self) -> None:
        font = self.edit.font()
        font.setPixelSize(self._theme.body_px)
        self.edit.setFont(font)
        self.fit()
        self.update()

    def fit(self) -> None:
        """Give the field the height of its text, within its share of the window."""
        self.edit.grow(int(self.window().height() * SHARE_OF_WINDOW))
        if self.edit.scrolls and not self._bar_dressed:
            self._bar_dressed = True
            self._theme.dress(self.edit.verticalScrollBar())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        elif kind == QEvent.Type.Resize:
            self.fit()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        focused = self.edit.hasFocus()
        width = 2.0 if focused else 1.0
        painter = QPainter(self)
        prepare(painter)
        painter.setPen(QPen(self._theme.color("accent" if focused else "outline"), width))
        painter.setBrush(self._theme.color("page"))
        half = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(half, half, -half, -half), RADIUS, RADIUS)
