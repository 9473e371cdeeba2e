"""What stands under a message: a problem in a sentence, a small line about the answer, and the actions."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRect, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

from desktop.i18n import tr
from desktop.viewmodels.transcript import Entry
from desktop.views import icons
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.buttons import QuietButton
from desktop.views.transcript.content import Paragraph, Span, Style, clean
from desktop.views.transcript.textview import ParagraphView
from desktop.views.transcript.writer import Writer

_COPIED_MS = 2_000


def plain_label(parent: QWidget) -> QLabel:
    """A label that never takes its text for HTML."""
    made = QLabel(parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(True)
    return made


class ProblemBar(QWidget):
    """The sentence, and the details behind a button that can be copied. `toggled` when the height changes."""

    toggled = Signal()
    copied = Signal(str)

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self._detail = ""
        self._open = False
        self._sentence = plain_label(self)
        self._more = QuietButton(look, "chevron-right", tr("Show details"), tr("Details"), self)
        self._more.symbol_last()
        self._more.clicked.connect(self.toggle)
        self._copy = QuietButton(look, "copy", tr("Copy details"), tr("Copy details"), self)
        self._copy.clicked.connect(self.copy)
        self._body: ParagraphView | None = None
        self.set_look(look)

    def show_problem(self, sentence: str, detail: str) -> None:
        self._sentence.setText(clean(sentence))
        self.setAccessibleName(tr("Problem: {sentence}", sentence=sentence))
        if detail != self._detail:
            self._detail = detail
            if self._body is not None:
                self._body.deleteLater()
                self._body = None
        self._more.setVisible(bool(detail))
        self._copy.setVisible(bool(detail) and self._open)

    def toggle(self) -> None:
        self._open = not self._open
        self._more.show_symbol("chevron-down" if self._open else "chevron-right")
        self._more.setAccessibleName(tr("Hide details") if self._open else tr("Show details"))
        self._copy.setVisible(self._open)
        self.toggled.emit()

    def tab_stops(self) -> list[QWidget]:
        body = [self._body] if self._body is not None and self._open else []
        return [self._more, *body, self._copy]

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self._detail)
        self.copied.emit(tr("Details copied"))

    def set_look(self, look: Appearance) -> None:
        self.look = look
        self._sentence.setFont(look.body)
        self._sentence.setPalette(look.text_palette())
        for button in (self._more, self._copy):
            button.set_look(look)
        if self._body is not None:
            self._body.deleteLater()
            self._body = None

    def height_for(self, width: int) -> int:
        px = self.look.px
        left, pad = px(40), px(12)
        buttons = self._more.sizeHint().width() + px(8) if self._detail else 0
        text_width = max(px(120), width - left - pad - buttons)
        height = max(px(22), self._sentence.heightForWidth(text_width))
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        self._sentence.setGeometry(_mirrored(QRect(left, pad, text_width, height), width, rtl))
        more = self._more
        more_at = QRect(
            width - pad + px(4) - more.width(),
            pad + (height - more.height()) // 2,
            more.width(),
            more.height(),
        )
        more.setGeometry(_mirrored(more_at, width, rtl))
        bottom = pad + height
        if self._open and self._detail:
            body = self._details()
            inner = width - left - pad
            body_height = body.height_for(inner)
            body.setGeometry(_mirrored(QRect(left, bottom + px(8), inner, body_height), width, rtl))
            bottom += px(8) + body_height
            copy_at = QRect(left - px(8), bottom + px(4), self._copy.width(), self._copy.height())
            self._copy.setGeometry(_mirrored(copy_at, width, rtl))
            bottom += px(4) + self._copy.height() - px(4)
        elif self._body is not None:
            self._body.hide()
        return bottom + pad

    def _details(self) -> ParagraphView:
        if self._body is None:
            self._body = ParagraphView(self.look, self)
            self._body.setAccessibleName(tr("Details"))
            writer = Writer(self._body.document(), self.look, lambda latex: False)
            writer.write([Paragraph((Span(clean(self._detail[:20_000]), Style.CODE | Style.SOFT),))])
        self._body.show()
        return self._body

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.look.color("surface"))
        painter.drawRoundedRect(self.rect(), 12, 12)
        side = self.look.px(16)
        line = QFontMetrics(self.look.body).height()
        where = QRect(self.look.px(14), self.look.px(12) + (line - side) // 2, side, side)
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        where = _mirrored(where, self.width(), rtl)
        painter.drawPixmap(where, icons.pixmap("triangle-alert", self.look.palette.warning, side))


class Footer(QWidget):
    """The small line, and the actions, which come with the pointer or the keyboard.

    The room for them is always there, so that nothing moves when they come.
    """

    action = Signal(str)  # "copy", "edit", "regenerate", "previous" or "next"

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self._entry = Entry(0, "assistant")
        self._label: QLabel | None = None
        self._buttons: dict[str, QuietButton] = {}
        self._count: QLabel | None = None
        self._active = False
        self._copied = QTimer(self, singleShot=True, interval=_COPIED_MS)
        self._copied.timeout.connect(self._uncopy)

    def show_entry(self, entry: Entry) -> None:
        self._entry = entry
        note = clean(entry.footnote)
        if note and self._label is None:
            self._label = plain_label(self)
            self._label.setFont(self.look.small)
            self._label.setPalette(self.look.text_palette("text_soft"))
            self._label.show()
        if self._label is not None:
            self._label.setText(note)
        if entry.branches > 1:
            self._make_branches()
        self._show_buttons()

    @property
    def _finished(self) -> bool:
        return self._entry.status != "streaming"

    def set_active(self, active: bool) -> None:
        """Whether the pointer or the keyboard is in the message."""
        if active == self._active:
            return
        self._active = active
        if active and not self._has_actions:
            self._make_actions()
        self._show_buttons()

    @property
    def _has_actions(self) -> bool:
        return "copy" in self._buttons

    def _make_actions(self) -> None:
        self._button("copy", "copy", tr("Copy message"))
        if self._entry.role == "user":
            self._button("edit", "pencil", tr("Edit message"))
        else:
            self._button("regenerate", "rotate-ccw", tr("Answer again"))

    def _make_branches(self) -> None:
        if self._count is None:
            self._button("previous", "chevron-left", tr("Previous version"))
            self._count = plain_label(self)
            self._count.setWordWrap(False)
            self._count.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self._count.setFont(self.look.small)
            self._count.setPalette(self.look.text_palette("text_soft"))
            self._count.show()
            self._button("next", "chevron-right", tr("Next version"))
        branch, branches = self._entry.branch, self._entry.branches
        self._count.setText(f"{branch}/{branches}")
        self._count.setAccessibleName(tr("Version {branch} of {branches}", branch=branch, branches=branches))
        self._buttons["previous"].setEnabled(branch > 1)
        self._buttons["next"].setEnabled(branch < branches)

    def _button(self, key: str, symbol: str, name: str) -> None:
        made = self._buttons[key] = QuietButton(self.look, symbol, name, parent=self)
        act: Callable[[], None] = lambda: self.action.emit(key)  # noqa: E731
        made.clicked.connect(act)

    def _show_buttons(self) -> None:
        for key, button in self._buttons.items():
            of_branches = key in ("previous", "next")
            wanted = self._entry.branches > 1 if of_branches else self._active and self._finished
            button.setVisible(wanted)
        if self._count is not None:
            self._count.setVisible(self._entry.branches > 1)
        self._place()

    def tab_stops(self) -> list[QWidget]:
        order = ("previous", "next", "copy", "edit", "regenerate")
        return [self._buttons[key] for key in order if key in self._buttons]

    def show_copied(self) -> None:
        if self._has_actions:
            self._buttons["copy"].show_symbol("check")
            self._copied.start()

    def _uncopy(self) -> None:
        self._buttons["copy"].show_symbol("copy")

    def set_look(self, look: Appearance) -> None:
        self.look = look
        for button in self._buttons.values():
            button.set_look(look)
        for label in (self._label, self._count):
            if label is not None:
                label.setFont(look.small)
                label.setPalette(look.text_palette("text_soft"))

    # ---- size and place

    def height_for(self, width: int) -> int:
        row = self.look.px(28)
        if self._label is None or not self._label.text():
            return row
        return max(row, self._label.heightForWidth(self._label_width(width)) + self.look.px(8))

    def _label_width(self, width: int) -> int:
        actions = 2 * self.look.px(28) + self.look.px(16)
        branches = 2 * self.look.px(28) + self.look.px(36) if self._entry.branches > 1 else 0
        return max(self.look.px(120), width - actions - branches)

    def resizeEvent(self, event: object) -> None:
        self._place()

    def _place(self) -> None:
        """The line at the start, the actions at the end; under a person's message everything at the end."""
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        row, width = self.look.px(28), self.width()
        if self._label is not None:
            label_width = self._label_width(width)
            height = max(row, self._label.heightForWidth(label_width))
            side = Qt.AlignmentFlag.AlignRight if rtl else Qt.AlignmentFlag.AlignLeft
            self._label.setAlignment(side | Qt.AlignmentFlag.AlignAbsolute | Qt.AlignmentFlag.AlignVCenter)
            self._label.setGeometry(_mirrored(QRect(0, 0, label_width, height), width, rtl))
        count_width = self.look.px(36)
        places = {"edit": row, "regenerate": row, "copy": 2 * row, "next": 3 * row}
        places |= {"previous": 4 * row + count_width}
        for key, button in self._buttons.items():
            button.setGeometry(_mirrored(QRect(width - places[key], 0, row, row), width, rtl))
        if self._count is not None:
            left = width - 3 * row - count_width
            self._count.setGeometry(_mirrored(QRect(left, 0, count_width, row), width, rtl))


def _mirrored(rect: QRect, width: int, rtl: bool) -> QRect:
    return QRect(width - rect.right() - 1, rect.y(), rect.width(), rect.height()) if rtl else rect
