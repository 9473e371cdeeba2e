"""The list of conversations as rows: headings for the days, and one row for each conversation under them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from desktop.i18n import tr
from desktop.viewmodels.conversations import ConversationItem

ID = Qt.ItemDataRole.UserRole
IS_OPEN = Qt.ItemDataRole.UserRole + 1
STAYS = Qt.ItemDataRole.UserRole + 2
Row = ConversationItem | str
"""A conversation, or the heading of a group."""
Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()
"""The parent of every row of a list."""


def grouped(items: tuple[ConversationItem, ...], today: date) -> list[Row]:
    """The conversations (newest first) under Today, Yesterday, Last 7 days and Older, by the local calendar."""
    groups = (
        (tr("Today"), _midnight(today)),
        (tr("Yesterday"), _midnight(today - timedelta(days=1))),
        (tr("Last 7 days"), _midnight(today - timedelta(days=7))),
        (tr("Older"), float("-inf")),
    )
    rows: list[Row] = []
    group = -1
    for item in items:
        belongs = next(place for place, (_, since) in enumerate(groups) if item.updated_at >= since)
        if belongs > group:
            group = belongs
            rows.append(groups[group][0])
        rows.append(item)
    return rows


def _midnight(day: date) -> float:
    return datetime.combine(day, time.min).timestamp()


class ConversationRows(QAbstractListModel):
    """`renamed` is emitted with an id and the new title when a row was edited."""

    renamed = Signal(int, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[Row] = []
        self._open: int | None = None

    def show(self, items: tuple[ConversationItem, ...], open_id: int | None) -> None:
        """Change only what differs, so that scrolling and editing go on where they can."""
        rows = grouped(items, date.today())
        if [_key(row) for row in rows] != [_key(row) for row in self._rows]:
            self.beginResetModel()
            self._rows, self._open = rows, open_id
            self.endResetModel()
            return
        before, self._rows = self._rows, rows
        changed = [place for place, row in enumerate(rows) if row != before[place]]
        if open_id != self._open:
            changed += [
                place for place in (self.row_of(self._open), self.row_of(open_id)) if place is not None
            ]
            self._open = open_id
        for place in changed:
            self.dataChanged.emit(self.index(place), self.index(place))

    def row_of(self, conversation_id: int | None) -> int | None:
        if conversation_id is None:
            return None
        return next((place for place, row in enumerate(self._rows) if _key(row) == conversation_id), None)

    # ---- what Qt asks

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        if isinstance(row, str):
            return row if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.DisplayRole:
            return " ".join(row.title.split()) or tr("New conversation")
        if role == Qt.ItemDataRole.EditRole:
            return row.title
        if role == ID:
            return row.id
        if role == IS_OPEN:
            return row.id == self._open
        if role == STAYS:
            return row.stays
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            facts = (
                tr("Open now") if row.id == self._open else "",
                tr("Never leaves this device") if row.stays else "",
            )
            return " · ".join(fact for fact in facts if fact)
        if role == Qt.ItemDataRole.ToolTipRole and row.stays:
            return tr("{title}: never leaves this device", title=row.title)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        row = self._rows[index.row()]
        title = str(value).strip()
        if isinstance(row, str) or not title:
            return False
        if title != row.title:
            self.renamed.emit(row.id, title)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if index.isValid() and isinstance(self._rows[index.row()], str):
            return Qt.ItemFlag.ItemNeverHasChildren
        usable = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable
        return usable | Qt.ItemFlag.ItemNeverHasChildren


def _key(row: Row) -> int | str:
    return row if isinstance(row, str) else row.id
