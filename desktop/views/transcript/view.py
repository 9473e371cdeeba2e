"""The conversation: a scrolling area that has widgets only for the messages near the window.

Opening 10,000 messages costs as much as opening ten; an answer that streams in is drawn a few times a second,
however fast its tokens come; and what a person is reading never moves under their eyes.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QMetaObject, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPaintEvent, QPalette, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QWidget
from shiboken6 import isValid

from desktop.i18n import tr
from desktop.viewmodels.transcript import TranscriptModel
from desktop.views.palette import LIGHT, Palette
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.buttons import JumpButton, style_scroll_bars
from desktop.views.transcript.find import Finder, Hit
from desktop.views.transcript.heights import Heights
from desktop.views.transcript.keys import chain, distance_into_view, first_in_sight, scroll_with_key
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.message import MessageView, guess_heights
from desktop.views.transcript.placement import Placement
from desktop.views.transcript.textview import TextView

_SHORTEST_MS, _LONGEST_MS = 50, 400  # between two drawings of a streaming answer
_SHARE = 4  # of the time at most goes into drawing it: one part in this many
_WHEEL_STEP = 40  # pixels for a third of a notch of the wheel
_LATER_MS = 20  # what is in the window is painted first, then come the messages next to it
_ABOVE = 40  # pixels between the top and what was asked for
_FAR = 120  # pixels from the end at which the button to go there appears


class TranscriptView(QAbstractScrollArea):
    """`bind` it to a model. The signals say what a person asked for; nothing is changed here."""

    edit_requested = Signal(int)
    regenerate_requested = Signal(int)
    branch_requested = Signal(int, int)
    link_copied = Signal(str)
    notice = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = Appearance(LIGHT, 15)
        self._model = TranscriptModel(self)
        self._connections: list[QMetaObject.Connection] = []
        self._found: TextView | None = None  # where the last hit is selected
        self._changed: set[int] = set()  # rows whose entries differ from what is shown
        self._last_flush = 0.0  # seconds that the last drawing took
        self._flushed_at = 0.0
        self._placement = Placement(self, self._make)
        self._finder = Finder(self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Its room is always kept: the text must not wrap anew when the bar comes. Without use it is not seen.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setAccessibleName(tr("Conversation"))
        self.viewport().setAutoFillBackground(True)
        self._to_end = JumpButton(self._look, self)
        self._to_end.clicked.connect(self.scroll_to_end)
        self._tick = QTimer(self, singleShot=True)
        self._tick.timeout.connect(self._flush)
        self._later = QTimer(self, singleShot=True)
        self._later.timeout.connect(self._extend)
        bar = self.verticalScrollBar()
        bar.setSingleStep(_WHEEL_STEP)
        bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        bar.valueChanged.connect(self._scrolled)
        Mathematics.shared().drawn.connect(self._draw_formulas)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._focus_changed)
        self.set_appearance(LIGHT, 15)

    # ---- what the window calls

    def bind(self, model: TranscriptModel) -> None:
        """Show a model, now and as it changes."""
        for connection in self._connections:
            QObject.disconnect(connection)
        self._model = model
        self._connections = [
            model.was_reset.connect(self._reset),
            model.prepended.connect(self._prepended),
            model.appended.connect(self._appended),
            model.changed.connect(self._entry_changed),
            model.text_added.connect(self._text_added),
            model.reasoning_added.connect(self._text_added),
            model.truncated.connect(self._truncated),
        ]
        self._reset()

    def set_appearance(self, palette: Palette, text_px: int) -> None:
        """Colours, and the size of the text in pixels (15 is normal)."""
        self._look = Appearance(palette, text_px)
        page = QPalette()
        page.setColor(QPalette.ColorRole.Window, self._look.color("page"))
        page.setColor(QPalette.ColorRole.Base, self._look.color("page"))
        self.setPalette(page)
        self.viewport().setPalette(page)
        style_scroll_bars(self, self._look)
        self._to_end.set_look(self._look)
        for view in self._placement.rows.values():
            view.set_look(self._look)
        if self._model.entries:
            self._guess_all()
            self._placement.outdate_all()
            self._show()

    def find(self, text: str, forward: bool = True) -> bool:  # type: ignore[override]  # not Qt's, by window number
        """Select the next place where `text` stands, or the one before. False when there is none."""
        return self._finder.find(text, forward)

    def scroll_to_end(self) -> None:
        """Show the newest message, and follow it."""
        self._placement.go_to_end()
        self._after_placing()

    def show_row(self, row: int) -> None:
        """Scroll to where a message begins."""
        self._placement.go_to(row, offset=-_ABOVE)
        self._after_placing()

    @property
    def is_settled(self) -> bool:
        """Whether everything that was told is shown, and everything near the window has its widgets."""
        return not (self._changed or self._tick.isActive() or self._placement.unfinished)

    @property
    def model(self) -> TranscriptModel:
        return self._model

    # ---- what the model says

    def _reset(self) -> None:
        self._changed.clear()
        self._placement.reset(Heights())
        self._guess_all()
        self._finder.forget()
        self._show()

    def _guess_all(self) -> None:
        """Heights for all messages. Those that have widgets keep the measured ones until they are measured again."""
        width, rows = self.viewport().width(), self._placement.rows
        known = self._placement.heights
        guesses = guess_heights(self._model.entries, width, self._look)
        for row in rows:
            if row < len(guesses):  # a shorter conversation may be known here before `_truncated` is told
                guesses[row] = known[row]
        self._placement.heights = Heights(guesses)

    def _guess(self, row: int) -> int:
        return guess_heights([self._model.entries[row]], self.viewport().width(), self._look)[0]

    def _prepended(self, count: int) -> None:
        self._changed = {row + count for row in self._changed}
        if count + len(self._placement.heights) == len(self._model.entries):  # else a resize has counted them
            width = self.viewport().width()
            self._placement.prepend(guess_heights(self._model.entries[:count], width, self._look))
        self._finder.forget()
        self._show()

    def _appended(self, row: int) -> None:
        entry = self._model.entries[row]
        if row == len(self._placement.heights):  # else a resize on the way here has counted it already
            self._placement.heights.append(self._guess(row))
        if entry.role == "user":
            self._placement.sticking = True
        self._show()

    def _entry_changed(self, row: int) -> None:
        self._changed.add(row)
        self._flush()

    def _text_added(self, row: int, text: str) -> None:
        self._changed.add(row)
        if not self._tick.isActive():
            pause = min(_LONGEST_MS, max(_SHORTEST_MS, _SHARE * self._last_flush * 1000))
            since = (time.perf_counter() - self._flushed_at) * 1000
            self._tick.start(max(0, round(pause - since)))  # the first words after a pause come at once

    def _truncated(self, count: int) -> None:
        self._changed = {row for row in self._changed if row < count}
        self._placement.truncate(count)
        self._finder.forget()
        self._show()

    def _flush(self) -> None:
        """Show what has changed since the last time."""
        started = time.perf_counter()
        self._tick.stop()
        changed, self._changed = self._changed, set()
        for row in changed:
            entry, view = self._model.entries[row], self._placement.rows.get(row)
            streams_far_away = entry.status == "streaming" and not self._placement.is_near(row)
            if view is None or (streams_far_away and self._placement.forget(row)):
                self._placement.heights[row] = self._guess(row)
            else:
                view.show_entry(entry)
                self._placement.outdate(row)
        self._show()
        self._flushed_at = time.perf_counter()
        self._last_flush = self._flushed_at - started

    # ---- messages

    def _make(self, row: int) -> MessageView:
        view = MessageView(self._look, self.viewport(), self._model.images)
        view.resized.connect(lambda: self._resized(view))
        view.action.connect(self._act)
        view.link_activated.connect(self._copy_link)
        view.noticed.connect(self.notice)
        view.show_entry(self._model.entries[row])
        return view

    def _resized(self, view: MessageView) -> None:
        """A part of a message was folded or unfolded; what was clicked stays under the pointer."""
        row = next((row for row, other in self._placement.rows.items() if other is view), None)
        if row is None:  # the message has gone meanwhile
            return
        self._placement.scrolled()
        self._placement.sticking = False
        self._placement.outdate(row)
        self._show()

    def _act(self, what: str, message_id: int) -> None:
        row = self._model.row_of(message_id)
        if row is None:
            return
        branch = self._model.entries[row].branch
        match what:
            case "edit":
                self.edit_requested.emit(message_id)
            case "regenerate":
                self.regenerate_requested.emit(message_id)
            case "previous":
                self.branch_requested.emit(message_id, branch - 1)
            case "next":
                self.branch_requested.emit(message_id, branch + 1)

    def _copy_link(self, address: str) -> None:
        """Nothing opens: the window has no network. The address can be taken elsewhere."""
        QGuiApplication.clipboard().setText(address)
        self.link_copied.emit(address)
        self.notice.emit(tr("Link copied: {address}", address=address))

    def _draw_formulas(self) -> None:
        for row, view in self._placement.rows.items():
            if view.redraw():
                self._placement.outdate(row)
        self._show()

    # ---- placing and scrolling

    def _show(self) -> None:
        if self.isVisible():
            self._placement.place()
            self._after_placing()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._flush()

    def _after_placing(self) -> None:
        if self._placement.unfinished and not self._later.isActive():
            self._later.start(_LATER_MS)
        bar = self.verticalScrollBar()
        bar.setEnabled(bar.maximum() > 0)
        if bar.maximum() == 0:  # all of it is in the window, so what comes next is to be followed
            self._placement.sticking = True
        away = not self._placement.sticking and bar.maximum() - bar.value() > _FAR
        self._to_end.show_over(self.viewport().geometry(), away)

    def _extend(self) -> None:
        """Make widgets a little beyond the window, one message at a time, when there is nothing else to do."""
        self._placement.place(more=1)
        if self._placement.unfinished:
            self._later.start(0)
        self._after_placing()

    def _scrolled(self) -> None:
        if not self._placement.placing:
            self._placement.scrolled()
            self._show()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Placing moves the widgets."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().width() != event.size().width():
            self._guess_all()
        self._show()

    # ---- the keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not scroll_with_key(self.verticalScrollBar(), event, self.viewport().height()):
            event.ignore()

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes through what is on screen in reading order, and scrolls to it."""
        rows = self._placement.rows
        stops = [stop for row in sorted(rows) for stop in rows[row].tab_stops()]
        chain(self, [*stops, self._to_end])
        first = first_in_sight(stops, self.viewport()) if next and self.hasFocus() else None
        if first is not None:
            first.setFocus(Qt.FocusReason.TabFocusReason)
            self.show_widget(first, first.rect())
            return True
        moved = bool(super().focusNextPrevChild(next))
        focus = QApplication.focusWidget()
        if moved and focus is not None and self.viewport().isAncestorOf(focus):
            self.show_widget(focus, focus.rect())
        return moved

    def show_widget(self, widget: QWidget, within: QRect) -> None:
        """Scroll as little as needed for a rectangle in a widget to be seen."""
        top = widget.mapTo(self.viewport(), within.topLeft()).y()
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + distance_into_view(top, within.height(), self.viewport().height()))

    def _focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        for view in self._placement.rows.values():
            view.update_active()

    # ---- finding

    def show_hit(self, hit: Hit) -> bool:
        """Scroll to a place that was found and select it. False when it is not on screen after all."""
        if not self._placement.is_near(hit.row) or hit.row not in self._placement.rows:
            self._placement.go_to(hit.row)
        view = self._placement.rows[hit.row]
        view.make_part(hit.part)
        self._placement.go_to(hit.row, hit.part, -_ABOVE)
        found = view.select(hit)
        if found is None:
            return False
        text, rect = found
        before, self._found = self._found, text
        if before is not None and before is not text and isValid(before):
            before.deselect()
        self.show_widget(text, rect)
        self._after_placing()
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        """The viewport's background is all there is."""
