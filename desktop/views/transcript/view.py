"""The conversation: a scrolling area that has widgets only for the messages near the window.

Opening 10,000 messages costs as much as opening ten; an answer that streams in is drawn a few times a second,
however fast its tokens come; and what a person is reading never moves under their eyes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import QMetaObject, QObject, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPaintEvent, QPalette, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QWidget
from shiboken6 import isValid

from desktop.i18n import tr
from desktop.viewmodels.transcript import TranscriptModel
from desktop.views.palette import LIGHT, Palette
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.buttons import QuietButton, style_scroll_bars
from desktop.views.transcript.find import Finder, Hit
from desktop.views.transcript.heights import Heights
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.message import MessageView, guess_heights
from desktop.views.transcript.placement import Placement
from desktop.views.transcript.textview import TextView

_SHORTEST_MS, _LONGEST_MS = 33, 400  # between two drawings of a streaming answer
_SHARE = 4  # of the time at most goes into drawing it: one part in this many
_STEP = 60  # pixels for an arrow key
_WHEEL_STEP = 40  # pixels for a third of a notch of the wheel
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
        self._placement = Placement(self, self._make)
        self._finder = Finder(self)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Its room is always kept: the text must not wrap anew when the bar comes. Without use it is not seen.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setAccessibleName(tr("Conversation"))
        self.viewport().setAutoFillBackground(True)
        self._to_end = QuietButton(self._look, "arrow-down", tr("Jump to the newest message"), parent=self)
        self._to_end.make_round()
        self._to_end.clicked.connect(self.scroll_to_end)
        self._to_end.hide()
        self._tick = QTimer(self, singleShot=True)
        self._tick.timeout.connect(self._flush)
        self._later = QTimer(self, singleShot=True, interval=0)
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
            guesses[row] = known[row]
        self._placement.heights = Heights(guesses)

    def _guess(self, row: int) -> int:
        return guess_heights([self._model.entries[row]], self.viewport().width(), self._look)[0]

    def _appended(self, row: int) -> None:
        entry = self._model.entries[row]
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
            wait = min(_LONGEST_MS, max(_SHORTEST_MS, round(_SHARE * self._last_flush * 1000)))
            self._tick.start(wait)

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
            if view is not None and (self._placement.is_near(row) or entry.status != "streaming"):
                view.show_entry(entry)
                self._placement.outdate(row)
            elif view is not None:
                self._placement.forget(row)
                self._placement.heights[row] = max(self._placement.heights[row], self._guess(row))
            else:
                self._placement.heights[row] = self._guess(row)
        self._show()
        self._last_flush = time.perf_counter() - started

    # ---- messages

    def _make(self, row: int) -> MessageView:
        view = MessageView(self._look, self.viewport())
        view.resized.connect(lambda: self._resized(view))
        view.action.connect(self._act)
        view.link_activated.connect(self._copy_link)
        view.noticed.connect(self.notice)
        view.show_entry(self._model.entries[row])
        return view

    def _resized(self, view: MessageView) -> None:
        """A part of a message was folded or unfolded; what was clicked stays under the pointer."""
        row = next(row for row, other in self._placement.rows.items() if other is view)
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
        """Nothing opens: Alcove has no network. The address can be taken elsewhere."""
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
        if self._placement.unfinished:
            self._later.start()
        bar = self.verticalScrollBar()
        bar.setEnabled(bar.maximum() > 0)
        if bar.maximum() == 0:  # all of it is in the window, so what comes next is to be followed
            self._placement.sticking = True
        away = not self._placement.sticking and bar.maximum() - bar.value() > _FAR
        if away == self._to_end.isHidden():
            self._to_end.setVisible(away)
            self._to_end.raise_()
        self._place_button()

    def _extend(self) -> None:
        """Make widgets a little beyond the window, one message at a time, when there is nothing else to do."""
        self._placement.place(more=1)
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

    def _place_button(self) -> None:
        side = self._to_end.sizeHint()
        at = self.viewport().geometry()
        x = at.center().x() - side.width() // 2
        self._to_end.setGeometry(QRect(QPoint(x, at.bottom() - side.height() - 16), side))

    # ---- the keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        page = max(_STEP, self.viewport().height() - _STEP)
        moves = {
            Qt.Key.Key_Up: bar.value() - _STEP,
            Qt.Key.Key_Down: bar.value() + _STEP,
            Qt.Key.Key_PageUp: bar.value() - page,
            Qt.Key.Key_PageDown: bar.value() + page,
            Qt.Key.Key_Home: bar.minimum(),
            Qt.Key.Key_End: bar.maximum(),
            Qt.Key.Key_Space: bar.value() + page,
        }
        key = Qt.Key(event.key())
        if key in moves and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            bar.setValue(moves[key])
        else:
            event.ignore()

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes through what is on screen in reading order, and scrolls to it."""
        stops = [
            stop for row in sorted(self._placement.rows) for stop in self._placement.rows[row].tab_stops()
        ]
        before: QWidget = self
        for stop in [*stops, self._to_end]:
            QWidget.setTabOrder(before, stop)
            before = stop
        if next and self.hasFocus():
            in_sight = (
                stop for stop in stops if stop.mapTo(self.viewport(), QPoint(0, stop.height())).y() > 0
            )
            first = _first_of(in_sight)
            if first is not None:
                first.setFocus(Qt.FocusReason.TabFocusReason)
                self.show_widget(first)
                return True
        moved = bool(super().focusNextPrevChild(next))
        focus = QApplication.focusWidget()
        if moved and focus is not None and self.viewport().isAncestorOf(focus):
            self.show_widget(focus)
        return moved

    def show_widget(self, widget: QWidget, within: QRect | None = None) -> None:
        """Scroll as little as needed for a widget, or a rectangle in it, to be seen."""
        rect = within or widget.rect()
        top = widget.mapTo(self.viewport(), rect.topLeft()).y()
        bottom = top + rect.height()
        room, margin = self.viewport().height(), 24
        bar = self.verticalScrollBar()
        if top < margin:
            bar.setValue(bar.value() + top - margin)
        elif bottom > room - margin:
            bar.setValue(bar.value() + min(bottom - room + margin, top - margin))

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
        self._placement.go_to(hit.row, hit.part, -40)
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


def _first_of(widgets: Iterator[QWidget]) -> QWidget | None:
    return next(widgets, None)
