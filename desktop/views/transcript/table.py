"""A table: columns as wide as they need, rows in slabs so that a long one is laid out only where it is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from desktop.i18n import tr
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.buttons import style_scroll_bars
from desktop.views.transcript.columns import Columns
from desktop.views.transcript.content import Span, Style, Table, plain_text
from desktop.views.transcript.scrolling import TALLEST, follows_end, turn_inside
from desktop.views.transcript.slab import Shape, SlabView, reads_from_right
from desktop.views.transcript.textview import focus_ring

_SLAB_CELLS = 64  # laying out a table takes Qt 0.1 ms a cell


@dataclass(slots=True)
class _Slab:
    start: int
    end: int
    height: int
    view: SlabView | None = None


class TableView(QAbstractScrollArea):
    """Scrolls inside itself when it is wider than the column or taller than a screen."""

    link_activated = Signal(str)

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self.block = Table((), ())
        self._slabs: list[_Slab] = []
        self._columns = self._new_columns()
        self._shape = Shape((), (), False, look)
        self._room = 0
        self._current = False  # laid out as it stands, for `_room`
        self._height = 0
        self._final = True
        self._has_formulas = False
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # only for the scroll bar: text finds its own
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setAutoFillBackground(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        style_scroll_bars(self, look)

    def _new_columns(self) -> Columns:
        plain = QFontMetricsF(self.look.body).horizontalAdvance
        bold = QFontMetricsF(self.look.char_format(Span("", Style.BOLD)).font()).horizontalAdvance
        # A bold or code word in a cell is a little wider than plain text.
        return Columns(len(self.block.alignments), lambda text: plain(text) * 1.06, bold)

    # ---- what it shows

    def show_block(self, block: Table, final: bool = True) -> None:
        self._final = final
        if block == self.block:
            return
        if block.alignments != self.block.alignments or len(block.rows) < len(self.block.rows):
            self.block = block
            self._start_over()
        self.block = block
        self._columns.read(block.rows)
        self._has_formulas = any(span.formula for row in block.rows for cell in row for span in cell)
        names = ", ".join("".join(span.text for span in cell) for cell in block.rows[0])[:200]
        self.setAccessibleName(tr("Table: {columns}", columns=names))
        self._cut_slabs()
        self._current = False

    def _start_over(self) -> None:
        for slab in self._slabs:
            if slab.view is not None:
                slab.view.deleteLater()
        self._slabs = []
        self._columns = self._new_columns()

    def _cut_slabs(self) -> None:
        count = len(self.block.rows)
        size = max(1, _SLAB_CELLS // max(1, len(self.block.alignments)))
        for index in range(math.ceil(count / size)):
            start, end = index * size, min(count, (index + 1) * size)
            if index == len(self._slabs):
                self._slabs.append(_Slab(start, end, 0))
            slab = self._slabs[index]
            if slab.end != end or not slab.height:
                slab.end = end
                slab.height = max(slab.height, (end - start) * self._row_px)

    @property
    def _row_px(self) -> int:
        return self.look.line_px + 2 * self.look.px(6) + 1

    @property
    def slab_views(self) -> list[SlabView]:
        return [slab.view for slab in self._slabs if slab.view is not None]

    def show_occurrence(self, text: str, count: int) -> None:
        """Bring the row with occurrence `count` of `text` into sight, with all rows above it laid out."""
        needle, seen, y = text.casefold(), 0, 0
        for slab in self._slabs:
            self._show_slab(slab)
            rows = self.block.rows[slab.start : slab.end]
            seen += sum(plain_text(cell).casefold().count(needle) for row in rows for cell in row)
            if seen > count:
                break
            y += slab.height
        self._lay_out(self._room)
        self.verticalScrollBar().setValue(y)

    def set_look(self, look: Appearance) -> None:
        self.look = look
        style_scroll_bars(self, look)
        self._start_over()
        self._columns.read(self.block.rows)
        self._cut_slabs()
        self._current = False

    def redraw(self) -> bool:
        """Write the cells with formulas again. Whether there were any."""
        if not self._has_formulas:
            return False
        for slab in self._slabs:
            if slab.view is not None:
                slab.view.rewrite()
        self._lay_out(self._room)
        return True

    # ---- size and place

    def natural_width(self, limit: int) -> int:
        return min(limit, sum(self._columns.fit(limit, self._padding, self._scale)))

    def height_for(self, width: int) -> int:
        if not self._current or width != self._room:
            self._lay_out(width)
            bar = 12 if self._width > width else 0
            self._height = min(sum(slab.height for slab in self._slabs) + bar, self.look.px(TALLEST))
        return self._height

    @property
    def _width(self) -> int:
        return sum(self._shape.widths)

    @property
    def _padding(self) -> int:
        return 2 * self.look.px(12)

    @property
    def _scale(self) -> float:
        return self.look.text_px / 15

    def _lay_out(self, room: int) -> None:
        """Make the slabs in sight, place them, and set the scroll bars."""
        at_end = follows_end(self) and not self._final
        self._room, self._current = room, True
        widths = self._columns.fit(room, self._padding, self._scale)
        from_right = reads_from_right(self.block)
        order = reversed(widths) if from_right else widths
        self._shape = Shape(tuple(order), self.block.alignments, from_right, self.look)
        self.horizontalScrollBar().setInvertedAppearance(from_right)
        tall = self.look.px(TALLEST)
        for _ in range(2):  # heights measured in the first pass decide what is in sight in the second
            top = self.verticalScrollBar().value()
            if at_end:
                top = max(0, sum(slab.height for slab in self._slabs) - tall)
            self._realise(top, top + tall)
        total = sum(slab.height for slab in self._slabs)
        visible = min(total, tall)
        across = self.horizontalScrollBar()
        across.setPageStep(room)
        across.setRange(0, max(0, self._width - room))
        down = self.verticalScrollBar()
        down.setPageStep(visible)
        down.setSingleStep(self._row_px)
        down.setRange(0, total - visible + (12 if across.maximum() and total > tall else 0))
        if at_end:
            down.setValue(down.maximum())
        self._move()

    def _realise(self, top: int, bottom: int) -> None:
        y = 0
        for slab in self._slabs:
            if y < bottom and y + slab.height > top:
                self._show_slab(slab)
            y += slab.height

    def _show_slab(self, slab: _Slab) -> None:
        if slab.view is None:
            slab.view = SlabView(self.look, self.viewport())
            slab.view.link_activated.connect(self.link_activated)
            slab.view.setAccessibleName(self.accessibleName())
            slab.view.show()
        rows = self.block.rows[slab.start : slab.end]
        slab.view.show_rows(rows, self._shape, slab.start == 0)
        slab.height = slab.view.height_for(self._width)

    def _move(self) -> None:
        at = QPoint(-self.horizontalScrollBar().value(), -self.verticalScrollBar().value())
        width = self._width
        if self._shape.from_right:
            at.setX(self._room - width + self.horizontalScrollBar().value())
        y = at.y()
        for slab in self._slabs:
            if slab.view is not None:
                slab.view.setGeometry(at.x(), y, width, slab.height)
            y += slab.height

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if dy and self._room:
            top = self.verticalScrollBar().value()
            self._realise(top, top + self.viewport().height())
        self._move()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._move()

    # ---- events

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn_inside(self, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        sideways = event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right)
        if sideways and self.horizontalScrollBar().maximum() > 0:
            super().keyPressEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.hasFocus():
            painter = QPainter(self.viewport())
            focus_ring(painter, self.viewport().rect().toRectF(), self.look)
