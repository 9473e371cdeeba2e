"""The widgets of one part of a message, made when it comes near the window and taken away when it is far."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.code import CodeView
from desktop.views.transcript.content import (
    TOP,
    Block,
    Code,
    Formula,
    Kind,
    Place,
    Prose,
    Table,
    reads_right_to_left,
)
from desktop.views.transcript.formula import FormulaView
from desktop.views.transcript.pieces import Part
from desktop.views.transcript.prose import ProseView
from desktop.views.transcript.table import TableView
from desktop.views.transcript.textview import TextView

BlockView = ProseView | CodeView | TableView | FormulaView


class Host(Protocol):
    """What block widgets tell: the message they stand in passes it on."""

    def open_link(self, address: str) -> None: ...
    def notify(self, text: str) -> None: ...


def make_view(block: Block, look: Appearance, parent: QWidget, host: Host) -> BlockView:
    view: BlockView
    match block:
        case Prose():
            view = ProseView(look, parent)
            view.link_activated.connect(host.open_link)
        case Code():
            view = CodeView(look, parent)
            view.copied.connect(host.notify)
            view.text.link_activated.connect(host.open_link)
        case Table():
            view = TableView(look, parent)
            view.link_activated.connect(host.open_link)
        case Formula():
            view = FormulaView(look, parent)
    return view


def _fits(view: BlockView, block: Block) -> bool:
    return type(view.block) is type(block)


def _show(view: BlockView, block: Block, final: bool) -> None:
    match view, block:
        case (ProseView(), Prose()):
            view.show_block(block, final)
        case (CodeView(), Code()):
            view.show_block(block, final)
        case (TableView(), Table()):
            view.show_block(block, final)
        case (FormulaView(), Formula()):
            view.show_block(block, final)


def place_of(block: Block) -> Place:
    return TOP if isinstance(block, Prose) else block.place


def gap(above: Block, below: Block, look: Appearance) -> int:
    """The distance between two blocks; a heading belongs to what follows it."""
    if isinstance(below, Prose) and below.paragraphs[0].kind is Kind.HEADING:
        return look.px(24)
    if isinstance(above, Prose) and above.paragraphs[-1].kind is Kind.HEADING:
        return look.px(8)
    return look.px(16 if isinstance(above, Table) or isinstance(below, Table) else 12)


EMPTY_SHARE = 0.7  # of a line's height that the end of a line of Markdown adds, on average


def chars_per_line(width: int, look: Appearance) -> float:
    return max(20.0, width / (look.text_px * 0.5))


def estimate(source: str, width: int, look: Appearance) -> int:
    """About the height of a text that has not been read: from its length and its lines."""
    lines = len(source) / chars_per_line(width, look) + source.count("\n") * EMPTY_SHARE
    return math.ceil(look.line_px * max(1.0, lines))


class PartView:
    """Keeps a part's widgets equal to its blocks. Not a widget: they all stand in the message itself."""

    def __init__(self, part: Part, look: Appearance, parent: QWidget, host: Host) -> None:
        self.part = part
        self.views: list[BlockView] = []
        self.made = False
        self.height = 0
        self._look = look
        self._parent = parent
        self._host = host
        self._placed: tuple[int, int, int, bool] | None = None  # as it was laid out, and still is

    def guess(self, width: int) -> None:
        """A height for a part that has no widgets yet."""
        if not self.made:
            self.height = estimate(self.part.source, width, self._look)

    def make(self, final: bool = True) -> None:
        """Bring the widgets up to date with the part."""
        self.made = True
        self._placed = None
        blocks = self.part.blocks
        for index, block in enumerate(blocks):
            last = final or index < len(blocks) - 1
            if index < len(self.views) and _fits(self.views[index], block):
                _show(self.views[index], block, last)
                continue
            view = make_view(block, self._look, self._parent, self._host)
            _show(view, block, last)
            view.show()
            if index < len(self.views):
                self.views[index].deleteLater()
                self.views[index] = view
            else:
                self.views.append(view)
        for view in self.views[len(blocks) :]:
            view.hide()
            view.deleteLater()
        del self.views[len(blocks) :]

    def forget(self) -> None:
        """Take the widgets away; the height stays."""
        for view in self.views:
            view.hide()
            view.deleteLater()
        self.views = []
        self.made = False

    def lay_out(self, left: int, top: int, width: int, rtl: bool) -> int:
        """Place the widgets from `top` on; the height they take together."""
        if self._placed == (left, top, width, rtl):
            return self.height
        self._placed = (left, top, width, rtl)
        y = top
        above: Block | None = None
        for view in self.views:
            if above is not None:
                y += gap(above, view.block, self._look)
            if isinstance(above, Prose):
                # A listing in an Arabic list stands under the Arabic text.
                rtl = reads_right_to_left(above.paragraphs[-1].spans)
            indent = min(place_of(view.block).indent * self._look.indent_px, width // 2)
            height = view.height_for(width - indent)
            view.setGeometry(left if rtl else left + indent, y, width - indent, height)
            y += height
            above = view.block
        self.height = y - top
        return self.height

    def natural_width(self, limit: int) -> int:
        return max((view.natural_width(limit) for view in self.views), default=0)

    def redraw(self) -> bool:
        """Put in formulas that have been drawn. Whether a height may have changed."""
        changed = [view.redraw() for view in self.views]  # all of them
        if any(changed):
            self._placed = None
        return any(changed)

    def set_look(self, look: Appearance) -> None:
        self._look = look
        self._placed = None
        for view in self.views:
            view.set_look(look)

    def has_selection(self) -> bool:
        return any(text.textCursor().hasSelection() for view in self.views for text in _texts(view))

    def tab_stops(self) -> list[QWidget]:
        stops: list[QWidget] = []
        for view in self.views:
            if isinstance(view, CodeView):
                stops += [view.text, view.copy_button]
            elif isinstance(view, TableView):
                stops += [view, *view.slab_views]
            else:
                stops.append(view)
        return stops

    def keep(self, test: Callable[[QWidget], bool]) -> bool:
        return any(test(view) for view in self.views)


def _texts(view: BlockView) -> list[TextView]:
    match view:
        case ProseView():
            return [view]
        case CodeView():
            return [view.text]
        case TableView():
            return list(view.slab_views)
        case FormulaView():
            return []


def select_in(view: BlockView, text: str, count: int) -> tuple[TextView, QRect] | None:
    """Select occurrence `count` of `text` in a block; the text widget it is in and where in it."""
    if isinstance(view, TableView):
        view.show_occurrence(text, count)
    elif isinstance(view, CodeView):
        view.finish_writing()
    left = count
    for shown in _texts(view):
        found = shown.document().find(text)
        while not found.isNull():
            if left == 0:
                shown.setTextCursor(found)
                return shown, shown.cursorRect(found)
            left -= 1
            found = shown.document().find(text, found)
    return None
