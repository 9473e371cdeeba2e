"""Which messages have widgets, and where they stand, so that nothing that is being read ever moves.

Either the end of the conversation stays at the bottom of the window (`sticking`), or one line stays where it
is: the *anchor*, a place in a part of a message at the top of the window. Heights above it may turn out
different from what was guessed, and text below it may grow; both only move the scroll bar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QAbstractScrollArea

from desktop.views.transcript.heights import Heights
from desktop.views.transcript.message import MessageView

REACH = 600  # pixels above and below the window that have widgets too
_SPARE = 24  # widgets kept beyond that
_PASSES = 3  # heights measured in one pass can bring other parts into sight


@dataclass(slots=True)
class Anchor:
    """A place at the top edge of the window: `offset` pixels below the top of a message's part."""

    row: int = 0
    part: int = -1
    offset: int = 0


class Placement:
    """Rows are messages. `make` gives the widget of a row when it comes near."""

    def __init__(self, area: QAbstractScrollArea, make: Callable[[int], MessageView]) -> None:
        self._area = area
        self._make = make
        self.heights = Heights()
        self.rows: dict[int, MessageView] = {}
        self.sticking = True
        self.anchor = Anchor()
        self.unfinished = False  # something within reach has no widget yet
        self.reordered = False
        self._stale: set[int] = set()  # rows to be laid out again
        self._widths: dict[int, int] = {}
        self._placing = False
        self._first, self._last = 0, -1  # the rows that were placed

    # ---- what changes

    def reset(self, heights: Heights) -> None:
        for view in self.rows.values():
            _end(view)
        self.rows.clear()
        self._stale.clear()
        self._widths.clear()
        self.heights = heights
        self.sticking = True
        self.anchor = Anchor()
        self._first, self._last = 0, -1

    def prepend(self, heights: list[int]) -> None:
        """There are more rows before the first. Widgets and anchor stay with their messages."""
        count = len(heights)
        self.heights = Heights([*heights, *self.heights])
        self.rows = {row + count: view for row, view in self.rows.items()}
        self._stale = {row + count for row in self._stale}
        self._widths = {row + count: width for row, width in self._widths.items()}
        self.anchor.row += count
        self._first += count
        self._last += count

    def truncate(self, count: int) -> None:
        for row in [row for row in self.rows if row >= count]:
            self._drop(row)
        self.heights.truncate(count)
        if self.anchor.row >= count:
            self.sticking = True

    def outdate(self, row: int) -> None:
        """The message has changed: measure it again."""
        self._stale.add(row)

    def outdate_all(self) -> None:
        self._stale.update(self.rows)

    def scrolled(self) -> None:
        """The person moved: remember what they look at."""
        bar = self._area.verticalScrollBar()
        self.sticking = bar.value() >= bar.maximum() - 4
        if not len(self.heights):
            return
        row = self.heights.at(bar.value())
        within = bar.value() - self.heights.before(row)
        view = self.rows.get(row)
        part = view.part_at(within) if view is not None else -1
        self.anchor = Anchor(row, part, within - (view.top_of(part) if view is not None else 0))

    @property
    def placing(self) -> bool:
        return self._placing

    # ---- placing

    def place(self, more: int = 0) -> None:
        """Lay out what is in sight, and at most `more` messages beyond it that have no widgets yet."""
        if self._placing or self._area.viewport().width() <= 0:
            return
        self._placing = True
        try:
            if len(self.heights):
                self.anchor.row = min(self.anchor.row, len(self.heights) - 1)
                self._place(more)
            else:
                self.unfinished = False
                self._set_bar(0, self._area.viewport().height())
        finally:
            self._placing = False

    def _place(self, more: int) -> None:
        room = self._area.viewport().height()
        middle, y = self._from_end(room) if self.sticking else self._from_anchor(room)
        self.unfinished = False
        first, top, more = self._upwards(middle, y, room, more)
        last, bottom = self._downwards(middle, y, room, more)
        shift = 0
        if top > 0 and first == 0:
            shift = -top
        elif bottom < room and last == len(self.heights) - 1:
            shift = min(room - bottom, max(0, self.heights.before(first) - top))
        if shift and not self.sticking:
            y += shift
            first, top, more = self._upwards(middle, y, room, more)
            last, bottom = self._downwards(middle, y, room, more)
        elif shift:
            top += shift
        self._first, self._last = first, last
        self._set_bar(self.heights.before(first) - top, room)
        self._put(top)
        self._release()

    def _from_end(self, room: int) -> tuple[int, int]:
        """The last message, with its end at the bottom of the window."""
        row = len(self.heights) - 1
        for _ in range(_PASSES):
            height = self.heights[row]
            self._lay_out(row, height - room, height)
            if self.heights[row] == height:
                break
        return row, room - self.heights[row]

    def _from_anchor(self, room: int) -> tuple[int, int]:
        anchor = self.anchor
        y = 0
        for _ in range(_PASSES):
            view = self.rows.get(anchor.row)
            y = -anchor.offset - (view.top_of(anchor.part) if view is not None else 0)
            before = y
            self._lay_out(anchor.row, -y, -y + room)
            y = -anchor.offset - self.rows[anchor.row].top_of(anchor.part)
            if y == before:
                break
        if anchor.part < 0:
            y = max(y, -self.heights[anchor.row])
        return anchor.row, y

    def _upwards(self, row: int, y: int, room: int, more: int) -> tuple[int, int, int]:
        """Lay out the rows above; the first one, its top, and what is left of `more`."""
        while row > 0 and y > -REACH:
            new = row - 1 not in self.rows
            if new and y <= 0:
                if more <= 0:
                    self.unfinished = True
                    break
                more -= 1
            row -= 1
            height = self.heights[row]
            self._lay_out(row, height - y, height - y + room)
            y -= self.heights[row]
        return row, y, more

    def _downwards(self, row: int, y: int, room: int, more: int) -> tuple[int, int]:
        """Lay out the rows below; the last one and its bottom."""
        bottom = y + self.heights[row]
        while row + 1 < len(self.heights) and bottom < room + REACH:
            new = row + 1 not in self.rows
            if new and bottom >= room:
                if more <= 0:
                    self.unfinished = True
                    break
                more -= 1
            row += 1
            self._lay_out(row, -bottom, room - bottom)
            bottom += self.heights[row]
        return row, bottom

    def _lay_out(self, row: int, top: int, bottom: int) -> None:
        """Give a row its widget and its true height; `top` and `bottom` of the window in the row's pixels."""
        view = self.rows.get(row)
        if view is None:
            view = self._make(row)
            if self.rows and row < min(self.rows):
                view.lower()  # screen readers go by the order of the children
            elif self.rows and row < max(self.rows):
                self.reordered = True
            self.rows[row] = view
            self._stale.add(row)
        width = self._area.viewport().width()
        if row in self._stale or self._widths.get(row) != width or view.depends_on_place:
            self._stale.discard(row)
            self._widths[row] = width
            self.heights[row] = view.lay_out(width, top - REACH, bottom + REACH)

    def _set_bar(self, value: int, room: int) -> None:
        bar = self._area.verticalScrollBar()
        bar.setPageStep(room)
        bar.setRange(0, max(0, self.heights.total - room))
        bar.setValue(bar.maximum() if self.sticking else value)

    def _put(self, top: int) -> None:
        """Move the widgets to their places. What only scrolls is moved as pixels, not drawn again."""
        width = self._area.viewport().width()
        shift = self._common_shift(top)
        if shift:
            self._area.viewport().scroll(0, shift)
        y = top
        for row in range(self._first, self._last + 1):
            view, height = self.rows[row], self.heights[row]
            view.setGeometry(0, y, width, height)
            if view.isHidden():
                view.show()
            y += height
        if self.reordered:
            self.reordered = False
            for row in sorted(self.rows):
                self.rows[row].raise_()

    def _common_shift(self, top: int) -> int:
        y = top
        for row in range(self._first, self._last + 1):
            view = self.rows[row]
            if not view.isHidden() and view.height():
                return y - view.y()
            y += self.heights[row]
        return 0

    def _release(self) -> None:
        """Hide what is far away, and end what is beyond the spare ones."""
        far = [row for row in self.rows if not self._first <= row <= self._last]
        for row in far:
            view = self.rows[row]
            if view.in_use():
                # It keeps the keyboard, or a selection, out of sight.
                view.move(
                    0, -view.height() - 10 if row < self._first else self._area.viewport().height() + 10
                )
            elif not view.isHidden():
                view.hide()
        surplus = len(far) - _SPARE
        if surplus > 0:
            far.sort(key=lambda row: -min(abs(row - self._first), abs(row - self._last)))
            for row in far[:surplus]:
                if not self.rows[row].in_use():
                    self._drop(row)

    def _drop(self, row: int) -> None:
        view = self.rows.pop(row)
        self._stale.discard(row)
        self._widths.pop(row, None)
        _end(view)

    def forget(self, row: int) -> bool:
        """Take the widget of a row away; it is made again when needed. False when a person is using it."""
        if self.rows[row].in_use():
            return False
        self._drop(row)
        return True

    def is_near(self, row: int) -> bool:
        return self._first <= row <= self._last

    # ---- going somewhere

    def go_to_end(self) -> None:
        self.sticking = True
        self.place()

    def go_to(self, row: int, part: int = -1, offset: int = 0) -> None:
        self.sticking = False
        self.anchor = Anchor(row, part, offset)
        self.place()


def _end(view: MessageView) -> None:
    view.hide()
    view.deleteLater()
