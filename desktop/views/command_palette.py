"""Ctrl+K: find a conversation by its title or by what was written in it, or anything the window can do by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.viewmodels.conversations import ConversationItem, FoundText
from desktop.views.commands import commands, readable
from desktop.views.popover import Popover
from desktop.views.row_painter import LINE, NOWHERE, Line, RowPainter
from desktop.views.theme import Theme

_MOST_ROWS = 50
_RECENT = 5  # conversations offered before anything is typed
_SIZE = (560, 440)
_PAUSE_MS = 120  # in typing, before the messages are searched
_FEWEST_LETTERS = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """Either a command's name or a conversation's id, and a message's where its text was found."""

    line: Line
    command: str = ""
    conversation: int | None = None
    message: int | None = None


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


def _message(text: FoundText) -> Hit:
    title = " ".join(text.title.split()) or tr("New conversation")
    line = Line(text.snippet, below=title, icon="message-square")
    return Hit(line, conversation=text.conversation_id, message=text.message_id)


def _fits(words: Sequence[str], title: str) -> bool:
    folded = title.casefold()
    return all(word in folded for word in words)


def _first(items: Iterable[ConversationItem], count: int) -> list[ConversationItem]:
    return [item for item, _ in zip(items, range(count), strict=False)]


class CommandPalette(Popover):
    """`command_chosen` with a command's name, the others with the ids of a conversation and of a message.

    `texts_wanted` asks for the messages that hold some words; `add_texts` takes them, whenever they come.
    """

    command_chosen = Signal(str)
    conversation_chosen = Signal(int)
    message_chosen = Signal(int, int)
    texts_wanted = Signal(str)

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__(theme, window, tr("Search"), tr("Search conversations and commands"))
        self._items: Sequence[ConversationItem] = ()
        self._hits = _Hits(self)
        self.use(self._hits)
        self.list.setItemDelegate(RowPainter(theme, self.list))
        self.field.textChanged.connect(self._search)
        self.chosen.connect(self._act)
        self._ask_later = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._ask_later.timeout.connect(lambda: self.texts_wanted.emit(self.field.text()))

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
        if len(text.strip()) >= _FEWEST_LETTERS:
            self._ask_later.start()
        else:
            self._ask_later.stop()

    def add_texts(self, words: str, texts: Sequence[FoundText]) -> None:
        """Messages below what was found by name. Too late for these words: nothing."""
        if words == self.field.text():
            self._hits.add([_message(text) for text in texts])

    def _act(self, index: QModelIndex) -> None:
        hit = self._hits.hit(index.row())
        if hit.conversation is not None and hit.message is not None:
            self.message_chosen.emit(hit.conversation, hit.message)
        elif hit.conversation is not None:
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

    def add(self, hits: list[Hit]) -> None:
        """Below the others, so that what is selected stays."""
        known = {hit.message for hit in self._hits}
        new = [hit for hit in hits if hit.message not in known]
        if new:
            self.beginInsertRows(NOWHERE, len(self._hits), len(self._hits) + len(new) - 1)
            self._hits += new
            self.endInsertRows()

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
