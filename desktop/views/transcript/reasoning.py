"""The model's reasoning, folded away behind a line that says how long it took."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.buttons import QuietButton
from desktop.views.transcript.content import (
    Block,
    Code,
    Formula,
    Paragraph,
    Prose,
    Span,
    Table,
    clean,
    plain_text,
)
from desktop.views.transcript.markdown import parse, verbatim
from desktop.views.transcript.prose import ProseView
from desktop.views.transcript.textview import focus_ring

_READ_AS_MARKDOWN = 8_000  # characters; longer reasoning is shown as it was written
_LONGEST = 60_000  # of even longer reasoning the end is shown


class ReasoningView(QWidget):
    """Nothing is read or laid out until it is opened. `toggled` when its height changes."""

    toggled = Signal()
    link_activated = Signal(str)

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self._text = ""
        self._open = False
        self._stale = True
        self._body: ProseView | None = None
        self.button = QuietButton(look, "chevron-right", tr("Reasoning"), tr("Thinking…"), self)
        self.button.symbol_last()
        self.button.setCheckable(True)
        self.button.clicked.connect(self.toggle)

    def show_reasoning(self, text: str, seconds: float, thinking: bool) -> None:
        words = tr("Thinking…") if thinking else _duration(seconds)
        if words != self.button.text():
            self.button.setText(words)
            self.button.resize(self.button.sizeHint())
        self._name()
        if text != self._text:
            self._text = text
            self._stale = True

    def toggle(self) -> None:
        self._open = not self._open
        self.button.setChecked(self._open)
        self.button.show_symbol("chevron-down" if self._open else "chevron-right")
        self._name()
        if self._body is not None:
            self._body.setVisible(self._open)
        self.toggled.emit()

    def _name(self) -> None:
        state = tr("open") if self._open else tr("folded")
        self.button.setAccessibleName(f"{self.button.text()} ({state})")

    @property
    def is_open(self) -> bool:
        return self._open

    def tab_stops(self) -> list[QWidget]:
        return [self.button, self._body] if self._open and self._body is not None else [self.button]

    def set_look(self, look: Appearance) -> None:
        self.look = look
        self.button.set_look(look)
        if self._body is not None:
            self._body.set_look(look)

    def height_for(self, width: int) -> int:
        height = self.button.sizeHint().height()
        if not self._open:
            return height
        body = self._shown_body()
        inner = width - self.look.px(20)
        gap = self.look.px(8)
        body.setGeometry(self.look.px(20), height + gap, inner, body.height_for(inner))
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            body.move(0, height + gap)
        return height + gap + body.height() + self.look.px(4)

    def _shown_body(self) -> ProseView:
        if self._body is None:
            self._body = ProseView(self.look, self, "text_soft")
            self._body.setAccessibleName(tr("Reasoning"))
            self._body.link_activated.connect(self.link_activated)
            self._body.show()
        if self._stale:
            self._stale = False
            self._body.show_block(_as_prose(self._text))
        return self._body

    def redraw(self) -> bool:
        return self._open and self._body is not None and self._body.redraw()

    def resizeEvent(self, event: object) -> None:
        x = 0
        # The words line up with the text below: the button's own padding hangs out.
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            x = self.width() - self.button.width()
        self.button.move(x, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._open and self._body is not None:
            painter = QPainter(self)
            if self._body.has_keyboard:
                focus_ring(painter, self._body.geometry().adjusted(-6, -4, 2, 4).toRectF(), self.look, 8)
            x = self.look.px(8)
            if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
                x = self.width() - x - 2
            painter.fillRect(x, self._body.y(), 2, self._body.height(), self.look.color("line"))


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 1:
        return tr("Thought for a moment")
    if whole < 60:
        return tr("Thought for {seconds} s", seconds=whole)
    return tr("Thought for {minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)


def _as_prose(text: str) -> Prose:
    """Reasoning is read as Markdown when it is short enough; its code and tables are shown as text."""
    if len(text) > _READ_AS_MARKDOWN:
        return verbatim(text if len(text) <= _LONGEST else "…" + text[-_LONGEST:])
    paragraphs: list[Paragraph] = []
    for block in parse(text):
        if isinstance(block, Prose):
            paragraphs += block.paragraphs
        else:
            paragraphs.append(Paragraph((Span(clean(_source(block))),)))
    return Prose(tuple(paragraphs))


def _source(block: Block) -> str:
    match block:
        case Code():
            return block.source.rstrip("\n")
        case Formula():
            return block.latex
        case Table():
            return "\n".join(" | ".join(map(plain_text, row)) for row in block.rows)
        case Prose():
            return "\n".join(plain_text(paragraph.spans) for paragraph in block.paragraphs)
