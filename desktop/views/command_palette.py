"""Ctrl+K: find a conversation by its title, or anything the window can do by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.viewmodels.conversations import ConversationItem
from desktop.views.commands import commands, readable
from desktop.views.popover import Popover
from desktop.views.row_painter import LINE, NOWHERE, Line, RowPainter
from desktop.views.theme import Theme

_MOST_ROWS = 50
_RECENT = 5  # conversations offered before anything is typed
_SIZE = (560, 440)


@dataclass(frozen=True, slots=True)
class Hit:
    """Either a command's name or a conversation's id."""

    line: Line
    command: str = ""
    conversation: int | None = None


def search(text: str, items: Sequence[ConversationItem]) -> list[Hit]:
    """What fits every word of `text`: commands first, then conversations, newest first."""
    words = text.casefold().split()
    rtl = QGuiApplication.layoutDirection() == Qt.LayoutDirection.RightToLeft
    pointer = "chevron-left" if rtl else "chevron-right"
    hits = [
        Hit(Line(command.label, aside=" ".join(map(readable, command.keys)), icon=pointer), command.name)
        for command in commands()
        if command.by_name and _fits(words, command.label)
    ]
    found = (item for item in items if _fits(words, item.title))
    titles = [_conversation(item) for item in _first(found, _MOST_ROWS if words else _RECENT)]
    return hits + titles if words else titles + hits


def _conversation(item: ConversationItem) -> Hit:
    title = " ".join(item.title.split()) or tr("New conversation")
    return Hit(Line(title, icon="message-square"), conversation=item.id)


def _fits(words: Sequence[str], title: str) -> bool:
    folded = title.casefold()
    return all(word in folded for word in words)


def _first(items: Iterable[ConversationItem], count: int) -> list[ConversationItem]:
    return [item for item, _ in zip(items, range(count), strict=False)]


class CommandPalette(Popover):
    """`command_chosen` with a command's name, `conversation_chosen` with an id."""

    command_chosen = Signal(str)
    conversation_chosen = Signal(int)

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(theme, window, tr("Search"), tr("Search conversations and commands"))
        self._items: Sequence[ConversationItem] = ()
        self._hits = _Hits(self)
        self.use(self._hits)
        self.list.setItemDelegate(RowPainter(theme, self.list))
        self.field.textChanged.connect(self._search)
        self.chosen.connect(self._act)

    def open(self, items: Sequence[ConversationItem]) -> None:
        """Come up in the upper middle of the window."""
        self._items = items
        window = self.window()
        width = min(self._theme.scaled(_SIZE[0]), window.width() - 48)
        height = min(self._theme.scaled(_SIZE[1]), window.height() - 120)
        self.open_at(QRect((window.width() - width) // 2, 72, width, height))
        self._search(self.field.text())

    def _search(self, text: str) -> None:
        self._hits.show(search(text, self._items))

    def _act(self, index: QModelIndex) -> None:
        hit = self._hits.hit(index.row())
        if hit.conversation is not None:
            self.conversation_chosen.emit(hit.conversation)
        else:
            self.command_chosen.emit(hit.command)


class _Hits(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._hits: list[Hit] = []

    def show(self, hits: list[Hit]) -> None:
        self.beginResetModel()
        self._hits = hits
        self.endResetModel()

    def hit(self, row: int) -> Hit:
        return self._hits[row]

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._hits)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        hit = self._hits[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return hit.line.text
        if role == LINE:
            return hit.line
        return None
