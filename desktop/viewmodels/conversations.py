"""The list of conversations: which there are, which one is open, and the trash with its undo."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.leaving import stays
from desktop.i18n import tr
from desktop.store.faults import StoreFault
from desktop.viewmodels.notice import Notice
from desktop.words.store import store_fault

if TYPE_CHECKING:
    from desktop.store.records import Conversation, SearchHit
    from desktop.store.store import Store


_MOST_FOUND = 60


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """One line of the list. `updated_at`: seconds since 1970, UTC; `stays`: it never leaves this device."""

    id: int
    title: str
    updated_at: float
    stays: bool = False


@dataclass(frozen=True, slots=True)
class FoundText:
    """A message in which all the words stand, with some of the text around them."""

    conversation_id: int
    message_id: int
    title: str
    snippet: str


class ConversationsViewModel(QObject):
    """Newest first, without the trash. `current_id` None is the new conversation that has no message yet."""

    changed = Signal()
    opened = Signal()  # another conversation is current
    texts_found = Signal(str, object)  # what was searched for, and a tuple of `FoundText`
    notice = Signal(object)

    def __init__(self, bridge: Bridge, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._trashed: ConversationItem | None = None
        self._changes = 0
        self.items: tuple[ConversationItem, ...] = ()
        self.current_id: int | None = None

    @property
    def can_undo(self) -> bool:
        return self._trashed is not None

    @property
    def undo_text(self) -> str:
        return tr("“{title}” is in the trash.", title=self._trashed.title) if self._trashed else ""

    @property
    def current_title(self) -> str:
        item = self._item(self.current_id)
        return item.title if item else ""

    def begin(self, remembered: int | None) -> None:
        """Read the list for the first time and open the conversation that was open last, if it is still there."""

        def taken(conversations: list[Conversation]) -> None:
            self._take(conversations)
            if self.current_id is None and self._item(remembered) is not None:
                self._show(remembered)
            else:
                self.opened.emit()

        self._bridge.submit(self._store.conversations(), taken, self._failed)

    def search_texts(self, words: str) -> None:
        """Look for messages that hold every word; `texts_found` tells."""

        def found(hits: list[SearchHit]) -> None:
            texts = [
                FoundText(hit.conversation_id, hit.message_id, hit.title, " ".join(hit.snippet.split()))
                for hit in hits
                if hit.message_id is not None
            ]
            self.texts_found.emit(words, tuple(texts))

        self._bridge.submit(self._store.search(words, _MOST_FOUND), found, self._failed)

    def refresh(self) -> None:
        """Read the list again. What was read before a later change of ours is not shown any more."""
        asked_at = self._changes

        def taken(conversations: list[Conversation]) -> None:
            if asked_at == self._changes:
                self._take(conversations)

        self._bridge.submit(self._store.conversations(), taken, self._failed)

    def _take(self, conversations: list[Conversation]) -> None:
        self.items = tuple(
            ConversationItem(c.id, c.title, c.updated_at, stays(c.options)) for c in conversations
        )
        self.changed.emit()

    def new(self) -> None:
        """Show the empty page. Nothing is stored until the first message."""
        self._show(None)

    def open(self, conversation_id: int) -> None:
        self._show(conversation_id)

    def _show(self, conversation_id: int | None) -> None:
        if conversation_id == self.current_id:
            return
        self.current_id = conversation_id
        self.changed.emit()
        self.opened.emit()

    def became(self, conversation: Conversation) -> None:
        """The conversation on screen was just stored for the first time, under this id."""
        self._changes += 1
        self.current_id = conversation.id
        item = ConversationItem(
            conversation.id, conversation.title, conversation.updated_at, stays(conversation.options)
        )
        self.items = (item, *(other for other in self.items if other.id != item.id))
        self.changed.emit()

    def show_label(self, conversation_id: int | None, stays: bool) -> None:
        """A conversation was labelled, or is not any more."""
        item = self._item(conversation_id)
        if item is not None and item.stays is not stays:
            self.items = tuple(
                replace(other, stays=stays) if other is item else other for other in self.items
            )
            self.changed.emit()

    def open_next(self) -> None:
        """The one below in the list."""
        self._step(+1)

    def open_previous(self) -> None:
        """The one above in the list; above the first stands the new conversation."""
        self._step(-1)

    def _step(self, by: int) -> None:
        places = [None, *(item.id for item in self.items)]
        here = places.index(self.current_id) if self.current_id in places else 0
        self._show(places[max(0, min(len(places) - 1, here + by))])

    def rename(self, conversation_id: int, title: str) -> None:
        if title.strip():
            self._change(self._store.rename(conversation_id, title.strip()))

    def delete(self, conversation_id: int) -> None:
        """Into the trash. If it was open, its neighbour in the list opens."""
        item = self._item(conversation_id)
        if item is None:
            return
        self._trashed = item
        left = [other for other in self.items if other.id != conversation_id]
        place = self.items.index(item)
        self.items = tuple(left)
        if conversation_id == self.current_id:
            self._show(left[min(place, len(left) - 1)].id if left else None)
        self._change(self._store.trash(conversation_id))

    def undo_delete(self) -> None:
        """Take the conversation deleted last out of the trash and open it."""
        if self._trashed is None:
            return
        item, self._trashed = self._trashed, None
        self._change(self._store.restore(item.id), and_open=item.id)

    def _change(self, work: Coroutine[Any, Any, Any], and_open: int | None = None) -> None:
        self._changes += 1

        def done(_: object) -> None:
            self.refresh()
            if and_open is not None:
                self._show(and_open)

        def failed(error: Exception) -> None:
            self.refresh()
            self._failed(error)

        self._bridge.submit(work, done, failed)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StoreFault):
            raise error
        self.notice.emit(Notice.of(store_fault(error)))

    def _item(self, conversation_id: int | None) -> ConversationItem | None:
        return next((item for item in self.items if item.id == conversation_id), None)
