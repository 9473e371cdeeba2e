"""A list of two-line rows that stays where it is while what it shows changes; quick with thousands of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QListView, QWidget

from desktop.views.commands import IS_ENTER
from desktop.views.row_painter import LINE, NOWHERE, TWO_LINES, Line, RowPainter
from desktop.views.theme import Theme
from desktop.views.widgets import describe

KEY = Qt.ItemDataRole.UserRole + 11
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """`key` says what it stands for, and is never shown; "" is a heading, which can't be chosen."""

    key: str
    line: Line
    spoken: str = ""  # for a screen reader, beside the line's text

    @property
    def description(self) -> str:
        return self.spoken or ", ".join(part for part in (self.line.aside, self.line.below) if part)


class Rows(QAbstractListModel):
    """What a `RowList` shows."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []

    def show(self, rows: Sequence[Row]) -> bool:
        """Whether rows came, went or moved: otherwise only their words have changed."""
        before, self_rows = self._rows, list(rows)
        if [row.key for row in before] != [row.key for row in self_rows]:
            self.beginResetModel()
            self._rows = self_rows
            self.endResetModel()
            return True
        self._rows = self_rows
        changed = [number for number, row in enumerate(self_rows) if row != before[number]]
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))
        return False

    def row_of(self, key: str) -> int | None:
        return next((number for number, row in enumerate(self._rows) if row.key == key), None)

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.line.text
            case Qt.ItemDataRole.AccessibleDescriptionRole:
                return row.description
            case _ if role == LINE:
                return row.line
            case _ if role == KEY:
                return row.key
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemNeverHasChildren
        if index.isValid() and self._rows[index.row()].key:
            flags |= Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags


class RowList(QListView):
    """`picked` when another row became the current one, `entered` when it was clicked or Enter was pressed on it."""

    picked = Signal(str)
    entered = Signal(str, bool)  # whether by a key
    delete_pressed = Signal(str)
    menu_wanted = Signal(str, QPoint)

    def __init__(self, theme: Theme, name: str, description: str, *, uniform: bool = True) -> None:
        super().__init__()
        self._theme = theme
        self.rows = Rows(self)
        self._keeps_still = False
        self.begin_with = ""  # the row where the keyboard begins, if it is there; else the first
        self.began_by_itself = False  # while a row is picked that nobody has asked for
        self.setModel(self.rows)
        self.setItemDelegate(RowPainter(theme, self))
        self.setUniformItemSizes(uniform)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        describe(self, name, description)
        self.clicked.connect(lambda index: self._enter(index, by_key=False))
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def sizeHint(self) -> QSize:
        return QSize(240, self._theme.scaled(3 * TWO_LINES))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self._theme.scaled(TWO_LINES))

    @property
    def current(self) -> str:
        """The key of the row that the keys act on, or ""."""
        index = self.currentIndex()
        return str(index.data(KEY)) if index.isValid() else ""

    def show_rows(self, rows: Sequence[Row]) -> None:
        """The current row stays the current one, and what is seen stays in its place."""
        here, top = self.current, self.verticalScrollBar().value()
        self._keeps_still = True
        try:
            if self.rows.show(rows):
                place = self.rows.row_of(here) if here else None
                if place is not None:
                    self.setCurrentIndex(self.rows.index(place))
                self.verticalScrollBar().setValue(top)
        finally:
            self._keeps_still = False
        if not self.currentIndex().isValid() and self.hasFocus():
            self._begin()
        if here and self.current != here:
            self.picked.emit("")

    def pick(self, key: str) -> None:
        """Make this row the current one, and show it."""
        place = self.rows.row_of(key)
        if place is not None:
            self.setCurrentIndex(self.rows.index(place))
            self.scrollTo(self.rows.index(place))

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        if not self._keeps_still and current.isValid():
            self.picked.emit(self.current)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and event.reason() != Qt.FocusReason.MouseFocusReason:
            self._begin()

    def _begin(self) -> None:
        """The keyboard is here, and has to be seen somewhere: on the first row that can be chosen."""
        first = self.rows.row_of(self.begin_with) if self.begin_with else None
        if first is None:
            rows = range(self.rows.rowCount())
            first = next((row for row in rows if self.rows.index(row).data(KEY)), None)
        if first is not None:
            self.began_by_itself = True
            self.setCurrentIndex(self.rows.index(first))
            self.began_by_itself = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if plain and event.key() in IS_ENTER:
            self._enter(self.currentIndex(), by_key=True)
        elif plain and event.key() == Qt.Key.Key_Delete and self.current:
            self.delete_pressed.emit(self.current)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        key = index.data(KEY) if index.isValid() else ""
        if key:
            at = self.viewport().mapToGlobal(self.visualRect(index).center()) if by_key else event.globalPos()
            self.menu_wanted.emit(key, at)

    def _enter(self, index: QModelIndex, *, by_key: bool) -> None:
        if index.isValid() and index.data(KEY):
            self.entered.emit(index.data(KEY), by_key)
