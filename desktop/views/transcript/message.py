"""One message on screen: a person's in a bubble, an answer plain on the page, and what belongs under it."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QRect, Qt, Signal
from PySide6.QtGui import QEnterEvent, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from desktop.i18n import tr
from desktop.viewmodels.images import ImagesViewModel
from desktop.viewmodels.transcript import Entry
from desktop.views.transcript.appearance import COLUMN, Appearance
from desktop.views.transcript.find import Hit
from desktop.views.transcript.images import MessageImages, images_height
from desktop.views.transcript.notes import Footer, ProblemBar
from desktop.views.transcript.parts import EMPTY_SHARE, PartView, chars_per_line, gap, place_of, select_in
from desktop.views.transcript.pieces import Growing, Part, split
from desktop.views.transcript.prose import ProseView
from desktop.views.transcript.reasoning import ReasoningView
from desktop.views.transcript.textview import TextView, focus_ring
from desktop.views.transcript.waiting import WaitingDots

_MARGIN = 24  # pixels beside the column, at least
_BUBBLE_SHARE = 0.85  # of the column, for a person's message


def column_width(width: int, look: Appearance) -> int:
    return max(160, min(look.px(COLUMN) if look.text_px > 15 else COLUMN, width - 2 * _MARGIN))


def guess_heights(entries: Iterable[Entry], width: int, look: Appearance) -> list[int]:
    """About the heights of messages that have no widgets yet: a whole conversation in a few milliseconds."""
    per_line = chars_per_line(column_width(width, look), look)
    line, rest = look.line_px, look.px(56)
    column = column_width(width, look)
    return [
        int(line * (1 + len(e.text) / per_line + e.text.count("\n") * EMPTY_SHARE))
        + rest
        + (images_height(len(e.images), column, look) if e.images else 0)
        for e in entries
    ]


class MessageView(QWidget):
    """Places its parts itself. `resized` asks the transcript to lay out again."""

    resized = Signal()
    action = Signal(str, int)  # "edit", "regenerate", "previous" or "next", and the message's number
    link_activated = Signal(str)
    noticed = Signal(str)

    def __init__(self, look: Appearance, parent: QWidget, images: ImagesViewModel | None = None) -> None:
        super().__init__(parent)
        self._pixels = images
        self.images: MessageImages | None = None
        self.look = look
        self.entry = Entry(0, "assistant")
        self.parts: list[PartView] = []
        self._growing: Growing | None = None
        self._reasoning: ReasoningView | None = None
        self._waiting: WaitingDots | None = None
        self._problem: ProblemBar | None = None
        self.footer = Footer(look, self)
        self.footer.action.connect(self._act)
        self._bubble = QRect()
        self._tops: list[int] = []  # where each part starts
        self._width = 0

    # ---- what it shows

    @property
    def is_user(self) -> bool:
        return self.entry.role == "user"

    def show_entry(self, entry: Entry) -> None:
        """Show a message, or what has become of the one that is shown."""
        before, self.entry = self.entry, entry
        self.setAccessibleName(self._name())
        self._show_reasoning()
        self._show_images()
        if entry.status == "streaming" and not self.is_user:
            self._grow(entry.text)
        elif self._growing is not None and self._growing.text == entry.text:
            self._take(self._growing.finish())
            self._growing = None
        elif not self.parts or before.text != entry.text or self._growing is not None:
            self._growing = None
            self._take(split(entry.text, typed=self.is_user))
        self._show_waiting()
        self._show_problem()
        self.footer.show_entry(entry)

    def _name(self) -> str:
        if self.is_user:
            return tr("Message from you")
        return tr("Answer from {model}", model=self.entry.author) if self.entry.author else tr("Answer")

    def _grow(self, text: str) -> None:
        if self._growing is None or not text.startswith(self._growing.text):
            self._growing = Growing(text)
        else:
            self._growing.feed(text[len(self._growing.text) :])
        self._take(self._growing.parts)

    def _take(self, parts: list[Part]) -> None:
        """Show these parts; those that are shown already keep their widgets where they can."""
        final = self.entry.status != "streaming"
        for index, part in enumerate(parts):
            if index == len(self.parts):
                self.parts.append(PartView(part, self.look, self, self))
                self.parts[index].guess(self._width or COLUMN)
            view = self.parts[index]
            view.part = part
            if view.made and (view.part is not part or index >= len(parts) - 2 or final):
                view.make(final or index < len(parts) - 1)
        for view in self.parts[len(parts) :]:
            view.forget()
        del self.parts[len(parts) :]

    def _show_reasoning(self) -> None:
        entry = self.entry
        if not entry.reasoning:
            if self._reasoning is not None:
                self._reasoning.hide()
            return
        if self._reasoning is None:
            self._reasoning = ReasoningView(self.look, self)
            self._reasoning.toggled.connect(self.resized)
            self._reasoning.link_activated.connect(self.open_link)
            self._reasoning.show()
        thinking = entry.status == "streaming" and not entry.text
        self._reasoning.show_reasoning(entry.reasoning, entry.reasoning_seconds, thinking)

    def _show_images(self) -> None:
        if self.entry.images and self.images is None and self._pixels is not None:
            self.images = MessageImages(self.look, self._pixels, self)
        if self.images is not None:
            self.images.show_images(self.entry.images)

    def _show_waiting(self) -> None:
        waits = self.entry.status == "streaming" and not self.entry.text and not self.entry.reasoning
        if waits and self._waiting is None:
            self._waiting = WaitingDots(self.look, self)
        if self._waiting is not None:
            self._waiting.setVisible(waits)

    def _show_problem(self) -> None:
        if self.entry.problem and self._problem is None:
            self._problem = ProblemBar(self.look, self)
            self._problem.toggled.connect(self.resized)
            self._problem.copied.connect(self.notify)
        if self._problem is not None:
            self._problem.setVisible(bool(self.entry.problem))
            self._problem.show_problem(self.entry.problem, self.entry.problem_detail)

    def redraw(self) -> bool:
        """Put in formulas that have been drawn. Whether a height may have changed."""
        changed = [part.redraw() for part in self.parts if part.made]
        if self._reasoning is not None:
            changed.append(self._reasoning.redraw())
        return any(changed)

    def set_look(self, look: Appearance) -> None:
        self.look = look
        for part in self.parts:
            part.set_look(look)
        for piece in (self._reasoning, self._waiting, self._problem, self.footer):
            if piece is not None:
                piece.set_look(look)
        if self.images is not None:
            self.images.set_look(look)
        self._width = 0
        self.update()

    # ---- size and place

    def lay_out(self, width: int, top: int, bottom: int) -> int:
        """Place everything in `width` pixels, with widgets for what is between `top` and `bottom`; the height."""
        self._width = width
        column = column_width(width, self.look)
        left = (width - column) // 2
        y = self.look.px(8)
        if self._reasoning is not None and not self._reasoning.isHidden():
            height = self._reasoning.height_for(column)
            # The words of the button line up with the text: its padding hangs out to the side.
            out = self.look.px(8)
            self._reasoning.setGeometry(left - (0 if self._rtl else out), y, column + out, height)
            y += height + self.look.px(8)
        if self.images is not None:
            y += self.images.lay_out(left, y, column, from_right=not self._rtl)
        if self.is_user and self.images is not None and not self.entry.text:
            self._bubble = QRect()
        elif self.is_user:
            y = self._lay_out_bubble(left, y, column, top, bottom)
        else:
            y = self._lay_out_parts(left, y, column, top, bottom)
        if self._waiting is not None and not self._waiting.isHidden():
            size = self._waiting.sizeHint()
            self._waiting.setGeometry(
                left + (column - size.width() if self._rtl else 0), y, size.width(), size.height()
            )
            y += size.height()
        if self._problem is not None and self.entry.problem:
            y += self.look.px(12) if self.entry.text or self.entry.reasoning else 0
            height = self._problem.height_for(column)
            self._problem.setGeometry(left, y, column, height)
            y += height
        y += self.look.px(4)
        height = self.footer.height_for(column)
        self.footer.setGeometry(left, y, column, height)
        return y + height + self.look.px(0 if self.is_user else 16)

    def _lay_out_parts(self, left: int, y: int, width: int, top: int, bottom: int) -> int:
        self._tops = []
        for index, part in enumerate(self.parts):
            if index and part.made and self.parts[index - 1].made:
                above, below = self.parts[index - 1].views, part.views
                y += gap(above[-1].block, below[0].block, self.look) if above and below else 0
            elif index:
                y += self.look.px(12)
            self._tops.append(y)
            part.guess(width)
            near = y < bottom and y + part.height > top
            if near and not part.made:
                part.make(self.entry.status != "streaming" or index < len(self.parts) - 1)
            if not near and part.made and len(self.parts) > 1 and not part.keep(_is_in_use):
                part.forget()
            y += part.lay_out(left, y, width, self._rtl) if part.made else part.height
        return y

    def _lay_out_bubble(self, left: int, y: int, column: int, top: int, bottom: int) -> int:
        across, down = self.look.px(16), self.look.px(10)
        limit = int(column * _BUBBLE_SHARE) - 2 * across
        width = limit
        if len(self.parts) == 1:
            if not self.parts[0].made:
                self.parts[0].make()
            width = max(self.look.px(16), self.parts[0].natural_width(limit))
        x = left if self._rtl else left + column - width - 2 * across
        end = self._lay_out_parts(x + across, y + down, width, top, bottom) + down
        self._bubble = QRect(x, y, width + 2 * across, end - y)
        return end

    @property
    def _rtl(self) -> bool:
        return self.layoutDirection() == Qt.LayoutDirection.RightToLeft

    def part_at(self, y: int) -> int:
        """The part that covers a height in this message."""
        below = [index for index, start in enumerate(self._tops) if start <= y]
        return below[-1] if below else -1

    def top_of(self, part: int) -> int:
        return self._tops[part] if 0 <= part < len(self._tops) else 0

    # ---- what the transcript asks

    @property
    def depends_on_place(self) -> bool:
        """Whether more or less of it has widgets depending on where the window is."""
        return len(self.parts) > 1 or not all(part.made for part in self.parts)

    def in_use(self) -> bool:
        """Whether it must not go away: the keyboard is in it, or text in it is selected."""
        focus = QApplication.focusWidget()
        if focus is not None and self.isAncestorOf(focus):
            return True
        return any(part.has_selection() for part in self.parts)

    def tab_stops(self) -> list[QWidget]:
        """What Tab goes through, in reading order."""
        stops: list[QWidget] = list(self.images.thumbnails) if self.images is not None else []
        if self._reasoning is not None:
            stops += self._reasoning.tab_stops()
        for part in self.parts:
            stops += part.tab_stops()
        if self._problem is not None:
            stops += self._problem.tab_stops()
        return [*stops, *self.footer.tab_stops()]

    def make_part(self, number: int) -> None:
        if number < len(self.parts) and not self.parts[number].made:
            self.parts[number].make()

    def select(self, hit: Hit) -> tuple[TextView, QRect] | None:
        """Select what was found; the widget it is in and where in it."""
        if hit.part >= len(self.parts) or hit.block >= len(self.parts[hit.part].views):
            return None
        return select_in(self.parts[hit.part].views[hit.block], hit.text, hit.count)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.is_user:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.look.color("bubble"))
            painter.drawRoundedRect(self._bubble, 12, 12)
        for part in self.parts:
            for view in part.views:
                if isinstance(view, ProseView) and view.has_keyboard:
                    focus_ring(painter, view.geometry().adjusted(-6, -4, 6, 4).toRectF(), self.look, 8)
                for bar in place_of(view.block).bars:
                    self._paint_bar(painter, view.geometry(), bar)

    def _paint_bar(self, painter: QPainter, beside: QRect, bar: int) -> None:
        column = column_width(self.width(), self.look)
        left = (self.width() - column) // 2
        x = bar * self.look.indent_px + 2
        x = left + column - x - 3 if self._rtl else left + x
        gap_px = self.look.px(12)
        painter.fillRect(
            QRect(x, beside.top() - gap_px, 3, beside.height() + gap_px), self.look.color("outline")
        )

    # ---- what a person does with it

    def enterEvent(self, event: QEnterEvent) -> None:
        self.footer.set_active(True)

    def leaveEvent(self, event: QEvent) -> None:
        self.update_active()

    def update_active(self) -> None:
        """Show the actions while the pointer or the keyboard is in the message."""
        focus = QApplication.focusWidget()
        focused = focus is not None and self.isAncestorOf(focus)
        self.footer.set_active(self.underMouse() or focused)

    def _act(self, what: str) -> None:
        if what == "copy":
            QGuiApplication.clipboard().setText(self.entry.text)
            self.footer.show_copied()
            self.notify(tr("Message copied"))
        else:
            self.action.emit(what, self.entry.message_id)

    def open_link(self, address: str) -> None:
        self.link_activated.emit(address)

    def notify(self, text: str) -> None:
        self.noticed.emit(text)


def _is_in_use(widget: QWidget) -> bool:
    focus = QApplication.focusWidget()
    return focus is not None and (widget is focus or widget.isAncestorOf(focus))
